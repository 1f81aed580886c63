//! The reading thread: the rows of a file are read, judged and counted, and handed on chunk by chunk.

use tokio::sync::mpsc;

use super::judgement::Judgement;
use super::noted::Noted;
use super::rows::{Row, Rows};
use crate::invocation::{ImportedRow, RowContent};
use crate::store::{Preparation, PreparedRows, Refused};
use crate::validate::{Problem, reasons};

/// Rows that are handed over and stored at once, in a file by one transaction: small enough that a run beside the import hardly
/// waits for it.
const CHUNK_ROWS: usize = 1_024;
/// Bytes of rows at which a chunk ends early: memory must not grow with the rows' size either.
const CHUNK_BYTES: usize = 1 << 20;

/// What is handed on of some rows.
pub(super) struct Chunk {
    /// What is stored of them.
    pub(super) rows: Option<PreparedRows>,
    /// What is written of the refused ones into a file of their own.
    pub(super) refused: Vec<Refused>,
}

/// What is wanted of the rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// How they are prepared, where they are stored.
    pub(super) rows: Option<Preparation>,
    /// Whether refused rows are written into a file.
    pub(super) refused: bool,
}

/// A file that has been read to its end.
#[derive(Debug)]
pub(super) struct FileRead {
    pub(super) rows: Rows,
    pub(super) judgement: Judgement,
    pub(super) noted: Noted,
}

/// Reads the file to its end, chunk by chunk. Ends early where nobody listens any more.
pub(super) fn read(rows: Rows, noted: Noted, wanted: Wanted, chunks: &mpsc::Sender<Chunk>) -> anyhow::Result<FileRead> {
    let mut file = FileRead { rows, judgement: Judgement::default(), noted };
    let mut gathered = Gathered::default();
    while let Some(row) = file.rows.next_row()? {
        file.take_in(row, wanted, &mut gathered)?;
        if gathered.is_full() && chunks.blocking_send(gathered.taken(wanted)).is_err() {
            return Ok(file);
        }
    }
    if gathered.count > 0 {
        let _ = chunks.blocking_send(gathered.taken(wanted)); // likewise
    }
    Ok(file)
}

/// Rows that are handed on together.
#[derive(Debug, Default)]
struct Gathered {
    rows: Vec<ImportedRow>,
    refused: Vec<Refused>,
    count: usize,
    bytes: usize,
}

impl Gathered {
    fn is_full(&self) -> bool {
        self.count >= CHUNK_ROWS || self.bytes >= CHUNK_BYTES
    }

    /// All of them, prepared.
    fn taken(&mut self, wanted: Wanted) -> Chunk {
        let Gathered { rows, refused, .. } = std::mem::take(self);
        Chunk { rows: wanted.rows.map(|preparation| preparation.prepare(rows)), refused }
    }
}

impl FileRead {
    /// Counts a row, and keeps what is wanted of it.
    fn take_in(&mut self, row: Row, wanted: Wanted, gathered: &mut Gathered) -> anyhow::Result<()> {
        let Row { row, fingerprint, problems, phone, cleaned, completed, is_non_ascii } = row;
        gathered.count += 1;
        gathered.bytes += size_of_content(&row.content);
        let judgement = &mut self.judgement;
        judgement.rows += 1;
        judgement.cleaned += u64::from(cleaned);
        judgement.completed += u64::from(completed);
        judgement.non_ascii += u64::from(is_non_ascii);
        if let Some(fingerprint) = fingerprint {
            judgement.ready += 1;
            judgement.numbers.add(fingerprint.phone);
            judgement.unknown_zones.note(&row);
            self.noted.note(fingerprint)?;
        } else {
            judgement.rejected += 1;
            judgement.note(row.line, &problems);
            if wanted.refused {
                gathered.refused.push(refused_for(row.line, phone, &problems));
                phone.map_or(Ok(()), |phone| self.noted.note_refused(phone, row.line))?;
            }
        }
        if wanted.rows.is_some() {
            gathered.rows.push(row);
        }
        Ok(())
    }
}

fn size_of_content(content: &RowContent) -> usize {
    match content {
        RowContent::Ready { body, .. } => body.len(),
        RowContent::Refused { message, cells } => {
            message.len() + cells.iter().map(|cell| cell.column.len() + cell.text.len()).sum::<usize>()
        }
    }
}

fn refused_for(line: u32, phone: Option<u64>, problems: &[Problem]) -> Refused {
    let mut fixes: Vec<&str> = problems.iter().map(|problem| problem.fix.as_str()).collect();
    fixes.dedup();
    Refused { line, reason: reasons(problems), fix: fixes.join("; "), phone, same_number: None }
}
