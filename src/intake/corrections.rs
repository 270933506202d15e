//! Whether a correction may be recorded: what it speaks of has to be in the ledger, and it has to be able to have an effect.
//!
//! What stands in the log for ever is looked at here: of what type an event is, and what it is about. Whether a correction
//! is in force depends on others, and is for the views to say.

use crate::catalog::{Catalog, PUBLISHED, to_value};
use crate::identity::{Principal, Role};
use crate::index::LogIndex;
use crate::intake::authority::{CORRECTED, foreign};
use crate::intake::error::{Blocked, RecordError};
use crate::intake::refusal::{Kind, Refusal};
use crate::log::append::AppendError;
use crate::log::identity;
use crate::log::store::Store;
use crate::spec::entry::{Entry, LEDGER_TYPE_PREFIX};
use crate::spec::json::Json;
use serde_json::Value;
use std::collections::HashMap;
use std::time::Duration;

/// How long it is waited for the index of identities to have what was recorded before.
const MAX_WAIT: Duration = Duration::from_secs(2);

/// What an `event.corrected` speaks of.
pub struct Correction {
    /// Its place in the request, where that is a batch.
    place: Option<usize>,
    /// Its own identity.
    own: [u8; 16],
    /// Another event takes the target's place.
    replaces: bool,
    /// And may be about another row.
    rekeyed: bool,
    /// Member of `data`, and the identity that stands there.
    named: Vec<(&'static str, [u8; 16])>,
    /// Of these, what stands in the same request, before this one.
    earlier: HashMap<[u8; 16], Told>,
}

/// An event that a correction speaks of.
struct Told {
    event_type: String,
    data: Value,
}

impl Told {
    fn of(event: &Json<'_>) -> Told {
        let event_type = event.get("type").and_then(Json::as_str).unwrap_or_default().to_owned();
        Told { event_type, data: event.get("data").map(to_value).unwrap_or_default() }
    }

    fn corrects(&self) -> bool {
        self.event_type == CORRECTED
    }

    /// The source that its target has, and its target's identity, where it is a correction.
    fn target(&self) -> Option<(&str, [u8; 16])> {
        let part = |part: &str| self.data.get("target")?.get(part)?.as_str();
        let (source, id) = (part("source")?, part("id")?);
        self.corrects().then(|| (source, identity(source, id)))
    }
}

impl Correction {
    /// What an event speaks of, if it is a correction that fits its schema. `earlier` are the events of the same request
    /// before it, and `identities` theirs.
    pub fn of(
        event: &Json<'_>,
        own: [u8; 16],
        place: Option<usize>,
        earlier: &[Json<'_>],
        identities: &HashMap<[u8; 16], usize>,
    ) -> Option<Correction> {
        if event.get("type").and_then(Json::as_str) != Some(CORRECTED) {
            return None;
        }
        let data = event.get("data")?;
        let named = ["target", "replacement"].into_iter().filter_map(|name| {
            let part = |part: &str| data.get(name)?.get(part)?.as_str();
            Some((name, identity(part("source")?, part("id")?)))
        });
        let named: Vec<_> = named.collect();
        let mut correction = Correction {
            place,
            own,
            replaces: data.get("kind").and_then(Json::as_str) == Some("replace"),
            rekeyed: matches!(data.get("rekeyed"), Some(Json::Bool(true))),
            named,
            earlier: HashMap::new(),
        };
        let find = |identity: &[u8; 16]| {
            identities.get(identity).and_then(|place| earlier.get(*place)).map(Told::of)
        };
        // What is corrected may be a correction itself: then its target is looked at too.
        let mut wanted: Vec<[u8; 16]> = correction.named.iter().map(|(_, identity)| *identity).collect();
        while let Some(identity) = wanted.pop() {
            if correction.earlier.len() <= MAX_STEPS
                && let Some(told) = find(&identity)
            {
                wanted.extend(told.target().map(|(_, target)| target));
                correction.earlier.insert(identity, told);
            }
        }
        Some(correction)
    }

    fn refuse(&self, kind: Kind, name: &str, detail: &str) -> Refusal {
        Refusal::new(kind, format!("/data/{name}"), detail).at(self.place)
    }
}

/// Events of a request that are looked at for one correction of it: its target and its replacement, and what those correct.
const MAX_STEPS: usize = 4;

/// What corrections are held against.
pub struct Looked<'a> {
    pub store: &'a Store,
    pub index: Option<&'a LogIndex>,
    pub catalog: &'a Catalog,
    pub principal: &'a Principal,
}

/// Looks everything up that corrections speak of. Blocks until the index has what had been recorded.
///
/// # Errors
/// The event is not there, is the correction itself, or is one of which nothing can be taken back; or the correction could
/// not count, whatever else is recorded.
pub fn check(looked: &Looked<'_>, corrections: &[Correction]) -> Result<(), RecordError> {
    let index = looked.index.ok_or(Blocked::NoIndex)?;
    let mut refusals = Vec::new();
    for correction in corrections {
        // One that is in the log is not judged again, by whatever rules it came in.
        if index.find(&correction.own).map_err(AppendError::Index)?.is_none() {
            refusals.extend(looked.refused(index, correction)?);
        }
    }
    if refusals.is_empty() { Ok(()) } else { Err(RecordError::Refused(refusals)) }
}

impl Looked<'_> {
    fn refused(&self, index: &LogIndex, correction: &Correction) -> Result<Vec<Refusal>, RecordError> {
        if let [(_, target), (name, other)] = correction.named.as_slice()
            && target == other
        {
            return Ok(vec![correction.refuse(Kind::Target, name, "an event does not replace itself")]);
        }
        let (mut told, mut refusals) = (Vec::new(), Vec::new());
        for (name, target) in &correction.named {
            if *target == correction.own {
                let detail = "an event does not correct itself; name the earlier one";
                refusals.push(correction.refuse(Kind::Target, name, detail));
                continue;
            }
            match self.find(index, correction, target)? {
                None => {
                    let detail = "there is no event with this source and id in the ledger; post it first";
                    refusals.push(correction.refuse(Kind::Target, name, detail));
                }
                Some(event) => match never_corrected(&event.event_type) {
                    Some(detail) => refusals.push(correction.refuse(Kind::Target, name, detail)),
                    None => told.push(event),
                },
            }
        }
        if refusals.is_empty()
            && let Some((target, rest)) = told.split_first()
        {
            refusals.extend(self.without_effect(index, correction, target, rest.first())?);
        }
        Ok(refusals)
    }

    /// Why a correction of what is there could have no effect, if it could not.
    fn without_effect(
        &self,
        index: &LogIndex,
        correction: &Correction,
        target: &Told,
        replacement: Option<&Told>,
    ) -> Result<Option<Refusal>, RecordError> {
        let refuse = |name: &str, detail: &str| Some(correction.refuse(Kind::Correction, name, detail));
        if let Some((source, identity)) = target.target() {
            if !self.principal.has(Role::Corrector) && !self.principal.may_post_for(source) {
                return Ok(Some(
                    foreign("/data/target", self.principal, Role::Corrector).at(correction.place),
                ));
            }
            if correction.replaces {
                return Ok(refuse(
                    "kind",
                    "a correction is not replaced; annul it, and make another of the event",
                ));
            }
            let corrected = self.find(index, correction, &identity)?;
            if corrected.is_some_and(|event| event.corrects()) {
                let detail =
                    "this takes a correction back, and is not taken back itself; correct the event anew";
                return Ok(refuse("target", detail));
            }
        }
        let Some(replacement) = replacement else { return Ok(None) };
        if replacement.event_type != target.event_type {
            let detail = "what takes an event's place is of the same type; annul the event, and post what really happened";
            return Ok(refuse("replacement", detail));
        }
        let same = self.catalog.same_row(&target.event_type, &target.data, &replacement.data);
        if same == Some(false) && !correction.rekeyed {
            let detail = "this is about another row than the target; where the target named the wrong one, say `rekeyed`";
            return Ok(refuse("replacement", detail));
        }
        Ok(None)
    }

    /// The event with this identity, in the same request or in the ledger.
    fn find(
        &self,
        index: &LogIndex,
        correction: &Correction,
        target: &[u8; 16],
    ) -> Result<Option<Told>, RecordError> {
        if let Some(Told { event_type, data }) = correction.earlier.get(target) {
            return Ok(Some(Told { event_type: event_type.clone(), data: data.clone() }));
        }
        let find = || index.find(target).map_err(AppendError::Index);
        let mut found = find()?;
        if found.is_none() && index.wait_applied(self.store.size(), MAX_WAIT) {
            found = find()?;
        }
        let Some(seq) = found else { return Ok(None) };
        let bytes = self.store.entry(seq)?;
        let entry = Entry::parse(&bytes).map_err(|error| RecordError::internal(&error))?;
        Ok(Some(Told::of(&entry.event)))
    }
}

/// Why nothing can be said of events of this type, if nothing can.
fn never_corrected(event_type: &str) -> Option<&'static str> {
    if event_type == PUBLISHED {
        Some("events were accepted by this publication: publish a further one instead")
    } else if event_type.starts_with(LEDGER_TYPE_PREFIX) {
        Some("the ledger's own events are not corrected")
    } else {
        None
    }
}
