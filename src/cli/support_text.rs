//! A text for the vendor's support, to be copied: which requests, and what is asked of them.

use std::fmt::Write;

use super::output::counted;
use super::unknown_rows::phone;
use crate::store::{Batch, UnknownView};

const BEGINS: &str = "---- to the vendor's support, to be copied ----";
const ENDS: &str = "-----------------------------------------------";

/// The text about these rows, and `more` that are not among them.
pub(super) fn text(batch: &Batch, rows: &[UnknownView], more: usize, reveal: bool) -> String {
    let account = match batch.account.as_str() {
        "" => String::new(),
        account => format!("Account:  {account}\n"),
    };
    let endpoint = batch.endpoint.base_url().unwrap_or("the simulator");
    let mut text = format!(
        "\n{BEGINS}\n\
         Were these requests to the MEP Invoke Service accepted? We got no answer\n\
         that says so. Please tell us for each: accepted, and by which request ID;\n\
         or not received; so that nobody is texted twice and nobody is left out.\n\n\
         {account}Service:  {}\nEndpoint: {endpoint}\n\n",
        batch.service
    );
    let phones: Vec<String> = rows.iter().map(|row| phone(row, reveal)).collect();
    let width = phones.iter().map(|phone| phone.chars().count()).max().unwrap_or_default().max("number".len());
    let _ = writeln!(text, "{:>6}  {:<25} {:<width$}  request ID", "row", "sent at (UTC)", "number");
    for (row, phone) in rows.iter().zip(&phones) {
        let at = row.sent_at.unwrap_or(row.last_on_wire);
        let mark = match row.is_of_a_lost_turn() {
            true => "+",
            false if is_of_a_dead_run(row) => "*",
            false => "",
        };
        let id = row.request_id.as_deref().unwrap_or("none came");
        let _ = writeln!(text, "{:>6}  {:<25} {phone:<width$}  {id}", row.id.line(), format!("{at}{mark}"));
    }
    if rows.iter().any(is_of_a_dead_run) {
        text.push_str("* or a few seconds later, if at all: the process that sent it died\n");
    }
    if let Some(until) = rows.iter().filter(|row| row.is_of_a_lost_turn()).map(|row| row.last_on_wire).max() {
        let _ = writeln!(text, "+ or at any time until {until}, if at all:\n  what we knew of that time is lost");
    }
    if more > 0 {
        let _ = writeln!(text, "and {}, in the table that is attached", counted(more as u64, "more request"));
    }
    let _ = writeln!(text, "{ENDS}");
    if more > 0 {
        let _ = writeln!(
            text,
            "hint: `mep-batch export {} --state unknown -o FILE.csv` writes that table,\n\
             with phone numbers in full; or `--all` puts all rows into the text",
            batch.name
        );
    }
    text
}

/// Whether nobody could write down when it left, for its process had died.
fn is_of_a_dead_run(row: &UnknownView) -> bool {
    !row.is_of_a_lost_turn() && (row.is_judged || row.sent_at.is_none())
}
