//! When something was done, from when to when it holds, and which beginning an ending ends.
//!
//! Everything here is from ANSWERS.md section 4, "Three times". One reader of time is used for all: instants
//! are compared as instants, never as texts.

use std::collections::BTreeSet;

use chrono::{DateTime, FixedOffset, NaiveDate, TimeZone};
use serde_json::Value;

use crate::base::{Fact, Micros};

/// One second.
pub const SECOND: Micros = 1_000_000;

/// How far ahead of the ledger something may have happened, and how early an ending or a vote may be told
/// (section 4).
pub const FIVE_MINUTES: Micros = 5 * 60 * SECOND;

/// One day.
pub const DAY: Micros = 24 * 60 * 60 * SECOND;

/// 0000-01-01T00:00:00Z, the first instant that the ledger can write: RFC 3339 has years of four digits.
pub const EARLIEST: Micros = -62_167_219_200 * SECOND;

/// 9999-12-31T23:59:59.999999Z, the last instant that the ledger can write.
pub const LATEST: Micros = 253_402_300_800 * SECOND - 1;

/// Reads an instant strictly: RFC 3339, seconds 00–59, any offset, within the range that the ledger can write.
// Choice: a space in place of the `T` and a minus sign that is not ASCII are no RFC 3339 (chrono would take
// both); a small `t` or `z` is RFC 3339, section 5.6. What is finer than a microsecond is cut off.
pub fn read(text: &str) -> Option<Micros> {
    let is_strict = text.is_ascii()
        && matches!(text.as_bytes().get(10), Some(b'T' | b't'))
        && text.get(17..19).is_some_and(|seconds| seconds < "60");
    let instant = DateTime::parse_from_rfc3339(text).ok()?.timestamp_micros();
    (is_strict && (EARLIEST..=LATEST).contains(&instant)).then_some(instant)
}

/// What a view reads of a time that was once accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// The instant, within the range.
    pub at: Micros,
    /// Whether today's intake would have refused it.
    pub irregular: bool,
}

/// Reads an instant as a view does: "views read whatever was once accepted, clamp times to the range, mark it
/// (`irregular`, with what is), and never fail on a recorded entry" (the page's head).
// Choice: a 60th second is the first of the next minute, as it is for the clocks that do not know it.
pub fn read_recorded(text: &str) -> Option<Told> {
    if let Some(at) = read(text) {
        return Some(Told { at, irregular: false });
    }
    let at = DateTime::parse_from_rfc3339(text).ok()?.timestamp_micros().clamp(EARLIEST, LATEST);
    Some(Told { at, irregular: true })
}

/// Reads a bare date, and gives the first instant of that day at the offset.
pub fn read_day(text: &str, zone: FixedOffset) -> Option<Micros> {
    let is_shaped = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| is_shaped)?;
    let midnight = zone.from_local_datetime(&day.and_hms_opt(0, 0, 0)?).single()?;
    Some(midnight.timestamp_micros().clamp(EARLIEST, LATEST))
}

/// The offset that is meant where no zone is stated.
// Choice: UTC, and only offsets are known here, no names of zones (section 4: "in its stated zone").
pub fn utc() -> Option<FixedOffset> {
    FixedOffset::east_opt(0)
}

/// When something begins: an instant, or the first one of a bare date.
// Choice: what cannot be read is as if it were not there: "views never fail on a recorded entry".
pub fn begins(value: Option<&Value>) -> Option<Micros> {
    let text = value?.as_str()?;
    read_recorded(text).map(|told| told.at).or_else(|| read_day(text, utc()?))
}

/// When something ends or is due: the first instant at which it holds no longer. A bare date ends with that
/// day.
///
/// All spans are `[from, until)`: the end itself is outside, everywhere (section 4: "ends' inclusion the same
/// everywhere, and said").
pub fn ends(value: Option<&Value>) -> Option<Micros> {
    ends_in(value, utc()?)
}

/// As [`ends`], in a zone that is stated (section 4: "A due *date* ends with that day in its stated zone").
pub fn ends_in(value: Option<&Value>, zone: FixedOffset) -> Option<Micros> {
    let text = value?.as_str()?;
    let day = |first: Micros| first.saturating_add(DAY).min(LATEST);
    read_recorded(text).map(|told| told.at).or_else(|| read_day(text, zone).map(day))
}

/// What intake says of something that happened at `stated`, when the ledger's clock says `now`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ahead {
    /// Not ahead: it counts as stated.
    No,
    /// At most five minutes ahead: it counts from its recording, both are shown.
    CountsFromRecording,
    /// Farther ahead: 422, with `ledger_time` in the problem.
    Refused,
}

/// How far ahead something lies (section 4, "What *happened* … may lie at most 5 minutes ahead").
pub fn ahead(stated: Micros, now: Micros) -> Ahead {
    match stated.saturating_sub(now) {
        ..=0 => Ahead::No,
        1..=FIVE_MINUTES => Ahead::CountsFromRecording,
        _ => Ahead::Refused,
    }
}

/// When something happened, as the views count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Happened {
    /// From when it counts: never after the recording.
    pub at: Micros,
    /// What was stated, where that could be read.
    pub stated: Option<Micros>,
    /// Whether it was stated ahead of the recording; then both are shown.
    pub ahead: bool,
    /// Whether today's intake would have refused it: out of range, unreadable, more than five minutes ahead.
    pub irregular: bool,
}

/// Reads what happened (`time`, or a member that the type lists under `happened`), clamped to the recording.
///
/// Nothing that is stated farther ahead is kept apart: an old ledger's event of the year 9000 counts from its
/// recording too, marked. Without a time, it is the recording.
pub fn happened(value: Option<&Value>, recorded: Micros) -> Happened {
    let told = value.and_then(Value::as_str).and_then(read_recorded);
    let is_unreadable = value.is_some_and(|value| !value.is_null()) && told.is_none();
    let Some(told) = told else {
        return Happened { at: recorded, stated: None, ahead: false, irregular: is_unreadable };
    };
    let distance = ahead(told.at, recorded);
    Happened {
        at: told.at.min(recorded),
        stated: Some(told.at),
        ahead: distance != Ahead::No,
        irregular: told.irregular || distance == Ahead::Refused,
    }
}

/// The act time of an event: when it was done.
pub fn act(event: &Value, recorded: Micros) -> Happened {
    happened(event.get("time"), recorded)
}

/// From when what a fact says holds: `valid_from`, else `effective_at`, else its act.
pub fn valid_from(fact: &Fact) -> Micros {
    let stated = |member: &str| begins(fact.data.get(member));
    stated("valid_from").or_else(|| stated("effective_at")).unwrap_or(fact.act)
}

/// Section 4: "Fields of a row take their value from the last event by valid time, then act time, then
/// recording." The greatest of these decides.
pub fn order_of_values(fact: &Fact) -> (Micros, Micros, u64) {
    (valid_from(fact), fact.act, fact.place)
}

/// When something was done, as far as the order of acts asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// The act time.
    pub act: Micros,
    /// The place in the order of recording.
    pub place: u64,
    /// Who told it.
    pub source: String,
    /// Where its type stands in the life of what it is about: 0 for openings.
    pub life: u8,
}

impl Done {
    /// Of a fact.
    pub fn of(fact: &Fact) -> Self {
        Self { act: fact.act, place: fact.place, source: fact.source.clone(), life: life(&fact.ty) }
    }

    /// Whether this was done before the other. Section 4: "At the same instant: of one source the order of
    /// recording, else the order in the type's life."
    // Choice: where the place in life is the same too, the order of recording.
    pub fn before(&self, other: &Self) -> bool {
        if self.act != other.act {
            return self.act < other.act;
        }
        if self.source == other.source || self.life == other.life {
            return self.place < other.place;
        }
        self.life < other.life
    }
}

/// Where a type stands in the life of what it is about (CATALOG.md, "The four families at the core": the
/// arrows).
pub fn life(ty: &str) -> u8 {
    match ty {
        "access.requested" | "decision.made" | "approval.requested" | "escalation.opened"
        | "action.proposed" => 0,
        "approval.recused" | "access.rejected" | "access.granted" | "decision.reviewed" => 1,
        "escalation.acknowledged" | "action.approved" => 1,
        "approval.granted" | "access.used" | "decision.contested" | "escalation.raised" => 2,
        "escalation.lowered" | "action.declined" => 2,
        "approval.rejected" | "access.reviewed" | "decision.contest_resolved" | "action.executed" => 3,
        "escalation.reassigned" | "escalation.paused" => 3,
        "approval.condition_met" | "access.reduced" | "decision.explained" | "escalation.resumed" => 4,
        "action.not_executed" | "approval.withdrawn" | "escalation.resolved" => 5,
        "decision.notified" => 5,
        "escalation.action_done" | "action.undone" | "approval.revoked" | "access.revoked" => 6,
        "escalation.closed" => 7,
        "escalation.reopened" => 8,
        _ if opens(ty) => 0,
        _ if ends_something(ty) => 6,
        _ => 3,
    }
}

/// Whether the last word of the type begins something.
fn opens(ty: &str) -> bool {
    let words = [
        "opened",
        "made",
        "requested",
        "proposed",
        "placed",
        "registered",
        "defined",
        "assigned",
        "deployed",
    ];
    let last = ty.rsplit(['.', '_']).next().unwrap_or_default();
    words.contains(&last) || matches!(ty, "delegation.granted" | "agent.authority_granted")
}

/// Whether the last word of the type ends something.
fn ends_something(ty: &str) -> bool {
    let words = ["closed", "revoked", "unassigned", "released", "ended", "withdrawn", "refused"];
    words.contains(&ty.rsplit(['.', '_']).next().unwrap_or_default())
}

/// The positions of what was done, in the order in which it was done.
// Choice: the pairs of `before` can run in a circle within one instant (one source tells an ending and then a
// beginning, another one something between). Then each source keeps its own order, and of the sources' next
// ones the earliest in life goes first. Where the pairs run in no circle this is their order.
pub fn in_order(acts: &[Done]) -> Vec<usize> {
    let mut left: Vec<(usize, &Done)> = acts.iter().enumerate().collect();
    left.sort_by_key(|(_, done)| (done.act, done.place));
    let mut ordered = Vec::new();
    while let Some(instant) = left.first().map(|(_, done)| done.act) {
        let mut sources = BTreeSet::new();
        let next = left
            .iter()
            .enumerate()
            .take_while(|(_, (_, done))| done.act == instant)
            .filter(|(_, (_, done))| sources.insert(done.source.as_str()))
            .min_by_key(|(_, (_, done))| (done.life, done.place))
            .map(|(position, _)| position);
        let Some(position) = next else { break };
        ordered.push(left.remove(position).0);
    }
    ordered
}

/// What kind of event is told early (section 4, "Nothing that is told early is lost").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Early {
    /// A vote: "only within 5 minutes or inside an import".
    Vote {
        /// Whether it lies inside an import.
        imported: bool,
    },
    /// An ending: "only within 5 minutes, or if it takes effect at or after the opening's `from`".
    Ending {
        /// From when it takes effect.
        effective: Micros,
        /// From when what it is about holds.
        from: Micros,
    },
    /// Anything else counts from the opening, however early it was.
    Other,
}

/// Whether an event whose act lies before the opening that it is about counts from that opening.
// Choice: "within 5 minutes" includes five minutes to the microsecond.
pub fn counts_from_opening(what: Early, act: Micros, opening: Micros) -> bool {
    let is_near = opening.saturating_sub(act) <= FIVE_MINUTES;
    match what {
        Early::Vote { imported } => is_near || imported,
        Early::Ending { effective, from } => is_near || effective >= from,
        Early::Other => true,
    }
}

/// What begins a stretch: a role assigned, a grant, a delegation, a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// When it was done.
    pub act: Micros,
    /// Its place in the order of recording.
    pub place: u64,
    /// CloudEvents `source` of its event.
    pub source: String,
    /// CloudEvents `id` of its event.
    pub id: String,
    /// From when it holds.
    pub from: Micros,
    /// Until when it holds by its own words.
    pub until: Option<Micros>,
}

impl Beginning {
    /// Of a fact with `valid_from` (or `effective_at`) and `valid_until`.
    pub fn of(fact: &Fact) -> Self {
        Self {
            act: fact.act,
            place: fact.place,
            source: fact.source.clone(),
            id: fact.id.clone(),
            from: valid_from(fact),
            until: ends(fact.data.get("valid_until")),
        }
    }

    fn done(&self) -> Done {
        Done { act: self.act, place: self.place, source: self.source.clone(), life: 0 }
    }
}

/// What ends stretches: a role unassigned, a revocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// When it was done.
    pub act: Micros,
    /// Its place in the order of recording.
    pub place: u64,
    /// CloudEvents `source` of its event.
    pub source: String,
    /// From when it takes effect.
    pub effective: Micros,
    /// The one stretch that it names, by source and id of its event.
    pub of: Option<(String, String)>,
}

impl Ending {
    /// Of a fact with `effective_at` and perhaps `of`.
    pub fn of(fact: &Fact) -> Self {
        Self {
            act: fact.act,
            place: fact.place,
            source: fact.source.clone(),
            effective: begins(fact.data.get("effective_at")).unwrap_or(fact.act),
            of: fact.data.get("of").map(source_and_id),
        }
    }

    fn done(&self) -> Done {
        Done { act: self.act, place: self.place, source: self.source.clone(), life: 1 }
    }

    /// Whether it can mean this beginning.
    fn is_about(&self, beginning: &Beginning) -> bool {
        match &self.of {
            Some((source, id)) => *source == beginning.source && *id == beginning.id,
            None => true,
        }
    }

    /// Whether it counts for a beginning that was done after it.
    fn counts_early(&self, beginning: &Beginning) -> bool {
        let what = Early::Ending { effective: self.effective, from: beginning.from };
        counts_from_opening(what, self.act, beginning.act)
    }
}

/// A reference `{source, id}`. What is missing is an empty text, which no event has.
pub fn source_and_id(reference: &Value) -> (String, String) {
    let member = |name: &str| reference.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    (member("source"), member("id"))
}

/// What became of a beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// From when it holds.
    pub from: Micros,
    /// Until when it holds, after all cuts: never before `from`; where it is `from`, the stretch is empty.
    pub until: Option<Micros>,
    /// The ending that cut it (its position), where one took effect before the stretch's own end.
    pub cut_by: Option<usize>,
    /// All endings that reach it (their positions), whether they cut it or not.
    pub ended_by: Vec<usize>,
    /// Whether recording went the other way than the acts.
    pub out_of_order: bool,
}

impl Stretch {
    /// Whether it never holds.
    pub fn is_empty(&self) -> bool {
        self.until.is_some_and(|until| until <= self.from)
    }

    /// Whether it holds at a moment of valid time.
    pub fn holds_at(&self, at: Micros) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

/// What became of an ending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The beginnings that it reaches (their positions).
    pub reaches: Vec<usize>,
    /// Those of them whose end it decides.
    pub cuts: Vec<usize>,
    /// Whether it was told before the opening and counts from there.
    pub told_early: bool,
    /// Whether recording went the other way than the acts.
    pub out_of_order: bool,
}

impl Ended {
    /// Whether it is shown and does nothing (`ended_nothing`).
    pub fn ended_nothing(&self) -> bool {
        self.reaches.is_empty()
    }
}

/// All stretches of one key side by side (section 4: "kept as stretches, not as a last value").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretches {
    /// One for each beginning, in the order in which they were given.
    pub stretches: Vec<Stretch>,
    /// One for each ending, in the order in which they were given.
    pub endings: Vec<Ended>,
}

impl Stretches {
    /// Reckons what the endings do to the beginnings of one key, in whatever order either is given.
    pub fn reckon(beginnings: &[Beginning], endings: &[Ending]) -> Self {
        let reached: Vec<Ended> = endings.iter().map(|ending| reach(ending, beginnings)).collect();
        let stretches: Vec<Stretch> = beginnings
            .iter()
            .enumerate()
            .map(|(position, beginning)| cut(position, beginning, endings, &reached))
            .collect();
        let cuts_of = |ending: usize| {
            let is_cut = |(_, stretch): &(usize, &Stretch)| stretch.cut_by == Some(ending);
            stretches.iter().enumerate().filter(is_cut).map(|(position, _)| position).collect()
        };
        let endings = reached
            .iter()
            .enumerate()
            .map(|(position, ended)| Ended { cuts: cuts_of(position), ..ended.clone() })
            .collect();
        Self { stretches, endings }
    }

    /// The endings that are shown and do nothing (their positions).
    pub fn ended_nothing(&self) -> Vec<usize> {
        let nothing = self.endings.iter().enumerate().filter(|(_, ended)| ended.ended_nothing());
        nothing.map(|(position, _)| position).collect()
    }

    /// Whether the row is marked `out_of_order`.
    pub fn out_of_order(&self) -> bool {
        self.stretches.iter().any(|stretch| stretch.out_of_order)
            || self.endings.iter().any(|ended| ended.out_of_order)
    }

    /// The stretches that hold at a moment of valid time (their positions).
    pub fn in_force(&self, at: Micros) -> Vec<usize> {
        let holding = self.stretches.iter().enumerate().filter(|(_, stretch)| stretch.holds_at(at));
        holding.map(|(position, _)| position).collect()
    }
}

/// Which beginnings an ending ends.
///
/// Section 4: "The act decides which beginning an ending ends: what was done before it, whenever either was
/// recorded; what was done after it stands anew, whenever recorded." If nothing that it can mean was done
/// before it, it was told before the opening of the row, and counts from there within five minutes, or if it
/// takes effect at or after `from`.
// Choice: an `of` that names no event here ends nothing; it does not fall back on all.
// Choice: of several beginnings at the row's first instant a told-early ending ends all that it can, so that
// the order in which they were recorded does not decide.
// Choice: five minutes are also for an ending of the opening's own instant that its source recorded first.
fn reach(ending: &Ending, beginnings: &[Beginning]) -> Ended {
    let about: Vec<(usize, &Beginning)> =
        beginnings.iter().enumerate().filter(|(_, beginning)| ending.is_about(beginning)).collect();
    let is_before = |beginning: &Beginning| beginning.done().before(&ending.done());
    let done_before: Vec<usize> =
        about.iter().filter(|(_, beginning)| is_before(beginning)).map(|(position, _)| *position).collect();
    let told_early = done_before.is_empty();
    let opening = about.iter().map(|(_, beginning)| beginning.act).min();
    let early = about
        .iter()
        .filter(|(_, beginning)| Some(beginning.act) == opening && ending.counts_early(beginning))
        .map(|(position, _)| *position);
    let reaches: Vec<usize> = if told_early { early.collect() } else { done_before };
    let told_early = told_early && !reaches.is_empty();
    let out_of_order = about.iter().any(|(position, beginning)| {
        is_out_of_order(ending, beginning, reaches.contains(position), told_early)
    });
    Ended { reaches, cuts: Vec::new(), told_early, out_of_order }
}

/// Section 4: "Where recording went the other way, the row is marked `out_of_order`", and what is told early
/// as well.
fn is_out_of_order(ending: &Ending, beginning: &Beginning, reaches: bool, told_early: bool) -> bool {
    match reaches {
        true => told_early || ending.place < beginning.place,
        false => beginning.place < ending.place,
    }
}

/// Section 4: "Valid time decides when: `[from, until)` is cut at the ending's effective moment, and is empty
/// where that lies before `from`."
// Choice: of several endings the earliest effective moment decides; of those at one moment the earliest act,
// then the first recorded, is named.
fn cut(position: usize, beginning: &Beginning, endings: &[Ending], reached: &[Ended]) -> Stretch {
    let reaching: Vec<(usize, &Ending, &Ended)> = endings
        .iter()
        .zip(reached)
        .enumerate()
        .filter(|(_, (_, ended))| ended.reaches.contains(&position))
        .map(|(number, (ending, ended))| (number, ending, ended))
        .collect();
    let first = reaching.iter().min_by_key(|(_, ending, _)| (ending.effective, ending.act, ending.place));
    let cutting = first.filter(|(_, ending, _)| beginning.until.is_none_or(|until| ending.effective < until));
    let until = cutting.map(|(_, ending, _)| ending.effective).or(beginning.until);
    let out_of_order = endings.iter().zip(reached).filter(|(ending, _)| ending.is_about(beginning)).any(
        |(ending, ended)| {
            is_out_of_order(ending, beginning, ended.reaches.contains(&position), ended.told_early)
        },
    );
    Stretch {
        from: beginning.from,
        until: until.map(|until| until.max(beginning.from)),
        cut_by: cutting.map(|(number, _, _)| *number),
        ended_by: reaching.iter().map(|(number, _, _)| *number).collect(),
        out_of_order,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HOUR: Micros = 60 * 60 * SECOND;

    fn beginning(act: Micros, place: u64, source: &str, from: Micros) -> Beginning {
        Beginning { act, place, source: source.into(), id: format!("b{place}"), from, until: None }
    }

    fn ending(act: Micros, place: u64, source: &str, effective: Micros) -> Ending {
        Ending { act, place, source: source.into(), effective, of: None }
    }

    #[test]
    fn the_range_is_what_four_digits_can_write() {
        assert_eq!(read("0000-01-01T00:00:00Z"), Some(EARLIEST));
        assert_eq!(read("9999-12-31T23:59:59.999999Z"), Some(LATEST));
        assert_eq!(read("0000-01-01T00:00:00+01:00"), None);
        assert_eq!(read("9999-12-31T23:59:59-01:00"), None);
        assert_eq!(read_recorded("9999-12-31T23:59:59-01:00"), Some(Told { at: LATEST, irregular: true }));
    }

    #[test]
    fn any_offset_is_read_as_an_instant() {
        assert_eq!(read("1970-01-01T01:00:00+01:00"), Some(0));
        assert_eq!(read("1969-12-31t19:00:00.000001-05:00"), Some(1));
        assert_eq!(read("1970-01-01T00:00:00-00:00"), Some(0));
    }

    #[test]
    fn what_is_no_rfc_3339_is_refused() {
        let wrong = [
            "1970-01-01 00:00:00Z",
            "1970-01-01T00:00:00",
            "1970-01-01T00:00:60Z",
            "1970-01-01T00:00Z",
            "1970-01-01",
            "1970-01-01T00:00:00\u{2212}01:00",
            "1970-01-01T00:00:00+0100",
            "1970-01-01T24:00:00Z",
            "",
        ];
        for text in wrong {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read_recorded("1970-01-01T00:00:60Z"), Some(Told { at: 60 * SECOND, irregular: true }));
        assert_eq!(read_recorded("yesterday"), None);
    }

    #[test]
    fn a_bare_date_begins_with_its_day_and_ends_with_it() {
        let day = json!("1970-01-02");
        assert_eq!(begins(Some(&day)), Some(DAY));
        assert_eq!(ends(Some(&day)), Some(2 * DAY));
        let zone = FixedOffset::east_opt(2 * 3600).unwrap();
        assert_eq!(ends_in(Some(&day), zone), Some(2 * DAY - 2 * HOUR));
        assert_eq!(begins(Some(&json!("1970-1-2"))), None);
    }

    #[test]
    fn what_lies_ahead_counts_from_its_recording() {
        let of = |text: &str| act(&json!({"time": text}), HOUR);
        assert_eq!(of("1970-01-01T00:59:00Z").at, 59 * 60 * SECOND);
        let near = Happened { at: HOUR, stated: Some(HOUR + FIVE_MINUTES), ahead: true, irregular: false };
        assert_eq!(of("1970-01-01T01:05:00Z"), near);
        assert!(of("9000-01-01T00:00:00Z").irregular);
        assert_eq!(of("9000-01-01T00:00:00Z").at, HOUR);
        assert_eq!(
            act(&json!({}), HOUR),
            Happened { at: HOUR, stated: None, ahead: false, irregular: false }
        );
        assert!(act(&json!({"time": "noon"}), HOUR).irregular);
        assert_eq!(ahead(HOUR + FIVE_MINUTES + 1, HOUR), Ahead::Refused);
    }

    #[test]
    fn at_the_same_instant_life_decides_between_sources_and_recording_within_one() {
        let done = |place, source: &str, life| Done { act: 0, place, source: source.into(), life };
        assert!(done(2, "b", 0).before(&done(1, "a", 1)));
        assert!(done(1, "a", 1).before(&done(2, "a", 0)));
        let circle = [done(1, "a", 2), done(2, "a", 0), done(3, "b", 1)];
        assert_eq!(in_order(&circle), [2, 0, 1]);
    }

    #[test]
    fn a_revocation_with_effect_from_this_morning_ends_a_grant_made_at_noon() {
        let grant = beginning(12 * HOUR, 1, "a", 12 * HOUR);
        let revocation = ending(15 * HOUR, 2, "a", 8 * HOUR);
        let reckoned = Stretches::reckon(&[grant], &[revocation]);
        let stretch = &reckoned.stretches[0];
        assert!(stretch.is_empty());
        assert_eq!((stretch.until, stretch.cut_by), (Some(12 * HOUR), Some(0)));
        assert!(!reckoned.out_of_order());
    }

    #[test]
    fn the_leavers_role_ends_when_it_ended_and_not_when_that_was_told() {
        let role = beginning(0, 1, "a", 0);
        let told_late = ending(10 * DAY, 2, "a", 3 * DAY);
        let reckoned = Stretches::reckon(&[role], &[told_late]);
        assert_eq!(reckoned.in_force(3 * DAY - 1), [0]);
        assert!(reckoned.in_force(3 * DAY).is_empty());
    }

    #[test]
    fn next_years_assignment_hides_nothing_of_this_years() {
        let this_year = Beginning { until: Some(365 * DAY), ..beginning(0, 1, "a", 0) };
        let next_year = beginning(DAY, 2, "a", 365 * DAY);
        let reckoned = Stretches::reckon(&[this_year, next_year], &[]);
        assert_eq!(reckoned.in_force(2 * DAY), [0]);
        assert_eq!(reckoned.in_force(365 * DAY), [1]);
    }

    #[test]
    fn what_was_done_after_an_ending_stands_anew_whenever_recorded() {
        let first = beginning(0, 1, "a", 0);
        let anew = beginning(2 * DAY, 2, "a", 2 * DAY);
        let between = ending(DAY, 3, "a", DAY);
        let reckoned = Stretches::reckon(&[first, anew], &[between]);
        assert_eq!(reckoned.stretches[0].until, Some(DAY));
        assert_eq!(reckoned.stretches[1].until, None);
        assert!(!reckoned.stretches[0].out_of_order);
        assert!(reckoned.stretches[1].out_of_order);
    }

    #[test]
    fn an_ending_recorded_before_its_beginning_ends_it_all_the_same() {
        let early = ending(DAY, 1, "b", DAY);
        let late = beginning(0, 2, "a", 0);
        let reckoned = Stretches::reckon(&[late], &[early]);
        assert_eq!(reckoned.stretches[0].until, Some(DAY));
        assert!(reckoned.stretches[0].out_of_order && reckoned.endings[0].out_of_order);
        assert!(!reckoned.endings[0].told_early);
    }

    #[test]
    fn a_named_stretch_is_ended_alone() {
        let both = [beginning(0, 1, "a", 0), beginning(HOUR, 2, "a", HOUR)];
        let named = Ending { of: Some(("a".into(), "b2".into())), ..ending(DAY, 3, "a", DAY) };
        let unknown = Ending { of: Some(("a".into(), "b9".into())), ..ending(DAY, 4, "a", DAY) };
        let reckoned = Stretches::reckon(&both, &[named, unknown]);
        assert_eq!(reckoned.in_force(DAY), [0]);
        assert_eq!(reckoned.endings[0].cuts, [1]);
        assert_eq!(reckoned.ended_nothing(), [1]);
    }

    #[test]
    fn an_ending_told_early_counts_within_five_minutes_or_by_its_effect() {
        let noon = 12 * HOUR;
        let grant = [beginning(noon, 2, "a", noon)];
        let skewed = ending(noon - SECOND, 3, "b", noon - SECOND);
        let too_early = ending(noon - FIVE_MINUTES - 1, 1, "b", noon - FIVE_MINUTES - 1);
        let ahead = ending(noon - HOUR, 1, "b", noon + HOUR);
        let reckoned = Stretches::reckon(&grant, &[skewed]);
        assert!(reckoned.stretches[0].is_empty() && reckoned.out_of_order());
        let reckoned = Stretches::reckon(&grant, &[too_early]);
        assert_eq!((reckoned.stretches[0].until, reckoned.ended_nothing()), (None, vec![0]));
        let reckoned = Stretches::reckon(&grant, &[ahead]);
        assert_eq!(reckoned.stretches[0].until, Some(noon + HOUR));
        assert!(reckoned.endings[0].told_early);
    }

    #[test]
    fn at_the_same_instant_an_ending_of_another_source_comes_last() {
        let other = Stretches::reckon(&[beginning(0, 2, "a", 0)], &[ending(0, 1, "b", HOUR)]);
        assert_eq!(other.stretches[0].until, Some(HOUR));
        let own = [beginning(-DAY, 1, "a", -DAY), beginning(0, 3, "a", 0)];
        let own = Stretches::reckon(&own, &[ending(0, 2, "a", 0)]);
        assert_eq!(own.in_force(HOUR), [1]);
    }

    #[test]
    fn an_ending_after_the_stretchs_own_end_cuts_nothing_but_is_no_stranger() {
        let short = Beginning { until: Some(HOUR), ..beginning(0, 1, "a", 0) };
        let reckoned = Stretches::reckon(&[short], &[ending(DAY, 2, "a", DAY)]);
        assert_eq!((reckoned.stretches[0].until, reckoned.stretches[0].cut_by), (Some(HOUR), None));
        assert!(reckoned.ended_nothing().is_empty());
    }

    #[test]
    fn votes_count_early_only_within_five_minutes_or_inside_an_import() {
        let early = |imported, distance| counts_from_opening(Early::Vote { imported }, DAY - distance, DAY);
        assert!(early(false, FIVE_MINUTES) && early(true, HOUR) && !early(false, FIVE_MINUTES + 1));
        assert!(counts_from_opening(Early::Other, 0, DAY));
    }
}
