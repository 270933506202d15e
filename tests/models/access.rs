//! Grants, their reviews, and uses, in the plainest program: ANSWERS.md sections 2, 4, 5 and 10, and the
//! family *access* of the catalogue.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::base::{Fact, Micros, Moment};
use crate::decisions::reading::{self, DAY, FIVE_MINUTES, Gathered};

/// One grant: all stretches that were ever given under its id, from whatever source (`beside`).
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    /// `data.grant`.
    pub id: String,
    /// The source that first wrote of it.
    pub source: String,
    /// How it stands at the moment.
    pub state: State,
    /// Every stretch, in the order of recording.
    pub stretches: Vec<Stretch>,
    /// Whatever is or was to be done about it by then.
    pub duties: Vec<Duty>,
    /// The earliest due date of the open duties.
    pub due: Option<Micros>,
    /// Whether an open duty is past its due date.
    pub overdue: bool,
    /// When the next stretch begins that has not begun.
    pub next_from: Option<Micros>,
    /// Reviews that were done by then, each once.
    pub reviews: Vec<u64>,
    /// Reviews told again under a new event id.
    pub told_again: Vec<u64>,
    /// Events where recording went the other way than acting, or that were told before the opening.
    pub out_of_order: Vec<u64>,
    /// Endings that ended nothing.
    pub ended_nothing: Vec<u64>,
    /// Duties of several that could have been meant.
    pub ambiguous: Vec<u64>,
}

/// How a grant stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Only events that open nothing.
    Unopened,
    /// Its first stretch is still to begin.
    Scheduled,
    /// A stretch is in force.
    Granted,
    /// The stretch that ended last came to its end.
    Expired,
    /// The stretch that ended last was cut by a revocation.
    Revoked,
}

/// One stretch `[from, until)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Stretch {
    /// The entry that gave it.
    pub seq: u64,
    /// Its source.
    pub source: String,
    /// From when on it holds, as given.
    pub from: Micros,
    /// Until when it holds, as given; none is without end.
    pub until: Option<Micros>,
    /// Where revocations cut it: the earliest effective moment, and the entry.
    pub cut: Option<(Micros, u64)>,
    /// Reductions: from when on only these operations are left, and the entry.
    pub reductions: Vec<(Micros, Vec<String>, u64)>,
    /// The data that gave it.
    pub data: Value,
}

impl Stretch {
    /// Its end after cuts; none is without end.
    #[must_use]
    pub fn end(&self) -> Option<Micros> {
        match (self.until, self.cut) {
            (Some(until), Some((cut, _))) => Some(until.min(cut)),
            (until, cut) => until.or(cut.map(|(at, _)| at)),
        }
    }

    /// Whether it holds at a moment. Section 4: `[from, until)`, empty where the end lies before `from`.
    #[must_use]
    pub fn holds(&self, at: Micros) -> bool {
        self.from <= at && self.end().is_none_or(|end| at < end)
    }

    /// Whether it never holds.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.end().is_some_and(|end| end <= self.from)
    }

    /// Section 10: *revoked* only if a revocation cut it.
    fn is_cut(&self) -> bool {
        self.cut.is_some_and(|(cut, _)| self.until.is_none_or(|until| cut < until))
    }

    /// `[from, end)` for one operation: to the first reduction that does not leave it.
    fn window(&self, operation: &str) -> Option<(Micros, Micros)> {
        if !any_matches(&texts(&self.data, "operations"), operation) {
            return None;
        }
        let reduced =
            self.reductions.iter().filter(|(_, left, _)| !any_matches(left, operation)).map(|(at, _, _)| *at);
        let end = reduced.chain(self.end()).min().unwrap_or(Micros::MAX);
        (self.from < end).then_some((self.from, end))
    }

    /// The operations that are left at a moment, as they were granted.
    #[must_use]
    pub fn operations(&self, at: Micros) -> Vec<String> {
        let mut left = texts(&self.data, "operations");
        for (from, kept, _) in &self.reductions {
            if *from <= at {
                left.retain(|operation| any_matches(kept, operation));
            }
        }
        left
    }
}

/// What is to be done about a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duty {
    /// What.
    pub kind: DutyKind,
    /// The entry that it comes from.
    pub of: u64,
    /// When it is due.
    pub due: Micros,
    /// When it was done or fell away, if that was by then.
    pub ended: Option<Micros>,
    /// Whether all that was given comes to its own end before it is due: nothing has to be done.
    pub lapses: bool,
}

/// What is to be done about a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DutyKind {
    /// An emergency grant is reviewed within 3 days.
    EmergencyReview,
    /// The next review, as the last one said.
    Review,
    /// A review said *revoke*.
    Revoke,
    /// A review said *reduce*.
    Reduce,
}

/// One use, however often it was told.
#[derive(Clone, Debug, PartialEq)]
pub struct Use {
    /// The entries that told it, in the order of recording.
    pub told: Vec<u64>,
    /// Its source.
    pub source: String,
    /// What was used.
    pub resource: Value,
    /// Who used it.
    pub principal: String,
    /// What was done.
    pub operation: String,
    /// For which purpose.
    pub purpose: String,
    /// How it came out.
    pub outcome: String,
    /// Its first moment.
    pub from: Micros,
    /// Its last moment: the end counts.
    pub to: Micros,
    /// The count that counts: the highest that was told.
    pub count: u64,
    /// Every count that was told, ascending.
    pub counts: Vec<u64>,
    /// Whether two counts were told.
    pub counts_differ: bool,
    /// Denied uses are listed apart.
    pub denied: bool,
    /// By what was recorded before its first telling.
    pub as_recorded: Cover,
    /// By all that is known now.
    pub as_known: Cover,
    /// The grant that it names, and whether that one covers it wholly.
    pub named: Option<(String, bool)>,
}

/// How far grants cover a use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cover {
    /// Every moment, for its purpose.
    Covered,
    /// Some moments for its purpose, not all.
    Partly,
    /// No moment for its purpose, every moment for some purpose.
    OtherPurpose,
    /// Else.
    Uncovered,
}

/// One request.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// `data.request`.
    pub id: String,
    /// The source whose row it is.
    pub source: String,
    /// `unopened`, `requested`, `rejected` or `granted`.
    pub state: String,
    /// Later openings with the same data.
    pub confirmations: Vec<u64>,
    /// Later openings of the same source with other data.
    pub conflicts: Vec<u64>,
    /// Events that came to the first of several rows.
    pub ambiguous: Vec<u64>,
    /// Events done or recorded before the opening.
    pub out_of_order: Vec<u64>,
    /// Rejections that were done too long before the opening.
    pub ended_nothing: Vec<u64>,
}

/// The order in the life of a grant, for acts of two sources at the same instant (section 4).
fn life(ty: &str) -> u8 {
    match ty {
        "access.requested" => 0,
        "access.rejected" => 1,
        "access.granted" | "role.assigned" => 2,
        "access.used" => 3,
        "access.reviewed" => 4,
        "access.reduced" => 5,
        _ => 6,
    }
}

/// All requests as of a moment: `once`, section 2.
#[must_use]
pub fn requests(facts: &[Fact], moment: Moment) -> Vec<Request> {
    let about = ["access.requested", "access.rejected", "access.granted"];
    let known: Vec<&Fact> =
        reading::known(facts, moment).into_iter().filter(|f| about.contains(&f.ty.as_str())).collect();
    let key = |f: &Fact| reading::text(&f.data, "request").map(str::to_owned);
    reading::gather(&known, "access.requested", &key)
        .iter()
        .filter_map(|row| request(row, moment.at))
        .collect()
}

/// One request: requested, then the last of rejected and granted by act.
fn request(row: &Gathered<'_>, at: Micros) -> Option<Request> {
    let mut out = Request {
        id: row.id.clone(),
        source: row.source.clone(),
        state: "unopened".to_owned(),
        confirmations: row.confirmations.iter().map(|f| f.seq).collect(),
        conflicts: row.again.iter().map(|f| f.seq).collect(),
        ambiguous: row.ambiguous.clone(),
        out_of_order: Vec::new(),
        ended_nothing: Vec::new(),
    };
    let Some(opening) = row.opening else {
        // Choice: a grant that names a request that nobody told is no request; only rejections make such a
        // row.
        return row.events.iter().any(|f| f.ty == "access.rejected").then_some(out);
    };
    if opening.act > at {
        return None;
    }
    out.state = "requested".to_owned();
    for f in reading::in_order(row.events.clone(), life) {
        if f.act < opening.act || f.place < opening.place {
            out.out_of_order.push(f.seq);
        }
        let rejected = f.ty == "access.rejected";
        // Section 4: an ending told early counts within 5 minutes, or if it takes effect after the opening.
        if rejected && opening.act - f.act > FIVE_MINUTES && reading::effective(f) < opening.act {
            out.ended_nothing.push(f.seq);
        } else if f.act <= at {
            out.state = if rejected { "rejected" } else { "granted" }.to_owned();
        }
    }
    Some(out)
}

/// All grants as of a moment, by id.
#[must_use]
pub fn grants(facts: &[Fact], moment: Moment) -> Vec<Grant> {
    let known = reading::known(facts, moment);
    grants_of(&known).into_iter().map(|(id, events)| grant(&id, &events, moment.at)).collect()
}

/// The events of each grant, in the order of recording.
fn grants_of<'a>(known: &[&'a Fact]) -> BTreeMap<String, Vec<&'a Fact>> {
    let about = ["access.granted", "access.revoked", "access.reviewed", "access.reduced"];
    let mut grants: BTreeMap<String, Vec<&'a Fact>> = BTreeMap::new();
    for f in known.iter().filter(|f| about.contains(&f.ty.as_str())) {
        if let Some(id) = reading::text(&f.data, "grant") {
            grants.entry(id.to_owned()).or_default().push(f);
        }
    }
    grants
}

/// One grant.
fn grant(id: &str, events: &[&Fact], at: Micros) -> Grant {
    let mut marks = Marks::default();
    let given = reading::recorded_order(events, "access.granted");
    let stretches = stretches(&given, events, &mut marks);
    let first = given.first().or(events.first());
    let mut out = Grant {
        id: id.to_owned(),
        source: first.map(|f| f.source.clone()).unwrap_or_default(),
        state: state(&stretches, at),
        next_from: stretches.iter().filter(|s| s.from > at && !s.is_empty()).map(|s| s.from).min(),
        stretches,
        duties: Vec::new(),
        due: None,
        overdue: false,
        reviews: Vec::new(),
        told_again: Vec::new(),
        out_of_order: Vec::new(),
        ended_nothing: Vec::new(),
        ambiguous: Vec::new(),
    };
    duties(&given, events, at, &mut out, &mut marks);
    // Section 10: a row that nothing opened is never overdue.
    if !given.is_empty() {
        // Choice: what falls away by itself before it is due is no due date.
        let open = out.duties.iter().filter(|d| d.ended.is_none() && !d.lapses);
        out.due = open.map(|d| d.due).min();
        out.overdue = out.due.is_some_and(|due| reading::passed(due, at));
    }
    for list in [&mut marks.out_of_order, &mut marks.ended_nothing, &mut marks.ambiguous] {
        list.sort_unstable();
        list.dedup();
    }
    Grant {
        out_of_order: marks.out_of_order,
        ended_nothing: marks.ended_nothing,
        ambiguous: marks.ambiguous,
        ..out
    }
}

/// What a row shows beside its state.
#[derive(Default)]
struct Marks {
    out_of_order: Vec<u64>,
    ended_nothing: Vec<u64>,
    ambiguous: Vec<u64>,
}

/// Section 10: with no stretch in force the state is that of the stretch that ended last.
fn state(stretches: &[Stretch], at: Micros) -> State {
    if stretches.is_empty() {
        return State::Unopened;
    }
    if stretches.iter().any(|s| s.holds(at)) {
        return State::Granted;
    }
    let word = |s: &Stretch| if s.is_cut() { State::Revoked } else { State::Expired };
    // Of two that ended at the same moment, the revoked one speaks.
    let ended =
        stretches.iter().filter(|s| s.end().is_some_and(|end| end <= at)).max_by_key(|s| (s.end(), word(s)));
    if let Some(last) = ended {
        return word(last);
    }
    if stretches.iter().any(|s| !s.is_empty()) {
        return State::Scheduled;
    }
    // Choice: a stretch that will never hold is not scheduled; it is what its end makes it, also before that
    // end.
    stretches.iter().map(word).max().unwrap_or(State::Unopened)
}

/// The stretches that were given, each cut and reduced by the endings that mean it.
fn stretches(given: &[&Fact], events: &[&Fact], marks: &mut Marks) -> Vec<Stretch> {
    let mut out: Vec<Stretch> = given.iter().map(|f| stretch(f)).collect();
    for ending in events.iter().filter(|f| ends(&f.ty)) {
        for index in targets(given, ending, marks) {
            let Some(stretch) = out.get_mut(index) else { continue };
            // Section 4, valid time decides when: cut at the ending's effective moment.
            let at = reading::effective(ending);
            // Choice: the operations of a reduction are those that are left; it never
            // gives one that was not granted.
            if ending.ty == "access.reduced" {
                stretch.reductions.push((at, texts(&ending.data, "operations"), ending.seq));
                stretch.reductions.sort();
            } else if stretch.cut.is_none_or(|(cut, _)| at < cut) {
                stretch.cut = Some((at, ending.seq));
            }
        }
    }
    out
}

/// Which types end a stretch or a part of it.
fn ends(ty: &str) -> bool {
    ["access.revoked", "access.reduced", "role.unassigned"].contains(&ty)
}

/// A stretch as given: `valid_from`, else the act, to `valid_until`.
fn stretch(f: &Fact) -> Stretch {
    Stretch {
        seq: f.seq,
        source: f.source.clone(),
        from: holds_from(f),
        until: reading::until(&f.data, "valid_until"),
        cut: None,
        reductions: Vec::new(),
        data: f.data.clone(),
    }
}

/// From when on a stretch holds.
fn holds_from(f: &Fact) -> Micros {
    reading::begins(&f.data, "valid_from").unwrap_or(f.act)
}

/// Which stretches an ending ends. Section 4: the act decides; an ending may name one stretch (`of`).
fn targets(given: &[&Fact], ending: &Fact, marks: &mut Marks) -> Vec<usize> {
    let of = ending.data.get("of").filter(|of| !of.is_null());
    let named = |f: &Fact| {
        of.is_none_or(|of| {
            reading::text(of, "source") == Some(&f.source) && reading::text(of, "id") == Some(&f.id)
        })
    };
    let meant: Vec<(usize, &Fact)> = given.iter().copied().enumerate().filter(|(_, f)| named(f)).collect();
    let before: Vec<(usize, &Fact)> =
        meant.iter().copied().filter(|(_, f)| reading::done_before(f, ending, life)).collect();
    // Where recording went the other way than acting, the row is marked.
    if meant.iter().any(|(_, f)| reading::done_before(f, ending, life) != (f.place < ending.place)) {
        marks.out_of_order.push(ending.seq);
    }
    if !before.is_empty() {
        return before.into_iter().map(|(index, _)| index).collect();
    }
    // Told before the opening of the row, or of the stretch that it names: it counts from that opening within
    // 5 minutes, or if it takes effect at or after the opening's `from`. What was done later still stands
    // anew.
    let opening = meant.iter().map(|(_, f)| f.act).min();
    let early: Vec<usize> = meant
        .iter()
        .filter(|(_, f)| Some(f.act) == opening)
        .filter(|(_, f)| f.act - ending.act <= FIVE_MINUTES || reading::effective(ending) >= holds_from(f))
        .map(|(index, _)| *index)
        .collect();
    if !meant.is_empty() {
        marks.out_of_order.push(ending.seq);
    }
    if early.is_empty() {
        marks.ended_nothing.push(ending.seq);
    }
    early
}

/// A review with the moment from which it counts.
struct Review<'a> {
    fact: &'a Fact,
    from: Micros,
}

/// What is to be done about a grant by `at` (section 5).
fn duties(given: &[&Fact], events: &[&Fact], at: Micros, out: &mut Grant, marks: &mut Marks) {
    let reviews: Vec<Review<'_>> =
        reviews(given, events, out, marks).into_iter().filter(|review| review.from <= at).collect();
    out.reviews = reviews.iter().map(|r| r.fact.seq).collect();
    let mut duties = Vec::new();
    for f in given.iter().filter(|f| f.data.get("emergency").and_then(Value::as_bool) == Some(true)) {
        // Choice: three days from the earlier of the act and the beginning; only a review done from then on
        // ends it, not the end of the grant, for emergency grants are short.
        let begins = f.act.min(holds_from(f));
        let ended = reviews.iter().map(|r| r.from).find(|from| *from >= f.act);
        if begins <= at {
            duties.push(Duty {
                kind: DutyKind::EmergencyReview,
                of: f.seq,
                due: begins + 3 * DAY,
                ended,
                lapses: false,
            });
        }
    }
    let next = reviews.iter().skip(1).map(|r| Some(r.from)).chain([None]);
    for (review, next) in reviews.iter().zip(next) {
        // The next review ends the duty to review.
        // Choice: so does a revocation of all that was ever given under the id, and its own end if it comes before the
        // review is due: a review that was missed while something was in force stays missed after its end, which hides
        // less.
        if let Some(due) = reading::due(&review.fact.data, "next_due_at") {
            let over = done(out.stretches.iter(), due);
            let ended = [next, over.map(|(at, _)| at)].into_iter().flatten().min();
            let lapses = over.is_some_and(|(at, itself)| itself && next.is_none_or(|next| at < next));
            duties.push(Duty { kind: DutyKind::Review, of: review.fact.seq, due, ended, lapses });
        }
    }
    follow_up(given, events, &reviews, &out.stretches, &mut duties, marks);
    for duty in &mut duties {
        duty.ended = duty.ended.filter(|t| *t <= at);
    }
    duties.sort_by_key(|d| (d.due, d.kind, d.of));
    out.duties = duties;
}

/// When all of these stretches are done with, and whether by themselves: an end of its own counts only if it comes before
/// the duty is due, a revocation whenever it takes effect.
fn done<'a>(stretches: impl Iterator<Item = &'a Stretch>, due: Micros) -> Option<(Micros, bool)> {
    let one = |s: &Stretch| {
        let own = s.until.filter(|until| *until <= due || *until <= s.from).map(|until| (until, true));
        let cut = s.cut.map(|(cut, _)| (cut, false));
        [own, cut].into_iter().flatten().min()
    };
    let all: Option<Vec<(Micros, bool)>> = stretches.map(one).collect();
    all?.into_iter().max()
}

/// The reviews, each once, in the order in which they were done.
fn reviews<'a>(
    given: &[&'a Fact],
    events: &[&'a Fact],
    out: &mut Grant,
    marks: &mut Marks,
) -> Vec<Review<'a>> {
    let mut once: Vec<&'a Fact> = Vec::new();
    for f in reading::recorded_order(events, "access.reviewed") {
        // Section 2, one natural key, one fact. A review of a grant has no id.
        // Choice: its key is the source, the act time and the whole data.
        if once.iter().any(|g| g.source == f.source && g.act == f.act && g.data == f.data) {
            out.told_again.push(f.seq);
        } else {
            once.push(f);
        }
    }
    let opening = given.iter().map(|f| f.act).min();
    let first_place = given.iter().map(|f| f.place).min();
    let mut out = Vec::new();
    for f in reading::in_order(once, life) {
        // Section 4: told early, it counts from the opening.
        if opening.is_some_and(|t| f.act < t) || first_place.is_some_and(|p| f.place < p) {
            marks.out_of_order.push(f.seq);
        }
        out.push(Review { fact: f, from: opening.map_or(f.act, |t| t.max(f.act)) });
    }
    out
}

/// A review's *revoke* or *reduce* is due at `act_by`, else 5 days after it (section 5).
fn follow_up(
    given: &[&Fact],
    events: &[&Fact],
    reviews: &[Review<'_>],
    stretches: &[Stretch],
    duties: &mut Vec<Duty>,
    marks: &mut Marks,
) {
    let mut reductions = reading::in_order(reading::recorded_order(events, "access.reduced"), life);
    reductions.retain(|f| !marks.ended_nothing.contains(&f.seq));
    let asked =
        |review: &&Review<'_>, result: &str| reading::text(&review.fact.data, "result") == Some(result);
    for (number, review) in reviews.iter().enumerate() {
        let due = reading::due(&review.fact.data, "act_by").unwrap_or(review.from + 5 * DAY);
        // What the review was about: the stretches that were done before it (section 4).
        let about = given.iter().zip(stretches).filter(|(f, _)| f.act <= review.from).map(|(_, s)| s);
        // Choice: the duty to revoke ends when the last of these stretches is revoked, so a revocation dated ahead
        // leaves it open, and a grant given anew after the review is not in it. An end by `valid_until` ends it as well if
        // it comes before the duty is due.
        let gone = done(about, due).map(|(at, itself)| (at.max(review.from), itself));
        let over = gone.map(|(at, _)| at);
        let itself = gone.is_some_and(|(_, itself)| itself);
        if asked(&review, "revoke") {
            let of = review.fact.seq;
            duties.push(Duty { kind: DutyKind::Revoke, of, due, ended: over, lapses: itself });
        }
        if asked(&review, "reduce") {
            // An event ends the item that it names; a reduction names none, so each ends the oldest duty that
            // is open.
            let fits = |f: &Fact| {
                let early = reading::done_before(f, review.fact, life) && f.act < review.from;
                !early || review.from - f.act <= FIVE_MINUTES || reading::effective(f) >= review.from
            };
            let index = reductions.iter().position(|f| fits(f));
            let reduced = index.map(|index| reductions.remove(index));
            let done = reduced.map(|f| reading::effective(f).max(f.act).max(review.from));
            if let Some(f) = reduced {
                // Every duty that an earlier review left open took its reduction before; only later ones can
                // be meant.
                let later =
                    reviews.iter().skip(number + 1).filter(|r| asked(r, "reduce") && r.from <= f.act).count();
                if later > 0 {
                    marks.ambiguous.push(f.seq);
                }
                if f.act < review.from || f.place < review.fact.place {
                    marks.out_of_order.push(f.seq);
                }
            }
            let ended = [done, over].into_iter().flatten().min();
            let lapses = itself && done.is_none_or(|done| over.is_some_and(|over| over < done));
            duties.push(Duty { kind: DutyKind::Reduce, of: review.fact.seq, due, ended, lapses });
        }
    }
}

/// All uses that are known, by the place of their first telling. A use is judged at its own moments, whatever
/// `at` is.
#[must_use]
pub fn uses(facts: &[Fact], moment: Moment) -> Vec<Use> {
    let known = reading::known(facts, moment);
    let mut out: Vec<(Use, &Fact)> = Vec::new();
    for f in reading::recorded_order(&known, "access.used") {
        let told = told_use(f);
        match out.iter_mut().find(|(u, g)| same_key(u, g, &told, f)) {
            Some((known_use, _)) => {
                known_use.told.extend(told.told);
                known_use.counts.extend(told.counts);
            }
            None => out.push((told, f)),
        }
    }
    let mut uses = Vec::new();
    for (mut one, f) in out {
        // Same key and another count: both are shown, the higher counts, marked.
        one.counts.sort_unstable();
        one.counts.dedup();
        one.counts_differ = one.counts.len() > 1;
        one.count = one.counts.last().copied().unwrap_or_default();
        let then: Vec<&Fact> = known.iter().filter(|g| g.place < f.place).copied().collect();
        one.as_recorded = cover(&one, &then);
        one.as_known = cover(&one, &known);
        one.named = reading::text(&f.data, "grant").map(|id| {
            let windows = windows(&one, &known, Some(id), true);
            (id.to_owned(), covers_all(&windows, one.from, one.to))
        });
        uses.push(one);
    }
    uses
}

/// Section 10: `/access/uncovered` lists all uses but the covered; denied uses are listed apart.
#[must_use]
pub fn uncovered(uses: &[Use]) -> Vec<&Use> {
    uses.iter().filter(|u| !u.denied && u.as_known != Cover::Covered).collect()
}

/// Uses that were denied.
#[must_use]
pub fn denied(uses: &[Use]) -> Vec<&Use> {
    uses.iter().filter(|u| u.denied).collect()
}

/// A use as one event tells it, not yet judged.
fn told_use(f: &Fact) -> Use {
    let own = |key: &str| reading::text(&f.data, key).unwrap_or_default().to_owned();
    let stated = |key: &str| reading::happened(f, key);
    let from = stated("from").or_else(|| stated("to")).unwrap_or(f.act);
    let to = stated("to").unwrap_or(from);
    let count = f.data.get("count").and_then(Value::as_u64).unwrap_or(1);
    Use {
        told: vec![f.seq],
        source: f.source.clone(),
        resource: f.data.get("resource").cloned().unwrap_or(Value::Null),
        principal: name(f.data.get("principal")).unwrap_or_default(),
        operation: own("operation"),
        purpose: own("purpose"),
        outcome: own("outcome"),
        // An old ledger may hold a window that ends before it begins: it is read as the same window.
        from: from.min(to),
        to: from.max(to),
        count,
        counts: vec![count],
        counts_differ: false,
        denied: reading::text(&f.data, "outcome") == Some("denied"),
        as_recorded: Cover::Uncovered,
        as_known: Cover::Uncovered,
        named: None,
    }
}

/// Section 2, the key of a use: source, resource, principal, operation, purpose, outcome, window, `counter?`.
fn same_key(a: &Use, of_a: &Fact, b: &Use, of_b: &Fact) -> bool {
    a.source == b.source
        && a.resource == b.resource
        && a.principal == b.principal
        && a.operation == b.operation
        && a.purpose == b.purpose
        && a.outcome == b.outcome
        && (a.from, a.to) == (b.from, b.to)
        && of_a.data.get("counter") == of_b.data.get("counter")
}

/// How far the grants in these facts cover a use. The facts may be those of any moment of knowing.
#[must_use]
pub fn cover(one: &Use, facts: &[&Fact]) -> Cover {
    // Choice: any grant covers, not only the one that the use names (`named` tells of that one).
    let for_purpose = windows(one, facts, None, true);
    if covers_all(&for_purpose, one.from, one.to) {
        return Cover::Covered;
    }
    if for_purpose.iter().any(|(from, until)| *from <= one.to && *until > one.from) {
        return Cover::Partly;
    }
    // Choice: another purpose only where grants for whatever purpose cover every moment; else it is
    // uncovered, which is the graver word.
    if covers_all(&windows(one, facts, None, false), one.from, one.to) {
        Cover::OtherPurpose
    } else {
        Cover::Uncovered
    }
}

/// Whether `[from, until)` windows together hold every moment of `[from, to]`.
fn covers_all(windows: &[(Micros, Micros)], from: Micros, to: Micros) -> bool {
    let mut reached = from;
    while reached <= to {
        let Some(next) = windows.iter().filter(|(f, u)| *f <= reached && reached < *u).map(|(_, u)| *u).max()
        else {
            return false;
        };
        reached = next;
    }
    true
}

/// When grants allow what the use did.
fn windows(one: &Use, facts: &[&Fact], only: Option<&str>, for_purpose: bool) -> Vec<(Micros, Micros)> {
    let mut out = Vec::new();
    for (id, events) in grants_of(facts) {
        if only.is_some_and(|only| only != id) {
            continue;
        }
        let given = reading::recorded_order(&events, "access.granted");
        for stretch in stretches(&given, &events, &mut Marks::default()) {
            let purpose = reading::text(&stretch.data, "purpose").unwrap_or_default();
            if (for_purpose && purpose != one.purpose) || !same_resource(&stretch.data, &one.resource) {
                continue;
            }
            let Some((from, end)) = stretch.window(&one.operation) else { continue };
            for (held, until) in held(&stretch.data, &one.principal, facts) {
                if from.max(held) < end.min(until) {
                    out.push((from.max(held), end.min(until)));
                }
            }
        }
    }
    out
}

/// When the principal is the grantee: always, or while it holds the role that the grant names.
fn held(grant: &Value, principal: &str, facts: &[&Fact]) -> Vec<(Micros, Micros)> {
    let grantee = grant.get("grantee");
    let id = name(grantee);
    let kind = grantee.and_then(|g| reading::text(g, "kind"));
    if kind != Some("role") {
        return if id.as_deref() == Some(principal) { vec![(Micros::MIN, Micros::MAX)] } else { Vec::new() };
    }
    let of_role: Vec<&Fact> = facts
        .iter()
        .filter(|f| f.ty == "role.assigned" || f.ty == "role.unassigned")
        .filter(|f| {
            reading::text(&f.data, "role") == id.as_deref()
                && reading::text(&f.data, "principal") == Some(principal)
        })
        .copied()
        .collect();
    let given = reading::recorded_order(&of_role, "role.assigned");
    stretches(&given, &of_role, &mut Marks::default())
        .iter()
        .map(|s| (s.from, s.end().unwrap_or(Micros::MAX)))
        .collect()
}

/// Whether a grant's resource is the one used: kind and environment alike, the id by pattern.
// Choice: a grant that names no environment does not cover a use that names one, and the other way round.
fn same_resource(grant: &Value, used: &Value) -> bool {
    let granted = grant.get("resource").unwrap_or(&Value::Null);
    let alike = |key: &str| granted.get(key) == used.get(key);
    match (name(Some(granted)), name(Some(used))) {
        (Some(granted), Some(used)) => matches(&granted, &used) && alike("kind") && alike("environment"),
        _ => false,
    }
}

/// A name that is written as a text, or as `{kind, id}`.
fn name(value: Option<&Value>) -> Option<String> {
    let value = value?;
    value.as_str().or_else(|| reading::text(value, "id")).map(str::to_owned)
}

/// A list of texts.
fn texts(data: &Value, key: &str) -> Vec<String> {
    let list = data.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A pattern is a prefix with a star behind it (`ec2:Describe*`); all else is meant as written.
fn matches(pattern: &str, written: &str) -> bool {
    pattern == written || pattern.strip_suffix('*').is_some_and(|prefix| written.starts_with(prefix))
}

/// Whether any of the patterns fits.
fn any_matches(patterns: &[String], written: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern, written))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::decisions::reading::testing::{MINUTE, at, fact, from, m, t};

    fn granted(seq: u64, minutes: i64, more: Value) -> Fact {
        let mut data = json!({
            "grant": "g", "resource": {"kind": "data", "id": "loans", "environment": "prod"},
            "grantee": {"kind": "person", "id": "p"}, "operations": ["read", "write"], "purpose": "scoring"
        });
        for (key, value) in more.as_object().unwrap() {
            data.as_object_mut().unwrap().insert(key.clone(), value.clone());
        }
        fact(seq, "access.granted", minutes, data)
    }

    fn revoked(seq: u64, minutes: i64, effective: Option<i64>) -> Fact {
        let mut data = json!({"grant": "g", "reason": "left"});
        if let Some(effective) = effective {
            data.as_object_mut().unwrap().insert("effective_at".to_owned(), json!(t(effective)));
        }
        fact(seq, "access.revoked", minutes, data)
    }

    fn used(seq: u64, from: i64, to: i64, more: Value) -> Fact {
        let mut data = json!({
            "resource": {"kind": "data", "id": "loans", "environment": "prod"}, "principal": "p",
            "operation": "read", "purpose": "scoring", "outcome": "allowed",
            "from": t(from), "to": t(to), "count": 3
        });
        for (key, value) in more.as_object().unwrap() {
            data.as_object_mut().unwrap().insert(key.clone(), value.clone());
        }
        fact(seq, "access.used", to, data)
    }

    fn row(facts: &[Fact], minutes: i64) -> Grant {
        let mut all = grants(facts, at(minutes));
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    fn states(facts: &[Fact], minutes: &[i64]) -> Vec<State> {
        minutes.iter().map(|t| row(facts, *t).state).collect()
    }

    fn judged(facts: &[Fact]) -> Vec<(Cover, Cover)> {
        uses(facts, at(999)).iter().map(|u| (u.as_recorded, u.as_known)).collect()
    }

    use State::{Expired, Granted, Revoked, Scheduled, Unopened};

    #[test]
    fn a_grant_is_scheduled_then_granted_then_expired() {
        let facts = [granted(0, 0, json!({"valid_from": t(10), "valid_until": t(20)}))];
        assert_eq!(states(&facts, &[9, 10, 19, 20]), [Scheduled, Granted, Granted, Expired]);
        assert_eq!(row(&facts, 5).next_from, Some(m(10)));
    }

    #[test]
    fn a_revocation_cuts_at_its_effective_moment() {
        let facts = [granted(0, 0, json!({"valid_until": t(60)})), revoked(1, 10, Some(30))];
        assert_eq!(states(&facts, &[29, 30, 99]), [Granted, Revoked, Revoked]);
        let late = [granted(0, 0, json!({"valid_until": t(20)})), revoked(1, 10, Some(30))];
        assert_eq!(states(&late, &[19, 20, 40]), [Granted, Expired, Expired]);
    }

    #[test]
    fn a_revocation_with_effect_from_this_morning_ends_a_grant_made_at_noon() {
        let facts = [granted(0, 0, json!({})), revoked(1, 10, Some(-120))];
        assert_eq!(states(&facts, &[-180, 0, 5, 20]), [Revoked; 4]);
        assert!(row(&facts, 0).stretches.first().unwrap().is_empty());
    }

    #[test]
    fn what_was_done_after_the_revocation_stands_anew_whenever_recorded() {
        let facts = [granted(0, 0, json!({})), granted(1, 20, json!({})), revoked(2, 10, None)];
        let all = row(&facts, 30);
        assert_eq!((all.state, all.out_of_order.clone()), (Granted, vec![2]));
        assert_eq!(states(&facts, &[9, 10, 19, 20]), [Granted, Revoked, Revoked, Granted]);
    }

    #[test]
    fn at_the_same_instant_a_source_means_what_it_recorded_last() {
        let one = [granted(0, 0, json!({})), revoked(1, 5, None), granted(2, 5, json!({}))];
        assert_eq!(states(&one, &[6]), [Granted]);
        let two = [granted(0, 0, json!({})), from("b", revoked(1, 5, None)), granted(2, 5, json!({}))];
        assert_eq!(states(&two, &[6]), [Revoked]);
    }

    #[test]
    fn an_ending_told_early_counts_within_five_minutes_or_if_it_takes_effect_later() {
        let near = [revoked(0, -5, None), granted(1, 0, json!({}))];
        assert_eq!((row(&near, 9).state, row(&near, 9).out_of_order.clone()), (Revoked, vec![0]));
        let far = [revoked(0, -6, None), granted(1, 0, json!({}))];
        assert_eq!((row(&far, 9).state, row(&far, 9).ended_nothing.clone()), (Granted, vec![0]));
        let ahead = [revoked(0, -60, Some(5)), granted(1, 0, json!({}))];
        assert_eq!(states(&ahead, &[4, 5]), [Granted, Revoked]);
    }

    #[test]
    fn an_ending_may_name_one_stretch() {
        let mut one = revoked(2, 10, None);
        one.data.as_object_mut().unwrap().insert("of".to_owned(), json!({"source": "a", "id": "e0"}));
        let facts = [granted(0, 0, json!({})), granted(1, 0, json!({"valid_until": t(20)})), one];
        assert_eq!(states(&facts, &[15, 20]), [Granted, Expired]);
    }

    #[test]
    fn another_source_gives_a_stretch_in_the_same_list() {
        let facts = [granted(0, 0, json!({"valid_until": t(5)})), from("b", granted(1, 3, json!({})))];
        assert_eq!((row(&facts, 9).stretches.len(), row(&facts, 9).state), (2, Granted));
        assert_eq!(states(&[revoked(0, 0, None)], &[9]), [Unopened]);
    }

    #[test]
    fn a_reviews_revoke_is_due_five_days_after_it() {
        let review = fact(1, "access.reviewed", 10, json!({"grant": "g", "result": "revoke"}));
        let facts = [granted(0, 0, json!({})), review];
        let five_days = 10 + 5 * 24 * 60;
        assert_eq!((row(&facts, 11).due, row(&facts, 11).overdue), (Some(m(five_days)), false));
        assert!(row(&facts, five_days + 1).overdue);
        let ahead = [facts.to_vec(), vec![revoked(2, 20, Some(five_days + 9))]].concat();
        assert!(row(&ahead, five_days + 1).overdue);
        let done = [facts.to_vec(), vec![revoked(2, 20, None)]].concat();
        assert_eq!(row(&done, five_days + 1).due, None);
        let anew = [done, vec![granted(3, 30, json!({}))]].concat();
        assert_eq!((row(&anew, 31).state, row(&anew, 31).due), (Granted, None));
    }

    #[test]
    fn a_reviews_reduce_is_due_at_act_by_and_done_by_a_reduction() {
        let review = |seq, minutes| {
            fact(
                seq,
                "access.reviewed",
                minutes,
                json!({"grant": "g", "result": "reduce", "act_by": t(minutes + 50)}),
            )
        };
        let reduced = fact(
            2,
            "access.reduced",
            30,
            json!({"grant": "g", "operations": ["read"], "effective_at": t(40)}),
        );
        let facts = [granted(0, 0, json!({})), review(1, 10), reduced, review(3, 20)];
        assert_eq!(row(&facts, 25).due, Some(m(60)));
        assert_eq!(row(&facts, 35).due, Some(m(60)));
        let later = row(&facts, 41);
        assert_eq!((later.due, later.ambiguous.clone()), (Some(m(70)), vec![2]));
        let stretch = later.stretches.first().unwrap();
        assert_eq!(
            (stretch.operations(m(39)).len(), stretch.operations(m(40))),
            (2, vec!["read".to_owned()])
        );
    }

    #[test]
    fn the_next_review_is_due_until_it_is_done_or_the_grant_is_over() {
        let review = |seq, minutes, due| {
            fact(
                seq,
                "access.reviewed",
                minutes,
                json!({"grant": "g", "result": "keep", "next_due_at": t(due)}),
            )
        };
        let told = |last| {
            [
                granted(0, 0, json!({"valid_until": t(300)})),
                review(1, 10, 100),
                review(2, 10, 100),
                review(3, 120, last),
            ]
        };
        let facts = told(250);
        assert!(row(&facts, 110).overdue);
        let later = row(&facts, 130);
        assert_eq!((later.due, later.overdue, later.told_again), (Some(m(250)), false, vec![2]));
        // What was missed while the grant was in force stays missed.
        assert_eq!((row(&facts, 310).due, row(&facts, 310).overdue), (Some(m(250)), true));
        // The grant is over before this one is due.
        assert_eq!((row(&told(400), 130).due, row(&told(400), 310).due), (None, None));
    }

    #[test]
    fn the_grants_stand_alike_whatever_the_order_of_recording() {
        let facts = [
            granted(0, 0, json!({"valid_until": t(90)})),
            revoked(1, 10, Some(30)),
            from("b", granted(2, 20, json!({"valid_from": t(40), "valid_until": t(50)}))),
            fact(3, "access.reviewed", 25, json!({"grant": "g", "result": "revoke"})),
        ];
        let minutes: Vec<i64> = (-5..100).collect();
        let straight = states(&facts, &minutes);
        for order in [[3, 2, 1, 0], [1, 0, 3, 2], [2, 3, 0, 1], [0, 3, 1, 2]] {
            let mut turned = facts.clone();
            for (f, place) in turned.iter_mut().zip(order) {
                f.place = place;
            }
            assert_eq!(states(&turned, &minutes), straight);
        }
    }

    #[test]
    fn an_emergency_grant_is_reviewed_within_three_days() {
        let facts = [granted(0, 0, json!({"emergency": true, "valid_until": t(5)}))];
        assert_eq!((row(&facts, 1).due, row(&facts, 9).due), (Some(m(3 * 24 * 60)), Some(m(3 * 24 * 60))));
        let review = fact(1, "access.reviewed", 10, json!({"grant": "g", "result": "keep"}));
        assert_eq!(row(&[facts.to_vec(), vec![review]].concat(), 11).due, None);
    }

    #[test]
    fn a_use_is_judged_at_its_own_moments_to_its_end() {
        let grant = granted(0, 0, json!({"valid_until": t(20)}));
        let judge = |f: Fact| judged(&[grant.clone(), f]).first().unwrap().1;
        assert_eq!(judge(used(1, 5, 19, json!({}))), Cover::Covered);
        assert_eq!(judge(used(1, 5, 20, json!({}))), Cover::Partly);
        assert_eq!(judge(used(1, -5, 5, json!({}))), Cover::Partly);
        assert_eq!(judge(used(1, 20, 25, json!({}))), Cover::Uncovered);
        assert_eq!(judge(used(1, 5, 6, json!({"purpose": "marketing"}))), Cover::OtherPurpose);
        assert_eq!(judge(used(1, 5, 20, json!({"purpose": "marketing"}))), Cover::Uncovered);
        assert_eq!(judge(used(1, 5, 6, json!({"operation": "delete"}))), Cover::Uncovered);
        assert_eq!(judge(used(1, 5, 6, json!({"principal": "q"}))), Cover::Uncovered);
    }

    #[test]
    fn stretches_cover_a_use_together_and_a_reduction_uncovers() {
        let two = [
            granted(0, 0, json!({"valid_until": t(10)})),
            granted(1, 5, json!({"grant": "h", "valid_from": t(10)})),
        ];
        assert_eq!(
            judged(&[two.to_vec(), vec![used(2, 5, 15, json!({}))]].concat()),
            [(Cover::Covered, Cover::Covered)]
        );
        let reduced = fact(
            2,
            "access.reduced",
            6,
            json!({"grant": "h", "operations": ["write"], "effective_at": t(12)}),
        );
        let facts = [two.to_vec(), vec![reduced, used(3, 5, 15, json!({}))]].concat();
        assert_eq!(judged(&facts), [(Cover::Partly, Cover::Partly)]);
    }

    #[test]
    fn known_when_recorded_and_known_now_are_both_told() {
        let late = [used(0, 5, 6, json!({})), granted(1, 7, json!({"valid_from": t(0)}))];
        assert_eq!(judged(&late), [(Cover::Uncovered, Cover::Covered)]);
        let cut = [granted(0, 0, json!({})), used(1, 5, 6, json!({})), revoked(2, 9, Some(3))];
        assert_eq!(judged(&cut), [(Cover::Covered, Cover::Uncovered)]);
    }

    #[test]
    fn a_use_told_again_counts_once_and_the_higher_count_counts() {
        let facts = [
            used(0, 5, 6, json!({})),
            used(1, 5, 6, json!({"count": 7})),
            used(2, 5, 6, json!({"counter": "2"})),
            from("b", used(3, 5, 6, json!({}))),
            used(4, 5, 6, json!({"outcome": "denied"})),
        ];
        let all = uses(&facts, at(99));
        assert_eq!(all.len(), 4);
        let first = all.first().unwrap();
        assert_eq!((first.count, first.counts.clone(), first.counts_differ), (7, vec![3, 7], true));
        assert_eq!((first.told.clone(), uncovered(&all).len(), denied(&all).len()), (vec![0, 1], 3, 1));
    }

    #[test]
    fn a_role_covers_while_it_is_held() {
        let grant = granted(0, 0, json!({"grantee": {"kind": "role", "id": "analyst"}}));
        let role =
            fact(1, "role.assigned", 0, json!({"principal": "p", "role": "analyst", "valid_from": t(5)}));
        let left = fact(
            2,
            "role.unassigned",
            20,
            json!({"principal": "p", "role": "analyst", "effective_at": t(10)}),
        );
        let facts = [
            grant,
            role,
            left,
            used(3, 5, 9, json!({})),
            used(4, 5, 10, json!({})),
            used(5, 1, 2, json!({})),
        ];
        let now: Vec<Cover> = judged(&facts).into_iter().map(|(_, now)| now).collect();
        assert_eq!(now, [Cover::Covered, Cover::Partly, Cover::Uncovered]);
    }

    #[test]
    fn a_use_tells_whether_the_grant_that_it_names_covers_it() {
        let grant = granted(0, 0, json!({"operations": ["re*"]}));
        let all = uses(
            &[grant, used(1, 5, 6, json!({"grant": "other"})), used(2, 7, 8, json!({"grant": "g"}))],
            at(99),
        );
        let named: Vec<bool> = all.iter().map(|u| u.named.clone().unwrap().1).collect();
        assert_eq!((named, all.first().unwrap().as_known), (vec![false, true], Cover::Covered));
    }

    #[test]
    fn an_end_a_little_ahead_counts_from_the_recording() {
        let mut ahead = used(1, 5, 9, json!({}));
        ahead.recorded = m(6);
        let all = uses(&[granted(0, 0, json!({"valid_until": t(7)})), ahead], at(99));
        let one = all.first().unwrap();
        assert_eq!((one.to, one.as_known), (m(9) - 3 * MINUTE, Cover::Covered));
    }

    #[test]
    fn a_request_is_rejected_or_granted() {
        let asked = fact(0, "access.requested", 0, json!({"request": "r", "purpose": "x"}));
        let no = fact(1, "access.rejected", 10, json!({"request": "r"}));
        let yes = granted(2, 20, json!({"request": "r"}));
        let facts = [asked, no, yes];
        let state = |minutes| requests(&facts, at(minutes)).first().unwrap().state.clone();
        assert_eq!([state(5), state(15), state(25)], ["requested", "rejected", "granted"]);
    }
}
