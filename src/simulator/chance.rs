//! The chance of one request.

use fastrand::Rng;

/// Where all draws come from: a request's depend on the seed and its number, not on what runs beside it.
#[derive(Debug)]
pub(super) struct Chance {
    seed: u64,
}

impl Chance {
    /// The same draws for the same seed; without one, those of no other start.
    pub(super) fn new(seed: Option<u64>) -> Self {
        Chance { seed: seed.unwrap_or_else(|| fastrand::u64(..)) }
    }

    pub(super) fn of_request(&self, number: u64) -> Rng {
        // The finalizer of SplitMix64: neighbouring numbers must not give neighbouring states.
        let mut state = self.seed.wrapping_add(number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Rng::with_seed(state ^ (state >> 31))
    }
}

/// Groups of a request ID, and the characters of each.
const ID_GROUPS: usize = 4;
const ID_GROUP_LENGTH: usize = 5;
const ID_ALPHABET: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// A request ID in the vendor's form, such as `7EYYG-EF3XM-5LSQ5-ILR73`.
pub(super) fn request_id(rng: &mut Rng) -> String {
    let mut id = String::with_capacity(ID_GROUPS * (ID_GROUP_LENGTH + 1));
    for group in 0..ID_GROUPS {
        if group > 0 {
            id.push('-');
        }
        id.extend((0..ID_GROUP_LENGTH).map(|_| char::from(ID_ALPHABET[rng.usize(..ID_ALPHABET.len())])));
    }
    id
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn request_ids_have_the_vendors_form_and_do_not_repeat() {
        let chance = Chance::new(Some(1));
        let ids: HashSet<_> = (0..10_000).map(|number| request_id(&mut chance.of_request(number))).collect();
        assert_eq!(ids.len(), 10_000);
        for id in ids {
            let groups: Vec<_> = id.split('-').collect();
            assert_eq!(groups.len(), 4, "{id}");
            let well_formed = |group: &&str| group.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
            assert!(groups.iter().all(|group| group.len() == 5) && groups.iter().all(well_formed), "{id}");
        }
    }
}
