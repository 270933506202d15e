//! Opaque cursors. They hold where to go on and which query they belong to, so that a cursor of another query is
//! refused instead of answering nonsense.

use crate::spec::encoding::{from_hex, to_hex};
use crate::spec::time::Timestamp;
use crate::views::engine::Place;
use crate::web::{Problem, ProblemType};
use sha2::{Digest as _, Sha256};

/// First byte of a cursor; another layout gets another.
const VERSION: u8 = 1;

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
/// 400: not a cursor, or one of another query.
pub fn decode(query: &str, cursor: &str) -> Result<u64, Problem> {
    let bytes = from_hex::<13>(cursor).filter(|bytes| bytes[0] == VERSION && bytes[9..] == digest(query));
    let bytes = bytes.ok_or_else(other_query)?;
    Ok(bytes[1..9].iter().fold(0, |seq, byte| seq << 8 | u64::from(*byte)))
}

/// First byte of a cursor into a list of rows.
const PLACE_VERSION: u8 = 2;

/// The cursor for going on after a row.
#[must_use]
pub fn encode_place(query: &str, place: Place) -> String {
    let mut bytes = vec![PLACE_VERSION];
    bytes.extend_from_slice(&place.date.micros().to_be_bytes());
    bytes.extend_from_slice(&place.number.to_be_bytes());
    bytes.extend_from_slice(&digest(query));
    to_hex(&bytes)
}

/// Where a cursor of this query goes on.
///
/// # Errors
/// 400: not a cursor, or one of another query.
pub fn decode_place(query: &str, cursor: &str) -> Result<Place, Problem> {
    let bytes =
        from_hex::<21>(cursor).filter(|bytes| bytes[0] == PLACE_VERSION && bytes[17..] == digest(query));
    let bytes = bytes.ok_or_else(other_query)?;
    let number = |from: usize| bytes[from..from + 8].iter().fold(0, |n, byte| n << 8 | u64::from(*byte));
    let date = Timestamp::from_micros(number(1) as i64).ok_or_else(other_query)?;
    Ok(Place { date, number: number(9) })
}

/// First byte of a cursor into a list in the order of names.
const NAME_VERSION: u8 = 3;

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
/// 400: not a cursor, or one of another query.
pub fn decode_name(query: &str, cursor: &str) -> Result<String, Problem> {
    let read = || {
        let (head, name) = cursor.split_at_checked(10)?;
        from_hex::<5>(head).filter(|head| head[0] == NAME_VERSION && head[1..] == digest(query))?;
        let bytes = (0..name.len()).step_by(2).map(|at| Some(from_hex::<1>(name.get(at..at + 2)?)?[0]));
        String::from_utf8(bytes.collect::<Option<Vec<u8>>>()?).ok()
    };
    read().ok_or_else(other_query)
}

fn other_query() -> Problem {
    Problem::new(
        ProblemType::BadCursor,
        "a cursor goes with the same filters that it was given for; start again without one",
    )
}

fn digest(query: &str) -> [u8; 4] {
    let hash = Sha256::digest(query);
    [hash[0], hash[1], hash[2], hash[3]]
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
        let place = Place { date: Timestamp::EPOCH.saturating_add(-7), number: u64::MAX };
        let cursor = encode_place("state=open", place);
        assert_eq!(decode_place("state=open", &cursor).ok(), Some(place));
        assert!(decode_place("state=shut", &cursor).is_err());
        assert!(decode("state=open", &cursor).is_err());
        let cursor = encode_name("all", "/bänk/x");
        assert_eq!(decode_name("all", &cursor).ok().as_deref(), Some("/bänk/x"));
        assert!(decode_name("some", &cursor).is_err());
        assert!(decode_name("all", &cursor[..cursor.len() - 1]).is_err());
        assert!(decode_name("all", "é").is_err());
    }
}
