//! How a control stands, member by member: at a time, by what had been recorded.
//!
//! The first of these that fits: *waived* while a waiver is in force; *never-evidenced* where there was no evidence ever and
//! the first due date has passed; *overdue* where the next one has; *not-yet-due* where there was none and the first due
//! date is to come; otherwise *satisfied*. The first due date is the member's opening and the cadence after it; without a
//! population, the control's publication. Evidence counts from when it took effect, whenever it was recorded: the next due
//! date is the cadence after that. What is evidence and names no row counts for every member.
//!
//! A violation is a finding, and findings are made elsewhere: no member is said to be violated here. A control of the
//! cadence `per-event` has no due dates.

use super::counting::{Asked, filters};
use super::gathered::{MemberEvidence, evidence_of};
use crate::answers::error::AnswerError;
use crate::answers::walk::{MAX_WALKED, index_up_to, indexed, walk};
use crate::catalog::{Cadence, Control};
use crate::index::Filter;
use crate::spec::time::Timestamp;
use crate::views::engine::Found;
use std::collections::BTreeMap;

/// The type of event that waives a control.
const WAIVED: &str = "control.waived";

/// How one member stands, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// No evidence ever, and the first due date has passed.
    NeverEvidenced,
    /// A due date has passed.
    Overdue,
    /// No evidence yet, and the first due date is to come.
    NotYetDue,
    /// The control need not be met for now.
    Waived,
    /// The last evidence still counts.
    Satisfied,
}

impl State {
    /// As it is written.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            State::NeverEvidenced => "never-evidenced",
            State::Overdue => "overdue",
            State::NotYetDue => "not-yet-due",
            State::Waived => "waived",
            State::Satisfied => "satisfied",
        }
    }
}

/// How one member stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Which of the states.
    pub state: State,
    /// When evidence is due next; of a waived one, when the waiver ends. None where the cadence is `per-event`.
    pub due_by: Option<Timestamp>,
    /// The entry that waives it.
    pub waived_by: Option<u64>,
}

/// How a control stands for all its members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many members are in each state.
    pub states: BTreeMap<State, u64>,
    /// The earliest due date of those that are not waived.
    pub due_by: Option<Timestamp>,
    /// Whether every member was looked at, with all its evidence.
    pub complete: bool,
}

impl Summary {
    /// The worst state of any member; none where there are none.
    #[must_use]
    pub fn worst(&self) -> Option<State> {
        self.states.keys().next().copied()
    }

    fn add(&mut self, standing: Option<Standing>) {
        let Some(standing) = standing else {
            self.complete = false;
            return;
        };
        *self.states.entry(standing.state).or_default() += 1;
        if standing.state != State::Waived {
            self.due_by = self.due_by.into_iter().chain(standing.due_by).min();
        }
    }
}

/// A waiver in force.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Waiver {
    control: String,
    /// Of all members, where it names none.
    member: Option<String>,
    until: Timestamp,
    seq: u64,
}

/// The waivers in force.
pub struct Waivers(Vec<Waiver>);

impl Waivers {
    /// Those in force at the moment of the question.
    ///
    /// # Errors
    /// The index does not answer, or an entry cannot be read.
    pub fn of(asked: &Asked<'_>) -> Result<Waivers, AnswerError> {
        let when = asked.moment.when;
        let index = index_up_to(asked.inquiry, when.known)?;
        let filter = Filter { ty: Some(WAIVED), ..Filter::default() };
        let walked = walk(
            asked.inquiry.deadline(),
            (0, when.known),
            true,
            usize::MAX,
            MAX_WALKED,
            |range, limit| indexed(index, filter, range, true, limit),
            |seq| {
                if asked.is_corrected(seq)? {
                    return Ok(None);
                }
                let event = asked.inquiry.event(seq)?;
                let text = |name: &str| event.data.get(name).and_then(serde_json::Value::as_str);
                let until = text("until").and_then(Timestamp::recorded);
                let from = event.effective_at(&asked.catalog);
                let waiver = text("control").zip(until).map(|(control, until)| Waiver {
                    control: control.to_owned(),
                    member: text("member").map(str::to_owned),
                    until,
                    seq,
                });
                let in_force = event.ty == WAIVED && from <= when.at;
                Ok(waiver.filter(|waiver| in_force && when.at < waiver.until))
            },
        )?;
        Ok(Waivers(walked.items))
    }

    /// The one for a member, or for the organisation, that ends last.
    fn of_member(&self, control: &str, member: Option<&str>) -> Option<&Waiver> {
        let fits = |waiver: &&Waiver| {
            waiver.control == control && (waiver.member.is_none() || waiver.member.as_deref() == member)
        };
        self.0.iter().filter(fits).max_by_key(|waiver| waiver.until)
    }

    /// How a member stands that was opened then and has this evidence; none where its evidence could not all be looked
    /// at, and what was seen does not decide.
    #[must_use]
    pub fn standing(
        &self,
        control: &Control,
        member: Option<&str>,
        opened_at: Timestamp,
        evidence: &MemberEvidence,
        at: Timestamp,
    ) -> Option<Standing> {
        if let Some(waiver) = self.of_member(&control.id, member) {
            let (due_by, waived_by) = (Some(waiver.until), Some(waiver.seq));
            return Some(Standing { state: State::Waived, due_by, waived_by });
        }
        let stands = |state, due_by| Some(Standing { state, due_by, waived_by: None });
        let Cadence::Every(span) = &control.cadence else {
            let state = if evidence.effective_at.is_some() { State::Satisfied } else { State::NotYetDue };
            return stands(state, None);
        };
        // What lies beyond the last year is never due.
        let due_by = span.after(evidence.effective_at.unwrap_or(opened_at));
        let has_passed = due_by.is_some_and(|due| due <= at);
        match (evidence.effective_at, has_passed) {
            (Some(_), false) => stands(State::Satisfied, due_by),
            _ if !evidence.all => None,
            (Some(_), true) => stands(State::Overdue, due_by),
            (None, true) => stands(State::NeverEvidenced, due_by),
            (None, false) => stands(State::NotYetDue, due_by),
        }
    }
}

/// How a control stands, over at most so many members of its population. `published` is since when it is declared.
///
/// # Errors
/// The views do not answer.
pub fn summary(
    asked: &Asked<'_>,
    waivers: &Waivers,
    control: &Control,
    published: Timestamp,
    most: usize,
) -> Result<Summary, AnswerError> {
    let at = asked.moment.when.at;
    let mut summary = Summary { complete: true, ..Summary::default() };
    let Some(population) = &control.population else {
        let evidence = evidence_of(asked, control, &[])?;
        summary.add(waivers.standing(control, None, published, &evidence.of_all, at));
        return Ok(summary);
    };
    let mut ask = asked.moment.all(most);
    ask.filters = filters(&population.filter);
    let page = match asked.moment.engine.list(&population.register, &ask) {
        Ok(page) => page,
        // Told beside the population: there is nothing to count.
        Err(_) => return Ok(Summary::default()),
    };
    let ids: Vec<String> = page.rows.iter().map(|found| found.id.clone()).collect();
    let evidence = evidence_of(asked, control, &ids)?;
    for Found { id, opened_at, .. } in &page.rows {
        summary.add(waivers.standing(control, Some(id), *opened_at, &evidence.of(id), at));
    }
    summary.complete &= page.next.is_none();
    Ok(summary)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answers::controls::counting::Counted;
    use crate::catalog::{Catalog, Span};

    fn time(text: &str) -> Timestamp {
        Timestamp::recorded(text).unwrap()
    }

    fn with(effective_at: Option<&str>) -> MemberEvidence {
        let count = Counted::Exactly(u64::from(effective_at.is_some()));
        MemberEvidence { count, total: count, last: None, effective_at: effective_at.map(time), all: true }
    }

    #[test]
    fn the_first_that_fits_is_the_state() {
        let catalog = Catalog::embedded().unwrap();
        let control = Control {
            cadence: Cadence::Every(Span { months: 3, days: 0, minutes: 0 }),
            ..catalog.control("PM-6").unwrap().clone()
        };
        let none = Waivers(Vec::new());
        let at = |evidence: Option<&str>, now: &str| {
            let standing =
                none.standing(&control, Some("m"), time("2026-01-31T00:00:00Z"), &with(evidence), time(now));
            standing.map(|standing| (standing.state, standing.due_by.unwrap().to_string()))
        };
        let due = |text: &str| time(text).to_string();
        assert_eq!(at(None, "2026-04-29T23:59:59Z"), Some((State::NotYetDue, due("2026-04-30T00:00:00Z"))));
        assert_eq!(
            at(None, "2026-04-30T00:00:00Z"),
            Some((State::NeverEvidenced, due("2026-04-30T00:00:00Z")))
        );
        let told = Some("2026-02-01T00:00:00Z");
        assert_eq!(at(told, "2026-04-30T00:00:00Z"), Some((State::Satisfied, due("2026-05-01T00:00:00Z"))));
        assert_eq!(at(told, "2026-05-01T00:00:00Z"), Some((State::Overdue, due("2026-05-01T00:00:00Z"))));
    }

    #[test]
    fn a_waiver_is_of_one_member_or_of_all() {
        let catalog = Catalog::embedded().unwrap();
        let control = catalog.control("PM-6").unwrap();
        let waiver = |member: Option<&str>, until: &str| Waiver {
            control: "PM-6".to_owned(),
            member: member.map(str::to_owned),
            until: time(until),
            seq: 7,
        };
        let state = |waivers: Vec<Waiver>, member: Option<&str>| {
            let opened = time("2020-01-01T00:00:00Z");
            let now = time("2026-01-01T00:00:00Z");
            Waivers(waivers).standing(control, member, opened, &with(None), now).unwrap().state
        };
        let one = || vec![waiver(Some("a"), "2026-02-01T00:00:00Z")];
        assert_eq!(
            (state(one(), Some("a")), state(one(), Some("b"))),
            (State::Waived, State::NeverEvidenced)
        );
        assert_eq!(state(vec![waiver(None, "2026-02-01T00:00:00Z")], Some("b")), State::Waived);
    }

    #[test]
    fn what_was_not_all_looked_at_is_not_called_late() {
        let catalog = Catalog::embedded().unwrap();
        let control = catalog.control("PM-6").unwrap();
        let none = Counted::AtLeast(0);
        let some = MemberEvidence { count: none, total: none, last: None, effective_at: None, all: false };
        let opened = time("2020-01-01T00:00:00Z");
        let standing =
            Waivers(Vec::new()).standing(control, Some("m"), opened, &some, time("2026-01-01T00:00:00Z"));
        assert_eq!(standing, None);
    }
}
