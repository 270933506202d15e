//! Decisions, in the plainest program: ANSWERS.md sections 2, 4, 5 and 10, and the family *decision* of the
//! catalogue.
//!
//! The inner module [`reading`] holds what this file and its siblings `access`, `escalations` and `fairness`
//! share: how members of `data` are read, in which order events were done, and whose row an event is.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::base::{Fact, Micros, Moment};

use reading::{FIVE_MINUTES, Gathered};

/// All decisions as of a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Decisions {
    /// One row for each id and source that opened it, by id, then by the place of the opening.
    pub rows: Vec<Decision>,
    /// Entries of the family that name no decision and no contest that anybody knows.
    pub strays: Vec<u64>,
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// `data.decision`.
    pub id: String,
    /// The source whose row it is.
    pub source: String,
    /// The entry that opened it; none for an `unopened` row.
    pub opened_by: Option<u64>,
    /// When the opening was done.
    pub opened_at: Option<Micros>,
    /// `unopened`, `contested`, or the word of the last event by act: `made`, `confirmed`, `overridden`,
    /// `referred`, `upheld`, `reversed`.
    pub state: String,
    /// The outcome as made.
    pub outcome: Option<Value>,
    /// The outcome after overrides.
    pub final_outcome: Option<Value>,
    /// Every contest that was begun by then, in the order of recording.
    pub contests: Vec<Contest>,
    /// Reviews that count, without referrals.
    pub reviews: Vec<Review>,
    /// Reviews that only referred it on.
    pub referrals: Vec<Review>,
    /// The review that the opening asks for, where it asks for one.
    pub review_duty: Option<ReviewDuty>,
    /// Explanations, delivered or not.
    pub explanations: Vec<Explanation>,
    /// Notices by their kind.
    pub notices: BTreeMap<String, Notice>,
    /// The earliest due date of what is open.
    pub due: Option<Micros>,
    /// Whether anything open is past its due date.
    pub overdue: bool,
    /// Later openings with the same data.
    pub confirmations: Vec<u64>,
    /// Later openings of the same source with other data, and contests and reviews told again with other
    /// data.
    pub conflicts: Vec<u64>,
    /// Events that named an id of which there are several rows or items, or none, and were given to the first
    /// or oldest.
    pub ambiguous: Vec<u64>,
    /// Events that were done, or recorded, before the opening that they are about.
    pub out_of_order: Vec<u64>,
    /// Endings that ended nothing.
    pub ended_nothing: Vec<u64>,
    /// Contested by then, and no explanation for the affected person was delivered by then.
    pub contested_without_explanation: bool,
}

/// One contest: an item with its own due date and its own end.
#[derive(Clone, Debug, PartialEq)]
pub struct Contest {
    /// `data.contest`.
    pub id: String,
    /// Who told it.
    pub source: String,
    /// The entry that opened it.
    pub opened_by: u64,
    /// From when on it is open.
    pub from: Micros,
    /// When an answer is due.
    pub due: Option<Micros>,
    /// When it was answered, if that was by then.
    pub ended: Option<Micros>,
    /// The result of the first answer, if that was by then.
    pub result: Option<String>,
    /// The entry that answered it.
    pub answered_by: Option<u64>,
    /// Later answers: shown, they change nothing.
    pub answered_again: Vec<u64>,
    /// The same contest told again.
    pub told_again: Vec<u64>,
}

/// One review or referral.
#[derive(Clone, Debug, PartialEq)]
pub struct Review {
    /// `data.review`.
    pub id: Option<String>,
    /// The entry.
    pub seq: u64,
    /// From when on it counts.
    pub from: Micros,
    /// `data.result`.
    pub result: String,
    /// The same review told again.
    pub told_again: Vec<u64>,
}

/// The review that the opening asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReviewDuty {
    /// When it is due, if a date was stated.
    pub due: Option<Micros>,
    /// When the first review that is no referral was done, if that was by then.
    pub ended: Option<Micros>,
}

/// One explanation.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The entry.
    pub seq: u64,
    /// `data.audience`.
    pub audience: String,
    /// When it was delivered, if that was by then: only then it counts.
    pub delivered: Option<Micros>,
}

/// The notices of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notice {
    /// The earliest delivery by then: the kind counts from here on.
    pub delivered: Option<Micros>,
    /// Entries of this kind, delivered or not.
    pub entries: Vec<u64>,
}

/// Counts: decisions, and contests apart (section 10).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Opened decisions.
    pub decisions: usize,
    /// Rows that nothing opened, counted apart.
    pub unopened: usize,
    /// Opened decisions by state.
    pub by_state: BTreeMap<String, usize>,
    /// Contests, each once.
    pub contests: usize,
    /// Contests without an answer by then.
    pub contests_open: usize,
    /// Rows with an open item past its due date.
    pub overdue: usize,
}

impl Decision {
    /// Whether one of the kinds that the catalogue names adverse was delivered by then.
    #[must_use]
    pub fn notified(&self, kinds: &[&str]) -> bool {
        kinds.iter().any(|kind| self.notices.get(*kind).is_some_and(|n| n.delivered.is_some()))
    }
}

impl Decisions {
    /// Section 10: statistics count decisions, and contests apart.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for row in &self.rows {
            if row.opened_by.is_none() {
                counts.unopened += 1;
                continue;
            }
            counts.decisions += 1;
            *counts.by_state.entry(row.state.clone()).or_default() += 1;
            counts.contests += row.contests.len();
            counts.contests_open += row.contests.iter().filter(|c| c.ended.is_none()).count();
            counts.overdue += usize::from(row.overdue);
        }
        counts
    }
}

/// The order in the life of a decision, for acts of two sources at the same instant (section 4).
fn life(ty: &str) -> u8 {
    match ty {
        "decision.made" => 0,
        "decision.reviewed" => 1,
        "decision.contested" => 2,
        "decision.contest_resolved" => 3,
        "decision.explained" => 4,
        _ => 5,
    }
}

/// All decisions as of a moment.
#[must_use]
pub fn decisions(facts: &[Fact], moment: Moment) -> Decisions {
    let known = reading::known(facts, moment);
    let family: Vec<&Fact> = known.into_iter().filter(|f| f.ty.starts_with("decision.")).collect();
    let (answers, others): (Vec<&Fact>, Vec<&Fact>) =
        family.into_iter().partition(|f| f.ty == "decision.contest_resolved");
    let by_decision = |f: &Fact| reading::text(&f.data, "decision").map(str::to_owned);
    let mut strays: Vec<u64> = others.iter().filter(|f| by_decision(f).is_none()).map(|f| f.seq).collect();
    let mut gathered = reading::gather(&others, "decision.made", &by_decision);
    for answer in answers {
        if !give_answer(&mut gathered, answer) {
            strays.push(answer.seq);
        }
    }
    strays.sort_unstable();
    let rows = gathered.iter().filter_map(|row| decision(row, moment)).collect();
    Decisions { rows, strays }
}

/// An answer names a contest, not a decision: it goes where its contest is (section 2: the contest of its own
/// source, else the first recorded). An old answer that names a decision alone goes to that decision's row.
/// False: a stray.
fn give_answer<'a>(rows: &mut Vec<Gathered<'a>>, answer: &'a Fact) -> bool {
    let contest = reading::text(&answer.data, "contest");
    let decision = reading::text(&answer.data, "decision");
    let mut candidates: Vec<(bool, u64, usize)> = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        if decision.is_some_and(|id| id != row.id) {
            continue;
        }
        for f in row.events.iter().filter(|f| f.ty == "decision.contested") {
            if contest.is_some() && reading::text(&f.data, "contest") == contest {
                candidates.push((f.source != answer.source, f.place, index));
            }
        }
    }
    if let Some((_, _, index)) = candidates.iter().min()
        && let Some(row) = rows.get_mut(*index)
    {
        row.events.push(answer);
        return true;
    }
    let Some(decision) = decision else { return false };
    reading::give(rows, decision, answer);
    true
}

/// One row; none where it was not yet begun at `at`.
fn decision(row: &Gathered<'_>, moment: Moment) -> Option<Decision> {
    let at = moment.at;
    let opened_at = row.opening.map(|f| f.act);
    // Choice: a decision that was not yet made at `at` has no row then; nothing of it is hidden at a later
    // `at`.
    if opened_at.is_some_and(|t| t > at) {
        return None;
    }
    let mut out = Decision {
        id: row.id.clone(),
        source: row.source.clone(),
        opened_by: row.opening.map(|f| f.seq),
        opened_at,
        state: "unopened".to_owned(),
        outcome: None,
        final_outcome: None,
        contests: Vec::new(),
        reviews: Vec::new(),
        referrals: Vec::new(),
        review_duty: None,
        explanations: Vec::new(),
        notices: BTreeMap::new(),
        due: None,
        overdue: false,
        confirmations: row.confirmations.iter().map(|f| f.seq).collect(),
        // `once`: a later opening of the same source does not touch the first (section 2).
        conflicts: row.again.iter().map(|f| f.seq).collect(),
        ambiguous: row.ambiguous.clone(),
        out_of_order: Vec::new(),
        ended_nothing: Vec::new(),
        contested_without_explanation: false,
    };
    mark_early(row, &mut out);
    let contests = contests(row, &mut out);
    let reviews = reviews(row, &mut out);
    explanations_and_notices(row, at, &mut out);
    let words = words(row, &contests, &reviews, at);
    show_contests(&contests, at, &mut out);
    show_reviews(row, &reviews, at, &mut out);
    if let Some(opening) = row.opening {
        let open = out.contests.iter().any(|c| c.ended.is_none());
        // Section 10: an open contest shows `contested`; otherwise the word of the last event by act.
        out.state = if open { "contested".to_owned() } else { words.last_word() };
        out.outcome = opening.data.get("outcome").cloned();
        out.final_outcome = words.overridden.or_else(|| out.outcome.clone());
        reckon_due(at, &mut out);
    }
    let explained =
        out.explanations.iter().any(|e| e.delivered.is_some() && for_affected_person(&e.audience));
    out.contested_without_explanation = !out.contests.is_empty() && !explained;
    for list in [&mut out.conflicts, &mut out.ambiguous, &mut out.out_of_order, &mut out.ended_nothing] {
        list.sort_unstable();
        list.dedup();
    }
    Some(out)
}

/// Section 4: what was done before the opening counts from the opening, marked; and so is what was recorded
/// before it.
fn mark_early(row: &Gathered<'_>, out: &mut Decision) {
    let Some(opening) = row.opening else { return };
    for f in &row.events {
        if f.act < opening.act || f.place < opening.place {
            out.out_of_order.push(f.seq);
        }
    }
    // Choice: another opening that is dated back is marked as well, though it counts for nothing.
    let others = row.again.iter().chain(&row.confirmations);
    out.out_of_order.extend(others.filter(|f| f.act < opening.act).map(|f| f.seq));
}

// Choice: reviews, explanations and notices are things in themselves and count from the opening however early
// they were told; only an answer to a contest is an *ending*, with its five minutes.
/// From when on an event of the row counts: its act, or the opening where that is later (section 4).
fn counts_from(row: &Gathered<'_>, f: &Fact) -> Micros {
    row.opening.map_or(f.act, |opening| f.act.max(opening.act))
}

/// A contest with the event of its first answer, whatever `at` is.
struct Item<'a> {
    told: Vec<&'a Fact>,
    from: Micros,
    answers: Vec<&'a Fact>,
}

impl<'a> Item<'a> {
    fn first(&self) -> Option<&'a Fact> {
        self.told.first().copied()
    }

    fn is(&self, contest: Option<&str>) -> bool {
        self.first().is_some_and(|f| reading::text(&f.data, "contest") == contest)
    }

    /// Section 10: a contest answered twice keeps the first answer; section 2: first means first recorded.
    fn answer(&self) -> Option<&'a Fact> {
        self.answers.iter().min_by_key(|f| f.place).copied()
    }

    fn ended(&self) -> Option<Micros> {
        self.answer().map(|f| f.act.max(self.from))
    }
}

/// The contests of a row, each with its answers.
fn contests<'a>(row: &Gathered<'a>, out: &mut Decision) -> Vec<Item<'a>> {
    let mut items: Vec<Item<'a>> = Vec::new();
    for f in reading::recorded_order(&row.events, "decision.contested") {
        let id = reading::text(&f.data, "contest");
        // Section 2: the same contest told again under a new event id counts once; `once` for other data.
        // Choice: a contest is an item of one row, so the same contest id on two decisions is two contests.
        let own = items.iter().position(|i| i.is(id) && i.first().is_some_and(|g| g.source == f.source));
        let same = items.iter().position(|i| i.is(id) && i.told.iter().any(|g| g.data == f.data));
        if own.is_some() && same.is_none() {
            out.conflicts.push(f.seq);
        }
        match same.or(own).and_then(|index| items.get_mut(index)) {
            Some(item) => item.told.push(f),
            None => items.push(Item { told: vec![f], from: counts_from(row, f), answers: Vec::new() }),
        }
    }
    let answers = reading::recorded_order(&row.events, "decision.contest_resolved");
    let (named, nameless): (Vec<&Fact>, Vec<&Fact>) =
        answers.into_iter().partition(|f| reading::text(&f.data, "contest").is_some());
    for f in named {
        let id = reading::text(&f.data, "contest");
        let of_id: Vec<usize> =
            (0..items.len()).filter(|i| items.get(*i).is_some_and(|item| item.is(id))).collect();
        let own = of_id
            .iter()
            .copied()
            .find(|i| items.get(*i).and_then(Item::first).is_some_and(|first| first.source == f.source));
        if own.is_none() && of_id.len() > 1 {
            out.ambiguous.push(f.seq);
        }
        answer_item(&mut items, own.or(of_id.first().copied()), f, out);
    }
    for f in reading::in_order(nameless, life) {
        // Section 5: old events that name none end the only item that they can mean, else the oldest open
        // one, marked.
        let open = |item: &Item<'_>| item.ended().is_none_or(|t| t > f.act);
        let oldest = (0..items.len())
            .filter(|i| items.get(*i).is_some_and(open))
            .min_by_key(|i| items.get(*i).map(|item| (item.from, item.first().map(|g| g.place))));
        if items.len() > 1 {
            out.ambiguous.push(f.seq);
        }
        let only = (items.len() == 1).then_some(0);
        answer_item(&mut items, only.or(oldest), f, out);
    }
    items
}

/// Section 4: an ending that was done before its opening counts within 5 minutes, or if it takes effect at or
/// after the opening's `from`; otherwise it ends nothing, and is shown.
fn answer_item<'a>(items: &mut [Item<'a>], index: Option<usize>, f: &'a Fact, out: &mut Decision) {
    let Some(item) = index.and_then(|i| items.get_mut(i)) else {
        out.ended_nothing.push(f.seq);
        return;
    };
    // Choice: a contest holds from `received_at` on, where that is stated and lies before the act that told
    // it.
    let received = item.first().and_then(|g| reading::begins(&g.data, "received_at"));
    let holds_from = received.map_or(item.from, |t| t.min(item.from));
    let early = f.act < item.from;
    if early || item.first().is_some_and(|g| f.place < g.place) {
        out.out_of_order.push(f.seq);
    }
    if early && item.from - f.act > FIVE_MINUTES && reading::effective(f) < holds_from {
        out.ended_nothing.push(f.seq);
        return;
    }
    item.answers.push(f);
}

/// A review with all that tell it again.
struct Told<'a> {
    told: Vec<&'a Fact>,
    from: Micros,
}

/// The reviews of a row: one natural key, one fact (section 2).
fn reviews<'a>(row: &Gathered<'a>, out: &mut Decision) -> Vec<Told<'a>> {
    let mut items: Vec<Told<'a>> = Vec::new();
    for f in reading::recorded_order(&row.events, "decision.reviewed") {
        let id = reading::text(&f.data, "review");
        let is = |i: &Told<'_>| i.told.first().is_some_and(|g| reading::text(&g.data, "review") == id);
        let own = items
            .iter()
            .position(|i| id.is_some() && is(i) && i.told.first().is_some_and(|g| g.source == f.source));
        let same = items.iter().position(|i| is(i) && i.told.iter().any(|g| g.data == f.data));
        if own.is_some() && same.is_none() {
            out.conflicts.push(f.seq);
        }
        match same.or(own).and_then(|index| items.get_mut(index)) {
            Some(item) => item.told.push(f),
            None => items.push(Told { told: vec![f], from: counts_from(row, f) }),
        }
    }
    items
}

/// What the events of a row say of its state and outcome.
struct Words {
    words: Vec<String>,
    overridden: Option<Value>,
}

impl Words {
    fn last_word(&self) -> String {
        self.words.last().cloned().unwrap_or_else(|| "made".to_owned())
    }
}

/// The words of reviews and answers that count by `at`, in the order in which they were done.
// Choice: what was told early stands right behind the opening, and an early answer right behind its contest: "as if it
// had come first".
fn words(row: &Gathered<'_>, contests: &[Item<'_>], reviews: &[Told<'_>], at: Micros) -> Words {
    let all: Vec<&Fact> = row.events.iter().copied().chain(row.opening).collect();
    let order = reading::in_order(all, life);
    let place = |seq: u64| order.iter().position(|f| f.seq == seq).unwrap_or_default();
    let opened = row.opening.map_or(0, |f| place(f.seq));
    let mut spoken: Vec<(usize, usize, &Fact)> = Vec::new();
    for item in contests {
        if let (Some(f), Some(first)) = (item.answer(), item.first())
            && counts_from(row, f).max(item.from) <= at
        {
            // Of two that were told early each stands where it was told.
            let behind = place(first.seq).max(opened);
            spoken.push((place(f.seq).max(behind), place(first.seq).max(place(f.seq)), f));
        }
    }
    for item in reviews {
        if let Some(f) = item.told.first()
            && item.from <= at
        {
            spoken.push((place(f.seq).max(opened), place(f.seq), f));
        }
    }
    spoken.sort_by_key(|(at, own, f)| (*at, *own, f.place));
    let mut words = Words { words: Vec::new(), overridden: None };
    for (_, _, f) in spoken {
        let result = reading::text(&f.data, "result").unwrap_or("resolved");
        words.words.push(result.to_owned());
        // Section 10: `final_outcome` after overrides.
        // Choice: only an override that states `new_outcome` changes it; a reversal states none, its state
        // tells it.
        if f.ty == "decision.reviewed"
            && result == "overridden"
            && let Some(new) = f.data.get("new_outcome")
        {
            words.overridden = Some(new.clone());
        }
    }
    words
}

/// The contests that were begun by `at`, as they stood then.
fn show_contests(items: &[Item<'_>], at: Micros, out: &mut Decision) {
    for item in items.iter().filter(|i| i.from <= at) {
        let Some(first) = item.first() else { continue };
        let ended = item.ended().filter(|t| *t <= at);
        let answer = item.answer().filter(|_| ended.is_some());
        out.contests.push(Contest {
            id: reading::text(&first.data, "contest").unwrap_or_default().to_owned(),
            source: first.source.clone(),
            opened_by: first.seq,
            from: item.from,
            due: reading::due(&first.data, "due_at"),
            ended,
            result: answer.and_then(|f| reading::text(&f.data, "result")).map(str::to_owned),
            answered_by: answer.map(|f| f.seq),
            answered_again: item
                .answers
                .iter()
                .map(|f| f.seq)
                .filter(|s| Some(*s) != item.answer().map(|f| f.seq))
                .collect(),
            told_again: item.told.iter().skip(1).map(|f| f.seq).collect(),
        });
    }
}

/// The reviews by `at`, and the duty to review: a referral is not a review (section 5).
fn show_reviews(row: &Gathered<'_>, items: &[Told<'_>], at: Micros, out: &mut Decision) {
    for item in items.iter().filter(|i| i.from <= at) {
        let Some(first) = item.told.first() else { continue };
        let result = reading::text(&first.data, "result").unwrap_or_default().to_owned();
        let referral = result == "referred";
        let review = Review {
            id: reading::text(&first.data, "review").map(str::to_owned),
            seq: first.seq,
            from: item.from,
            result,
            told_again: item.told.iter().skip(1).map(|f| f.seq).collect(),
        };
        if referral { out.referrals.push(review) } else { out.reviews.push(review) }
    }
    let Some(opening) = row.opening else { return };
    let due = reading::due(&opening.data, "review_due_at");
    // Choice: an opening that says that no review is required asks for none, also where it states a date.
    let required = opening.data.get("review_required").and_then(Value::as_bool);
    if required.unwrap_or(due.is_some()) {
        out.review_duty = Some(ReviewDuty { due, ended: out.reviews.iter().map(|r| r.from).min() });
    }
}

/// Section 5: a notice counts for its kind; an explanation or notice counts when it was delivered.
fn explanations_and_notices(row: &Gathered<'_>, at: Micros, out: &mut Decision) {
    for f in reading::recorded_order(&row.events, "decision.explained") {
        out.explanations.push(Explanation {
            seq: f.seq,
            audience: reading::text(&f.data, "audience").unwrap_or_default().to_owned(),
            delivered: delivered(row, f, at),
        });
    }
    for f in reading::recorded_order(&row.events, "decision.notified") {
        let kind = reading::text(&f.data, "kind").unwrap_or_default().to_owned();
        let notice = out.notices.entry(kind).or_default();
        notice.entries.push(f.seq);
        let delivered = delivered(row, f, at);
        notice.delivered = match (notice.delivered, delivered) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
}

/// When it was delivered, if that was by `at`; never before the opening.
fn delivered(row: &Gathered<'_>, f: &Fact, at: Micros) -> Option<Micros> {
    // Choice: told more than five minutes ahead, in old ledgers, it is an announcement, and a duty is not done by
    // announcing it.
    let told = reading::happened(f, "delivered_at").filter(|t| *t <= f.recorded)?;
    Some(row.opening.map_or(told, |opening| told.max(opening.act))).filter(|t| *t <= at)
}

/// The catalogue writes the audience in words; hyphens and underscores are read as spaces.
fn for_affected_person(audience: &str) -> bool {
    audience.replace(['-', '_'], " ").eq_ignore_ascii_case("affected person")
}

/// Section 5: the row is due at its earliest open item, overdue if any is.
fn reckon_due(at: Micros, out: &mut Decision) {
    let contests = out.contests.iter().filter(|c| c.ended.is_none()).filter_map(|c| c.due);
    let review = out.review_duty.filter(|d| d.ended.is_none()).and_then(|d| d.due);
    out.due = contests.chain(review).min();
    out.overdue = out.due.is_some_and(|due| reading::passed(due, at));
}

/// What the models of this folder share in reading facts.
pub mod reading {
    use chrono::{DateTime, FixedOffset, NaiveDate};
    use serde_json::Value;

    use crate::base::{Fact, Micros, Moment};

    /// Five minutes: how early something may be told and still count (section 4).
    pub const FIVE_MINUTES: Micros = 5 * 60 * 1_000_000;
    /// A day.
    pub const DAY: Micros = 24 * 60 * 60 * 1_000_000;

    /// The facts that are known at the moment, in the order of recording.
    #[must_use]
    pub fn known(facts: &[Fact], moment: Moment) -> Vec<&Fact> {
        let mut known: Vec<&Fact> =
            facts.iter().filter(|f| f.seq < moment.known && f.place < moment.known).collect();
        known.sort_by_key(|f| f.place);
        known
    }

    /// A member of `data` that is a text.
    #[must_use]
    pub fn text<'a>(data: &'a Value, key: &str) -> Option<&'a str> {
        data.get(key).and_then(Value::as_str)
    }

    /// A moment, or a day's first and last microsecond.
    fn span(written: &str) -> Option<(Micros, Micros)> {
        // Section 4: RFC 3339, seconds 00–59.
        if let Ok(instant) = DateTime::parse_from_rfc3339(written) {
            let leap = written.get(17..19) == Some("60");
            let instant = instant.timestamp_micros();
            return (!leap).then_some((instant, instant));
        }
        // A bare date, with the zone that it states behind it (`2026-03-01+01:00`, `2026-03-01Z`).
        // Choice: a date without a zone is a day of UTC; zones by name are not reckoned here.
        let date: NaiveDate = written.get(..10)?.parse().ok()?;
        let zone = match written.get(10..)? {
            "" | "Z" => FixedOffset::east_opt(0)?,
            zone => zone.parse().ok()?,
        };
        let start = date.and_hms_opt(0, 0, 0)?.and_local_timezone(zone).single()?.timestamp_micros();
        Some((start, start.checked_add(DAY)?.checked_sub(1)?))
    }

    /// When something begins: the moment, or the start of the day.
    #[must_use]
    pub fn begins(data: &Value, key: &str) -> Option<Micros> {
        span(text(data, key)?).map(|(start, _)| start)
    }

    /// When something is due: the moment, or the last microsecond of the day (section 4: a due date ends with
    /// that day).
    #[must_use]
    pub fn due(data: &Value, key: &str) -> Option<Micros> {
        span(text(data, key)?).map(|(_, end)| end)
    }

    /// The end of `[from, until)`: the moment, or for a bare date the start of the day after.
    // Choice: a right that is valid until a day holds through that day, as a due date does.
    #[must_use]
    pub fn until(data: &Value, key: &str) -> Option<Micros> {
        let (start, end) = span(text(data, key)?)?;
        if start == end { Some(start) } else { end.checked_add(1) }
    }

    /// Whether a due date has passed.
    // Choice: what is done at the very moment it is due is done in time.
    #[must_use]
    pub const fn passed(due: Micros, at: Micros) -> bool {
        due < at
    }

    /// A member under `happened`: at most 5 minutes ahead of the recording counts from the recording (section
    /// 4).
    // Choice: farther ahead (old ledgers alone hold it), it has not happened until then.
    #[must_use]
    pub fn happened(f: &Fact, key: &str) -> Option<Micros> {
        let told = begins(&f.data, key)?;
        let ahead = told > f.recorded && told.saturating_sub(f.recorded) <= FIVE_MINUTES;
        Some(if ahead { f.recorded } else { told })
    }

    /// When an ending takes effect: `effective_at`, else when it was done.
    // Choice: with effect from a bare date is from the start of that day.
    #[must_use]
    pub fn effective(f: &Fact) -> Micros {
        begins(&f.data, "effective_at").unwrap_or(f.act)
    }

    /// Whether one was done before the other. Section 4: at the same instant, of one source the order of
    /// recording, else the order in the type's life.
    #[must_use]
    pub fn done_before(a: &Fact, b: &Fact, life: fn(&str) -> u8) -> bool {
        if a.act != b.act {
            return a.act < b.act;
        }
        if a.source == b.source {
            return a.place < b.place;
        }
        (life(&a.ty), a.place) < (life(&b.ty), b.place)
    }

    /// The order in which things were done.
    ///
    /// At one instant the two rules of section 4 can form a circle (A before C by recording, C before B and B
    /// before A by life).
    // Choice: each source keeps its own order of recording; of the sources' next events the earliest in life
    // comes next.
    #[must_use]
    pub fn in_order<'a>(mut facts: Vec<&'a Fact>, life: fn(&str) -> u8) -> Vec<&'a Fact> {
        facts.sort_by_key(|f| (f.act, f.place));
        let mut out: Vec<&'a Fact> = Vec::new();
        while !facts.is_empty() {
            let next = facts
                .iter()
                .enumerate()
                .filter(|(_, f)| {
                    !facts.iter().any(|g| g.source == f.source && (g.act, g.place) < (f.act, f.place))
                })
                .min_by_key(|(_, f)| (f.act, life(&f.ty), f.place))
                .map(|(index, _)| index);
            match next {
                Some(index) => out.push(facts.remove(index)),
                None => break,
            }
        }
        out
    }

    /// Events of one type in the order of recording.
    #[must_use]
    pub fn recorded_order<'a>(events: &[&'a Fact], ty: &str) -> Vec<&'a Fact> {
        let mut out: Vec<&'a Fact> = events.iter().filter(|f| f.ty == ty).copied().collect();
        out.sort_by_key(|f| f.place);
        out
    }

    /// What belongs to one row of a type that is `once` or has `rounds` (section 2).
    #[derive(Clone, Debug)]
    pub struct Gathered<'a> {
        /// The row's id.
        pub id: String,
        /// The row's source.
        pub source: String,
        /// The first recorded opening; none for a row that only has events that open nothing.
        pub opening: Option<&'a Fact>,
        /// Later openings of the same source: with other data for `once`, all of them for `rounds`.
        pub again: Vec<&'a Fact>,
        /// Openings with the same data that are no opening of their own.
        pub confirmations: Vec<&'a Fact>,
        /// Events that open nothing.
        pub events: Vec<&'a Fact>,
        /// Events that named an id of which there are several rows, and came to the first.
        pub ambiguous: Vec<u64>,
    }

    impl<'a> Gathered<'a> {
        fn new(id: &str, source: &str, opening: Option<&'a Fact>) -> Self {
            Self {
                id: id.to_owned(),
                source: source.to_owned(),
                opening,
                again: Vec::new(),
                confirmations: Vec::new(),
                events: Vec::new(),
                ambiguous: Vec::new(),
            }
        }

        /// "The same data" is `data` alone, compared with any opening of the row (section 10).
        fn has_said(&self, f: &Fact) -> bool {
            self.opening.iter().chain(&self.again).any(|g| g.data == f.data)
        }
    }

    /// Gathers the rows of a type that is `once`. The facts come in the order of recording.
    #[must_use]
    pub fn gather<'a>(
        facts: &[&'a Fact],
        opens: &str,
        key: &dyn Fn(&Fact) -> Option<String>,
    ) -> Vec<Gathered<'a>> {
        let mut rows: Vec<Gathered<'a>> = Vec::new();
        for f in facts.iter().filter(|f| f.ty == opens) {
            if let Some(id) = key(f) {
                open(&mut rows, &id, f);
            }
        }
        for f in facts.iter().filter(|f| f.ty != opens) {
            if let Some(id) = key(f) {
                give(&mut rows, &id, f);
            }
        }
        rows.sort_by(|a, b| {
            let place = |row: &Gathered<'_>| row.opening.map(|f| f.place);
            (&a.id, place(a), &a.source).cmp(&(&b.id, place(b), &b.source))
        });
        rows
    }

    /// An opening: the first, told again, in conflict, or a row of its own (section 2).
    fn open<'a>(rows: &mut Vec<Gathered<'a>>, id: &str, f: &'a Fact) {
        // Choice: a source that has a row of its own speaks of that row, also where its data is that of the
        // first row.
        if let Some(own) = rows.iter_mut().find(|r| r.id == id && r.source == f.source) {
            if own.has_said(f) {
                own.confirmations.push(f)
            } else {
                own.again.push(f)
            }
            return;
        }
        // Choice: compared with what the first row's source had said before it; what that source says later
        // takes no row away.
        if let Some(first) = rows.iter_mut().find(|r| r.id == id)
            && first.has_said(f)
        {
            first.confirmations.push(f);
            return;
        }
        rows.push(Gathered::new(id, &f.source, Some(f)));
    }

    /// An event that names an id belongs to the row of its own source, else to the first recorded, marked
    /// where there are several (section 2). Without any, it is a row that nothing opened (section 10).
    pub fn give<'a>(rows: &mut Vec<Gathered<'a>>, id: &str, f: &'a Fact) {
        let several = rows.iter().filter(|r| r.id == id).count() > 1;
        let own = rows.iter().position(|r| r.id == id && r.source == f.source);
        let first = rows
            .iter()
            .enumerate()
            .filter(|(_, r)| r.id == id)
            .min_by_key(|(_, r)| r.opening.map(|g| g.place))
            .map(|(index, _)| index);
        match own.or(first).and_then(|index| rows.get_mut(index)) {
            Some(row) => {
                row.events.push(f);
                if own.is_none() && several {
                    row.ambiguous.push(f.seq);
                }
            }
            // Choice: an id that nobody opened is one row, whoever speaks of it; its source is the first that
            // spoke.
            None => {
                let mut row = Gathered::new(id, &f.source, None);
                row.events.push(f);
                rows.push(row);
            }
        }
    }

    /// Facts for tests.
    #[cfg(test)]
    pub mod testing {
        use serde_json::Value;

        use crate::base::{Fact, Micros, Moment};

        /// A minute.
        pub const MINUTE: Micros = 60 * 1_000_000;
        /// Noon of 1 March 2026: all tests count minutes from here.
        pub const NOON: Micros = 1_772_366_400_000_000;

        /// So many minutes after noon.
        pub const fn m(minutes: i64) -> Micros {
            NOON + minutes * MINUTE
        }

        /// So many minutes after noon, as text.
        pub fn t(minutes: i64) -> String {
            format!("{:?}", chrono::DateTime::from_timestamp_micros(m(minutes)).unwrap())
        }

        /// A fact of source `a`, recorded in the order of `seq`, long after it was done.
        pub fn fact(seq: u64, ty: &str, minutes: i64, data: Value) -> Fact {
            Fact {
                seq,
                place: seq,
                recorded: m(100_000) + i64::try_from(seq).unwrap(),
                act: m(minutes),
                source: "a".to_owned(),
                id: format!("e{seq}"),
                ty: ty.to_owned(),
                actor: "app:a".to_owned(),
                by: "user:1".to_owned(),
                subject: None,
                data,
                imported: false,
            }
        }

        /// The same from another source.
        pub fn from(source: &str, mut f: Fact) -> Fact {
            f.source = source.to_owned();
            f
        }

        /// So many minutes after noon, with all known.
        pub const fn at(minutes: i64) -> Moment {
            Moment { at: m(minutes), known: 1_000, now: m(200_000) }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::reading::testing::{at, fact, from, m, t};
    use super::*;

    fn made(seq: u64, minutes: i64) -> Fact {
        fact(seq, "decision.made", minutes, json!({"decision": "d", "outcome": "declined", "adverse": true}))
    }

    fn contested(seq: u64, minutes: i64, contest: &str, due: i64) -> Fact {
        fact(
            seq,
            "decision.contested",
            minutes,
            json!({"decision": "d", "contest": contest, "due_at": t(due)}),
        )
    }

    fn answered(seq: u64, minutes: i64, contest: &str, result: &str) -> Fact {
        fact(seq, "decision.contest_resolved", minutes, json!({"contest": contest, "result": result}))
    }

    fn reviewed(seq: u64, minutes: i64, review: &str, result: &str) -> Fact {
        fact(seq, "decision.reviewed", minutes, json!({"decision": "d", "review": review, "result": result}))
    }

    fn only(facts: &[Fact], minutes: i64) -> Decision {
        let mut all = decisions(facts, at(minutes));
        assert_eq!(all.rows.len(), 1, "{all:?}");
        all.rows.remove(0)
    }

    #[test]
    fn each_contest_has_its_own_due_date_and_end() {
        let facts = [
            made(0, 0),
            contested(1, 10, "x", 50),
            contested(2, 20, "y", 40),
            answered(3, 30, "y", "upheld"),
        ];
        let row = only(&facts, 35);
        assert_eq!((row.state.as_str(), row.due, row.overdue), ("contested", Some(m(50)), false));
        assert!(only(&facts, 51).overdue);
        assert_eq!(only(&facts, 25).due, Some(m(40)));
        let facts = [facts.to_vec(), vec![answered(4, 60, "x", "reversed")]].concat();
        assert_eq!(only(&facts, 61).state, "reversed");
        assert_eq!(only(&facts, 61).due, None);
    }

    #[test]
    fn a_contest_told_twice_counts_once_and_keeps_the_first_answer() {
        let facts = [
            made(0, 0),
            contested(1, 10, "x", 50),
            contested(2, 11, "x", 50),
            contested(3, 12, "x", 99),
            answered(4, 30, "x", "upheld"),
            answered(5, 20, "x", "reversed"),
        ];
        let row = only(&facts, 40);
        assert_eq!(row.contests.len(), 1);
        let contest = row.contests.first().unwrap();
        assert_eq!((contest.due, contest.answered_by), (Some(m(50)), Some(4)));
        assert_eq!((contest.told_again.clone(), contest.answered_again.clone()), (vec![2, 3], vec![5]));
        assert_eq!((row.state.as_str(), row.conflicts.clone()), ("upheld", vec![3]));
        // The first answer decides at every moment, also before it was given.
        assert_eq!(only(&facts, 25).state, "contested");
    }

    #[test]
    fn an_answer_ends_only_the_contest_that_it_names() {
        let facts = [made(0, 0), contested(1, 10, "x", 50), answered(2, 20, "z", "upheld")];
        assert_eq!(decisions(&facts, at(30)).strays, vec![2]);
        let nameless = fact(2, "decision.contest_resolved", 20, json!({"decision": "d", "result": "upheld"}));
        let row = only(&[made(0, 0), contested(1, 10, "x", 50), nameless.clone()], 30);
        assert_eq!((row.state.as_str(), row.ambiguous.len()), ("upheld", 0));
        let row = only(&[made(0, 0), contested(1, 12, "x", 50), nameless, contested(3, 11, "y", 60)], 30);
        assert_eq!((row.ambiguous.clone(), row.due), (vec![2], Some(m(50))));
    }

    #[test]
    fn an_answer_told_early_counts_from_the_contest_within_five_minutes() {
        let row = only(&[made(0, 0), answered(1, 6, "x", "upheld"), contested(2, 10, "x", 50)], 30);
        assert_eq!((row.state.as_str(), row.out_of_order.clone()), ("upheld", vec![1]));
        assert_eq!(row.contests.first().unwrap().ended, Some(m(10)));
        let row = only(&[made(0, 0), answered(1, 4, "x", "upheld"), contested(2, 10, "x", 50)], 30);
        assert_eq!((row.state.as_str(), row.ended_nothing.clone()), ("contested", vec![1]));
    }

    #[test]
    fn a_referral_is_not_a_review() {
        let mut opening = made(0, 0);
        opening.data =
            json!({"decision": "d", "outcome": "no", "review_required": true, "review_due_at": t(30)});
        let facts = [opening, reviewed(1, 10, "r", "referred"), reviewed(2, 40, "s", "confirmed")];
        let row = only(&facts, 31);
        assert_eq!(
            (row.state.as_str(), row.overdue, row.reviews.len(), row.referrals.len()),
            ("referred", true, 0, 1)
        );
        let row = only(&facts, 41);
        assert_eq!((row.state.as_str(), row.overdue, row.due), ("confirmed", false, None));
    }

    #[test]
    fn a_review_told_again_counts_once_and_the_last_word_is_by_act() {
        let facts = [
            made(0, 0),
            reviewed(1, 20, "r", "confirmed"),
            reviewed(2, 20, "r", "confirmed"),
            reviewed(3, 10, "s", "referred"),
        ];
        let row = only(&facts, 30);
        assert_eq!((row.reviews.len(), row.state.as_str()), (1, "confirmed"));
        assert_eq!(only(&facts, 15).state, "referred");
    }

    #[test]
    fn the_final_outcome_is_after_overrides() {
        let over = |seq, minutes, new: &str| {
            let data = json!({"decision": "d", "review": new, "result": "overridden", "new_outcome": new});
            fact(seq, "decision.reviewed", minutes, data)
        };
        let facts = [made(0, 0), over(1, 20, "granted"), over(2, 10, "deferred")];
        assert_eq!(only(&facts, 30).final_outcome, Some(json!("granted")));
        assert_eq!(only(&facts, 15).final_outcome, Some(json!("deferred")));
        assert_eq!(only(&facts, 5).final_outcome, Some(json!("declined")));
        assert_eq!(only(&facts, 30).outcome, Some(json!("declined")));
    }

    #[test]
    fn explanations_and_notices_count_when_delivered() {
        let explained = |seq, audience: &str, delivered: Option<i64>| {
            let data = json!({"decision": "d", "audience": audience, "delivered_at": delivered.map(t)});
            fact(seq, "decision.explained", 10, data)
        };
        let notice = fact(
            5,
            "decision.notified",
            10,
            json!({"decision": "d", "kind": "adverse", "delivered_at": t(20)}),
        );
        let facts = [
            made(0, 0),
            contested(1, 5, "x", 50),
            explained(2, "technical", Some(6)),
            explained(3, "affected-person", None),
            notice,
        ];
        let row = only(&facts, 15);
        assert!(row.contested_without_explanation && !row.notified(&["adverse"]));
        let row = only(&facts, 20);
        assert!(
            row.contested_without_explanation && row.notified(&["adverse"]) && !row.notified(&["receipt"])
        );
        let facts = [facts.to_vec(), vec![explained(6, "affected person", Some(30))]].concat();
        assert!(only(&facts, 29).contested_without_explanation);
        assert!(!only(&facts, 30).contested_without_explanation);
    }

    #[test]
    fn another_source_has_a_row_of_its_own_unless_it_says_the_same() {
        let mut other = from("b", made(2, 5));
        let facts = [made(0, 0), from("b", made(1, 5))];
        assert_eq!(only(&facts, 9).confirmations, vec![1]);
        other.data = json!({"decision": "d", "outcome": "granted"});
        let facts = [
            facts.to_vec(),
            vec![other, from("b", contested(3, 6, "x", 50)), from("c", reviewed(4, 7, "r", "confirmed"))],
        ]
        .concat();
        let all = decisions(&facts, at(9));
        let states: Vec<(&str, &str)> =
            all.rows.iter().map(|r| (r.source.as_str(), r.state.as_str())).collect();
        assert_eq!(states, [("a", "confirmed"), ("b", "contested")]);
        assert_eq!(all.rows.first().unwrap().ambiguous, vec![4]);
        assert_eq!((all.counts().decisions, all.counts().contests), (2, 1));
    }

    #[test]
    fn a_second_opening_of_the_same_source_is_a_conflict() {
        let mut again = made(1, -5);
        again.data = json!({"decision": "d", "outcome": "granted"});
        let row = only(&[made(0, 0), again], 9);
        assert_eq!((row.outcome.clone(), row.conflicts.clone()), (Some(json!("declined")), vec![1]));
    }

    #[test]
    fn what_is_told_early_counts_from_the_opening() {
        let row = only(&[reviewed(0, -60, "r", "confirmed"), made(1, 0)], 1);
        assert_eq!((row.state.as_str(), row.out_of_order.clone()), ("confirmed", vec![0]));
        assert_eq!(row.reviews.first().unwrap().from, m(0));
    }

    #[test]
    fn a_row_that_nothing_opened_is_never_overdue() {
        let row = only(&[contested(0, 0, "x", 1)], 9);
        assert_eq!((row.state.as_str(), row.overdue, row.due), ("unopened", false, None));
    }

    #[test]
    fn nothing_is_known_before_it_was_recorded() {
        let moment = Moment { known: 1, ..at(30) };
        let all = decisions(&[made(0, 0), reviewed(1, 10, "r", "confirmed")], moment);
        assert_eq!(all.rows.first().unwrap().state, "made");
        assert!(decisions(&[made(0, 0)], at(-1)).rows.is_empty());
    }

    #[test]
    fn a_due_date_ends_with_its_day_in_its_zone() {
        let data = json!({
            "a": "2026-03-01", "b": "2026-03-01+01:00", "c": "2026-03-01T12:00:60Z",
            "d": "2026-03-01T12:00:00Z"
        });
        assert_eq!(reading::due(&data, "a"), Some(m(12 * 60) - 1));
        assert_eq!(reading::due(&data, "b"), Some(m(11 * 60) - 1));
        assert_eq!(reading::due(&data, "c"), None);
        assert_eq!((reading::due(&data, "d"), reading::until(&data, "d")), (Some(m(0)), Some(m(0))));
        assert_eq!(
            (reading::begins(&data, "a"), reading::until(&data, "a")),
            (Some(m(-12 * 60)), Some(m(12 * 60)))
        );
    }

    #[test]
    fn at_one_instant_a_source_keeps_its_order_and_others_follow_the_life() {
        let a = [reviewed(0, 0, "r", "x"), made(1, 0)];
        let order: Vec<u64> = reading::in_order(a.iter().collect(), life).iter().map(|f| f.seq).collect();
        assert_eq!(order, [0, 1]);
        let b = [from("b", reviewed(0, 0, "r", "x")), made(1, 0)];
        let order: Vec<u64> = reading::in_order(b.iter().collect(), life).iter().map(|f| f.seq).collect();
        assert_eq!(order, [1, 0]);
        assert!(reading::done_before(b.last().unwrap(), b.first().unwrap(), life));
    }
}
