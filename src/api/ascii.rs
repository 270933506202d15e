//! JSON in headers.

/// The same JSON in characters that a header may have.
pub fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_ascii() && !character.is_ascii_control() {
            out.push(character);
        } else {
            let mut units = [0; 2];
            character
                .encode_utf16(&mut units)
                .iter()
                .for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn a_header_says_json_in_ascii() {
        let text = ascii(r#"{"a":"größe 𝄞"}"#);
        assert_eq!(text, r#"{"a":"gr\u00f6\u00dfe \ud834\udd1e"}"#);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["a"], "größe 𝄞");
    }
}
