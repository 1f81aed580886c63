//! What the receiver wrote down of each request.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

/// One received request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Receipt {
    pub(crate) n: u64,
    /// When it came, as RFC 3339.
    pub(crate) at: String,
    pub(crate) service_id: Option<String>,
    pub(crate) phone_number: Option<String>,
    pub(crate) body: String,
    pub(crate) status: Option<u16>,
    pub(crate) request_id: Option<String>,
    /// What the receiver did on purpose, by its word for it.
    #[serde(default)]
    pub(crate) fault: Option<String>,
}

/// What an answer lets the sender do, as the contract has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// 1010, or a 503 where the operator says that such a request is never passed on: send it again.
    Repeat,
    /// 429: send it again later.
    Wait,
    /// The service took nothing from this sender, or not at this address: no row is at fault.
    Refused,
    /// Nothing of the kind.
    Other,
}

/// What the operator made of answers, in any settings that a batch ever had.
#[derive(Debug, Default)]
pub(super) struct Leave {
    repeats_1010: bool,
    repeats_503: bool,
}

impl Leave {
    pub(super) fn extend<'a>(&mut self, settings: impl IntoIterator<Item = &'a Value>) {
        for settings in settings {
            self.repeats_1010 |= !settings["vendorRetryMs"].is_null();
            self.repeats_503 |= settings["retry503"] == true;
        }
    }
}

impl Receipt {
    /// The request ID of a request that was answered as accepted.
    pub(crate) fn accepted_as(&self) -> Option<&str> {
        self.request_id.as_deref().filter(|id| self.status == Some(202) && !id.trim().is_empty())
    }

    /// What the answer lets the sender do. What its head did not say nobody was told.
    pub(super) fn word(&self, leave: &Leave) -> Word {
        let fault = self.fault.as_deref().unwrap_or_default();
        match (self.status, fault) {
            (Some(500 | 503), "1010" | "1010-503") if leave.repeats_1010 => Word::Repeat,
            (Some(500 | 503), "1010" | "1010-503") | (Some(402..=428), "12002" | "12002-404") => Word::Other,
            (Some(503), _) if leave.repeats_503 => Word::Repeat,
            (_, "12001" | "12003") => Word::Refused,
            (Some(429), _) => Word::Wait,
            (Some(300..=302 | 304..=399 | 401 | 403..=407 | 415), _) => Word::Refused,
            _ => Word::Other,
        }
    }

    /// The receiver's answer in words.
    pub(super) fn said(&self) -> String {
        let status = self.status.map_or("nothing whole".to_owned(), |status| status.to_string());
        self.fault.as_ref().map_or(status.clone(), |fault| format!("{status} ({fault})"))
    }
}

/// The receipts in a file; none where it is not there yet. A line that is still being written is left out.
pub(crate) fn receipts_of(file: &Path) -> Vec<Receipt> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).expect("a receipt is a line of JSON")).collect()
}
