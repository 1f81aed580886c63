//! The rows of a batch: the form that chooses among them, and a page of those that it chose.

use std::time::Duration;

use maud::{Markup, html};
use serde_json::Value;

use crate::invocation::State;
use crate::report::{self, FieldValue, Found, Known};
use crate::store::{self, Batch, Filter, InvocationView};
use crate::validate::{mask_cell, without_phones};
use crate::web::address;
use crate::web::chart::named;
use crate::web::layout::scroll;
use crate::web::site::Site;
use crate::web::words::{self, grouped, theirs};

/// Rows of a page.
const ROWS: u32 = 50;

/// How long is looked for them: a page has 0.3 s in all.
const WITHIN: Duration = Duration::from_millis(80);

/// Which rows are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Wanted {
    filter: Filter,
    after: u32,
    /// What was typed and is none.
    faults: Vec<String>,
}

impl Wanted {
    pub(super) fn of(query: &[(String, String)]) -> Wanted {
        let mut wanted = Wanted::default();
        for (name, value) in
            query.iter().map(|(name, value)| (name.as_str(), value.trim())).filter(|(_, v)| !v.is_empty())
        {
            let fault = |what: &str| Some(format!("`{value}` is no {what}"));
            let fault = match name {
                "state" => match value.parse::<State>() {
                    Ok(state) => {
                        wanted.filter.states.push(state);
                        None
                    }
                    Err(_) => fault("state"),
                },
                "code" => match value.parse() {
                    Ok(code) => {
                        wanted.filter.code = Some(code);
                        None
                    }
                    Err(_) => fault("code: a number is"),
                },
                "line" => match value.parse() {
                    Ok(line) => {
                        wanted.filter.lines = vec![line];
                        None
                    }
                    Err(_) => fault("line: a number is"),
                },
                "after" => match value.parse() {
                    Ok(after) => {
                        wanted.after = after;
                        None
                    }
                    Err(_) => fault("line: a number is"),
                },
                _ => None,
            };
            wanted.faults.extend(fault);
        }
        wanted
    }

    fn chooses(&self) -> bool {
        !self.filter.states.is_empty() || self.filter.code.is_some() || !self.filter.lines.is_empty()
    }

    /// The address of the same rows after another line.
    fn address(&self, name: &str, after: u32) -> String {
        let states = self.filter.states.iter().map(|state| format!("state={state}"));
        let code = self.filter.code.map(|code| format!("code={code}"));
        let line = self.filter.lines.first().map(|line| format!("line={line}"));
        let pairs: Vec<String> = states.chain(code).chain(line).chain([format!("after={after}")]).collect();
        format!("{}?{}#rows", address::batch(name), pairs.join("&"))
    }
}

/// The rows that are wanted.
pub(super) async fn find(site: &Site, batch: &Batch, wanted: &Wanted, known: &Known) -> store::Result<Found> {
    report::search(&site.store, batch, &wanted.filter, wanted.after, ROWS, known, WITHIN).await
}

/// The address of a batch's rows in a state.
pub(super) fn address_of(name: &str, state: State) -> String {
    format!("{}?state={state}#rows", address::batch(name))
}

/// The form, and the rows that were found.
pub(super) fn section(batch: &Batch, wanted: &Wanted, found: &Found) -> Markup {
    html! {
        h2 id="rows" { "Rows" }
        (form(batch, wanted))
        @for fault in &wanted.faults { p.alarm role="alert" { (words::shown(fault)) } }
        @if found.rows.is_empty() {
            p {
                @if found.goes_on_after.is_some() { "None among the rows that were looked through." }
                @else if wanted.chooses() || wanted.after > 0 { "No such rows." }
                @else { "No rows." }
            }
        } @else {
            (table(batch, &found.rows))
        }
        nav.turn aria-label="More rows" {
            @if let Some(after) = found.goes_on_after {
                a rel="next" href=(wanted.address(&batch.name, after)) {
                    @if found.rows.is_empty() { "Go on from line " } @else { "Next rows, from line " }
                    (grouped(i64::from(after) + 1))
                }
            }
            @if wanted.after > 0 { a href=(wanted.address(&batch.name, 0)) { "From the beginning" } }
            @if wanted.chooses() { a href={ (address::batch(&batch.name)) "#rows" } { "All rows" } }
        }
    }
}

fn form(batch: &Batch, wanted: &Wanted) -> Markup {
    let filter = &wanted.filter;
    html! {
        form.filter method="get" action={ (address::batch(&batch.name)) "#rows" } role="search" aria-label="Rows" {
            fieldset {
                legend { "State" }
                @for state in State::ALL {
                    label { input type="checkbox" name="state" value=(state) checked[filter.states.contains(&state)]; (state) }
                }
            }
            div.field {
                label for="code" { "Code" }
                input id="code" name="code" inputmode="numeric" size="7" value=(number(filter.code));
            }
            div.field {
                label for="line" { "Line" }
                input id="line" name="line" inputmode="numeric" size="9" value=(number(filter.lines.first().copied()));
            }
            button type="submit" { "Show" }
        }
    }
}

fn number(number: Option<u32>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

fn table(batch: &Batch, rows: &[InvocationView]) -> Markup {
    let has_code = rows.iter().any(|row| row.code.is_some());
    let has_message = rows.iter().any(|row| row.message.is_some());
    scroll(
        "Rows",
        &html! {
            table.cards {
                thead {
                    tr {
                        th scope="col" { "Line" }
                        th scope="col" { "State" }
                        th scope="col" { "Phone number" }
                        @if has_code { th.number scope="col" { "Code" } }
                        th.number scope="col" { "Attempts" }
                        th scope="col" { "Sent, UTC" }
                        @if has_message { th scope="col" { "What was said" } }
                    }
                }
                tbody { @for row in rows { (line(batch, row, has_code, has_message)) } }
            }
        },
    )
}

fn line(batch: &Batch, row: &InvocationView, has_code: bool, has_message: bool) -> Markup {
    html! {
        tr {
            th scope="row" { a href=(address::row(&batch.name, row.line)) { "Line " (grouped(i64::from(row.line))) } }
            td.nowrap data-name="state" { (named(row.state, row.state.as_str())) }
            td.nowrap data-name="phone number" { (theirs(&phone(batch, row))) }
            @if has_code { td.number data-name="code" { (number(row.code)) } }
            td.number data-name="attempts" { (row.attempt) }
            td data-name="sent" { @if let Some(at) = row.sent_at { (words::time(at)) } @else { "–" } }
            @if has_message { td.said data-name="said" { @if let Some(said) = &row.message { (theirs(&without_phones(said))) } } }
        }
    }
}

/// The row's number as it may be shown.
pub(super) fn phone(batch: &Batch, row: &InvocationView) -> String {
    let fields = report::flat_row(batch, row, false);
    match fields.into_iter().find(|(name, _)| name == "phoneNumber").map(|(_, value)| value) {
        Some(FieldValue::Other(Value::String(text))) if row.purged_at.is_some() => text,
        Some(FieldValue::Other(Value::String(text)) | FieldValue::Number(text)) => mask_cell(&text),
        Some(FieldValue::Other(_)) | None => "–".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::form::pairs;

    #[test]
    fn what_the_form_sends_chooses_rows_and_is_found_in_the_next_address() {
        let wanted = Wanted::of(&pairs("state=failed&state=unknown&code=503&line=&after=70"));
        assert_eq!(wanted.filter.states, [State::Failed, State::Unknown]);
        assert_eq!((wanted.filter.code, wanted.after, wanted.chooses()), (Some(503), 70, true));
        let next = wanted.address("a/b", 120);
        assert_eq!(next, "/batch/a%2Fb?state=failed&state=unknown&code=503&after=120#rows");
        assert!(wanted.faults.is_empty() && !Wanted::of(&[]).chooses());
    }

    #[test]
    fn what_is_none_is_said_and_chooses_nothing() {
        let wanted = Wanted::of(&pairs("state=<b>&code=x&line=-1&other=1"));
        assert_eq!(wanted.faults.len(), 3);
        assert!(!wanted.chooses());
    }
}
