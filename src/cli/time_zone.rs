//! The names of time zones as people type them.

use strsim::osa_distance;

use crate::invocation::time_zone;

/// Typing errors that a name may have and still be the one that was meant.
const SLIPS_MAX: usize = 3;

/// The zone of that name, as the database of zones spells it.
pub(super) fn parse(text: &str) -> Result<String, String> {
    match time_zone(text).as_ref().and_then(|zone| zone.iana_name()) {
        Some(name) => Ok(name.to_owned()),
        None => {
            let hint =
                nearest(text).map_or("a zone is a continent and a city, as in `Europe/Berlin`".to_owned(), meant);
            Err(format!("`{text}` is no time zone\nhint: {hint}"))
        }
    }
}

fn meant(name: String) -> String {
    format!("did you mean `{name}`?")
}

/// The zone whose name is most like the one that was typed: spelled like it, or its city.
pub(super) fn nearest(text: &str) -> Option<String> {
    let typed = plain(text);
    let names = jiff::tz::db().available().map(|name| name.as_str().to_owned());
    let near = names.map(|name| {
        let city = name.rsplit('/').next().map(plain).unwrap_or_default();
        let distance = if city == typed { 0 } else { osa_distance(&plain(&name), &typed) };
        (distance, name)
    });
    let slips = SLIPS_MAX.min(typed.chars().count() / 3);
    near.filter(|(distance, _)| *distance <= slips).min().map(|(_, name)| name)
}

/// The name without what people write in one way or another.
fn plain(name: &str) -> String {
    name.trim().to_lowercase().replace([' ', '-'], "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_has_the_spelling_of_the_database_and_a_typing_error_a_suggestion() {
        assert_eq!(parse("europe/berlin"), Ok("Europe/Berlin".to_owned()));
        assert_eq!(parse("UTC"), Ok("UTC".to_owned()));
        for (typed, meant) in [
            ("Europe/Berln", "Europe/Berlin"),
            ("Berlin", "Europe/Berlin"),
            ("America/New York", "America/New_York"),
            ("america/newyork", "America/New_York"),
        ] {
            let told = parse(typed).expect_err("a typing error");
            assert!(told.contains(&format!("did you mean `{meant}`?")), "{told}");
        }
        for unlike in ["Middle/Earth", "x", ""] {
            assert!(parse(unlike).is_err_and(|told| told.contains("continent and a city")), "{unlike}");
        }
    }
}
