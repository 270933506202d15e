//! What a row shows of the course of an escalation: its newest round, and what the rounds before it missed.

use super::act::Act;
use super::course::{Course, Idle};
use super::openings::Opened;
use super::round::{Missed, Round, State};
use crate::spec::time::{MICROS_PER_SECOND, Timestamp};
use crate::views::engine::{CONFLICTS, OUT_OF_ORDER, Row};
use serde_json::{Map, Value, json};

/// What is shown of an opening as it states it.
const OPENED: [&str; 7] = ["about", "trigger", "severity", "path", "path_version", "aware_at", "finding"];

/// Shows a course as it is now.
pub(super) fn show(row: &mut Row, course: &Course) {
    let mut fields: Map<String, Value> = Map::new();
    fields.extend(row.fields.remove(OUT_OF_ORDER).map(|value| (OUT_OF_ORDER.to_owned(), value)));
    row.fields = fields;
    for (name, same) in [(CONFLICTS, false), ("confirmations", true)] {
        let again: Vec<Value> = course.openings.told_again(same).map(Opened::shown).collect();
        if !again.is_empty() {
            row.set(name, again);
        }
    }
    // What waits has done nothing so far.
    let waiting = course.waiting.iter().chain(&course.ahead);
    idle(row, "did_nothing", &course.did_nothing, waiting);
    idle(row, "ended_nothing", &course.ended_nothing, course.done_early.iter());
    idle(row, "ambiguous", &course.ambiguous, [].iter());
    if course.out_of_order {
        row.set(OUT_OF_ORDER, true);
    }
    let missed_before: Vec<Value> = course.missed_before().map(Missed::shown).collect();
    if !missed_before.is_empty() {
        row.set("missed_before", missed_before);
    }
    let Some(round) = course.round() else { return };
    row.state = round.state.name().to_owned();
    row.owner.clone_from(&round.assigned_to);
    row.due_at = course.due();
    row.ended = round.state == State::Closed && row.due_at.is_none();
    // A reopening says little of what it is about: that is in the opening before it.
    let about = course.rounds.iter().rev().find(|round| round.opening.what == "opened").unwrap_or(round);
    for name in OPENED {
        row.fields.extend(about.opening.data.get(name).map(|value| (name.to_owned(), value.clone())));
    }
    shown_round(row, round);
    if round.number > 1 {
        row.set("round", round.number);
        row.set("rounds_before", course.rounds.iter().rev().skip(1).rev().map(brief).collect::<Vec<_>>());
    }
    let reopened = course.rounds.iter().filter(|round| round.state_at_opening() == State::Reopened).count();
    if reopened > 0 {
        row.set("reopened", reopened);
    }
}

fn shown_round(row: &mut Row, round: &Round) {
    let opened_at = round.opening.done;
    row.set_time("opened_at", opened_at);
    row.fields.extend(round.opening.told.get("by").map(|by| ("opened_by".to_owned(), by.clone())));
    row.set("opened", Value::Object(round.opening.told.clone()));
    if round.state_at_opening() == State::Reopened {
        row.set("reopened_reason", round.opening.text("reason").unwrap_or_default());
    }
    if let Some(level) = round.level {
        row.set("level", level);
    }
    if let Some(owner) = &round.assigned_to {
        row.set("assigned_to", owner.as_str());
    }
    // Clocks that were ended run no more.
    for name in ["ack_due_at", "resolve_due_at"] {
        row.fields.extend(round.stated.get(name).map(|due| (name.to_owned(), due.clone())));
    }
    for (name, at, took) in [
        ("acknowledged", round.acknowledged_at, "seconds_to_acknowledge"),
        ("resolved", round.resolved_at, "seconds_to_resolve"),
        ("closed", round.closed_at, ""),
    ] {
        let Some(at) = at else { continue };
        row.set_time(&format!("{name}_at"), at);
        let who = round.who.get(name);
        row.fields.extend(who.map(|who| (name.to_owned(), who.clone())));
        let by = who.and_then(|who| who.get("by"));
        row.fields.extend(by.map(|by| (format!("{name}_by"), by.clone())));
        if !took.is_empty() {
            row.set(took, seconds(opened_at, at));
        }
    }
    if let Some(paused_at) = round.paused_at {
        row.set_time("paused_at", paused_at);
    }
    row.fields.extend(round.said.clone());
    if round.unresolved {
        row.set("unresolved", true);
    }
    if let Some(closed_by) = row.value("closed_by") {
        // It is for somebody else to verify; that it was not is recorded and seen.
        let same = row.value("resolved_by") == Some(closed_by);
        row.set("closed_by_resolver", same);
    }
    if !round.moves.is_empty() {
        row.set("raised", round.moves.clone());
    }
    if !round.missed.is_empty() {
        row.set("missed", round.missed.iter().map(Missed::shown).collect::<Vec<_>>());
    }
    if !round.actions.is_empty() {
        row.set("actions", round.shown_actions());
    }
}

/// A round that is over, in short.
fn brief(round: &Round) -> Value {
    let mut shown = json!({
        "round": round.number, "opened_at": round.opening.done.to_string(), "state": round.state.name(),
        "level": round.level,
    });
    if let Value::Object(shown) = &mut shown {
        for (name, at) in [
            ("acknowledged_at", round.acknowledged_at),
            ("resolved_at", round.resolved_at),
            ("closed_at", round.closed_at),
        ] {
            shown.extend(at.map(|at| (name.to_owned(), at.to_string().into())));
        }
        for (name, is) in [("unresolved", round.unresolved), ("missed", !round.missed.is_empty())] {
            if is {
                shown.insert(name.to_owned(), true.into());
            }
        }
        if round.open_actions().next().is_some() {
            shown.insert("actions".to_owned(), round.shown_actions().into());
        }
    }
    shown
}

fn idle<'a>(row: &mut Row, name: &str, idle: &'a Idle, waiting: impl Iterator<Item = &'a Act>) {
    let waiting: Vec<&Act> = waiting.collect();
    let total = idle.total + waiting.len() as u64;
    let listed: Vec<Value> = idle.listed.iter().chain(waiting).map(Act::shown).collect();
    if listed.is_empty() {
        return;
    }
    if total > listed.len() as u64 {
        row.set(&format!("{name}_total"), total);
    }
    row.set(name, listed);
}

/// Whole seconds from one time to another; none where the second comes first.
fn seconds(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.since(from) / MICROS_PER_SECOND).unwrap_or(0)
}
