//! What an act that takes two comes to.

use crate::spec::time::{MICROS_PER_DAY, Timestamp};
use serde_json::{Map, Value};

/// The type of event that confirms one.
pub(super) const CONFIRMATION: &str = "act.confirmed";

/// How long after its recording a proposal can be confirmed, in microseconds.
pub(super) const WAITS: i64 = 7 * MICROS_PER_DAY;

/// How an act of two stands at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActStanding {
    /// Nobody has confirmed it, and there is time left.
    Proposed,
    /// Another principal confirmed it.
    InEffect,
    /// Nobody confirmed it in time.
    Lapsed,
}

impl ActStanding {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ActStanding::Proposed => "proposed",
            ActStanding::InEffect => "in-effect",
            ActStanding::Lapsed => "lapsed",
        }
    }
}

/// Why a confirmation does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WhyNot {
    /// It was recorded before what it confirms.
    BeforeProposal,
    /// It has the digest of something else.
    AnotherDigest,
    /// Whoever proposed, or handed the proposal in, confirms it: by the same identifier, or by another one of the same.
    SameOne,
    /// It was recorded more than seven days after the proposal.
    TooLate,
    /// Another one had confirmed it already.
    ConfirmedBefore,
}

impl WhyNot {
    pub(super) fn word(self) -> &'static str {
        match self {
            WhyNot::BeforeProposal => "before-proposal",
            WhyNot::AnotherDigest => "another-digest",
            WhyNot::SameOne => "same-one",
            WhyNot::TooLate => "too-late",
            WhyNot::ConfirmedBefore => "confirmed-before",
        }
    }
}

/// The confirmation that decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confirmed {
    /// Its entry.
    pub seq: u64,
    /// Its place in the order of recording: the act is in effect for what is recorded after it.
    pub place: u64,
    /// When it was recorded: the act is in effect from then on.
    pub recorded_at: Timestamp,
}

/// An act of two, as known, at a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Act {
    /// How it stands.
    pub standing: ActStanding,
    /// Until when it can be confirmed.
    pub lapses_at: Timestamp,
    /// What confirmed it, also where that was recorded only after the moment.
    pub confirmed: Option<Confirmed>,
    /// What a confirmation has to say: `sha256:` and the SHA-256 of the event as recorded.
    pub(super) digest: String,
    /// It was found out later that the two who confirm it are one.
    pub(super) same_one_now: bool,
    /// Who confirmed it, and what does not count of that, as it is shown.
    pub(super) confirmations: Vec<Map<String, Value>>,
}

impl Act {
    /// As it is shown, after who proposed it.
    pub(in crate::views) fn shown(&self, mut proposal: Map<String, Value>) -> Value {
        let mut put = |name: &str, value: Value| proposal.insert(name.to_owned(), value);
        put("standing", self.standing.as_str().into());
        put("digest", self.digest.as_str().into());
        put("lapses_at", self.lapses_at.to_string().into());
        if let Some(confirmed) = &self.confirmed {
            put("confirmed_at", confirmed.recorded_at.to_string().into());
        }
        if self.same_one_now {
            put("same_one_now", true.into());
        }
        let confirmations = self.confirmations.iter().cloned().map(Value::Object);
        put("confirmations", confirmations.collect::<Vec<Value>>().into());
        Value::Object(proposal)
    }
}
