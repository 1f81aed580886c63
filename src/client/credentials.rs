//! The account and its password.

use std::fmt;

use anyhow::bail;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;

/// An account ID and its password, both case-sensitive.
///
/// Of the password only the header is kept, and that is marked as sensitive: neither `Debug` nor an error shows it.
#[derive(Clone)]
pub struct Credentials {
    account: String,
    header: HeaderValue,
}

impl Credentials {
    /// Makes the header of HTTP Basic authentication.
    ///
    /// # Errors
    ///
    /// An account that is empty or has a `:`, which ends the account ID in the header.
    pub fn new(account: &str, password: &str) -> anyhow::Result<Self> {
        if account.is_empty() {
            bail!("the account ID is empty");
        }
        if account.contains(':') {
            bail!("the account ID has a `:`, which HTTP Basic authentication cannot carry");
        }
        if account.chars().chain(password.chars()).any(char::is_control) {
            bail!("the account ID or the password has a control character, such as a line feed at its end");
        }
        let encoded = STANDARD.encode(format!("{account}:{password}"));
        let mut header = HeaderValue::try_from(format!("Basic {encoded}"))?;
        header.set_sensitive(true);
        Ok(Credentials { account: account.to_owned(), header })
    }

    /// The account ID.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    pub(super) fn header(&self) -> &HeaderValue {
        &self.header
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("account", &self.account).field("password", &"…").finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_rfc_7617s() {
        let credentials = Credentials::new("Aladdin", "open sesame").unwrap();
        assert_eq!(credentials.header(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert!(credentials.header().is_sensitive());
    }

    #[test]
    fn a_password_is_never_shown() {
        let shown = format!("{:?}", Credentials::new("account", "hunter2").unwrap());
        assert_eq!(shown, r#"Credentials { account: "account", password: "…" }"#);
    }

    #[test]
    fn what_the_header_cannot_carry_is_refused() {
        for (account, password) in [("a:b", "hunter2"), ("", "hunter2"), ("a", "hunter2\n"), ("a\0", "hunter2")] {
            let told = format!("{:?}", Credentials::new(account, password).unwrap_err());
            assert!(!told.contains("hunter2"), "{told}");
        }
        assert!(Credentials::new("a", "p:q ü").is_ok());
    }
}
