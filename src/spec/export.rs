//! Exports (FORMATS.md section 9): a whole ledger as NDJSON, from its first entry to a checkpoint over exactly these.

use crate::canonical;
use crate::checkpoint::is_origin;
use crate::json::Json;
use crate::note::VerifierKey;
use crate::strings;

/// Value of the member `daybook` in the first line.
pub const EXPORT_FORMAT: &str = "export/1";

/// Bytes of the longest line: an entry in which every byte is escaped (`\u001f` is six for one), and its frame.
pub const MAX_LINE_BYTES: usize = 6 * crate::entry::MAX_ENTRY_BYTES + 64;

/// One line of an export.
// There is one header in an export; boxing its key would cost every caller and gain nothing.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// The first: which ledger, and its first key.
    Header {
        /// The key of entry 0.
        key: VerifierKey,
        /// The ledger's name.
        origin: String,
    },
    /// One entry, whole.
    Entry(String),
    /// The last.
    Checkpoint(String),
}

impl Line {
    /// The line with its newline.
    #[must_use]
    pub fn to_line(&self) -> String {
        let mut line = canonical::to_string(&match self {
            Line::Header { key, origin } => Json::object([
                ("daybook", Json::string(EXPORT_FORMAT)),
                ("key", Json::string(key.to_string())),
                ("origin", Json::string(&**origin)),
            ]),
            Line::Entry(entry) => Json::object([("entry", Json::string(&**entry))]),
            Line::Checkpoint(note) => Json::object([("checkpoint", Json::string(&**note))]),
        });
        line.push('\n');
        line
    }

    /// Reads one line without its newline; none if it is not of the form, canonical JSON included.
    #[must_use]
    pub fn parse(line: &[u8]) -> Option<Self> {
        if line.len() > MAX_LINE_BYTES {
            return None;
        }
        if let Some(entry) = Self::parse_entry(line) {
            return Some(Line::Entry(entry));
        }
        let json = Json::parse(line, 1).ok()?;
        if canonical::to_string(&json).as_bytes() != line {
            return None;
        }
        let text = |name| json.get(name).and_then(Json::as_str);
        match json.as_object()? {
            [_] => match (text("entry"), text("checkpoint")) {
                (Some(entry), None) => Some(Line::Entry(entry.to_owned())),
                (None, Some(note)) => Some(Line::Checkpoint(note.to_owned())),
                _ => None,
            },
            [_, _, _] => {
                let origin = text("origin").filter(|origin| is_origin(origin))?;
                let key = VerifierKey::parse(text("key")?).ok().filter(|key| key.name() == origin)?;
                (text("daybook")? == EXPORT_FORMAT).then(|| Line::Header { key, origin: origin.to_owned() })
            }
            _ => None,
        }
    }

    /// The short way for all lines but two: an entry's line is known by its frame, and read once.
    fn parse_entry(line: &[u8]) -> Option<String> {
        let string = std::str::from_utf8(line).ok()?.strip_prefix("{\"entry\":")?;
        let (entry, rest) = strings::read_string(string)?;
        (rest == "}").then_some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::{Signer as _, SoftwareSigner};

    #[test]
    fn lines_read_back_in_one_spelling() {
        let signer = SoftwareSigner::from_seed("log.example", &[1; 32]).unwrap();
        for line in [
            Line::Header { key: signer.verifier().clone(), origin: "log.example".into() },
            Line::Entry("{\"a\":\"\\u001f\u{2028}\"}\n\n— x y\n".into()),
            Line::Checkpoint("log.example\n1\nx\n".into()),
        ] {
            let text = line.to_line();
            let text = text.strip_suffix('\n').unwrap();
            assert_eq!(Line::parse(text.as_bytes()), Some(line));
            assert_eq!(Line::parse(text.replacen(':', ": ", 1).as_bytes()), None);
        }
        for other in
            ["", "{}", "[]", "{\"entry\":1}", "{\"note\":\"x\"}", "{\"checkpoint\":\"x\",\"entry\":\"y\"}"]
        {
            assert_eq!(Line::parse(other.as_bytes()), None, "{other}");
        }
    }
}
