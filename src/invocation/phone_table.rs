//! How many phone numbers there are of each length and country: what shows that a file mixes what it should not.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::phone_rules::{CallingCode, calling_code};

/// Counts of phone numbers by their length and calling code; as large as there are countries, however many numbers.
///
/// Stored as `[[11,"1",47688],…]`: digits, calling code, rows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Vec<(u32, CallingCode, u64)>", into = "Vec<(u32, CallingCode, u64)>")]
pub struct PhoneTable(BTreeMap<(u32, CallingCode), u64>);

/// The numbers of one length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhoneLength {
    /// How many digits they have.
    pub digits: u32,
    /// How many numbers have it.
    pub rows: u64,
    /// How many of them begin with each calling code, the commonest first.
    pub codes: Vec<(CallingCode, u64)>,
}

impl PhoneTable {
    /// Counts a number: 6 to 16 digits.
    pub fn add(&mut self, number: u64) {
        *self.0.entry(place_of(number)).or_default() += 1;
    }

    /// Takes out a number that was counted.
    pub fn remove(&mut self, number: u64) {
        let place = place_of(number);
        if let Some(rows) = self.0.get_mut(&place) {
            *rows -= 1;
            if *rows == 0 {
                self.0.remove(&place);
            }
        }
    }

    /// Digits, calling code and rows, in that order.
    pub fn iter(&self) -> impl Iterator<Item = (u32, CallingCode, u64)> + '_ {
        self.0.iter().map(|((digits, code), rows)| (*digits, *code, *rows))
    }

    /// All that are counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// Whether they differ in length, or in the country that they begin with.
    #[must_use]
    pub fn is_mixed(&self) -> bool {
        self.0.len() > 1
    }

    /// The same by length, the commonest first.
    #[must_use]
    pub fn lengths(&self) -> Vec<PhoneLength> {
        let mut lengths: Vec<PhoneLength> = Vec::new();
        for (digits, code, rows) in self.iter() {
            match lengths.last_mut() {
                Some(last) if last.digits == digits => {
                    last.rows += rows;
                    last.codes.push((code, rows));
                }
                Some(_) | None => lengths.push(PhoneLength { digits, rows, codes: vec![(code, rows)] }),
            }
        }
        for length in &mut lengths {
            length.codes.sort_by_key(|(_, rows)| Reverse(*rows));
        }
        lengths.sort_by_key(|length| Reverse(length.rows));
        lengths
    }
}

fn place_of(number: u64) -> (u32, CallingCode) {
    (number.max(1).ilog10() + 1, calling_code(number))
}

impl From<Vec<(u32, CallingCode, u64)>> for PhoneTable {
    fn from(counts: Vec<(u32, CallingCode, u64)>) -> Self {
        PhoneTable(counts.into_iter().map(|(digits, code, rows)| ((digits, code), rows)).collect())
    }
}

impl From<PhoneTable> for Vec<(u32, CallingCode, u64)> {
    fn from(table: PhoneTable) -> Self {
        table.iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(numbers: &[u64]) -> PhoneTable {
        let mut table = PhoneTable::default();
        numbers.iter().for_each(|number| table.add(*number));
        table
    }

    #[test]
    fn numbers_are_counted_by_length_and_country_the_commonest_first() {
        let table = table(&[2_515_550_130, 12_515_550_130, 3_015_550_130, 12_515_550_131, 2_515_550_131, 123_456]);
        let lengths: Vec<_> = table
            .lengths()
            .into_iter()
            .map(|PhoneLength { digits, rows, codes }| {
                let codes: Vec<_> = codes.into_iter().map(|(code, rows)| (code.to_string(), rows)).collect();
                (digits, rows, codes)
            })
            .collect();
        let code = |text: &str, rows| (text.to_owned(), rows);
        assert_eq!(
            lengths,
            [(10, 3, vec![code("251", 2), code("30", 1)]), (11, 2, vec![code("1", 2)]), (6, 1, vec![code("1", 1)])]
        );
        assert_eq!((table.total(), table.is_mixed()), (6, true));
    }

    #[test]
    fn what_is_taken_out_leaves_no_trace() {
        let mut mixed = table(&[12_515_550_130, 12_515_550_130, 2_515_550_130]);
        mixed.remove(2_515_550_130);
        mixed.remove(12_515_550_130);
        assert_eq!(mixed, table(&[12_515_550_139]));
        assert!(!mixed.is_mixed());
    }

    #[test]
    fn numbers_of_one_length_and_country_are_not_mixed() {
        assert!(!table(&[]).is_mixed());
        assert!(!table(&[12_515_550_130, 14_155_550_130]).is_mixed());
        assert!(table(&[12_515_550_130, 22_515_550_130]).is_mixed());
        assert!(table(&[12_515_550_130, 1_251_555_013]).is_mixed());
    }

    #[test]
    fn a_table_reads_back_as_it_was_written() {
        let table = table(&[12_515_550_130, 12_515_550_131, 447_700_900_123]);
        let text = serde_json::to_string(&table).expect("plain data");
        assert_eq!(text, r#"[[11,"1",2],[12,"44",1]]"#);
        assert_eq!(serde_json::from_str::<PhoneTable>(&text).expect("the same data"), table);
    }
}
