//! Escalations, in the plainest program: ANSWERS.md sections 2 to 5 and 10, and the family *escalation* of
//! the catalogue.

use serde_json::Value;

use crate::base::{Fact, Micros, Moment};
use crate::decisions::reading::{self, FIVE_MINUTES, Gathered};

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct Escalation {
    /// `data.escalation`.
    pub id: String,
    /// The source whose row it is.
    pub source: String,
    /// The state of the newest round.
    pub state: State,
    /// All rounds, the newest last; none for an `unopened` row.
    pub rounds: Vec<Round>,
    /// The earliest due date of what runs or is open, whichever kind it is, in whatever round.
    pub due: Option<Micros>,
    /// Whether anything that runs or is open is past its due date.
    pub overdue: bool,
    /// What the rounds before the newest missed.
    pub missed_before: Vec<Missed>,
    /// Openings told again.
    pub confirmations: Vec<u64>,
    /// Openings with other data in a round that was open.
    pub conflicts: Vec<u64>,
    /// Events that came to the first of several rows, or ended the oldest of several actions.
    pub ambiguous: Vec<u64>,
    /// Events that were done, or recorded, before the opening that they are about.
    pub out_of_order: Vec<u64>,
    /// Events that did not fit the state: shown, they do nothing.
    pub did_nothing: Vec<u64>,
    /// Endings that were done too long before what they would end, or named nothing.
    pub ended_nothing: Vec<u64>,
}

/// The states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Only events that open nothing.
    Unopened,
    /// Opened.
    Opened,
    /// Acknowledged at its level.
    Acknowledged,
    /// Raised to a higher level.
    Raised,
    /// Lowered to a lower level.
    Lowered,
    /// Resolved.
    Resolved,
    /// Closed.
    Closed,
    /// Opened again by `escalation.reopened`.
    Reopened,
}

impl State {
    /// Section 10: resolved and closed are end states for *opened* and *reopened*.
    const fn is_end(self) -> bool {
        matches!(self, Self::Resolved | Self::Closed)
    }
}

/// From one opening to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Round {
    /// From 1.
    pub number: usize,
    /// The entry that began it.
    pub opened_by: u64,
    /// When it began.
    pub opened_at: Micros,
    /// Its state.
    pub state: State,
    /// Its level.
    pub level: Option<i64>,
    /// Who has it.
    pub assigned_to: Option<String>,
    /// All its clocks, also those that were ended.
    pub clocks: Vec<Clock>,
    /// What it missed: clocks and actions that ended after they were due.
    pub missed: Vec<Missed>,
    /// When it was first acknowledged.
    pub acknowledged_at: Option<Micros>,
    /// When it was resolved.
    pub resolved_at: Option<Micros>,
    /// When it was closed.
    pub closed_at: Option<Micros>,
    /// Closed before it was resolved.
    pub unresolved: bool,
    /// Since when its clocks stand still.
    pub paused_at: Option<Micros>,
    /// `resolution` of what resolved it.
    pub resolution: Option<Value>,
    /// `cause_class` of what resolved it.
    pub cause_class: Option<Value>,
    /// The actions of its resolution.
    pub actions: Vec<Action>,
}

/// Which clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClockKind {
    /// `ack_due_at`.
    Acknowledge,
    /// `resolve_due_at`.
    Resolve,
    /// `due_at` of an action.
    Action,
}

/// One clock of one level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clock {
    /// Which.
    pub kind: ClockKind,
    /// Of which level.
    pub level: Option<i64>,
    /// When it is due; later than stated where the escalation was paused.
    pub due: Micros,
    /// When it was ended.
    pub ended: Option<Micros>,
    /// It was ended without what it asks for.
    pub unmet: bool,
    /// Since when it stands still.
    pub stands_since: Option<Micros>,
}

impl Clock {
    /// Whether it has passed by then: a clock that stands still passes no more.
    fn passed(&self, at: Micros) -> bool {
        reading::passed(self.due, self.stands_since.map_or(at, |since| since.min(at)))
    }

    /// When it is due, if it runs at `at`; a clock that stands still is due only if it had passed before.
    fn running(&self, at: Micros) -> Option<Micros> {
        (self.ended.is_none() && (self.stands_since.is_none() || self.passed(at))).then_some(self.due)
    }
}

/// A clock that ended after it was due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missed {
    /// In which round.
    pub round: usize,
    /// Of which level.
    pub level: Option<i64>,
    /// Which clock.
    pub kind: ClockKind,
    /// When it was due.
    pub due: Micros,
    /// When it was ended.
    pub ended: Micros,
}

/// One action of a resolution.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// Its `id`, if it has one.
    pub id: Option<String>,
    /// Its position in the resolution, from 1.
    pub position: usize,
    /// Its owner.
    pub owner: Option<String>,
    /// When it is due.
    pub due: Option<Micros>,
    /// From when on it is to be done.
    pub from: Micros,
    /// When it was done or ended.
    pub ended: Option<Micros>,
    /// The closing ended it, before the ledger knew `action_done`.
    pub by_closing: bool,
}

/// The order in the life of an escalation, for acts of two sources at the same instant (section 4).
fn life(ty: &str) -> u8 {
    match ty {
        "escalation.opened" => 0,
        "escalation.acknowledged" => 1,
        "escalation.raised" => 2,
        "escalation.lowered" => 3,
        "escalation.reassigned" => 4,
        "escalation.paused" => 5,
        "escalation.resumed" => 6,
        "escalation.resolved" => 7,
        "escalation.action_done" => 8,
        "escalation.closed" => 9,
        _ => 10,
    }
}

/// Whether a type ends a round.
fn ends(f: &Fact) -> bool {
    f.ty == "escalation.resolved" || f.ty == "escalation.closed"
}

/// All escalations as of a moment, by id, then by the place of the opening.
#[must_use]
pub fn escalations(facts: &[Fact], moment: Moment) -> Vec<Escalation> {
    let known: Vec<&Fact> =
        reading::known(facts, moment).into_iter().filter(|f| f.ty.starts_with("escalation.")).collect();
    let key = |f: &Fact| reading::text(&f.data, "escalation").map(str::to_owned);
    // The ledger's first `action_done`, by the order of recording.
    let first_done = known.iter().filter(|f| f.ty == "escalation.action_done").map(|f| f.place).min();
    let rows = reading::gather(&known, "escalation.opened", &key);
    rows.iter().filter_map(|row| Fold::new(row, first_done, moment.at).run()).collect()
}

/// One row on its way from its first event to its last.
struct Fold<'a> {
    row: &'a Gathered<'a>,
    first_done: Option<u64>,
    at: Micros,
    out: Escalation,
    /// Acknowledgements of levels that were not reached yet.
    ahead: Vec<&'a Fact>,
    /// Actions that were told as done before their resolution.
    done_early: Vec<&'a Fact>,
    /// Events before the first opening, or after an end: they may be about the opening to come.
    waiting: Vec<&'a Fact>,
    /// The levels that the round had.
    levels: Vec<i64>,
    /// The place of what began the round.
    opening_place: u64,
    /// The place of what last ended a round.
    ending_place: Option<u64>,
    /// The place of what closed the round.
    closing_place: Option<u64>,
}

impl<'a> Fold<'a> {
    fn new(row: &'a Gathered<'a>, first_done: Option<u64>, at: Micros) -> Self {
        let out = Escalation {
            id: row.id.clone(),
            source: row.source.clone(),
            state: State::Unopened,
            rounds: Vec::new(),
            due: None,
            overdue: false,
            missed_before: Vec::new(),
            // Of another source; what the row's own source told again is decided by the rounds.
            confirmations: row
                .confirmations
                .iter()
                .filter(|f| f.source != row.source)
                .map(|f| f.seq)
                .collect(),
            conflicts: Vec::new(),
            ambiguous: row.ambiguous.clone(),
            out_of_order: Vec::new(),
            did_nothing: Vec::new(),
            ended_nothing: Vec::new(),
        };
        Self {
            row,
            first_done,
            at,
            out,
            ahead: Vec::new(),
            done_early: Vec::new(),
            waiting: Vec::new(),
            levels: Vec::new(),
            opening_place: 0,
            ending_place: None,
            closing_place: None,
        }
    }

    /// The row; none where it was not yet begun at `at`.
    fn run(mut self) -> Option<Escalation> {
        let Some(first) = self.row.opening else {
            self.out.did_nothing = self.row.events.iter().map(|f| f.seq).collect();
            return Some(self.out);
        };
        let mut openings = vec![first];
        openings.extend(
            self.row.again.iter().chain(&self.row.confirmations).filter(|f| f.source == first.source),
        );
        let mut all = openings.clone();
        all.extend(&self.row.events);
        let all = reading::in_order(all, life);
        let openers = openers(&all, &openings);
        let at = self.at;
        for f in all.into_iter().filter(|f| f.act <= at) {
            if f.ty != "escalation.opened" {
                self.step(f, f.act);
            } else if openers.iter().any(|opener| opener.seq == f.seq) && !self.is_open() {
                self.begin(f, State::Opened);
            } else {
                self.told_again(f);
            }
        }
        // Choice: what another source tells again is marked where it is dated back before the first round.
        let first_round = self.out.rounds.first()?.opened_at;
        let others =
            self.row.confirmations.iter().filter(|f| f.source != first.source && f.act < first_round);
        self.out.out_of_order.extend(others.map(|f| f.seq));
        Some(self.finish())
    }

    fn is_open(&self) -> bool {
        self.out.rounds.last().is_some_and(|round| !round.state.is_end())
    }

    /// An opening in a round that is open: told again, or a conflict.
    fn told_again(&mut self, f: &Fact) {
        // Choice: compared with what the row's source had said before it, in the order of recording.
        let said = self.row.opening.iter().chain(&self.row.again).chain(&self.row.confirmations);
        let same = said.filter(|g| g.source == f.source && g.place < f.place).any(|g| g.data == f.data);
        if same { self.out.confirmations.push(f.seq) } else { self.out.conflicts.push(f.seq) }
    }

    /// Begins a round: an accepted opening after an end state opens again, with its own clocks (section 3).
    fn begin(&mut self, f: &'a Fact, state: State) {
        // Recorded before the end that it comes after: recording went the other way.
        if self.ending_place.is_some_and(|end| f.place < end) {
            self.out.out_of_order.push(f.seq);
        }
        self.opening_place = f.place;
        self.closing_place = None;
        let before = self.out.rounds.last();
        let stated = level(&f.data, "level");
        let reopened = state == State::Reopened;
        let former_owner = before.filter(|_| reopened).and_then(|r| r.assigned_to.clone());
        let mut round = Round {
            number: self.out.rounds.len() + 1,
            opened_by: f.seq,
            opened_at: f.act,
            state,
            // Reopened, it keeps the level and the owner that it had, unless it states others.
            level: if reopened { stated.or(before.and_then(|r| r.level)) } else { stated },
            assigned_to: owner(&f.data).or(former_owner),
            clocks: Vec::new(),
            missed: Vec::new(),
            acknowledged_at: None,
            resolved_at: None,
            closed_at: None,
            unresolved: false,
            paused_at: None,
            resolution: None,
            cause_class: None,
            actions: Vec::new(),
        };
        // Section 10: *reopened* has the clocks that it states, else none until it is raised.
        start_clocks(&mut round, &f.data, f.act);
        let first = self.out.rounds.is_empty();
        self.levels = round.level.into_iter().collect();
        self.out.rounds.push(round);
        self.out.did_nothing.extend(self.ahead.drain(..).map(|f| f.seq));
        self.out.ended_nothing.extend(self.done_early.drain(..).map(|f| f.seq));
        for early in std::mem::take(&mut self.waiting) {
            self.step_early(early, f, first);
        }
    }

    /// Section 4, nothing that is told early is lost: it counts from the opening, as if the opening had come
    /// first.
    // Choice: before the row's first opening an acknowledgement, a raise or the like counts however early it
    // was told; after an end it counts for the next round within 5 minutes, for else section 10 says that it
    // does nothing.
    fn step_early(&mut self, early: &'a Fact, opening: &Fact, first: bool) {
        let near = opening.act - early.act <= FIVE_MINUTES;
        let ending = ends(early) || early.ty == "escalation.action_done";
        if ending && !near && reading::effective(early) < opening.act {
            self.out.ended_nothing.push(early.seq);
            // Choice: recording went the other way here too, though nothing came of it.
            if first {
                self.out.out_of_order.push(early.seq);
            }
        } else if !ending && !near && !first {
            self.out.did_nothing.push(early.seq);
        } else {
            // At one instant events of several sources may stand before the opening without going another way.
            if early.act < opening.act || early.place < opening.place {
                self.out.out_of_order.push(early.seq);
            }
            self.step(early, opening.act);
        }
    }

    /// One event that opens nothing, counted as done at `act`.
    fn step(&mut self, f: &'a Fact, act: Micros) {
        let Some(round) = self.out.rounds.last_mut() else {
            self.waiting.push(f);
            return;
        };
        // Recorded before the opening though done after it: recording went the other way.
        if f.place < self.opening_place {
            self.out.out_of_order.push(f.seq);
        }
        let ended = round.state.is_end();
        match f.ty.as_str() {
            "escalation.reassigned" => {
                round.assigned_to = owner(&f.data).or_else(|| round.assigned_to.clone())
            }
            "escalation.resolved" => self.resolved(f, act),
            "escalation.closed" => self.closed(f, act),
            "escalation.action_done" => self.action_done(f, act),
            // Section 10: resolved and closed are end states for *reopened*; in any other state it does
            // nothing.
            "escalation.reopened" if ended => self.begin(f, State::Reopened),
            "escalation.reopened" => self.out.did_nothing.push(f.seq),
            // Section 10: acknowledged and raised after resolved or closed do nothing (but for an opening to
            // come).
            // Choice: so do lowered, paused and resumed.
            _ if ended => self.waiting.push(f),
            "escalation.acknowledged" => self.acknowledged(f, act),
            "escalation.raised" | "escalation.lowered" => self.moved(f, act),
            "escalation.paused" => self.paused(f, act),
            "escalation.resumed" => self.resumed(f, act),
            _ => self.out.did_nothing.push(f.seq),
        }
    }

    /// An acknowledgement ends the clock of the level that it names, and no other (section 5).
    fn acknowledged(&mut self, f: &'a Fact, act: Micros) {
        let Some(round) = self.out.rounds.last_mut() else { return };
        let named = level(&f.data, "level").or(round.level);
        if round.level.is_none() || named == round.level {
            // Told again at the same level, it changes nothing.
            if round.state == State::Acknowledged {
                self.out.did_nothing.push(f.seq);
                return;
            }
            round.state = State::Acknowledged;
            round.acknowledged_at.get_or_insert(act);
            end_clocks(round, act, Some(ClockKind::Acknowledge), true);
        } else if named.is_some_and(|named| self.levels.contains(&named)) {
            self.out.did_nothing.push(f.seq);
        } else {
            // Section 4: the level is an item; what is told before it is reached counts from there.
            self.ahead.push(f);
        }
    }

    /// Raised ends the lower level's clocks, and what had passed stays in `missed`; raised to a lower level
    /// is lowered.
    fn moved(&mut self, f: &'a Fact, act: Micros) {
        let Some(round) = self.out.rounds.last_mut() else { return };
        let to = level(&f.data, "to_level");
        // Choice: to the level where it is (told by two systems), or to none, it does nothing: else a second
        // raise would be a way to later clocks.
        let Some(to) = to.filter(|to| Some(*to) != round.level) else {
            self.out.did_nothing.push(f.seq);
            return;
        };
        let lower = round.level.map_or(f.ty == "escalation.lowered", |level| to < level);
        end_clocks(round, act, None, false);
        round.state = if lower { State::Lowered } else { State::Raised };
        round.level = Some(to);
        self.levels.push(to);
        round.assigned_to = owner(&f.data).or_else(|| round.assigned_to.clone());
        start_clocks(round, &f.data, act);
        let (now, later): (Vec<&Fact>, Vec<&Fact>) =
            std::mem::take(&mut self.ahead).into_iter().partition(|g| level(&g.data, "level") == Some(to));
        self.ahead = later;
        for ack in now {
            self.out.out_of_order.push(ack.seq);
            self.acknowledged(ack, act);
        }
    }

    /// Paused: its clocks stand still.
    fn paused(&mut self, f: &Fact, act: Micros) {
        let Some(round) = self.out.rounds.last_mut() else { return };
        if round.paused_at.is_some() {
            self.out.did_nothing.push(f.seq);
            return;
        }
        round.paused_at = Some(act);
        for clock in round.clocks.iter_mut().filter(|c| c.ended.is_none()) {
            clock.stands_since = Some(act);
        }
    }

    /// Resumed: what had not passed is due by so much later as it stood still.
    fn resumed(&mut self, f: &Fact, act: Micros) {
        let Some(round) = self.out.rounds.last_mut() else { return };
        if round.paused_at.take().is_none() {
            self.out.did_nothing.push(f.seq);
            return;
        }
        for clock in round.clocks.iter_mut().filter(|c| c.ended.is_none()) {
            let passed = clock.passed(act);
            if let Some(since) = clock.stands_since.take()
                && !passed
            {
                clock.due = clock.due.saturating_add(act - since);
            }
        }
    }

    /// Resolved: ends the clocks, and its actions begin. After closed it fills in what is missing.
    // Choice: a second resolution fills in what is missing, too; what the first one said stays.
    fn resolved(&mut self, f: &Fact, act: Micros) {
        let Some(round) = self.out.rounds.last_mut() else { return };
        let again = round.resolved_at.is_some();
        if !round.state.is_end() {
            end_clocks(round, act, None, true);
            round.paused_at = None;
            round.state = State::Resolved;
            self.ending_place = Some(f.place);
        }
        round.resolved_at.get_or_insert(act);
        for (mine, key) in [(&mut round.resolution, "resolution"), (&mut round.cause_class, "cause_class")] {
            if mine.is_none() {
                *mine = f.data.get(key).cloned();
            }
        }
        let none_yet = round.actions.is_empty();
        let mut told_again = again;
        for action in actions(&f.data, act) {
            let new = action.id.is_some() && round.actions.iter().all(|a| a.id != action.id);
            // Choice: of a second resolution actions with an id that is new are added; without ids they
            // cannot be told from the first one's.
            if none_yet || new {
                round.actions.push(action);
                told_again = false;
            }
        }
        if told_again {
            self.out.did_nothing.push(f.seq);
        }
        self.end_by_closing();
        // Actions told as done before the resolution that names them (section 4: an ending within 5 minutes).
        for done in std::mem::take(&mut self.done_early) {
            self.out.out_of_order.push(done.seq);
            if act - done.act <= FIVE_MINUTES || reading::effective(done) >= act {
                self.action_done(done, act);
            } else {
                self.out.ended_nothing.push(done.seq);
            }
        }
    }

    /// Closed from any state closes; unresolved, it is marked.
    fn closed(&mut self, f: &Fact, act: Micros) {
        let Some(round) = self.out.rounds.last_mut() else { return };
        if round.state == State::Closed {
            self.out.did_nothing.push(f.seq);
            return;
        }
        round.unresolved = round.state != State::Resolved;
        end_clocks(round, act, None, false);
        round.paused_at = None;
        round.state = State::Closed;
        round.closed_at = Some(act);
        self.ending_place = Some(f.place);
        self.closing_place = Some(f.place);
        self.end_by_closing();
    }

    /// Section 10: in rounds closed before the ledger's first `action_done`, closing ends the actions,
    /// marked.
    fn end_by_closing(&mut self) {
        let Some(round) = self.out.rounds.last_mut() else { return };
        let Some(closed_at) = round.closed_at else { return };
        // Choice: "before" is by the order of recording.
        if self.first_done.is_some_and(|first| self.closing_place.is_none_or(|closing| first < closing)) {
            return;
        }
        for action in round.actions.iter_mut().filter(|a| a.ended.is_none()) {
            action.ended = Some(closed_at.max(action.from));
            action.by_closing = true;
        }
    }

    /// `action_done` ends the action whose id it names, or without ids the position, from 1.
    fn action_done(&mut self, f: &'a Fact, act: Micros) {
        let named = action_name(&f.data);
        // The newest round that has such an action; actions of earlier rounds stay to be done.
        let found = self.out.rounds.iter().enumerate().rev().find_map(|(number, round)| {
            let is = |a: &(usize, &Action)| named.as_ref().is_some_and(|named| a.1.is_named(named));
            let open = round.actions.iter().enumerate().filter(is).find(|(_, a)| a.ended.is_none());
            open.or_else(|| round.actions.iter().enumerate().find(is)).map(|(index, _)| (number, index))
        });
        let found = found.or_else(|| if named.is_none() { self.oldest_open(f) } else { None });
        let action =
            found.and_then(|(number, index)| self.out.rounds.get_mut(number)?.actions.get_mut(index));
        let Some(action) = action else {
            // It may be of a resolution to come.
            self.done_early.push(f);
            return;
        };
        if action.ended.is_some() {
            self.out.did_nothing.push(f.seq);
        } else {
            action.ended = Some(act.max(action.from));
        }
    }

    /// Section 5: an old event that names none ends the only item that it can mean, else the oldest open one,
    /// marked.
    fn oldest_open(&mut self, f: &Fact) -> Option<(usize, usize)> {
        let mut open = Vec::new();
        for (number, round) in self.out.rounds.iter().enumerate() {
            let actions = round.actions.iter().enumerate();
            open.extend(actions.filter(|(_, a)| a.ended.is_none()).map(|(index, _)| (number, index)));
        }
        if open.len() > 1 {
            self.out.ambiguous.push(f.seq);
        }
        open.first().copied()
    }

    /// What is due and what was missed.
    fn finish(mut self) -> Escalation {
        let at = self.at;
        self.out.did_nothing.extend(self.waiting.iter().chain(&self.ahead).map(|f| f.seq));
        self.out.ended_nothing.extend(self.done_early.iter().map(|f| f.seq));
        let mut due = Vec::new();
        for round in &mut self.out.rounds {
            let number = round.number;
            let missed = |kind, level, due: Micros, ended| Missed { round: number, level, kind, due, ended };
            for clock in &round.clocks {
                due.extend(clock.running(at));
                // Choice: what ends at the very moment when it is due, and not by being done, was missed: it is raised
                // because the clock has run out.
                let passed = |ended: &Micros| clock.passed(ended.saturating_add(i64::from(clock.unmet)));
                if let Some(ended) = clock.ended.filter(passed) {
                    round.missed.push(missed(clock.kind, clock.level, clock.due, ended));
                }
            }
            for action in &round.actions {
                match (action.due, action.ended) {
                    (Some(date), None) => due.push(date),
                    (Some(date), Some(ended)) if reading::passed(date, ended) => {
                        round.missed.push(missed(ClockKind::Action, round.level, date, ended));
                    }
                    _ => {}
                }
            }
            round.missed.sort();
        }
        // The row is due at the earliest running clock, whichever kind it is.
        self.out.due = due.into_iter().min();
        self.out.overdue = self.out.due.is_some_and(|due| reading::passed(due, at));
        self.out.state = self.out.rounds.last().map_or(State::Unopened, |r| r.state);
        // Section 3: a round that ended keeps what it missed.
        let before = self.out.rounds.iter().rev().skip(1);
        self.out.missed_before = before.flat_map(|r| r.missed.clone()).collect();
        self.out.missed_before.sort();
        let out = &mut self.out;
        for list in [
            &mut out.confirmations,
            &mut out.conflicts,
            &mut out.ambiguous,
            &mut out.out_of_order,
            &mut out.did_nothing,
            &mut out.ended_nothing,
        ] {
            list.sort_unstable();
            list.dedup();
        }
        self.out
    }
}

/// Which openings begin a round: of those between two ends, one.
// Choice: the first recorded (section 2), so that a back-dated opening does not take the place of the one
// that was there. Which openings lie between the same two ends is decided by act (section 4).
fn openers<'a>(all: &[&'a Fact], openings: &[&'a Fact]) -> Vec<&'a Fact> {
    let earliest = openings.iter().map(|f| f.act).min().unwrap_or_default();
    // An ending told within 5 minutes before the first opening ends the round that this one opens.
    let opening_at = all.iter().position(|f| f.ty == "escalation.opened").unwrap_or_default();
    let ended_early = all
        .iter()
        .take(opening_at)
        .any(|f| ends(f) && (earliest - f.act <= FIVE_MINUTES || reading::effective(f) >= earliest));
    let mut out = Vec::new();
    let mut group: Vec<&'a Fact> = Vec::new();
    for (index, f) in all.iter().enumerate() {
        if f.ty == "escalation.opened" {
            group.push(f);
        }
        if ends(f) || (index == opening_at && ended_early) {
            out.extend(group.iter().min_by_key(|f| f.place).copied());
            group.clear();
        }
    }
    out.extend(group.iter().min_by_key(|f| f.place).copied());
    out
}

/// Starts the clocks that are stated, of the round's level.
fn start_clocks(round: &mut Round, data: &Value, act: Micros) {
    for (kind, key) in [(ClockKind::Acknowledge, "ack_due_at"), (ClockKind::Resolve, "resolve_due_at")] {
        if let Some(due) = reading::due(data, key) {
            let stands_since = round.paused_at.map(|_| act);
            round.clocks.push(Clock {
                kind,
                level: round.level,
                due,
                ended: None,
                unmet: false,
                stands_since,
            });
        }
    }
}

/// Ends the running clocks of one kind, or of all.
fn end_clocks(round: &mut Round, act: Micros, only: Option<ClockKind>, met: bool) {
    for clock in round.clocks.iter_mut().filter(|c| c.ended.is_none()) {
        if only.is_none_or(|kind| kind == clock.kind) {
            clock.ended = Some(act);
            clock.unmet = !met;
        }
    }
}

/// A level, written as a number or as its digits.
fn level(data: &Value, key: &str) -> Option<i64> {
    let value = data.get(key)?;
    value.as_i64().or_else(|| value.as_str().and_then(|text| text.parse().ok()))
}

/// `assigned_to`.
fn owner(data: &Value) -> Option<String> {
    reading::text(data, "assigned_to").map(str::to_owned)
}

/// The actions that a resolution names.
fn actions(data: &Value, act: Micros) -> Vec<Action> {
    let list = data.get("actions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let action = |(index, action): (usize, &Value)| Action {
        id: reading::text(action, "id").map(str::to_owned),
        position: index + 1,
        owner: reading::text(action, "owner").map(str::to_owned),
        due: reading::due(action, "due_at"),
        from: act,
        ended: None,
        by_closing: false,
    };
    list.iter().enumerate().map(action).collect()
}

/// What an `action_done` names: a text, or a number.
fn action_name(data: &Value) -> Option<String> {
    let value = data.get("action")?;
    value.as_str().map(str::to_owned).or_else(|| value.as_u64().map(|number| number.to_string()))
}

impl Action {
    // Choice: a position names only an action that has no id.
    fn is_named(&self, name: &str) -> bool {
        match &self.id {
            Some(id) => id == name,
            None => name == self.position.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::State::{Acknowledged, Closed, Lowered, Opened, Raised, Reopened, Resolved, Unopened};
    use super::*;
    use crate::decisions::reading::testing::{at, fact, from, m, t};

    fn event(seq: u64, minutes: i64, what: &str, more: Value) -> Fact {
        let mut data = json!({"escalation": "e"});
        for (key, value) in more.as_object().unwrap() {
            data.as_object_mut().unwrap().insert(key.clone(), value.clone());
        }
        fact(seq, &format!("escalation.{what}"), minutes, data)
    }

    fn opened(seq: u64, minutes: i64, ack: i64, resolve: i64) -> Fact {
        let clocks =
            json!({"level": 1, "assigned_to": "u", "ack_due_at": t(ack), "resolve_due_at": t(resolve)});
        event(seq, minutes, "opened", clocks)
    }

    fn raised(seq: u64, minutes: i64, to: i64, ack: i64, resolve: i64) -> Fact {
        let clocks =
            json!({"to_level": to, "assigned_to": "v", "ack_due_at": t(ack), "resolve_due_at": t(resolve)});
        event(seq, minutes, "raised", clocks)
    }

    fn acknowledged(seq: u64, minutes: i64, level: i64) -> Fact {
        event(seq, minutes, "acknowledged", json!({"level": level}))
    }

    fn plain(seq: u64, minutes: i64, what: &str) -> Fact {
        event(seq, minutes, what, json!({}))
    }

    fn row(facts: &[Fact], minutes: i64) -> Escalation {
        let mut all = escalations(facts, at(minutes));
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    fn stands(facts: &[Fact], minutes: i64) -> (State, Option<Micros>, bool) {
        let row = row(facts, minutes);
        (row.state, row.due, row.overdue)
    }

    fn missed(list: &[Missed]) -> Vec<(usize, Option<i64>, ClockKind)> {
        list.iter().map(|miss| (miss.round, miss.level, miss.kind)).collect()
    }

    use ClockKind::{Acknowledge, Resolve};

    #[test]
    fn the_row_is_due_at_the_earliest_running_clock() {
        let facts = [opened(0, 0, 10, 60), acknowledged(1, 5, 1), plain(2, 70, "resolved")];
        assert_eq!(stands(&facts, 4), (Opened, Some(m(10)), false));
        assert_eq!(stands(&facts, 6), (Acknowledged, Some(m(60)), false));
        assert_eq!(stands(&facts, 61), (Acknowledged, Some(m(60)), true));
        assert_eq!(stands(&facts, 70), (Resolved, None, false));
        assert_eq!(missed(&row(&facts, 70).rounds[0].missed), [(1, Some(1), Resolve)]);
        assert_eq!(stands(&[opened(0, 0, 60, 10)], 5).1, Some(m(10)));
        assert!(escalations(&facts, at(-1)).is_empty());
    }

    #[test]
    fn raised_ends_the_lower_levels_clocks_and_keeps_what_had_passed() {
        let facts =
            [opened(0, 0, 10, 60), raised(1, 20, 2, 30, 90), acknowledged(2, 25, 1), acknowledged(3, 40, 2)];
        assert_eq!(stands(&facts, 26), (Raised, Some(m(30)), false));
        assert_eq!(row(&facts, 26).did_nothing, [2]);
        assert_eq!(row(&facts, 26).rounds[0].assigned_to.as_deref(), Some("v"));
        assert_eq!(stands(&facts, 41), (Acknowledged, Some(m(90)), false));
        let both = [(1, Some(1), Acknowledge), (1, Some(2), Acknowledge)];
        assert_eq!(missed(&row(&facts, 41).rounds[0].missed), both);
    }

    #[test]
    fn raised_to_a_lower_level_is_lowered_and_to_the_same_does_nothing() {
        let facts =
            [opened(0, 0, 10, 60), raised(1, 5, 2, 30, 90), raised(2, 6, 2, 99, 99), raised(3, 7, 1, 40, 50)];
        assert_eq!((stands(&facts, 6), row(&facts, 6).did_nothing), ((Raised, Some(m(30)), false), vec![2]));
        assert_eq!(stands(&facts, 8), (Lowered, Some(m(40)), false));
        assert_eq!(row(&facts, 8).rounds[0].level, Some(1));
    }

    #[test]
    fn an_acknowledgement_before_the_opening_counts_from_the_opening() {
        let facts = [acknowledged(0, -30, 1), opened(1, 0, 10, 60)];
        let early = row(&facts, 20);
        assert_eq!((early.state, early.due, early.out_of_order), (Acknowledged, Some(m(60)), vec![0]));
        assert_eq!(early.rounds[0].acknowledged_at, Some(m(0)));
        let level = [opened(0, 0, 10, 60), acknowledged(1, 15, 2), raised(2, 20, 2, 30, 90)];
        let early = row(&level, 40);
        assert_eq!((early.state, early.due, early.out_of_order), (Acknowledged, Some(m(90)), vec![1]));
    }

    #[test]
    fn an_ending_before_the_opening_counts_within_five_minutes() {
        let near = [plain(0, -5, "resolved"), opened(1, 0, 10, 60)];
        assert_eq!((stands(&near, 1), row(&near, 1).out_of_order), ((Resolved, None, false), vec![0]));
        let far = [plain(0, -6, "closed"), opened(1, 0, 10, 60)];
        assert_eq!((stands(&far, 1).0, row(&far, 1).ended_nothing), (Opened, vec![0]));
    }

    #[test]
    fn the_order_of_recording_does_not_matter() {
        let mut facts =
            [opened(0, 0, 10, 60), acknowledged(1, 5, 1), raised(2, 20, 2, 30, 90), plain(3, 40, "resolved")];
        let straight = row(&facts, 50);
        for (seq, f) in facts.iter_mut().rev().enumerate() {
            f.place = u64::try_from(seq).unwrap();
        }
        let mut back = row(&facts, 50);
        assert_eq!(back.out_of_order, [1, 2, 3]);
        back.out_of_order.clear();
        assert_eq!(back, straight);
    }

    #[test]
    fn closed_from_any_state_closes_and_resolved_after_it_fills_in() {
        let later = event(
            2,
            30,
            "resolved",
            json!({"resolution": "fixed", "actions": [{"owner": "u", "due_at": t(50)}]}),
        );
        let facts = [opened(0, 0, 10, 60), plain(1, 5, "closed"), later];
        let closed = row(&facts, 40);
        let round = &closed.rounds[0];
        assert_eq!(
            (closed.state, round.unresolved, round.resolution.clone()),
            (Closed, true, Some(json!("fixed")))
        );
        // Nobody ever told an action as done: the closing ends it.
        assert_eq!((round.actions[0].by_closing, closed.due), (true, None));
        let known = [facts.to_vec(), vec![event(3, 31, "action_done", json!({"action": "9"}))]].concat();
        assert!(row(&known, 40).rounds[0].actions[0].by_closing);
    }

    #[test]
    fn acknowledged_and_raised_after_the_end_do_nothing() {
        let facts =
            [opened(0, 0, 10, 60), plain(1, 5, "resolved"), acknowledged(2, 6, 1), raised(3, 7, 2, 30, 90)];
        assert_eq!((stands(&facts, 9), row(&facts, 9).did_nothing), ((Resolved, None, false), vec![2, 3]));
        let again = [facts.to_vec(), vec![opened(4, 60, 70, 99)]].concat();
        assert_eq!((stands(&again, 61).0, row(&again, 61).did_nothing), (Opened, vec![2, 3]));
        let near =
            [opened(0, 0, 10, 60), plain(1, 5, "closed"), acknowledged(2, 59, 1), opened(3, 60, 70, 99)];
        assert_eq!((stands(&near, 61).0, row(&near, 61).out_of_order), (Acknowledged, vec![2]));
    }

    #[test]
    fn reopening_launders_nothing() {
        let facts = [
            opened(0, 0, 10, 60),
            plain(1, 70, "closed"),
            plain(2, 80, "reopened"),
            raised(3, 90, 2, 95, 99),
        ];
        assert_eq!(stands(&facts, 85), (Reopened, None, false));
        let again = row(&facts, 91);
        assert_eq!((again.state, again.due, again.rounds.len()), (Raised, Some(m(95)), 2));
        assert_eq!(missed(&again.missed_before), [(1, Some(1), Acknowledge), (1, Some(1), Resolve)]);
        assert!(again.rounds[1].missed.is_empty());
        let stated = event(2, 80, "reopened", json!({"resolve_due_at": t(85)}));
        assert_eq!(
            stands(&[opened(0, 0, 10, 60), plain(1, 70, "resolved"), stated], 86),
            (Reopened, Some(m(85)), true)
        );
        let open = [opened(0, 0, 10, 60), plain(1, 5, "reopened")];
        assert_eq!((row(&open, 6).rounds.len(), row(&open, 6).did_nothing), (1, vec![1]));
    }

    #[test]
    fn opened_again_after_the_end_is_a_new_round() {
        let facts = [opened(0, 0, 10, 60), plain(1, 20, "resolved"), opened(2, 30, 10, 60)];
        let again = row(&facts, 31);
        assert_eq!((again.state, again.rounds.len(), again.confirmations.len()), (Opened, 2, 0));
        assert_eq!((again.due, again.overdue), (Some(m(10)), true));
        assert_eq!(missed(&again.missed_before), [(1, Some(1), Acknowledge)]);
    }

    #[test]
    fn opened_again_while_open_is_told_again_or_a_conflict() {
        let facts = [
            opened(0, 0, 10, 60),
            opened(1, 5, 10, 60),
            opened(2, -9, 50, 60),
            from("b", opened(3, 1, 10, 60)),
        ];
        let one = row(&facts, 6);
        assert_eq!((one.rounds.len(), one.due), (1, Some(m(10))));
        assert_eq!((one.confirmations, one.conflicts), (vec![1, 3], vec![2]));
    }

    #[test]
    fn another_source_has_a_row_of_its_own() {
        let facts = [opened(0, 0, 10, 60), from("b", opened(1, 0, 20, 60)), from("b", plain(2, 5, "closed"))];
        let all = escalations(&facts, at(6));
        let states: Vec<(&str, State)> = all.iter().map(|e| (e.source.as_str(), e.state)).collect();
        assert_eq!(states, [("a", Opened), ("b", Closed)]);
        assert_eq!(row(&[plain(0, 0, "closed")], 1).state, Unopened);
    }

    #[test]
    fn actions_stay_to_be_done_until_they_are_named() {
        let actions =
            json!({"actions": [{"id": "x", "due_at": t(30)}, {"due_at": t(20)}, {"due_at": t(40)}]});
        let done =
            |seq, minutes, action: Value| event(seq, minutes, "action_done", json!({"action": action}));
        let facts = [
            opened(0, 0, 10, 60),
            event(1, 5, "resolved", actions),
            done(2, 6, json!("x")),
            plain(3, 8, "closed"),
            done(4, 25, json!(2)),
            done(5, 26, json!(1)),
        ];
        assert_eq!(stands(&facts, 9), (Closed, Some(m(20)), false));
        assert_eq!(stands(&facts, 21), (Closed, Some(m(20)), true));
        let later = row(&facts, 27);
        assert_eq!((later.due, later.ended_nothing), (Some(m(40)), vec![5]));
        assert_eq!(missed(&later.rounds[0].missed), [(1, Some(1), ClockKind::Action)]);
        let nameless = [facts.to_vec(), vec![plain(6, 28, "action_done")]].concat();
        assert_eq!((row(&nameless, 29).due, row(&nameless, 29).ambiguous.len()), (None, 0));
    }

    #[test]
    fn an_action_told_early_is_done_from_its_resolution() {
        let done = |minutes| event(0, minutes, "action_done", json!({"action": "x"}));
        let resolved = event(2, 15, "resolved", json!({"actions": [{"id": "x", "due_at": t(30)}]}));
        let near = row(&[done(10), opened(1, 0, 10, 60), resolved.clone()], 16);
        assert_eq!((near.due, near.out_of_order), (None, vec![0]));
        let far = row(&[done(9), opened(1, 0, 10, 60), resolved], 16);
        assert_eq!((far.due, far.ended_nothing), (Some(m(30)), vec![0]));
    }

    #[test]
    fn paused_clocks_stand_still() {
        let facts = [opened(0, 0, 10, 60), plain(1, 20, "paused"), plain(2, 50, "resumed")];
        assert_eq!(stands(&facts, 40), (Opened, Some(m(10)), true));
        let calm = [opened(0, 0, 30, 60), plain(1, 20, "paused"), plain(2, 50, "resumed")];
        assert_eq!(stands(&calm, 40), (Opened, None, false));
        assert_eq!(stands(&calm, 55), (Opened, Some(m(60)), false));
        let ended = [calm.to_vec(), vec![acknowledged(3, 61, 1)]].concat();
        assert_eq!(
            (stands(&ended, 62).1, missed(&row(&ended, 62).rounds[0].missed)),
            (Some(m(90)), vec![(1, Some(1), Acknowledge)])
        );
    }

    #[test]
    fn reassigned_changes_the_owner_alone() {
        let facts = [opened(0, 0, 10, 60), event(1, 5, "reassigned", json!({"assigned_to": "w"}))];
        assert_eq!(
            (stands(&facts, 6), row(&facts, 6).rounds[0].assigned_to.as_deref()),
            ((Opened, Some(m(10)), false), Some("w"))
        );
    }
}
