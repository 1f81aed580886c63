//! Mapping files: how one kind of table is read, kept for the next one of its kind.

use std::fs::{self, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context as _, bail};
use toml::Value;

use super::args::InputArgs;
use super::config::{self, Setting};
use super::context::Context;
use super::failure::Usage;
use crate::import::{ColumnMap, Constant, Options, Rows, in_one_line, is_same_header};
use crate::validate::{is_like_a_phone, mask_cell};

/// What a mapping file may hold: the flags that say how a file is read, and none that says what becomes of it.
const KEYS: [&str; 13] = [
    "map",
    "set",
    "ignore",
    "ignore-unmapped",
    "no-header",
    "allow-expressions",
    "ascii-only",
    "encoding",
    "delimiter",
    "sheet",
    "country-code",
    "national-length",
    "only-countries",
];

/// Those of which the flags add to the file's; of the others a flag replaces the file's.
pub(super) const LISTS: [&str; 3] = ["map", "set", "ignore"];

/// The lists of a mapping file.
#[derive(Debug, Clone, Default)]
pub(super) struct Mapping {
    maps: Vec<ColumnMap>,
    sets: Vec<Constant>,
    ignore: Vec<String>,
}

impl Mapping {
    /// Reads the lists of a file; its other keys are defaults of their flags before those are parsed.
    pub(super) fn read(file: &str) -> Result<Mapping, String> {
        read(Path::new(file)).and_then(|keys| Mapping::of(file, keys)).map_err(|error| format!("{error:#}"))
    }

    fn of(file: &str, keys: Vec<Setting>) -> anyhow::Result<Mapping> {
        let mut mapping = Mapping::default();
        for Setting { key, values, place } in keys {
            let bad = |error: String| Usage(format!("`{key}` in {place}: {error}"));
            match key.as_str() {
                "map" => {
                    let maps: Result<Vec<ColumnMap>, _> = values.iter().map(|value| value.parse()).collect();
                    let said_in = Some(file.to_owned());
                    mapping.maps = maps.map_err(bad)?;
                    mapping.maps.iter_mut().for_each(|map| map.said_in.clone_from(&said_in));
                }
                "set" => {
                    let sets: Result<_, _> = values.iter().map(|value| value.parse()).collect();
                    mapping.sets = sets.map_err(bad)?;
                }
                "ignore" => mapping.ignore = values,
                _ => {}
            }
        }
        Ok(mapping)
    }

    /// Adds the file's lists to what is typed, which wins where both speak of one header or one target.
    pub(super) fn add_to(&self, options: &mut Options) {
        let typed = (options.maps.clone(), options.sets.clone(), options.ignore.clone());
        let (maps, sets, ignore) = &typed;
        let is_mapped = |header: &str| maps.iter().any(|map| is_same_header(&map.header, header));
        let is_ignored = |header: &str| ignore.iter().any(|ignored| is_same_header(ignored, header));
        let is_filled = |target| {
            maps.iter().any(|map| map.target.same_place(target)) || sets.iter().any(|set| set.target.same_place(target))
        };
        let more_maps = self
            .maps
            .iter()
            .filter(|map| !is_mapped(&map.header) && !is_ignored(&map.header) && !is_filled(&map.target));
        let more_sets = self.sets.iter().filter(|set| !is_filled(&set.target));
        let more_ignore = self.ignore.iter().filter(|header| !is_mapped(header));
        options.maps.extend(more_maps.cloned());
        options.sets.extend(more_sets.cloned());
        options.ignore_if_there.extend(more_ignore.cloned());
    }
}

/// The keys of a mapping file.
pub(super) fn read(file: &Path) -> anyhow::Result<Vec<Setting>> {
    let keys = config::read(file, "the mapping file")?;
    if let Some(Setting { key: unknown, place, .. }) = keys.iter().find(|setting| !KEYS.contains(&setting.key.as_str()))
    {
        let hint = match config::closest(unknown, &KEYS) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it may hold: {}", KEYS.join(", ")),
        };
        bail!(Usage(format!(
            "`{unknown}` in the mapping file {place} says nothing of how a file is read\nhint: {hint}"
        )));
    }
    Ok(keys)
}

/// Tells whoever opens the file what it is.
const FIRST_LINE: &str = "# How mep-batch reads this kind of table: mep-batch import TABLE --mapping THIS_FILE\n";

/// Keeps the mapping in the file that `--save-mapping` names; nothing where it names none.
///
/// The file is written at once and whole. One that is there is never replaced: it may have been edited since.
pub(super) fn save(context: &mut Context, input: &InputArgs, options: &Options, rows: &Rows) -> anyhow::Result<()> {
    let Some(file) = &input.save_mapping else { return Ok(()) };
    let shown = file.display();
    let text = text_of(input, options, rows)?;
    match fs::read(file) {
        Ok(there) if there == text.as_bytes() => return Ok(()),
        Ok(_) => bail!(Usage(format!(
            "`{shown}` is there already, and holds something else; nothing was saved\nhint: `--save-mapping` with another \
             name, or remove it first"
        ))),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => bail!(Usage(format!("cannot read `{shown}`: {error}"))),
    }
    write(file, &text).with_context(|| Usage(format!("cannot write the mapping file `{shown}`")))?;
    context.out.note(&format!("the mapping is saved in `{shown}`\nhint: the next file: `--mapping {shown}`\n"));
    Ok(())
}

/// Writes a file that must not be there, by a temporary one in the same folder.
fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let readable = Permissions::from_mode(0o644);
    let mut written = tempfile::Builder::new().permissions(readable).tempfile_in(folder)?;
    written.write_all(text.as_bytes())?;
    written.persist_noclobber(file)?;
    Ok(())
}

/// The mapping as it was used: every column by name, so that a new one stops the next import.
fn text_of(input: &InputArgs, options: &Options, rows: &Rows) -> anyhow::Result<String> {
    let mapping = rows.mapping();
    if mapping.is_empty() {
        bail!(Usage(
            "there is no mapping to save: only a table has columns\nhint: leave out `--save-mapping`".to_owned()
        ));
    }
    if let Some(number) = mapping.iter().find(|column| is_like_a_phone(&column.header)) {
        bail!(Usage(format!(
            "the header `{}` looks like a phone number, and a mapping file holds none\nhint: name the columns in the file",
            mask_cell(&number.header)
        )));
    }
    let mapped = mapping
        .iter()
        .filter_map(|column| Some(format!("{}={}", in_one_line(&column.header), column.target.as_ref()?)));
    let sets = options.sets.iter().map(|set| format!("{}={}", set.target, set.text));
    let ignored = mapping.iter().filter(|column| column.target.is_none()).map(|column| in_one_line(&column.header));
    let mut text = FIRST_LINE.to_owned();
    push_list(&mut text, "map", mapped);
    push_list(&mut text, "set", sets);
    push_list(&mut text, "ignore", ignored.filter(|header| !header.is_empty()));
    for (key, is_set) in [("no-header", input.no_header), ("ascii-only", input.ascii_only)] {
        if is_set {
            text.push_str(&format!("{key} = true\n"));
        }
    }
    let scalars = [
        ("encoding", input.encoding.map(|encoding| encoding.to_string())),
        ("delimiter", input.delimiter.map(|delimiter| delimiter.to_string())),
        ("sheet", input.sheet.as_ref().map(ToString::to_string)),
        ("country-code", input.country_code.map(|code| code.to_string())),
        ("national-length", input.national_length.map(|length| length.to_string())),
    ];
    for (key, value) in scalars {
        if let Some(value) = value {
            text.push_str(&format!("{key} = {}\n", Value::String(value)));
        }
    }
    push_list(&mut text, "only-countries", input.only_countries.iter().map(ToString::to_string));
    push_list(&mut text, "allow-expressions", input.allow_expressions.iter().flatten().cloned());
    Ok(text)
}

/// A list with one entry a line, each once; nothing where there is none.
fn push_list(text: &mut String, key: &str, values: impl Iterator<Item = String>) {
    let mut lines: Vec<String> = Vec::new();
    for value in values {
        let line = format!("    {},\n", Value::String(value));
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    if !lines.is_empty() {
        text.push_str(&format!("{key} = [\n{}]\n", lines.concat()));
    }
}
