//! What the columns of a table are mapped to.

use crate::validate::{Fault, Target, TargetFault, check_key};

use super::flags::{ignore_flag, map_flag};
use super::header_faults::{HeaderFaults, has_too_many_columns, is_somebodys_row};
use super::near_miss::{NearMiss, is_bare_word, near_miss};
use super::record::Record;
use crate::import::exported::is_exported_table;
use crate::import::options::Options;
use crate::import::refused::FileFault;

/// What becomes of a column's cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::import) enum Column {
    /// They are left out.
    Ignored,
    /// The column has no header: spreadsheets leave such behind the last one, and their cells must be empty.
    Unnamed,
    /// They name the service.
    Service,
    /// They fill a place of the request.
    Filled(Target),
}

impl Column {
    /// Where its cells go; `None` where they are left out.
    pub(in crate::import) fn target(&self) -> Option<&Target> {
        match self {
            Column::Ignored | Column::Unnamed => None,
            Column::Service => Some(&Target::ServiceId),
            Column::Filled(target) => Some(target),
        }
    }
}

/// The columns of a table.
#[derive(Debug)]
pub(in crate::import) struct Columns {
    /// The operator's headers.
    pub(in crate::import) headers: Vec<String>,
    /// What each is mapped to.
    pub(in crate::import) columns: Vec<Column>,
    /// The place of the one in which a file of refused rows says why.
    pub(in crate::import) reason_place: Option<usize>,
}

/// Where a file of refused rows says why.
pub(in crate::import) const REASON_COLUMN: &str = "_reason";

/// What a later import ignores in the file of refused rows.
pub(in crate::import) const ADDED_COLUMNS: [&str; 3] = ["_line", REASON_COLUMN, "_fix"];

/// Whether a header is that of a file of refused rows.
pub(in crate::import) fn is_mended_header(headers: &[String]) -> bool {
    headers.ends_with(&ADDED_COLUMNS.map(str::to_owned))
}

impl Columns {
    /// The columns of a table without any.
    pub(in crate::import) fn none() -> Columns {
        Columns { headers: Vec::new(), columns: Vec::new(), reason_place: None }
    }

    /// Maps a header that stands at a line, or tells all that is wrong with it; the records below it help to tell what
    /// its columns may be.
    pub(in crate::import) fn map(
        headers: Vec<String>,
        line: u32,
        options: &Options,
        below: &[Record],
    ) -> Result<Columns, Vec<FileFault>> {
        let fault = has_too_many_columns(&headers)
            .or_else(|| is_somebodys_row(&headers, options))
            .or_else(|| is_exported_table(&headers, options));
        if let Some(fault) = fault {
            return Err(vec![fault.at_line(line)]);
        }
        let (columns, mut faults) = Columns::with_faults(&headers, options);
        let reason_place = headers.iter().position(|header| header == REASON_COLUMN);
        let columns = Columns { headers, columns, reason_place };
        HeaderFaults { columns: &columns, options, below }.gather(&mut faults);
        if faults.is_empty() { Ok(columns) } else { Err(faults.into_iter().map(|fault| fault.at_line(line)).collect()) }
    }

    /// What each column is mapped to, with the faults of those that stand alone.
    pub(in crate::import) fn with_faults(headers: &[String], options: &Options) -> (Vec<Column>, Vec<FileFault>) {
        let mut faults = Vec::new();
        let mut column_of = |header: &String| {
            resolve(header, options).unwrap_or_else(|fault| {
                faults.push(FileFault::new(fault.reason, fault.fix).in_column(header));
                Column::Ignored
            })
        };
        let columns = headers.iter().map(&mut column_of).collect();
        (columns, faults)
    }

    /// What each column is mapped to, with its header.
    pub(in crate::import) fn iter(&self) -> impl Iterator<Item = (&Column, &String)> {
        self.columns.iter().zip(&self.headers)
    }

    /// The names under which the columns' values are shown, in the header's order.
    pub(in crate::import) fn names(&self) -> Vec<String> {
        self.columns.iter().filter_map(Column::target).map(Target::name).collect()
    }
}

/// Whether a column or a property is one that only the file of refused rows has.
pub(in crate::import) fn is_added(name: &str) -> bool {
    ADDED_COLUMNS.iter().any(|added| is_same_header(added, name))
}

/// Whether a header is that of the phone numbers.
pub(in crate::import) fn names_the_number(header: &str, options: &Options) -> bool {
    matches!(resolve(header, options), Ok(Column::Filled(Target::PhoneNumber)))
}

/// What a column or a property of that name is mapped to.
pub(in crate::import) fn resolve(name: &str, options: &Options) -> Result<Column, Fault> {
    if is_left_out(name, options) {
        return Ok(Column::Ignored);
    }
    if let Some(map) = options.maps.iter().find(|map| is_same_header(&map.header, name)) {
        return checked(map.target.clone(), options);
    }
    if name.trim().is_empty() {
        return Ok(if options.ignore_unmapped { Column::Ignored } else { Column::Unnamed });
    }
    if is_added(name) {
        return Ok(Column::Ignored);
    }
    match Target::parse(name, &options.rules.bounds) {
        Ok(target) => checked(target, options),
        Err(TargetFault::Bad(fault)) if !is_bare_word(name) => Err(with_near_miss(fault, name, options)),
        Err(TargetFault::Bad(_) | TargetFault::Unknown) if options.ignore_unmapped => Ok(Column::Ignored),
        Err(TargetFault::Bad(_) | TargetFault::Unknown) => Err(unmapped(name, options)),
    }
}

/// Whether the operator names the column as one to leave out.
pub(in crate::import) fn is_left_out(name: &str, options: &Options) -> bool {
    options.ignore.iter().chain(&options.ignore_if_there).any(|ignored| is_same_header(ignored, name))
}

fn unmapped(name: &str, options: &Options) -> Fault {
    let ignored = ignore_flag(name);
    match near_miss(name, &options.rules.bounds) {
        Some(NearMiss::Meant(target)) => Fault::new(
            format!("it maps to nothing; did you mean `{target}`?"),
            format!("`{}` if so, `{ignored}` to leave it out", map_flag(name, &target.to_string())),
        ),
        Some(NearMiss::Word(target)) => Fault::new(
            "it maps to nothing",
            format!("`{}` makes it a variable, `{ignored}` leaves it out", map_flag(name, &target.to_string())),
        ),
        None => Fault::new(
            "it maps to nothing; expected `phoneNumber`, `mobileOperatorId`, `serviceId`, `timeZone` or `SCOPE.KEY`",
            format!("`{}` makes it a variable, `{ignored}` leaves it out", map_flag(name, "session.NAME")),
        ),
    }
}

/// A fault in a name that looks like a variable's, with the name that may have been meant.
fn with_near_miss(fault: Fault, name: &str, options: &Options) -> Fault {
    match near_miss(name, &options.rules.bounds) {
        Some(NearMiss::Meant(target)) => Fault::new(
            format!("{}; did you mean `{target}`?", fault.reason),
            format!("`{}` if so, `{}` to leave it out", map_flag(name, &target.to_string()), ignore_flag(name)),
        ),
        Some(NearMiss::Word(_)) | None => fault,
    }
}

/// Holds a target that is well formed against what a column may fill.
pub(in crate::import) fn checked(target: Target, options: &Options) -> Result<Column, Fault> {
    match &target {
        Target::ServiceId => Ok(Column::Service),
        Target::Variable(variable) => {
            check_key(variable.scope, &variable.key, &options.rules.bounds)?;
            if variable.kind == crate::validate::Kind::Json {
                return Err(Fault::new("`:json` is no type of a column", "end the header in `:number`, or in nothing"));
            }
            Ok(Column::Filled(target))
        }
        Target::PhoneNumber | Target::MobileOperatorId | Target::TimeZone => Ok(Column::Filled(target)),
    }
}

/// Whether two headers are the same to an operator: case makes no difference, nor do outer spaces and line breaks.
#[must_use]
pub fn is_same_header(one: &str, two: &str) -> bool {
    one == two || plain(one).eq(plain(two))
}

fn plain(header: &str) -> impl Iterator<Item = char> {
    header.split_whitespace().flat_map(|word| word.chars().flat_map(char::to_lowercase).chain([' ']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        Options { service: "0123ABCD".parse().ok(), ..Options::default() }
    }

    fn mapped(headers: &[&str], options: &Options) -> Result<Vec<String>, Vec<String>> {
        let headers = headers.iter().map(|header| (*header).to_owned()).collect();
        Columns::map(headers, 1, options, &[])
            .map(|columns| columns.names())
            .map_err(|faults| faults.iter().map(FileFault::to_string).collect())
    }

    #[test]
    fn two_columns_of_one_name_get_no_flags_to_choose_by() {
        let faults = mapped(&["Order", "Phone", "Phone"], &options()).expect_err("a bad header");
        assert!(
            faults.iter().any(|fault| fault.contains("column `Phone`: a second column of that name")),
            "{faults:#?}"
        );
        assert!(!faults.iter().any(|fault| fault.contains("for the whole header")), "{faults:#?}");
    }

    #[test]
    fn headers_map_themselves_or_by_hand() {
        let mut options = options();
        options.maps = vec!["mobile=phoneNumber".parse().expect("a map"), "Sitz=session.Seat".parse().expect("a map")];
        options.ignore = vec!["NOTE".to_owned()];
        assert!(is_same_header(" Phone\r\nNumber", "phone number") && !is_same_header("Phone", "Phone number"));
        let headers =
            ["Mobile", "SITZ", "Note", "variables.User.x:number", "_line", "_REASON", "_fix", "serviceId", ""];
        assert_eq!(
            mapped(&headers, &options).as_deref(),
            Ok(["phoneNumber", "session.Seat", "user.x", "serviceId"].map(str::to_owned).as_slice())
        );
    }

    #[test]
    fn all_faults_of_a_header_are_told_at_once() {
        let mut options = options();
        options.service = None;
        options.maps = vec!["Mobile=phoneNumber".parse().expect("a map")];
        options.sets = vec!["session.seat=x".parse().expect("a constant")];
        let headers = [
            "Seat",
            "sesion.x",
            "session.and",
            "user.id",
            "session.Seat",
            "session.a",
            "SESSION.A",
            "timeZone",
            "timezone",
        ];
        let faults = mapped(&headers, &options).expect_err("a bad header");
        for part in [
            "column `Seat`: it maps to nothing",
            "column `sesion.x`: an unknown scope",
            "column `session.and`: a reserved word",
            "column `user.id`: a variable that MEP sets itself",
            "column `session.Seat`: it fills `session.Seat`, as `--set` does",
            "column `SESSION.A`: it fills `session.A`, as column `session.a` does",
            "column `timezone`: it fills `timeZone`",
            "no column `Mobile`, which `--map` names",
            "no column for the phone number",
            "no service ID",
        ] {
            assert!(faults.iter().any(|fault| fault.contains(part)), "{part}: {faults:#?}");
        }
        assert_eq!(faults.len(), 10, "{faults:#?}");
    }

    #[test]
    fn a_typing_error_in_a_scope_is_never_ignored_unnamed() {
        let ignoring = Options { ignore_unmapped: true, ..options() };
        assert!(mapped(&["phoneNumber", "Nickname", "Seat no."], &ignoring).is_ok());
        assert!(mapped(&["phoneNumber", "sesion.seat"], &ignoring).is_err());
        let named = Options { ignore: vec!["sesion.seat".to_owned()], ..options() };
        assert!(mapped(&["phoneNumber", "sesion.seat"], &named).is_ok());
    }
}
