//! Which colour says what, and the texture that tells two of one colour apart.

use maud::{Markup, html};

use crate::invocation::{Outcome, State};

/// A colour by its class, and lines across it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ink {
    /// The class that fills.
    pub fill: &'static str,
    /// The class of the lines across it.
    pub texture: Option<&'static str>,
}

const fn ink(fill: &'static str, texture: Option<&'static str>) -> Ink {
    Ink { fill, texture }
}

impl From<State> for Ink {
    fn from(state: State) -> Ink {
        match state {
            State::Pending => ink("fill-pending", None),
            State::Sending => ink("fill-sending", Some("wide")),
            State::Accepted => ink("fill-accepted", None),
            State::Rejected => ink("fill-rejected", Some("dense")),
            State::Failed => ink("fill-failed", None),
            State::Unknown => ink("fill-unknown", Some("wide")),
            State::Skipped => ink("fill-skipped", Some("dense")),
            State::Cancelled => ink("fill-cancelled", None),
        }
    }
}

impl From<Outcome> for Ink {
    fn from(outcome: Outcome) -> Ink {
        match outcome {
            Outcome::Accepted => State::Accepted.into(),
            Outcome::Rejected => State::Rejected.into(),
            Outcome::Failed => State::Failed.into(),
            Outcome::Misconfigured => ink("fill-failed", Some("wide")),
            Outcome::Unknown => State::Unknown.into(),
            Outcome::Foreign => ink("fill-unknown", Some("dense")),
            Outcome::Retry => ink("fill-again", None),
            Outcome::Throttled => ink("fill-again", Some("wide")),
            Outcome::Unreached => ink("fill-unreached", Some("dense")),
            Outcome::GivenBack => ink("fill-skipped", None),
            Outcome::Skipped => State::Skipped.into(),
        }
    }
}

/// A small square of it, to stand before its name.
#[must_use]
pub fn swatch(ink: impl Into<Ink>) -> Markup {
    let ink = ink.into();
    html! {
        svg.key viewBox="0 0 12 12" aria-hidden="true" {
            rect class=(ink.fill) width="12" height="12" {}
            @if let Some(texture) = ink.texture {
                line class={ "texture " (texture) } x1="6" x2="6" y1="0" y2="12" stroke-width="12" {}
            }
        }
    }
}
