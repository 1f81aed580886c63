//! What is done about one request, decided before anything is.

use fastrand::Rng;

use super::chance::request_id;
use super::effect::{Delivery, Effect, SAME_ID, effect, pad};
use super::fault::Fault;
use super::reply::Reply;
use super::wire::Spoil;
use crate::invocation::UnixMillis;

/// What is done about a request.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) reply: Reply,
    pub(super) delivery: Delivery,
    /// Whether the simulated service texts the person.
    pub(super) taken: bool,
}

impl Plan {
    /// Decides what is done about a request, from what the contract says of it and the fault that strikes it.
    ///
    /// Where nobody could know whether the service took it, a coin decides; an invalid request is never taken.
    pub(super) fn new(verdict: Result<(), Box<Reply>>, fault: Option<Fault>, now: UnixMillis, rng: &mut Rng) -> Self {
        let deserved = match fault.map(|fault| effect(fault, now, rng)) {
            None => Effect::Merits(Delivery::Whole),
            Some(effect) => effect,
        };
        let valid = verdict.is_ok();
        let (mut reply, delivery, taken) = match deserved {
            Effect::NotTaken(reply) => (reply, Delivery::Whole, false),
            Effect::Ambiguous(reply, delivery) => (reply, delivery, rng.bool() && valid),
            Effect::Merits(delivery) => {
                let reply = match verdict {
                    Ok(()) if delivery == Delivery::SameId => Reply::accepted(SAME_ID.to_owned()),
                    Ok(()) => Reply::accepted(request_id(rng)),
                    Err(refusal) => *refusal,
                };
                (reply, delivery, valid)
            }
        };
        if delivery == Delivery::Spoiled(Spoil::CutBody) {
            reply.body = pad(&reply.body);
        }
        Plan { reply, delivery, taken }
    }

    /// The status of the answer, where its head reaches the client whole.
    pub(super) fn status(&self) -> Option<u16> {
        let arrives = match self.delivery {
            Delivery::Whole | Delivery::SameId | Delivery::PortShut => true,
            Delivery::Never => false,
            Delivery::Spoiled(Spoil::CutBody | Spoil::EarlyHints) => true,
            Delivery::Spoiled(Spoil::Reset | Spoil::Close | Spoil::CutHead | Spoil::Garbage) => false,
        };
        arrives.then_some(self.reply.status.as_u16())
    }
}
