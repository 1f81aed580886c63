//! Rows of a mended file that nobody mended.
//!
//! Most of what a row is refused for shows in the row itself. That its number stands in another row does not: alone in
//! a file of their own, rows that were refused for it would pass, and text their people a second time.

use super::judgement::{COLLISION_FIX, same_number, says_number_repeats};
use crate::validate::{Draft, Fault, Problem};

/// What is wrong with a row that was refused for its number, by the reason that was written beside it, and still has it.
pub(super) fn unmended(draft: &Draft<'_>, reason: Option<&str>) -> Option<Problem> {
    let (phone, reason) = (draft.phone()?, reason?);
    says_number_repeats(reason, phone).then(|| {
        // The number is named again, so that a second file of refused rows holds it back as the first did.
        let reason = format!("the row still {} as another one had that was in its file", same_number(phone));
        Fault::new(reason, COLLISION_FIX).at("phoneNumber", None)
    })
}
