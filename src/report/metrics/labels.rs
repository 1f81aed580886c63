//! The values of labels: few, known beforehand, and nobody's number or text.

use crate::mep::{self, Endpoint};
use crate::store::ClosedBecause;

/// The contract's codes, which are told apart; all others are one.
pub(super) const CODES: [u32; 5] =
    [mep::PERMANENT_ERROR, mep::TEMPORARY_ERROR, mep::ROLE_NOT_ALLOWED, mep::INVALID_CONTENT, mep::METHOD_NOT_ALLOWED];

/// What stands for a code in a table of figures.
pub(super) const CODE_LABELS: [&str; CODES.len() + 2] = ["none", "other", "1000", "1010", "12001", "12002", "12003"];

/// The place of a code among the [`CODE_LABELS`].
pub(super) fn code_place(code: Option<u32>) -> usize {
    match code {
        None => 0,
        Some(code) => CODES.iter().position(|known| *known == code).map_or(1, |place| place + 2),
    }
}

/// Why a gate is closed.
pub(super) const GATE_REASONS: [ClosedBecause; 3] =
    [ClosedBecause::Throttled, ClosedBecause::Unreachable, ClosedBecause::Ambiguous];

/// Where a batch is sent: a known name, or the host (and port) of its base URL.
pub(super) fn endpoint_label(endpoint: &Endpoint) -> String {
    let Endpoint::Url(url) = endpoint else { return endpoint.to_string() };
    let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_of_the_contract_has_its_label_and_all_others_are_one() {
        for (place, code) in CODES.iter().enumerate() {
            assert_eq!(CODE_LABELS[place + 2], code.to_string());
            assert_eq!(code_place(Some(*code)), place + 2);
        }
        assert_eq!(
            [None, Some(7), Some(12_515_550)].map(|code| CODE_LABELS[code_place(code)]),
            ["none", "other", "other"]
        );
    }

    #[test]
    fn an_endpoint_is_named_by_its_host_and_never_by_a_user_or_a_path() {
        let url = |url: &str| endpoint_label(&Endpoint::Url(url.to_owned()));
        assert_eq!(url("https://ann:secret@example.test:8443/key/x?y"), "example.test:8443");
        assert_eq!(url("http://[::1]:9"), "[::1]:9");
        assert_eq!(endpoint_label(&Endpoint::Production), "production");
    }
}
