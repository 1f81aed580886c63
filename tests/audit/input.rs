//! The files that went in, read a second time by nobody's rules but their own: which line asks for which number.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// The column or property that holds the number.
const NUMBER: &str = "phoneNumber";
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// A file as it was when it was imported.
#[derive(Debug, Clone)]
pub(crate) struct Input {
    /// Its name, without its folder.
    name: String,
    content: Vec<u8>,
}

impl Input {
    pub(crate) fn new(path: &Path, content: Vec<u8>) -> Input {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Input { name, content }
    }

    pub(super) fn is_named(&self, source: &str) -> bool {
        Path::new(source).file_name().is_some_and(|name| name == self.name.as_str())
    }

    pub(super) fn sha256(&self) -> String {
        Sha256::digest(&self.content).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The numbers that are asked for, by line, as they are written; `None` where the file is neither JSON nor a CSV
    /// whose first line has a column `phoneNumber`.
    pub(super) fn rows(&self) -> Option<BTreeMap<i64, String>> {
        let content = self.content.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&self.content);
        match std::str::from_utf8(content).ok()?.trim_start().chars().next()? {
            '[' => rows_of_array(content),
            '{' => Some(rows_of_lines(content)),
            _ => rows_of_csv(content),
        }
    }
}

impl std::fmt::Display for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

/// A row's number is its place in the array.
fn rows_of_array(content: &[u8]) -> Option<BTreeMap<i64, String>> {
    let rows: Vec<Value> = serde_json::from_slice(content).ok()?;
    Some((1..).zip(rows.iter().map(number_in)).collect())
}

fn rows_of_lines(content: &[u8]) -> BTreeMap<i64, String> {
    let lines = (1..).zip(content.split(|byte| *byte == b'\n')).filter(|(_, line)| !line.trim_ascii().is_empty());
    lines.map(|(line, text)| (line, number_in(&serde_json::from_slice(text).unwrap_or_default()))).collect()
}

/// The number of an object, which has it by itself or as the API's body has it.
fn number_in(row: &Value) -> String {
    let number = row.get(NUMBER).or_else(|| row.get("endUser")?.get(NUMBER));
    match number {
        Some(Value::String(text)) => text.clone(),
        Some(number) => number.to_string(),
        None => String::new(),
    }
}

fn rows_of_csv(content: &[u8]) -> Option<BTreeMap<i64, String>> {
    [b',', b';', b'\t', b'|'].into_iter().find_map(|delimiter| rows_delimited(content, delimiter))
}

/// Rows in which nothing is written are none. A row stands where its text begins: the reader passes over line ends before it.
fn rows_delimited(content: &[u8], delimiter: u8) -> Option<BTreeMap<i64, String>> {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(content);
    let mut records = reader.byte_records();
    let header = records.next()?.ok()?;
    let column = header.iter().position(|name| name.trim_ascii() == NUMBER.as_bytes())?;
    let (mut rows, mut line, mut seen) = (BTreeMap::new(), 1, 0);
    for record in records {
        let record = record.ok()?;
        let before = usize::try_from(record.position()?.byte()).ok()?;
        let ends = content[before..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        line += lines_in(&content[seen..before + ends]);
        seen = before + ends;
        if record.iter().any(|cell| !cell.trim_ascii().is_empty()) {
            let number = record.get(column).unwrap_or_default();
            rows.insert(line, String::from_utf8_lossy(number).into_owned());
        }
    }
    Some(rows)
}

/// Line ends of any kind; the text begins and ends with a row's.
fn lines_in(text: &[u8]) -> i64 {
    let is_end = |place: usize| text[place] == b'\n' || (text[place] == b'\r' && text.get(place + 1) != Some(&b'\n'));
    (0..text.len()).filter(|place| is_end(*place)).count() as i64
}
