//! What is wrong with a header as a whole: places filled twice, flags that name no column, and what is missing.

use crate::validate::{Target, is_like_a_phone, is_phone, mask_cell};

use super::columns::{Column, Columns, is_same_header, names_the_number};
use super::flags::{ignore_flag, map_flag};
use super::near_miss::nearest;
use super::proposal::{Candidate, candidates, second_of_their_name, whole_header};
use super::record::Record;
use crate::import::limits::COLUMNS_MAX;
use crate::import::options::{ColumnMap, Options};
use crate::import::refused::{FileFault, HeaderFlags};

/// Headers that an error lists: enough to recognise the file by.
const LISTED_HEADERS: usize = 12;

/// Columns that may hold the phone numbers and are told one by one; more are no help.
const CANDIDATES_TOLD_MAX: usize = 3;

/// A header's columns with all that helps to tell what is wrong with them.
pub(in crate::import) struct HeaderFaults<'a> {
    pub(in crate::import) columns: &'a Columns,
    pub(in crate::import) options: &'a Options,
    /// Records below the header, where it did not name the phone number.
    pub(in crate::import) below: &'a [Record],
}

impl HeaderFaults<'_> {
    /// Adds the faults of the whole to those of single columns; the last gets the flags that would take the header.
    pub(in crate::import) fn gather(&self, faults: &mut Vec<FileFault>) {
        self.gather_without_flags(faults);
        if let Some(last) = faults.last_mut() {
            last.whole_header = self.flags();
        }
    }

    /// Likewise, where the flags are what is tried.
    pub(in crate::import) fn gather_without_flags(&self, faults: &mut Vec<FileFault>) {
        self.of_places(faults);
        self.of_names(faults);
        self.of_maps(faults);
        self.of_ignores(faults);
        self.of_number(faults);
        self.of_service(faults);
    }

    fn of_places(&self, faults: &mut Vec<FileFault>) {
        let filled: Vec<_> = self.filled().collect();
        for (at, (header, target)) in filled.iter().enumerate() {
            if let Some((first, _)) = filled[..at].iter().find(|(_, other)| other.same_place(target)) {
                let reason = format!("it fills `{}`, as column `{}` does", target.name(), mask_cell(first));
                let fix = if is_same_header(first, header) {
                    "give each column a name of its own in the file".to_owned()
                } else {
                    format!("leave one of them out: `{}`, or `{}`", ignore_flag(header), ignore_flag(first))
                };
                faults.push(FileFault::new(reason, fix).in_column(header));
            }
            if self.options.sets.iter().any(|set| set.target.same_place(target)) {
                let reason = format!("it fills `{}`, as `--set` does", target.name());
                let fix = format!("leave out the `--set`, or the column with `{}`", ignore_flag(header));
                faults.push(FileFault::new(reason, fix).in_column(header));
            }
        }
    }

    /// Two columns of one name cannot be told apart by a flag: mapping the name would map both.
    fn of_names(&self, faults: &mut Vec<FileFault>) {
        for header in second_of_their_name(&self.columns.headers, self.options) {
            let fix = "give each column a name of its own in the file, so that the right one can be mapped";
            faults.push(FileFault::new("a second column of that name", fix).in_column(header));
        }
    }

    fn of_maps(&self, faults: &mut Vec<FileFault>) {
        for ColumnMap { header, target, said_in } in &self.options.maps {
            if self.has(header) {
                continue;
            }
            let by = match said_in {
                None => "`--map`".to_owned(),
                Some(file) => format!("the mapping file `{file}`"),
            };
            let reason = format!("no column `{}`, which {by} names; found {}", mask_cell(header), self.listed());
            let fix = match (self.nearest(header), said_in) {
                (Some(near), None) => format!("did you mean `{}`?", map_flag(near, &target.to_string())),
                (Some(near), Some(_)) => {
                    format!("did you mean column `{near}`? `{}` says so", map_flag(near, &target.to_string()))
                }
                (None, None) => "name a column of this file in the `--map`, as its header is written".to_owned(),
                (None, Some(_)) => "correct the mapping file, or check that this is the right file".to_owned(),
            };
            faults.push(FileFault::new(reason, fix));
        }
    }

    fn of_ignores(&self, faults: &mut Vec<FileFault>) {
        for header in self.options.ignore.iter().filter(|header| !self.has(header)) {
            let reason = format!("no column `{}`, which `--ignore` names; found {}", mask_cell(header), self.listed());
            let parts: Vec<&str> = header.split(',').map(str::trim).collect();
            let fix = if parts.len() > 1 && parts.iter().all(|part| self.has(part)) {
                let flags: Vec<_> = parts.iter().map(|part| ignore_flag(part)).collect();
                format!("one column a flag: `{}`", flags.join(" "))
            } else if let Some(near) = self.nearest(header) {
                format!("did you mean `{}`?", ignore_flag(near))
            } else {
                "leave out the `--ignore`, or name a column of this file as its header is written".to_owned()
            };
            faults.push(FileFault::new(reason, fix));
        }
    }

    fn of_number(&self, faults: &mut Vec<FileFault>) {
        if self.has_number() {
            return;
        }
        let candidates = self.candidates();
        let flags: Vec<_> =
            candidates.iter().map(|found| format!("`{}`", map_flag(&found.header, "phoneNumber"))).collect();
        let told: Vec<_> = candidates.iter().map(told).collect();
        let (reason, fix) = match told.as_slice() {
            [] => (
                format!("no column for the phone number; found {}", self.listed()),
                "name it `phoneNumber` in the file, or say which it is: `--map 'HEADER=phoneNumber'`".to_owned(),
            ),
            [one] => (format!("no column for the phone number; {one} looks like it"), format!("{} if so", flags[0])),
            several => (
                format!("no column for the phone number; these look like it: {}", several.join(", ")),
                format!("choose the one whose people are to be texted: {}", flags.join(" or ")),
            ),
        };
        faults.push(FileFault::new(reason, fix));
    }

    fn of_service(&self, faults: &mut Vec<FileFault>) {
        let mut columns = self.columns.iter().filter(|(column, _)| **column == Column::Service);
        let has_service = columns.next().is_some();
        for (_, header) in columns {
            let fix = format!("leave one of them out, as with `{}`", ignore_flag(header));
            faults.push(FileFault::new("it is a second column for `serviceId`", fix).in_column(header));
        }
        if !has_service && self.options.service.is_none() && !self.options.allow_no_service {
            faults.push(FileFault::new(
                "no service ID",
                "give it with `--service ID`, or in a column `serviceId` with the same value in every row",
            ));
        }
    }

    /// The flags for the whole header: a line for each column that may be the number's.
    fn flags(&self) -> Vec<HeaderFlags> {
        let line = |number| whole_header(&self.columns.headers, self.below, self.options, number);
        if self.has_number() {
            return line(None).map(|line| HeaderFlags { number: None, line }).into_iter().collect();
        }
        let candidates = self.candidates();
        let is_choice = candidates.len() > 1;
        let flags = candidates.iter().filter_map(|found| {
            let number = is_choice.then(|| found.header.clone());
            line(Some(found)).map(|line| HeaderFlags { number, line })
        });
        flags.collect()
    }

    fn candidates(&self) -> Vec<Candidate> {
        let mut candidates = candidates(&self.columns.headers, self.below, self.options);
        candidates.truncate(CANDIDATES_TOLD_MAX);
        candidates
    }

    fn filled(&self) -> impl Iterator<Item = (&String, &Target)> {
        self.columns.iter().filter_map(|(column, header)| match column {
            Column::Filled(target) => Some((header, target)),
            Column::Ignored | Column::Unnamed | Column::Service => None,
        })
    }

    fn has_number(&self) -> bool {
        self.filled().any(|(_, target)| *target == Target::PhoneNumber)
    }

    fn has(&self, name: &str) -> bool {
        self.columns.headers.iter().any(|header| is_same_header(header, name))
    }

    fn nearest(&self, name: &str) -> Option<&str> {
        let shown = self.columns.headers.iter().map(String::as_str).filter(|header| !is_like_a_phone(header));
        nearest(name, shown)
    }

    fn listed(&self) -> String {
        let headers = &self.columns.headers;
        let shown: Vec<_> =
            headers.iter().take(LISTED_HEADERS).map(|header| format!("`{}`", mask_cell(header))).collect();
        let more = if headers.len() > LISTED_HEADERS { " …" } else { "" };
        format!("{}{more}", shown.join(", "))
    }
}

/// A candidate with its sample: `Mobile` (1251•••0130).
fn told(candidate: &Candidate) -> String {
    let header = mask_cell(&candidate.header);
    match &candidate.sample {
        None => format!("`{header}`"),
        Some(sample) => format!("`{header}` ({sample})"),
    }
}

/// What is said of a header with more columns than are taken.
pub(in crate::import) fn has_too_many_columns(headers: &[String]) -> Option<FileFault> {
    let reason = format!("{} columns; expected at most {COLUMNS_MAX}", headers.len());
    (headers.len() > COLUMNS_MAX).then(|| FileFault::new(reason, "take out what is not needed"))
}

/// What is said where the header is somebody's row: that nothing in it maps to anything is beside the point.
pub(in crate::import) fn is_somebodys_row(headers: &[String], options: &Options) -> Option<FileFault> {
    if headers.iter().any(|header| names_the_number(header, options)) {
        return None;
    }
    let place = headers.iter().position(|header| is_phone(header))?;
    let reason = format!(
        "a header is expected here, with the columns' names, and a phone number was found: `{}`",
        mask_cell(&headers[place])
    );
    let fix = format!(
        "put a line with the columns' names above it; or name the columns by their numbers: `--no-header --map \
         {}=phoneNumber`",
        place + 1
    );
    Some(FileFault::new(reason, fix))
}
