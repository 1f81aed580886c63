//! What an operator does about rows that are not accepted: the way out, and the command to type.

use maud::{Markup, html};

use crate::invocation::{RefusedBy, SkipReason, State};
use crate::store::Cause;
use crate::web::layout::command;

/// What to do, and what to type for it.
pub(super) fn of(cause: &Cause, batch: &str) -> Markup {
    let code = cause.code.map(|code| format!(" --code {code}")).unwrap_or_default();
    match cause.state {
        State::Rejected if cause.refused_by.as_deref() == Some(RefusedBy::Service.as_str()) => html! {
            "Mend the rows in a file of their own and import that; rows that are right after all: "
            (command(&format!("mep-batch retry {batch} --state rejected{code}")))
        },
        State::Rejected if cause.reason.as_deref() == Some(SkipReason::Duplicate.as_str()) => html! {
            "Leave one row for the person in the file; or send these all the same: "
            (command(&format!("mep-batch retry {batch} --state rejected --reason-is duplicate")))
        },
        State::Rejected => html! {
            "Nothing was sent. " (command("mep-batch check FILE --rejected mended.csv"))
            " writes these rows with the fix of each, to be mended and imported."
        },
        State::Failed => html! {
            "Ask the vendor's support with the code; once it is mended: "
            (command(&format!("mep-batch retry {batch} --state failed{code}")))
        },
        State::Unknown => {
            html! { "Ask the vendor's support which of them were accepted, then " (command(&format!("mep-batch resolve {batch}"))) "." }
        }
        State::Skipped => skipped(cause.reason.as_deref(), batch),
        State::Cancelled => html! { "Withdrawn by an operator: nothing is to be done." },
        State::Pending | State::Sending | State::Accepted => html! {},
    }
}

fn skipped(reason: Option<&str>, batch: &str) -> Markup {
    match reason.map(str::parse::<SkipReason>) {
        Some(Ok(SkipReason::Suppressed)) => html! { "On the suppression list: never sent." },
        Some(Ok(SkipReason::Duplicate)) => html! {
            "The person is reached by another row. To send it all the same: "
            (command(&format!("mep-batch retry {batch} --state skipped --reason-is duplicate")))
        },
        Some(Ok(SkipReason::Expired)) => html! {
            "Its time had passed. To send it late, set another " code { "--not-after" } " and "
            (command(&format!("mep-batch retry {batch} --state skipped --reason-is expired")))
        },
        Some(Ok(SkipReason::AlreadySent)) | Some(Err(_)) | None => html! {
            "The same request is in another batch. To send one of these all the same: "
            (command(&format!("mep-batch retry {batch} --line N")))
        },
    }
}
