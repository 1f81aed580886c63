//! A row on its way to becoming a body.

use std::borrow::Cow;

use super::fault::{Fault, Problem};
use super::number::{check_number, operator_id};
use super::phone::{CleanPhone, clean_phone};
use super::request::hash_of_values;
use super::rules::Rules;
use super::target::{Kind, Target, Variable, set_twice};
use super::value::{ValueTraits, check_value};
use super::writing::{Entry, Value, write_body};

/// A row that can be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// The request's body: compact JSON, `endUser` first.
    pub body: String,
    /// Its [`request_hash`](super::request_hash).
    pub request_hash: i64,
    /// The cleaned phone number.
    pub phone: u64,
    /// The recipient's time zone, as given.
    pub time_zone: Option<String>,
    /// How many cells had to be cleaned.
    pub cleaned: u32,
    /// Whether the phone number lacked its country code and got it.
    pub completed: bool,
    /// Whether a value passed although it is outside ASCII.
    pub is_non_ascii: bool,
}

/// A value as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given<'a> {
    /// A cell's text; an empty one is no value.
    Cell(&'a str),
    /// A JSON string; an empty one is an empty string.
    String(&'a str),
    /// A JSON number's text.
    Number(&'a str),
    /// A JSON boolean.
    Boolean(bool),
    /// The text of null, an array or an object.
    Other(&'a str),
}

/// A row in the making: takes its cells one by one and gathers all that is wrong with them.
#[derive(Debug)]
pub struct Draft<'a> {
    rules: &'a Rules,
    phone: Option<CleanPhone>,
    operator: Option<u64>,
    time_zone: Option<&'a str>,
    variables: Vec<Entry<'a>>,
    problems: Vec<Problem>,
    /// Whether a phone number was given, be it a bad one.
    phone_given: bool,
    cleaned: u32,
    is_non_ascii: bool,
}

/// Variables for which a row has room from the start.
const USUAL_VARIABLES: usize = 8;

impl<'a> Draft<'a> {
    /// An empty row.
    #[must_use]
    pub fn new(rules: &'a Rules) -> Self {
        Draft {
            rules,
            phone: None,
            operator: None,
            time_zone: None,
            variables: Vec::with_capacity(USUAL_VARIABLES),
            problems: Vec::new(),
            phone_given: false,
            cleaned: 0,
            is_non_ascii: false,
        }
    }

    /// Takes a value; `column` is what the operator calls the place. That no place is filled twice is the caller's
    /// to know, or see [`Draft::put_once`].
    pub fn put(&mut self, target: &'a Target, column: &str, given: Given<'a>) {
        let judged = match target {
            Target::PhoneNumber => self.put_phone(given),
            Target::MobileOperatorId => self.put_operator(given),
            Target::TimeZone => self.put_time_zone(given),
            Target::Variable(variable) => self.put_variable(variable, given),
            // It belongs to the batch, not to the row: whoever reads the file compares it.
            Target::ServiceId => Ok(()),
        };
        if let Err(fault) = judged {
            let cell = Some(given.text());
            self.problems.push(match target {
                Target::PhoneNumber => fault.at_phone(column, cell),
                Target::MobileOperatorId | Target::TimeZone | Target::Variable(_) | Target::ServiceId => {
                    fault.at(column, cell)
                }
            });
        }
    }

    /// Takes a value and refuses the row if the place was filled before.
    pub fn put_once(&mut self, target: &'a Target, column: &str, given: Given<'a>) {
        let is_filled = match target {
            Target::PhoneNumber => self.phone_given,
            Target::MobileOperatorId => self.operator.is_some(),
            Target::TimeZone => self.time_zone.is_some(),
            Target::ServiceId => false,
            Target::Variable(variable) => self
                .variables
                .iter()
                .any(|entry| entry.scope == variable.scope && entry.key.eq_ignore_ascii_case(&variable.key)),
        };
        if is_filled {
            self.refuse(set_twice().at(column, None));
        } else {
            self.put(target, column, given);
        }
    }

    /// Refuses the row for a value that cannot be taken, in a place that counts as filled all the same.
    pub fn refuse_value(&mut self, target: &Target, problem: Problem) {
        self.phone_given |= *target == Target::PhoneNumber;
        self.problems.push(problem);
    }

    /// Refuses the row for something that is no value's fault.
    pub fn refuse(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// The phone number, if a good one was given.
    #[must_use]
    pub fn phone(&self) -> Option<u64> {
        self.phone.map(|phone| phone.number)
    }

    /// Makes the body.
    ///
    /// # Errors
    ///
    /// All problems of the row.
    pub fn finish(mut self) -> Result<Ready, Vec<Problem>> {
        if !self.phone_given {
            let fault = Fault::new(
                "no phone number",
                "fill in the number with its country code, as in `12515550130`, or delete the row",
            );
            self.problems.push(fault.at_phone(&Target::PhoneNumber.name(), None));
        }
        match self.phone {
            Some(phone) if self.problems.is_empty() => {
                let (number, variables) = (phone.number, &self.variables);
                let body = write_body(number, self.operator, variables, self.rules.phone_number_json);
                Ok(Ready {
                    request_hash: hash_of_values(number, self.operator, variables, body.len()),
                    body,
                    phone: phone.number,
                    time_zone: self.time_zone.map(str::to_owned),
                    cleaned: self.cleaned,
                    completed: phone.completed,
                    is_non_ascii: self.is_non_ascii,
                })
            }
            Some(_) | None => Err(self.problems),
        }
    }

    fn put_phone(&mut self, given: Given<'a>) -> Result<(), Fault> {
        self.phone_given = true;
        let phone = match given {
            Given::Cell(text) | Given::String(text) | Given::Number(text) => clean_phone(text, &self.rules.phones)?,
            Given::Boolean(_) => return Err(Fault::new("a boolean for a phone number", "write the number's digits")),
            Given::Other(_) => return Err(wrong_type()),
        };
        self.cleaned += u32::from(phone.cleaned);
        self.phone = Some(phone);
        Ok(())
    }

    fn put_operator(&mut self, given: Given<'a>) -> Result<(), Fault> {
        let text = match given {
            Given::Cell(text) | Given::Number(text) => text.trim(),
            Given::String(_) | Given::Boolean(_) => {
                return Err(Fault::new(
                    "no number: the API takes an integer here",
                    "write it without quotes, as in `383`",
                ));
            }
            Given::Other(_) => return Err(wrong_type()),
        };
        if !text.is_empty() {
            self.operator = Some(operator_id(text)?);
        }
        Ok(())
    }

    fn put_time_zone(&mut self, given: Given<'a>) -> Result<(), Fault> {
        let text = match given {
            Given::Cell(text) | Given::String(text) | Given::Number(text) => text.trim(),
            Given::Boolean(_) | Given::Other(_) => return Err(wrong_type()),
        };
        if text.is_empty() {
            return Ok(());
        }
        // The shape only: which zones there are is the time-zone database's to say.
        let is_zone = text.len() <= TIME_ZONE_LENGTH_MAX
            && text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-' | b'+'));
        if !is_zone {
            return Err(Fault::new("no time zone", "write its name as continent and city, as in `America/New_York`"));
        }
        self.time_zone = Some(text);
        Ok(())
    }

    fn put_variable(&mut self, variable: &'a Variable, given: Given<'a>) -> Result<(), Fault> {
        let value = match (given, variable.kind) {
            (Given::Cell(""), Kind::Text | Kind::Number) => return Ok(()),
            (Given::Cell(text), Kind::Text) | (Given::String(text), Kind::Text) => self.text_value(variable, text)?,
            (Given::Cell(text) | Given::String(text), Kind::Number) => {
                let number = text.trim();
                self.number_value(number).map_err(|fault| fault.within(text, number))?
            }
            (Given::Number(text), Kind::Text | Kind::Number | Kind::Json) => self.number_value(text)?,
            (Given::Boolean(value), Kind::Text | Kind::Json) => Value::Plain(if value { "true" } else { "false" }),
            (Given::Boolean(_), Kind::Number) => return check_number("", &self.rules.bounds),
            (Given::Cell(json) | Given::String(json), Kind::Json) => self.json_value(variable, json)?,
            (Given::Other(_), Kind::Text | Kind::Number | Kind::Json) => return Err(wrong_type()),
        };
        self.variables.push(Entry { scope: variable.scope, key: &variable.key, value });
        Ok(())
    }

    fn text_value(&mut self, variable: &Variable, text: &'a str) -> Result<Value<'a>, Fault> {
        let traits = self.judge(variable, text)?;
        Ok(if traits.is_plain { Value::Plain(text) } else { Value::Escaped(Cow::Borrowed(text)) })
    }

    fn number_value(&mut self, text: &'a str) -> Result<Value<'a>, Fault> {
        check_number(text, &self.rules.bounds)?;
        Ok(Value::Number(text))
    }

    fn json_value(&mut self, variable: &Variable, json: &'a str) -> Result<Value<'a>, Fault> {
        match json.as_bytes().first() {
            Some(b'"') => {
                let text: String = serde_json::from_str(json).map_err(|_| wrong_type())?;
                self.judge(variable, &text)?;
                Ok(Value::Escaped(Cow::Owned(text)))
            }
            Some(b't') if json == "true" => Ok(Value::Plain(json)),
            Some(b'f') if json == "false" => Ok(Value::Plain(json)),
            Some(b'-' | b'0'..=b'9') => self.number_value(json),
            Some(_) | None => Err(wrong_type()),
        }
    }

    fn judge(&mut self, variable: &Variable, text: &str) -> Result<ValueTraits, Fault> {
        let traits = check_value(text, self.rules, || variable.name())?;
        self.is_non_ascii |= traits.is_non_ascii;
        Ok(traits)
    }
}

impl<'a> Given<'a> {
    /// Its text.
    #[must_use]
    pub fn text(self) -> &'a str {
        match self {
            Given::Cell(text) | Given::String(text) | Given::Number(text) | Given::Other(text) => text,
            Given::Boolean(true) => "true",
            Given::Boolean(false) => "false",
        }
    }
}

/// The longest name in the IANA database has 32 characters; twice that leaves room.
const TIME_ZONE_LENGTH_MAX: usize = 64;

pub(crate) fn wrong_type() -> Fault {
    Fault::new("null, an array or an object", "give a string, a number or a boolean, or leave it out")
}
