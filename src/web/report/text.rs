//! Texts of others in a report: escaped always, and without phone numbers unless they were asked for.

use maud::Markup;

use crate::invocation::mask_phone;
use crate::validate;
use crate::web::words;

/// Whether phone numbers are shown in full.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text {
    pub(super) reveal: bool,
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

    pub(super) fn phone(self, number: u64) -> String {
        let number = number.to_string();
        if self.reveal { number } else { mask_phone(&number) }
    }
}
