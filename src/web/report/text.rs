//! Texts of others in a report: escaped always, and without phone numbers unless they were asked for.

use maud::{Markup, html};

use crate::invocation::mask_phone;
use crate::validate;
use crate::web::{address, words};

/// Whether phone numbers are shown in full.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct Text {
    pub(in crate::web) reveal: bool,
    pub(in crate::web) pages: Pages,
}

/// Whether each row has a page of its own to lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Pages {
    /// A page that is handed on leads nowhere.
    None,
    /// It stands beside those of the same server.
    Rows,
}

impl Text {
    /// What somebody or something else said, which may repeat a number.
    pub(super) fn said(self, text: &str) -> Markup {
        words::theirs(&self.plain(text))
    }

    /// Likewise, for a chart.
    pub(super) fn plain(self, text: &str) -> String {
        words::shown(&if self.reveal { text.to_owned() } else { validate::without_phones(text) })
    }

    /// A line of a batch.
    pub(super) fn line(self, batch: &str, line: u32) -> Markup {
        match self.pages {
            Pages::None => html! { (line) },
            Pages::Rows => html! { a href=(address::row(batch, line)) { (line) } },
        }
    }

    pub(super) fn phone(self, number: u64) -> String {
        let number = number.to_string();
        if self.reveal { number } else { mask_phone(&number) }
    }
}
