//! The cleaner of phone numbers: whatever it takes is a number that is sent as it is, and that stood in the text.

use mep_batch::invocation::{National, PhoneRules, mask_phone};
use mep_batch::validate::{Rules, check_body, clean_phone, is_phone};

/// The first byte chooses the rules, the others are the text.
pub(crate) fn hold(data: &[u8]) {
    let Some((choice, text)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(text);
    let rules = rules(*choice);
    assert_eq!(is_phone(&text), clean_phone(&text, &PhoneRules::default()).is_ok());
    let phone = match clean_phone(&text, &rules) {
        Ok(phone) => phone,
        Err(fault) => {
            assert!(!fault.reason.is_empty() && !fault.fix.is_empty());
            return;
        }
    };
    let digits = phone.number.to_string();
    assert!((6..=16).contains(&digits.len()), "{digits}");
    assert!(rules.allow(phone.number), "{digits} is of a country that is left out");

    let written: String = text.chars().filter(char::is_ascii_digit).collect();
    let code = rules.national.filter(|_| phone.completed).map_or(String::new(), |national| national.code.to_string());
    let own = digits.strip_prefix(&code).expect("a completed number begins with its country's code");
    assert!(written.contains(own), "{own} does not stand in {written}");
    assert!(phone.cleaned || *text == *own, "{text} is more than {own}");

    let any = PhoneRules::default();
    let again = clean_phone(&digits, &any).expect("a clean number is one");
    assert_eq!((again.number, again.cleaned, again.completed), (phone.number, false, false));
    let whole = clean_phone(&format!("+{digits}"), &rules).expect("nor does a plus change it");
    assert_eq!((whole.number, whole.completed), (phone.number, false));

    let body = format!(r#"{{"endUser":{{"phoneNumber":{digits}}}}}"#);
    let checked = check_body(&body, &Rules { phones: rules, ..Rules::default() });
    assert_eq!(checked, Ok(phone.number), "what is imported can be sent");
    assert!(!mask_phone(&digits).contains(&digits));
}

fn rules(choice: u8) -> PhoneRules {
    let national = |code: &str, length: &str| {
        let (code, length) = (code.parse().expect("a code"), length.parse().expect("a length"));
        Some(National { code, length })
    };
    PhoneRules {
        national: match choice & 3 {
            1 => national("1", "10"),
            2 => national("49", "11"),
            3 => national("353", "4"),
            _ => None,
        },
        only_countries: match choice >> 2 & 3 {
            1 => vec!["1".parse().expect("a code")],
            2 => vec!["49".parse().expect("a code"), "353".parse().expect("a code")],
            _ => Vec::new(),
        },
    }
}
