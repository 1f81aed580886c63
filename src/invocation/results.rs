//! The names of what came of a row, wherever it is written down.

/// What follows a row's own values in results and in lists, in this order.
pub const RESULT_COLUMNS: [&str; 10] =
    ["line", "state", "requestId", "httpStatus", "code", "message", "refusedBy", "attempts", "sentAt", "finishedAt"];
