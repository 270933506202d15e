//! What is said of each operation: a summary of one sentence, and everything else in the description.

use super::operations;
use serde_json::{Value, json};

/// Gives each operation a summary of one sentence.
pub fn put_in_order(api: &mut Value) {
    for operation in operations(api) {
        let text = |name: &str| operation.get(name).and_then(Value::as_str).unwrap_or_default();
        let said = [text("summary"), text("description")].join("\n\n");
        let (summary, rest) = split(said.trim());
        operation["summary"] = json!(summary);
        match (rest.is_empty(), operation.as_object_mut()) {
            (false, Some(operation)) => drop(operation.insert("description".to_owned(), json!(rest))),
            (true, Some(operation)) => drop(operation.remove("description")),
            (_, None) => {}
        }
    }
}

/// The first sentence, without the stop at its end, and what follows it.
fn split(text: &str) -> (String, String) {
    let (first, rest) = text.split_once("\n\n").unwrap_or((text, ""));
    let first = first.split_whitespace().collect::<Vec<_>>().join(" ");
    let (first, more) = first.split_once(". ").unwrap_or((&first, ""));
    let summary = first.strip_suffix('.').unwrap_or(first).to_owned();
    let rest = [more, rest].into_iter().filter(|part| !part.is_empty());
    (summary, rest.collect::<Vec<_>>().join("\n\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_one_sentence() {
        let of = |text: &str| split(text);
        assert_eq!(of("One entry."), ("One entry".into(), String::new()));
        assert_eq!(
            of("A page.\nOf rows. And\nmore.\n\nLast."),
            ("A page".into(), "Of rows. And more.\n\nLast.".into())
        );
        assert_eq!(of("An a of 1.5 things"), ("An a of 1.5 things".into(), String::new()));
    }
}
