//! How an act that takes two stands: who confirmed it, and whether that is somebody else.
//!
//! All of it is decided by the order of recording: a confirmation counts by what was recorded before it. So there is no
//! circle, although that two identifiers are one is an act of two itself: whether it is in effect is asked only of what was
//! confirmed before.

use super::act::{Act, ActStanding, CONFIRMATION, Confirmed, WAITS, WhyNot};
use super::listed::{ANY, CONFIRMS, SAME, SAME_AS, proposal};
use crate::spec::time::Timestamp;
use crate::views::engine::error::Result;
use crate::views::engine::judging::Beside;
use crate::views::engine::row::RowEvent;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Identifiers that are looked at to find out whether two are one.
///
/// Reason: each is a list that is read. More are nobody's names; beyond, what is known of the first ones counts.
const MAX_NAMES: usize = 256;

/// Confirmations of one act that are shown.
///
/// Reason: the one that counts, and enough others to make somebody look; all are in the log.
const MAX_SHOWN: usize = 32;

/// How the act that this event proposes stands at a moment, by what is known.
///
/// # Errors
/// The store or the log failed.
pub fn act_of(event: &RowEvent, at: Timestamp, beside: &dyn Beside) -> Result<Act> {
    let confirmations = confirmations_of(event, beside)?;
    let digest = beside.digest(event.seq)?;
    let ones = Ones::around(event, &confirmations, beside)?;
    let mut confirmed: Option<Confirmed> = None;
    let mut same_one_now = false;
    let mut shown = Vec::new();
    for confirmation in confirmations.iter() {
        let why_not = match confirmed {
            Some(_) => Some(WhyNot::ConfirmedBefore),
            None => why_not(event, confirmation, &digest, &ones),
        };
        if why_not.is_none() {
            confirmed = Some(confirmed_by(confirmation));
            same_one_now = ones.is_same(event, confirmation, u64::MAX);
        }
        if shown.len() < MAX_SHOWN || why_not.is_none() {
            let mut told = confirmation.told();
            told.insert("seq".to_owned(), confirmation.seq.into());
            told.insert("counts".to_owned(), why_not.is_none().into());
            if let Some(why_not) = why_not {
                told.insert("why_not".to_owned(), why_not.word().into());
            }
            shown.push(told);
        }
    }
    let lapses_at = event.recorded_at.saturating_add(WAITS);
    let standing = match confirmed {
        Some(confirmed) if confirmed.recorded_at <= at => ActStanding::InEffect,
        None if at > lapses_at => ActStanding::Lapsed,
        _ => ActStanding::Proposed,
    };
    Ok(Act { standing, lapses_at, confirmed, digest, same_one_now, confirmations: shown })
}

/// What confirms the act that this event proposes, by what is known, if anything does.
pub(super) fn confirmed(event: &RowEvent, beside: &dyn Beside) -> Result<Option<Confirmed>> {
    let confirmations = confirmations_of(event, beside)?;
    if confirmations.is_empty() {
        return Ok(None);
    }
    let digest = beside.digest(event.seq)?;
    let ones = Ones::around(event, &confirmations, beside)?;
    let mut confirmations = confirmations.iter();
    let counting = confirmations.find(|confirmation| why_not(event, confirmation, &digest, &ones).is_none());
    Ok(counting.map(confirmed_by))
}

fn confirmed_by(confirmation: &RowEvent) -> Confirmed {
    let RowEvent { seq, place, recorded_at, .. } = *confirmation;
    Confirmed { seq, place, recorded_at }
}

/// The confirmations that name this event, in the order of recording.
fn confirmations_of(event: &RowEvent, beside: &dyn Beside) -> Result<Arc<[RowEvent]>> {
    let listed = beside.acts(CONFIRMS, &proposal(&event.source, &event.id))?;
    let names_it = |other: &&RowEvent| {
        other.ty == CONFIRMATION
            && other.text("of.source") == Some(&event.source)
            && other.text("of.id") == Some(&event.id)
    };
    if listed.iter().all(|other| names_it(&other)) {
        return Ok(listed);
    }
    Ok(listed.iter().filter(names_it).cloned().collect())
}

/// Why a confirmation does not count, by what was recorded before it.
fn why_not(event: &RowEvent, confirmation: &RowEvent, digest: &str, ones: &Ones) -> Option<WhyNot> {
    if confirmation.place <= event.place {
        Some(WhyNot::BeforeProposal)
    } else if confirmation.text("digest") != Some(digest) {
        Some(WhyNot::AnotherDigest)
    } else if confirmation.recorded_at.since(event.recorded_at) > WAITS {
        Some(WhyNot::TooLate)
    } else if ones.is_same(event, confirmation, confirmation.place) {
        Some(WhyNot::SameOne)
    } else {
        None
    }
}

/// Which identifiers are one, each pair from the place on at which it was confirmed.
#[derive(Default)]
struct Ones(Vec<(u64, [String; 2])>);

impl Ones {
    /// Those that whoever proposed or confirmed this may be.
    fn around(event: &RowEvent, confirmations: &[RowEvent], beside: &dyn Beside) -> Result<Ones> {
        let mut ones = Ones::default();
        if confirmations.is_empty() || !beside.any_act(SAME)? {
            return Ok(ones);
        }
        let hands = std::iter::once(event).chain(confirmations);
        let told =
            told_of(hands.flat_map(|event| [event.by.clone(), event.actor.clone()]).collect(), beside)?;
        let mut steps = Vec::new();
        for proposal in told.values() {
            let confirmations = confirmations_of(proposal, beside)?;
            steps.extend(confirmations.iter().map(|confirmation| (confirmation.clone(), proposal)));
        }
        steps.sort_by_key(|(confirmation, _)| (confirmation.place, confirmation.seq));
        let mut digests: BTreeMap<u64, String> = BTreeMap::new();
        for (confirmation, proposal) in steps {
            let digest = match digests.get(&proposal.seq) {
                Some(digest) => digest.clone(),
                None => beside.digest(proposal.seq)?,
            };
            if why_not(proposal, &confirmation, &digest, &ones).is_none() {
                ones.0.extend(pair(proposal).map(|pair| (confirmation.place, pair)));
            }
            digests.insert(proposal.seq, digest);
        }
        Ok(ones)
    }

    /// Whether somebody who had a hand in the one had a hand in the other: who acted, or posted, by any identifier of the
    /// same one, as confirmed before that place.
    fn is_same(&self, event: &RowEvent, confirmation: &RowEvent, before: u64) -> bool {
        let mut people = BTreeSet::from([event.by.as_str(), event.actor.as_str()]);
        let known = || self.0.iter().filter(|(place, _)| *place < before);
        loop {
            let found = people.len();
            for (_, [one, other]) in known() {
                if people.contains(one.as_str()) || people.contains(other.as_str()) {
                    people.extend([one.as_str(), other.as_str()]);
                }
            }
            if people.len() == found {
                break;
            }
        }
        people.contains(confirmation.by.as_str()) || people.contains(confirmation.actor.as_str())
    }
}

fn pair(event: &RowEvent) -> Option<[String; 2]> {
    Some([event.text("principal")?.to_owned(), event.text("other")?.to_owned()])
}

/// Everything that was said of who is one with these, or with those who are, confirmed or not.
fn told_of(names: BTreeSet<String>, beside: &dyn Beside) -> Result<BTreeMap<u64, RowEvent>> {
    let mut told = BTreeMap::new();
    let mut to_look_at: VecDeque<String> = names.iter().cloned().collect();
    let mut seen = names;
    while let Some(name) = to_look_at.pop_front() {
        if name == ANY {
            continue;
        }
        for event in beside.acts(SAME, &name)?.iter().filter(|event| event.ty == SAME_AS) {
            let Some(pair) = pair(event).filter(|pair| pair.contains(&name)) else { continue };
            told.insert(event.seq, event.clone());
            for other in pair {
                if seen.len() < MAX_NAMES && seen.insert(other.clone()) {
                    to_look_at.push_back(other);
                }
            }
        }
    }
    Ok(told)
}
