//! Whose row an event is: first openings, conflicts, confirmations, versions, and what only looks alike.
//!
//! Everything here is from ANSWERS.md section 2, "Whose row it is", and the paragraph on rows in section 10.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::base::{Fact, Micros};
use crate::times::{self, Done};

/// How the openings of a type repeat (section 2, the table).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// A later opening does not touch the first.
    Once,
    /// A later opening is the row's next version.
    Renews,
    /// A later opening is one more stretch of its own.
    Beside,
    /// A later opening may be a new round: section 3 says when.
    Rounds,
    /// The type opens nothing.
    None,
}

/// What a type has to do with the rows of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// It opens rows, which repeat so.
    Opens(Repeat),
    /// It belongs to a row that another type opens.
    Belongs,
    /// It is a row of another family, or none, and only names a row of this one.
    Mentions,
}

/// A type's part in one family of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// What a row of the family is: a decision, a contest, a grant …
    pub family: String,
    /// The members of `data` that together are the row's id.
    pub key: Vec<String>,
    /// What the type does there.
    pub part: Part,
}

/// How the openings of a type repeat.
pub fn repeat(ty: &str) -> Repeat {
    let opened = memberships(ty).into_iter().find_map(|membership| match membership.part {
        Part::Opens(repeat) => Some(repeat),
        _ => None,
    });
    opened.unwrap_or(Repeat::None)
}

/// All families in which a type has a part.
// Choice: contests and reviews are items of their decision and rows of their own family at once, since
// section 2 lists both under `once` and counts "the same contest, review … told again" once. A contest's id
// is its key.
// Choice: a delegation is known by whom it leads from and to, as the catalogue lists it; a deployment by
// model, version and environment, so that versions live side by side stay apart.
// Choice: a grant only mentions the request that it answers, and a use the grant that it names.
pub fn memberships(ty: &str) -> Vec<Membership> {
    use Repeat::{Beside, Once, Renews, Rounds};
    let member = |family: &str, key: &[&str], part: Part| Membership {
        family: family.to_owned(),
        key: key.iter().map(|&name| name.to_owned()).collect(),
        part,
    };
    let opens = |family: &str, key: &[&str], repeat: Repeat| member(family, key, Part::Opens(repeat));
    let belongs = |family: &str, key: &[&str]| member(family, key, Part::Belongs);
    let prefix = ty.split('.').next().unwrap_or_default();
    match ty {
        "decision.contested" => {
            vec![opens("contest", &["contest"], Once), belongs("decision", &["decision"])]
        }
        "decision.reviewed" => vec![opens("review", &["review"], Once), belongs("decision", &["decision"])],
        "decision.contest_resolved" => {
            vec![belongs("contest", &["contest"]), belongs("decision", &["decision"])]
        }
        "decision.made" => vec![opens("decision", &["decision"], Once)],
        "access.requested" => vec![opens("request", &["request"], Once)],
        "access.rejected" => vec![belongs("request", &["request"])],
        "access.granted" => {
            vec![opens("grant", &["grant"], Beside), member("request", &["request"], Part::Mentions)]
        }
        "access.revoked" | "access.reviewed" | "access.reduced" => vec![belongs("grant", &["grant"])],
        "access.used" => vec![member("grant", &["grant"], Part::Mentions)],
        "role.assigned" => vec![opens("role", &["principal", "role"], Beside)],
        "role.unassigned" => vec![belongs("role", &["principal", "role"])],
        "delegation.granted" => vec![opens("delegation", &["from", "to"], Beside)],
        "delegation.revoked" => vec![belongs("delegation", &["from", "to"])],
        "agent.authority_granted" => vec![opens("authority", &["authority"], Beside)],
        "agent.authority_revoked" => vec![belongs("authority", &["authority"])],
        "model.deployed" => vec![opens("deployment", &["model", "version", "environment"], Beside)],
        "escalation.path_defined" => vec![opens("path", &["path"], Renews)],
        "action.handed_over" => vec![belongs("action", &["action"]), belongs("session", &["session"])],
        "incident.opened"
        | "action.proposed"
        | "session.opened"
        | "campaign.opened"
        | "erasure.requested"
        | "hold.placed"
        | "import.opened"
        | "disclosure.made"
        | "invitation.proposed" => {
            vec![opens(prefix, &[prefix], Once)]
        }
        "approval.requested" | "escalation.opened" | "gate.opened" | "risk.registered" => {
            vec![opens(prefix, &[prefix], Rounds)]
        }
        // Choice: a report on an incident is a step of the incident, which has an opening type of its own.
        "incident.reported" => vec![belongs("incident", &["incident"])],
        _ => vec![by_name(ty, prefix, &member)],
    }
}

/// Types that the table lists by the end of their names, and all others.
// Choice: measurements and reports are rows of their own families, so that a measurement does not take the
// place of the definition that it measures.
// Choice: of what the table's "…" leaves open, nothing is guessed: those types belong to their first word's
// row.
fn by_name(ty: &str, prefix: &str, member: &dyn Fn(&str, &[&str], Part) -> Membership) -> Membership {
    match ty.split('.').next_back() {
        Some("registered" | "defined") => member(prefix, &[prefix], Part::Opens(Repeat::Renews)),
        Some("measured" | "reported") => member(ty, &[prefix], Part::Opens(Repeat::Renews)),
        Some("set") if ty == "threshold.set" => member(prefix, &[prefix], Part::Opens(Repeat::Renews)),
        _ => member(prefix, &[prefix], Part::Belongs),
    }
}

/// The id that `data` states for a row: all members of the key, or nothing.
fn stated_key(membership: &Membership, data: &Value) -> Option<Vec<String>> {
    membership.key.iter().map(|name| data.get(name).and_then(id_text)).collect()
}

/// An id as a text.
fn id_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Whether a replacement is of the same row as its target (section 6: "of the same type and the same row").
///
/// The ids have to be the same in every family to which the type belongs; what it only mentions may change.
// Choice: for types whose openings from another source are a row of their own (`once`, `rounds`), another
// source is another row. For all others the source is left open.
pub fn same_row(ty: &str, target: (&str, &Value), replacement: (&str, &Value)) -> bool {
    let is_own_by_source = matches!(repeat(ty), Repeat::Once | Repeat::Rounds);
    let is_same_source = target.0 == replacement.0 || !is_own_by_source;
    let is_same_key = memberships(ty)
        .iter()
        .filter(|membership| membership.part != Part::Mentions)
        .all(|membership| stated_key(membership, target.1) == stated_key(membership, replacement.1));
    is_same_source && is_same_key
}

/// One row of a family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its id: one text for each member of the key.
    pub key: Vec<String>,
    /// Whose row it is.
    pub source: String,
    /// How its openings repeat; `None` for a row that is only `unopened`.
    pub repeat: Repeat,
    /// The first opening that stands (its entry).
    pub first: Option<u64>,
    /// All openings of the row in the order of recording: the first, its conflicts of its own source,
    /// versions, stretches and rounds. No confirmations, and no conflicts from elsewhere.
    pub openings: Vec<u64>,
    /// Openings that contradict the first.
    pub conflicts: Vec<u64>,
    /// Openings that say the same again.
    pub confirmations: Vec<u64>,
    /// For `renews`: the versions by valid time, then act, then recording; the last one is the current one.
    pub versions: Vec<u64>,
    /// For `beside`: the stretches, of all sources, in the order of recording.
    pub stretches: Vec<u64>,
    /// For `rounds`: the openings of this source, for section 3 to judge. For `once` until it ends: the
    /// first, and each opening after an end.
    pub rounds: Vec<u64>,
    /// The sources of the other rows with this id.
    pub others: Vec<String>,
    /// Events that open nothing here, in the order of recording.
    pub events: Vec<Belonging>,
}

impl Row {
    /// Whether it only has events that open nothing: shown as `unopened`, counted apart, never overdue
    /// (section 10).
    pub fn unopened(&self) -> bool {
        self.first.is_none()
    }

    /// What the filter `conflict=true` finds.
    pub fn conflict(&self) -> bool {
        !self.conflicts.is_empty()
    }
}

/// An event that belongs to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Belonging {
    /// The entry that holds it.
    pub seq: u64,
    /// Whether several rows could have been meant.
    pub ambiguous: bool,
}

/// The rows of a family, by key, and by first recorded within one key.
pub fn rows(facts: &[Fact], family: &str) -> Vec<Row> {
    let mut recorded: Vec<&Fact> = facts.iter().collect();
    recorded.sort_by_key(|fact| (fact.place, fact.seq));
    let mut by_key: BTreeMap<Vec<String>, Vec<(&Fact, Part)>> = BTreeMap::new();
    for fact in &recorded {
        for membership in memberships(&fact.ty).iter().filter(|membership| membership.family == family) {
            if let Some(key) = key_of(fact, membership, &recorded) {
                by_key.entry(key).or_default().push((*fact, membership.part));
            }
        }
    }
    by_key.into_iter().flat_map(|(key, told)| rows_of_key(&key, &told)).collect()
}

/// The id that a fact names: by itself, or by way of something that it names.
///
/// The end of a contest names its contest alone, and a revocation may name a delegation by its id alone. Then
/// the fact that states both tells the rest: the one of its own source, else the first recorded.
fn key_of(fact: &Fact, membership: &Membership, recorded: &[&Fact]) -> Option<Vec<String>> {
    let stated = stated_key(membership, &fact.data);
    let by_way_of = match membership.family.as_str() {
        "decision" => "contest",
        "delegation" => "delegation",
        _ => return stated,
    };
    if stated.is_some() {
        return stated;
    }
    let named = fact.data.get(by_way_of).and_then(id_text)?;
    let opener = if by_way_of == "contest" { "decision.contested" } else { "delegation.granted" };
    let of_that_name = |other: &&&Fact| {
        other.ty == opener && other.data.get(by_way_of).and_then(id_text).as_ref() == Some(&named)
    };
    let own = recorded.iter().filter(of_that_name).find(|other| other.source == fact.source);
    let found = own.or_else(|| recorded.iter().find(of_that_name))?;
    stated_key(membership, &found.data)
}

/// The rows of one key, from its facts in the order of recording.
fn rows_of_key(key: &[String], told: &[(&Fact, Part)]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for (fact, part) in told {
        if let Part::Opens(repeat) = part {
            open(&mut rows, key, fact, *repeat, told);
        }
    }
    let rest: Vec<&(&Fact, Part)> = told.iter().filter(|(_, part)| !matches!(part, Part::Opens(_))).collect();
    let first_belonging = rest.iter().find(|(_, part)| *part == Part::Belongs);
    if let (true, Some((fact, _))) = (rows.is_empty(), first_belonging) {
        // Choice: one unopened row for an id, whoever told of it, of the source that was recorded first. What
        // only mentions an id makes no row.
        rows.push(new_row(key, &fact.source, Repeat::None));
    }
    for (fact, _) in rest {
        belong(&mut rows, fact);
    }
    let sources: Vec<String> = rows.iter().map(|row| row.source.clone()).collect();
    for row in &mut rows {
        row.others = sources.iter().filter(|source| **source != row.source).cloned().collect();
    }
    rows
}

fn new_row(key: &[String], source: &str, repeat: Repeat) -> Row {
    Row {
        key: key.to_vec(),
        source: source.to_owned(),
        repeat,
        first: None,
        openings: Vec::new(),
        conflicts: Vec::new(),
        confirmations: Vec::new(),
        versions: Vec::new(),
        stretches: Vec::new(),
        rounds: Vec::new(),
        others: Vec::new(),
        events: Vec::new(),
    }
}

/// The row that an opening begins.
fn opened_row(key: &[String], fact: &Fact, repeat: Repeat) -> Row {
    let mut row = new_row(key, &fact.source, repeat);
    row.first = Some(fact.seq);
    row.openings.push(fact.seq);
    match repeat {
        Repeat::Renews => row.versions.push(fact.seq),
        Repeat::Beside => row.stretches.push(fact.seq),
        _ => row.rounds.push(fact.seq),
    }
    row
}

/// Takes one opening, in the order of recording: "First means first recorded; if it is annulled, the earliest
/// that stands takes its place."
// Choice: what an opening confirms is what was recorded before it. A row of another source does not go away
// because the first row's source says the same later: that would hide the row.
// Choice: a source that has a row of its own and then says what the first row says contradicts itself: the
// conflict is shown in its row.
fn open(rows: &mut Vec<Row>, key: &[String], fact: &Fact, repeat: Repeat, told: &[(&Fact, Part)]) {
    let Some(first_source) = rows.first().map(|row| row.source.clone()) else {
        rows.push(opened_row(key, fact, repeat));
        return;
    };
    let own = rows.iter().position(|row| row.source == fact.source);
    // "`beside` gives a stretch in the same list; `renews` does not renew (a conflict); `once` and `rounds`
    // give a row of its own, but for the same data, which is a confirmation on the first row and no row."
    let number = match repeat {
        Repeat::Beside | Repeat::Renews => 0,
        _ if fact.source != first_source
            && own.is_none()
            && rows.first().is_some_and(|row| says_the_same(row, fact, told)) =>
        {
            0
        }
        _ => match own {
            Some(number) => number,
            None => {
                rows.push(opened_row(key, fact, repeat));
                return;
            }
        },
    };
    if let Some(row) = rows.get_mut(number) {
        open_again(row, fact, repeat, told);
    }
}

/// Takes a later opening into a row that there is.
fn open_again(row: &mut Row, fact: &Fact, repeat: Repeat, told: &[(&Fact, Part)]) {
    let is_own = row.source == fact.source;
    let is_same = says_the_same(row, fact, told);
    match repeat {
        Repeat::Beside => {
            row.openings.push(fact.seq);
            row.stretches.push(fact.seq);
        }
        // Choice: the row's own source is that of its first opening. From another source it is a conflict
        // even where the data is the same: the page excepts `once` and `rounds` alone.
        Repeat::Renews if is_own => {
            row.openings.push(fact.seq);
            row.versions.push(fact.seq);
            row.versions.sort_by_key(|seq| told_fact(told, *seq).map(times::order_of_values));
        }
        Repeat::Renews => row.conflicts.push(fact.seq),
        Repeat::Rounds if is_own => {
            row.openings.push(fact.seq);
            row.rounds.push(fact.seq);
        }
        // Choice: after its end a row that is `once` "until it ends" opens again, also with the same data
        // (section 3: "an accepted opening after an end state opens again, as a new round").
        Repeat::Once if is_own && has_ended(row, fact, told) => {
            row.openings.push(fact.seq);
            row.rounds.push(fact.seq);
        }
        _ if is_same => row.confirmations.push(fact.seq),
        _ => {
            row.openings.push(fact.seq);
            row.conflicts.push(fact.seq);
        }
    }
}

fn told_fact<'a>(told: &[(&'a Fact, Part)], seq: u64) -> Option<&'a Fact> {
    told.iter().map(|(fact, _)| *fact).find(|fact| fact.seq == seq)
}

/// Section 10: "'The same data' is `data` alone, compared with any opening of the first row."
fn says_the_same(row: &Row, fact: &Fact, told: &[(&Fact, Part)]) -> bool {
    let mut openings = row.openings.iter().filter_map(|seq| told_fact(told, *seq));
    openings.any(|opening| opening.data == fact.data)
}

/// Whether the last round of a row that is `once` "until it ends" had ended when this opening was done
/// (section 2: incident.opened).
// Choice: an end counts here if it was done after the round's opening and before the new one (section 4), by
// the row's own source or by one that has no opening of this id.
fn has_ended(row: &Row, fact: &Fact, told: &[(&Fact, Part)]) -> bool {
    let Some(current) = row.rounds.last().and_then(|seq| told_fact(told, *seq)) else { return false };
    let opens_here = |source: &str| {
        told.iter().any(|(other, part)| matches!(part, Part::Opens(_)) && other.source == source)
    };
    told.iter().map(|(other, _)| *other).filter(|other| other.ty == "incident.closed").any(|end| {
        let is_ours = end.source == row.source || !opens_here(&end.source);
        is_ours && Done::of(current).before(&Done::of(end)) && Done::of(end).before(&Done::of(fact))
    })
}

/// "An event that names an id belongs to the row of its own source, else to the first recorded, marked
/// `ambiguous` where there are several."
fn belong(rows: &mut [Row], fact: &Fact) {
    let several = rows.len() > 1;
    let own = rows.iter().position(|row| row.source == fact.source);
    if let Some(row) = rows.get_mut(own.unwrap_or(0)) {
        row.events.push(Belonging { seq: fact.seq, ambiguous: own.is_none() && several });
    }
}

/// Uses with one natural key: one fact, however often it was told.
#[derive(Clone, Debug, PartialEq)]
pub struct Use {
    /// The entries that tell it, in the order of recording, each with its count.
    pub told: Vec<(u64, u64)>,
    /// What counts: the highest.
    pub count: u64,
    /// Whether the counts differ: both are shown, the higher counts, marked.
    pub differs: bool,
}

/// The uses, each once, in the order of their first recording.
///
/// Section 2: "The key of a use: source, resource, principal, operation, purpose, outcome, window,
/// `counter?`; same key and another count: both shown, the higher counts, marked."
// Choice: the window is compared as instants where it can be read, else as it is written; a use without a
// count is one.
pub fn uses(facts: &[Fact]) -> Vec<Use> {
    let mut recorded: Vec<&Fact> = facts.iter().filter(|fact| fact.ty == "access.used").collect();
    recorded.sort_by_key(|fact| (fact.place, fact.seq));
    let mut uses: Vec<(UseKey, Use)> = Vec::new();
    for fact in recorded {
        let key = use_key(fact);
        let count = fact.data.get("count").and_then(Value::as_u64).unwrap_or(1);
        match uses.iter_mut().find(|(other, _)| *other == key) {
            Some((_, used)) => {
                used.told.push((fact.seq, count));
                used.differs = used.differs || count != used.count;
                used.count = used.count.max(count);
            }
            None => uses.push((key, Use { told: vec![(fact.seq, count)], count, differs: false })),
        }
    }
    uses.into_iter().map(|(_, used)| used).collect()
}

/// What makes two uses the same one.
type UseKey = (String, Vec<Option<Value>>, Vec<(Option<Micros>, Option<Value>)>);

fn use_key(fact: &Fact) -> UseKey {
    let plain = ["resource", "principal", "operation", "purpose", "outcome", "counter"];
    let plain = plain.iter().map(|name| fact.data.get(*name).cloned()).collect();
    let window = ["from", "to"].iter().map(|name| {
        let written = fact.data.get(*name);
        let instant = times::begins(written);
        (instant, written.filter(|_| instant.is_none()).cloned())
    });
    (fact.source.clone(), plain, window.collect())
}

/// Pairs of ids that differ only in ASCII case, once a pair (section 2).
pub fn look_alikes<'a>(ids: impl IntoIterator<Item = &'a str>) -> Vec<(&'a str, &'a str)> {
    let ids: BTreeSet<&str> = ids.into_iter().collect();
    let mut pairs = Vec::new();
    for one in &ids {
        for two in ids.iter().filter(|two| one < *two && one.eq_ignore_ascii_case(two)) {
            pairs.push((*one, *two));
        }
    }
    pairs
}

/// Pairs of rows whose ids look alike (their keys), once a pair, whatever their sources.
pub fn rows_that_look_alike(rows: &[Row]) -> Vec<(Vec<String>, Vec<String>)> {
    let keys: BTreeSet<&Vec<String>> = rows.iter().map(|row| &row.key).collect();
    let looks_like = |one: &Vec<String>, two: &Vec<String>| {
        one.len() == two.len() && one.iter().zip(two).all(|(one, two)| one.eq_ignore_ascii_case(two))
    };
    let mut pairs = Vec::new();
    for one in &keys {
        for two in keys.iter().filter(|two| *one < **two && looks_like(one, two)) {
            pairs.push(((*one).clone(), (*two).clone()));
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fact(seq: u64, source: &str, ty: &str, data: Value) -> Fact {
        Fact {
            seq,
            place: seq,
            recorded: seq as Micros * times::SECOND,
            act: seq as Micros * times::SECOND,
            source: source.into(),
            id: format!("e{seq}"),
            ty: ty.into(),
            actor: "app:a".into(),
            by: "app:a".into(),
            subject: None,
            data,
            imported: false,
        }
    }

    fn made(seq: u64, source: &str, outcome: &str) -> Fact {
        fact(seq, source, "decision.made", json!({"decision": "d", "outcome": outcome}))
    }

    #[test]
    fn the_table_says_how_openings_repeat() {
        let table = [
            ("decision.made", Repeat::Once),
            ("decision.contested", Repeat::Once),
            ("import.opened", Repeat::Once),
            ("agent.registered", Repeat::Renews),
            ("threshold.set", Repeat::Renews),
            ("kpi.measured", Repeat::Renews),
            ("role.assigned", Repeat::Beside),
            ("model.deployed", Repeat::Beside),
            ("approval.requested", Repeat::Rounds),
            ("risk.registered", Repeat::Rounds),
            ("role.unassigned", Repeat::None),
            ("incident.closed", Repeat::None),
        ];
        for (ty, expected) in table {
            assert_eq!(repeat(ty), expected, "{ty}");
        }
    }

    #[test]
    fn a_later_opening_of_the_same_source_is_a_conflict_or_with_the_same_data_a_confirmation() {
        let facts = [made(1, "a", "no"), made(2, "a", "yes"), made(3, "a", "yes"), made(4, "b", "no")];
        let rows = rows(&facts, "decision");
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].first, rows[0].source.as_str()), (Some(1), "a"));
        assert_eq!(rows[0].conflicts, [2]);
        assert_eq!(rows[0].confirmations, [3, 4]);
        assert!(rows[0].conflict());
    }

    #[test]
    fn another_source_has_a_row_of_its_own() {
        let notice = |seq, source: &str| fact(seq, source, "decision.notified", json!({"decision": "d"}));
        let facts =
            [made(1, "a", "no"), made(2, "b", "yes"), notice(3, "b"), notice(4, "c"), made(5, "b", "maybe")];
        let rows = rows(&facts, "decision");
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].others, ["b"]);
        assert_eq!(rows[0].events, [Belonging { seq: 4, ambiguous: true }]);
        assert_eq!(rows[1].events, [Belonging { seq: 3, ambiguous: false }]);
        assert_eq!(rows[1].conflicts, [5]);
    }

    #[test]
    fn a_row_of_another_source_stays_when_the_first_says_the_same_later() {
        let rows = rows(&[made(1, "a", "no"), made(2, "b", "yes"), made(3, "a", "yes")], "decision");
        assert_eq!((rows.len(), rows[0].conflicts.as_slice()), (2, [3].as_slice()));
    }

    #[test]
    fn renewing_keeps_versions_and_does_not_renew_from_elsewhere() {
        let set = |seq, source: &str, from: &str| {
            fact(seq, source, "threshold.set", json!({"threshold": "t", "effective_at": from}))
        };
        let (late, early) = ("2026-06-01T00:00:00Z", "2026-01-01T00:00:00Z");
        let rows = rows(&[set(1, "a", late), set(2, "a", early), set(3, "b", late)], "threshold");
        assert_eq!(rows.len(), 1);
        assert_eq!(
            (rows[0].versions.as_slice(), rows[0].conflicts.as_slice()),
            ([2, 1].as_slice(), [3].as_slice())
        );
    }

    #[test]
    fn stretches_of_all_sources_stand_in_one_list() {
        let role =
            |seq, source: &str| fact(seq, source, "role.assigned", json!({"principal": "p", "role": "r"}));
        let rows = rows(&[role(1, "a"), role(2, "b")], "role");
        assert_eq!(
            (rows.len(), rows[0].stretches.as_slice(), rows[0].conflict()),
            (1, [1, 2].as_slice(), false)
        );
    }

    #[test]
    fn the_end_of_a_contest_finds_its_decision() {
        let contested = fact(2, "a", "decision.contested", json!({"decision": "d", "contest": "c"}));
        let resolved = fact(3, "b", "decision.contest_resolved", json!({"contest": "c", "result": "upheld"}));
        let told_again = fact(4, "a", "decision.contested", json!({"decision": "d", "contest": "c"}));
        let facts = [made(1, "a", "no"), contested, resolved, told_again];
        let decisions = rows(&facts, "decision");
        assert_eq!(decisions[0].events.iter().map(|event| event.seq).collect::<Vec<_>>(), [2, 3, 4]);
        let contests = rows(&facts, "contest");
        assert_eq!((contests.len(), contests[0].confirmations.as_slice()), (1, [4].as_slice()));
    }

    #[test]
    fn what_nobody_opened_is_shown_as_unopened() {
        let vote = fact(1, "a", "approval.granted", json!({"approval": "x"}));
        let unopened = rows(std::slice::from_ref(&vote), "approval");
        assert!(unopened.len() == 1 && unopened[0].unopened());
        let asked = fact(2, "b", "approval.requested", json!({"approval": "x"}));
        let opened = rows(&[vote, asked], "approval");
        assert!(opened.len() == 1 && !opened[0].unopened());
        assert_eq!(opened[0].events, [Belonging { seq: 1, ambiguous: false }]);
    }

    #[test]
    fn an_incident_opens_again_after_its_end() {
        let incident = |seq, ty: &str, text: &str| fact(seq, "a", ty, json!({"incident": "i", "text": text}));
        let before = [incident(1, "incident.opened", "x"), incident(2, "incident.opened", "y")];
        assert_eq!(rows(&before, "incident")[0].conflicts, [2]);
        let after = [
            incident(1, "incident.opened", "x"),
            incident(2, "incident.closed", ""),
            incident(3, "incident.opened", "y"),
        ];
        assert_eq!(
            (rows(&after, "incident")[0].conflict(), rows(&after, "incident")[0].rounds.len()),
            (false, 2)
        );
    }

    #[test]
    fn the_first_that_stands_takes_the_place_of_one_that_is_gone() {
        let rows = rows(&[made(2, "b", "yes"), made(3, "a", "no")], "decision");
        assert_eq!((rows[0].source.as_str(), rows[0].first), ("b", Some(2)));
    }

    #[test]
    fn a_use_counts_once_and_by_its_higher_count() {
        let used = |seq, from: &str, count: u64| {
            let data = json!({"resource": {"id": "r"}, "principal": "p", "from": from, "count": count});
            fact(seq, "a", "access.used", data)
        };
        let (utc, same) = ("2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00");
        let counted = uses(&[used(1, utc, 5), used(2, same, 7), used(3, "2026-01-02T00:00:00Z", 1)]);
        assert_eq!(counted.len(), 2);
        assert_eq!((counted[0].count, counted[0].differs, counted[0].told.len()), (7, true, 2));
    }

    #[test]
    fn ids_that_differ_in_ascii_case_alone_look_alike_once_a_pair() {
        assert_eq!(look_alikes(["loan-1", "Loan-1", "loan-2", "loan-1"]), [("Loan-1", "loan-1")]);
        assert!(look_alikes(["é", "É"]).is_empty());
        let lower = fact(1, "a", "decision.made", json!({"decision": "d"}));
        let upper = fact(2, "b", "decision.made", json!({"decision": "D"}));
        let pairs = rows_that_look_alike(&rows(&[lower, upper], "decision"));
        assert_eq!(pairs, [(vec!["D".to_owned()], vec!["d".to_owned()])]);
    }

    #[test]
    fn a_replacement_is_of_the_same_row_by_all_ids_that_it_belongs_to() {
        let grant = |grant: &str, request: &str| json!({"grant": grant, "request": request});
        let same = |one: &Value, two: &Value| same_row("access.granted", ("a", one), ("b", two));
        assert!(same(&grant("g", "r"), &grant("g", "s")));
        assert!(!same(&grant("g", "r"), &grant("h", "r")));
        let d = json!({"decision": "d"});
        assert!(!same_row("decision.made", ("a", &d), ("b", &d)));
    }
}
