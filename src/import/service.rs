//! The one service of a file.

use crate::mep::ServiceId;
use crate::validate::Fault;

/// Compares the rows' service IDs with one another and with the operator's.
#[derive(Debug)]
pub(super) struct ServiceCheck {
    given: bool,
    id: Option<ServiceId>,
    optional: bool,
    named: bool,
}

impl ServiceCheck {
    pub(super) fn new(given: Option<ServiceId>, optional: bool) -> Self {
        ServiceCheck { given: given.is_some(), id: given, optional, named: false }
    }

    /// The service: the operator's, or the first that a row named.
    pub(super) fn id(&self) -> Option<&ServiceId> {
        self.id.as_ref()
    }

    /// Whether rows have to name it.
    pub(super) fn is_in_rows(&self) -> bool {
        !self.given && !self.optional
    }

    /// Whether a row has named one.
    pub(super) fn is_named(&self) -> bool {
        self.named
    }

    /// Holds what a row says against what is known.
    pub(super) fn check(&mut self, text: Option<&str>) -> Result<(), Fault> {
        let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
            // Where other rows name one, a row without it may belong to another service.
            return if self.given || (self.optional && self.id.is_none()) { Ok(()) } else { Err(missing()) };
        };
        self.named = true;
        match &self.id {
            Some(id) if id.as_str() == text => Ok(()),
            Some(_) if self.given => Err(Fault::new(
                "another service than `--service` gives",
                "correct the row or `--service`; one batch has one service",
            )),
            Some(_) => Err(Fault::new(
                "another service than the rows before it",
                "correct it, or put each service's rows in a file of their own; one batch has one service",
            )),
            None => {
                let id = text.parse().map_err(|_| {
                    Fault::new("no service ID: expected letters and digits", "copy it from the Services tab, column ID")
                })?;
                self.id = Some(id);
                Ok(())
            }
        }
    }
}

fn missing() -> Fault {
    Fault::new("no service ID", "fill it in, or give it for all rows with `--service`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_names_the_service_of_the_first() {
        let mut check = ServiceCheck::new(None, false);
        assert!(check.check(Some("no ID")).is_err());
        assert_eq!(check.check(Some(" 0123ABCD ")), Ok(()));
        assert_eq!(check.check(Some("0123ABCD")), Ok(()));
        assert!(check.check(Some("0123abcd")).is_err());
        assert!(check.check(Some("")).is_err());
        assert!(check.check(None).is_err());
        assert_eq!(check.id().map(ServiceId::as_str), Some("0123ABCD"));
    }

    #[test]
    fn a_given_service_serves_rows_that_name_none() {
        let mut check = ServiceCheck::new("0123ABCD".parse().ok(), false);
        assert_eq!(check.check(None), Ok(()));
        assert_eq!(check.check(Some("0123ABCD")), Ok(()));
        assert!(check.check(Some("FFFF")).is_err());
    }

    #[test]
    fn to_check_a_file_no_service_is_needed() {
        let mut check = ServiceCheck::new(None, true);
        assert_eq!(check.check(None), Ok(()));
        assert_eq!(check.check(Some("0123ABCD")), Ok(()));
        assert!(check.check(None).is_err());
    }
}
