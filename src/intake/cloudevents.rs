//! The three ways a CloudEvent comes in (CloudEvents 1.0, JSON format and HTTP binding), brought to the one way it is
//! recorded: the structured form.

use crate::intake::limits::MAX_BATCH_EVENTS;
use crate::intake::refusal::{Kind, Refusal};
use crate::log::is_json;
use crate::spec::encoding::to_base64;
use crate::spec::json::{Fault, Json, JsonError, MAX_EVENT_DEPTH, canonical_order};
use std::borrow::Cow;

/// How a request carries its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One event, `application/cloudevents+json` or plain `application/json`.
    Structured,
    /// A list, `application/cloudevents-batch+json`.
    Batch,
    /// Attributes in `ce-` headers, the body is the data.
    Binary,
}

impl Mode {
    /// The mode of a request: by its content type, and whether it has a `ce-specversion` header. None: another
    /// content type, or events in another format than JSON, whatever its headers say (HTTP binding §3: what begins with
    /// `application/cloudevents` is structured).
    #[must_use]
    pub fn of(content_type: Option<&str>, has_ce_headers: bool) -> Option<Self> {
        let essence =
            content_type.map(|text| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        match essence.as_deref() {
            Some("application/cloudevents-batch+json") => Some(Mode::Batch),
            Some("application/cloudevents+json") => Some(Mode::Structured),
            Some(other) if other.starts_with("application/cloudevents") => None,
            _ if has_ce_headers => Some(Mode::Binary),
            Some("application/json") => Some(Mode::Structured),
            _ => None,
        }
    }
}

fn refuse(error: &JsonError) -> Refusal {
    let next = match error.fault {
        Fault::InexactNumber(_) => "; amounts and ids of more than 15 digits belong in strings",
        Fault::DuplicateName => "; give each member once",
        Fault::LoneSurrogate => "; send whole characters",
        Fault::TooDeep => "; nest at most 64 deep",
        Fault::Syntax(_) | Fault::Utf8 => "; send one JSON text in UTF-8",
    };
    let detail = format!("{}{next} (at byte {})", error.fault, error.offset);
    Refusal::new(Kind::NotCanonical, error.pointer.clone(), detail)
}

/// One event in the structured form.
///
/// # Errors
/// The body is not JSON that the ledger can carry.
pub fn from_structured(body: &[u8]) -> Result<Json<'_>, Refusal> {
    Json::parse_incoming(body, MAX_EVENT_DEPTH).map(without_nulls).map_err(|error| refuse(&error))
}

/// JSON format §2.2: an attribute that is null is not set; the same goes for `data` (FORMATS.md section 2).
fn without_nulls(mut event: Json<'_>) -> Json<'_> {
    if let Json::Object(members) = &mut event {
        members.retain(|(_, value)| *value != Json::Null);
    }
    event
}

/// The events of a batch.
///
/// # Errors
/// The body is not a JSON list of up to 1,000 events that the ledger can carry.
pub fn from_batch(body: &[u8]) -> Result<Vec<Json<'_>>, Refusal> {
    match Json::parse_incoming(body, MAX_EVENT_DEPTH + 1).map_err(|error| refuse(&error))? {
        Json::Array(events) if events.len() > MAX_BATCH_EVENTS => Err(Refusal::new(
            Kind::TooLarge,
            "",
            format!("the batch has {} events; send at most {MAX_BATCH_EVENTS} at a time", events.len()),
        )),
        Json::Array(events) => Ok(events.into_iter().map(without_nulls).collect()),
        _ => Err(Refusal::new(Kind::NotACloudEvent, "", "a batch is a JSON list of events")),
    }
}

/// A `ce-` header without its prefix, and its value.
pub type BinaryHeader<'a> = (&'a str, &'a [u8]);

/// One event in the binary mode: attributes from headers, `data` from the body.
///
/// # Errors
/// A header that is no attribute, or a JSON body that the ledger cannot carry.
pub fn from_binary<'a>(
    headers: &[BinaryHeader<'_>],
    content_type: Option<&str>,
    body: &'a [u8],
) -> Result<Json<'a>, Refusal> {
    let mut members: Vec<(Cow<'a, str>, Json<'a>)> = Vec::new();
    for (name, value) in headers {
        let pointer = format!("/{name}");
        let bad = |detail: &str| {
            Refusal::new(Kind::NotACloudEvent, pointer.clone(), format!("header ce-{name}: {detail}"))
        };
        if matches!(*name, "data" | "data_base64" | "datacontenttype") {
            return Err(bad("the data is the body, its type is the Content-Type header"));
        }
        if members.iter().any(|(other, _)| other == name) {
            return Err(bad("occurs twice"));
        }
        let value = unquoted(value).ok_or_else(|| bad("a quotation mark without its end; send it as %22"))?;
        let text = percent_decoded(&value).ok_or_else(|| bad("not percent-encoded UTF-8"))?;
        members.push(((*name).to_owned().into(), Json::string(text)));
    }
    if !body.is_empty() {
        let content_type = content_type.unwrap_or("application/json");
        members.push(("datacontenttype".into(), Json::string(content_type.to_owned())));
        if is_json(content_type) {
            // The data stands one level below the event.
            let data = Json::parse_incoming(body, MAX_EVENT_DEPTH - 1).map_err(|mut error| {
                error.pointer = format!("/data{}", error.pointer);
                refuse(&error)
            })?;
            members.push(("data".into(), data));
        } else {
            members.push(("data_base64".into(), Json::string(to_base64(body))));
        }
    }
    members.sort_by(|a, b| canonical_order(&a.0, &b.0));
    Ok(without_nulls(Json::Object(members)))
}

/// HTTP binding §3.1.3.2, the first step: what stands between quotation marks is taken out of them, and a backslash in
/// it stands for what follows (RFC 9110 §5.6.4). None: a mark has no end.
fn unquoted(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    if !value.contains(&b'"') {
        return Some(value.into());
    }
    let (mut bytes, mut within) = (Vec::with_capacity(value.len()), false);
    let mut rest = value.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'"' => within = !within,
            b'\\' if within => bytes.push(*rest.next()?),
            other => bytes.push(*other),
        }
    }
    (!within).then_some(bytes.into())
}

/// The second step: percent-decoding, once.
fn percent_decoded(value: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.iter();
    while let Some(byte) = rest.next() {
        if *byte == b'%' {
            let high = char::from(*rest.next()?).to_digit(16)?;
            let low = char::from(*rest.next()?).to_digit(16)?;
            bytes.push((high * 16 + low) as u8);
        } else {
            bytes.push(*byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::canonical;
    use proptest::prelude::*;

    #[test]
    fn the_binary_mode_is_recorded_in_the_structured_form() {
        let headers: [BinaryHeader<'_>; 5] = [
            ("specversion", b"1.0"),
            ("id", b"1"),
            ("source", b"/s"),
            ("type", b"t"),
            ("subject", b"Euro%20%E2%82%AC"),
        ];
        let event = from_binary(&headers, Some("application/json"), b"{\"b\":1,\"a\":2}").unwrap();
        assert_eq!(
            canonical::to_string(&event),
            r#"{"data":{"a":2,"b":1},"datacontenttype":"application/json","id":"1","source":"/s","specversion":"1.0","subject":"Euro €","type":"t"}"#
        );
        let event = from_binary(&headers[..4], Some("text/plain"), b"hi").unwrap();
        assert_eq!(event.get("data_base64").and_then(Json::as_str), Some("aGk="));
        assert!(from_binary(&[("id", b"%G1")], None, b"").is_err());
        let event = from_binary(&headers[..4], None, b" null ").unwrap();
        assert!(event.get("data").is_none(), "a body that is null is no data");
        assert!(from_binary(&[("id", b"1"), ("id", b"2")], None, b"").is_err());
    }

    #[test]
    fn a_quoted_header_is_taken_out_of_its_quotes_before_it_is_decoded() {
        let subject = |value: &str| {
            let event = from_binary(&[("subject", value.as_bytes())], None, b"")?;
            Ok::<_, Refusal>(event.get("subject").and_then(Json::as_str).unwrap().to_owned())
        };
        for (header, text) in [
            ("Euro%20x", "Euro x"),
            ("\"Euro%20x\"", "Euro x"),
            ("\"a b\"", "a b"),
            ("\"say \\\"yes\\\", \\\\\"", "say \"yes\", \\"),
            ("a\\b", "a\\b"),
            ("%22a%22", "\"a\""),
            ("%2525", "%25"),
        ] {
            assert_eq!(subject(header).as_deref(), Ok(text), "{header}");
        }
        for header in ["\"a", "5\" pipe", "\"a\\\"", "%C0%A0"] {
            assert_eq!(subject(header).unwrap_err().pointer, "/subject", "{header}");
        }
    }

    #[test]
    fn what_is_null_is_not_there_but_within_data() {
        let event = from_structured(b"{\"id\":\"1\",\"subject\":null,\"data\":{\"a\":null}}").unwrap();
        assert_eq!(canonical::to_string(&event), "{\"data\":{\"a\":null},\"id\":\"1\"}");
        let events = from_batch(b"[{\"x\":null,\"data\":null}]").unwrap();
        assert_eq!(canonical::to_string(&events[0]), "{}");
        assert_eq!(from_batch(b" [ ] ").unwrap(), []);
    }

    #[test]
    fn the_mode_is_told_by_content_type_and_headers() {
        assert_eq!(
            Mode::of(Some("application/cloudevents+json; charset=utf-8"), false),
            Some(Mode::Structured)
        );
        assert_eq!(Mode::of(Some("application/cloudevents-batch+json"), true), Some(Mode::Batch));
        assert_eq!(Mode::of(Some("application/json"), true), Some(Mode::Binary));
        assert_eq!(Mode::of(Some("application/json"), false), Some(Mode::Structured));
        assert_eq!(Mode::of(Some("text/xml"), true), Some(Mode::Binary));
        for other in
            ["application/cloudevents+xml", "Application/CloudEvents-Batch+avro", "application/cloudevents"]
        {
            assert_eq!(Mode::of(Some(other), true), None, "{other}");
        }
        assert_eq!(Mode::of(Some("text/xml"), false), None);
        assert_eq!(Mode::of(None, false), None);
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_panic(value in prop::collection::vec(any::<u8>(), 0..40), body in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = from_binary(&[("id", &value)], Some("application/json"), &body);
        }
    }
}
