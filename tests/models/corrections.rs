//! What stands: the facts that are left after all corrections that are known, and what an import holds.
//!
//! Everything here is from ANSWERS.md section 6, "Corrections", and the paragraph on imports in section 4.
//! Corrections go by the order of recording alone, so one walk through the entries decides them all.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::base::{Entry, Fact, Micros};
use crate::rows;
use crate::times;

/// The type of a correction.
pub const CORRECTION: &str = "event.corrected";

/// Of the corrections of one event, so many that have effect count (section 6).
pub const MOST_CORRECTIONS: usize = 16;

/// What a correction does to its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It takes the target away.
    Annul,
    /// It puts another event in the target's place.
    Replace,
}

/// Why a correction has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its kind is neither of the two.
    UnknownKind,
    /// No entry before it has the target's source and id.
    NoTarget,
    /// It corrects an annulment of a correction, or what is deeper still.
    TooDeep,
    /// It would replace a correction, which can only be annulled.
    CorrectionReplaced,
    /// Its target is a replacement in force: "take the correction back, make another".
    ReplacementInForce,
    /// Its target counts for nothing: a replacement no longer in force, a correction without effect or taken
    /// back.
    TargetCountsForNothing,
    /// It names no replacement, or none that was recorded before it.
    NoReplacement,
    /// It names its target as the replacement.
    Circle,
    /// The replacement is of another type.
    OtherType,
    /// The replacement is of another row, and the correction does not say `rekeyed`.
    OtherRow,
    /// The replacement was named before by a correction with effect.
    NamedTwice,
    /// The replacement counts for nothing: it is itself annulled or replaced.
    ReplacementCountsForNothing,
    /// The target has had as many corrections with effect as count.
    BeyondSixteen,
}

impl Why {
    /// The reason in a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::UnknownKind => "unknown-kind",
            Self::NoTarget => "no-target",
            Self::TooDeep => "too-deep",
            Self::CorrectionReplaced => "correction-replaced",
            Self::ReplacementInForce => "replacement-in-force",
            Self::TargetCountsForNothing => "target-counts-for-nothing",
            Self::NoReplacement => "no-replacement",
            Self::Circle => "circle",
            Self::OtherType => "other-type",
            Self::OtherRow => "other-row",
            Self::NamedTwice => "named-twice",
            Self::ReplacementCountsForNothing => "replacement-counts-for-nothing",
            Self::BeyondSixteen => "beyond-16",
        }
    }
}

/// How a correction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It decides what its target counts for.
    InForce,
    /// It stands, but a later correction of the same event decides alone.
    Overtaken {
        /// The one that decides.
        by: u64,
    },
    /// It was annulled.
    TakenBack {
        /// The annulment.
        by: u64,
    },
    /// It never had effect, and changes nothing.
    NoEffect(Why),
}

/// A correction as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correction {
    /// The entry that holds it.
    pub seq: u64,
    /// The entry that it corrects, where there is one.
    pub target: Option<u64>,
    /// 1 for corrections of events, 2 for annulments of those, and deeper ones without effect.
    pub depth: u64,
    /// What it does.
    pub kind: Option<Kind>,
    /// The entry that it names as the replacement, where it replaces and there is one.
    pub replacement: Option<u64>,
    /// Whether it says that the row is another one.
    pub rekeyed: bool,
    /// Whether the replacement keeps its own act time.
    pub retimed: bool,
    /// How it stands.
    pub state: State,
}

impl Correction {
    /// Whether it had effect when it was recorded; it may have been taken back or overtaken since.
    pub fn had_effect(&self) -> bool {
        !matches!(self.state, State::NoEffect(_))
    }

    /// Whether it had effect and was not taken back.
    pub fn stands(&self) -> bool {
        matches!(self.state, State::InForce | State::Overtaken { .. })
    }
}

/// An import (section 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// Its id.
    pub import: String,
    /// The source whose events it holds.
    pub source: String,
    /// The entry of its opening.
    pub opened: u64,
    /// The place from which it is in effect: its confirmation. Nothing while nobody else has confirmed it, or
    /// where its window does not end before the opening.
    pub begins: Option<u64>,
    /// The place of its closing. An import never closed is a finding.
    pub closed: Option<u64>,
    /// The first instant of the window.
    pub from: Option<Micros>,
    /// The first instant after the window.
    pub until: Option<Micros>,
}

impl Import {
    /// Section 4: "Inside are the events of that source, recorded between the two, whose act time lies in the
    /// window."
    // Choice: an import that is not closed yet holds what was recorded since it began, because a finding for
    // lateness that the ledger made meanwhile would stay.
    pub fn holds(&self, fact: &Fact) -> bool {
        let is_between = self.begins.is_some_and(|begins| begins < fact.place)
            && self.closed.is_none_or(|closed| fact.place < closed);
        let is_in_window = self.from.is_some_and(|from| from <= fact.act)
            && self.until.is_some_and(|until| fact.act < until);
        fact.source == self.source && is_between && is_in_window
    }
}

/// What stands by what is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The facts in the order of act, then place. Corrections are no facts: they are a register of their own.
    pub facts: Vec<Fact>,
    /// For each entry that counts for nothing any more: the correction that decided so. Also for corrections
    /// that were taken back.
    pub taken_away: BTreeMap<u64, u64>,
    /// All corrections, by entry.
    pub corrections: BTreeMap<u64, Correction>,
    /// All imports, by the order of recording.
    pub imports: Vec<Import>,
}

/// How things stand by the entries below `known`.
pub fn standing(entries: &[Entry], known: u64) -> Standing {
    let mut entries: Vec<&Entry> = entries.iter().filter(|entry| entry.seq < known).collect();
    entries.sort_by_key(|entry| entry.seq);
    let mut book = Book { entries, corrections: BTreeMap::new() };
    let corrections: Vec<&Entry> =
        book.entries.iter().copied().filter(|entry| is_correction(entry)).collect();
    for entry in corrections {
        book.record(entry);
    }
    let mut facts = book.facts();
    let imports = mark_imported(&mut facts);
    let taken_away = book.taken_away();
    Standing { facts, taken_away, corrections: book.corrections, imports }
}

/// A member of an event that is a text.
fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}

fn data(entry: &Entry) -> &Value {
    entry.event.get("data").unwrap_or(&Value::Null)
}

fn is_correction(entry: &Entry) -> bool {
    text(&entry.event, "type") == CORRECTION
}

/// The entries that are known, and what was decided of the corrections so far.
struct Book<'a> {
    entries: Vec<&'a Entry>,
    corrections: BTreeMap<u64, Correction>,
}

impl<'a> Book<'a> {
    fn entry(&self, seq: u64) -> Option<&'a Entry> {
        self.entries.iter().copied().find(|entry| entry.seq == seq)
    }

    /// The entry that a reference `{source, id}` names, among those recorded before the correction.
    // Choice: the replacement is looked up among earlier entries as well; one that is recorded later is its
    // own event.
    fn look_up(&self, reference: Option<&Value>, before: u64) -> Option<&'a Entry> {
        let (source, id) = times::source_and_id(reference?);
        let is_named = |entry: &&&Entry| {
            entry.seq < before
                && text(&entry.event, "source") == source
                && text(&entry.event, "id") == id
                && !id.is_empty()
        };
        self.entries.iter().find(is_named).copied()
    }

    /// All corrections of an entry that had effect, in the order of recording.
    fn corrections_of(&self, seq: u64) -> Vec<&Correction> {
        let is_of = |correction: &&Correction| correction.target == Some(seq) && correction.had_effect();
        self.corrections.values().filter(is_of).collect()
    }

    /// "Of the corrections of one event that stand, the last recorded decides alone."
    fn deciding(&self, seq: u64) -> Option<&Correction> {
        self.corrections_of(seq).into_iter().rfind(|correction| correction.stands())
    }

    /// The correction with effect that named an entry as its replacement: there is one at most.
    fn naming(&self, seq: u64) -> Option<&Correction> {
        self.corrections
            .values()
            .find(|correction| correction.replacement == Some(seq) && correction.had_effect())
    }

    /// Whether this correction decides what its target counts for.
    fn decides(&self, correction: &Correction) -> bool {
        let deciding = correction.target.and_then(|target| self.deciding(target));
        deciding.is_some_and(|deciding| deciding.seq == correction.seq)
    }

    /// Whether an event counts. "An event named as replacement counts only while that correction is in force;
    /// before it, it is what it is; after it was taken back, nothing."
    fn counts(&self, seq: u64) -> bool {
        match self.naming(seq) {
            Some(correction) => self.decides(correction),
            None => self.deciding(seq).is_none(),
        }
    }

    /// Takes the next correction, in the order of recording.
    ///
    /// Whether it has effect is decided here, by what was recorded before it, and stays decided.
    fn record(&mut self, entry: &Entry) {
        let correction = self.read(entry);
        let state = match self.objection(&correction) {
            Some(why) => State::NoEffect(why),
            None => State::InForce,
        };
        let target = correction.target;
        let seq = correction.seq;
        self.corrections.insert(seq, Correction { state, ..correction });
        if state != State::InForce {
            return;
        }
        if let Some(corrected) = target.and_then(|target| self.corrections.get_mut(&target)) {
            corrected.state = State::TakenBack { by: seq };
            let event = corrected.target;
            self.settle(event);
        } else {
            self.settle(target);
        }
    }

    /// Says of each correction of an event whether it decides.
    fn settle(&mut self, event: Option<u64>) {
        let Some(deciding) = event.and_then(|event| self.deciding(event)).map(|correction| correction.seq)
        else {
            return;
        };
        for correction in self.corrections.values_mut() {
            if correction.target == event && correction.stands() {
                let is_deciding = correction.seq == deciding;
                correction.state =
                    if is_deciding { State::InForce } else { State::Overtaken { by: deciding } };
            }
        }
    }

    fn read(&self, entry: &Entry) -> Correction {
        let data = data(entry);
        let target = self.look_up(data.get("target"), entry.seq);
        let kind = match text(data, "kind") {
            "annul" => Some(Kind::Annul),
            "replace" => Some(Kind::Replace),
            _ => None,
        };
        // Choice: what an annulment names as a replacement is not read.
        let replacement = data.get("replacement").filter(|_| kind == Some(Kind::Replace));
        let says = |member: &str| data.get(member).and_then(Value::as_bool).unwrap_or(false);
        let depth_of = |seq: u64| self.corrections.get(&seq).map_or(0, |correction| correction.depth);
        Correction {
            seq: entry.seq,
            target: target.map(|target| target.seq),
            depth: 1 + target.map_or(0, |target| depth_of(target.seq)),
            kind,
            replacement: self.look_up(replacement, entry.seq).map(|replacement| replacement.seq),
            rekeyed: says("rekeyed"),
            retimed: says("retimed"),
            state: State::InForce,
        }
    }

    /// Why a correction has no effect, if it has none; the first reason that fits.
    fn objection(&self, correction: &Correction) -> Option<Why> {
        let Some(kind) = correction.kind else { return Some(Why::UnknownKind) };
        let Some(target) = correction.target.and_then(|target| self.entry(target)) else {
            return Some(Why::NoTarget);
        };
        match (correction.depth, self.corrections.get(&target.seq)) {
            (3.., _) => Some(Why::TooDeep),
            (_, Some(_)) if kind == Kind::Replace => Some(Why::CorrectionReplaced),
            (_, Some(corrected)) => (!corrected.stands()).then_some(Why::TargetCountsForNothing),
            (_, None) => self.objection_to_event(correction, kind, target),
        }
    }

    /// As [`Self::objection`], where the target is an event.
    // Choice: an event that a correction took away may be corrected again, though it "counts for nothing":
    // otherwise no event could have two corrections that stand, of which "the last recorded decides alone".
    // What cannot be corrected is a former replacement.
    fn objection_to_event(&self, correction: &Correction, kind: Kind, target: &Entry) -> Option<Why> {
        if let Some(naming) = self.naming(target.seq) {
            let is_in_force = self.decides(naming);
            return Some(if is_in_force { Why::ReplacementInForce } else { Why::TargetCountsForNothing });
        }
        if kind == Kind::Replace {
            let replacement = correction.replacement.and_then(|replacement| self.entry(replacement));
            let Some(replacement) = replacement else { return Some(Why::NoReplacement) };
            let why = self.objection_to_replacement(correction, target, replacement);
            if why.is_some() {
                return why;
            }
        }
        // Choice: sixteen in all, whether they were taken back since or not.
        (self.corrections_of(target.seq).len() >= MOST_CORRECTIONS).then_some(Why::BeyondSixteen)
    }

    fn objection_to_replacement(
        &self,
        correction: &Correction,
        target: &Entry,
        named: &Entry,
    ) -> Option<Why> {
        let (source, named_source) = (text(&target.event, "source"), text(&named.event, "source"));
        let ty = text(&target.event, "type");
        let is_same_row = || rows::same_row(ty, (source, data(target)), (named_source, data(named)));
        if named.seq == target.seq {
            Some(Why::Circle)
        } else if text(&named.event, "type") != ty {
            Some(Why::OtherType)
        } else if !correction.rekeyed && !is_same_row() {
            Some(Why::OtherRow)
        } else if self.naming(named.seq).is_some() {
            Some(Why::NamedTwice)
        } else {
            (!self.counts(named.seq)).then_some(Why::ReplacementCountsForNothing)
        }
    }

    /// The facts in the order of act, then place.
    fn facts(&self) -> Vec<Fact> {
        let events =
            self.entries.iter().filter(|entry| !is_correction(entry) && self.naming(entry.seq).is_none());
        let mut facts: Vec<Fact> = events.filter_map(|entry| self.fact_in_place_of(entry)).collect();
        facts.sort_by_key(|fact| (fact.act, fact.place));
        facts
    }

    /// What counts in the place of an entry.
    ///
    /// "A replacement has its target's act time and place, unless its correction says `retimed`" (section 4);
    /// "A replacement's place is its target's for every rule that asks when something was recorded" (section
    /// 10).
    // Choice: a retimed replacement has its own act time, but its target's place, also for the rule that
    // nothing is done after its recording.
    fn fact_in_place_of(&self, entry: &Entry) -> Option<Fact> {
        let Some(correction) = self.deciding(entry.seq) else {
            return Some(fact(entry, entry, entry));
        };
        let replacement = self.entry(correction.replacement?)?;
        Some(fact(replacement, entry, if correction.retimed { replacement } else { entry }))
    }

    /// For each entry that counts for nothing: by which correction.
    // Choice: for a replacement no longer in force it is the annulment of the correction that named it, else
    // the correction that decides in its stead.
    fn taken_away(&self) -> BTreeMap<u64, u64> {
        let by = |entry: &&Entry| {
            let by = match (self.corrections.get(&entry.seq), self.naming(entry.seq)) {
                (Some(correction), _) | (None, Some(correction)) => match correction.state {
                    State::TakenBack { by } => Some(by),
                    State::Overtaken { by } if !is_correction(entry) => Some(by),
                    _ => None,
                },
                (None, None) => self.deciding(entry.seq).map(|correction| correction.seq),
            };
            by.map(|by| (entry.seq, by))
        };
        self.entries.iter().filter_map(by).collect()
    }
}

/// The fact of what `own` says, at the place of `place`, done when `timed` says.
fn fact(own: &Entry, place: &Entry, timed: &Entry) -> Fact {
    let event = &own.event;
    let by = text(data(own), "by");
    // What its own entry states counts at the latest from that entry's recording, and at the place at the
    // latest from the place's.
    let act = times::act(&timed.event, timed.recorded).at.min(place.recorded);
    Fact {
        seq: own.seq,
        place: place.seq,
        recorded: place.recorded,
        act,
        source: text(event, "source").to_owned(),
        id: text(event, "id").to_owned(),
        ty: text(event, "type").to_owned(),
        actor: own.actor.clone(),
        by: if by.is_empty() { own.actor.clone() } else { by.to_owned() },
        subject: event.get("subject").and_then(Value::as_str).map(str::to_owned),
        data: data(own).clone(),
        imported: false,
    }
}

/// Says of each fact whether it lies inside an import; all imports that the facts tell of.
pub fn mark_imported(facts: &mut [Fact]) -> Vec<Import> {
    let imports = imports(facts);
    for fact in facts {
        fact.imported = imports.iter().any(|import| import.holds(fact));
    }
    imports
}

/// All imports that the facts tell of, in the order in which they were opened.
pub fn imports(facts: &[Fact]) -> Vec<Import> {
    let rows = rows::rows(facts, "import");
    let by_seq = |seq: u64| facts.iter().find(|fact| fact.seq == seq);
    let mut imports: Vec<(u64, Import)> = Vec::new();
    for row in &rows {
        let Some(opening) = row.first.and_then(by_seq) else { continue };
        let closings = row.events.iter().filter_map(|event| by_seq(event.seq));
        let closed = closings
            .filter(|fact| fact.ty == "import.closed" && opening.place < fact.place)
            .map(|fact| fact.place)
            .min();
        let from = times::begins(opening.data.get("from"));
        let until = times::ends(opening.data.get("to"));
        // "Of a window that ends before the opening."
        // Choice: before its act, which is never after its recording; an end is outside, so it may be the act
        // itself.
        let is_past = until.is_some_and(|until| until <= opening.act);
        let import = Import {
            import: row.key.first().cloned().unwrap_or_default(),
            source: text(&opening.data, "source").to_owned(),
            opened: opening.seq,
            begins: confirmed(opening, facts).filter(|_| is_past),
            closed,
            from,
            until,
        };
        imports.push((opening.place, import));
    }
    imports.sort_by_key(|(place, _)| *place);
    imports.into_iter().map(|(_, import)| import).collect()
}

/// From which place on an act of two is in effect (section 1): its confirmation "by another principal, whom
/// nothing makes the same one, within 7 days. It is in effect from the second entry on".
// Choice: the seven days are between the recordings. The digest is not checked here. A confirmation of an
// opening that was replaced does not confirm the replacement: its terms are others.
pub fn confirmed(proposal: &Fact, facts: &[Fact]) -> Option<u64> {
    confirmed_before(proposal, facts, u64::MAX)
}

/// The same by the confirmations that were recorded before `place`.
// Choice: a confirmation counts by what was recorded before it, and so there is no circle, although that two
// are one is an act of two itself.
fn confirmed_before(proposal: &Fact, facts: &[Fact], place: u64) -> Option<u64> {
    let names_it = |fact: &Fact| {
        let of = fact.data.get("of").map(times::source_and_id);
        of.is_some_and(|(source, id)| source == proposal.source && id == proposal.id)
    };
    let is_in_time = |fact: &Fact| {
        proposal.place < fact.place
            && fact.place < place
            && fact.recorded.saturating_sub(proposal.recorded) <= 7 * times::DAY
    };
    let confirmations = facts.iter().filter(|fact| fact.ty == "act.confirmed");
    let by_another = confirmations.filter(|fact| names_it(fact) && is_in_time(fact)).filter(|fact| {
        let people = same_people(proposal, facts, fact.place);
        !people.contains(&fact.by) && !people.contains(&fact.actor)
    });
    by_another.map(|fact| fact.place).min()
}

/// Everybody who is the principal of this act, by what was in effect before `place`.
// Choice: that two are the same counts where two have said so: else anybody could keep two others from acting
// together. Whose token it is has a hand in it too, a person's or an application's: one token that speaks for
// both is one.
fn same_people(fact: &Fact, facts: &[Fact], place: u64) -> BTreeSet<String> {
    let mut people = BTreeSet::from([fact.by.clone(), fact.actor.clone()]);
    let in_effect = |fact: &&Fact| {
        fact.ty == "principal.same_as" && fact.place < place && confirmed_before(fact, facts, place).is_some()
    };
    let told: Vec<&Fact> = facts.iter().filter(in_effect).collect();
    loop {
        let before = people.len();
        for fact in &told {
            let pair = [text(&fact.data, "principal").to_owned(), text(&fact.data, "other").to_owned()];
            if pair.iter().any(|one| people.contains(one)) {
                people.extend(pair);
            }
        }
        if people.len() == before {
            return people;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A small ledger: each entry is recorded ten seconds after the one before. Whoever acts posts it, and otherwise an
    /// application.
    #[derive(Default)]
    struct Ledger(Vec<Entry>);

    impl Ledger {
        fn post(&mut self, ty: &str, data: Value) -> u64 {
            self.post_at(ty, data, None)
        }

        fn post_at(&mut self, ty: &str, data: Value, time: Option<&str>) -> u64 {
            let seq = self.0.len() as u64;
            let mut event = json!({"source": "s", "id": format!("e{seq}"), "type": ty, "data": data});
            if let Some(time) = time {
                event["time"] = json!(time);
            }
            let recorded = 10 * times::DAY + seq as Micros * 10 * times::SECOND;
            let actor = event["data"]["by"].as_str().unwrap_or("app:a").to_owned();
            self.0.push(Entry { seq, recorded, actor, event });
            seq
        }

        fn made(&mut self, decision: &str, outcome: &str) -> u64 {
            self.post("decision.made", json!({"decision": decision, "outcome": outcome}))
        }

        fn annul(&mut self, target: u64) -> u64 {
            let target = json!({"source": "s", "id": format!("e{target}")});
            self.post(CORRECTION, json!({"target": target, "kind": "annul", "reason": "wrong"}))
        }

        fn replace(&mut self, target: u64, replacement: u64, more: Value) -> u64 {
            let name = |seq: u64| json!({"source": "s", "id": format!("e{seq}")});
            let mut data =
                json!({"target": name(target), "kind": "replace", "replacement": name(replacement)});
            data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            self.post(CORRECTION, data)
        }

        fn standing(&self) -> Standing {
            standing(&self.0, u64::MAX)
        }

        /// The entries of the facts and their places.
        fn facts(&self) -> Vec<(u64, u64)> {
            self.standing().facts.iter().map(|fact| (fact.seq, fact.place)).collect()
        }

        fn why(&self, correction: u64) -> Option<&'static str> {
            match self.standing().corrections[&correction].state {
                State::NoEffect(why) => Some(why.word()),
                _ => None,
            }
        }
    }

    #[test]
    fn an_annulment_takes_away_and_its_annulment_gives_back() {
        let mut ledger = Ledger::default();
        let event = ledger.made("d", "no");
        let annulment = ledger.annul(event);
        assert_eq!(ledger.facts(), []);
        assert_eq!(ledger.standing().taken_away, BTreeMap::from([(event, annulment)]));
        let back = ledger.annul(annulment);
        assert_eq!(ledger.facts(), [(event, event)]);
        assert_eq!(ledger.standing().taken_away, BTreeMap::from([(annulment, back)]));
        let deeper = ledger.annul(back);
        assert_eq!(ledger.why(deeper), Some("too-deep"));
        let deepest = ledger.annul(deeper);
        assert_eq!(ledger.why(deepest), Some("too-deep"));
        assert_eq!(ledger.facts(), [(event, event)]);
        let again = ledger.annul(annulment);
        assert_eq!(ledger.why(again), Some("target-counts-for-nothing"));
    }

    #[test]
    fn a_replacement_has_its_targets_place_and_time_and_counts_while_it_is_in_force() {
        let mut ledger = Ledger::default();
        let event = ledger.made("d", "no");
        let other = ledger.made("e", "no");
        let better = ledger.made("d", "yes");
        assert_eq!(ledger.facts(), [(event, event), (other, other), (better, better)]);
        let correction = ledger.replace(event, better, json!({}));
        assert_eq!(ledger.facts(), [(better, event), (other, other)]);
        assert_eq!(ledger.standing().facts[0].act, ledger.0[0].recorded);
        let back = ledger.annul(correction);
        assert_eq!(ledger.facts(), [(event, event), (other, other)]);
        assert_eq!(ledger.standing().taken_away, BTreeMap::from([(better, back), (correction, back)]));
        assert_eq!(standing(&ledger.0, back).facts.len(), 2);
        let too_late = ledger.annul(better);
        assert_eq!(ledger.why(too_late), Some("target-counts-for-nothing"));
        let named_again = ledger.replace(event, better, json!({}));
        assert_eq!(ledger.why(named_again), Some("named-twice"));
    }

    #[test]
    fn a_retimed_replacement_has_its_own_time_at_its_targets_place() {
        let mut ledger = Ledger::default();
        let event = ledger.made("d", "no");
        let data = json!({"decision": "d", "outcome": "no"});
        let earlier = ledger.post_at("decision.made", data, Some("1970-01-02T00:00:00Z"));
        ledger.replace(event, earlier, json!({"retimed": true}));
        assert_eq!(ledger.facts(), [(earlier, event)]);
        assert_eq!(ledger.standing().facts[0].act, times::DAY);
    }

    #[test]
    fn the_last_recorded_correction_that_stands_decides_alone() {
        let mut ledger = Ledger::default();
        let event = ledger.made("d", "no");
        let (one, two) = (ledger.made("d", "yes"), ledger.made("d", "maybe"));
        let first = ledger.replace(event, one, json!({}));
        let second = ledger.replace(event, two, json!({}));
        assert_eq!(ledger.facts(), [(two, event)]);
        assert_eq!(ledger.standing().corrections[&first].state, State::Overtaken { by: second });
        assert_eq!(ledger.standing().taken_away, BTreeMap::from([(event, second), (one, second)]));
        ledger.annul(second);
        assert_eq!(ledger.facts(), [(one, event)]);
        ledger.annul(first);
        assert_eq!(ledger.facts(), [(event, event)]);
    }

    #[test]
    fn a_replacement_in_force_is_not_corrected_itself() {
        let mut ledger = Ledger::default();
        let (event, better) = (ledger.made("d", "no"), ledger.made("d", "yes"));
        ledger.replace(event, better, json!({}));
        let annulment = ledger.annul(better);
        let circle = ledger.replace(better, event, json!({}));
        let own = ledger.replace(event, event, json!({}));
        assert_eq!(ledger.why(annulment), Some("replacement-in-force"));
        assert_eq!(ledger.why(circle), Some("replacement-in-force"));
        assert_eq!(ledger.why(own), Some("circle"));
        assert_eq!(ledger.facts(), [(better, event)]);
    }

    #[test]
    fn a_replacement_is_of_the_same_type_and_row_unless_rekeyed() {
        let mut ledger = Ledger::default();
        let (event, other_row) = (ledger.made("d", "no"), ledger.made("e", "no"));
        let other_type = ledger.post("decision.reviewed", json!({"decision": "d", "review": "r"}));
        let wrong_row = ledger.replace(event, other_row, json!({}));
        let wrong_type = ledger.replace(event, other_type, json!({"rekeyed": true}));
        assert_eq!(ledger.why(wrong_row), Some("other-row"));
        assert_eq!(ledger.why(wrong_type), Some("other-type"));
        assert_eq!(ledger.facts().len(), 3);
        ledger.replace(event, other_row, json!({"rekeyed": true}));
        assert_eq!(ledger.facts(), [(other_row, event), (other_type, other_type)]);
    }

    #[test]
    fn what_counts_for_nothing_is_not_named() {
        let mut ledger = Ledger::default();
        let (event, gone) = (ledger.made("d", "no"), ledger.made("d", "yes"));
        ledger.annul(gone);
        let naming = ledger.replace(event, gone, json!({}));
        assert_eq!(ledger.why(naming), Some("replacement-counts-for-nothing"));
        assert_eq!(ledger.facts(), [(event, event)]);
    }

    #[test]
    fn a_correction_is_blind_to_what_comes_later() {
        let mut ledger = Ledger::default();
        let event = ledger.made("d", "no");
        let naming = ledger.replace(event, 3, json!({}));
        let annulment = ledger.annul(3);
        let later = ledger.made("d", "yes");
        assert_eq!(ledger.why(naming), Some("no-replacement"));
        assert_eq!(ledger.why(annulment), Some("no-target"));
        assert_eq!(ledger.facts(), [(event, event), (later, later)]);
    }

    #[test]
    fn the_first_sixteen_with_effect_count() {
        let mut ledger = Ledger::default();
        let event = ledger.made("d", "no");
        for _ in 0..MOST_CORRECTIONS {
            let without_effect = ledger.replace(event, event, json!({}));
            assert_eq!(ledger.why(without_effect), Some("circle"));
            let annulment = ledger.annul(event);
            assert_eq!(ledger.facts(), []);
            ledger.annul(annulment);
        }
        let more = ledger.annul(event);
        assert_eq!(ledger.why(more), Some("beyond-16"));
        assert_eq!(ledger.facts(), [(event, event)]);
    }

    #[test]
    fn a_correction_is_only_annulled() {
        let mut ledger = Ledger::default();
        let event = ledger.made("d", "no");
        let (one, two) = (ledger.annul(event), ledger.annul(event));
        let replaced = ledger.replace(one, two, json!({}));
        assert_eq!(ledger.why(replaced), Some("correction-replaced"));
        let unknown = json!({"target": {"source": "s", "id": "e0"}, "kind": "forget"});
        let unknown = ledger.post(CORRECTION, unknown);
        assert_eq!(ledger.why(unknown), Some("unknown-kind"));
    }

    #[test]
    fn an_import_holds_the_windows_events_between_its_two_entries() {
        let mut ledger = Ledger::default();
        let old = Some("1970-01-02T00:00:00Z");
        let use_of = |resource: &str| json!({"resource": resource});
        ledger.post_at("access.used", use_of("before"), old);
        let window =
            json!({"import": "i", "source": "s", "from": "1970-01-01", "to": "1970-01-03", "by": "user:1"});
        let opening = ledger.post("import.opened", window);
        ledger.post_at("access.used", use_of("unconfirmed"), old);
        let confirm = |by: &str| json!({"of": {"source": "s", "id": "e1"}, "by": by});
        ledger.post("act.confirmed", confirm("user:1"));
        ledger.post_at("access.used", use_of("confirmed by the same"), old);
        ledger.post("act.confirmed", confirm("user:2"));
        let inside = ledger.post_at("access.used", use_of("inside"), old);
        ledger.post_at("access.used", use_of("outside the window"), Some("1970-01-04T00:00:00Z"));
        let imported = |ledger: &Ledger| -> Vec<u64> {
            let facts = ledger.standing().facts;
            facts.iter().filter(|fact| fact.imported).map(|fact| fact.seq).collect()
        };
        assert_eq!(imported(&ledger), [inside]);
        ledger.post("import.closed", json!({"import": "i", "counts": {}}));
        ledger.post_at("access.used", use_of("after"), old);
        assert_eq!(imported(&ledger), [inside]);
        assert!(ledger.standing().imports[0].closed.is_some());
        ledger.annul(opening);
        assert!(imported(&ledger).is_empty());
    }

    #[test]
    fn one_person_under_two_names_confirms_nothing() {
        let mut ledger = Ledger::default();
        let same = json!({"principal": "user:1", "other": "user:2", "reason": "renamed", "by": "user:hr"});
        ledger.post("principal.same_as", same);
        let window =
            json!({"import": "i", "source": "s", "from": "1970-01-01", "to": "1970-01-03", "by": "user:1"});
        ledger.post("import.opened", window);
        // One alone says so: that is not in effect.
        let confirm = |of: u64, by: &str| json!({"of": {"source": "s", "id": format!("e{of}")}, "by": by});
        ledger.post("act.confirmed", confirm(1, "user:2"));
        assert_eq!(ledger.standing().imports[0].begins, Some(2));
        ledger.0.pop();
        ledger.post("act.confirmed", confirm(0, "user:4"));
        ledger.post("act.confirmed", confirm(1, "user:2"));
        assert_eq!(ledger.standing().imports[0].begins, None);
        ledger.post("act.confirmed", confirm(1, "user:3"));
        assert_eq!(ledger.standing().imports[0].begins, Some(4));
        // One token that speaks for two is one.
        ledger.0[4].actor = "user:1".into();
        assert_eq!(ledger.standing().imports[0].begins, None);
    }
}
