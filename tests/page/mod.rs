//! A page as a browser takes it apart: tags, their attributes, tables, and the text that is read.

/// A tag with its attributes.
#[derive(Debug)]
pub(crate) struct Tag {
    pub(crate) name: String,
    pub(crate) attributes: Vec<(String, String)>,
}

/// Tags that load something or run something, wherever they lead.
const LOADERS: [&str; 12] =
    ["script", "img", "link", "iframe", "object", "embed", "base", "form", "image", "use", "audio", "video"];

/// Attributes that name something to be loaded.
const REFERENCES: [&str; 8] = ["src", "srcset", "href", "action", "data", "poster", "xlink:href", "background"];

/// A page.
pub(crate) struct Page(String);

impl Page {
    pub(crate) fn new(html: String) -> Page {
        assert!(html.starts_with("<!DOCTYPE html>"), "no page: {:.80}", html);
        Page(html)
    }

    pub(crate) fn html(&self) -> &str {
        &self.0
    }

    /// The tags that begin something; what stands within `<style>` is no tag.
    pub(crate) fn tags(&self) -> Vec<Tag> {
        let mut tags = Vec::new();
        let mut rest = self.0.as_str();
        while let Some(at) = rest.find('<') {
            rest = &rest[at + 1..];
            let tag = &rest[..end_of_tag(rest)];
            rest = &rest[tag.len()..];
            if tag.starts_with(|c: char| c.is_ascii_alphabetic()) {
                tags.push(tag_of(tag));
            }
            if tag == "style" {
                rest = rest.split_once("</style").expect("its end").1;
            }
        }
        tags
    }

    /// What anything of it would load, or run.
    pub(crate) fn references(&self) -> Vec<String> {
        let mut found = Vec::new();
        for tag in self.tags() {
            if LOADERS.contains(&tag.name.as_str()) {
                found.push(format!("<{}>", tag.name));
            }
            for (name, value) in &tag.attributes {
                let leads_out = REFERENCES.contains(&name.as_str()) && !value.starts_with('#');
                if leads_out || name.starts_with("on") || name == "style" || name.starts_with("xmlns") {
                    found.push(format!("<{} {name}=\"{value}\">", tag.name));
                }
            }
        }
        let style = self.0.split("<style>").nth(1).and_then(|rest| rest.split("</style>").next()).unwrap_or_default();
        found.extend(
            ["url(", "@import", "http", "expression("].into_iter().filter(|w| style.contains(w)).map(str::to_owned),
        );
        found
    }

    /// The rows of all tables: the text of each cell.
    pub(crate) fn rows(&self) -> Vec<Vec<String>> {
        let rows = self.0.split("<tr").skip(1).filter_map(|rest| rest.split("</tr>").next());
        let cells = |row: &str| {
            let cell = row.replace("<th", "\u{1}<th").replace("<td", "\u{1}<td");
            cell.split('\u{1}').skip(1).map(|cell| text_of(cell).trim().to_owned()).collect()
        };
        rows.map(cells).collect()
    }

    /// The figure in the row whose first cells are these.
    #[track_caller]
    pub(crate) fn figure(&self, first: &[&str]) -> i64 {
        let rows = self.rows();
        let row =
            rows.iter().find(|row| row.len() > first.len() && row.iter().zip(first).all(|(cell, word)| cell == word));
        let row = row.unwrap_or_else(|| unreachable!("no row begins with {first:?}"));
        row[first.len()].replace(',', "").parse().expect("a figure")
    }

    /// All that is read, a line a block.
    pub(crate) fn text(&self) -> String {
        let body = self.0.split("</head>").nth(1).unwrap_or_default();
        let text = text_of(body);
        text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
    }
}

/// Where a tag ends: `>` outside quotes.
fn end_of_tag(text: &str) -> usize {
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '>' if !quoted => return at,
            _ => {}
        }
    }
    text.len()
}

fn tag_of(text: &str) -> Tag {
    let (name, mut rest) = text.split_once([' ', '/']).unwrap_or((text, ""));
    let mut attributes = Vec::new();
    while let Some((attribute, more)) = rest.split_once("=\"") {
        let (value, after) = more.split_once('"').expect("the value's end");
        attributes.push((attribute.trim().to_lowercase(), value.to_owned()));
        rest = after;
    }
    Tag { name: name.to_lowercase(), attributes }
}

/// The text without tags; a block begins a line.
fn text_of(html: &str) -> String {
    const BLOCKS: [&str; 16] = [
        "p", "h1", "h2", "h3", "li", "tr", "dt", "dd", "caption", "td", "th", "summary", "text", "title", "desc", "pre",
    ];
    let mut text = String::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let end = end_of_tag(rest);
        let name = rest[..end].trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
        if BLOCKS.contains(&name) {
            text.push('\n');
        }
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    text.push_str(rest);
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}
