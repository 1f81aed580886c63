//! Whole files, from bytes to judged rows.

use std::io::Write;
use std::path::Path;

use mep_batch::import::{Format, Input, Options, Reading, Row, Rows};
use mep_batch::invocation::RowContent;
use mep_batch::validate::{check_body, row_from_cells};
use proptest::prelude::*;

const GUIDE: &str = r#"{"endUser":{"phoneNumber":12515550130,"mobileOperatorId":383},"variables":{"session":{"seatLocation":"aisle","seatClass":"first","flightNumber":49,"flightAirline":"AwesomeAirways"},"user":{"frequentFlyerAccountNumber":"MJHF787679"}}}"#;

fn options() -> Options {
    Options { service: "0123456789ABCDEF".parse().ok(), ..Options::default() }
}

/// Everything that came of a file.
struct ReadFile {
    rows: Vec<Row>,
    reader: Rows,
}

fn read_with(extension: &str, content: &[u8], options: Options) -> Result<ReadFile, String> {
    let mut file = tempfile::Builder::new().suffix(&format!(".{extension}")).tempfile().expect("a temporary file");
    file.write_all(content).expect("written");
    read_path(file.path(), options)
}

fn read_path(path: &Path, options: Options) -> Result<ReadFile, String> {
    let mut reader = Input::open(path, &Reading::default())
        .and_then(|input| input.rows(options))
        .map_err(|refused| refused.to_string())?;
    let mut rows = Vec::new();
    while let Some(row) = reader.next_row().map_err(|refused| refused.to_string())? {
        rows.push(row);
    }
    Ok(ReadFile { rows, reader })
}

fn read(extension: &str, content: &str) -> ReadFile {
    read_with(extension, content.as_bytes(), options()).expect("a readable file")
}

fn refused(extension: &str, content: &str) -> String {
    read_with(extension, content.as_bytes(), options()).map(|_| ()).expect_err("a refused file")
}

impl ReadFile {
    fn lines(&self) -> Vec<u32> {
        self.rows.iter().map(|row| row.row.line).collect()
    }

    /// Each row's body, or its refusal.
    fn outcomes(&self) -> Vec<&str> {
        self.rows
            .iter()
            .map(|row| match &row.row.content {
                RowContent::Ready { body, .. } => body.as_str(),
                RowContent::Refused { message, .. } => message.as_str(),
            })
            .collect()
    }
}

#[test]
fn every_clean_sample_is_clean_and_begins_with_the_guides_example() {
    for name in ["campaign.csv", "bodies.json", "campaign.ndjson"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(name);
        let reading = read_path(&path, Options::default()).expect("a readable sample");
        assert_eq!(reading.outcomes()[0], GUIDE, "{name}");
        assert!(reading.outcomes().iter().all(|outcome| outcome.starts_with('{')), "{name}");
        assert_eq!(reading.reader.service().map(ToString::to_string).as_deref(), Some("0123456789ABCDEF"), "{name}");
        for body in reading.outcomes() {
            assert_eq!(check_body(body, reading.reader.rules()).map(|_| ()), Ok(()), "{name}");
        }
    }
}

#[test]
fn the_sample_of_mistakes_is_read_to_its_end() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/mistakes.csv");
    let reading = read_path(&path, Options::default()).expect("a readable sample");
    let good = reading.outcomes().iter().filter(|outcome| outcome.starts_with('{')).count();
    let bad = reading.outcomes().iter().filter(|outcome| outcome.starts_with("not sent: ")).count();
    assert_eq!(good + bad, reading.rows.len());
    assert!(good >= 3 && bad >= 15, "{good} good, {bad} bad");
}

#[test]
fn a_csv_as_excel_saves_it_goes_through() {
    let content = "\u{feff}Phonenumber;session.Ort;session.n:number;;\r\n\
                   +1 251 555 0130;\"M\u{fc}nchen; \"\"Nord\"\"\";49;;\r\n\
                   ;;;;\r\n\
                   12515550131;\"two\r\nlines\";;;\r\n\
                   12515550132;x;;;";
    let reading = read("csv", content);
    assert_eq!(reading.reader.survey().delimiter, Some(b';'));
    assert_eq!(reading.lines(), [2, 4, 6]);
    assert_eq!(
        reading.outcomes(),
        [
            r#"{"endUser":{"phoneNumber":12515550130},"variables":{"session":{"Ort":"München; \"Nord\"","n":49}}}"#,
            r#"{"endUser":{"phoneNumber":12515550131},"variables":{"session":{"Ort":"two\r\nlines"}}}"#,
            r#"{"endUser":{"phoneNumber":12515550132},"variables":{"session":{"Ort":"x"}}}"#,
        ]
    );
    assert_eq!((reading.rows[0].cleaned, reading.rows[0].is_non_ascii), (1, true));
}

#[test]
fn a_sep_line_is_no_header() {
    let reading = read("csv", "\u{feff}sep=|\r\nphoneNumber|session.a\r\n12515550130|x,y\r\n");
    assert_eq!(reading.lines(), [3]);
    assert_eq!(reading.outcomes(), [r#"{"endUser":{"phoneNumber":12515550130},"variables":{"session":{"a":"x,y"}}}"#]);
}

#[test]
fn quotes_behind_a_backslash_are_read_as_the_vendors_bulk_files_have_them() {
    let content = "phoneNumber,session.a\n\"12515550130\",\"say \\\"hi\\\", C:\\\\x\"\n12515550131,\"two\\\"\nlines\"\n12515550132,\"a\"\n";
    let reading = read("csv", content);
    assert_eq!(reading.reader.survey().escape, Some(b'\\'));
    assert_eq!(reading.lines(), [2, 3, 5]);
    let body = r#"{"endUser":{"phoneNumber":12515550130},"variables":{"session":{"a":"say \"hi\", C:\\x"}}}"#;
    assert_eq!(reading.outcomes()[0], body);
}

#[test]
fn text_behind_a_closing_quote_refuses_the_row_alone() {
    let reading =
        read("csv", "phoneNumber,session.a\n12515550130,\"say \"hi\"\n12515550131,\"C:\\\"\n12515550132,5\" wide\n");
    assert_eq!(reading.reader.survey().escape, None);
    let outcomes = reading.outcomes();
    assert_eq!(outcomes[0], "not sent: text behind a closing quote");
    assert!(outcomes[1].ends_with(r#"{"a":"C:\\"}}}"#), "{}", outcomes[1]);
    assert!(outcomes[2].ends_with(r#"{"a":"5\" wide"}}}"#), "{}", outcomes[2]);
}

#[test]
fn columns_are_mapped_by_hand_and_constants_reach_every_row() {
    let mut options = options();
    options.maps = vec!["Mobile=phoneNumber".parse().expect("a map"), "Seat=session.seat".parse().expect("a map")];
    options.sets = vec!["session.pin=${af:generatePin(6,true)}".parse().expect("a constant")];
    options.ignore = vec!["Note".to_owned()];
    let reading = read_with("csv", b"Note,Mobile,Seat\nx,12515550130,${no}\nx,12515550131,7A\n", options)
        .expect("a readable file");
    assert_eq!(reading.reader.columns(), ["phoneNumber", "session.seat", "session.pin"]);
    let outcomes = reading.outcomes();
    assert!(outcomes[0].starts_with("not sent: Seat: an expression"), "{}", outcomes[0]);
    let body = r#"{"endUser":{"phoneNumber":12515550131},"variables":{"session":{"seat":"7A","pin":"${af:generatePin(6,true)}"}}}"#;
    assert_eq!(outcomes[1], body);
    assert_eq!(check_body(body, reading.reader.rules()).map(|_| ()), Ok(()));
}

#[test]
fn a_row_with_too_few_or_too_many_cells_is_refused_and_the_next_is_read() {
    let content = "phoneNumber,session.a,session.b\n12515550130,x\n12515550131,x,y,z\n12515550132,\"x\n12515550133,x,\"y\n12515550134,x,y\n";
    let reading = read("csv", content);
    assert_eq!(reading.lines(), [2, 3, 4, 6]);
    assert_eq!(reading.outcomes()[0], "not sent: the row has 2 cells, and the header has 3");
    assert_eq!(reading.outcomes()[1], "not sent: the row has 4 cells, and the header has 3");
    assert!(reading.rows[2].problems[0].fix.contains("line 4"), "{:?}", reading.rows[2].problems);
    assert!(reading.outcomes()[3].starts_with('{'));
}

#[test]
fn a_file_that_cannot_be_read_to_its_end_is_refused_with_the_place() {
    for (extension, content, parts) in [
        ("csv", "phoneNumber,session.a\n12515550130,\"x\n12515550131,y\n", vec!["line 2", "never closed"]),
        ("csv", "Mobile,Seat\n1,2\n", vec!["column `Mobile`", "column `Seat`", "no column for the phone number"]),
        ("csv", "12515550130,7A\n12515550131,7B\n", vec!["`1251•••0130`", "a header is expected here"]),
        ("csv", "phoneNumber\n", vec!["no rows"]),
        ("csv", "", vec!["no rows"]),
        ("csv", " \n\n", vec!["no rows"]),
        ("csv", "\u{feff}\r\n", vec!["no rows"]),
        ("csv", "PK\u{3}\u{4} xl/workbook.xml", vec![".xlsx"]),
        ("json", "[]", vec!["no rows"]),
        ("json", "{\"phoneNumber\":1}", vec!["line 1", "found an object; expected an array"]),
        ("json", "[\n{\"phoneNumber\":\"12515550130\"},\n{\"phoneNumber\" 1}\n]", vec!["line 3", "column 16"]),
        ("json", "[{\"phoneNumber\":\"12515550130\"},]", vec!["line 1", "column 32", "expected a value"]),
        ("json", "[{\"phoneNumber\":\"12515550130\"}", vec!["the file ends"]),
        ("json", "[{\"phoneNumber\":\"12515550130\"},\n {\"phone", vec!["line 2", "the file ends"]),
        ("json", "[{\"phoneNumber\":\"12515550130\"}] x", vec!["behind the array"]),
        ("json", "[{\"phoneNumber\":\"12515550130\"}}]", vec!["expected `,` or `]`"]),
        ("ndjson", "{\"phoneNumber\":\"12515550130\"}\n{\"phoneNumber\":\"125", vec!["line 2", "the file ends inside"]),
    ] {
        let told = refused(extension, content);
        assert!(told.contains("hint: "), "{told}");
        for part in parts {
            assert!(told.contains(part), "{content:?}: {part} in {told}");
        }
    }
    let deep = format!("[{}{}]", "[".repeat(20), "]".repeat(20));
    assert!(refused("json", &deep).contains("levels deep"));
}

#[test]
fn an_empty_file_passes_where_that_is_allowed() {
    for (extension, content) in
        [("csv", ""), ("csv", "phoneNumber\n"), ("json", "[ ]"), ("ndjson", "\n\n"), ("json", "")]
    {
        let allowing = Options { allow_empty: true, ..options() };
        let reading = read_with(extension, content.as_bytes(), allowing).expect("an allowed file");
        assert!(reading.rows.is_empty(), "{extension} {content:?}");
    }
}

#[test]
fn a_row_of_another_service_is_refused() {
    let content = "serviceId,phoneNumber\nAAAA,12515550130\nBBBB,12515550131\n,12515550132\nAAAA,12515550133\n";
    let reading = read_with("csv", content.as_bytes(), Options::default()).expect("a readable file");
    assert_eq!(reading.reader.service().map(ToString::to_string).as_deref(), Some("AAAA"));
    let outcomes = reading.outcomes();
    assert!(outcomes[0].starts_with('{') && outcomes[3].starts_with('{'));
    assert_eq!(outcomes[1], "not sent: serviceId: another service than the rows before it");
    assert_eq!(outcomes[2], "not sent: serviceId: no service ID");
    let told = read_with("csv", b"phoneNumber\n12515550130\n", Options::default()).map(|_| ()).expect_err("refused");
    assert!(told.contains("--service ID"), "{told}");
    let told =
        read_with("ndjson", b"{\"phoneNumber\":12515550130}\n", Options::default()).map(|_| ()).expect_err("refused");
    assert!(told.contains("--service ID"), "{told}");
}

#[test]
fn json_rows_are_the_apis_own_bodies_or_flat_objects() {
    let content = format!(
        "[{GUIDE},\n {{\"phoneNumber\":\"+1 251 555 0131\",\"Session.seat\":\"7\\u0041\",\"user.n\":1.50,\"user.b\":true,\"user.e\":\"\"}},\n\
         {{\"timeZone\":\"Europe/Berlin\",\"endUser\":{{\"phoneNumber\":\"12515550132\"}},\"variables\":{{\"SESSION\":{{\"a\":\"\"}}}}}}]"
    );
    let reading = read("json", &content);
    assert_eq!(
        reading.outcomes(),
        [
            GUIDE,
            r#"{"endUser":{"phoneNumber":12515550131},"variables":{"session":{"seat":"7A"},"user":{"n":1.50,"b":"true"}}}"#,
            r#"{"endUser":{"phoneNumber":12515550132},"variables":{"session":{"a":""}}}"#,
        ]
    );
    assert_eq!(reading.lines(), [1, 2, 3]);
    assert_eq!(reading.reader.columns().last().map(String::as_str), Some("session.a"));
    assert_eq!(reading.rows[1].cleaned, 1);
}

#[test]
fn each_fault_of_a_json_row_refuses_that_row_alone() {
    let bad = [
        (r#"{"phoneNumber":12515550130,"nickname":"x"}"#, "nickname: it maps to nothing"),
        (r#"{"phoneNumber":12515550130,"phoneNumber":12515550131}"#, "two equal keys"),
        (r#"{"phoneNumber":12515550130,"PHONENUMBER":12515550131}"#, "set twice"),
        (r#"{"phoneNumber":12515550130,"session.a":"x","Session.A":"y"}"#, "set twice"),
        (r#"{"phoneNumber":12515550130,"session.a":null}"#, "session.a: null, an array"),
        (r#"{"phoneNumber":12515550130,"session.a":{"b":1}}"#, "session.a: null, an array"),
        (r#"{"phoneNumber":null}"#, "phoneNumber: null, an array"),
        (r#"{"phoneNumber":12515550130,"timeZone":null}"#, "timeZone: null, an array"),
        (r#"{"phoneNumber":1.25e10}"#, "scientific"),
        (r#"{"phoneNumber":-12515550130}"#, "no part of a number"),
        (r#"{"phoneNumber":true}"#, "a boolean"),
        (r#"{"phoneNumber":12515550130,"session.a":1e5}"#, "no number"),
        (r#"{"phoneNumber":12515550130,"session.a:number":"x"}"#, "no number"),
        (r#"{"phoneNumber":12515550130,"session.a":"\ud800"}"#, "no well-formed"),
        (r#"{"endUser":{"phoneNumber":12515550130},"variables":{}}"#, "variables: an empty object"),
        (r#"{"endUser":{"phoneNumber":12515550130},"variables":{"user":{}}}"#, "variables.user: an empty object"),
        (r#"{"endUser":{"phoneNumber":12515550130},"variables":null}"#, "variables: no object"),
        (r#"{"endUser":{"phoneNumber":12515550130},"variables":{"user":[]}}"#, "variables.user: no object"),
        (
            r#"{"endUser":{"phoneNumber":12515550130},"variables":{"user":{"a":1},"User":{"b":1}}}"#,
            "variables.User: set twice",
        ),
        (
            r#"{"endUser":{"phoneNumber":12515550130},"variables":{"user":{"a":1,"a":2}}}"#,
            "variables.user.a: two equal keys",
        ),
        (
            r#"{"endUser":{"phoneNumber":12515550130},"variables":{"user":{"a":1,"A":2}}}"#,
            "variables.user.A: set twice",
        ),
        (
            r#"{"endUser":{"phoneNumber":12515550130},"variables":{"sesion":{"a":1}}}"#,
            "variables.sesion: an unknown scope",
        ),
        (r#"{"endUser":{"phoneNumber":12515550130},"variables":{"user":{"id":1}}}"#, "MEP sets itself"),
        (r#"{"endUser":{"phoneNumber":12515550130,"mobileOperatorId":"383"}}"#, "takes an integer"),
        (r#"{"endUser":{"phoneNumber":12515550130,"x":1}}"#, "endUser.x: an unknown property"),
        (r#"{"endUser":{"phoneNumber":12515550130},"session.a":"x"}"#, "session.a: an unknown property"),
        (r#"{"endUser":12515550130}"#, "endUser: no object"),
        (r#"{"variables":{"user":{"a":1}}}"#, "phoneNumber: no phone number"),
        (r#"{"phoneNumber":12515550130,"serviceId":"FFFF"}"#, "another service"),
        (r#"{"phoneNumber":12515550130,"serviceId":["FFFF"]}"#, "null, an array"),
        (r#"["phoneNumber",12515550130]"#, "no object"),
        ("7", "no object"),
    ];
    let texts: Vec<&str> = bad.iter().map(|(text, _)| *text).collect();
    let good = r#"{"phoneNumber":12515550139}"#;
    for reading in [
        read("json", &format!("[{},{good}]", texts.join(","))),
        read("ndjson", &format!("{}\n{good}", texts.join("\n"))),
    ] {
        assert_eq!(reading.rows.len(), bad.len() + 1);
        for (row, (text, reason)) in reading.rows.iter().zip(bad) {
            let RowContent::Refused { message, cells } = &row.row.content else {
                panic!("{text} passed");
            };
            assert!(message.starts_with("not sent: ") && message.contains(reason), "{text}: {message}");
            assert!(row_from_cells(cells, reading.reader.rules()).is_err(), "{text} passes at a retry: {cells:?}");
        }
        assert!(reading.outcomes()[bad.len()].starts_with('{'));
    }
}

#[test]
fn a_broken_line_of_ndjson_refuses_that_row_alone() {
    let content = "\n{\"phoneNumber\":12515550130}\r\n{\"phoneNumber\":\n\n{\"phoneNumber\":12515550131} x\n[[[[[[[[[[[[[[[[[[[[\n{\"phoneNumber\":12515550132}";
    let reading = read("jsonl", content);
    assert_eq!(reading.lines(), [2, 3, 5, 6, 7]);
    let outcomes = reading.outcomes();
    assert!(outcomes[0].starts_with('{') && outcomes[4].starts_with('{'));
    assert!(outcomes[1].starts_with("not sent: broken JSON: EOF"), "{}", outcomes[1]);
    assert!(outcomes[2].contains("trailing characters"), "{}", outcomes[2]);
    assert!(outcomes[3].contains("levels deep"), "{}", outcomes[3]);
}

#[test]
fn the_format_is_told_by_the_extension_or_the_first_byte() {
    for (extension, content, format) in [
        ("txt", " \n[{\"phoneNumber\":12515550130}]", Format::Json),
        ("txt", "\u{feff}{\"phoneNumber\":12515550130}", Format::Ndjson),
        ("txt", "phoneNumber\n12515550130", Format::Csv),
        ("TSV", "phoneNumber\tsession.a\n12515550130\tx,y", Format::Csv),
        ("JSONL", "{\"phoneNumber\":12515550130}", Format::Ndjson),
    ] {
        let reading = read(extension, content);
        assert_eq!((reading.reader.survey().format, reading.rows.len()), (format, 1), "{content:?}");
        assert!(reading.outcomes()[0].starts_with('{'), "{:?}", reading.outcomes());
    }
}

#[test]
fn a_title_above_the_header_and_a_row_of_totals_are_no_rows_and_said() {
    let content = "Guests of June,,\n\nMobile,session.seat,\n12515550130,7A,\n12515550131,7B,\nTotal:,2,\n";
    let options = Options { maps: vec!["Mobile=phoneNumber".parse().expect("a map")], ..options() };
    let reading = read_with("csv", content.as_bytes(), options.clone()).expect("a readable file");
    assert_eq!(reading.rows.iter().map(|row| row.row.line).collect::<Vec<_>>(), [4, 5]);
    let notes: Vec<_> = reading.reader.notes().into_iter().map(|note| (note.line, note.text)).collect();
    assert_eq!(
        notes,
        [
            (Some(1), "`Guests of June` stands above the header and is no row".to_owned()),
            (Some(6), "`Total:` begins a row of totals, which is nobody's".to_owned()),
        ]
    );
    let number_above = format!("12515550132,,\n{content}");
    let told = read_with("csv", number_above.as_bytes(), options).err().expect("a refusal");
    assert!(told.contains("line 1: a phone number above the header at line 4"), "{told}");
}

#[test]
fn a_row_that_only_looks_like_totals_is_judged_as_a_row() {
    for last in ["12515550131,Total", "(0)12515550131,Total", "02515550131,Sum"] {
        let content = format!("phoneNumber,session.kind\nx,Total\n{last}\n");
        let reading = read("csv", &content);
        assert_eq!(reading.rows.len(), 2, "one is not the last, the other has a number, if a bad one");
        assert!(reading.reader.notes().is_empty());
    }
}

#[test]
fn the_sum_of_the_numbers_is_nobodys() {
    let content = "phoneNumber,session.kind\n12515550130,a\n12515550131,b\n25031100261,Total\n";
    let reading = read("csv", content);
    assert_eq!(reading.rows.len(), 2);
    assert_eq!(reading.reader.notes()[0].text, "`Total` begins a row of totals, which is nobody's");
}

#[test]
fn columns_without_a_header_are_named_by_number() {
    let mapped = |maps: &[&str]| Options {
        no_header: true,
        maps: maps.iter().map(|map| map.parse().expect("a map")).collect(),
        ..options()
    };
    let content = "12515550130,7A\n12515550131,7B\n";
    let both = mapped(&["1=phoneNumber", "2=session.seat"]);
    let reading = read_with("csv", content.as_bytes(), both.clone()).expect("a readable file");
    assert_eq!(reading.rows.iter().map(|row| row.row.line).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(reading.reader.columns(), ["phoneNumber", "session.seat"]);
    let told = read_with("csv", content.as_bytes(), mapped(&["1=phoneNumber"])).err().expect("a refusal");
    assert!(told.contains("line 1, column `2`: it maps to nothing"), "{told}");
    let mended = "1,2,_line,_reason,_fix\n12515550132,7C,3,x,y\n";
    let reading = read_with("csv", mended.as_bytes(), both).expect("a readable file");
    assert_eq!(reading.rows.len(), 1, "a mended file has a header all the same");
}

#[test]
fn a_file_that_changes_while_it_is_read_is_refused() {
    let more_rows_than_are_read_for_the_header = format!("phoneNumber\n{}", "12515550130\n".repeat(20));
    for (extension, before, after) in [
        ("csv", more_rows_than_are_read_for_the_header.as_str(), "12515550131\n"),
        ("json", "[{\"phoneNumber\":12515550130}]", " "),
        ("ndjson", "{\"phoneNumber\":12515550130}\n", "{\"phoneNumber\":12515550131}\n"),
    ] {
        let mut file = tempfile::Builder::new().suffix(&format!(".{extension}")).tempfile().expect("a temporary file");
        file.write_all(before.as_bytes()).expect("written");
        let mut rows = Input::open(file.path(), &Reading::default()).expect("a readable file").rows(options());
        file.write_all(after.as_bytes()).expect("written");
        let told = loop {
            match rows.as_mut().expect("a good header").next_row() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("{extension}: the change went unseen"),
                Err(refused) => break refused.to_string(),
            }
        };
        assert!(told.contains("changed while it was read"), "{extension}: {told}");
    }
}

#[test]
fn a_refused_row_passes_from_its_cells_once_the_rules_allow_it() {
    let content = "phoneNumber,timeZone,session.pin,session.n:number\n12515550130,America/New_York,${x},7\n";
    let reading = read("csv", content);
    let RowContent::Refused { cells, .. } = &reading.rows[0].row.content else {
        panic!("the row passed");
    };
    let mut rules = reading.reader.rules().clone();
    rules.expressions.allow_in("session.pin".to_owned());
    let ready = row_from_cells(cells, &rules).expect("a row that passes now");
    assert_eq!(ready.body, r#"{"endUser":{"phoneNumber":12515550130},"variables":{"session":{"pin":"${x}","n":7}}}"#);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_bytes_give_an_answer(content in proptest::collection::vec(any::<u8>(), 0..300), kind in 0..4_usize) {
        let _ = read_with(["csv", "json", "ndjson", "txt"][kind], &content, options());
    }

    #[test]
    fn any_text_near_a_campaign_gives_an_answer(
        content in "(phoneNumber|session\\.a|12515550130|endUser|variables|[\\[\\]{}:,;\"'\\\\ \r\n0e+.-]|\u{e9}){0,40}",
        kind in 0..3_usize,
    ) {
        let lead = ["phoneNumber,session.a\n", "[", ""][kind];
        if let Ok(reading) = read_with(["csv", "json", "ndjson"][kind], format!("{lead}{content}").as_bytes(), options()) {
            for row in &reading.rows {
                match &row.row.content {
                    RowContent::Ready { body, phone, .. } => {
                        prop_assert_eq!(check_body(body, reading.reader.rules()), Ok(*phone));
                        let phone = phone.to_string();
                        prop_assert!(body.contains(&phone));
                    }
                    RowContent::Refused { message, cells } => {
                        prop_assert!(message.starts_with("not sent: "));
                        prop_assert!(row_from_cells(cells, reading.reader.rules()).is_err());
                    }
                }
            }
            let lines = reading.lines();
            prop_assert!(lines.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}
