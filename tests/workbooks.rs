//! Workbooks, from the bytes that spreadsheet programs write to judged rows.

mod audit;
mod cluster;
mod scenario;
mod workbook;

use std::path::Path;

use mep_batch::import::{Format, Input, Options, Reading, Row, Rows};
use mep_batch::invocation::RowContent;
use proptest::prelude::*;

use scenario::{SERVICE, Scenario};
use workbook::{Cell, Style, Workbook, texts};

fn options() -> Options {
    Options { service: SERVICE.parse().ok(), ..Options::default() }
}

/// Everything that came of a workbook.
struct ReadBook {
    rows: Vec<Row>,
    reader: Rows,
}

impl ReadBook {
    fn lines(&self) -> Vec<u32> {
        self.rows.iter().map(|row| row.row.line).collect()
    }

    /// What was made of each row: the variables of a good one, or its refusal.
    fn outcomes(&self) -> Vec<&str> {
        self.rows
            .iter()
            .map(|row| match &row.row.content {
                RowContent::Ready { body, .. } => {
                    body.split_once("\"variables\":").map_or(body.as_str(), |(_, rest)| &rest[..rest.len() - 1])
                }
                RowContent::Refused { message, .. } => message,
            })
            .collect()
    }

    fn notes(&self) -> Vec<String> {
        self.reader.notes().into_iter().map(|note| note.text).collect()
    }
}

fn read_bytes(bytes: &[u8], sheet: Option<&str>) -> Result<ReadBook, String> {
    // The name says nothing: a workbook is told by what is in it.
    let file = tempfile::Builder::new().suffix(".csv").tempfile().expect("a temporary file");
    std::fs::write(file.path(), bytes).expect("written");
    read_path(file.path(), sheet)
}

fn read_path(path: &Path, sheet: Option<&str>) -> Result<ReadBook, String> {
    let sheet = sheet.map(|sheet| sheet.parse().expect("a choice"));
    let reading = Reading { sheet, ..Reading::default() };
    let mut reader =
        Input::open(path, &reading).and_then(|input| input.rows(options())).map_err(|refused| refused.to_string())?;
    let mut rows = Vec::new();
    while let Some(row) = reader.next_row().map_err(|refused| refused.to_string())? {
        rows.push(row);
    }
    Ok(ReadBook { rows, reader })
}

fn read(book: Workbook) -> ReadBook {
    read_bytes(&book.bytes(), None).expect("a readable workbook")
}

fn refused(book: Workbook, sheet: Option<&str>) -> String {
    read_bytes(&book.bytes(), sheet).map(|_| ()).expect_err("a refused workbook")
}

/// A sheet with a phone number and one more cell in each row.
fn sheet_of(cells: impl IntoIterator<Item = Cell>) -> Workbook {
    let header = texts(["phoneNumber", "session.a"]);
    let rows = cells.into_iter().zip(12_515_550_130_u64..).map(|(cell, number)| vec![number.into(), cell]);
    Workbook::new().sheet("Guests", std::iter::once(header).chain(rows))
}

fn guests(first: u64) -> Vec<Vec<Cell>> {
    vec![texts(["phoneNumber", "session.a"]), vec![first.into(), "x".into()]]
}

#[test]
fn a_workbook_is_read_whatever_it_is_called() {
    let book = read(sheet_of(["7A".into(), Cell::Inline("a & <b>\n\"c\"".to_owned())]));
    assert_eq!((book.reader.survey().format, book.reader.survey().sheet.as_deref()), (Format::Xlsx, Some("Guests")));
    assert_eq!(book.lines(), [2, 3]);
    assert_eq!(book.outcomes(), [r#"{"session":{"a":"7A"}}"#, r#"{"session":{"a":"a & <b>\n\"c\""}}"#]);
    assert!(book.notes().is_empty(), "{:?}", book.notes());
}

#[test]
fn text_stays_text_and_numbers_have_the_digits_that_are_shown() {
    let cells = [
        "00123".into(),
        "1.25155E+10".into(),
        "TRUE".into(),
        " a ".into(),
        12_515_550_130.into(),
        Cell::Number("1.2515550130E10".to_owned()),
        Cell::Number("0.30000000000000004".to_owned()),
        Cell::Number("999999999999999".to_owned()),
        Cell::Styled("0.5".to_owned(), Style::Percent),
        Cell::Bool(true),
    ];
    let book = read(sheet_of(cells));
    let shown: Vec<_> = ["00123", "1.25155E+10", "TRUE", " a ", "12515550130", "12515550130", "0.3"]
        .into_iter()
        .chain(["999999999999999", "0.5", "TRUE"])
        .map(|text| format!(r#"{{"session":{{"a":"{text}"}}}}"#))
        .collect();
    assert_eq!(book.outcomes(), shown);
}

#[test]
fn dates_are_in_iso_form_and_said() {
    let cells = || {
        [
            Cell::Styled("46204".to_owned(), Style::Date),
            Cell::Styled("46204.395833333336".to_owned(), Style::DateTime),
            Cell::Styled("0.395833333333333".to_owned(), Style::Time),
            Cell::Styled("1.5".to_owned(), Style::Duration),
            Cell::IsoDate("2026-07-01T09:30:00".to_owned()),
        ]
    };
    let book = read(sheet_of(cells()));
    let values =
        |book: &ReadBook| book.outcomes().iter().map(|body| body[17..body.len() - 3].to_owned()).collect::<Vec<_>>();
    let shown = ["2026-07-01", "2026-07-01T09:30:00", "09:30:00", "36:00:00", "2026-07-01T09:30:00"];
    assert_eq!(values(&book), shown);
    assert_eq!(book.notes(), ["dates are read in ISO form, as `2026-07-01`: 5 cells in column `B`"]);
    let book = read(sheet_of(cells()).in_days_since_1904());
    assert_eq!(values(&book)[..2], ["2030-07-02", "2030-07-02T09:30:00"]);
}

#[test]
fn zeros_that_only_a_format_shows_are_not_read_and_said() {
    let padded = |number: &str| Cell::Styled(number.to_owned(), Style::ZeroPadded);
    let book = read(sheet_of([padded("1234"), padded("12515550130")]));
    assert_eq!(book.outcomes(), [r#"{"session":{"a":"1234"}}"#, r#"{"session":{"a":"12515550130"}}"#]);
    let note = "numbers that are shown with zeros before them are read without these: 1 cell in column `B`";
    assert_eq!(book.notes(), [note]);
}

#[test]
fn a_cell_without_a_value_to_send_refuses_its_row_alone() {
    let cells = [
        Cell::Number("1234567890123456".to_owned()),
        Cell::Error("#N/A".to_owned()),
        Cell::Formula("A1&B1".to_owned(), None),
        Cell::Styled("-1".to_owned(), Style::Date),
        Cell::Formula("1+1".to_owned(), Some("2".to_owned())),
        Cell::TextFormula("\"\"".to_owned(), String::new()),
    ];
    let book = read(sheet_of(cells));
    assert_eq!(
        book.outcomes(),
        [
            "not sent: session.a: a number with more than 15 digits, of which the spreadsheet keeps 15",
            "not sent: session.a: an error of the spreadsheet instead of a value",
            "not sent: session.a: a formula whose result is not in the file",
            "not sent: session.a: a date outside the years 1900 to 9999",
            r#"{"session":{"a":"2"}}"#,
            r#"{"endUser":{"phoneNumber":12515550135}}"#,
        ]
    );
    let cells: Vec<_> = book
        .rows
        .iter()
        .flat_map(|row| &row.problems)
        .map(|problem| problem.shown_cell().map(|cell| cell.text))
        .collect();
    assert_eq!(cells[1..3], [Some("#N/A".to_owned()), Some("=A1&B1".to_owned())]);
    assert_eq!(book.notes(), ["formulas are read as the values that were saved with them: 2 cells"]);
}

#[test]
fn rows_are_told_by_their_numbers_in_the_sheet() {
    let rows = r#"<row r="3"><c r="B3" t="inlineStr"><is><t>phoneNumber</t></is></c><c r="D3" t="inlineStr"><is><r><t>session</t></r><r><t>.a</t></r></is></c></row>
        <row r="4"/><row r="5"><c r="B5" s="1"/></row>
        <row r="7" hidden="1"><c r="B7"><v>12515550130</v></c><c r="D7"><v>1</v></c></row>
        <row r="9"><c r="B9"><v>12515550131</v></c></row>
        <row r="10"><c r="B10"><v>12515550132</v></c><c r="E10"><v>1</v></c></row>"#;
    let behind = r#"<mergeCells count="1"><mergeCell ref="A1:B2"/></mergeCells>"#;
    let book = read(Workbook::new().sheet_of_xml("Guests", rows, behind));
    assert_eq!(book.lines(), [7, 9, 10]);
    assert_eq!(book.outcomes()[1], r#"{"endUser":{"phoneNumber":12515550131}}"#);
    assert!(book.outcomes()[2].starts_with("not sent: "), "{}", book.outcomes()[2]);
    assert_eq!(
        book.notes(),
        [
            "rows that are hidden, by a filter or by hand, are read all the same: 1 row",
            "merged ranges have a value in their first cell only: 1 range",
        ]
    );
}

#[test]
fn a_cell_far_to_the_right_refuses_the_sheet_unless_it_is_blank() {
    let with_last = |column: usize, last: &str| {
        let mut rows = guests(12_515_550_130);
        rows[1].resize(column, Cell::Missing);
        rows[1].push(last.into());
        Workbook::new().sheet("Guests", rows)
    };
    let told = refused(with_last(16_383, "x"), None);
    assert!(told.contains("line 2: a cell in column `XFD`; expected at most 1000 columns"), "{told}");
    assert!(refused(with_last(1000, "x"), None).contains("column `ALM`"));
    assert_eq!(read(with_last(16_383, " ")).outcomes(), [r#"{"session":{"a":"x"}}"#]);
}

#[test]
fn several_sheets_with_cells_need_a_choice() {
    let book = || {
        Workbook::new()
            .chart("Chart")
            .sheet("Guests", guests(12_515_550_130))
            .hidden_sheet("Old", guests(12_515_550_131))
            .sheet("12515550139", guests(12_515_550_132))
            .sheet("Notes", [])
    };
    let told = refused(book(), None);
    for part in [
        "several sheets have cells",
        "\n  `Guests`: 2 rows, the first begins `phoneNumber`, `session.a`\n",
        "`1251•••0139`",
        "--sheet 'Guests'",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    for (choice, line) in [("Guests", 0), ("guests", 0), ("2", 0), ("OLD", 1), ("12515550139", 2), ("3", 2)] {
        let read = read_bytes(&book().bytes(), Some(choice)).expect("a readable workbook");
        assert!(
            read.rows[0].row
                == read_bytes(&Workbook::new().sheet("x", guests(12_515_550_130 + line)).bytes(), None)
                    .expect("readable")
                    .rows[0]
                    .row,
            "{choice}"
        );
    }
    assert!(refused(book(), Some("Gusts")).contains("no sheet `Gusts`; found `Chart`, `Guests`, `Old`"));
    assert!(refused(book(), Some("1")).contains("a chart"));
    assert!(refused(book(), Some("4")).contains("no rows"));
    assert!(refused(book(), Some("5")).contains("no sheet `5`"));
}

#[test]
fn hidden_and_empty_sheets_are_no_choice_and_named() {
    let book = read(
        Workbook::new()
            .sheet("Empty", [vec![Cell::Missing]])
            .hidden_sheet("Old", guests(12_515_550_131))
            .sheet("Guests", guests(12_515_550_130)),
    );
    assert_eq!(book.reader.survey().sheet.as_deref(), Some("Guests"));
    assert_eq!(book.notes(), ["not read, because it is hidden: `Old`", "not read, because it is empty: `Empty`"]);
    let told = refused(Workbook::new().sheet("Empty", []).hidden_sheet("Old", guests(12_515_550_131)), None);
    assert!(told.contains("the sheets that are shown are empty; hidden: `Old`"), "{told}");
    assert!(refused(Workbook::new().sheet("Empty", []), None).contains("no rows"));
}

#[test]
fn the_same_cells_are_the_same_content_however_they_are_stored() {
    let hash = |book: Workbook| read(book).reader.survey().sha256.clone();
    let shared = sheet_of(["7A".into(), 5.into()]);
    let inline =
        sheet_of([Cell::Inline("7A".to_owned()), Cell::Number("5.0".to_owned())]).part("docProps/app.xml", "<x/>");
    assert_eq!(hash(shared), hash(inline));
    assert_ne!(hash(sheet_of(["7A".into()])), hash(sheet_of(["7B".into()])));
}

#[test]
fn other_zips_and_broken_workbooks_are_refused_with_words() {
    for (book, part) in [
        (Workbook::new().part("xl/workbook.bin", ""), "a binary workbook (.xlsb)"),
        (sheet_of([]).part("xl/media/x", "<!DOCTYPE a [<!ENTITY b \"c\">]>"), "a document type"),
        (
            Workbook::new().sheet_of_xml(
                "x",
                r#"<row r="2"><c r="A2"><v>1</v></c></row><row r="1"><c r="A1"><v>1</v></c></row>"#,
                "",
            ),
            "not in order",
        ),
        (
            Workbook::new().sheet_of_xml("x", r#"<row r="1"><c r="A1"><v>1</v></c><c r="A1"><v>1</v></c></row>"#, ""),
            "not in order",
        ),
        (Workbook::new().sheet_of_xml("x", r#"<row r="1"><c r="A1" t="s"><v>9</v></c></row>"#, ""), "cannot be read"),
        (Workbook::new().sheet_of_xml("x", r#"<row r="1"><c r="ZZZZ1"><v>1</v></c></row>"#, ""), "not in order"),
        (Workbook::new().sheet_of_xml("x", r#"<row r="1"><c r="A1" t="e"><v>#BUSY!</v></c></row>"#, ""), "#BUSY!"),
        (
            Workbook::new().sheet_of_xml(
                "x",
                &format!(
                    r#"<row r="1"><c r="A1" t="inlineStr"><is>{}</is></c></row>"#,
                    "<r><t>aaaaaaaa</t></r>".repeat(60_000)
                ),
                "",
            ),
            "a cell is longer",
        ),
        (sheet_of([]).part("xl/other.xml", r#"<sst uniqueCount="18446744073709551615"/>"#), "claims to have"),
    ] {
        let told = refused(book, None);
        assert!(told.contains(part) && told.contains("hint: "), "{part}: {told}");
    }
}

#[test]
fn a_formula_that_refers_to_a_shared_one_without_end_takes_no_memory() {
    let rows = r#"<row r="1"><c r="A1" t="str"><f t="shared" si="4000000000" ref="A1:A2">B1</f><v>phoneNumber</v></c></row><row r="2"><c r="A2"><f t="shared" si="4000000000"/><v>12515550130</v></c></row>"#;
    let book = read(Workbook::new().sheet_of_xml("x", rows, ""));
    assert_eq!(book.outcomes(), [r#"{"endUser":{"phoneNumber":12515550130}}"#]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn any_change_to_a_workbook_ends_in_rows_or_in_words(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), cut in any::<Option<prop::sample::Index>>()) {
        let mut bytes = sheet_of(["7A".into(), Cell::Error("#N/A".to_owned())]).bytes();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Err(told) = read_bytes(&bytes, None) {
            prop_assert!(told.contains("is refused") && told.contains("hint: "), "{told}");
        }
    }

    #[test]
    fn any_cells_end_in_rows_or_in_words(rows in r#"(<row( r="[0-9]{1,12}")?( hidden="1")?>(<c( r="[A-Za-z]{0,8}[0-9]{0,12}")?( s="[0-9]{1,3}")?( t="(s|n|b|e|d|str|inlineStr|x)")?>(<f( t="shared")?( si="[0-9]{1,20}")?( ref="[A-Z0-9:]{0,9}")?>[A-Z0-9]{0,4}</f>)?(<v>[-0-9.eE#N/A!]{0,9}</v>|<is><t>.{0,4}</t></is>)?</c>){0,3}</row>){0,4}"#) {
        let book = Workbook::new().sheet_of_xml("x", &rows, "");
        if let Err(told) = read_bytes(&book.bytes(), None) {
            prop_assert!(told.contains("is refused") && told.contains("hint: "), "{told}");
        }
    }
}

#[test]
fn the_program_names_the_sheet_and_takes_the_flag() {
    let scenario = Scenario::new();
    let both = Workbook::new().sheet("Guests", guests(12_515_550_130)).sheet("Staff", guests(12_515_550_131));
    both.save(scenario.path("guests.xlsx"));
    let refused = scenario.mep(&format!("check guests.xlsx --service {SERVICE}"));
    assert_eq!(refused.code, 7, "{}", refused.stderr);
    assert!(refused.stderr.contains("hint: say which is meant, as in `--sheet 'Guests'`"), "{}", refused.stderr);
    let checked = scenario.mep(&format!("check guests.xlsx --service {SERVICE} --sheet Staff"));
    assert_eq!(checked.code, 0, "{}", checked.stderr);
    assert!(checked.stdout.starts_with("guests.xlsx: xlsx, sheet `Staff`\n"), "{}", checked.stdout);
    let json = scenario.mep(&format!("check guests.xlsx --service {SERVICE} --sheet 2 --json"));
    assert!(
        json.stdout.contains(r#""format":"xlsx""#) && json.stdout.contains(r#""sheet":"Staff""#),
        "{}",
        json.stdout
    );
    let run = scenario.mep(&format!("run guests.xlsx --service {SERVICE} --sheet Staff --endpoint simulator"));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(scenario.states(), "1 accepted");
}

#[test]
fn refused_rows_are_written_as_csv_with_their_missing_cells_and_are_refused_until_they_are_mended() {
    let scenario = Scenario::new();
    let rows = [
        texts(["phoneNumber", "session.a", "session.b"]),
        texts(["x"]),
        vec![12_515_550_130.into(), Cell::Number("1234567890123456".to_owned()), Cell::Formula("A1".to_owned(), None)],
        vec![12_515_550_131.into(), "good".into()],
    ];
    Workbook::new().sheet("Guests", rows).save(scenario.path("guests.xlsx"));
    scenario.mep(&format!("check guests.xlsx --service {SERVICE} --rejected mend.csv")).exits(3);
    let written = scenario.read("mend.csv");
    let rows =
        written.strip_prefix('\u{feff}').expect("a mark, without which a spreadsheet would take it for another text");
    let starts: Vec<_> = rows.lines().map(|line| line.splitn(5, ',').take(4).collect::<Vec<_>>().join(",")).collect();
    assert_eq!(starts, ["phoneNumber,session.a,session.b,_line", "x,,,2", "12515550130,#VALUE!,#VALUE!,3"]);
    let again = scenario.mep(&format!("check mend.csv --service {SERVICE} --json")).exits(3).json();
    assert_eq!((&again["rows"], &again["rejected"]), (&2.into(), &2.into()));
}

#[test]
fn verdicts_are_read_and_an_error_for_a_request_id_is_none() {
    let s = Scenario::new();
    let sim = s.simulate("--fault close=1");
    let run = format!("run campaign.csv --endpoint {sim} --concurrency 2 --wait 0 --probe-after 1ms");
    s.campaign(2).mep(&run).exits(4);
    let number = |text: &str| Cell::Number(text.to_owned());
    let row = |line: &str, id: Cell| vec![number(line), Cell::from("accepted"), id, number("1"), Cell::from("support")];
    let header = || texts(["line", "as", "requestId", "attempts", "reason"]);
    let broken = [header(), row("2", Cell::from("A-B")), row("3", Cell::Error("#N/A".to_owned()))];
    Workbook::new().sheet("Verdicts", broken).save(s.path("verdicts.xlsx"));
    s.mep("resolve campaign --from verdicts.xlsx --apply").exits(2).says("line 3: an error of the spreadsheet");
    assert_eq!(s.states(), "2 unknown");
    let mended = [header(), row("2", Cell::from("A-B")), row("3", Cell::from("C-D"))];
    Workbook::new().sheet("Verdicts", mended).save(s.path("verdicts.xlsx"));
    s.mep("resolve campaign --from verdicts.xlsx --apply").exits(0);
    assert_eq!(s.query("SELECT request_id FROM invocation ORDER BY id"), ["A-B", "C-D"]);
    s.audit(2);
}
