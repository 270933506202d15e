//! Whether a correction may be recorded: what it speaks of has to be in the ledger.

use crate::catalog::PUBLISHED;
use crate::index::LogIndex;
use crate::intake::error::{Blocked, RecordError};
use crate::intake::refusal::{Kind, Refusal};
use crate::log::append::AppendError;
use crate::log::identity;
use crate::log::store::Store;
use crate::spec::entry::{Entry, LEDGER_TYPE_PREFIX};
use crate::spec::json::Json;
use std::time::Duration;

/// The type of event that corrects another one.
const CORRECTED: &str = "event.corrected";

/// How long it is waited for the index of identities to have what was recorded before.
const MAX_WAIT: Duration = Duration::from_secs(2);

/// What an `event.corrected` speaks of.
pub struct Correction {
    /// Its place in the request, where that is a batch.
    place: Option<usize>,
    /// Its own identity.
    own: [u8; 16],
    /// Member of `data`, and the identity that stands there.
    named: Vec<(&'static str, [u8; 16])>,
}

impl Correction {
    /// What an event speaks of, if it is a correction that fits its schema.
    pub fn of(event: &Json<'_>, own: [u8; 16], place: Option<usize>) -> Option<Correction> {
        if event.get("type").and_then(Json::as_str) != Some(CORRECTED) {
            return None;
        }
        let data = event.get("data")?;
        let named = ["target", "replacement"].into_iter().filter_map(|name| {
            let part = |part: &str| data.get(name)?.get(part)?.as_str();
            Some((name, identity(part("source")?, part("id")?)))
        });
        Some(Correction { place, own, named: named.collect() })
    }

    fn refuse(&self, name: &str, detail: &str) -> Refusal {
        Refusal::new(Kind::Target, format!("/data/{name}"), detail).at(self.place)
    }

    /// Whether an event of the same request, before this one, has that identity.
    fn is_earlier(&self, identities: &[[u8; 16]], target: &[u8; 16]) -> bool {
        identities.iter().take(self.place.unwrap_or(0)).any(|earlier| earlier == target)
    }
}

/// Looks everything up that corrections speak of. Blocks until the index has what had been recorded. `identities` are those
/// of all events of the request.
///
/// # Errors
/// The event is not there, is the correction itself, or is one of which nothing can be taken back.
pub fn check(
    store: &Store,
    index: Option<&LogIndex>,
    corrections: &[Correction],
    identities: &[[u8; 16]],
) -> Result<(), RecordError> {
    let index = index.ok_or(Blocked::NoIndex)?;
    let mut refusals = Vec::new();
    for correction in corrections {
        if let [(_, target), (name, other)] = correction.named.as_slice()
            && target == other
        {
            refusals.push(correction.refuse(name, "an event does not replace itself"));
            continue;
        }
        for (name, target) in &correction.named {
            if *target == correction.own {
                let detail = "an event does not correct itself; name the earlier one";
                refusals.push(correction.refuse(name, detail));
            } else if !correction.is_earlier(identities, target)
                && let Some(detail) = refused(store, index, target)?
            {
                refusals.push(correction.refuse(name, detail));
            }
        }
    }
    if refusals.is_empty() { Ok(()) } else { Err(RecordError::Refused(refusals)) }
}

/// Why nothing can be said of the event with this identity, if nothing can.
fn refused(store: &Store, index: &LogIndex, target: &[u8; 16]) -> Result<Option<&'static str>, RecordError> {
    let find = || index.find(target).map_err(AppendError::Index);
    let mut found = find()?;
    if found.is_none() && index.wait_applied(store.size(), MAX_WAIT) {
        found = find()?;
    }
    let Some(seq) = found else {
        return Ok(Some("there is no event with this source and id in the ledger; post it first"));
    };
    let bytes = store.entry(seq)?;
    let entry = Entry::parse(&bytes).map_err(|error| RecordError::internal(&error))?;
    let event_type = entry.event_type();
    Ok(if event_type == PUBLISHED {
        Some("events were accepted by this publication: publish a further one instead")
    } else if event_type.starts_with(LEDGER_TYPE_PREFIX) {
        Some("the ledger's own events are not corrected")
    } else {
        None
    })
}
