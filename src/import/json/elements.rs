//! Parts a JSON array, or lines of JSON, into the texts of its elements.

use std::io::{BufRead, BufReader};

use crate::import::limits::{CHUNK_BYTES, JSON_DEPTH_MAX, RECORD_BYTES_MAX};
use crate::import::refused::FileFault;
use crate::import::source::Source;
use crate::import::survey::{Format, Survey};
use crate::import::text::Text;

/// Where an element stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::import) struct Element {
    /// The row's number: its place in the array, or the line of the file.
    pub(in crate::import) row: u32,
    /// The line of the file at which its text begins.
    pub(in crate::import) line: u32,
    /// The byte in that line at which it begins, from 1.
    pub(in crate::import) column: usize,
    /// Whether the file ends with it and no line end tells that it is whole.
    pub(in crate::import) may_be_cut: bool,
}

/// Gives one element after another; only one is in memory.
#[derive(Debug)]
pub(in crate::import) struct Elements {
    reader: BufReader<Source>,
    stage: Stage,
    line: u32,
    column: usize,
    count: u32,
    text: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Lines,
    BeforeArray,
    BeforeFirst,
    BeforeNext,
    AfterArray,
}

impl Elements {
    pub(in crate::import) fn open(text: Text, survey: &Survey) -> Result<Elements, FileFault> {
        let source = Source::open(text, survey)?;
        let stage = if survey.format == Format::Ndjson { Stage::Lines } else { Stage::BeforeArray };
        let reader = BufReader::with_capacity(CHUNK_BYTES, source);
        Ok(Elements { reader, stage, line: survey.first_line, column: 1, count: 0, text: Vec::new() })
    }

    /// The text of the element that was given last.
    pub(in crate::import) fn text(&self) -> &[u8] {
        &self.text
    }

    /// The next element; `None` at the end, where the content has proved the same as surveyed.
    pub(in crate::import) fn next_element(&mut self) -> Result<Option<Element>, FileFault> {
        self.text.clear();
        let next = match self.stage {
            Stage::Lines => self.next_line()?,
            Stage::BeforeArray => {
                self.open_array()?;
                self.next_in_array()?
            }
            Stage::BeforeFirst | Stage::BeforeNext => self.next_in_array()?,
            Stage::AfterArray => None,
        };
        if next.is_none() {
            self.reader.get_ref().verify()?;
        }
        Ok(next)
    }

    fn open_array(&mut self) -> Result<(), FileFault> {
        match self.skip_blanks()? {
            Some(b'[') => {
                self.consume(1)?;
                self.stage = Stage::BeforeFirst;
                Ok(())
            }
            Some(b'{') => {
                Err(self.syntax("found an object; expected an array", "name a file with an object a line `.ndjson`"))
            }
            Some(_) | None => Err(self.syntax("expected an array", "put the rows in `[` and `]`")),
        }
    }

    fn next_in_array(&mut self) -> Result<Option<Element>, FileFault> {
        match self.skip_blanks()? {
            Some(b']') if self.stage == Stage::BeforeFirst => return self.close_array().map(|()| None),
            Some(b']' | b',' | b'}') => {
                return Err(
                    self.syntax("expected a value", "take out the comma before it, or what is not closed right")
                );
            }
            Some(_) => {}
            None => return Err(self.truncated(self.line)),
        }
        self.count += 1;
        let element = Element { row: self.count, line: self.line, column: self.column, may_be_cut: false };
        match self.copy_element(element.line)? {
            b',' => {
                self.consume(1)?;
                self.stage = Stage::BeforeNext;
            }
            b']' => self.close_array()?,
            _ => return Err(self.syntax("expected `,` or `]`", "check the brackets of the element before it")),
        }
        Ok(Some(element))
    }

    /// Copies up to the byte behind the element, which is told and left.
    fn copy_element(&mut self, start_line: u32) -> Result<u8, FileFault> {
        let mut nesting = Nesting::default();
        loop {
            let buffer = self.reader.fill_buf().map_err(|error| FileFault::unreadable(&error))?;
            if buffer.is_empty() {
                return Err(self.truncated(start_line));
            }
            let stop = buffer.iter().position(|byte| nesting.see(*byte) != Step::Inside);
            let length = stop.unwrap_or(buffer.len());
            let stop = stop.map(|at| buffer[at]);
            self.text.extend_from_slice(&buffer[..length]);
            self.consume(length)?;
            if self.text.len() > RECORD_BYTES_MAX {
                return Err(too_long().at_line(start_line));
            }
            match stop {
                Some(_) if nesting.is_too_deep() => {
                    return Err(
                        self.syntax(&too_deep(), "write the row with fewer levels, as the API's own body has them")
                    );
                }
                Some(byte) => return Ok(byte),
                None => {}
            }
        }
    }

    fn close_array(&mut self) -> Result<(), FileFault> {
        self.consume(1)?;
        self.stage = Stage::AfterArray;
        match self.skip_blanks()? {
            None => Ok(()),
            Some(_) => Err(self.syntax("found text behind the array", "put all rows in one array")),
        }
    }

    fn next_line(&mut self) -> Result<Option<Element>, FileFault> {
        loop {
            self.text.clear();
            let line = self.line;
            let mut may_be_cut = true;
            loop {
                let buffer = self.reader.fill_buf().map_err(|error| FileFault::unreadable(&error))?;
                let line_end = buffer.iter().position(|byte| *byte == b'\n');
                let length = line_end.unwrap_or(buffer.len());
                self.text.extend_from_slice(&buffer[..length]);
                may_be_cut = may_be_cut && line_end.is_none();
                self.consume(length + usize::from(line_end.is_some()))?;
                if self.text.len() > RECORD_BYTES_MAX {
                    return Err(too_long().at_line(line));
                }
                if line_end.is_some() || length == 0 {
                    break;
                }
            }
            if !self.text.iter().all(u8::is_ascii_whitespace) {
                return Ok(Some(Element { row: line, line, column: 1, may_be_cut }));
            }
            if may_be_cut {
                return Ok(None);
            }
        }
    }

    /// The next byte that is not blank, which is left.
    fn skip_blanks(&mut self) -> Result<Option<u8>, FileFault> {
        loop {
            let buffer = self.reader.fill_buf().map_err(|error| FileFault::unreadable(&error))?;
            if buffer.is_empty() {
                return Ok(None);
            }
            let found = buffer.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
            let byte = found.map(|at| buffer[at]);
            let length = found.unwrap_or(buffer.len());
            self.consume(length)?;
            if byte.is_some() {
                return Ok(byte);
            }
        }
    }

    /// Goes on by bytes of the buffer, and keeps count of the place.
    fn consume(&mut self, length: usize) -> Result<(), FileFault> {
        let passed = &self.reader.buffer()[..length];
        match passed.iter().rposition(|byte| *byte == b'\n') {
            None => self.column += length,
            Some(last) => {
                let lines = passed.iter().filter(|byte| **byte == b'\n').count();
                self.line = u32::try_from(lines)
                    .ok()
                    .and_then(|lines| self.line.checked_add(lines))
                    .ok_or_else(|| FileFault::new("too many lines: they are counted with 32 bits", "split the file"))?;
                self.column = length - last;
            }
        }
        self.reader.consume(length);
        Ok(())
    }

    fn syntax(&self, reason: &str, fix: &str) -> FileFault {
        FileFault::new(format!("broken JSON at column {}: {reason}", self.column), fix).at_line(self.line)
    }

    fn truncated(&self, start_line: u32) -> FileFault {
        FileFault::new(
            format!("the file ends at line {} inside what begins here", self.line),
            "export it again: it was cut, or a bracket or a quote is not closed",
        )
        .at_line(start_line)
    }
}

/// Whether a JSON text is nested too deeply.
pub(in crate::import) fn is_too_deep(text: &[u8]) -> bool {
    let mut nesting = Nesting::default();
    text.iter().any(|byte| nesting.see(*byte) == Step::Stop && nesting.is_too_deep())
}

pub(in crate::import) fn too_deep() -> String {
    format!("nested more than {JSON_DEPTH_MAX} levels deep")
}

fn too_long() -> FileFault {
    FileFault::new(
        format!("what begins here is longer than {RECORD_BYTES_MAX} bytes"),
        "check that a quote is not missing, and that this is one object a row",
    )
}

/// How deep a byte of JSON stands.
#[derive(Debug, Default)]
struct Nesting {
    depth: usize,
    in_string: bool,
    escaped: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// The byte is part of the element.
    Inside,
    /// The byte parts elements, or is one level too deep.
    Stop,
}

impl Nesting {
    fn see(&mut self, byte: u8) -> Step {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return Step::Inside;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' if self.depth > 0 => self.depth -= 1,
            b'}' | b']' => return Step::Stop,
            b',' if self.depth == 0 => return Step::Stop,
            _ => {}
        }
        if self.is_too_deep() { Step::Stop } else { Step::Inside }
    }

    fn is_too_deep(&self) -> bool {
        self.depth > JSON_DEPTH_MAX
    }
}
