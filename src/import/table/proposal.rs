//! The flags that would take a whole header, for an operator to copy.

use crate::validate::{Target, is_like_a_phone, sample_of};

use super::columns::{Column, Columns, is_left_out, is_same_header, resolve};
use super::flags::{can_be_typed, ignore_flag, map_flag};
use super::header_faults::HeaderFaults;
use super::near_miss::{NearMiss, near_miss};
use super::record::Record;
use crate::import::options::{ColumnMap, Options};

/// A column that may hold the phone numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::import) struct Candidate {
    pub(in crate::import) header: String,
    /// The first of its cells, masked.
    pub(in crate::import) sample: Option<String>,
    place: usize,
}

/// The columns that may hold the phone numbers, by their cells; where no cells are known, by their headers.
///
/// More than one is no choice to be made here: one of them may be a landline.
pub(in crate::import) fn candidates(headers: &[String], below: &[Record], options: &Options) -> Vec<Candidate> {
    let candidate = |place: usize| {
        let header = headers.get(place)?;
        let sample = cells(below, place).next().map(|cell| sample_of(cell, true));
        (is_open(header, options) && can_be_typed(header)).then(|| Candidate { header: header.clone(), sample, place })
    };
    let all = || (0..headers.len()).filter_map(candidate);
    let by_cells: Vec<_> = all().filter(|found| holds_numbers(below, found.place)).collect();
    if !by_cells.is_empty() {
        return by_cells;
    }
    let is_meant =
        |header: &str| near_miss(header, &options.rules.bounds) == Some(NearMiss::Meant(Target::PhoneNumber));
    all().filter(|found| is_meant(&found.header)).collect()
}

/// The flags that take the whole header with this column, if any is needed, for the phone number; `None` where flags
/// alone do not.
///
/// What is typed or stands in mep-batch.toml is repeated, for a typed list takes the place of one there; a mapping
/// file's lists stay.
pub(in crate::import) fn whole_header(
    headers: &[String],
    below: &[Record],
    options: &Options,
    number: Option<&Candidate>,
) -> Option<String> {
    if second_of_their_name(headers, options).next().is_some() {
        return None;
    }
    let is_there = |name: &str| headers.iter().any(|header| is_same_header(header, name));
    let mut proposed = Options { allow_no_service: true, ..options.clone() };
    proposed.maps.retain(|map| map.said_in.is_some() || is_there(&map.header));
    proposed.ignore.retain(|ignored| is_there(ignored));
    let mut taken: Vec<Target> =
        headers.iter().filter_map(|header| resolve(header, options).ok()?.target().cloned()).collect();
    for (place, header) in headers.iter().enumerate().filter(|(_, header)| is_open(header, options)) {
        let is_number = number.is_some_and(|number| number.place == place);
        if resolve(header, options).is_ok() && !is_number {
            continue; // it is left out wholesale, and may go on to be
        }
        if !can_be_typed(header) {
            return None;
        }
        let target = match near_miss(header, &options.rules.bounds) {
            Some(_) | None if is_number => Some(Target::PhoneNumber),
            Some(NearMiss::Meant(Target::PhoneNumber)) | None => None,
            Some(NearMiss::Meant(target)) => Some(target),
            Some(NearMiss::Word(target)) => Some(target).filter(|_| is_worth_sending(header, below, place)),
        };
        match target.filter(|target| !taken.iter().any(|other| other.same_place(target))) {
            Some(target) => {
                // A typed map wins over a mapping file's for the same target.
                proposed.maps.retain(|map| map.said_in.is_none() || !map.target.same_place(&target));
                taken.push(target.clone());
                proposed.maps.push(ColumnMap { header: header.clone(), target, said_in: None });
            }
            None => proposed.ignore.push(header.clone()),
        }
    }
    takes_all(headers, &proposed).then(|| flags_of(headers, &proposed))
}

/// Headers that nothing is said of yet, and that stand further left already.
pub(in crate::import) fn second_of_their_name<'a>(
    headers: &'a [String],
    options: &Options,
) -> impl Iterator<Item = &'a String> {
    let is_repeated = |place: usize| headers[..place].iter().any(|other| is_same_header(other, &headers[place]));
    headers
        .iter()
        .enumerate()
        .filter(move |(place, header)| !header.trim().is_empty() && is_open(header, options) && is_repeated(*place))
        .map(|(_, header)| header)
}

/// The flags that say the same as these options, in the header's order.
fn flags_of(headers: &[String], options: &Options) -> String {
    let flag = |header: &String| {
        let map = options.maps.iter().find(|map| map.said_in.is_none() && is_same_header(&map.header, header));
        let is_ignored = |list: &[String]| list.iter().any(|ignored| is_same_header(ignored, header));
        match map {
            Some(map) => Some(map_flag(header, &map.target.to_string())),
            None if is_ignored(&options.ignore) => Some(ignore_flag(header)),
            None if is_ignored(&options.ignore_if_there) && !options.ignore.is_empty() => Some(ignore_flag(header)),
            None => None,
        }
    };
    let wholesale = options.ignore_unmapped.then(|| "--ignore-unmapped".to_owned());
    headers.iter().filter_map(flag).chain(wholesale).collect::<Vec<_>>().join(" ")
}

/// Whether these options leave no fault in a header.
fn takes_all(headers: &[String], options: &Options) -> bool {
    let (columns, mut faults) = Columns::with_faults(headers, options);
    let columns = Columns { headers: headers.to_vec(), columns, reason_place: None };
    HeaderFaults { columns: &columns, options, below: &[] }.gather_without_flags(&mut faults);
    faults.is_empty()
}

/// Whether nothing says yet what a column is.
fn is_open(header: &str, options: &Options) -> bool {
    match resolve(header, options) {
        Err(_) => true,
        // What is ignored wholesale may be what is looked for.
        Ok(Column::Ignored) => options.ignore_unmapped && !is_left_out(header, options),
        Ok(Column::Unnamed | Column::Service | Column::Filled(_)) => false,
    }
}

/// Words at the head of columns that are for the office and not for the person who is texted.
const OFFICE_WORDS: [&str; 12] = [
    "note",
    "notes",
    "comment",
    "comments",
    "remark",
    "remarks",
    "memo",
    "internal",
    "id",
    "notiz",
    "bemerkung",
    "kommentar",
];

/// Whether a column is rather a variable than something to leave out.
fn is_worth_sending(header: &str, below: &[Record], place: usize) -> bool {
    let is_empty = !below.is_empty() && cells(below, place).next().is_none();
    let is_for_the_office = OFFICE_WORDS.contains(&header.trim().to_lowercase().as_str());
    !is_empty && !is_for_the_office && !holds_numbers(below, place)
}

/// Whether all cells of a column look like phone numbers, and there is one.
fn holds_numbers(below: &[Record], place: usize) -> bool {
    cells(below, place).next().is_some() && cells(below, place).all(is_number)
}

/// The shortest number, with its country code or a leading 0, that people write into a campaign; a date has 8 digits.
const NUMBER_DIGITS_MIN: usize = 9;
const NUMBER_DIGITS_MAX: usize = 16;

fn is_number(cell: &str) -> bool {
    let digits = cell.chars().filter(|c| c.is_numeric()).count();
    let is_mark = |c: char| c.is_numeric() || c.is_whitespace() || "+-.()/'".contains(c);
    (NUMBER_DIGITS_MIN..=NUMBER_DIGITS_MAX).contains(&digits) && is_like_a_phone(cell) && cell.chars().all(is_mark)
}

/// The filled cells of a column.
fn cells(below: &[Record], place: usize) -> impl Iterator<Item = &str> {
    below.iter().filter_map(move |record| record.cells.get(place)).filter(|cell| !cell.trim().is_empty())
}
