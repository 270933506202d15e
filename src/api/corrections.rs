//! Whether a correction may be recorded: what it speaks of has to be in the ledger.

use crate::catalog::PUBLISHED;
use crate::intake::{Kind, Refusal};
use crate::log::append::AppendError;
use crate::log::identity;
use crate::spec::entry::{Entry, LEDGER_TYPE_PREFIX};
use crate::spec::json::Json;
use crate::web::{Problem, ProblemType, Service};
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
}

/// Looks everything up that corrections speak of. Blocks until the index has what had been recorded.
///
/// # Errors
/// 422: the event is not there, is the correction itself, or is one of which nothing can be taken back.
pub fn check(service: &Service, corrections: &[Correction], earlier: &[[u8; 16]]) -> Result<(), Problem> {
    let Some(index) = &service.index else {
        let detail = "without an index the ledger cannot tell whether the event that is corrected is there";
        return Err(Problem::new(ProblemType::IndexUnavailable, detail));
    };
    let mut refusals = Vec::new();
    for Correction { place, own, named } in corrections {
        if let [(_, target), (name, other)] = named.as_slice()
            && target == other
        {
            let refusal =
                Refusal::new(Kind::Target, format!("/data/{name}"), "an event does not replace itself");
            refusals.push(match place {
                Some(place) => refusal.within(*place),
                None => refusal,
            });
            continue;
        }
        for (name, target) in named {
            let mut refuse = |detail: &str| {
                let refusal = Refusal::new(Kind::Target, format!("/data/{name}"), detail);
                refusals.push(match place {
                    Some(place) => refusal.within(*place),
                    None => refusal,
                });
            };
            if target == own {
                refuse("an event does not correct itself; name the earlier one");
                continue;
            }
            let before = earlier.iter().take(place.unwrap_or(0)).any(|known| known == target);
            if before {
                continue;
            }
            let find = || index.find(target).map_err(|why| Problem::append(&AppendError::Index(why)));
            let mut found = find()?;
            if found.is_none() && index.wait_applied(service.log.store().size(), MAX_WAIT) {
                found = find()?;
            }
            let Some(seq) = found else {
                refuse("there is no event with this source and id in the ledger; post it first");
                continue;
            };
            let bytes = service.log.store().entry(seq)?;
            let entry = Entry::parse(&bytes).map_err(|error| Problem::internal(&error))?;
            let kind = entry.event_type();
            if kind == PUBLISHED {
                refuse("events were accepted by this publication: publish a further one instead");
            } else if kind.starts_with(LEDGER_TYPE_PREFIX) {
                refuse("the ledger's own events are not corrected");
            }
        }
    }
    if refusals.is_empty() { Ok(()) } else { Err(Problem::refused(&refusals)) }
}
