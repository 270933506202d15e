//! What is impossible in itself, or lies ahead: rules of intake beyond the schemas, which keep what they once accepted.
//!
//! They are for what is recorded from now on. An event that is in the log already is only told where it is.

use crate::catalog::EventType;
use crate::intake::refusal::{Kind, Refusal};
use crate::spec::json::Json;
use crate::spec::time::{MICROS_PER_DAY, MICROS_PER_MINUTE, Rfc3339, Timestamp};
use serde_json::{Map, Value};
use std::fmt;

/// How far ahead of ledger time something may have happened, in microseconds.
///
/// Reason: clocks of two systems differ by seconds, badly kept ones by minutes; what happened an hour hence did not happen.
const MAX_AHEAD: i64 = 5 * MICROS_PER_MINUTE;

/// How far ahead an ending, a right or a threshold may begin, in microseconds: 10 years.
///
/// Reason: contracts and laws are known so long before; a later year is a slip of the pen.
const MAX_LATER: i64 = 3_653 * MICROS_PER_DAY;

/// Places of one kind that are listed for one event.
const MAX_LISTED: usize = 16;

/// Beginnings and ends that stand side by side in one object.
const STRETCHES: [(&str, &str); 4] = [
    ("valid_from", "valid_until"),
    ("from", "to"),
    ("started_at", "completed_at"),
    ("started_at", "ended_at"),
];

/// The member by which a cell of a tally is known: the group that it counts.
const GROUP: &str = "group";

/// A time that an event states, and that may not lie too far ahead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stated {
    /// Where, in the event.
    pub pointer: String,
    /// From when on the ledger takes it.
    pub takes_from: Timestamp,
    /// It says from when something counts, not when it happened.
    pub begins: bool,
    /// Such an event may begin later at all.
    pub may_begin_later: bool,
}

impl Stated {
    /// Whether it lies too far ahead at this ledger time.
    pub fn is_ahead(&self, now: Timestamp) -> bool {
        self.takes_from > now
    }

    /// What is wrong with it at this ledger time, and what to use instead.
    pub fn refusal(&self, now: Timestamp) -> Refusal {
        let next = match (self.begins, self.may_begin_later) {
            (true, true) => "it may begin at most 10 years ahead",
            (true, false) => {
                "events of this type count from when they happen; record it when it is so, or put what is planned into a due date"
            }
            (false, _) => {
                "what has happened lies at most 5 minutes ahead; put the clock right, or state when it really happened"
            }
        };
        Refusal::new(
            Kind::Ahead,
            self.pointer.clone(),
            format!("this time is ahead of ledger time, {now}: {next}"),
        )
    }
}

/// The times of an event that say when something happened, or from when it counts.
pub fn stated(event: &Json<'_>, known: Option<&EventType>, data: &Value) -> Vec<Stated> {
    let happened = |pointer: String, time: Timestamp| Stated {
        pointer,
        takes_from: time.saturating_add(-MAX_AHEAD),
        begins: false,
        may_begin_later: false,
    };
    let mut all = Vec::new();
    if let Some(time) = event.get("time").and_then(Json::as_str).and_then(instant) {
        all.push(happened("/time".to_owned(), time));
    }
    let Some(known) = known else { return all };
    let at = |path: &str| known.value_at(data, path).and_then(Value::as_str).and_then(instant);
    let pointer = |path: &str| format!("/data/{}", path.replace('.', "/"));
    for path in &known.words.happened {
        all.extend(at(path).map(|time| happened(pointer(path), time)));
    }
    let may_begin_later = known.words.may_begin_later;
    if !known.words.happened.contains(&known.effective_at)
        && let Some(time) = at(&known.effective_at)
    {
        let within = if may_begin_later { MAX_LATER } else { MAX_AHEAD };
        let takes_from = time.saturating_add(-within);
        all.push(Stated { pointer: pointer(&known.effective_at), takes_from, begins: true, may_begin_later });
    }
    all
}

/// What contradicts itself, counts further than can be counted, or hides in names.
pub fn impossible(event: &Json<'_>, known: Option<&EventType>, data: &Value) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for name in ["id", "source", "subject"] {
        let text = event.get(name).and_then(Json::as_str).unwrap_or_default();
        if !text.is_ascii() && text.chars().any(is_unseen) {
            let detail = "must not hold characters that nobody sees, or that turn the direction of a text: two that look \
                          alike would be two";
            refusals.push(Refusal::new(Kind::NotACloudEvent, format!("/{name}"), detail));
        }
    }
    let Some(known) = known else { return refusals };
    let beyond = known.counts_beyond(data, MAX_LISTED).into_iter();
    refusals.extend(beyond.map(|violation| {
        Refusal::new(Kind::Contradiction, format!("/data{}", violation.pointer), violation.message)
    }));
    contradictions(data, &Place::Data, &mut refusals);
    refusals.truncate(MAX_LISTED);
    refusals
}

/// Where something stands in an event: written out only for what is refused.
enum Place<'a> {
    Data,
    Member(&'a Place<'a>, &'a str),
    Item(&'a Place<'a>, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Data => f.write_str("/data"),
            Place::Member(within, name) => {
                write!(f, "{within}/{}", name.replace('~', "~0").replace('/', "~1"))
            }
            Place::Item(within, place) => write!(f, "{within}/{place}"),
        }
    }
}

/// Ends before their beginnings, and more that were selected than there are, in an object and all that it holds.
fn contradictions(value: &Value, at: &Place<'_>, into: &mut Vec<Refusal>) {
    if into.len() >= MAX_LISTED {
        return;
    }
    match value {
        Value::Array(items) => {
            let places = items.iter().enumerate();
            places.for_each(|(place, item)| contradictions(item, &Place::Item(at, place), into));
        }
        Value::Object(members) => {
            let (mut ends, mut counts) = (false, false);
            for (name, member) in members {
                ends |= STRETCHES.iter().any(|(_, end)| end == name);
                counts |= name == GROUP;
                if member.is_object() || member.is_array() {
                    contradictions(member, &Place::Member(at, name), into);
                }
            }
            if ends {
                ended_before(members, at, into);
            }
            if counts {
                more_than_all(members, at, into);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn ended_before(members: &Map<String, Value>, at: &Place<'_>, into: &mut Vec<Refusal>) {
    let time = |name: &str| members.get(name).and_then(Value::as_str).and_then(instant);
    for (begin, end) in STRETCHES {
        if let (Some(from), Some(until)) = (time(begin), time(end))
            && until < from
        {
            let detail =
                format!("ends before it begins: `{end}` lies before `{begin}`; state both as they are");
            into.push(Refusal::new(Kind::Contradiction, format!("{at}/{end}"), detail));
        }
    }
}

fn more_than_all(members: &Map<String, Value>, at: &Place<'_>, into: &mut Vec<Refusal>) {
    let count = |name: &str| members.get(name).and_then(Value::as_f64);
    for part in ["selected", "above_median"] {
        if let (Some(all), Some(part_of_it)) = (count("n"), count(part))
            && part_of_it > all
        {
            let detail = format!("`{part}` is more than `n`: nobody can be counted who was not assessed");
            into.push(Refusal::new(Kind::Contradiction, format!("{at}/{part}"), detail));
        }
    }
}

fn instant(text: &str) -> Option<Timestamp> {
    Rfc3339::read(text)?.exact()
}

/// Characters without a width of their own, and those that turn the direction of what follows (UAX #9, and of Unicode's
/// `Default_Ignorable_Code_Point` what has no place in a name). Control characters are refused anywhere.
fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}'
        | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}'
        | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}'
        | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::spec::json::MAX_EVENT_DEPTH;
    use serde_json::json;
    use std::sync::LazyLock;

    static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::embedded().unwrap());

    fn at(text: &str) -> Timestamp {
        instant(text).unwrap()
    }

    fn ahead(event_type: &str, change: Value, now: &str) -> Vec<String> {
        let known = CATALOG.get(event_type).unwrap();
        let mut data = known.example.clone();
        data.as_object_mut().unwrap().extend(change["data"].as_object().cloned().unwrap_or_default());
        let event = json!({"time": change["time"].as_str().unwrap_or("2026-01-01T00:00:00Z")}).to_string();
        let event = Json::parse(event.as_bytes(), MAX_EVENT_DEPTH).unwrap();
        let all = stated(&event, Some(known), &data);
        all.iter().filter(|time| time.is_ahead(at(now))).map(|time| time.pointer.clone()).collect()
    }

    #[test]
    fn what_happened_lies_at_most_five_minutes_ahead() {
        let now = "2026-06-01T12:00:00Z";
        for (time, is_ahead) in [
            ("2026-06-01T12:05:00Z", false),
            ("2026-06-01T14:05:00+02:00", false),
            ("2026-06-01T12:05:00.000001Z", true),
            ("9999-12-31T23:59:59Z", true),
        ] {
            let found = ahead("access.revoked", json!({"time": time}), now);
            assert_eq!(found, if is_ahead { vec!["/time"] } else { vec![] }, "{time}");
            let found = ahead("access.revoked", json!({"data": {"enforced_at": time}}), now);
            assert_eq!(found, if is_ahead { vec!["/data/enforced_at"] } else { vec![] }, "{time}");
        }
        let nested =
            json!({"data": {"period": {"from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z"}}});
        assert_eq!(ahead("fairness.tallied", nested, now), ["/data/period/to"]);
    }

    #[test]
    fn only_what_may_begin_later_begins_later_and_within_ten_years() {
        let now = "2026-06-01T12:00:00Z";
        let begins =
            |event_type: &str, time: &str| ahead(event_type, json!({"data": {"effective_at": time}}), now);
        for later in ["access.revoked", "role.unassigned", "threshold.set", "role.assigned"] {
            assert_eq!(begins(later, "2036-05-30T00:00:00Z"), Vec::<String>::new(), "{later}");
            assert_eq!(begins(later, "2036-06-03T00:00:00Z"), ["/data/effective_at"], "{later}");
        }
        assert_eq!(begins("approval.granted", "2026-06-01T12:05:00Z"), Vec::<String>::new());
        assert_eq!(begins("approval.granted", "2026-06-01T12:06:00Z"), ["/data/effective_at"]);
        // Due dates and ends of what is granted are no matter of this.
        assert_eq!(
            ahead("approval.requested", json!({"data": {"due_at": "2090-01-01T00:00:00Z"}}), now).len(),
            0
        );
    }

    fn refused(event_type: &str, change: impl FnOnce(&mut Value)) -> Vec<String> {
        let known = CATALOG.get(event_type).unwrap();
        let mut data = known.example.clone();
        change(&mut data);
        let event = Json::parse(br#"{"id":"1","source":"/s","subject":"c"}"#, MAX_EVENT_DEPTH).unwrap();
        impossible(&event, Some(known), &data).into_iter().map(|refusal| refusal.pointer).collect()
    }

    #[test]
    fn what_ends_before_it_begins_is_impossible_whatever_the_offset() {
        let granted = |from: &str, until: &str| {
            refused("access.granted", |data| {
                data["valid_from"] = json!(from);
                data["valid_until"] = json!(until);
            })
        };
        assert_eq!(granted("2026-05-01T00:00:00Z", "2026-04-01T00:00:00Z"), ["/data/valid_until"]);
        assert_eq!(granted("2026-05-01T01:00:00+01:00", "2026-05-01T00:00:00Z"), Vec::<String>::new());
        assert_eq!(granted("2026-05-01T01:00:00Z", "2026-05-01T02:00:00+02:00"), ["/data/valid_until"]);
        let tally = |data: &mut Value| data["period"]["to"] = json!("2020-01-01T00:00:00Z");
        assert_eq!(refused("fairness.tallied", tally), ["/data/period/to"]);
        let review = |data: &mut Value| data["completed_at"] = json!("2020-01-01T00:00:00Z");
        assert_eq!(refused("decision.reviewed", review), ["/data/completed_at"]);
        // `from` and `to` of a delegation are people.
        assert_eq!(refused("delegation.granted", |_| {}), Vec::<String>::new());
    }

    #[test]
    fn nobody_is_selected_who_was_not_assessed() {
        let more = |data: &mut Value| data["cells"][1]["selected"] = json!(456);
        assert_eq!(refused("fairness.tallied", more), ["/data/cells/1/selected"]);
        assert_eq!(refused("fairness.tallied", |data| data["cells"][1]["selected"] = json!(455)).len(), 0);
    }

    #[test]
    fn nothing_counts_beyond_what_everybody_counts_alike() {
        let counted = |count: Value| refused("access.used", |data| data["count"] = count);
        assert_eq!(counted(json!(1e20)), ["/data/count"]);
        assert_eq!(counted(json!(9_007_199_254_740_994_u64)), ["/data/count"]);
        assert_eq!(counted(json!(9_007_199_254_740_992_u64)), Vec::<String>::new());
        // An amount is no count.
        let amount = |data: &mut Value| data["cover"]["amount"] = json!(1e20);
        assert_eq!(refused("risk.transferred", amount), Vec::<String>::new());
    }

    #[test]
    fn names_hold_nothing_that_nobody_sees() {
        for unseen in ['\u{200B}', '\u{200D}', '\u{202E}', '\u{2066}', '\u{FEFF}', '\u{061C}', '\u{E0001}'] {
            for name in ["id", "source", "subject"] {
                let event = json!({ name: format!("a{unseen}b") }).to_string();
                let event = Json::parse(event.as_bytes(), MAX_EVENT_DEPTH).unwrap();
                let refusals = impossible(&event, None, &Value::Null);
                assert_eq!(refusals.len(), 1, "{unseen:?} in {name}");
                assert_eq!(refusals[0].pointer, format!("/{name}"));
            }
        }
        let seen = json!({"id": "Größe 数 ☃", "source": "/ä", "subject": "é"}).to_string();
        let seen = Json::parse(seen.as_bytes(), MAX_EVENT_DEPTH).unwrap();
        assert_eq!(impossible(&seen, None, &Value::Null), []);
    }
}
