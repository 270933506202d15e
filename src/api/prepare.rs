//! What is done with posted events before the sequencer sees them: parse, check, look their identities up. No async
//! here: it takes the time that it takes, and the caller chooses the thread.

use crate::api::corrections::Correction;
use crate::catalog::{PUBLISHED, to_value};
use crate::identity::Principal;
use crate::index::IndexError;
use crate::intake::{
    Accepted, MAX_BATCH_EVENTS, Mode, Refusal, Rules, accept, from_batch, from_binary, from_structured,
};
use crate::log::append::{AppendError, ExpectedVersion};
use crate::log::fingerprint;
use crate::spec::canonical;
use crate::spec::entry::Entry;
use crate::web::body::Body;
use crate::web::{Problem, ProblemType, Service};
use std::sync::Arc;

/// A request to record events, out of the hands of the HTTP server.
pub struct Incoming {
    pub principal: Arc<Principal>,
    pub mode: Mode,
    pub content_type: Option<String>,
    /// Names, without `ce-`, and values of the attributes of an event in the binary mode.
    pub attributes: Vec<(String, Vec<u8>)>,
    pub body: Body,
}

/// Events that may be recorded, and what the index knows of them.
pub struct Prepared {
    pub accepted: Vec<Accepted>,
    /// For each, the entry that it is recorded in already.
    pub known: Vec<Option<u64>>,
    pub expected_version: Option<ExpectedVersion>,
    /// How many entries the index had when it was asked.
    pub looked_up_at: u64,
    /// What is corrected.
    pub corrections: Vec<Correction>,
    /// The `data` of a publication of the catalogue, if there is one.
    pub publication: Option<serde_json::Value>,
}

/// Parses and checks all events of a request and looks them up.
///
/// # Errors
/// What is wrong with them, or an identity that is recorded with other content.
pub fn prepare(service: &Service, incoming: &Incoming, expected: Option<u64>) -> Result<Prepared, Problem> {
    if let Some(why) = service.catalog.unknown() {
        let detail = format!("events cannot be held against the catalogue yet: {why}; send this again soon");
        return Err(Problem::new(ProblemType::Starting, detail));
    }
    let (accepted, corrections, publication) = accept_all(service, incoming)?;
    // Both questions go to the same index: one that replaced it in between may know nothing yet.
    let index = match &service.index {
        Some(index) => Some(index.now().map_err(|why| Problem::append(&AppendError::Index(why)))?),
        None => None,
    };
    let failed = |error: IndexError| Problem::append(&AppendError::Index(error.to_string()));
    let expected_version = match (expected, accepted.first()) {
        (Some(version), Some(event)) => {
            let subject = event.subject.clone().ok_or_else(|| {
                let detail = "Daybook-Expected-Version counts the events of a subject; the event has none";
                Problem::new(ProblemType::Unprocessable, detail).at("/subject")
            })?;
            let counted = index.as_ref().map(|index| index.version(&subject)).transpose().map_err(failed)?;
            Some(ExpectedVersion { subject, version, counted })
        }
        _ => None,
    };
    // Order matters: first how far the index is, then what it knows. What it learns in between is looked at twice,
    // never not at all.
    let looked_up_at = index.as_ref().map_or(u64::MAX, |index| index.applied());
    let mut known = Vec::with_capacity(accepted.len());
    for event in &accepted {
        known.push(match &index {
            Some(index) => index.find(&event.item.identity).map_err(failed)?,
            None => None,
        });
    }
    let conflicts = conflicts(service, &accepted, &known)?;
    if !conflicts.is_empty() {
        return Err(Problem::conflict(&conflicts, incoming.mode == Mode::Batch));
    }
    Ok(Prepared { accepted, known, expected_version, looked_up_at, corrections, publication })
}

/// Accepted events, what they correct, and what they publish.
type AllAccepted = (Vec<Accepted>, Vec<Correction>, Option<serde_json::Value>);

fn accept_all(service: &Service, incoming: &Incoming) -> Result<AllAccepted, Problem> {
    let Incoming { principal, mode, content_type, attributes, body } = incoming;
    let (mode, body) = (*mode, &body.bytes[..]);
    let catalog = service.catalog.current();
    let rules = Rules {
        origin: service.log.store().origin(),
        catalog: &catalog,
        open_types: service.settings.open_types,
    };
    let one = |refusal: Refusal| Problem::refused(&[refusal]);
    let events = match mode {
        Mode::Structured => vec![from_structured(body).map_err(one)?],
        Mode::Batch => from_batch(body).map_err(one)?,
        Mode::Binary => {
            let ce: Vec<(&str, &[u8])> = attributes.iter().map(|(name, value)| (&**name, &**value)).collect();
            vec![from_binary(&ce, content_type.as_deref(), body).map_err(one)?]
        }
    };
    let mut accepted = Vec::with_capacity(events.len());
    let mut refusals = Vec::new();
    let (mut corrections, mut publication) = (Vec::new(), None);
    for (place, event) in events.iter().enumerate() {
        match accept(event, principal, &rules) {
            Ok(ok) => {
                let place = (mode == Mode::Batch).then_some(place);
                corrections.extend(Correction::of(event, ok.item.identity, place));
                if ok.kind == PUBLISHED {
                    publication = event.get("data").map(to_value);
                }
                accepted.push(ok);
            }
            Err(refused) if mode == Mode::Batch => {
                refusals.extend(refused.into_iter().map(|refusal| refusal.within(place)));
            }
            Err(refused) => refusals = refused,
        }
    }
    if refusals.len() > MAX_BATCH_EVENTS {
        // Every bad event is named, if not everything that is wrong with it.
        refusals.dedup_by_key(|refusal| refusal.pointer.split('/').nth(1).map(str::to_owned));
    }
    if refusals.is_empty() {
        Ok((accepted, corrections, publication))
    } else {
        Err(Problem::refused(&refusals))
    }
}

/// Which of the known identities are recorded with other content, or by another actor.
fn conflicts(service: &Service, accepted: &[Accepted], known: &[Option<u64>]) -> Result<Vec<usize>, Problem> {
    let mut conflicts = Vec::new();
    for (place, (event, seq)) in accepted.iter().zip(known).enumerate() {
        let Some(seq) = *seq else { continue };
        let bytes = service.log.store().entry(seq)?;
        let entry = Entry::parse(&bytes).map_err(|error| Problem::internal(&error))?;
        if fingerprint(&entry.actor, &canonical::to_string(&entry.event)) != event.item.fingerprint {
            conflicts.push(place);
        }
    }
    Ok(conflicts)
}
