//! Whether an `Authorization` header is well-formed HTTP Basic (RFC 7617). Which account it names is of no interest.

/// Whether it is `Basic` and the padded base64 of an account and a password with a colon between them.
pub(super) fn is_basic(header: &[u8]) -> bool {
    let Some((scheme, credentials)) = header.split_at_checked("Basic ".len()) else {
        return false;
    };
    scheme.eq_ignore_ascii_case(b"Basic ")
        && decode_base64(credentials).is_some_and(|decoded| {
            decoded.contains(&b':') && std::str::from_utf8(&decoded).is_ok_and(|text| !text.contains(char::is_control))
        })
}

fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    if text.is_empty() || !text.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    let mut decoded = Vec::with_capacity(text.len() / 4 * 3);
    for group in text[..text.len() - padding].chunks(4) {
        let bits = group.iter().try_fold(0_u32, |bits, byte| Some((bits << 6) | sextet(*byte)?))?;
        // A short last group is moved up to where a full one has its bits.
        let [_, bytes @ ..] = (bits << (6 * (4 - group.len()))).to_be_bytes();
        decoded.extend_from_slice(&bytes[..group.len() - 1]);
    }
    Some(decoded)
}

fn sextet(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded_at_each_padding() {
        assert_eq!(decode_base64(b"YTpi").as_deref(), Some(b"a:b".as_slice()));
        assert_eq!(decode_base64(b"YTpiYw==").as_deref(), Some(b"a:bc".as_slice()));
        assert_eq!(decode_base64(b"YTpiY2Q=").as_deref(), Some(b"a:bcd".as_slice()));
    }

    #[test]
    fn only_base64_of_an_account_and_a_password_is_basic() {
        assert!(is_basic(b"Basic YTpi"));
        assert!(is_basic(b"basic YTo="));
        for bad in
            ["", "Basic", "Basic ", "Basic YTp", "Basic YWI=", "Basic YTpi=", "Basic ====", "Bearer YTpi", "YTpi"]
        {
            assert!(!is_basic(bad.as_bytes()), "{bad}");
        }
    }
}
