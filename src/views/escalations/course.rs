//! The course of an escalation: rounds, and what each event does in the state that it finds.
//!
//! What does not fit the state is shown and does nothing. What is told before its time waits for it: an acknowledgement for
//! its level, an action told as done for its resolution, and what comes within minutes before an opening for that opening.

use super::act::Act;
use super::openings::Openings;
use super::round::{ClockKind, MAX_MISSED, Missed, Round, State};
use crate::spec::time::Timestamp;
use crate::views::engine::{Row, micros};
use serde::{Deserialize, Serialize};

/// Where it stands in a row's memory.
const COURSE: &str = "course";

/// Events that wait, of each sort; beyond, the first of them do nothing.
///
/// Reason: what waits is told by clocks that differ by minutes; a row is written with each of its events.
const MAX_WAITING: usize = 16;

/// Events that did nothing and are listed; beyond, they are counted.
const MAX_LISTED: usize = 32;

/// Rounds that are kept whole.
///
/// Reason: of earlier ones what they missed stays, and the first date of what they left to be done.
const MAX_ROUNDS: usize = 32;

/// Events that are shown and did nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Idle {
    #[serde(rename = "l", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) listed: Vec<Act>,
    #[serde(rename = "n", default)]
    pub(super) total: u64,
}

impl Idle {
    fn add(&mut self, act: &Act) {
        self.total += 1;
        if self.listed.len() < MAX_LISTED {
            self.listed.push(act.clone());
        }
    }
}

/// An escalation from its first event to its last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Course {
    /// The newest last.
    #[serde(rename = "r")]
    pub(super) rounds: Vec<Round>,
    /// What rounds missed that are not kept any more, and how many rounds those are.
    #[serde(rename = "m", skip_serializing_if = "Vec::is_empty")]
    pub(super) missed_earlier: Vec<Missed>,
    #[serde(rename = "g")]
    pub(super) rounds_gone: u64,
    /// The first date of what they left to be done.
    #[serde(rename = "d", with = "micros", skip_serializing_if = "Option::is_none")]
    pub(super) due_earlier: Option<Timestamp>,
    /// Acknowledgements of levels that were not reached yet.
    #[serde(rename = "a", skip_serializing_if = "Vec::is_empty")]
    pub(super) ahead: Vec<Act>,
    /// Actions told as done before their resolution.
    #[serde(rename = "e", skip_serializing_if = "Vec::is_empty")]
    pub(super) done_early: Vec<Act>,
    /// Events after an end: they may be about an opening to come.
    #[serde(rename = "w", skip_serializing_if = "Vec::is_empty")]
    pub(super) waiting: Vec<Act>,
    #[serde(rename = "i")]
    pub(super) did_nothing: Idle,
    #[serde(rename = "n")]
    pub(super) ended_nothing: Idle,
    /// Events that ended the oldest of several actions.
    #[serde(rename = "b")]
    pub(super) ambiguous: Idle,
    #[serde(rename = "o")]
    pub(super) out_of_order: bool,
    /// All openings of the row, in the order in which they came.
    #[serde(rename = "s")]
    pub(super) openings: Openings,
    /// Where what opened the round, what last ended one, and what closed the round stand in the order of recording.
    #[serde(rename = "1")]
    opening_place: u64,
    #[serde(rename = "2", skip_serializing_if = "Option::is_none")]
    ending_place: Option<u64>,
    /// Whether what closed the round came after the ledger's first action that was told as done.
    #[serde(rename = "3", skip_serializing_if = "Option::is_none")]
    closed_since_actions: Option<bool>,
}

impl Course {
    /// That of a row. What cannot be read was never written.
    pub(super) fn of(row: &Row) -> Course {
        row.memo.get(COURSE).and_then(|course| Course::deserialize(course).ok()).unwrap_or_default()
    }

    pub(super) fn keep(&self, row: &mut Row) {
        // A struct of texts, numbers and JSON always serialises.
        row.memo.insert(COURSE.to_owned(), serde_json::to_value(self).unwrap_or_default());
    }

    /// The newest round.
    pub(super) fn round(&self) -> Option<&Round> {
        self.rounds.last()
    }

    fn is_open(&self) -> bool {
        self.round().is_some_and(|round| !round.state.is_end())
    }

    /// An opening: it begins a round, unless one is open, or it is of another source (`own` is false), which is here only
    /// where it says the same.
    pub(super) fn opened(&mut self, act: &Act, digest: u64, own: bool) {
        let begins = own && !self.is_open();
        self.openings.add(act, digest, own, begins);
        if begins {
            self.begin(act, State::Opened);
        }
    }

    /// Begins a round, with its own clocks. What was told within minutes before counts from it.
    fn begin(&mut self, act: &Act, state: State) {
        // Recorded before the end that it comes after: recording went the other way.
        if self.ending_place.is_some_and(|end| act.place < end) {
            self.out_of_order = true;
        }
        self.opening_place = act.place;
        self.closed_since_actions = None;
        let number = self.rounds_gone + self.rounds.len() as u64 + 1;
        let round = Round::new(number, act, state, self.rounds.last());
        self.rounds.push(round);
        for one in std::mem::take(&mut self.ahead) {
            self.did_nothing.add(&one);
        }
        for one in std::mem::take(&mut self.done_early) {
            self.ended_nothing.add(&one);
        }
        for early in std::mem::take(&mut self.waiting) {
            if early.is_near(act.done) {
                self.out_of_order |= early.done < act.done || early.place < act.place;
                self.step(&early, act.done);
            } else {
                self.did_nothing.add(&early);
            }
        }
        self.let_go();
    }

    /// Lets go of the earliest round once there are too many: one that left nothing to be done before others.
    fn let_go(&mut self) {
        if self.rounds.len() <= MAX_ROUNDS {
            return;
        }
        let done = self.rounds.iter().position(|round| round.open_actions().next().is_none());
        let place = done.filter(|place| place + 1 < self.rounds.len()).unwrap_or(0);
        let gone = self.rounds.remove(place);
        self.rounds_gone += 1;
        self.due_earlier = self.due_earlier.into_iter().chain(gone.due()).min();
        self.missed_earlier.extend(gone.missed);
        let too_many = self.missed_earlier.len().saturating_sub(MAX_MISSED);
        self.missed_earlier.drain(..too_many);
    }

    /// One event that opens nothing. What was told before the opening of the row counts from it.
    pub(super) fn told(&mut self, act: &Act, early_by: i64) {
        let Some(opened) = self.round().map(|round| round.opening.done) else {
            self.did_nothing.add(act);
            return;
        };
        let ending = matches!(act.what.as_str(), "resolved" | "closed" | "action_done");
        if early_by > 0 && ending && !act.is_near(opened) && act.effective < opened {
            self.ended_nothing.add(act);
            return;
        }
        self.step(act, act.done.saturating_add(early_by).max(opened));
    }

    /// An event, counted as done at this time.
    fn step(&mut self, act: &Act, at: Timestamp) {
        // Recorded before the opening though done after it: recording went the other way.
        if act.place < self.opening_place {
            self.out_of_order = true;
        }
        let Some(round) = self.rounds.last_mut() else { return };
        let ended = round.state.is_end();
        match act.what.as_str() {
            "reassigned" => {
                if let Some(owner) = act.text("assigned_to") {
                    round.assigned_to = Some(owner.to_owned());
                }
            }
            "resolved" => self.resolved(act, at),
            "closed" => self.closed(act, at),
            "action_done" => self.action_done(act, at),
            "reopened" if ended => self.begin(act, State::Reopened),
            "acknowledged" | "raised" | "lowered" | "paused" | "resumed" if ended => {
                wait(&mut self.waiting, act, &mut self.did_nothing);
            }
            "acknowledged" => self.acknowledged(act, at),
            "raised" | "lowered" => self.moved(act, at),
            "paused" if round.paused_at.is_none() => {
                round.pause(at);
                round
                    .said
                    .extend(act.data.get("waiting_for").map(|whom| ("waiting_for".to_owned(), whom.clone())));
            }
            "resumed" if round.paused_at.is_some() => {
                round.resume(at);
                round.said.remove("waiting_for");
            }
            _ => self.did_nothing.add(act),
        }
    }

    /// An acknowledgement ends the clock of the level that it names, and no other.
    fn acknowledged(&mut self, act: &Act, at: Timestamp) {
        let Some(round) = self.rounds.last_mut() else { return };
        let named = act.level("level").or(round.level);
        if round.level.is_none() || named == round.level {
            // Told again at the same level, it changes nothing.
            if round.state == State::Acknowledged {
                self.did_nothing.add(act);
                return;
            }
            round.state = State::Acknowledged;
            if round.acknowledged_at.is_none() {
                round.acknowledged_at = Some(at);
                round.who.insert("acknowledged".to_owned(), act.told.clone().into());
            }
            round.end_clocks(at, Some(ClockKind::Acknowledge), true);
        } else if named.is_some_and(|named| round.levels.contains(&named)) {
            self.did_nothing.add(act);
        } else {
            wait(&mut self.ahead, act, &mut self.did_nothing);
        }
    }

    /// Raised or lowered: the clocks of the level that it leaves end, and what had passed was missed. To the level where
    /// it is, it does nothing: else a second raise would be a way to later clocks.
    fn moved(&mut self, act: &Act, at: Timestamp) {
        let Some(round) = self.rounds.last_mut() else { return };
        let Some(to) = act.level("to_level").filter(|to| Some(*to) != round.level) else {
            self.did_nothing.add(act);
            return;
        };
        let lower = round.level.map_or(act.what == "lowered", |level| to < level);
        round.end_clocks(at, None, false);
        round.state = if lower { State::Lowered } else { State::Raised };
        round.move_to(to, act);
        if let Some(owner) = act.text("assigned_to") {
            round.assigned_to = Some(owner.to_owned());
        }
        round.start_clocks(act, at);
        let (now, later) =
            std::mem::take(&mut self.ahead).into_iter().partition(|ahead| ahead.level("level") == Some(to));
        self.ahead = later;
        let now: Vec<Act> = now;
        for early in now {
            self.out_of_order = true;
            self.acknowledged(&early, at);
        }
    }

    /// Resolved: its clocks end and its actions begin. After a closing, or again, it fills in what is missing.
    fn resolved(&mut self, act: &Act, at: Timestamp) {
        let Some(round) = self.rounds.last_mut() else { return };
        let again = round.resolved_at.is_some();
        if !round.state.is_end() {
            round.end_clocks(at, None, true);
            round.paused_at = None;
            round.said.remove("waiting_for");
            round.state = State::Resolved;
            self.ending_place = Some(act.place);
        }
        if !again {
            round.resolved_at = Some(at);
            round.who.insert("resolved".to_owned(), act.told.clone().into());
        }
        for name in ["resolution", "cause_class"] {
            if let (false, Some(said)) = (round.said.contains_key(name), act.data.get(name)) {
                round.said.insert(name.to_owned(), said.clone());
            }
        }
        if !round.take_actions(act, at) && again {
            self.did_nothing.add(act);
        }
        self.end_by_closing();
        for done in std::mem::take(&mut self.done_early) {
            self.out_of_order = true;
            if done.is_near(at) || done.effective >= at {
                self.action_done(&done, at);
            } else {
                self.ended_nothing.add(&done);
            }
        }
    }

    /// Closed from any state; one that was not resolved is marked.
    fn closed(&mut self, act: &Act, at: Timestamp) {
        let Some(round) = self.rounds.last_mut().filter(|round| round.state != State::Closed) else {
            self.did_nothing.add(act);
            return;
        };
        round.unresolved = round.state != State::Resolved;
        round.end_clocks(at, None, false);
        round.paused_at = None;
        round.said.remove("waiting_for");
        round.state = State::Closed;
        round.closed_at = Some(at);
        round.who.insert("closed".to_owned(), act.told.clone().into());
        round.said.extend(act.data.get("verification").map(|said| ("verification".to_owned(), said.clone())));
        self.ending_place = Some(act.place);
        self.closed_since_actions = Some(act.since_actions);
        self.end_by_closing();
    }

    /// In rounds that were closed before the ledger knew actions told as done, the closing ends them.
    fn end_by_closing(&mut self) {
        if self.closed_since_actions == Some(false)
            && let Some(round) = self.rounds.last_mut()
        {
            round.end_by_closing();
        }
    }

    /// An action is done: the one whose id or place it names in the newest round that has it, an open one before others.
    fn action_done(&mut self, act: &Act, at: Timestamp) {
        let named = act.action();
        let found = match &named {
            Some(name) => self.rounds.iter().enumerate().rev().find_map(|(round, of)| {
                let mut is = of.actions.iter().enumerate().filter(|(_, action)| action.is_named(name));
                let open = is.clone().find(|(_, action)| action.ended.is_none());
                open.or_else(|| is.next()).map(|(place, _)| (round, place))
            }),
            None => self.oldest_open(act),
        };
        let action = found.and_then(|(round, place)| {
            let round = self.rounds.get_mut(round)?;
            Some((round.actions.get(place)?.ended.is_some(), round, place))
        });
        match action {
            Some((true, _, _)) => self.did_nothing.add(act),
            Some((false, round, place)) => round.end_action(place, act, at),
            // It may be of a resolution to come.
            None => wait(&mut self.done_early, act, &mut self.ended_nothing),
        }
    }

    /// What names no action ends the only one that it can mean, else the oldest, marked.
    fn oldest_open(&mut self, act: &Act) -> Option<(usize, usize)> {
        let mut open = self.rounds.iter().enumerate().flat_map(|(round, of)| {
            let actions = of.actions.iter().enumerate();
            actions.filter(|(_, action)| action.ended.is_none()).map(move |(place, _)| (round, place))
        });
        let (first, several) = (open.next(), open.next().is_some());
        if several {
            self.ambiguous.add(act);
        }
        first
    }

    /// When the first of what runs or is to be done is due, in whatever round.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.rounds.iter().filter_map(Round::due).chain(self.due_earlier).min()
    }

    /// What the rounds before the newest missed.
    pub(super) fn missed_before(&self) -> impl Iterator<Item = &Missed> {
        let before = self.rounds.iter().rev().skip(1).rev();
        self.missed_earlier.iter().chain(before.flat_map(|round| &round.missed))
    }
}

fn wait(waiting: &mut Vec<Act>, act: &Act, idle: &mut Idle) {
    waiting.push(act.clone());
    if waiting.len() > MAX_WAITING {
        idle.add(&waiting.remove(0));
    }
}
