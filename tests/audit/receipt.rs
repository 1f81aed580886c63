//! What the receiver wrote down of each request.

use std::path::Path;

use serde::Deserialize;

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
}

impl Receipt {
    /// The request ID of a request that was answered as accepted.
    pub(crate) fn accepted_as(&self) -> Option<&str> {
        self.request_id.as_deref().filter(|id| self.status == Some(202) && !id.is_empty())
    }
}

/// The receipts in a file; none where it is not there yet. A line that is still being written is left out.
pub(crate) fn receipts_of(file: &Path) -> Vec<Receipt> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).expect("a receipt is a line of JSON")).collect()
}
