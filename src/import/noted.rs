//! The good rows of a file, noted as they come and read in the order of their numbers, which shows what repeats an earlier row.

use super::repeats::Duplicates;
use crate::invocation::Fingerprint;
use crate::store::{self, InOrder, Key, Sorted, Sorter};

/// Takes the rows of a file in the order of their lines.
#[derive(Debug)]
pub(super) struct Noted {
    duplicates: Duplicates,
    rows: Sorter,
    /// Refused rows with a good number: the number and the line.
    refused: Sorter,
}

/// All of them.
#[derive(Debug)]
pub(super) struct NotedRows {
    duplicates: Duplicates,
    rows: Sorted,
    pub(super) refused: Sorted,
}

/// A good row, and what it repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotedRow {
    pub(super) row: Fingerprint,
    pub(super) repeats: Option<RepeatOf>,
}

/// What a row repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RepeatOf {
    /// The same request, first at that line.
    Request(u32),
    /// The same phone number with other content, first at that line.
    Phone(u32),
}

/// One reading of them.
pub(super) struct ByNumber<'r> {
    duplicates: Duplicates,
    keys: InOrder<'r>,
    /// The first of those that the next one may repeat.
    first: Option<Fingerprint>,
}

impl Noted {
    /// Nothing yet. Where rows may share a number, only equal requests are repeats; else the first row of a number is the one
    /// that stays, and every other repeats it.
    pub(super) fn new(duplicates: Duplicates) -> Noted {
        Noted { duplicates, rows: Sorter::default(), refused: Sorter::default() }
    }

    /// Notes a good row.
    pub(super) fn note(&mut self, row: Fingerprint) -> store::Result<()> {
        let (phone, hash, line) = (row.phone, row.request_hash.cast_unsigned(), u64::from(row.line));
        // What repeats a row comes right behind it.
        self.rows.add(match self.duplicates {
            Duplicates::Reject | Duplicates::Skip => [phone, line, hash],
            Duplicates::Allow => [phone, hash, line],
        })
    }

    /// Notes a refused row that has a good number.
    pub(super) fn note_refused(&mut self, phone: u64, line: u32) -> store::Result<()> {
        self.refused.add([phone, u64::from(line), 0])
    }

    /// Sorts them.
    pub(super) fn sorted(self) -> NotedRows {
        NotedRows { duplicates: self.duplicates, rows: self.rows.sorted(), refused: self.refused.sorted() }
    }
}

impl NotedRows {
    /// Reads them from the first on.
    pub(super) fn by_number(&self) -> store::Result<ByNumber<'_>> {
        Ok(ByNumber { duplicates: self.duplicates, keys: self.rows.in_order()?, first: None })
    }
}

impl ByNumber<'_> {
    /// The next row; `None` at the end.
    pub(super) fn next_row(&mut self) -> store::Result<Option<NotedRow>> {
        let Some(key) = self.keys.next_key()? else { return Ok(None) };
        let row = row_of(key, self.duplicates);
        let repeats = self.first.filter(|first| first.phone == row.phone).and_then(|first| {
            match (first.request_hash == row.request_hash, self.duplicates) {
                (true, _) => Some(RepeatOf::Request(first.line)),
                (false, Duplicates::Reject | Duplicates::Skip) => Some(RepeatOf::Phone(first.line)),
                (false, Duplicates::Allow) => None,
            }
        });
        if repeats.is_none() {
            self.first = Some(row);
        }
        Ok(Some(NotedRow { row, repeats }))
    }

    /// The next so many rows; fewer at the end.
    pub(super) fn next_rows(&mut self, count: usize) -> store::Result<Vec<NotedRow>> {
        let mut rows = Vec::with_capacity(count);
        while rows.len() < count
            && let Some(row) = self.next_row()?
        {
            rows.push(row);
        }
        Ok(rows)
    }
}

fn row_of([phone, one, other]: Key, duplicates: Duplicates) -> Fingerprint {
    let (line, hash) = match duplicates {
        Duplicates::Reject | Duplicates::Skip => (one, other),
        Duplicates::Allow => (other, one),
    };
    let line = u32::try_from(line).expect("it was made of 32 bits");
    Fingerprint { phone, request_hash: hash.cast_signed(), line }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row 1 and 4 are equal; 2 has the same number and other content; 3 repeats 2; 5 stands alone.
    fn repeats(duplicates: Duplicates) -> Vec<(u32, Option<RepeatOf>)> {
        let mut noted = Noted::new(duplicates);
        for (phone, request_hash, line) in [(12, 7, 1), (12, -8, 2), (12, -8, 3), (12, 7, 4), (13, 7, 5)] {
            noted.note(Fingerprint { phone, request_hash, line }).expect("noted");
        }
        let rows = noted.sorted();
        let rows = rows.by_number().expect("readable").next_rows(9).expect("readable");
        rows.into_iter().map(|noted| (noted.row.line, noted.repeats)).collect()
    }

    #[test]
    fn the_first_row_of_a_number_stays() {
        let (phone, request) = (Some(RepeatOf::Phone(1)), Some(RepeatOf::Request(1)));
        let expected = [(1, None), (2, phone), (3, phone), (4, request), (5, None)];
        assert_eq!(repeats(Duplicates::Reject), expected);
        assert_eq!(repeats(Duplicates::Skip), expected);
    }

    #[test]
    fn equal_requests_are_repeats_even_where_a_number_may_come_twice() {
        let mut found = repeats(Duplicates::Allow);
        found.sort_by_key(|(line, _)| *line);
        let (of_2, of_1) = (Some(RepeatOf::Request(2)), Some(RepeatOf::Request(1)));
        assert_eq!(found, [(1, None), (2, None), (3, of_2), (4, of_1), (5, None)]);
    }
}
