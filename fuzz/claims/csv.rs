//! The CSV reader and its mapping: however the columns are mapped, no row is made up, and none that is sent is another than it
//! reads back as.

use mep_batch::import::{ColumnMap, Format, Options};
use mep_batch::invocation::{Expressions, National};

use super::rows;

/// The first byte chooses the flags; with its highest bit set, the first line behind it is a mapping by hand (`--map`), and the
/// rest is the file.
pub(crate) fn hold(data: &[u8]) {
    let Some((choice, rest)) = data.split_first() else { return };
    let is_set = |bit: u8| choice & 1 << bit != 0;
    let mut options = Options {
        allow_no_service: true,
        no_header: is_set(0),
        ignore_unmapped: is_set(1),
        allow_empty: is_set(2),
        ..Options::default()
    };
    options.rules.ascii_only = is_set(3);
    if is_set(4) {
        let (code, length) = ("1".parse().expect("a code"), "10".parse().expect("a length"));
        options.rules.phones.national = Some(National { code, length });
    }
    if is_set(5) {
        options.rules.expressions = Expressions::Allowed;
    }
    if is_set(6) {
        options.rules.phones.only_countries = vec!["1".parse().expect("a code"), "44".parse().expect("a code")];
    }
    let mut content = rest;
    if is_set(7) {
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let map = String::from_utf8_lossy(&rest[..end]).parse::<ColumnMap>();
        options.maps.extend(map.ok());
        content = rest.get(end + 1..).unwrap_or_default();
    }
    let Some(read) = rows::read("rows.csv", content, options) else { return };
    let is_plain = read.survey.format == Format::Csv && read.survey.encoding.is_utf8();
    if is_plain {
        let ends = |byte: u8| content.iter().filter(|other| **other == byte).count();
        let lines = 1 + ends(b'\n') + ends(b'\r');
        let last = read.rows.last().map_or(0, |row| row.row.line as usize);
        assert!(
            read.rows.len() <= lines && last <= lines,
            "{} rows, the last at line {last} of {lines}",
            read.rows.len()
        );
    }
}
