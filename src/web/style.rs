//! Holds the style's colours against the paper that they stand on: what is read and what is seen by everybody.

use std::collections::BTreeMap;

use super::layout::STYLE;

/// Colours of text; WCAG AA asks for 4.5 to 1.
const TEXT: [&str; 5] = ["ink", "muted", "link", "alarm", "focus"];

/// Colours of marks, areas and lines that say something; WCAG AA asks for 3 to 1.
const GRAPHICS: [&str; 11] = [
    "accepted",
    "rejected",
    "failed",
    "unknown",
    "again",
    "unreached",
    "pending",
    "sending",
    "skipped",
    "cancelled",
    "edge",
];

/// The custom properties of each theme: light, dark, print. What a later `:root` block leaves out stays as the first one has it.
fn themes() -> Vec<BTreeMap<String, String>> {
    let blocks = STYLE.split(":root {").skip(1).map(|rest| rest.split('}').next().unwrap_or_default());
    let pair = |line: &str| {
        let (name, value) = line.trim().trim_end_matches(';').split_once(": ")?;
        Some((name.strip_prefix("--")?.to_owned(), value.to_owned()))
    };
    let mut themes: Vec<BTreeMap<String, String>> = Vec::new();
    for block in blocks {
        let mut theme = themes.first().cloned().unwrap_or_default();
        theme.extend(block.lines().filter_map(pair));
        themes.push(theme);
    }
    themes
}

/// A colour's relative luminance, as WCAG defines it.
fn luminance(colour: &str) -> f64 {
    let channel = |at: usize| {
        let value = u8::from_str_radix(&colour[at..at + 2], 16).expect("two digits of base 16");
        let part = f64::from(value) / 255.0;
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

fn contrast(one: &str, other: &str) -> f64 {
    let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
    one.max(other) / one.min(other)
}

#[test]
fn each_colour_stands_out_from_its_paper_in_every_theme() {
    let themes = themes();
    assert_eq!(themes.len(), 3, "light, dark and print");
    for theme in &themes {
        let of = |name: &str| theme.get(name).unwrap_or_else(|| unreachable!("`--{name}` is in no theme"));
        for (names, least) in [(&TEXT[..], 4.5), (&GRAPHICS[..], 3.0)] {
            for (name, paper) in names.iter().flat_map(|name| [(name, "paper"), (name, "sheet")]) {
                let ratio = contrast(of(name), of(paper));
                assert!(ratio >= least, "`--{name}` ({}) on `--{paper}`: {ratio:.2}", of(name));
            }
        }
        let ratio = contrast(of("alarm"), of("alarm-sheet"));
        assert!(ratio >= 4.5, "`--alarm` on its sheet: {ratio:.2}");
    }
}

#[test]
fn the_check_itself_knows_black_and_white() {
    assert!((contrast("#000000", "#ffffff") - 21.0).abs() < 1e-9);
}

#[test]
fn the_style_loads_nothing() {
    for loads in ["url(", "@import", "http", "src"] {
        assert!(!STYLE.contains(loads), "{loads}");
    }
}
