//! What is done with events before the sequencer sees them: parse, check, look their identities up. No async here: it takes
//! the time that it takes, and the caller chooses the thread.

use crate::catalog::{CatalogHistory, PUBLISHED, to_value};
use crate::identity::Principal;
use crate::index::{Index, IndexError, LogIndex};
use crate::intake::accept::{Accepted, Rules, accept};
use crate::intake::cloudevents::{BinaryHeader, from_batch, from_binary, from_structured};
use crate::intake::corrections::Correction;
use crate::intake::error::{Later, RecordError};
use crate::intake::incoming::{Brought, Form};
use crate::intake::limits::MAX_BATCH_EVENTS;
use crate::intake::refusal::Refusal;
use crate::intake::taken::why_taken;
use crate::log::append::{AppendError, ExpectedVersion, Sources};
use crate::log::{Log, fingerprint_of};
use crate::spec::canonical;
use crate::spec::entry::Entry;
use crate::spec::json::Json;
use std::collections::HashMap;
use std::sync::Arc;

/// What events are held against, and what is asked about them.
pub struct Ground {
    pub log: Arc<Log>,
    /// None only when measuring the log alone.
    pub index: Option<Arc<LogIndex>>,
    pub catalog: Arc<CatalogHistory>,
    /// Types outside the catalogue are accepted without a schema.
    pub open_types: bool,
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
pub fn prepare(ground: &Ground, brought: &Brought) -> Result<Prepared, RecordError> {
    if let Some(why) = ground.catalog.unknown() {
        return Err(Later::CatalogUnread(why).into());
    }
    let (mut accepted, corrections, publication) = accept_all(ground, brought)?;
    // Both questions go to the same index: one that replaced it in between may know nothing yet.
    let index = match &ground.index {
        Some(index) => Some(index.now().map_err(AppendError::Index)?),
        None => None,
    };
    let failed = |error: IndexError| AppendError::Index(error.to_string());
    let expected_version = match (brought.incoming.expected_version, accepted.first()) {
        (Some(version), Some(event)) => {
            let subject = event.subject.clone().ok_or(RecordError::VersionWithoutSubject)?;
            let sources = countable(&brought.principal);
            let count = |index: &Arc<Index>| match &sources {
                None => index.version(&subject),
                Some(Sources(counts)) => {
                    index.version_of(&subject, &**counts, &|seq| source_of(&ground.log, seq))
                }
            };
            let counted = index.as_ref().map(count).transpose().map_err(failed)?;
            Some(ExpectedVersion { subject, version, sources, counted })
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
    let taken = taken(&ground.log, &accepted, &known)?;
    if !taken.is_empty() {
        let events = events(brought).map_err(RecordError::refused)?;
        return Err(why_taken((ground.log.store(), ground.index.as_deref()), brought, &events, &taken));
    }
    check_new(ground, brought, &mut accepted, &known, looked_up_at)?;
    Ok(Prepared { accepted, known, expected_version, looked_up_at, corrections, publication })
}

/// Refuses what may be in the log from before, and is not to come in anew.
fn check_new(
    ground: &Ground,
    brought: &Brought,
    accepted: &mut [Accepted],
    known: &[Option<u64>],
    looked_up_at: u64,
) -> Result<(), RecordError> {
    let mut refusals = Vec::new();
    let new = accepted.iter_mut().zip(known).enumerate().filter(|(_, (_, known))| known.is_none());
    for (place, (event, _)) in new {
        let place = brought.is_batch().then_some(place);
        refusals.extend(std::mem::take(&mut event.if_new).into_iter().map(|refusal| refusal.at(place)));
    }
    if refusals.is_empty() {
        return Ok(());
    }
    // Whether it is new is not known before the index has what there was at the start.
    if ground.index.is_some() && ground.log.waits_for_index(looked_up_at) {
        return Err(Later::IndexBehind { applied: looked_up_at, size: ground.log.store().size() }.into());
    }
    Err(RecordError::Refused(refusals))
}

/// Which sources' events an expected version counts: those that the caller may post for.
fn countable(principal: &Arc<Principal>) -> Option<Sources> {
    if principal.sources.is_empty() {
        return None;
    }
    let principal = principal.clone();
    Some(Sources(Arc::new(move |source| principal.may_post_for(source))))
}

/// The source of an entry.
fn source_of(log: &Log, seq: u64) -> Result<String, String> {
    let bytes = log.store().entry(seq).map_err(|error| error.to_string())?;
    let entry = Entry::parse(&bytes).map_err(|error| error.to_string())?;
    Ok(entry.attribute("source").unwrap_or_default().to_owned())
}

/// The events of a request, in the one form that they are recorded in.
pub(super) fn events(brought: &Brought) -> Result<Vec<Json<'_>>, Refusal> {
    let body = brought.bytes();
    match &brought.incoming.form {
        Form::Structured => Ok(vec![from_structured(body)?]),
        Form::Batch => from_batch(body),
        Form::Binary { attributes, content_type } => {
            let ce: Vec<BinaryHeader<'_>> =
                attributes.iter().map(|(name, value)| (&**name, &**value)).collect();
            Ok(vec![from_binary(&ce, content_type.as_deref(), body)?])
        }
    }
}

/// Accepted events, what they correct, and what they publish.
type AllAccepted = (Vec<Accepted>, Vec<Correction>, Option<serde_json::Value>);

fn accept_all(ground: &Ground, brought: &Brought) -> Result<AllAccepted, RecordError> {
    let catalog = ground.catalog.current();
    let rules =
        Rules { origin: ground.log.store().origin(), catalog: &catalog, open_types: ground.open_types };
    let events = events(brought).map_err(RecordError::refused)?;
    let mut accepted = Vec::with_capacity(events.len());
    let mut refusals = Vec::new();
    let (mut corrections, mut publication) = (Vec::new(), None);
    let mut identities = HashMap::new();
    for (number, event) in events.iter().enumerate() {
        let place = brought.is_batch().then_some(number);
        match accept(event, &brought.principal, &rules) {
            Ok(ok) => {
                corrections.extend(Correction::of(event, ok.item.identity, place, &events, &identities));
                identities.entry(ok.item.identity).or_insert(number);
                if ok.event_type == PUBLISHED {
                    publication = event.get("data").map(to_value);
                }
                accepted.push(ok);
            }
            Err(refused) => refusals.extend(refused.into_iter().map(|refusal| refusal.at(place))),
        }
    }
    if refusals.len() > MAX_BATCH_EVENTS {
        // Every bad event is named, if not everything that is wrong with it.
        refusals.dedup_by_key(|refusal| refusal.pointer.split('/').nth(1).map(str::to_owned));
    }
    if refusals.is_empty() {
        Ok((accepted, corrections, publication))
    } else {
        Err(RecordError::Refused(refusals))
    }
}

/// Which of the known identities are recorded with other content, or by another actor.
fn taken(log: &Log, accepted: &[Accepted], known: &[Option<u64>]) -> Result<Vec<usize>, RecordError> {
    let mut taken = Vec::new();
    for (place, (event, seq)) in accepted.iter().zip(known).enumerate() {
        let Some(seq) = *seq else { continue };
        let bytes = log.store().entry(seq)?;
        let entry = Entry::parse(&bytes).map_err(|error| RecordError::internal(&error))?;
        let recorded = fingerprint_of(&entry.actor, &entry.event, &canonical::to_string(&entry.event));
        if recorded != event.item.fingerprint {
            taken.push(place);
        }
    }
    Ok(taken)
}
