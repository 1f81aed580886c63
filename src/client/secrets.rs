//! What no answer may bring back: the passwords that its request carried.
//!
//! A gateway's error page may repeat the request with its headers, and answers are stored and logged.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use reqwest::Url;

use super::Credentials;

/// The fewest bytes of a password that are looked for: fewer are found by chance, and texts would be torn for nothing.
const PASSWORD_BYTES_MIN: usize = 5;

/// What stands for each byte of one.
const HIDDEN: u8 = b'*';

/// The passwords of a client, as they are typed and as its requests carry them. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Secrets(Arc<[Vec<u8>]>);

impl Secrets {
    pub(super) fn of(credentials: Option<&Credentials>, proxy: Option<&Url>) -> Secrets {
        let header = credentials.map(|credentials| credentials.header().as_bytes().to_vec());
        let token = header.as_deref().and_then(|header| header.strip_prefix(b"Basic ")).map(<[u8]>::to_vec);
        let typed = token.as_ref().and_then(|token| STANDARD.decode(token).ok()).and_then(|pair| password_of(&pair));
        let proxy = proxy.and_then(|url| Some((decoded(url.username()), url.password()?)));
        let mut secrets: Vec<Vec<u8>> = token.into_iter().chain(typed).collect();
        if let Some((user, password)) = proxy {
            let plain = decoded(password);
            secrets.push(STANDARD.encode([user.as_slice(), b":", &plain].concat()).into_bytes());
            secrets.extend([password.as_bytes().to_vec(), plain]);
        }
        let in_json: Vec<Vec<u8>> = secrets.iter().filter_map(|secret| in_json(secret)).collect();
        secrets.extend(in_json);
        secrets.retain(|secret| secret.len() >= PASSWORD_BYTES_MIN);
        Secrets(secrets.into())
    }

    /// The bytes of the longest.
    pub(super) fn longest(&self) -> usize {
        self.0.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// Hides each of them where it stands, and nothing else.
    pub(super) fn hide(&self, text: &mut [u8]) {
        for secret in self.0.iter() {
            let mut start = 0;
            while let Some(at) = text[start..].windows(secret.len()).position(|window| window == secret.as_slice()) {
                text[start + at..start + at + secret.len()].fill(HIDDEN);
                start += at + secret.len();
            }
        }
    }

    /// The text without them.
    pub(super) fn hidden_in(&self, text: String) -> String {
        let mut bytes = text.into_bytes();
        self.hide(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// What stands behind the first `:`.
fn password_of(pair: &[u8]) -> Option<Vec<u8>> {
    pair.iter().position(|byte| *byte == b':').map(|colon| pair[colon + 1..].to_vec())
}

/// As it stands in a string of JSON.
fn in_json(secret: &[u8]) -> Option<Vec<u8>> {
    let json = serde_json::to_string(std::str::from_utf8(secret).ok()?).ok()?;
    json.strip_prefix('"')?.strip_suffix('"').map(|text| text.as_bytes().to_vec())
}

/// The text with its percent signs undone.
fn decoded(text: &str) -> Vec<u8> {
    percent_decode_str(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(text: &str) -> String {
        let credentials = Credentials::new("acc", "open sesame").expect("credentials");
        let proxy = Url::parse("http://ann:ge%2F%22heim@proxy.test:1").expect("a URL");
        Secrets::of(Some(&credentials), Some(&proxy)).hidden_in(text.to_owned())
    }

    #[test]
    fn a_password_is_hidden_as_it_is_typed_and_as_it_is_sent() {
        for (text, expected) in [
            (
                "<pre>Authorization: Basic YWNjOm9wZW4gc2VzYW1l</pre>",
                "<pre>Authorization: Basic ********************</pre>",
            ),
            ("acc:open sesame, acc:open sesame.", "acc:***********, acc:***********."),
            ("Proxy-Authorization: Basic YW5uOmdlLyJoZWlt", "Proxy-Authorization: Basic ****************"),
            (r#"ge/"heim, ge%2F%22heim or "ge/\"heim""#, r#"********, ************ or "*********""#),
            ("é open Sesame, acc", "é open Sesame, acc"),
        ] {
            assert_eq!(hidden(text), expected);
        }
    }

    #[test]
    fn without_passwords_nothing_is_hidden() {
        let short = Credentials::new("acc", "x").expect("credentials");
        assert_eq!(Secrets::of(Some(&short), None).hidden_in("six x".to_owned()), "six x");
        assert_eq!(Secrets::default().hidden_in("all of it".to_owned()), "all of it");
        assert_eq!(Secrets::default().longest(), 0);
    }
}
