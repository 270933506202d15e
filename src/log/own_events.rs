//! What the log says of itself, as actor `ledger`: that it was made, which key counts, that a copy goes on, that its clock is
//! right. These need no door: they exist before catalogue and index do. What the ledger says *of the world* is no part of
//! this, and is accepted like anybody's event.

use crate::log::append::Item;
use crate::log::names::{fingerprint_of, identity};
use crate::spec::canonical;
use crate::spec::encoding::to_base64;
use crate::spec::entry::{Draft, LEDGER_ACTOR, TYPE_CREATED, TYPE_KEY_ROTATED};
use crate::spec::json::{Json, canonical_order};
use crate::spec::merkle::Hash;
use crate::spec::note::{Signer, VerifierKey};
use crate::spec::time::Timestamp;
use std::borrow::Cow;
use std::sync::Arc;

/// The types of all of them.
pub const OWN_TYPES: [&str; 4] = [TYPE_CREATED, TYPE_KEY_ROTATED, TYPE_RESTORED, TYPE_CLOCK_CONFIRMED];
const TYPE_RESTORED: &str = "ledger.restored";
const TYPE_CLOCK_CONFIRMED: &str = "ledger.clock_confirmed";

/// A new key coming into force.
pub struct Rotation {
    /// Who decided it: an actor, or `operator` for whoever has the folder itself.
    pub by: String,
    pub signer: Arc<dyn Signer>,
    /// The commitment to the key after it.
    pub next: Option<Hash>,
    /// Until when checkpoints are signed by the old key too.
    pub overlap_until: Option<Timestamp>,
    /// The old key is lost: the new one signs alone, on the strength of the commitment made before.
    pub old_key_lost: bool,
}

/// Events of the ledger's own.
pub enum OwnEvent {
    /// Entry 0.
    Created {
        next: Option<Hash>,
    },
    KeyRotated(Rotation),
    /// This folder, a copy, goes on as the ledger.
    Restored {
        checkpoint: String,
        /// Entries that the ledger is known to have had on this host, if they are more than it has now.
        known: Option<u64>,
    },
    /// The operator says that the clock is right now.
    ClockConfirmed {
        by: String,
    },
}

impl std::fmt::Debug for OwnEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            OwnEvent::Created { .. } => "Created",
            OwnEvent::KeyRotated(_) => "KeyRotated",
            OwnEvent::Restored { .. } => "Restored",
            OwnEvent::ClockConfirmed { .. } => "ClockConfirmed",
        })
    }
}

/// Where an event of the log's own comes to stand.
pub(super) struct Place<'a> {
    pub origin: &'a str,
    pub seq: u64,
    pub time: Timestamp,
    /// What the wall clock says.
    pub wall: Timestamp,
    /// The key in force before it.
    pub key: &'a VerifierKey,
}

/// The CloudEvent of an event of the log's own.
#[must_use]
pub(super) fn own_item(event: &OwnEvent, place: &Place<'_>) -> Item {
    let (event_type, mut data) = data(event, place);
    data.sort_by(|a, b| canonical_order(&a.0, &b.0));
    // Numbered by its place, which no two share.
    let id = format!("{event_type}-{}", place.seq);
    let json = Json::object([
        ("data", Json::Object(data)),
        ("datacontenttype", Json::string("application/json")),
        ("id", Json::string(&*id)),
        ("source", Json::string(place.origin)),
        ("specversion", Json::string("1.0")),
        ("time", Json::string(place.time.to_string())),
        ("type", Json::string(event_type)),
    ]);
    let text = canonical::to_string(&json);
    Item {
        draft: Draft::new(LEDGER_ACTOR, &text, place.origin),
        identity: identity(place.origin, &id),
        fingerprint: fingerprint_of(LEDGER_ACTOR, &json, &text),
        subject: None,
        source: place.origin.into(),
        not_before: None,
    }
}

type Members = Vec<(Cow<'static, str>, Json<'static>)>;

/// The type and the `data` of an event.
fn data(event: &OwnEvent, place: &Place<'_>) -> (&'static str, Members) {
    let key = |key: &VerifierKey| ("key".into(), Json::string(key.to_string()));
    let by = |by: &String| ("by".into(), Json::string(by.clone()));
    let next = |next: &Option<Hash>| next.map(|next| ("next".into(), Json::string(to_base64(&next))));
    match event {
        OwnEvent::Created { next: commitment } => {
            let mut members = vec![
                ("format".into(), Json::Number(1.0)),
                key(place.key),
                ("origin".into(), Json::string(place.origin.to_owned())),
            ];
            members.extend(next(commitment));
            (TYPE_CREATED, members)
        }
        OwnEvent::KeyRotated(rotation) => {
            let mut members = vec![by(&rotation.by), key(rotation.signer.verifier())];
            members.extend(next(&rotation.next));
            if let Some(until) = rotation.overlap_until {
                members.push(("overlap_until".into(), Json::string(until.to_string())));
            }
            (TYPE_KEY_ROTATED, members)
        }
        OwnEvent::Restored { checkpoint, known } => {
            let mut members = vec![("checkpoint".into(), Json::string(checkpoint.clone()))];
            // Far below 2^53, where a double would no longer say it exactly.
            members.extend(known.map(|known| ("known".into(), Json::Number(known as f64))));
            (TYPE_RESTORED, members)
        }
        OwnEvent::ClockConfirmed { by: who } => {
            let clock = ("clock".into(), Json::string(place.wall.to_string()));
            (TYPE_CLOCK_CONFIRMED, vec![by(who), clock])
        }
    }
}
