//! One round of an escalation, from its opening to its end: its level, clocks, actions, and what it missed.

use super::act::Act;
use crate::spec::time::{MICROS_PER_SECOND, Timestamp};
use crate::views::engine::micros;
use crate::views::told;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What is missed in one round and listed; beyond, the earliest go.
///
/// Reason: a round has two clocks a level and 32 actions; more comes of a clock that is set anew all the time.
pub(super) const MAX_MISSED: usize = 64;

/// Levels that a round had, and moves between them that are listed; beyond, the earliest go.
const MAX_MOVES: usize = 64;

/// Actions of one round.
///
/// Reason: a resolution names at most 32; a second one may add to them.
const MAX_ACTIONS: usize = 64;

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Opened,
    Acknowledged,
    Raised,
    Lowered,
    Resolved,
    Closed,
    Reopened,
}

impl State {
    /// All of them.
    pub(super) const ALL: [State; 7] = [
        State::Opened,
        State::Acknowledged,
        State::Raised,
        State::Lowered,
        State::Resolved,
        State::Closed,
        State::Reopened,
    ];

    pub(super) fn is_end(self) -> bool {
        matches!(self, State::Resolved | State::Closed)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            State::Opened => "opened",
            State::Acknowledged => "acknowledged",
            State::Raised => "raised",
            State::Lowered => "lowered",
            State::Resolved => "resolved",
            State::Closed => "closed",
            State::Reopened => "reopened",
        }
    }
}

/// Which clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum ClockKind {
    #[serde(rename = "a")]
    Acknowledge,
    #[serde(rename = "r")]
    Resolve,
    #[serde(rename = "d")]
    Action,
}

impl ClockKind {
    fn not(self) -> &'static str {
        match self {
            ClockKind::Acknowledge => "acknowledged",
            ClockKind::Resolve => "resolved",
            ClockKind::Action => "done",
        }
    }
}

/// A clock that runs, or stands still while the escalation is paused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Clock {
    #[serde(rename = "k")]
    pub(super) kind: ClockKind,
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub(super) level: Option<i64>,
    #[serde(rename = "d", with = "micros")]
    pub(super) due: Timestamp,
    #[serde(rename = "s", with = "micros", default, skip_serializing_if = "Option::is_none")]
    pub(super) stands_since: Option<Timestamp>,
}

impl Clock {
    /// Whether it has passed by then. A clock that stands still passes no more.
    fn passed(&self, at: Timestamp) -> bool {
        self.due < self.stands_since.map_or(at, |since| since.min(at))
    }

    /// When it is due, if it runs; one that stands still is due only if it had passed before.
    fn running(&self) -> Option<Timestamp> {
        self.stands_since.is_none_or(|since| self.due < since).then_some(self.due)
    }
}

/// A clock that ended after it was due.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Missed {
    #[serde(rename = "n")]
    pub(super) round: u64,
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub(super) level: Option<i64>,
    #[serde(rename = "k")]
    pub(super) kind: ClockKind,
    #[serde(rename = "d", with = "micros")]
    pub(super) due: Timestamp,
    #[serde(rename = "e", with = "micros")]
    pub(super) ended: Timestamp,
}

impl Missed {
    pub(super) fn shown(&self) -> Value {
        json!({
            "round": self.round, "level": self.level, "not": self.kind.not(), "due_at": self.due.to_string(),
            "ended_at": self.ended.to_string(), "late_seconds": self.ended.since(self.due) / MICROS_PER_SECOND,
        })
    }
}

/// Something that a resolution leaves to be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Action {
    /// Its place in the resolution, from 1.
    #[serde(rename = "n")]
    pub(super) position: usize,
    #[serde(rename = "d", with = "micros", default, skip_serializing_if = "Option::is_none")]
    pub(super) due: Option<Timestamp>,
    #[serde(rename = "f", with = "micros")]
    pub(super) from: Timestamp,
    #[serde(rename = "e", with = "micros", default, skip_serializing_if = "Option::is_none")]
    pub(super) ended: Option<Timestamp>,
    /// The closing ended it, before the ledger knew actions that are told as done.
    #[serde(rename = "c", default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) by_closing: bool,
    /// As the resolution states it, and who told it as done.
    #[serde(rename = "v")]
    pub(super) shown: Map<String, Value>,
}

impl Action {
    pub(super) fn id(&self) -> Option<&str> {
        self.shown.get("id")?.as_str()
    }

    /// Whether this names it. A place names only an action that has no id.
    pub(super) fn is_named(&self, name: &str) -> bool {
        self.id().map_or_else(|| name == self.position.to_string(), |id| id == name)
    }

    fn shown(&self) -> Value {
        let mut shown = self.shown.clone();
        shown.insert("position".to_owned(), self.position.into());
        if let Some(ended) = self.ended {
            shown.insert("done_at".to_owned(), ended.to_string().into());
        }
        if self.by_closing {
            shown.insert("ended_by_closing".to_owned(), true.into());
        }
        Value::Object(shown)
    }
}

/// A round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Round {
    #[serde(rename = "n")]
    pub(super) number: u64,
    /// What opened it.
    #[serde(rename = "o")]
    pub(super) opening: Act,
    #[serde(rename = "s")]
    pub(super) state: State,
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub(super) level: Option<i64>,
    /// The levels that it had.
    #[serde(rename = "h", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) levels: Vec<i64>,
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub(super) assigned_to: Option<String>,
    #[serde(rename = "c", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) clocks: Vec<Clock>,
    #[serde(rename = "m", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) missed: Vec<Missed>,
    /// The last clocks that it had, as they were stated, to be shown.
    #[serde(rename = "d", default, skip_serializing_if = "Map::is_empty")]
    pub(super) stated: Map<String, Value>,
    /// Moves from level to level.
    #[serde(rename = "r", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) moves: Vec<Value>,
    #[serde(rename = "1", with = "micros", default, skip_serializing_if = "Option::is_none")]
    pub(super) acknowledged_at: Option<Timestamp>,
    #[serde(rename = "2", with = "micros", default, skip_serializing_if = "Option::is_none")]
    pub(super) resolved_at: Option<Timestamp>,
    #[serde(rename = "3", with = "micros", default, skip_serializing_if = "Option::is_none")]
    pub(super) closed_at: Option<Timestamp>,
    /// Closed before it was resolved.
    #[serde(rename = "u", default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) unresolved: bool,
    #[serde(rename = "p", with = "micros", default, skip_serializing_if = "Option::is_none")]
    pub(super) paused_at: Option<Timestamp>,
    /// Who did it, by what was done.
    #[serde(rename = "b", default, skip_serializing_if = "Map::is_empty")]
    pub(super) who: Map<String, Value>,
    /// What the resolution and the closing say.
    #[serde(rename = "v", default, skip_serializing_if = "Map::is_empty")]
    pub(super) said: Map<String, Value>,
    #[serde(rename = "a", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) actions: Vec<Action>,
}

impl Round {
    /// A round that begins. Reopened, it keeps the level and the owner that it had, unless it states others.
    pub(super) fn new(number: u64, opening: &Act, state: State, before: Option<&Round>) -> Round {
        let before = before.filter(|_| state == State::Reopened);
        let level = opening.level("level").or_else(|| before?.level);
        let assigned_to = opening.text("assigned_to").map(str::to_owned);
        let mut round = Round {
            number,
            opening: opening.clone(),
            state,
            level,
            levels: level.into_iter().collect(),
            assigned_to: assigned_to.or_else(|| before?.assigned_to.clone()),
            clocks: Vec::new(),
            missed: Vec::new(),
            stated: Map::new(),
            moves: Vec::new(),
            acknowledged_at: None,
            resolved_at: None,
            closed_at: None,
            unresolved: false,
            paused_at: None,
            who: Map::new(),
            said: Map::new(),
            actions: Vec::new(),
        };
        round.start_clocks(opening, opening.done);
        round
    }

    /// Starts the clocks that are stated, of the round's level.
    pub(super) fn start_clocks(&mut self, act: &Act, at: Timestamp) {
        self.stated.clear();
        for (kind, name) in [(ClockKind::Acknowledge, "ack_due_at"), (ClockKind::Resolve, "resolve_due_at")] {
            self.stated.extend(act.data.get(name).map(|due| (name.to_owned(), due.clone())));
            if let Some(due) = act.due(name) {
                let stands_since = self.paused_at.map(|_| at);
                self.clocks.push(Clock { kind, level: self.level, due, stands_since });
            }
        }
    }

    /// Ends the running clocks of one kind, or of all. Where what they ask for was not done (`met` is false), one that is
    /// due at this very moment has passed.
    pub(super) fn end_clocks(&mut self, at: Timestamp, only: Option<ClockKind>, met: bool) {
        let ended: Vec<Clock>;
        (ended, self.clocks) =
            self.clocks.drain(..).partition(|clock| only.is_none_or(|kind| kind == clock.kind));
        let by = if met { at } else { at.saturating_add(1) };
        for clock in ended.into_iter().filter(|clock| clock.passed(by)) {
            self.miss(clock.level, clock.kind, clock.due, at);
        }
    }

    pub(super) fn miss(&mut self, level: Option<i64>, kind: ClockKind, due: Timestamp, ended: Timestamp) {
        self.missed.push(Missed { round: self.number, level, kind, due, ended });
        if self.missed.len() > MAX_MISSED {
            self.missed.remove(0);
        }
    }

    /// Its clocks stand still.
    pub(super) fn pause(&mut self, at: Timestamp) {
        self.paused_at = Some(at);
        for clock in &mut self.clocks {
            clock.stands_since = Some(at);
        }
    }

    /// What had not passed is due by so much later as it stood still.
    pub(super) fn resume(&mut self, at: Timestamp) {
        self.paused_at = None;
        for clock in &mut self.clocks {
            let passed = clock.passed(at);
            if let Some(since) = clock.stands_since.take()
                && !passed
            {
                clock.due = clock.due.saturating_add(at.since(since));
            }
        }
    }

    /// Notes a move to another level.
    pub(super) fn move_to(&mut self, level: i64, act: &Act) {
        let mut shown = act.told.clone();
        for name in ["from_level", "to_level", "reason", "assigned_to"] {
            shown.extend(act.data.get(name).map(|value| (name.to_owned(), value.clone())));
        }
        self.moves.push(Value::Object(shown));
        self.level = Some(level);
        if !self.levels.contains(&level) {
            self.levels.push(level);
        }
        if self.moves.len() > MAX_MOVES {
            self.moves.remove(0);
        }
        if self.levels.len() > MAX_MOVES {
            self.levels.remove(0);
        }
    }

    /// Takes the actions of a resolution; false if it brings none that are new. Of a second resolution those with an id of
    /// their own are added: without ids they cannot be told from the first one's.
    pub(super) fn take_actions(&mut self, act: &Act, at: Timestamp) -> bool {
        let stated = act.data.get("actions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let none_yet = self.actions.is_empty();
        let mut added = false;
        for (place, action) in stated.iter().enumerate() {
            let Some(action) = action.as_object() else { continue };
            let due = action.get("due_at").and_then(Value::as_str).and_then(told::due_by);
            let action = Action {
                position: place + 1,
                due,
                from: at,
                ended: None,
                by_closing: false,
                shown: action.clone(),
            };
            let new = action.id().is_some_and(|id| self.actions.iter().all(|other| other.id() != Some(id)));
            if (none_yet || new) && self.actions.len() < MAX_ACTIONS {
                self.actions.push(action);
                added = true;
            }
        }
        added
    }

    /// Ends the action at this place of the list.
    pub(super) fn end_action(&mut self, place: usize, by: &Act, at: Timestamp) {
        let Some(action) = self.actions.get_mut(place) else { return };
        let ended = at.max(action.from);
        action.ended = Some(ended);
        action.shown.insert("done".to_owned(), Value::Object(by.told.clone()));
        let due = action.due.filter(|due| *due < ended);
        if let Some(due) = due {
            self.miss(self.level, ClockKind::Action, due, ended);
        }
    }

    /// The closing ends what is still to be done.
    pub(super) fn end_by_closing(&mut self) {
        let Some(closed_at) = self.closed_at else { return };
        let mut missed = Vec::new();
        for action in self.actions.iter_mut().filter(|action| action.ended.is_none()) {
            let ended = closed_at.max(action.from);
            (action.ended, action.by_closing) = (Some(ended), true);
            missed.extend(action.due.filter(|due| *due < ended).map(|due| (due, ended)));
        }
        for (due, ended) in missed {
            self.miss(self.level, ClockKind::Action, due, ended);
        }
    }

    /// The state that it began in.
    pub(super) fn state_at_opening(&self) -> State {
        if self.opening.what == "reopened" { State::Reopened } else { State::Opened }
    }

    /// When the first of its clocks, and of what is still to be done, is due.
    pub(super) fn due(&self) -> Option<Timestamp> {
        let clocks = self.clocks.iter().filter_map(Clock::running);
        clocks.chain(self.open_actions().filter_map(|action| action.due)).min()
    }

    pub(super) fn open_actions(&self) -> impl Iterator<Item = &Action> {
        self.actions.iter().filter(|action| action.ended.is_none())
    }

    /// Its actions as they are shown.
    pub(super) fn shown_actions(&self) -> Vec<Value> {
        self.actions.iter().map(Action::shown).collect()
    }
}
