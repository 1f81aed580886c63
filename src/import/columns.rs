//! What the columns of a file are mapped to.

use crate::validate::{Draft, Fault, Given, Rules, Target, TargetFault, check_key, is_phone, mask_cell};

use super::limits::COLUMNS_MAX;
use super::options::Options;
use super::refused::FileFault;

/// What becomes of a column's cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Column {
    /// They are left out.
    Ignored,
    /// The column has no header: spreadsheets leave such behind the last one, and their cells must be empty.
    Unnamed,
    /// They name the service.
    Service,
    /// They fill a place of the request.
    Filled(Target),
}

/// The columns of a CSV.
#[derive(Debug)]
pub(super) struct Columns {
    /// The operator's headers.
    pub(super) headers: Vec<String>,
    /// What each is mapped to.
    pub(super) columns: Vec<Column>,
}

/// What a later import ignores in the file of refused rows.
pub(super) const ADDED_COLUMNS: [&str; 3] = ["_line", "_reason", "_fix"];

/// Whether a header is that of a file of refused rows.
pub(super) fn is_mended_header(headers: &[String]) -> bool {
    headers.ends_with(&ADDED_COLUMNS.map(str::to_owned))
}

impl Columns {
    /// Maps a header that stands at a line, or tells all that is wrong with it.
    pub(super) fn map(headers: Vec<String>, line: u32, options: &Options) -> Result<Columns, Vec<FileFault>> {
        let mut faults = Vec::new();
        if headers.len() > COLUMNS_MAX {
            let reason = format!("{} columns; expected at most {COLUMNS_MAX}", headers.len());
            return Err(vec![FileFault::new(reason, "take out what is not needed").at_line(line)]);
        }
        if let Some(fault) = no_header(&headers, options) {
            return Err(vec![fault.at_line(line)]);
        }
        let mut columns = Vec::with_capacity(headers.len());
        for header in &headers {
            columns.push(resolve(header, options).unwrap_or_else(|fault| {
                faults.push(FileFault::new(fault.reason, fault.fix).at_line(line).in_column(header));
                Column::Ignored
            }));
        }
        let mapped = Columns { headers, columns };
        mapped.faults_of_places(options, &mut faults);
        mapped.faults_of_maps(options, &mut faults);
        mapped.faults_of_absence(options, &mut faults);
        for fault in &mut faults {
            fault.line = Some(line);
        }
        if faults.is_empty() { Ok(mapped) } else { Err(faults) }
    }

    /// What each column is mapped to, with its header.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Column, &String)> {
        self.columns.iter().zip(&self.headers)
    }

    /// The names under which the columns' values are shown, in the header's order.
    pub(super) fn names(&self) -> Vec<String> {
        let name = |column: &Column| match column {
            Column::Ignored | Column::Unnamed => None,
            Column::Service => Some(Target::ServiceId.name()),
            Column::Filled(target) => Some(target.name()),
        };
        self.columns.iter().filter_map(name).collect()
    }

    /// Each header with what it is mapped to; `None` where its cells are left out.
    pub(super) fn mapping(&self) -> Vec<(String, Option<String>)> {
        let target = |column: &Column| match column {
            Column::Ignored | Column::Unnamed => None,
            Column::Service => Some(Target::ServiceId.name()),
            Column::Filled(target) => Some(target.to_string()),
        };
        self.headers.iter().cloned().zip(self.columns.iter().map(target)).collect()
    }

    fn targets(&self) -> impl Iterator<Item = (&String, &Target)> {
        self.headers.iter().zip(&self.columns).filter_map(|(header, column)| match column {
            Column::Filled(target) => Some((header, target)),
            Column::Ignored | Column::Unnamed | Column::Service => None,
        })
    }

    fn faults_of_places(&self, options: &Options, faults: &mut Vec<FileFault>) {
        let filled: Vec<_> = self.targets().collect();
        for (at, (header, target)) in filled.iter().enumerate() {
            if let Some((first, _)) = filled[..at].iter().find(|(_, other)| other.same_place(target)) {
                let reason = format!("it fills `{}`, as column `{}` does", target.name(), mask_cell(first));
                faults.push(FileFault::new(reason, "leave one of them out with `--ignore`").in_column(header));
            }
            if options.sets.iter().any(|set| set.target.same_place(target)) {
                let reason = format!("it fills `{}`, as `--set` does", target.name());
                faults.push(
                    FileFault::new(reason, "leave out the `--set`, or the column with `--ignore`").in_column(header),
                );
            }
        }
        let services = self.headers.iter().zip(&self.columns).filter(|(_, column)| **column == Column::Service);
        for (header, _) in services.skip(1) {
            faults.push(
                FileFault::new("it is a second column for `serviceId`", "leave one of them out with `--ignore`")
                    .in_column(header),
            );
        }
    }

    fn faults_of_maps(&self, options: &Options, faults: &mut Vec<FileFault>) {
        for map in &options.maps {
            if !self.headers.iter().any(|header| same_name(header, &map.header)) {
                let reason =
                    format!("no column `{}`, which `--map` names; found {}", mask_cell(&map.header), self.listed());
                faults.push(FileFault::new(reason, "correct the `--map`"));
            }
        }
    }

    fn faults_of_absence(&self, options: &Options, faults: &mut Vec<FileFault>) {
        if !self.targets().any(|(_, target)| *target == Target::PhoneNumber) {
            let reason = format!("no column for the phone number; found {}", self.listed());
            let fix = "name it `phoneNumber`, or map it with `--map 'HEADER=phoneNumber'`";
            faults.push(FileFault::new(reason, fix));
        }
        let has_service = self.columns.contains(&Column::Service);
        if !has_service && options.service.is_none() && !options.allow_no_service {
            faults.push(FileFault::new(
                "no service ID",
                "give it with `--service ID`, or in a column `serviceId` with the same value in every row",
            ));
        }
    }

    fn listed(&self) -> String {
        let shown: Vec<_> =
            self.headers.iter().take(LISTED_HEADERS).map(|header| format!("`{}`", mask_cell(header))).collect();
        let more = if self.headers.len() > LISTED_HEADERS { " …" } else { "" };
        format!("{}{more}", shown.join(", "))
    }
}

/// Whether a column or a property is one that only the file of refused rows has.
pub(super) fn is_added(name: &str) -> bool {
    ADDED_COLUMNS.iter().any(|added| same_name(added, name))
}

/// Whether a header is that of the phone numbers.
pub(super) fn names_the_number(header: &str, options: &Options) -> bool {
    matches!(resolve(header, options), Ok(Column::Filled(Target::PhoneNumber)))
}

/// What is said where the header is somebody's row: that nothing in it maps to anything is beside the point.
fn no_header(headers: &[String], options: &Options) -> Option<FileFault> {
    if headers.iter().any(|header| names_the_number(header, options)) {
        return None;
    }
    let number = headers.iter().find(|header| is_phone(header))?;
    let reason = format!("a header is expected here, and a phone number was found: `{}`", mask_cell(number));
    let fix = "put a line with the columns' names above it, or name them by number: `--no-header --map 1=phoneNumber`";
    Some(FileFault::new(reason, fix))
}

/// Headers that an error lists: enough to recognise the file by.
const LISTED_HEADERS: usize = 12;

/// What a column or a property of that name is mapped to.
pub(super) fn resolve(name: &str, options: &Options) -> Result<Column, Fault> {
    if options.ignore.iter().any(|ignored| same_name(ignored, name)) {
        return Ok(Column::Ignored);
    }
    if let Some(map) = options.maps.iter().find(|map| same_name(&map.header, name)) {
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
        Err(TargetFault::Bad(fault)) => Err(fault),
        Err(TargetFault::Unknown) if options.ignore_unmapped => Ok(Column::Ignored),
        Err(TargetFault::Unknown) => Err(Fault::new(
            "it maps to nothing; expected phoneNumber, mobileOperatorId, serviceId, timeZone or SCOPE.KEY",
            "map it with `--map 'HEADER=TARGET'`, or leave it out with `--ignore HEADER`",
        )),
    }
}

/// What is wrong with the constants.
pub(super) fn faults_of_sets(options: &Options, rules: &Rules) -> Vec<FileFault> {
    let mut faults = Vec::new();
    for (at, set) in options.sets.iter().enumerate() {
        let name = set.target.name();
        if let Err(fault) = checked(set.target.clone(), options) {
            faults.push(FileFault::new(format!("`--set {name}`: {}", fault.reason), fault.fix));
        }
        if options.sets[..at].iter().any(|other| other.target.same_place(&set.target)) {
            faults.push(FileFault::new(format!("`--set {name}` stands twice"), "leave one of them out"));
        }
        // A number makes the row whole, so that all it can fail for is the constant.
        let mut draft = Draft::new(rules);
        draft.put(&Target::PhoneNumber, "", Given::Cell("12515550130"));
        draft.put(&set.target, &name, Given::Cell(&set.text));
        for problem in draft.finish().err().unwrap_or_default() {
            faults.push(FileFault::new(format!("`--set {name}`: {}", problem.reason), problem.fix));
        }
    }
    faults
}

fn checked(target: Target, options: &Options) -> Result<Column, Fault> {
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

fn same_name(one: &str, two: &str) -> bool {
    let (one, two) = (one.trim(), two.trim());
    one == two || one.to_lowercase() == two.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        Options { service: "0123ABCD".parse().ok(), ..Options::default() }
    }

    fn mapped(headers: &[&str], options: &Options) -> Result<Vec<String>, Vec<String>> {
        let headers = headers.iter().map(|header| (*header).to_owned()).collect();
        Columns::map(headers, 1, options)
            .map(|columns| columns.names())
            .map_err(|faults| faults.iter().map(FileFault::to_string).collect())
    }

    #[test]
    fn headers_map_themselves_or_by_hand() {
        let mut options = options();
        options.maps = vec!["mobile=phoneNumber".parse().expect("a map"), "Sitz=session.Seat".parse().expect("a map")];
        options.ignore = vec!["NOTE".to_owned()];
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
        assert!(mapped(&["phoneNumber", "Nickname"], &ignoring).is_ok());
        assert!(mapped(&["phoneNumber", "sesion.seat"], &ignoring).is_err());
        let named = Options { ignore: vec!["sesion.seat".to_owned()], ..options() };
        assert!(mapped(&["phoneNumber", "sesion.seat"], &named).is_ok());
    }

    #[test]
    fn a_constant_is_held_against_the_rules_before_any_row() {
        let sets = [
            "session.n:number=x",
            "session.a=\0",
            "session.b=1",
            "session.B=2",
            "session.ok=${x}",
            "mobileOperatorId=x",
        ];
        let options = Options { sets: sets.map(|set| set.parse().expect("a constant")).to_vec(), ..options() };
        assert_eq!(faults_of_sets(&options, &options.effective_rules()).len(), 4);
    }
}
