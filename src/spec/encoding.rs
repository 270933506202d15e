//! Base64 (RFC 4648 §4, canonical) and lower-case hexadecimal, the two ways bytes become text here.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Standard, padded base64.
#[must_use]
pub fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Reads standard, padded base64, refusing everything but its one canonical spelling: the engine checks the
/// padding and that the trailing bits are zero, and knows no white space.
#[must_use]
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// A 32-byte hash in canonical base64.
#[must_use]
pub fn hash_from_base64(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    // 44 characters is the only length that 32 bytes have; checked first so that nothing longer is decoded.
    (text.len() == 44 && STANDARD.decode_slice(text, &mut hash).ok()? == 32).then_some(hash)
}

/// Lower-case hexadecimal.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// Reads exactly `N` bytes of lower-case hexadecimal.
#[must_use]
pub fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != N * 2 {
        return None;
    }
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(digits.as_chunks().0) {
        *byte = value(*high)? << 4 | value(*low)?;
    }
    Some(bytes)
}

/// A decimal without sign or leading zeros: the only spelling of a size or an index in C2SP texts.
#[must_use]
pub fn from_decimal(text: &str) -> Option<u64> {
    let canonical = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    canonical.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_has_one_spelling() {
        assert_eq!(from_base64("AAE=").as_deref(), Some(&[0, 1][..]));
        for other in ["AAE", "AAF=", "AAE= ", "AA\nE=", "AAE=="] {
            assert_eq!(from_base64(other), None, "{other:?}");
        }
    }

    #[test]
    fn decimals_have_one_spelling() {
        assert_eq!(from_decimal("0"), Some(0));
        assert_eq!(from_decimal("18446744073709551615"), Some(u64::MAX));
        for other in ["", "00", "01", "+1", "-1", " 1", "18446744073709551616"] {
            assert_eq!(from_decimal(other), None, "{other:?}");
        }
    }

    #[test]
    fn hex_is_lower_case() {
        assert_eq!(from_hex::<2>("00ff"), Some([0, 255]));
        assert_eq!(to_hex(&[0, 255]), "00ff");
        assert_eq!(from_hex::<2>("00FF"), None);
        assert_eq!(from_hex::<2>("00f"), None);
    }
}
