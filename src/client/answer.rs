//! Reads an answer whose head came whole.

use reqwest::Response;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use super::secrets::Secrets;
use crate::invocation::Answer;
use crate::mep::{ErrorBody, REQUEST_ID_HEADER, read_error_body};

/// How much of a body is kept: the contract's errors are a few hundred bytes, a gateway's page is of use by its start.
pub const BODY_KEPT_MAX: usize = 4 * 1024;

/// The longest `X-Request-Id`; the vendor's have 23 characters. A longer one names no request, as an empty one does.
pub const REQUEST_ID_LENGTH_MAX: usize = 200;

/// The longest `Retry-After`; an HTTP date has 29 characters.
const RETRY_AFTER_LENGTH_MAX: usize = 64;

/// How much of a body is read so that its connection can be used again; past it a new connection is cheaper.
const BODY_READ_MAX: usize = 64 * 1024;

/// Reads what the contract knows of an answer.
///
/// Nothing that goes wrong with the body takes back the head. The error code and text are read only of a body that came
/// whole and is kept whole: of a part, they may be another's. What the request carried in secret is hidden in all of it.
pub(super) async fn read(mut response: Response, secrets: &Secrets) -> Answer {
    let status = response.status().as_u16();
    let request_id = text_header(response.headers(), REQUEST_ID_HEADER, REQUEST_ID_LENGTH_MAX);
    let retry_after = text_header(response.headers(), RETRY_AFTER.as_str(), RETRY_AFTER_LENGTH_MAX);
    // A secret that is cut at the end of what is kept would not be found.
    let (mut body, is_whole) = read_body(&mut response, BODY_KEPT_MAX + secrets.longest()).await;
    secrets.hide(&mut body);
    body.truncate(BODY_KEPT_MAX);
    let ErrorBody { code, message } = if is_whole { read_error_body(&body) } else { ErrorBody::default() };
    let hidden = |text: Option<String>| text.map(|text| secrets.hidden_in(text));
    Answer { status, code, message: hidden(message), request_id: hidden(request_id), retry_after, body }
}

/// The start of the body, and whether that is all of it, can be kept, and its end was seen.
async fn read_body(response: &mut Response, start_max: usize) -> (Vec<u8>, bool) {
    let mut kept = Vec::new();
    let mut length = 0_usize;
    while length < BODY_READ_MAX {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let room = start_max - kept.len();
                kept.extend_from_slice(&chunk[..chunk.len().min(room)]);
                length = length.saturating_add(chunk.len());
            }
            Ok(None) => return (kept, length <= BODY_KEPT_MAX),
            Err(_) => return (kept, false),
        }
    }
    (kept, false)
}

/// A header's text without white space around it; `None` where it is missing, empty, too long or no ASCII text.
fn text_header(headers: &HeaderMap, name: &str, length_max: usize) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    (!text.is_empty() && text.len() <= length_max).then(|| text.to_owned())
}
