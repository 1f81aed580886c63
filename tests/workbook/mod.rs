//! Workbooks as spreadsheet programs write them, and as they never would: each part is written as raw XML.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use std::path::Path;

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A cell of a sheet.
#[derive(Debug, Clone)]
pub(crate) enum Cell {
    /// No cell at all.
    Missing,
    /// A text in the table of strings, as Excel writes it.
    Text(String),
    /// A text in the sheet itself, as exporting programs write it.
    Inline(String),
    /// A number, with these digits in the file.
    Number(String),
    /// A number that a style makes a date, a time, or both.
    Styled(String, Style),
    /// Days since the epoch in ISO form, as strict workbooks have them.
    IsoDate(String),
    /// `TRUE` or `FALSE`.
    Bool(bool),
    /// An error such as `#N/A`.
    Error(String),
    /// A formula with the number that was calculated.
    Formula(String, Option<String>),
    /// A formula with the text that was calculated.
    TextFormula(String, String),
}

/// How a number is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Style {
    /// `mm-dd-yy`.
    Date = 1,
    /// `m/d/yy h:mm`.
    DateTime = 2,
    /// `h:mm`.
    Time = 3,
    /// `[h]:mm:ss`.
    Duration = 4,
    /// `00000000000`.
    ZeroPadded = 5,
    /// `0%`.
    Percent = 6,
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell::Text(text)
    }
}

impl From<u64> for Cell {
    fn from(number: u64) -> Cell {
        Cell::Number(number.to_string())
    }
}

/// A row of texts.
pub(crate) fn texts<const N: usize>(cells: [&str; N]) -> Vec<Cell> {
    cells.map(Cell::from).to_vec()
}

/// A workbook while it is written: `Workbook::new().sheet("Guests", rows).save(path)`.
///
/// Rows are packed as they come, so that a sheet may have as many as a real one.
pub(crate) struct Workbook {
    zip: ZipWriter<Cursor<Vec<u8>>>,
    strings: Strings,
    sheets: String,
    relations: String,
    sheet_count: usize,
    properties: &'static str,
}

/// The table of strings.
#[derive(Default)]
struct Strings {
    places: HashMap<String, usize>,
    xml: String,
}

const XML: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>"#;
const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const RELATIONS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const PACKAGE_RELATIONS: &str = "http://schemas.openxmlformats.org/package/2006/relationships";

impl Workbook {
    pub(crate) fn new() -> Workbook {
        Workbook {
            zip: ZipWriter::new(Cursor::new(Vec::new())),
            strings: Strings::default(),
            sheets: String::new(),
            relations: String::new(),
            sheet_count: 0,
            properties: "<workbookPr/>",
        }
    }

    /// Days are counted from 1904, as old programs for the Macintosh do.
    pub(crate) fn in_days_since_1904(mut self) -> Workbook {
        self.properties = r#"<workbookPr date1904="1"/>"#;
        self
    }

    pub(crate) fn sheet(self, name: &str, rows: impl IntoIterator<Item = Vec<Cell>>) -> Workbook {
        self.sheet_in_state("visible", name, rows)
    }

    pub(crate) fn hidden_sheet(self, name: &str, rows: impl IntoIterator<Item = Vec<Cell>>) -> Workbook {
        self.sheet_in_state("hidden", name, rows)
    }

    /// A sheet whose rows are written as they are given: `<row r="1"><c r="A1"><v>1</v></c></row>`.
    pub(crate) fn sheet_of_xml(mut self, name: &str, rows: &str, behind: &str) -> Workbook {
        self.begin_sheet("visible", name);
        self.write(&format!("<sheetData>{rows}</sheetData>{behind}</worksheet>"));
        self
    }

    /// A tab that holds a chart.
    pub(crate) fn chart(mut self, name: &str) -> Workbook {
        self.add_tab("visible", name, "chartsheet");
        self.write(&format!(r#"{XML}<chartsheet xmlns="{MAIN}"/>"#));
        self
    }

    /// A part besides those of a workbook.
    pub(crate) fn part(mut self, name: &str, content: &str) -> Workbook {
        self.begin(name);
        self.write(content);
        self
    }

    pub(crate) fn save(self, path: impl AsRef<Path>) {
        std::fs::write(path, self.bytes()).expect("the workbook can be written");
    }

    pub(crate) fn bytes(mut self) -> Vec<u8> {
        let (sheets, relations, properties) = (self.sheets.clone(), self.relations.clone(), self.properties);
        let strings = std::mem::take(&mut self.strings);
        let count = strings.places.len();
        self.part(
            "_rels/.rels",
            &format!(
                r#"{XML}<Relationships xmlns="{PACKAGE_RELATIONS}"><Relationship Id="rId1" Type="{RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>"#
            ),
        )
        .part(
            "xl/workbook.xml",
            &format!(r#"{XML}<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}">{properties}<sheets>{sheets}</sheets></workbook>"#),
        )
        .part(
            "xl/_rels/workbook.xml.rels",
            &format!(r#"{XML}<Relationships xmlns="{PACKAGE_RELATIONS}">{relations}</Relationships>"#),
        )
        .part(
            "xl/styles.xml",
            &format!(
                r#"{XML}<styleSheet xmlns="{MAIN}"><numFmts><numFmt numFmtId="164" formatCode="00000000000"/></numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="22"/><xf numFmtId="20"/><xf numFmtId="46"/><xf numFmtId="164"/><xf numFmtId="9"/></cellXfs></styleSheet>"#
            ),
        )
        .part(
            "xl/sharedStrings.xml",
            &format!(r#"{XML}<sst xmlns="{MAIN}" uniqueCount="{count}">{}</sst>"#, strings.xml),
        )
        .zip
        .finish()
        .expect("the workbook can be packed")
        .into_inner()
    }

    fn sheet_in_state(mut self, state: &str, name: &str, rows: impl IntoIterator<Item = Vec<Cell>>) -> Workbook {
        self.begin_sheet(state, name);
        self.write("<sheetData>");
        let mut xml = String::new();
        for (index, cells) in rows.into_iter().enumerate() {
            xml.clear();
            let row = index + 1;
            let _ = write!(xml, r#"<row r="{row}">"#);
            for (column, cell) in cells.iter().enumerate() {
                self.strings.write_cell(&mut xml, &format!("{}{row}", letters(column)), cell);
            }
            xml.push_str("</row>");
            self.write(&xml);
        }
        self.write("</sheetData></worksheet>");
        self
    }

    fn begin_sheet(&mut self, state: &str, name: &str) {
        self.add_tab(state, name, "worksheet");
        self.write(&format!(r#"{XML}<worksheet xmlns="{MAIN}">"#));
    }

    fn add_tab(&mut self, state: &str, name: &str, kind: &str) {
        self.sheet_count += 1;
        let (count, name) = (self.sheet_count, escaped(name));
        let _ = write!(self.sheets, r#"<sheet name="{name}" sheetId="{count}" state="{state}" r:id="rId{count}"/>"#);
        let target = format!("{kind}s/sheet{count}.xml");
        let _ =
            write!(self.relations, r#"<Relationship Id="rId{count}" Type="{RELATIONS}/{kind}" Target="{target}"/>"#);
        self.begin(&format!("xl/{target}"));
    }

    fn begin(&mut self, part: &str) {
        self.zip.start_file(part, SimpleFileOptions::default()).expect("a part can be begun");
    }

    fn write(&mut self, text: &str) {
        self.zip.write_all(text.as_bytes()).expect("a part can be written");
    }
}

impl Strings {
    fn write_cell(&mut self, xml: &mut String, place: &str, cell: &Cell) {
        let _ = match cell {
            Cell::Missing => Ok(()),
            Cell::Text(text) => write!(xml, r#"<c r="{place}" t="s"><v>{}</v></c>"#, self.place(text)),
            Cell::Inline(text) => {
                let text = escaped(text);
                write!(xml, r#"<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>"#)
            }
            Cell::Number(number) => write!(xml, r#"<c r="{place}"><v>{number}</v></c>"#),
            Cell::Styled(number, style) => write!(xml, r#"<c r="{place}" s="{}"><v>{number}</v></c>"#, *style as u8),
            Cell::IsoDate(date) => write!(xml, r#"<c r="{place}" t="d"><v>{date}</v></c>"#),
            Cell::Bool(value) => write!(xml, r#"<c r="{place}" t="b"><v>{}</v></c>"#, u8::from(*value)),
            Cell::Error(error) => write!(xml, r#"<c r="{place}" t="e"><v>{error}</v></c>"#),
            Cell::Formula(formula, Some(value)) => {
                write!(xml, r#"<c r="{place}"><f>{}</f><v>{value}</v></c>"#, escaped(formula))
            }
            Cell::Formula(formula, None) => write!(xml, r#"<c r="{place}"><f>{}</f></c>"#, escaped(formula)),
            Cell::TextFormula(formula, text) => {
                let (formula, text) = (escaped(formula), escaped(text));
                write!(xml, r#"<c r="{place}" t="str"><f>{formula}</f><v>{text}</v></c>"#)
            }
        };
    }

    /// The place of a text in the table; it is added where it is new.
    fn place(&mut self, text: &str) -> usize {
        if let Some(place) = self.places.get(text) {
            return *place;
        }
        let place = self.places.len();
        self.places.insert(text.to_owned(), place);
        let _ = write!(self.xml, r#"<si><t xml:space="preserve">{}</t></si>"#, escaped(text));
        place
    }
}

/// The letters over a column: `A`, `AB`.
fn letters(column: usize) -> String {
    let last = char::from(b'A' + u8::try_from(column % 26).expect("a letter"));
    if column < 26 { last.to_string() } else { format!("{}{last}", letters(column / 26 - 1)) }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
