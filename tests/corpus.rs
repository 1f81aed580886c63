//! Hostile files, each with what must come of it written beside it; and what no file may do, whatever its bytes are.

mod expectation;
mod reader;
mod rounds;

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use fastrand::Rng;
use mep_batch::invocation::RowContent;
use mep_batch::validate::check_body;

use reader::Flags;

/// The corpus grows; it never shrinks unseen.
const FILES_MIN: usize = 400;

#[test]
fn every_hostile_file_gets_the_answer_that_is_written_beside_it() {
    let cases = expectation::cases();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut wrong = String::new();
    for case in &cases {
        for mismatch in runtime.block_on(case.mismatches()) {
            let _ = writeln!(wrong, "{}: {mismatch}", case.file.display()); // writing to a string cannot fail
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    assert!(cases.len() >= FILES_MIN, "{} files", cases.len());
}

/// Each file is damaged so often, each time otherwise.
const QUICK: u64 = 2;

#[test]
fn any_bytes_at_all_get_an_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let cases = expectation::cases();
    rounds::rounds("hostile", QUICK, |rng, figures| {
        for case in &cases {
            let mut bytes = std::fs::read(&case.file).expect("the file can be read");
            damage(&mut bytes, rng);
            let damaged = folder.path().join(case.file.file_name().expect("a name"));
            std::fs::write(&damaged, &bytes).expect("written");
            let flags = Flags::parse(&case.expected.flags);
            let answer = catch_unwind(AssertUnwindSafe(|| read_through(&flags, &damaged)));
            let file = case.file.display();
            match answer {
                Ok(Ok(rows)) => {
                    figures.count("damaged files", 1);
                    figures.count("refused as a whole", usize::from(rows.is_none()));
                    figures.count("rows read all the same", rows.unwrap_or_default());
                }
                Ok(Err(fault)) => unreachable!("{file}, damaged: {fault}"),
                Err(_) => unreachable!("{file}, damaged: a panic"),
            }
        }
    });
}

/// Reads a file, which may be refused, to its end; its rows come in the order of their lines, and what would be sent
/// passes the check before sending. How many they are, where the file is not refused.
fn read_through(flags: &Flags, file: &Path) -> Result<Option<usize>, String> {
    let Ok(mut rows) = flags.rows(file) else { return Ok(None) };
    let (mut last, mut count) = (0, 0);
    loop {
        let row = match rows.next_row() {
            Ok(Some(row)) => row,
            Ok(None) => return Ok(Some(count)),
            Err(_) => return Ok(None),
        };
        count += 1;
        if row.row.line <= last {
            return Err(format!("line {} behind line {last}", row.row.line));
        }
        last = row.row.line;
        match row.row.content {
            RowContent::Ready { body, phone, .. } => match check_body(&body, rows.rules()) {
                Ok(number) if number == phone => {}
                Ok(_) => return Err(format!("another number in the body {body}")),
                Err(fault) => return Err(format!("{fault}: {body}")),
            },
            RowContent::Refused { message, .. } if message.is_empty() => return Err("no reason".to_owned()),
            RowContent::Refused { .. } => {}
        }
    }
}

/// Bytes that mean something to one format or another.
const TELLING: &[u8] = b"\"\\,;\t|\r\n\0{}[]:'=+-.0e$#<\xef\xbb\xbf\xff\xfe\x1f\x8bPK\xd8\x80\xc0";

/// Changes a few places, as bad disks, bad lines and bad programs do.
fn damage(bytes: &mut Vec<u8>, rng: &mut Rng) {
    for _ in 0..rng.usize(1..4) {
        let at = rng.usize(0..=bytes.len());
        let end = rng.usize(at..=bytes.len().min(at + 64));
        let telling = TELLING[rng.usize(0..TELLING.len())];
        match rng.u8(0..5) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => bytes.insert(at, telling),
            3 => bytes[at..end].fill(telling),
            _ => {
                let copied = bytes[at..end].to_vec();
                bytes.splice(at..at, copied);
            }
        }
    }
}
