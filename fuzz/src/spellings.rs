//! The small texts that larger ones are made of: each has one spelling.

use daybook::spec::note::VerifierKey;
use daybook::spec::time::Timestamp;
use daybook::spec::{encoding, layout, strings};

/// Whatever is accepted prints to the same text.
pub fn check(data: &[u8]) {
    if let Ok(slot) = data.try_into()
        && let Some(head) = layout::Head::from_slot(slot)
    {
        assert_eq!(&head.to_slot(), slot);
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Some(time) = Timestamp::parse(text) {
        assert_eq!(time.to_string(), text);
        assert_eq!(Timestamp::from_micros(time.micros()), Some(time));
    }
    if let Ok(key) = VerifierKey::parse(text) {
        assert_eq!(key.to_string(), text);
        assert_eq!(VerifierKey::new(key.name(), key.public_key()).ok(), Some(key));
    }
    if let Some(bytes) = encoding::from_base64(text) {
        assert_eq!(encoding::to_base64(&bytes), text);
    }
    if let Some(hash) = encoding::hash_from_base64(text) {
        assert_eq!(encoding::to_base64(&hash), text);
    }
    if let Some(bytes) = encoding::from_hex::<4>(text) {
        assert_eq!(encoding::to_hex(&bytes), text);
    }
    if let Some(number) = encoding::from_decimal(text) {
        assert_eq!(number.to_string(), text);
    }
    if let Some((string, rest)) = strings::read_string(text) {
        let mut printed = String::new();
        strings::write_string(&string, &mut printed);
        assert_eq!(printed + rest, text);
    }
    let mut quoted = String::new();
    strings::write_string(text, &mut quoted);
    assert_eq!(strings::read_string(&quoted), Some((text.to_owned(), "")));
    assert_eq!(serde_json::from_str::<String>(&quoted).ok().as_deref(), Some(text));
}
