//! What is written of each request before it is answered.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use anyhow::Context;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// One received request. Times are RFC 3339; absent values are null.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Receipt<'a> {
    /// The request's number since the server's start, from 1. Lines of concurrent requests may be out of its order.
    pub(super) n: u64,
    pub(super) at: String,
    /// The path's segment after the operation's; null at any other path.
    pub(super) service_id: Option<&'a str>,
    /// The number as the body has it; null where none can be read.
    pub(super) phone_number: Option<String>,
    /// The body as it came, with U+FFFD for what is not UTF-8.
    pub(super) body: &'a str,
    /// The status of the answer; null where its head will not arrive whole.
    pub(super) status: Option<u16>,
    /// The request ID of the answer.
    pub(super) request_id: Option<&'a str>,
    pub(super) fault: Option<&'static str>,
    /// Whether the simulated service texted the person.
    pub(super) taken: bool,
}

/// The file of receipts: one line of JSON a request.
#[derive(Debug)]
pub(super) struct Receipts(File);

impl Receipts {
    /// Opens the file, or creates it for its owner alone: it holds phone numbers. Receipts are added at its end.
    ///
    /// Whoever may ask the stand-in decides what they say, so they go through no link but one of this user's own or of the
    /// system's, such as `/dev/stdout`.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let me = rustix::process::geteuid().as_raw();
        let is_ours = |link: Metadata| link.is_symlink() && (link.uid() == me || link.uid() == 0);
        let follow = fs::symlink_metadata(path).is_ok_and(is_ours);
        let flags = if follow { OFlags::empty() } else { OFlags::NOFOLLOW };
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(0o600).custom_flags(flags.bits().cast_signed());
        let file = options.open(path);
        Ok(Receipts(file.with_context(|| format!("cannot open the receipts file `{}`", path.display()))?))
    }

    /// Adds a receipt with one write, which appending makes whole among concurrent ones and needs no lock.
    ///
    /// Blocks for as long as the page cache takes; what it has is not lost when this process dies.
    pub(super) fn write(&self, receipt: &Receipt<'_>) -> io::Result<()> {
        let mut line = serde_json::to_vec(receipt)?;
        line.push(b'\n');
        let written = (&self.0).write(&line)?;
        if written == line.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }
}

/// The body's phone number, whatever else is wrong with the body.
pub(super) fn phone_number(body: &str) -> Option<String> {
    let phone = serde_json::from_str::<Body<'_>>(body).ok()?.end_user.phone_number.get();
    serde_json::from_str::<String>(phone).ok().or_else(|| {
        let is_number = phone.starts_with(|c: char| c == '-' || c.is_ascii_digit());
        is_number.then(|| phone.to_owned())
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(borrow)]
    end_user: EndUser<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EndUser<'a> {
    #[serde(borrow)]
    phone_number: &'a RawValue,
}
