//! The fields of a JSON row: the API's own body, or a flat object with a CSV's names.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::invocation::Cell;
use crate::mep::Scope;
use crate::validate::{
    Draft, Fault, Given, Kind, Problem, Target, Variable, check_key, sample_of, set_twice, text_of, unknown_property,
    unknown_scope, wrong_type,
};

use super::members::{Members, read_members};
use crate::import::exported::take_results;
use crate::import::limits::{CELL_BYTES_MAX, COLUMNS_MAX};
use crate::import::options::Options;
use crate::import::rows::marker;
use crate::import::table::columns::{Column, REASON_COLUMN, is_added, resolve};

/// What a JSON row says, before its values are judged.
#[derive(Debug, Default)]
pub(in crate::import) struct Fields<'a> {
    /// Its values, in its order.
    pub(in crate::import) values: Vec<Field<'a>>,
    /// The service that it names.
    pub(in crate::import) service: Option<Cow<'a, str>>,
    /// What it was refused for once, if it comes from a file of refused rows.
    pub(in crate::import) reason: Option<Cow<'a, str>>,
    /// What is wrong with its shape.
    pub(in crate::import) problems: Vec<Problem>,
    /// Of a row of an export: whether it was refused before.
    pub(in crate::import) exported: Option<Result<(), Fault>>,
}

/// A value with its place.
#[derive(Debug)]
pub(in crate::import) struct Field<'a> {
    pub(in crate::import) target: Target,
    /// The path in the row, as the operator knows it.
    pub(in crate::import) path: String,
    value: FieldValue<'a>,
}

#[derive(Debug)]
enum FieldValue<'a> {
    /// A string in a flat object: as a CSV's cell.
    Cell(Cow<'a, str>),
    /// A string in a body.
    String(Cow<'a, str>),
    Number(&'a str),
    Boolean(bool),
    Other(&'a str),
}

/// The shape of a row, which says how a string is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Body,
    Flat,
}

impl<'a> Fields<'a> {
    /// Reads an object, whose JSON is known to be well formed.
    pub(in crate::import) fn read(object: &'a str, options: &Options) -> Fields<'a> {
        let mut fields = Fields::default();
        let Some(mut members) = fields.members(object, "") else { return fields };
        if members.iter().any(|(name, _)| matches!(&**name, "endUser" | "variables")) {
            fields.read_body(members, options);
        } else {
            fields.exported = take_results(&mut members, options);
            // What is absent from an export is null, so an empty string is one, as in a body.
            let shape = if fields.exported.is_some() { Shape::Body } else { Shape::Flat };
            fields.read_flat(members, options, shape);
        }
        fields
    }

    /// Gives the values to a row in the making.
    pub(in crate::import) fn fill<'d>(&'d self, draft: &mut Draft<'d>) {
        for field in &self.values {
            draft.put_once(&field.target, &field.path, field.value.given());
        }
        for problem in &self.problems {
            draft.refuse(problem.clone());
        }
    }

    /// The cells that are kept of a refused row.
    pub(in crate::import) fn cells(&self) -> Vec<Cell> {
        self.values.iter().map(Field::cell).chain(self.problems.iter().map(marker)).collect()
    }

    fn read_body(&mut self, members: Members<'a>, options: &Options) {
        for (name, json) in members {
            match &*name {
                "endUser" => self.read_end_user(json),
                "variables" => self.read_variables(json, options),
                "serviceId" => self.read_service(&name, json),
                "timeZone" => self.push(Target::TimeZone, name.into_owned(), json, Shape::Body),
                name if is_added(name) => self.note_reason(name, json),
                _ => self.refuse(unknown_property(), &name),
            }
        }
    }

    fn read_end_user(&mut self, json: &'a str) {
        if !json.starts_with('{') {
            return self.refuse(no_object(), "endUser");
        }
        for (name, json) in self.members(json, "endUser.").unwrap_or_default() {
            let path = format!("endUser.{name}");
            match &*name {
                "phoneNumber" => self.push(Target::PhoneNumber, path, json, Shape::Body),
                "mobileOperatorId" => self.push(Target::MobileOperatorId, path, json, Shape::Body),
                _ => self.refuse(unknown_property(), &path),
            }
        }
    }

    fn read_variables(&mut self, json: &'a str, options: &Options) {
        if !json.starts_with('{') {
            return self.refuse(no_object(), "variables");
        }
        let Some(scopes) = self.members(json, "variables.") else { return };
        if scopes.is_empty() {
            return self.refuse(empty_object(), "variables");
        }
        let mut seen = [false; Scope::ALL.len()];
        for (name, json) in scopes {
            let path = format!("variables.{name}");
            match Scope::from_name(&name) {
                None => self.refuse(unknown_scope(), &path),
                Some(scope) if std::mem::replace(&mut seen[scope as usize], true) => self.refuse(set_twice(), &path),
                Some(scope) => self.read_scope(scope, &path, json, options),
            }
        }
    }

    fn read_scope(&mut self, scope: Scope, path: &str, json: &'a str, options: &Options) {
        if !json.starts_with('{') {
            return self.refuse(no_object(), path);
        }
        let Some(variables) = self.members(json, &format!("{path}.")) else { return };
        if variables.is_empty() {
            return self.refuse(empty_object(), path);
        }
        for (key, json) in variables {
            let path = format!("{path}.{key}");
            match check_key(scope, &key, &options.rules.bounds) {
                Err(fault) => self.refuse(fault, &path),
                Ok(()) => {
                    let variable = Variable { scope, key: key.into_owned(), kind: Kind::Text };
                    self.push(Target::Variable(variable), path, json, Shape::Body);
                }
            }
        }
    }

    fn read_flat(&mut self, members: Members<'a>, options: &Options, shape: Shape) {
        for (name, json) in members {
            match resolve(&name, options) {
                Ok(Column::Ignored) => self.note_reason(&name, json),
                Ok(Column::Unnamed) => self.refuse(unknown_property(), &name),
                Ok(Column::Service) => self.read_service(&name, json),
                Ok(Column::Filled(target)) => self.push(target, name.into_owned(), json, shape),
                Err(fault) => self.refuse(fault, &name),
            }
        }
    }

    fn note_reason(&mut self, name: &str, json: &'a str) {
        if name == REASON_COLUMN {
            self.reason = text_of(json).ok();
        }
    }

    fn read_service(&mut self, path: &str, json: &'a str) {
        match text_of(json) {
            Ok(text) if json.starts_with('"') => self.service = Some(text),
            Ok(_) | Err(_) if json.starts_with(|c: char| c.is_ascii_digit()) => {
                self.service = Some(Cow::Borrowed(json))
            }
            Ok(_) | Err(_) => self.refuse(wrong_type(), path),
        }
    }

    fn push(&mut self, target: Target, path: String, json: &'a str, shape: Shape) {
        let value = match json.as_bytes().first() {
            Some(b'"') => match text_of(json) {
                Err(fault) => return self.refuse(fault, &path),
                Ok(text) if text.len() > CELL_BYTES_MAX => return self.refuse(too_long(), &path),
                Ok(text) if shape == Shape::Body => FieldValue::String(text),
                Ok(text) => FieldValue::Cell(text),
            },
            Some(b'-' | b'0'..=b'9') if json.len() > CELL_BYTES_MAX => return self.refuse(too_long(), &path),
            Some(b'-' | b'0'..=b'9') => FieldValue::Number(json),
            Some(b't') => FieldValue::Boolean(true),
            Some(b'f') => FieldValue::Boolean(false),
            Some(_) | None => FieldValue::Other(json),
        };
        self.values.push(Field { target, path, value });
    }

    fn refuse(&mut self, fault: Fault, path: &str) {
        self.problems.push(fault.at(path, None));
    }

    /// The members of an object, unless it is refused; two equal keys are a problem, where a map would keep the last one
    /// silently.
    fn members(&mut self, object: &'a str, path: &str) -> Option<Members<'a>> {
        let mut members = match read_members(object) {
            Ok(members) => members,
            Err(_) => {
                self.refuse(Fault::new("a key that is no well-formed JSON string", "correct it"), path);
                return None;
            }
        };
        if members.len() > COLUMNS_MAX {
            self.refuse(Fault::new(format!("more than {COLUMNS_MAX} properties"), "take out what is not needed"), path);
            return None;
        }
        let mut seen = HashSet::with_capacity(members.len());
        members.retain(|(name, _)| {
            let is_new = seen.insert(name.clone());
            if !is_new {
                self.refuse(Fault::new("two equal keys", "keep one of them"), &format!("{path}{name}"));
            }
            is_new
        });
        Some(members)
    }
}

impl Field<'_> {
    /// Its text for people to recognise the property by; `None` where it is empty.
    pub(in crate::import) fn sample(&self) -> Option<String> {
        let text = self.value.given().text();
        (!text.trim().is_empty()).then(|| sample_of(text, self.target == Target::PhoneNumber))
    }

    /// The cell that is refused again at a retry for what this value is refused for.
    fn cell(&self) -> Cell {
        let text = self.value.given().text().to_owned();
        if self.is_of_wrong_type() {
            return marker(&wrong_type().at(&self.path, None));
        }
        let with_kind = |kind| match &self.target {
            Target::Variable(variable) => Target::Variable(Variable { kind, ..variable.clone() }).to_string(),
            Target::PhoneNumber | Target::MobileOperatorId | Target::ServiceId | Target::TimeZone => {
                self.target.to_string()
            }
        };
        match &self.value {
            FieldValue::String(empty) if empty.is_empty() => {
                Cell { column: with_kind(Kind::Json), text: "\"\"".to_owned() }
            }
            FieldValue::Cell(_) | FieldValue::String(_) | FieldValue::Boolean(_) => {
                Cell { column: self.target.to_string(), text }
            }
            FieldValue::Number(_) => Cell { column: with_kind(Kind::Number), text },
            FieldValue::Other(_) => Cell { column: with_kind(Kind::Json), text },
        }
    }

    /// Whether a cell's text would hide that the value is of a type that its place does not take.
    fn is_of_wrong_type(&self) -> bool {
        match (&self.target, &self.value) {
            (Target::Variable(_), _) => false,
            (Target::MobileOperatorId, FieldValue::String(_)) => true,
            (_, FieldValue::Boolean(_) | FieldValue::Other(_)) => true,
            (_, FieldValue::Cell(_) | FieldValue::String(_) | FieldValue::Number(_)) => false,
        }
    }
}

impl FieldValue<'_> {
    fn given(&self) -> Given<'_> {
        match self {
            FieldValue::Cell(text) => Given::Cell(text),
            FieldValue::String(text) => Given::String(text),
            FieldValue::Number(text) => Given::Number(text),
            FieldValue::Boolean(value) => Given::Boolean(*value),
            FieldValue::Other(json) => Given::Other(json),
        }
    }
}

fn no_object() -> Fault {
    Fault::new("no object", "write it as the API does: `{…}`")
}

fn empty_object() -> Fault {
    Fault::new("an empty object", "leave it out, or put a variable in")
}

fn too_long() -> Fault {
    Fault::new(format!("a value longer than {CELL_BYTES_MAX} bytes"), "shorten it")
}
