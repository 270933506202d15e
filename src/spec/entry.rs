//! Entries: one event in the ledger (FORMATS.md section 2).

use crate::checkpoint::is_origin;
use crate::encoding::{from_base64, hash_from_base64, to_base64};
use crate::json::{Json, JsonError, MAX_EVENT_DEPTH};
use crate::merkle::Hash;
use crate::note::{Note, NoteError, VerifierKey};
use crate::strings;
use crate::time::Timestamp;
use sha2::{Digest, Sha256};
use std::fmt;

/// Bytes of the longest entry, signature lines included.
///
/// Reason: the length prefix in a bundle is a `u16` (C2SP tlog-tiles).
pub const MAX_ENTRY_BYTES: usize = 65_535;

/// Bytes of the longest `actor`.
pub const MAX_ACTOR_BYTES: usize = 255;

/// The actor of the ledger's own entries.
pub const LEDGER_ACTOR: &str = "ledger";

/// Event types that only the ledger itself may record.
pub const LEDGER_TYPE_PREFIX: &str = "ledger.";

/// Entry 0.
pub const TYPE_CREATED: &str = "ledger.created";

/// A key rotation.
pub const TYPE_KEY_ROTATED: &str = "ledger.key_rotated";

/// `prev` of entry 0.
pub const FIRST_PREV: Hash = [0; 32];

/// Why bytes are no entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryError {
    /// More bytes than [`MAX_ENTRY_BYTES`].
    TooLong,
    /// It is no signed note.
    Note(NoteError),
    /// The note's text is not exactly one line.
    NotOneLine,
    /// The text is not JSON that a ledger can carry.
    Json(JsonError),
    /// The JSON is not in the form of RFC 8785.
    NotCanonical,
    /// Not an object, or with a member that the format does not know.
    UnknownMember(String),
    /// The member of this name is not there.
    Missing(&'static str),
    /// A member's value is not of its form.
    Invalid(&'static str),
}

impl fmt::Display for EntryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EntryError::TooLong => write!(f, "longer than {MAX_ENTRY_BYTES} bytes"),
            EntryError::Note(error) => error.fmt(f),
            EntryError::NotOneLine => f.write_str("the signed text is not exactly one line"),
            EntryError::Json(error) => error.fmt(f),
            EntryError::NotCanonical => f.write_str("the JSON is not canonical (RFC 8785)"),
            EntryError::UnknownMember(name) => write!(f, "unknown member {name:?}"),
            EntryError::Missing(name) => write!(f, "member {name:?} is missing"),
            EntryError::Invalid(name) => write!(f, "member {name:?} is not of its form"),
        }
    }
}

impl std::error::Error for EntryError {}

/// An entry taken apart. Its form is checked; its signatures, its place in the chain and its key are not.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// The text with its signatures, as it was taken apart.
    pub note: Note<'a>,
    /// Who handed the event in, `app:<id>` or `user:<id>`; `ledger` for the ledger's own events.
    pub actor: String,
    /// The CloudEvent as recorded.
    pub event: Json<'a>,
    /// The ledger's origin.
    pub ledger: String,
    /// SHA-256 of the text before this one; zeros in entry 0.
    pub prev: Hash,
    /// `<name>+<8 hex key ID>` and the signature of the producer, where there is one.
    pub producer: Option<(String, Vec<u8>)>,
    /// Whether a personal part is sealed beside the event.
    pub sealed: bool,
    /// The entry's number, from 0.
    pub seq: u64,
    /// When the ledger recorded it.
    pub time: Timestamp,
}

impl<'a> Entry<'a> {
    /// Takes an entry apart, refusing everything that the format does not know.
    ///
    /// # Errors
    /// See [`EntryError`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, EntryError> {
        if bytes.len() > MAX_ENTRY_BYTES {
            return Err(EntryError::TooLong);
        }
        let note = Note::parse(bytes).map_err(EntryError::Note)?;
        let line = note.text.strip_suffix('\n').unwrap_or(note.text);
        if line.is_empty() || line.contains('\n') {
            return Err(EntryError::NotOneLine);
        }
        // The event may nest as deep as events may; it stands one level down.
        let (json, is_canonical) =
            Json::parse_telling(line, MAX_EVENT_DEPTH + 1).map_err(EntryError::Json)?;
        if !is_canonical {
            return Err(EntryError::NotCanonical);
        }
        Self::from_parts(note, json)
    }

    fn from_parts(note: Note<'a>, json: Json<'a>) -> Result<Self, EntryError> {
        let Json::Object(members) = json else {
            return Err(EntryError::Invalid("entry"));
        };
        let (mut actor, mut event, mut ledger, mut prev, mut producer) = (None, None, None, None, None);
        let (mut sealed, mut seq, mut time, mut version) = (false, None, None, None);
        for (name, value) in members {
            match &*name {
                "actor" => {
                    actor = Some(
                        value
                            .as_str()
                            .map(str::to_owned)
                            .filter(|actor| is_actor(actor))
                            .ok_or(EntryError::Invalid("actor"))?,
                    )
                }
                "event" => {
                    check_event(&value)?;
                    event = Some(value);
                }
                "ledger" => {
                    ledger = Some(
                        value
                            .as_str()
                            .map(str::to_owned)
                            .filter(|origin| is_origin(origin))
                            .ok_or(EntryError::Invalid("ledger"))?,
                    )
                }
                "prev" => {
                    prev = Some(value.as_str().and_then(hash_from_base64).ok_or(EntryError::Invalid("prev"))?)
                }
                "producer" => producer = Some(producer_of(&value).ok_or(EntryError::Invalid("producer"))?),
                "sealed" => {
                    sealed = is_sealed(&value).then_some(true).ok_or(EntryError::Invalid("sealed"))?
                }
                "seq" => seq = Some(value.as_u64().ok_or(EntryError::Invalid("seq"))?),
                "time" => {
                    time = Some(value.as_str().and_then(Timestamp::parse).ok_or(EntryError::Invalid("time"))?)
                }
                "v" => version = Some(value.as_u64().filter(|v| *v == 1).ok_or(EntryError::Invalid("v"))?),
                other => return Err(EntryError::UnknownMember(other.to_owned())),
            }
        }
        version.ok_or(EntryError::Missing("v"))?;
        Ok(Entry {
            note,
            actor: actor.ok_or(EntryError::Missing("actor"))?,
            event: event.ok_or(EntryError::Missing("event"))?,
            ledger: ledger.ok_or(EntryError::Missing("ledger"))?,
            prev: prev.ok_or(EntryError::Missing("prev"))?,
            producer,
            sealed,
            seq: seq.ok_or(EntryError::Missing("seq"))?,
            time: time.ok_or(EntryError::Missing("time"))?,
        })
    }

    /// SHA-256 of the text, newline included: `prev` of the next entry.
    #[must_use]
    pub fn text_hash(&self) -> Hash {
        text_hash(self.note.text.as_bytes())
    }

    /// A string attribute of the CloudEvent.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.event.get(name).and_then(Json::as_str)
    }

    /// The event's type; checked to be there when the entry was read.
    #[must_use]
    pub fn event_type(&self) -> &str {
        self.attribute("type").unwrap_or_default()
    }

    /// What a `ledger.created` or `ledger.key_rotated` entry says of keys.
    ///
    /// # Errors
    /// `data` is not of the form of its type.
    pub fn key_change(&self) -> Result<Option<KeyChange>, EntryError> {
        let kind = self.event_type();
        if kind != TYPE_CREATED && kind != TYPE_KEY_ROTATED {
            return Ok(None);
        }
        let data = self.event.get("data").ok_or(EntryError::Missing("data"))?;
        let key = data.get("key").and_then(Json::as_str).and_then(|vkey| VerifierKey::parse(vkey).ok());
        let key = key.filter(|key| key.name() == self.ledger).ok_or(EntryError::Invalid("data.key"))?;
        let next = match data.get("next") {
            None => None,
            Some(next) => {
                Some(next.as_str().and_then(hash_from_base64).ok_or(EntryError::Invalid("data.next"))?)
            }
        };
        if kind == TYPE_CREATED {
            if data.get("origin").and_then(Json::as_str) != Some(&self.ledger) {
                return Err(EntryError::Invalid("data.origin"));
            }
            if data.get("format").and_then(Json::as_u64) != Some(1) {
                return Err(EntryError::Invalid("data.format"));
            }
        }
        Ok(Some(KeyChange { key, next }))
    }
}

/// A ledger key coming into force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyChange {
    /// The new key, in force from the next entry on (in entry 0: from that entry on).
    pub key: VerifierKey,
    /// The commitment to the next key, `SHA-256(the next vkey)`, where one was made.
    pub next: Option<Hash>,
}

/// The commitment to a key that may come into force without the old key's signature.
#[must_use]
pub fn key_commitment(key: &VerifierKey) -> Hash {
    Sha256::digest(key.to_string()).into()
}

/// `SHA-256` of an entry's text.
#[must_use]
pub fn text_hash(text: &[u8]) -> Hash {
    Sha256::digest(text).into()
}

/// Whether a text can be an actor: `ledger`, `app:<id>` or `user:<id>`.
#[must_use]
pub fn is_actor(actor: &str) -> bool {
    let id = actor.strip_prefix("app:").or_else(|| actor.strip_prefix("user:"));
    actor.len() <= MAX_ACTOR_BYTES
        && (actor == LEDGER_ACTOR
            || id
                .is_some_and(|id| !id.is_empty() && !id.chars().any(|c| c.is_control() || c.is_whitespace())))
}

/// The least that every recorded event has (CloudEvents 1.0 §3): the four required attributes, as strings, without
/// control characters in any attribute.
fn check_event(event: &Json<'_>) -> Result<(), EntryError> {
    let members = event.as_object().ok_or(EntryError::Invalid("event"))?;
    let required = |name: &'static str, invalid| {
        let text = event.get(name).ok_or(EntryError::Missing(name))?.as_str().unwrap_or_default();
        if text.is_empty() { Err(EntryError::Invalid(invalid)) } else { Ok(()) }
    };
    if event.get("specversion").and_then(Json::as_str) != Some("1.0") {
        return Err(EntryError::Invalid("event.specversion"));
    }
    required("id", "event.id")?;
    required("source", "event.source")?;
    required("type", "event.type")?;
    let clean = members.iter().filter(|(name, _)| !name.starts_with("data")).all(|(name, value)| {
        !name.is_empty() && !value.as_str().is_some_and(|text| text.chars().any(char::is_control))
    });
    if clean { Ok(()) } else { Err(EntryError::Invalid("event")) }
}

fn producer_of(value: &Json<'_>) -> Option<(String, Vec<u8>)> {
    let members = value.as_object()?;
    let (key, sig) = (value.get("key")?.as_str()?, from_base64(value.get("sig")?.as_str()?)?);
    let (name, id) = key.rsplit_once('+')?;
    let well_formed = members.len() == 2
        && sig.len() == 64
        && crate::note::is_key_name(name)
        && crate::encoding::from_hex::<4>(id).is_some();
    well_formed.then(|| (key.to_owned(), sig))
}

/// Form of `sealed` (FORMATS.md section 7): nonce, commitment and tag are 24 + 32 + 16 bytes, the rest whole blocks.
fn is_sealed(value: &Json<'_>) -> bool {
    let box_bytes = value.get("box").and_then(Json::as_str).and_then(from_base64);
    let key = value.get("key").and_then(Json::as_str);
    value.as_object().is_some_and(|members| members.len() == 2)
        && key.is_some_and(|key| !key.is_empty())
        && box_bytes.is_some_and(|bytes| bytes.len() > 72 && (bytes.len() - 72) % 256 == 0)
}

/// The part of an entry's text that does not depend on its place in the log, made ready by the request handlers so
/// that the sequencer only fills in `prev`, `seq` and `time`.
#[derive(Clone, Debug)]
pub struct Draft {
    /// `{"actor":…,"event":…,"ledger":…,"prev":"`
    head: String,
}

impl Draft {
    /// A draft from an actor, the canonical text of the event as recorded, and the ledger's origin.
    #[must_use]
    pub fn new(actor: &str, event: &str, origin: &str) -> Self {
        let mut head = String::with_capacity(event.len() + actor.len() + origin.len() + 64);
        head.push_str("{\"actor\":");
        strings::write_string(actor, &mut head);
        head.push_str(",\"event\":");
        head.push_str(event);
        head.push_str(",\"ledger\":");
        strings::write_string(origin, &mut head);
        head.push_str(",\"prev\":\"");
        Self { head }
    }

    /// Bytes of the draft, for accounting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.head.len()
    }

    /// Never: a draft holds at least its frame.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.head.is_empty()
    }

    /// The entry's text at its place, with its final newline.
    #[must_use]
    pub fn text(&self, prev: &Hash, seq: u64, time: Timestamp) -> String {
        use std::fmt::Write as _;
        let mut text = String::with_capacity(self.head.len() + 256);
        text.push_str(&self.head);
        text.push_str(&to_base64(prev));
        let _ = writeln!(text, "\",\"seq\":{seq},\"time\":\"{time}\",\"v\":1}}");
        text
    }

    /// An upper bound of the entry's bytes with `signatures` lines by a key of this origin.
    #[must_use]
    pub fn entry_bytes(&self, origin: &str, signatures: usize) -> usize {
        // After the head: prev 44, member names and punctuation 27, seq at most 20, time 27, newline 1.
        // A signature line: dash 3, two spaces, name, base64 of 68 bytes 92, newline; one empty line before all.
        self.head.len() + 44 + 27 + 20 + 27 + 1 + 1 + signatures * (3 + 2 + origin.len() + 92 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::{SoftwareSigner, sign};

    const EVENT: &str = r#"{"data":{"a":1},"id":"1","source":"/s","specversion":"1.0","type":"t"}"#;

    fn entry_of(text: &str) -> String {
        let signer = SoftwareSigner::from_seed("log.example", &[1; 32]).unwrap();
        sign(text, &[&signer])
    }

    fn text() -> String {
        Draft::new("app:x", EVENT, "log.example").text(&FIRST_PREV, 7, Timestamp::from_micros(0).unwrap())
    }

    #[test]
    fn a_draft_in_its_place_is_an_entry() {
        let bytes = entry_of(&text());
        let entry = Entry::parse(bytes.as_bytes()).unwrap();
        assert_eq!((entry.actor.as_str(), entry.ledger.as_str(), entry.seq), ("app:x", "log.example", 7));
        assert_eq!(crate::canonical::to_string(&entry.event), EVENT);
        assert!(bytes.len() <= Draft::new("app:x", EVENT, "log.example").entry_bytes("log.example", 1));
    }

    #[test]
    fn the_bound_on_an_entrys_bytes_holds_at_the_end_of_the_numbers() {
        let draft = Draft::new("user:é\u{1F600}", EVENT, "log.example");
        let last = Timestamp::parse("9999-12-31T23:59:59.999999Z").unwrap();
        assert!(
            entry_of(&draft.text(&[255; 32], u64::MAX, last)).len() <= draft.entry_bytes("log.example", 1)
        );
    }

    #[test]
    fn what_the_format_does_not_know_is_refused() {
        let parse = |text: &str| Entry::parse(entry_of(text).as_bytes()).map(|_| ()).unwrap_err();
        let text = text();
        assert_eq!(parse(&text.replace("\"v\":1", "\"v\":1,\"w\":2")), EntryError::UnknownMember("w".into()));
        assert_eq!(parse(&text.replace("\"v\":1", "\"v\":2")), EntryError::Invalid("v"));
        assert_eq!(parse(&text.replace(",\"v\":1", "")), EntryError::Missing("v"));
        assert_eq!(parse(&text.replace("\"seq\":7", "\"seq\":7.0")), EntryError::NotCanonical);
        assert_eq!(parse(&text.replace("\"seq\":7", "\"seq\":-7")), EntryError::Invalid("seq"));
        assert_eq!(parse(&text.replace("{\"actor", "{ \"actor")), EntryError::NotCanonical);
        assert_eq!(parse(&text.replace("app:x", "mallory")), EntryError::Invalid("actor"));
        assert_eq!(parse(&text.replace("\"1.0\"", "\"0.3\"")), EntryError::Invalid("event.specversion"));
        assert_eq!(parse(&text.replace("00Z", "00+00:00")), EntryError::Invalid("time"));
        assert_eq!(parse(&format!("{text}{text}")), EntryError::NotOneLine);
        assert!(matches!(parse("[]\n"), EntryError::Invalid("entry")));
    }

    #[test]
    fn line_separators_of_other_systems_are_ordinary_characters() {
        let event = "{\"id\":\"1\",\"source\":\"/s\",\"specversion\":\"1.0\",\"subject\":\"a\u{2028}b\u{2029}c\",\"type\":\"t\"}";
        let draft = Draft::new("app:x", event, "log.example");
        let bytes = entry_of(&draft.text(&FIRST_PREV, 0, Timestamp::from_micros(0).unwrap()));
        assert!(Entry::parse(bytes.as_bytes()).is_ok());
    }
}
