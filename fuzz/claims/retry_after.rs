//! The reader of `Retry-After`: whatever it says, the wait has an end, and is as long as it says up to that.

use std::time::Duration;

use mep_batch::invocation::{Effect, State};
use mep_batch::retry::{Policy, RETRY_AFTER_MAX, retry_after};

use super::settled::{NOW, millis, settled, throttled};

/// The first byte is the chance of the backoff, the others are the header.
pub(crate) fn hold(data: &[u8]) {
    let Some((chance, text)) = data.split_first() else { return };
    let (chance, text) = (f64::from(*chance) / 256.0, String::from_utf8_lossy(text));
    let asked = retry_after(&text, NOW);
    assert_eq!(retry_after(&format!(" {text}\t"), NOW), asked, "space around it");
    if let Ok(seconds) = text.parse::<u32>()
        && !text.starts_with('+')
    {
        assert_eq!(asked, Some(Duration::from_secs(seconds.into())), "{text}");
    }
    let later = retry_after(&text, NOW.after(Duration::from_secs(60)));
    assert_eq!(later.is_some(), asked.is_some(), "what is a date now is one a minute later");
    assert!(
        later <= asked
            && later.unwrap_or_default().saturating_add(Duration::from_secs(60)) >= asked.unwrap_or_default()
    );

    let policy = Policy { retry_503: true, ..Policy::default() };
    for status in [429, 503] {
        let (settlement, effect) = settled(throttled(status, &text), &policy, chance);
        let delay_ms = settlement.due_at.0 - NOW.0;
        assert_eq!(settlement.state, State::Pending);
        match asked {
            Some(asked) if !asked.is_zero() => assert_eq!(delay_ms, millis(asked.min(RETRY_AFTER_MAX)), "{text}"),
            Some(_) | None => assert!(delay_ms <= millis(policy.max), "the backoff's {delay_ms} ms"),
        }
        let closes_for = match effect {
            Effect::Throttle(closed) => Some(millis(closed)),
            Effect::None | Effect::Unreachable | Effect::Ambiguous | Effect::Stop(_) => None,
        };
        assert_eq!(closes_for, (status == 429).then_some(delay_ms));
    }
}
