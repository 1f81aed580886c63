//! The reading thread: the rows of a file are read, judged and counted, and handed on chunk by chunk.

use tokio::sync::mpsc;

use super::judgement::Judgement;
use super::noted::Noted;
use super::rows::{Row, Rows};
use crate::invocation::{ImportedRow, RowContent};
use crate::store::Refused;
use crate::validate::{Problem, reasons};

/// Rows that are handed over and stored at once: small enough that a run beside the import hardly waits for it.
const CHUNK_ROWS: usize = 2_048;
/// Bytes of rows at which a chunk ends early: memory must not grow with the rows' size either.
const CHUNK_BYTES: usize = 1 << 20;

/// What is handed on of some rows.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    /// What is stored of them.
    pub(super) rows: Vec<ImportedRow>,
    /// What is written of the refused ones into a file of their own.
    pub(super) refused: Vec<Refused>,
}

/// What is handed on at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Whether rows are stored.
    pub(super) rows: bool,
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
    let mut chunk = Chunk::default();
    let (mut count, mut bytes) = (0, 0);
    while let Some(row) = file.rows.next_row()? {
        bytes += size_of_content(&row.row.content);
        count += 1;
        file.take_in(row, wanted, &mut chunk)?;
        if count < CHUNK_ROWS && bytes < CHUNK_BYTES {
            continue;
        }
        (count, bytes) = (0, 0);
        let next = Chunk { rows: Vec::with_capacity(chunk.rows.len()), refused: Vec::new() };
        if chunks.blocking_send(std::mem::replace(&mut chunk, next)).is_err() {
            return Ok(file);
        }
    }
    if count > 0 {
        let _ = chunks.blocking_send(chunk); // likewise
    }
    Ok(file)
}

impl FileRead {
    /// Counts a row, and puts what is wanted of it into the chunk.
    fn take_in(&mut self, row: Row, wanted: Wanted, chunk: &mut Chunk) -> anyhow::Result<()> {
        let Row { row, fingerprint, problems, phone, cleaned, completed, is_non_ascii } = row;
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
                chunk.refused.push(refused_for(row.line, phone, &problems));
                phone.map_or(Ok(()), |phone| self.noted.note_refused(phone, row.line))?;
            }
        }
        if wanted.rows {
            chunk.rows.push(row);
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
