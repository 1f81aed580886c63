//! Numbers that are never sent to.

use std::sync::Arc;

/// The numbers of a suppression list, sorted: 8 bytes each. Clones share them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Suppressed(Arc<Vec<u64>>);

impl Suppressed {
    /// A list of these numbers, in any order and as often as they come.
    #[must_use]
    pub fn new(mut numbers: Vec<u64>) -> Self {
        numbers.sort_unstable();
        numbers.dedup();
        Suppressed(Arc::new(numbers))
    }

    /// Whether the number is never sent to.
    #[must_use]
    pub fn contains(&self, number: u64) -> bool {
        self.0.binary_search(&number).is_ok()
    }

    /// The numbers, each once, in ascending order.
    #[must_use]
    pub fn numbers(&self) -> &[u64] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_wherever_it_stood_in_the_list() {
        let list = Suppressed::new(vec![3, 1, 2, 3]);
        assert_eq!(list.numbers(), [1, 2, 3]);
        assert!(list.contains(1) && list.contains(3) && !list.contains(4));
        assert!(!Suppressed::default().contains(0));
    }
}
