//! What the bytes of a file mean: packing, encoding, delimiter.

mod audit;
mod cluster;
mod scenario;

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use flate2::Compression;
use flate2::write::GzEncoder;
use mep_batch::import::{Input, Options, Reading, Rows, Survey};
use mep_batch::invocation::RowContent;
use proptest::prelude::*;
use scenario::{Running, SERVICE, Scenario};
use tempfile::NamedTempFile;

const TABLE: &str = "phoneNumber,session.name\n12515550130,Zoë\n12515550131,Müller\n12515550132,Ann\n";

fn file(name: &str, content: &[u8]) -> NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(name).tempfile().expect("a temporary file");
    file.write_all(content).expect("written");
    file
}

fn open(path: &Path, reading: &Reading) -> Result<Rows, String> {
    let options = Options { service: SERVICE.parse().ok(), allow_empty: true, ..Options::default() };
    Input::open(path, reading).and_then(|input| input.rows(options)).map_err(|refused| refused.to_string())
}

/// The bodies or refusals of the rows, with what was found out about the file.
fn read_with(name: &str, content: &[u8], reading: &Reading) -> Result<(Vec<String>, Survey), String> {
    let file = file(name, content);
    let mut rows = open(file.path(), reading)?;
    let mut texts = Vec::new();
    while let Some(row) = rows.next_row().map_err(|refused| refused.to_string())? {
        texts.push(match row.row.content {
            RowContent::Ready { body, .. } => body,
            RowContent::Refused { message, .. } => message,
        });
    }
    Ok((texts, rows.survey().clone()))
}

fn read(name: &str, content: &[u8]) -> (Vec<String>, Survey) {
    read_with(name, content, &Reading::default()).expect("a readable file")
}

fn refused(name: &str, content: &[u8]) -> String {
    read_with(name, content, &Reading::default()).map(|_| ()).expect_err("a refused file")
}

fn encoding(label: &str) -> Reading {
    Reading { encoding: Some(label.parse().expect("an encoding")), ..Reading::default() }
}

fn delimiter(text: &str) -> Reading {
    Reading { delimiter: Some(text.parse().expect("a delimiter")), ..Reading::default() }
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut writer = GzEncoder::new(Vec::new(), Compression::fast());
    writer.write_all(content).expect("written");
    writer.finish().expect("packed")
}

/// The text in an encoding; `encoding_rs` itself writes no UTF-16.
fn encoded(text: &str, encoding: &'static Encoding, has_mark: bool) -> Vec<u8> {
    let text = if has_mark { format!("\u{feff}{text}") } else { text.to_owned() };
    if encoding == UTF_16LE {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    } else if encoding == UTF_16BE {
        text.encode_utf16().flat_map(u16::to_be_bytes).collect()
    } else {
        encoding.encode(&text).0.into_owned()
    }
}

#[test]
fn a_file_is_the_same_content_however_it_was_saved() {
    let (rows, plain) = read(".csv", TABLE.as_bytes());
    assert_eq!((rows.len(), plain.encoding.as_str(), plain.notes.len()), (3, "UTF-8", 0));
    assert_eq!(plain.file_sha256, plain.sha256);
    for (name, content, encoding) in [
        (".csv.gz", gzip(TABLE.as_bytes()), "UTF-8"),
        (".bin", gzip(TABLE.as_bytes()), "UTF-8"),
        (".csv", encoded(TABLE, UTF_16LE, true), "UTF-16LE"),
        (".csv", encoded(TABLE, UTF_16BE, false), "UTF-16BE"),
        (".csv", encoded(TABLE, WINDOWS_1252, false), "windows-1252"),
        (".csv.gz", gzip(&encoded(TABLE, UTF_16LE, false)), "UTF-16LE"),
    ] {
        let (again, survey) = read(name, &content);
        assert_eq!((&again, &survey.sha256, survey.encoding.as_str()), (&rows, &plain.sha256, encoding), "{name}");
        assert_ne!(survey.file_sha256, survey.sha256);
    }
}

#[test]
fn what_is_no_utf_8_is_said_with_words_that_show_it() {
    let (_, survey) = read(".csv", &encoded(TABLE, WINDOWS_1252, false));
    assert_eq!(survey.notes[0].text, "read as windows-1252: `Zoë`, `Müller`");
    assert_eq!(survey.notes[0].fix, "`--encoding NAME` where these words are wrong");
    let (_, survey) = read(".csv", &encoded(TABLE, UTF_16LE, true));
    assert_eq!(
        (survey.notes[0].text.as_str(), survey.notes[0].fix.as_str()),
        ("read as UTF-16LE: `Zoë`, `Müller`", "")
    );
    let (_, survey) = read(".csv", &encoded("phoneNumber\n12515550130\n", UTF_16LE, false));
    assert_eq!(survey.notes[0].text, "read as UTF-16LE");
}

#[test]
fn the_operators_word_beats_a_guess_and_a_mark_beats_the_operators() {
    let content = "phoneNumber,session.a\n12515550130,5 €\n";
    let latin_9 = encoded(content, Encoding::for_label(b"iso-8859-15").expect("an encoding"), false);
    let (rows, survey) = read_with(".csv", &latin_9, &encoding("iso8859-15")).expect("a readable file");
    assert!(rows[0].contains("5 €") && survey.notes[0].text == "read as ISO-8859-15: `€`", "{rows:?}");
    let (rows, _) = read_with(".csv", content.as_bytes(), &encoding("windows-1252")).expect("a readable file");
    assert!(rows[0].contains("â‚¬"), "{rows:?}");
    let (rows, survey) = read_with(".csv", &encoded(content, UTF_16BE, true), &encoding("utf-8")).expect("readable");
    assert!(rows[0].contains("5 €"), "{rows:?}");
    let told = "the file has the byte order mark of UTF-16BE, which beats `--encoding UTF-8`";
    assert_eq!(survey.notes[0].text, told);
}

#[test]
fn what_has_no_meaning_in_its_encoding_is_refused_with_the_place() {
    for (content, reading, parts) in [
        (&b"phoneNumber,session.a\n1,M\xfcnchen\n"[..], encoding("utf-8"), ["line 2", "no UTF-8, at offset 25 "]),
        (b"\xef\xbb\xbfphoneNumber\n\xff\n", Reading::default(), ["line 2", "no UTF-8, at offset 15 "]),
        (b"\xff\xfea\0\n\0\n", Reading::default(), ["line 2", "no UTF-16LE, at offset 6 "]),
        (b"phoneNumber\n\x81", encoding("shift_jis"), ["line 2", "no Shift_JIS, at offset 12 "]),
        (b"a\nZo\xc3\xab\nM\xfcller\n", Reading::default(), ["line 2 has characters in UTF-8", "line 3 has some"]),
        (b"\xff\xfe\0\0a\0\0\0", Reading::default(), ["found UTF-32", "UTF-8"]),
        (b"\x7f\0\0\x80\xff\xfe\0\0\x01\x02\0\0", Reading::default(), ["bytes of zero", "hint: "]),
    ] {
        let told = read_with(".csv", content, &reading).map(|_| ()).expect_err("a refused file");
        assert!(parts.iter().all(|part| told.contains(part)), "{content:?}: {told}");
    }
    let mixed = b"phoneNumber,session.a\n12515550130,Zo\xc3\xab\n12515550131,M\xfcller\n";
    assert_eq!(read_with(".csv", mixed, &encoding("windows-1252")).expect("forced").0.len(), 2);
}

#[test]
fn what_is_no_campaign_is_named() {
    for (content, found) in [
        (gzip(&gzip(b"phoneNumber\n")), "a gzip within a gzip"),
        (gzip(b"PK\x03\x04....[Content_Types].xml"), "a workbook or a zip archive within a gzip"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0".to_vec(), "an old workbook (.xls)"),
        (b"<html><table>".to_vec(), "found HTML"),
        (encoded("<html>\r\n<table>", UTF_16LE, true), "found HTML"),
        (b"\x1f\x8b\x08".to_vec(), "cut off"),
    ] {
        let told = refused(".csv", &content);
        assert!(told.contains(found) && told.contains("hint: "), "{told}");
    }
    let mut damaged = gzip(TABLE.as_bytes());
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0x55;
    let told = refused(".csv.gz", &damaged);
    assert!(told.contains("gzip is damaged") || told.contains("gzip is cut off"), "{told}");
}

#[test]
fn all_rows_decide_between_delimiters_that_the_header_has_both_of() {
    let content = "phoneNumber,session.a,session.b\n12515550130,\"x;y\",z\n12515550131,x,\"y;z\"\n";
    assert_eq!(read(".csv", content.as_bytes()).1.delimiter, Some(b','));
    // The names are all unknown, so each delimiter makes equal sense of them.
    let told = refused(".csv", b"Mobile;Name, first, last;Seat\n1;Ann, B;2\n1;Zo, C, D;2\n");
    assert!(told.contains("column `Name, first, last`"), "{told}");
    let told = refused(".csv", b"Mobile,Name; first; last,Seat\n1,\"a \\\"q\\\"; b\",2\n1,x,y\n");
    assert!(told.contains("column `Name; first; last`"), "{told}");
}

#[test]
fn the_operators_delimiter_beats_the_header_and_a_sep_line() {
    let content = b"phoneNumber^session.a\n12515550130^x,y\n";
    let (rows, survey) = read_with(".csv", content, &delimiter("^")).expect("a readable file");
    assert!(rows[0].contains("x,y") && survey.delimiter == Some(b'^'), "{rows:?}");
    let content = b"sep=;\nphoneNumber,session.a\n12515550130,x;y\n";
    let (rows, survey) = read_with(".csv", content, &delimiter(",")).expect("a readable file");
    assert!(rows[0].contains("x;y") && survey.notes[0].text.contains("`--delimiter` `,` was taken"), "{rows:?}");
    let told = read_with(".txt", b"[x]|phoneNumber\n", &delimiter("|")).map(|_| ()).expect_err("an unknown column");
    assert!(told.contains("column `[x]`"), "{told}");
}

#[test]
fn strange_shapes_have_an_answer() {
    let wide = (0..10_000).map(|n| format!("session.c{n}")).collect::<Vec<_>>().join(",");
    for (content, part) in
        [(format!("phoneNumber,{wide}\n").into_bytes(), "columns"), (vec![b'x'; 2 << 20], "longer than")]
    {
        let told = refused(".csv", &content);
        assert!(told.contains(part) && told.contains("hint: "), "{told}");
    }
    for empty in [&b""[..], b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", &gzip(b"")] {
        assert!(read(".csv", empty).0.is_empty(), "{empty:?}");
    }
    let (rows, _) = read(".csv", b"phoneNumber,session.a\r12515550130,x\r12515550131,\"y\rz\"\r");
    assert_eq!(rows.len(), 2);
    let (rows, survey) = read(".csv", b"phoneNumber,session.a\n12515550130,a\0b\n12515550131,c\n");
    assert_eq!((survey.encoding.as_str(), rows.len()), ("UTF-8", 2));
}

#[test]
fn a_file_that_changes_while_its_copy_is_read_is_refused() {
    let latin = encoded(TABLE, WINDOWS_1252, false);
    for (name, content) in [(".csv", latin.clone()), (".csv.gz", gzip(TABLE.as_bytes())), (".gz", gzip(&latin))] {
        let mut file = file(name, &content);
        let mut rows = open(file.path(), &Reading::default()).expect("a readable file");
        assert!(rows.next_row().is_ok_and(|row| row.is_some()));
        std::thread::scope(|threads| {
            threads.spawn(|| file.write_all(b"\n").expect("written"));
        });
        let told = loop {
            match rows.next_row() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("{name}: the change went unseen"),
                Err(refused) => break refused.to_string(),
            }
        };
        assert!(told.contains("changed while it was read"), "{name}: {told}");
    }
}

#[test]
fn standard_input_is_kept_where_nobody_else_can_read_it_and_is_gone_after_a_kill() {
    let s = Scenario::new();
    let spools = s.path("spools");
    std::fs::create_dir(&spools).expect("a folder");
    let mut command = s.command("check -");
    command.env("TMPDIR", &spools).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    // More than a pipe holds: once it is written, most of it has been read, and stored.
    stdin.write_all(&[b'1'; 1 << 20]).expect("it reads");
    let spool = std::fs::read_dir(format!("/proc/{}/fd", child.id()))
        .expect("a living process")
        .map(|entry| entry.expect("an entry").path())
        .find(|path| std::fs::read_link(path).is_ok_and(|target| target.starts_with(&spools)))
        .expect("an open file in the folder");
    let metadata = std::fs::metadata(spool).expect("metadata");
    assert_eq!((metadata.mode() & 0o777, metadata.nlink()), (0o600, 0));
    assert!(metadata.len() > 0);
    child.kill().expect("it lives");
    child.wait().expect("it ends");
    assert_eq!(std::fs::read_dir(spools).expect("the folder").count(), 0);
}

#[test]
fn where_a_temporary_file_cannot_be_written_its_folder_is_named() {
    let s = Scenario::new();
    s.write("campaign.csv.gz", gzip(TABLE.repeat(500).as_bytes()));
    let program = s.command("check campaign.csv.gz");
    let mut command = Command::new("sh");
    command.arg("-c").arg("trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\"").arg(program.get_program());
    command.args(program.get_args()).current_dir(s.folder()).env("HOME", s.folder()).env("TMPDIR", s.folder());
    let folder = format!("a temporary file in `{}` cannot be written", s.folder().display());
    Running::start(&mut command, b"").finish().exits(7).says(&folder).says("TMPDIR=");
    let mut command = s.command("check campaign.csv.gz");
    let done = Running::start(command.env("TMPDIR", "/nowhere/at/all"), b"").finish();
    done.exits(7).says("a temporary file in `/nowhere/at/all` cannot be written").says("TMPDIR=");
}

#[test]
fn a_packed_file_is_the_batch_that_it_is_unpacked() {
    let s = Scenario::new();
    let latin = encoded(&TABLE.replace(',', ";"), WINDOWS_1252, false);
    s.write("june.csv.gz", gzip(&latin)).write("other.txt", &latin);
    let line = format!("import june.csv.gz --endpoint simulator --service {SERVICE}");
    let done = s.mep(&line).exits(0);
    let said = done.output();
    assert!(said.contains("june.csv.gz: csv, windows-1252, cells parted by `;`"), "{said}");
    assert!(said.contains("note: read as windows-1252: `Zoë`, `Müller`\nhint: "), "{said}");
    let stored = s.query("SELECT name || ' ' || source_sha256 FROM batch");
    let (_, survey) = read(".csv", TABLE.replace(',', ";").as_bytes());
    assert_eq!(stored, [format!("june {}", survey.sha256)]);
    let (_, packed) = read(".csv.gz", &gzip(&latin));
    let detail = s.query("SELECT json_extract(detail, '$.fileSha256') FROM action");
    assert_eq!(detail, [packed.file_sha256]);
    let line = format!("import other.txt --endpoint simulator --service {SERVICE}");
    s.mep(&line).exits(7).says("it is batch `june` already");
    let json = s.mep(&format!("check other.txt --json --service {SERVICE}")).exits(0).json();
    assert_eq!((json["encoding"].as_str(), json["delimiter"].as_str()), (Some("windows-1252"), Some(";")));
}

#[test]
fn an_unknown_encoding_or_delimiter_is_a_matter_of_usage() {
    let s = Scenario::new();
    s.write("a.csv", TABLE);
    s.mep("check a.csv --encoding win-1252").exits(2).says("did you mean `windows-1252`?");
    s.mep("check a.csv --delimiter xx").exits(2).says("expected `,`, `;`, `|`, `tab`");
    s.mep("check a.csv --delimiter tab").exits(7).says("phoneNumber,session.name");
}

/// A table of words, and how it is written down.
#[derive(Debug, Clone)]
struct Written {
    words: Vec<String>,
    encoding: &'static Encoding,
    has_mark: bool,
    delimiter: char,
    line_end: &'static str,
    has_last_line_end: bool,
    is_packed: bool,
}

impl Written {
    fn content(&self) -> Vec<u8> {
        let Written { delimiter, line_end, .. } = self;
        let header = ["phoneNumber", "session.a", "session.b"].join(&delimiter.to_string());
        let rows = self
            .words
            .iter()
            .enumerate()
            .map(|(n, word)| format!("{line_end}1251555{n:04}{delimiter}\"{word}{delimiter} x\"{delimiter}{word}"));
        let mut text = header + &rows.collect::<String>();
        if self.has_last_line_end {
            text.push_str(line_end);
        }
        let bytes = encoded(&text, self.encoding, self.has_mark);
        if self.is_packed { gzip(&bytes) } else { bytes }
    }

    fn bodies(&self) -> Vec<String> {
        let Written { words, delimiter, .. } = self;
        let escaped = if *delimiter == '\t' { "\\t".to_owned() } else { delimiter.to_string() };
        let body = |(n, word): (usize, &String)| {
            format!(
                r#"{{"endUser":{{"phoneNumber":1251555{n:04}}},"variables":{{"session":{{"a":"{word}{escaped} x","b":"{word}"}}}}}}"#
            )
        };
        words.iter().enumerate().map(body).collect()
    }
}

fn written() -> impl Strategy<Value = Written> {
    let encodings = prop_oneof![
        Just((UTF_8, false)),
        Just((UTF_8, true)),
        Just((UTF_16LE, false)),
        Just((UTF_16LE, true)),
        Just((UTF_16BE, false)),
        Just((UTF_16BE, true)),
        Just((WINDOWS_1252, false)),
    ];
    let words = prop::sample::select(vec!["Zoë", "Müller", "François", "Jürgen", "Größe", "Ann", "señor", "Ångström"]);
    let words = prop::collection::vec(words.prop_map(str::to_owned), 1..30);
    let delimiters = prop::sample::select(vec![',', ';', '\t', '|']);
    let line_ends = prop::sample::select(vec!["\n", "\r\n"]);
    (encodings, words, delimiters, line_ends, any::<bool>(), any::<bool>()).prop_map(
        |((encoding, has_mark), mut words, delimiter, line_end, has_last_line_end, is_packed)| {
            // A guess needs something to go by.
            words.extend(["Zoë", "Müller", "Größe", "señor"].map(str::to_owned));
            Written { words, encoding, has_mark, delimiter, line_end, has_last_line_end, is_packed }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_table_comes_back_however_it_was_written(written in written()) {
        let (bodies, survey) = read(".csv", &written.content());
        prop_assert_eq!(bodies, written.bodies());
        prop_assert_eq!(survey.encoding.as_str(), written.encoding.name());
        prop_assert_eq!(survey.delimiter.map(char::from), Some(written.delimiter));
    }

    #[test]
    fn any_bytes_give_an_answer_packed_and_in_any_encoding(
        content in prop::collection::vec(any::<u8>(), 0..300),
        label in prop::sample::select(vec!["utf-8", "utf-16le", "windows-1252", "shift_jis", "gb18030", "iso-2022-jp", "big5"]),
        character in prop::sample::select(vec![",", "\\", "\0", " ", "'"]),
        is_gzip in any::<bool>(),
        is_forced in any::<bool>(),
    ) {
        let forced = Reading { encoding: label.parse().ok(), ..delimiter(character) };
        let reading = if is_forced { forced } else { Reading::default() };
        let content = if is_gzip { gzip(&content) } else { content };
        let _ = read_with(".csv", &content, &reading);
    }

    #[test]
    fn any_gzip_that_is_damaged_is_refused_or_read(at in 0..100_usize, bit in 0..8) {
        let mut content = gzip(TABLE.as_bytes());
        let at = at % content.len();
        content[at] ^= 1_u8 << bit;
        if let Ok((rows, _)) = read_with(".csv", &content, &Reading::default()) {
            prop_assert_eq!(rows.len(), 3);
        }
    }
}
