//! How a batch is sent: stored with it, so that a bare `run` at 3 a.m. keeps to what was decided at noon.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::phone_rules::PhoneRules;
use super::schedule::Schedule;

/// The settings of one batch. Those that are left out of a stored text have their defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Requests a second; `None`: as fast as answers come.
    pub rate: Option<f64>,
    /// The first step of the backoff.
    #[serde(rename = "retryInitialMs", with = "millis")]
    pub retry_initial: Duration,
    /// Its longest step.
    #[serde(rename = "retryMaxMs", with = "millis")]
    pub retry_max: Duration,
    /// How long after a 1010 the vendor's leave to repeat is used; `None`: never, the row is held as unknown.
    #[serde(rename = "vendorRetryMs", with = "optional_millis")]
    pub vendor_retry: Option<Duration>,
    /// Whether a bare 503 is repeated: for who knows that the gateway never passes such a request on.
    #[serde(rename = "retry503")]
    pub retry_503: bool,
    /// How long after its first retry a row is still retried.
    #[serde(rename = "retryForMs", with = "millis")]
    pub retry_for: Duration,
    /// How long after the gate closed the first probe goes.
    #[serde(rename = "probeAfterMs", with = "millis")]
    pub probe_after: Duration,
    /// Unknown rows beyond which nothing is taken; `None`: the larger of 20 and 1 % of the batch.
    #[serde(rename = "maxUnknown")]
    pub unknown_max: Option<u64>,
    /// Where a value may hold `${…}`.
    pub expressions: Expressions,
    /// Whether values outside ASCII are refused.
    #[serde(rename = "asciiOnly")]
    pub ascii_only: bool,
    /// How its phone numbers were read: a row that is retried is read likewise.
    pub phones: PhoneRules,
    /// The list of numbers that are never sent to: an absolute path in UTF-8, read again at each start.
    pub suppress: Option<PathBuf>,
    /// When its rows may be sent.
    pub schedule: Schedule,
}

/// Where a value may hold `${…}`, which the platform would run as code.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expressions {
    /// Nowhere.
    #[default]
    Refused,
    /// In these variables, by name (`session.pin`), in any case.
    AllowedIn(Vec<String>),
    /// Everywhere.
    Allowed,
}

impl Expressions {
    /// Whether the variable of that name (`session.pin`) may hold an expression.
    #[must_use]
    pub fn allowed_in(&self, name: &str) -> bool {
        match self {
            Expressions::Refused => false,
            Expressions::Allowed => true,
            Expressions::AllowedIn(names) => names.iter().any(|allowed| allowed.eq_ignore_ascii_case(name)),
        }
    }

    /// Allows them in one more variable.
    pub fn allow_in(&mut self, name: String) {
        match self {
            Expressions::Refused => *self = Expressions::AllowedIn(vec![name]),
            Expressions::Allowed => {}
            Expressions::AllowedIn(names) => names.push(name),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            rate: None,
            retry_initial: Duration::from_secs(1),
            retry_max: Duration::from_secs(5 * 60),
            vendor_retry: Some(crate::mep::VENDOR_RETRY_EVERY),
            retry_503: false,
            retry_for: crate::mep::VENDOR_RETRY_FOR,
            probe_after: Duration::from_secs(60),
            unknown_max: None,
            expressions: Expressions::Refused,
            ascii_only: false,
            phones: PhoneRules::default(),
            suppress: None,
            schedule: Schedule::default(),
        }
    }
}

impl Settings {
    /// The unknown rows that a batch of that many rows may have and still be sent.
    #[must_use]
    pub fn unknown_limit(&self, rows: i64) -> i64 {
        /// Fewer than this many open questions never stop a batch.
        const AT_LEAST: i64 = 20;
        let chosen = self.unknown_max.map(|max| i64::try_from(max).unwrap_or(i64::MAX));
        chosen.unwrap_or_else(|| AT_LEAST.max(rows / 100))
    }
}

mod millis {
    //! A duration as a number of milliseconds.

    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

mod optional_millis {
    //! A duration that may be absent, as a number of milliseconds or null.

    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        duration.map(|duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_read_back_as_they_were_written() {
        let settings = Settings {
            rate: Some(2.5),
            vendor_retry: None,
            expressions: Expressions::AllowedIn(vec!["session.pin".to_owned()]),
            unknown_max: Some(0),
            suppress: Some(PathBuf::from("/srv/opt-outs.txt")),
            ..Settings::default()
        };
        let text = serde_json::to_string(&settings).expect("plain data");
        assert_eq!(serde_json::from_str::<Settings>(&text).expect("the same data"), settings);
        assert_eq!(serde_json::from_str::<Settings>("{}").expect("all defaults"), Settings::default());
    }

    #[test]
    fn expressions_are_allowed_by_name_in_any_case() {
        let mut expressions = Expressions::default();
        assert!(!expressions.allowed_in("session.pin"));
        expressions.allow_in("Session.Pin".to_owned());
        expressions.allow_in("user.x".to_owned());
        assert!(expressions.allowed_in("session.PIN") && expressions.allowed_in("user.x"));
        assert!(!expressions.allowed_in("session.pi"));
        assert!(Expressions::Allowed.allowed_in("anything"));
    }

    #[test]
    fn twenty_or_one_percent_may_be_unknown() {
        let limit = |rows| Settings::default().unknown_limit(rows);
        assert_eq!((limit(1), limit(2_000), limit(200_000)), (20, 20, 2_000));
        assert_eq!(Settings { unknown_max: Some(0), ..Settings::default() }.unknown_limit(5_000), 0);
    }
}
