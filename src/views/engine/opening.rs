//! Whose row it is: which of the events that would open a row opens it, and what becomes of the others.

use super::row::{Row, RowEvent};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The field of a row that lists openings which say something else than the one that counts.
pub const CONFLICTS: &str = "conflicts";
/// The field of a row that lists openings which say the same again.
const CONFIRMATIONS: &str = "confirmations";
/// The field of a row that says how many of either there are, once there are more than are listed.
const CONFLICTS_TOTAL: &str = "conflicts_total";
const CONFIRMATIONS_TOTAL: &str = "confirmations_total";

/// What a fold remembers of the openings: short names for what each says, the one that counts first.
const OPENING: &str = "opening";

/// Conflicts, and confirmations, of one row that are listed; beyond, they are counted.
///
/// Reason: one is enough to make somebody look; all are in the history.
const MAX_LISTED: usize = 32;

/// How often an event of a type may open the same row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// It opens no row.
    None,
    /// The first one recorded opens the row. Later ones of its source touch nothing: they are shown as conflicts, or as
    /// confirmations where they say the same. Another source has a row of its own.
    Once,
    /// As [`Opening::Once`], but what has ended can be opened again.
    OnceUntilEnd,
    /// Each is the row's next version. Of a source that never wrote the row it is a conflict.
    Renews,
    /// Each is one more stretch of its own, of whichever source.
    Beside,
    /// Each may begin a round. Another source has a row of its own.
    Rounds,
}

impl Opening {
    /// Whether the first one recorded decides, whichever was done first.
    #[must_use]
    pub fn is_once(self) -> bool {
        matches!(self, Opening::Once | Opening::OnceUntilEnd)
    }

    /// Whether another source that opens the same id has a row of its own.
    #[must_use]
    pub fn is_of_one_source(self) -> bool {
        self.is_once() || self == Opening::Rounds
    }
}

/// Whether an event, which opens rows so, does something to its row; otherwise it is noted as a conflict or a confirmation.
pub(super) fn admits(opening: Opening, row: &mut Row, event: &RowEvent) -> bool {
    if opening == Opening::None {
        return true;
    }
    if row.source.is_none() {
        row.source = Some(event.source.clone());
        if opening.is_once() {
            row.memo.insert(OPENING.to_owned(), vec![told_digest(&event.data)].into());
        }
        return true;
    }
    let told_again = match opening {
        Opening::Once => true,
        Opening::OnceUntilEnd => !row.ended,
        Opening::Renews => row.source.as_deref() != Some(&event.source),
        Opening::None | Opening::Beside | Opening::Rounds => false,
    };
    if told_again {
        let says = Value::from(told_digest(&event.data));
        let said = row.memo.entry(OPENING).or_insert_with(|| Value::Array(Vec::new()));
        let same = said.as_array().is_some_and(|said| said.contains(&says));
        if let Some(said) = said.as_array_mut().filter(|said| !same && said.len() < MAX_LISTED) {
            said.push(says);
        }
        note(row, event, same);
    }
    !told_again
}

/// Notes an opening that does nothing: as a confirmation where it says the same, else as a conflict.
fn note(row: &mut Row, event: &RowEvent, same: bool) {
    let (list, total) =
        if same { (CONFIRMATIONS, CONFIRMATIONS_TOTAL) } else { (CONFLICTS, CONFLICTS_TOTAL) };
    let mut told = event.told();
    told.insert("seq".to_owned(), event.seq.into());
    told.insert("source".to_owned(), event.source.as_str().into());
    told.insert("id".to_owned(), event.id.as_str().into());
    let listed = row.list(list);
    if listed.len() < MAX_LISTED {
        listed.push(Value::Object(told));
        return;
    }
    let before = row.value(total).and_then(Value::as_u64).unwrap_or(MAX_LISTED as u64);
    row.set(total, before + 1);
}

/// A short name for what an event says. Recorded members are in one order, so that equal data have equal texts.
pub(in crate::views) fn told_digest(data: &Value) -> u64 {
    let hash: [u8; 32] = Sha256::digest(data.to_string()).into();
    // 32 bytes have a first 8; half of them are enough for a number that JSON readers keep.
    hash.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes) >> 12)
}
