//! The address of a service.

use anyhow::{Context, bail};
use reqwest::Url;

use crate::mep::{INVOKE_PATH, ServiceId};

/// The address of one service at one endpoint: parsed once, used for every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target(Url);

impl Target {
    pub(super) fn new(base: &Url, service: &ServiceId) -> Self {
        let mut url = base.clone();
        url.set_path(&format!("{}{INVOKE_PATH}{service}", base.path().trim_end_matches('/')));
        Target(url)
    }

    /// The URL in full.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub(super) fn url(&self) -> Url {
        self.0.clone()
    }
}

/// Reads the base URL, so strictly that no request can fail for its address later.
pub(super) fn base(text: &str) -> anyhow::Result<Url> {
    let base = Url::parse(text).context("the endpoint's base URL is none; expected `https://HOST[:PORT][/PATH]`")?;
    if !matches!(base.scheme(), "http" | "https") {
        bail!("the endpoint's scheme is `{}`; expected `https`, or `http` to this machine", base.scheme());
    }
    if !base.username().is_empty() || base.password().is_some() || base.query().is_some() || base.fragment().is_some() {
        bail!("the endpoint's base URL has a user name, a password, a query or a fragment; expected none of them");
    }
    hyper::Uri::try_from(base.as_str()).context("the endpoint's base URL cannot be written into a request")?;
    Ok(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_appended_to_the_base() {
        for (start, url) in [
            (
                "https://servicemanager.openmarket.com",
                "https://servicemanager.openmarket.com/service/v1/invokeService/0A1B",
            ),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/service/v1/invokeService/0A1B"),
            ("https://h.test/a/b", "https://h.test/a/b/service/v1/invokeService/0A1B"),
        ] {
            let service = "0A1B".parse().unwrap();
            assert_eq!(Target::new(&base(start).unwrap(), &service).as_str(), url);
        }
    }

    #[test]
    fn what_is_no_base_url_is_refused() {
        for bad in [
            "",
            "h.test",
            "ftp://h.test",
            "https://",
            "https://u:hunter2@h.test",
            "https://h.test/?a",
            "https://h.test/#a",
        ] {
            let told = format!("{:?}", base(bad).unwrap_err());
            assert!(!told.contains("hunter2"), "{told}");
        }
    }
}
