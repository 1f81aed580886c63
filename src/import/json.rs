//! The rows of a JSON array, or of lines of JSON.

pub(super) mod elements;
mod fields;
pub(super) mod members;

use std::collections::HashMap;

use serde_json::value::RawValue;

use crate::invocation::Cell;
use crate::validate::{Draft, Fault};

use super::exported::note_of_results;
use super::limits::COLUMNS_MAX;
use super::note::Note;
use super::refused::FileFault;
use super::rows::{Judge, Row, marker, put_sets};
use super::survey::{Format, Survey};
use super::table::mapped::MappedColumn;
use super::text::Text;
use super::unmended::unmended;
use elements::{Element, Elements, is_too_deep, too_deep};
use fields::{Field, Fields};

/// Reads the rows of a JSON file.
#[derive(Debug)]
pub(super) struct JsonRows {
    elements: Elements,
    format: Format,
    columns: Vec<JsonColumn>,
    /// The columns' names, as they came and in lower case, with their places.
    seen: HashMap<String, usize>,
    notes: Vec<Note>,
}

/// A name that rows have.
#[derive(Debug)]
struct JsonColumn {
    /// The name under which it is shown.
    name: String,
    mapped: MappedColumn,
}

impl JsonRows {
    pub(super) fn begin(text: Text, survey: &Survey) -> Result<JsonRows, Vec<FileFault>> {
        let elements = Elements::open(text, survey).map_err(|fault| vec![fault])?;
        Ok(JsonRows { elements, format: survey.format, columns: Vec::new(), seen: HashMap::new(), notes: Vec::new() })
    }

    /// The names that rows had so far, in order of first appearance.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }

    /// What there is to say about the rows read so far.
    pub(super) fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// The properties that rows had so far, with what each is mapped to.
    pub(super) fn mapping(&self) -> Vec<MappedColumn> {
        self.columns.iter().map(|column| column.mapped.clone()).collect()
    }

    pub(super) fn next_row(&mut self, judge: &mut Judge) -> Result<Option<Row>, FileFault> {
        let Some(element) = self.elements.next_element()? else {
            return Ok(None);
        };
        // The survey found it to be UTF-8.
        let text = std::str::from_utf8(self.elements.text()).map_err(|_| FileFault::changed())?;
        if is_too_deep(text.as_bytes()) {
            return Ok(Some(refused(
                &element,
                Fault::new(too_deep(), "write the row with fewer levels, as the API's own body has them"),
            )));
        }
        let object = match serde_json::from_str::<&RawValue>(text) {
            Ok(json) => json.get(),
            Err(error) => return broken(&element, &error, self.format).map(Some),
        };
        if !object.starts_with('{') {
            return Ok(Some(refused(&element, Fault::new("no object", "write each row as `{…}`"))));
        }
        let mut fields = Fields::read(object, &judge.options);
        if let Some(verdict) = fields.exported.take() {
            if self.notes.is_empty() {
                self.notes.push(note_of_results(element.line));
            }
            if let Err(fault) = verdict {
                return Ok(Some(refused(&element, fault)));
            }
        }
        if let Err(fault) = judge.service.check(fields.service.as_deref()) {
            fields.problems.push(fault.at("serviceId", fields.service.as_deref()));
        }
        for field in &fields.values {
            note(field, &mut self.seen, &mut self.columns);
        }
        if self.columns.len() > COLUMNS_MAX {
            let reason = format!("more than {COLUMNS_MAX} different properties in the rows so far");
            let fix = "give a property the same name in every row";
            return Err(FileFault::new(reason, fix).at_line(element.line));
        }
        let mut draft = Draft::new(&judge.rules);
        fields.fill(&mut draft);
        let left = fields.reason.as_deref().filter(|_| !judge.options.allow_shared_numbers);
        let unmended = unmended(&draft, left);
        let marker = unmended.as_ref().map(marker);
        unmended.into_iter().for_each(|problem| draft.refuse(problem));
        put_sets(&judge.options, &judge.set_names, &mut draft);
        let phone = draft.phone();
        Ok(Some(Row::judged(element.row, phone, draft.finish(), || {
            let sets = &judge.options.sets;
            let sets = sets.iter().map(|set| Cell { column: set.target.to_string(), text: set.text.clone() });
            fields.cells().into_iter().chain(sets).chain(marker).collect()
        })))
    }
}

/// Notes a name that has not been seen before; names are compared without regard to case.
fn note(field: &Field<'_>, seen: &mut HashMap<String, usize>, columns: &mut Vec<JsonColumn>) {
    let name = field.target.name();
    let place = match seen.get(&name) {
        Some(place) => *place,
        None => {
            let place = *seen.entry(name.to_ascii_lowercase()).or_insert(columns.len());
            seen.insert(name.clone(), place);
            place
        }
    };
    if place == columns.len() {
        let mapped = MappedColumn { header: field.path.clone(), target: Some(field.target.to_string()), sample: None };
        columns.push(JsonColumn { name, mapped });
    }
    let sample = &mut columns[place].mapped.sample;
    if sample.is_none() {
        *sample = field.sample();
    }
}

/// What cannot be parsed: in an array the rest cannot be trusted either, while a broken line is one row.
fn broken(element: &Element, error: &serde_json::Error, format: Format) -> Result<Row, FileFault> {
    let text = error.to_string();
    let reason = text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason);
    let first_line = error.line() <= 1;
    let column = if first_line { element.column + error.column().saturating_sub(1) } else { error.column() };
    let line =
        u32::try_from(error.line().saturating_sub(1)).map_or(element.line, |more| element.line.saturating_add(more));
    let is_cut = element.may_be_cut && error.is_eof();
    match format {
        Format::Ndjson if !is_cut => {
            let fix = format!("correct it near column {column}; each line is one whole object");
            Ok(refused(element, Fault::new(format!("broken JSON: {reason}"), fix)))
        }
        Format::Ndjson => {
            Err(FileFault::new("the file ends inside this line", "export it again: it was cut").at_line(line))
        }
        Format::Csv | Format::Json | Format::Xlsx => Err(FileFault::new(
            format!("broken JSON at column {column}: {reason}"),
            "correct it there, or export the file again",
        )
        .at_line(line)),
    }
}

fn refused(element: &Element, fault: Fault) -> Row {
    let problem = fault.at("", None);
    let marker = marker(&problem);
    Row::judged(element.row, None, Err(vec![problem]), || vec![marker])
}
