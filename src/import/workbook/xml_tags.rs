//! The tags of an XML text, one after another, in bounded memory.
//!
//! Not a parser: it is run over a part of a workbook before the parser is, which holds each piece of the text in memory
//! whole, and so it must be known before that no piece is too long.

use std::io::{self, BufRead, BufReader, Read};

use crate::import::limits::XML_PIECE_BYTES_MAX;

/// Reads the tags of a text.
#[derive(Debug)]
pub(in crate::import) struct Tags<R> {
    reader: BufReader<R>,
    bytes: u64,
    piece: Vec<u8>,
}

/// What stands between `<` and `>`.
#[derive(Debug, Clone, Copy)]
pub(in crate::import) struct Tag<'a>(&'a [u8]);

impl<R: Read> Tags<R> {
    pub(in crate::import) fn new(reader: R) -> Self {
        Tags { reader: BufReader::new(reader), bytes: 0, piece: Vec::new() }
    }

    /// Bytes that were read so far.
    pub(in crate::import) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The next tag; comments and the like are passed over.
    ///
    /// # Errors
    ///
    /// It cannot be read, or a piece of it is too long.
    pub(in crate::import) fn next_tag(&mut self) -> io::Result<Option<Tag<'_>>> {
        loop {
            self.piece.clear();
            self.read_until(b'<')?;
            self.piece.clear();
            let mut quote = None;
            let mut seen = 0;
            loop {
                let is_at_end = self.read_until(b'>')? == 0;
                if is_at_end || self.piece.last() != Some(&b'>') {
                    return Ok(None);
                }
                if is_whole(&self.piece, seen, &mut quote) {
                    break;
                }
                seen = self.piece.len();
            }
            if !self.piece.starts_with(b"!--") && !self.piece.starts_with(b"![CDATA[") {
                self.piece.pop();
                return Ok(Some(Tag(&self.piece)));
            }
        }
    }

    /// Reads up to the byte, or to the end; how many bytes.
    fn read_until(&mut self, end: u8) -> io::Result<usize> {
        let room = (XML_PIECE_BYTES_MAX - self.piece.len()) as u64;
        let count = self.reader.by_ref().take(room).read_until(end, &mut self.piece)?;
        self.bytes += count as u64;
        if self.piece.len() == XML_PIECE_BYTES_MAX {
            return Err(io::Error::other(format!("a piece of its XML is longer than {XML_PIECE_BYTES_MAX} bytes")));
        }
        Ok(count)
    }
}

/// Whether the `>` at the end of the piece ends it; `seen` bytes of it were looked at before.
fn is_whole(piece: &[u8], seen: usize, quote: &mut Option<u8>) -> bool {
    if piece.starts_with(b"!--") {
        return piece.len() > "!---->".len() - 1 && piece.ends_with(b"-->");
    }
    if piece.starts_with(b"![CDATA[") {
        return piece.ends_with(b"]]>");
    }
    for byte in &piece[seen..] {
        match (*quote, byte) {
            (None, b'"' | b'\'') => *quote = Some(*byte),
            (Some(open), byte) if open == *byte => *quote = None,
            (None | Some(_), _) => {}
        }
    }
    quote.is_none()
}

impl<'a> Tag<'a> {
    /// Its name without the namespace's prefix.
    pub(in crate::import) fn local_name(self) -> &'a [u8] {
        let text = self.0.strip_prefix(b"/").unwrap_or(self.0);
        let end = text.iter().position(|byte| byte.is_ascii_whitespace() || *byte == b'/').unwrap_or(text.len());
        let name = &text[..end];
        name.iter().position(|byte| *byte == b':').map_or(name, |colon| &name[colon + 1..])
    }

    /// Whether it closes an element, as in `</row>`.
    pub(in crate::import) fn is_closing(self) -> bool {
        self.0.starts_with(b"/")
    }

    /// Whether something may stand in the element, as in `<row>` and not in `<row/>`.
    pub(in crate::import) fn is_opening(self) -> bool {
        !self.0.starts_with(b"/") && !self.0.ends_with(b"/")
    }

    /// The raw text of an attribute, whatever its namespace's prefix.
    pub(in crate::import) fn attribute(self, name: &str) -> Option<&'a str> {
        let mut rest = std::str::from_utf8(self.0).ok()?;
        loop {
            let (before, behind) = rest.split_once('=')?;
            let quote = behind.trim_start().chars().next().filter(|c| matches!(c, '"' | '\''))?;
            let (value, after) = behind.trim_start()[1..].split_once(quote)?;
            let key = before.trim_end().rsplit([' ', '\t', '\r', '\n', ':']).next();
            if key == Some(name) {
                return Some(value);
            }
            rest = after;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        let mut tags = Tags::new(text.as_bytes());
        let mut names = Vec::new();
        while let Some(tag) = tags.next_tag().expect("readable") {
            let name = String::from_utf8_lossy(tag.local_name());
            names.push(if tag.is_closing() { format!("/{name}") } else { name.into_owned() });
        }
        assert_eq!(tags.bytes(), text.len() as u64);
        names
    }

    #[test]
    fn tags_are_told_apart_from_what_only_looks_like_one() {
        let text = "<?xml?><a><x:b c='>' d=\"</e>\"/>text<!-- <no> --><![CDATA[<no>]]></x:b></a> <!----> ";
        assert_eq!(names(text), ["?xml?", "a", "b", "/b", "/a"]);
        for endless in ["a < b", "<!-- x >", "<a b='>", "<![CDATA[>"] {
            assert_eq!(names(endless), Vec::<String>::new());
        }
        assert_eq!(names(""), Vec::<String>::new());
    }

    #[test]
    fn an_attribute_is_found_behind_others_and_behind_a_prefix() {
        let tag = Tag(b"sheet name=\"a b='x'\" r:id = 'rId1' state=\"hidden\"/");
        assert_eq!(tag.attribute("name"), Some("a b='x'"));
        assert_eq!(tag.attribute("id"), Some("rId1"));
        assert_eq!(tag.attribute("state"), Some("hidden"));
        assert_eq!(tag.attribute("b"), None);
        assert!(!tag.is_opening() && !tag.is_closing() && Tag(b"row").is_opening() && Tag(b"/row").is_closing());
    }

    #[test]
    fn a_piece_without_end_is_refused() {
        for text in ["x".repeat(XML_PIECE_BYTES_MAX), format!("<a b='{}", ">".repeat(XML_PIECE_BYTES_MAX))] {
            assert!(Tags::new(text.as_bytes()).next_tag().is_err());
        }
    }
}
