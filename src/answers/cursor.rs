//! Opaque cursors. They hold where to go on and which query they belong to, so that a cursor of another query is
//! refused instead of answering nonsense.

use super::error::AnswerError;
use crate::spec::encoding::{from_hex, to_hex};
use crate::spec::time::Timestamp;
use crate::views::engine::{Part, Place};
use sha2::{Digest as _, Sha256};

/// First byte of a cursor; another layout gets another.
const VERSION: u8 = 1;

/// First byte of a cursor into a list of rows.
const PLACE_VERSION: u8 = 2;

/// First byte of a cursor into a list of rows that is sorted part by part.
const PART_VERSION: u8 = 4;

/// First byte of a cursor into a list in the order of names.
const NAME_VERSION: u8 = 3;

/// The cursor for going on at `seq` with a query.
#[must_use]
pub fn encode(query: &str, seq: u64) -> String {
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(&seq.to_be_bytes());
    bytes.extend_from_slice(&digest(query));
    to_hex(&bytes)
}

/// Where a cursor of this query goes on.
///
/// # Errors
/// Not a cursor, or one of another query.
pub fn decode(query: &str, cursor: &str) -> Result<u64, AnswerError> {
    let read = || {
        let bytes = from_hex::<13>(cursor)?;
        let ([VERSION], rest) = bytes.split_first_chunk()? else { return None };
        let (seq, of) = rest.split_first_chunk()?;
        (of == digest(query)).then(|| u64::from_be_bytes(*seq))
    };
    read().ok_or(AnswerError::Cursor)
}

/// The cursor for going on after a row.
#[must_use]
pub fn encode_place(query: &str, place: Place) -> String {
    let Place { date, number, part } = place;
    let mut bytes = vec![if part == Part::WHOLE { PLACE_VERSION } else { PART_VERSION }];
    bytes.extend_from_slice(&date.micros().to_be_bytes());
    bytes.extend_from_slice(&number.to_be_bytes());
    if part != Part::WHOLE {
        bytes.extend_from_slice(&part.from.to_be_bytes());
        bytes.extend_from_slice(&part.to.to_be_bytes());
    }
    bytes.extend_from_slice(&digest(query));
    to_hex(&bytes)
}

/// Where a cursor of this query goes on.
///
/// # Errors
/// Not a cursor, or one of another query.
pub fn decode_place(query: &str, cursor: &str) -> Result<Place, AnswerError> {
    let place = |bytes: &[u8], version: u8| {
        let (first, rest) = bytes.split_first()?;
        let (date, rest) = rest.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        let (part, of) = rest.split_last_chunk().map(|(part, of)| (part, *of))?;
        let date = Timestamp::from_micros(i64::from_be_bytes(*date))?;
        let place = Place { date, ..Place::numbered(u64::from_be_bytes(*number)) };
        (*first == version && of == digest(query)).then(|| (place, part.to_vec()))
    };
    let read = || {
        if let Some(bytes) = from_hex::<21>(cursor) {
            return place(&bytes, PLACE_VERSION).map(|(place, _)| place);
        }
        let (place, part) = place(&from_hex::<37>(cursor)?, PART_VERSION)?;
        let (from, to) = part.split_first_chunk()?;
        let (from, to) = (u64::from_be_bytes(*from), u64::from_be_bytes(*to.first_chunk()?));
        Some(Place { part: Part { from, to }, ..place })
    };
    read().ok_or(AnswerError::Cursor)
}

/// The cursor for going on after a name.
#[must_use]
pub fn encode_name(query: &str, name: &str) -> String {
    let mut bytes = vec![NAME_VERSION];
    bytes.extend_from_slice(&digest(query));
    bytes.extend_from_slice(name.as_bytes());
    to_hex(&bytes)
}

/// After which name a cursor of this query goes on.
///
/// # Errors
/// Not a cursor, or one of another query.
pub fn decode_name(query: &str, cursor: &str) -> Result<String, AnswerError> {
    let read = || {
        let (head, name) = cursor.split_at_checked(10)?;
        let head = from_hex::<5>(head)?;
        let ([NAME_VERSION], of) = head.split_first_chunk()? else { return None };
        if of != digest(query) {
            return None;
        }
        let byte = |at: usize| from_hex::<1>(name.get(at..at + 2)?).map(|[byte]| byte);
        let bytes: Option<Vec<u8>> = (0..name.len()).step_by(2).map(byte).collect();
        String::from_utf8(bytes?).ok()
    };
    read().ok_or(AnswerError::Cursor)
}

/// Which query a cursor belongs to.
fn digest(query: &str) -> [u8; 4] {
    let [a, b, c, d, ..] = <[u8; 32]>::from(Sha256::digest(query));
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_belongs_to_its_query() {
        let cursor = encode("type=a", u64::MAX);
        assert_eq!(decode("type=a", &cursor).ok(), Some(u64::MAX));
        assert!(decode("type=b", &cursor).is_err());
        assert!(decode("type=a", "").is_err());
        assert!(decode("type=a", &cursor[2..]).is_err());
        let date = Timestamp::EPOCH.saturating_add(-7);
        for part in [Part::WHOLE, Part { from: 0, to: 7 }, Part { from: 7, to: u64::MAX }] {
            let place = Place { date, number: u64::MAX, part };
            let cursor = encode_place("state=open", place);
            assert_eq!(decode_place("state=open", &cursor).ok(), Some(place));
            assert!(decode_place("state=shut", &cursor).is_err());
            assert!(decode_place("state=open", &cursor[..cursor.len() - 2]).is_err());
        }
        let cursor = encode_place("state=open", Place { date, ..Place::numbered(u64::MAX) });
        assert!(decode("state=open", &cursor).is_err());
        let cursor = encode_name("all", "/bänk/x");
        assert_eq!(decode_name("all", &cursor).ok().as_deref(), Some("/bänk/x"));
        assert!(decode_name("some", &cursor).is_err());
        assert!(decode_name("all", &cursor[..cursor.len() - 1]).is_err());
        assert!(decode_name("all", "é").is_err());
    }
}
