//! What a header was probably meant for: suggested, and never assumed.

use strsim::osa_distance;

use crate::mep::{Bounds, Scope, is_key_char};
use crate::validate::Target;

/// What a header that maps to nothing may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::import) enum NearMiss {
    /// Another word for this target, or the same with a typing error.
    Meant(Target),
    /// A word of the operator's own, which could name this variable.
    Word(Target),
}

/// What a header may have been meant for.
pub(in crate::import) fn near_miss(header: &str, bounds: &Bounds) -> Option<NearMiss> {
    meant(header, bounds).map(NearMiss::Meant).or_else(|| word(header, bounds).map(NearMiss::Word))
}

/// Whether a header is no attempt at `SCOPE.KEY`: a dot at its end is an abbreviation's.
pub(in crate::import) fn is_bare_word(header: &str) -> bool {
    match header.trim().split_once('.') {
        None => true,
        Some((word, rest)) => rest.chars().all(|c| c == '.') && Scope::from_name(word).is_none(),
    }
}

/// The one of several names that is most like an unknown one.
pub(in crate::import) fn nearest<'a>(unknown: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let unknown = letters(unknown);
    let distance = |name: &str| osa_distance(&unknown, &letters(name));
    let near = names.map(|name| (distance(name), name)).filter(|(distance, name)| *distance <= slips(name));
    near.min().map(|(_, name)| name)
}

/// Words that people and their programs write at the head of a column, without case, spaces and marks.
const WORDS: [(Target, &str); 4] = [
    (
        Target::PhoneNumber,
        "mobile mobileno mobilenumber mobilephone mobilephonenumber cell cellno cellnumber cellphone cellphonenumber \
         phone phoneno phonenr tel telno telnr telephone telephoneno telephonenumber contactnumber smsnumber msisdn gsm \
         handy handynr handynummer mobil mobilnr mobilnummer mobiltelefon nummer rufnummer telefon telefonnr \
         telefonnummer teléfono telefono teléfonomóvil móvil movil celular número numero númerodeteléfono telemóvel \
         téléphone telephoneportable portable numéro numérodetéléphone cellulare",
    ),
    (Target::MobileOperatorId, "carrier carrierid mobilecarrier operator operatorid mobileoperator network networkid"),
    (Target::TimeZone, "timezone timezonename tz zeitzone zonahoraria fuseauhoraire"),
    (Target::ServiceId, "service serviceid mepserviceid"),
];

fn meant(header: &str, bounds: &Bounds) -> Option<Target> {
    let plain = letters(header);
    let is_word_for = |words: &str| words.split(' ').any(|word| word == plain);
    let by_word = WORDS.iter().find(|(_, words)| is_word_for(words)).map(|(target, _)| target.clone());
    by_word.or_else(|| mistyped_name(&plain)).or_else(|| mistyped_scope(header, bounds))
}

fn mistyped_name(plain: &str) -> Option<Target> {
    let known = [Target::PhoneNumber, Target::MobileOperatorId, Target::ServiceId, Target::TimeZone];
    let plain = plain.strip_prefix("enduser").unwrap_or(plain);
    known.into_iter().find(|target| {
        let name = letters(&target.name());
        osa_distance(&name, plain) <= slips(&name)
    })
}

/// `sesion.seat` and `session:seat`: the variable with its scope as it should be.
fn mistyped_scope(header: &str, bounds: &Bounds) -> Option<Target> {
    let (scope, key) = header.trim().split_once(['.', ':', '/'])?;
    let scope = nearest(scope, Scope::ALL.iter().map(|scope| scope.as_str()))?;
    Target::parse(&format!("{scope}.{key}"), bounds).ok()
}

/// A variable of the session that a word could name; its characters are those that a key may have.
fn word(header: &str, bounds: &Bounds) -> Option<Target> {
    let word = header.trim().trim_end_matches('.');
    if !is_bare_word(header) || !word.chars().any(char::is_alphabetic) {
        return None;
    }
    let key: String = word.chars().map(|c| if is_key_char(c) { c } else { '_' }).collect();
    Target::parse(&format!("session.{}", key.trim_matches(['_', '-'])), bounds).ok()
}

/// Typing errors that a word of this length may have and still be the same.
fn slips(word: &str) -> usize {
    match word.chars().count() {
        0..=3 => 0,
        4..=5 => 1,
        _ => 2,
    }
}

/// The text without what people write in one way or another: case, spaces, `_`, `-` and dots.
fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suggested(header: &str) -> String {
        match near_miss(header, &Bounds::default()) {
            Some(NearMiss::Meant(target)) => target.to_string(),
            Some(NearMiss::Word(target)) => format!("perhaps {target}"),
            None => String::new(),
        }
    }

    #[test]
    fn other_words_and_typing_errors_are_known() {
        for (header, target) in [
            ("Mobile", "phoneNumber"),
            ("Cell-phone", "phoneNumber"),
            ("Phone no.", "phoneNumber"),
            ("phone_number", "phoneNumber"),
            ("PHONENUMER", "phoneNumber"),
            ("endUser.phoneNumber", "phoneNumber"),
            ("Rufnummer", "phoneNumber"),
            ("TEL\u{c9}FONO", "phoneNumber"),
            ("Network ID", "mobileOperatorId"),
            ("tz", "timeZone"),
            ("Service-ID", "serviceId"),
            ("sesion.seat", "session.seat"),
            ("Sessions.Seat:number", "session.Seat:number"),
            ("session:seat", "session.seat"),
            ("usr.vip", "user.vip"),
        ] {
            assert_eq!(suggested(header), target, "{header}");
        }
    }

    #[test]
    fn a_word_of_the_operators_own_is_an_example_only() {
        for (header, example) in [
            ("Seat", "perhaps session.Seat"),
            ("Seat no.", "perhaps session.Seat_no"),
            ("First name", "perhaps session.First_name"),
            ("Pr\u{e4}mie (\u{20ac})", "perhaps session.Pr_mie"),
            ("and", ""),
            ("circle", ""),
            ("a.b", ""),
            ("2", ""),
            ("\u{6771}\u{4eac}", ""),
            ("", ""),
        ] {
            assert_eq!(suggested(header), example, "{header}");
        }
    }

    #[test]
    fn the_nearest_name_is_near() {
        let names = ["Mobile", "Seat no.", "Note"];
        let found = |unknown| nearest(unknown, names.into_iter());
        assert_eq!((found("mobil"), found("Seat No"), found("Nickname")), (Some("Mobile"), Some("Seat no."), None));
    }
}
