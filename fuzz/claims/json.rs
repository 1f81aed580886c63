//! The JSON reader: it reads neither more nor fewer rows than there are, and takes for JSON what is JSON.

use mep_batch::import::{Format, Options};
use serde_json::value::RawValue;

use super::rows;

/// The first byte chooses how the file is named, the others are the file.
pub(crate) fn hold(data: &[u8]) {
    let Some((choice, content)) = data.split_first() else { return };
    let name = ["rows.json", "rows.ndjson", "rows.txt", "rows"][usize::from(*choice & 3)];
    let options =
        Options { allow_no_service: true, allow_empty: true, ignore_unmapped: choice & 4 != 0, ..Options::default() };
    let Some(read) = rows::read(name, content, options) else { return };
    let Ok(text) = std::str::from_utf8(content) else { return };
    let text = text.trim_start_matches('\u{feff}'); // programs write it twice, and that is passed over
    if !read.survey.encoding.is_utf8() {
        return; // it was decoded before it was read
    }
    match read.survey.format {
        Format::Json => {
            let array = serde_json::from_str::<Vec<&RawValue>>(text).map(|array| array.len());
            if !text.trim().is_empty() {
                assert_eq!(array.ok(), Some(read.rows.len()), "an array that is read is JSON, and read whole");
            }
        }
        Format::Ndjson => {
            let filled = text.split('\n').filter(|line| !line.trim_matches([' ', '\t', '\r']).is_empty()).count();
            assert_eq!(filled, read.rows.len(), "each line that is not blank is a row");
        }
        Format::Csv | Format::Xlsx => {}
    }
}
