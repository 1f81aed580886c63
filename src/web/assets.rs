//! The style and the script, in the program itself. Their names hold their content's hash, so that browsers keep them for good.

use std::sync::LazyLock;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::headers::FOR_GOOD;
use super::layout::STYLE;

/// Digits of a hash in a name.
const HASH_DIGITS: usize = 16;

const SCRIPT: &str = include_str!("live.js");

/// Something that pages load.
struct Asset {
    path: String,
    kind: &'static str,
    text: &'static str,
}

static ASSETS: LazyLock<[Asset; 2]> = LazyLock::new(|| {
    [
        asset("style", "css", "text/css; charset=utf-8", STYLE),
        asset("live", "js", "text/javascript; charset=utf-8", SCRIPT),
    ]
});

fn asset(name: &str, ending: &str, kind: &'static str, text: &'static str) -> Asset {
    let hash: String = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    Asset { path: format!("/assets/{name}-{}.{ending}", &hash[..HASH_DIGITS]), kind, text }
}

/// Where the style is.
pub(super) fn style() -> &'static str {
    &ASSETS[0].path
}

/// Where the script is.
pub(super) fn script() -> &'static str {
    &ASSETS[1].path
}

/// What is at that path; `None`: nothing.
pub(super) fn at(path: &str) -> Option<Response> {
    let asset = ASSETS.iter().find(|asset| asset.path == path)?;
    let headers = [(CONTENT_TYPE, asset.kind), (CACHE_CONTROL, FOR_GOOD)];
    Some((headers, asset.text).into_response())
}
