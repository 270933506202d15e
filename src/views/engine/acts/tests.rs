//! Acts of two and imports, rule by rule, and against the plain model.

use super::act::{Act, ActStanding, Confirmed};
use super::counted::Counter;
use super::import::Import;
use super::imports::{import_of, imports_of};
use super::two::act_of;
use crate::follow::Event;
use crate::spec::time::{MICROS_PER_DAY, MICROS_PER_MINUTE, Timestamp};
use crate::views::engine::row::RowEvent;
use crate::views::engine::testing::{self, HeldActs};
use crate::views::engine::tests::{MemoryEvents, event};
use daybook_models::base::Fact;
use daybook_models::corrections;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::cell::Cell;

fn minute(minute: i64) -> Timestamp {
    Timestamp::EPOCH.saturating_add(minute * MICROS_PER_MINUTE)
}

/// Entries that are recorded when they are done, a minute each unless it is said otherwise.
#[derive(Default)]
struct Told(Vec<RowEvent>);

impl Told {
    fn tell(&mut self, at: Timestamp, by: &str, ty: &str, data: Value) -> u64 {
        let seq = self.0.len() as u64;
        self.0.push(testing::event(seq, at, ty, by, data));
        seq
    }

    fn now(&self) -> Timestamp {
        minute(self.0.len() as i64)
    }

    fn import(&mut self, by: &str) -> u64 {
        let until = self.now().to_string();
        let import = format!("I{}", self.0.len());
        let data = json!({"import": import, "source": "/old", "from": minute(-500).to_string(), "to": until});
        self.tell(self.now(), by, "import.opened", data)
    }

    fn same(&mut self, by: &str, principal: &str, other: &str) -> u64 {
        let data = json!({"principal": principal, "other": other, "reason": "r"});
        self.tell(self.now(), by, "principal.same_as", data)
    }

    fn confirm(&mut self, by: &str, of: u64) -> u64 {
        self.confirm_at(self.now(), by, of)
    }

    fn confirm_at(&mut self, at: Timestamp, by: &str, of: u64) -> u64 {
        let of = &self.0[of as usize];
        let digest = testing::digest(&of.source, &of.id, &of.ty, &of.data);
        let data = json!({"of": {"source": of.source, "id": of.id}, "digest": digest});
        self.tell(at, by, "act.confirmed", data)
    }

    fn act(&self, of: u64, at: Timestamp) -> Act {
        act_of(&self.0[of as usize], at, &HeldActs(self.0.clone())).unwrap()
    }

    /// Which entry confirms it, and why the others do not count.
    fn told(&self, of: u64) -> (Option<u64>, Vec<String>) {
        let act = self.act(of, minute(1_000_000));
        let why = |told: &serde_json::Map<String, Value>| told.get("why_not")?.as_str().map(str::to_owned);
        (act.confirmed.map(|confirmed| confirmed.seq), act.confirmations.iter().filter_map(why).collect())
    }
}

#[test]
fn an_act_of_two_is_in_effect_from_the_second_entry_on() {
    let mut told = Told::default();
    let of = told.import("user:a");
    assert_eq!(told.act(of, minute(5)).standing, ActStanding::Proposed);
    let confirmation = told.confirm_at(minute(10), "user:b", of);
    let standing = |at: i64| told.act(of, minute(at)).standing;
    assert_eq!([9, 10].map(standing), [ActStanding::Proposed, ActStanding::InEffect]);
    assert_eq!(told.told(of), (Some(confirmation), vec![]));
    // Who confirms it once more changes nothing.
    told.confirm("user:c", of);
    assert_eq!(told.told(of), (Some(confirmation), vec!["confirmed-before".to_owned()]));
}

#[test]
fn what_nobody_confirms_within_seven_days_lapses() {
    let mut told = Told::default();
    let of = told.import("user:a");
    let week = minute(0).saturating_add(7 * MICROS_PER_DAY);
    let after = week.saturating_add(1);
    let standing = |told: &Told, at: Timestamp| told.act(of, at).standing;
    assert_eq!((standing(&told, week), standing(&told, after)), (ActStanding::Proposed, ActStanding::Lapsed));
    told.confirm_at(after, "user:b", of);
    assert_eq!(told.told(of), (None, vec!["too-late".to_owned()]));
    let mut told = Told::default();
    let of = told.import("user:a");
    told.confirm_at(week, "user:b", of);
    assert_eq!(told.told(of).0, Some(1));
}

#[test]
fn nobody_confirms_what_is_their_own_or_something_else() {
    let mut told = Told::default();
    let of = told.import("user:a");
    told.confirm("user:a", of);
    // Whoever posted it for another has a hand in it.
    let by_hand = told.confirm("user:b", of);
    told.0[by_hand as usize].actor = "user:a".to_owned();
    let other = told.confirm("user:b", of);
    let mut data = Value::clone(&told.0[other as usize].data);
    data["digest"] = format!("sha256:{}", "0".repeat(64)).into();
    told.0[other as usize].data = data.into();
    assert_eq!(told.told(of), (None, ["same-one", "same-one", "another-digest"].map(str::to_owned).to_vec()));
    // A confirmation of what is not there yet confirms nothing.
    let mut told = Told::default();
    let of = told.import("user:a");
    let early = told.confirm("user:b", of);
    told.0[of as usize].place = 9;
    assert_eq!(told.told(of), (None, vec!["before-proposal".to_owned()]));
    told.0[early as usize].place = 10;
    assert_eq!(told.told(of).0, Some(early));
}

#[test]
fn two_identifiers_are_one_from_when_two_have_said_so() {
    let mut told = Told::default();
    // One alone says so: else anybody could keep two others from acting together.
    let same = told.same("user:hr", "user:a", "user:b");
    let of = told.import("user:a");
    told.confirm("user:b", of);
    assert_eq!(told.told(of).0, Some(2));
    // Found out later, it is shown, and undoes nothing.
    told.confirm("user:cfo", same);
    assert_eq!(told.told(of).0, Some(2));
    assert!(told.act(of, minute(99)).same_one_now);
    let next = told.import("user:a");
    told.confirm("user:b", next);
    assert_eq!(told.told(next), (None, vec!["same-one".to_owned()]));
    // By way of a third.
    let third = told.same("user:hr", "user:c", "user:b");
    told.confirm("user:cfo", third);
    told.confirm("user:c", next);
    assert_eq!(told.told(next).0, None);
    let counts = told.confirm("user:d", next);
    assert_eq!(told.told(next).0, Some(counts));
}

#[test]
fn that_two_are_one_is_not_confirmed_by_one_of_whoever_says_it() {
    let mut told = Told::default();
    // The second says of the first's two names, and its own proposer is the one who would confirm the other.
    let first = told.same("user:a", "user:a", "user:b");
    let second = told.same("user:b", "user:b", "user:a");
    told.confirm("user:b", first);
    told.confirm("user:a", second);
    // Nothing made them one when the first was confirmed; it does when the second is.
    assert_eq!(told.told(first), (Some(2), vec![]));
    assert_eq!(told.told(second), (None, vec!["same-one".to_owned()]));
}

#[test]
fn inside_is_what_was_recorded_between_confirmation_and_closing_and_done_in_the_window() {
    let mut told = Told::default();
    let of = told.import("user:a");
    let inside = |told: &Told, source: &str, act: i64, place: u64| {
        let found = import_of(&HeldActs(told.0.clone()), source, minute(act), place).unwrap();
        found.map(|import| import.import.clone())
    };
    assert_eq!(inside(&told, "/old", -10, 5), None);
    let begins = told.confirm("user:b", of);
    assert_eq!(inside(&told, "/old", -10, begins), None);
    assert_eq!(inside(&told, "/old", -10, begins + 1).as_deref(), Some("I0"));
    assert_eq!(inside(&told, "/other", -10, begins + 1), None);
    // From the first instant of the window to before the last.
    assert_eq!(
        [-501, -500, -1, 0].map(|act| inside(&told, "/old", act, 9).is_some()),
        [false, true, true, false]
    );
    let closed = told.tell(told.now(), "user:a", "import.closed", json!({"import": "I0", "counts": {}}));
    assert!(inside(&told, "/old", -10, closed - 1).is_none() && inside(&told, "/old", -10, closed).is_none());
    told.0[closed as usize].place = 7;
    assert_eq!([6, 7, 8].map(|place| inside(&told, "/old", -10, place).is_some()), [true, false, false]);
}

#[test]
fn a_window_that_had_not_ended_is_never_in_effect() {
    let mut told = Told::default();
    let to = minute(1).to_string();
    let data = json!({"import": "I", "source": "/old", "from": minute(-9).to_string(), "to": to});
    let of = told.tell(minute(0), "user:a", "import.opened", data);
    told.confirm("user:b", of);
    let imports = imports_of("/old", &HeldActs(told.0.clone())).unwrap();
    assert_eq!((imports[0].is_past, imports[0].begins()), (false, None));
    assert!(import_of(&HeldActs(told.0), "/old", minute(-5), 9).unwrap().is_none());
}

#[test]
fn what_lies_inside_is_counted_on_from_where_the_last_question_ended() {
    let feed = MemoryEvents::default();
    for seq in 0..9_u64 {
        let source = if seq == 4 { "/other" } else { "/old" };
        let ty = if seq == 5 { "decision.reviewed" } else { "decision.made" };
        let told = Event { source: source.to_owned(), ..event(seq, ty, minute(seq as i64), json!({})) };
        feed.0.lock().unwrap().push(told);
    }
    let confirmed = Some(Confirmed { seq: 1, place: 1, recorded_at: minute(1) });
    let import = Import {
        import: "I".to_owned(),
        source: "/old".to_owned(),
        opened: 0,
        confirmed,
        closed: Some(8),
        from: Some(minute(0)),
        until: Some(minute(7)),
        is_past: true,
    };
    let counter = Counter::default();
    let count = |import: &Import, known: u64, room: u64| {
        let room = Cell::new(room);
        let brought = counter.count(import, known, &room, &feed).unwrap();
        let count = |ty: &str| brought.by_type.get(ty).copied().unwrap_or(0);
        (count("decision.made"), count("decision.reviewed"), brought.is_whole, room.get())
    };
    assert_eq!(count(&import, 9, 2), (2, 0, false, 0));
    assert_eq!(count(&import, 9, 2), (2, 1, false, 0));
    assert_eq!(count(&import, 9, 9), (3, 1, true, 7));
    // All of it is known by now.
    assert_eq!(count(&import, 9, 0), (3, 1, true, 0));
    // As of before, or of another window, it is counted anew.
    assert_eq!(count(&import, 4, 9), (2, 0, true, 7));
    let other = Import { from: Some(minute(3)), ..import.clone() };
    assert_eq!(count(&other, 9, 9), (2, 1, true, 3));
    assert_eq!(count(&Import { confirmed: None, ..import }, 9, 9), (0, 0, true, 9));
}

// Against the plain model.

const PEOPLE: [&str; 5] = ["user:a", "user:b", "user:c", "user:d", "user:e"];
const SOURCES: [&str; 2] = ["/s", "/t"];

type Draw = (u8, u8, u8, u8, u8);

fn told_by(draws: &[Draw]) -> Vec<RowEvent> {
    let mut told = Told::default();
    let mut now = 0;
    for (kind, who, one, other, gap) in draws {
        now += [0, 1, 5, 4_000][usize::from(*gap) % 4];
        let (at, by) = (minute(now), PEOPLE[usize::from(*who) % 5]);
        let (one, other) = (usize::from(*one), usize::from(*other));
        let seq = match kind % 10 {
            0 | 1 => {
                let data = json!({"principal": PEOPLE[one % 5], "other": PEOPLE[other % 5], "reason": "r"});
                told.tell(at, by, "principal.same_as", data)
            }
            2 | 3 => {
                let (from, to) = (minute(now - 100), minute(now - [0, 5, 50, -1][other % 4]));
                let data = json!({
                    "import": format!("I{}", one % 2), "source": SOURCES[other % 2],
                    "from": from.to_string(), "to": to.to_string(),
                });
                told.tell(at, by, "import.opened", data)
            }
            4 => told.tell(at, by, "import.closed", json!({"import": format!("I{}", one % 2), "counts": {}})),
            5..=8 if !told.0.is_empty() => {
                let of = (told.0.len() - 1 - one.min(told.0.len() - 1)) as u64;
                told.confirm_at(at, by, of)
            }
            _ => {
                let done = minute(now - 7 * other as i64);
                let seq = told.tell(at, by, "decision.made", json!({"decision": format!("D{one}")}));
                told.0[seq as usize].acted_at = done.min(at);
                seq
            }
        };
        let event = &mut told.0[seq as usize];
        event.source = SOURCES[(one + other) % 3 % 2].to_owned();
        if one % 5 == 4 {
            event.actor = PEOPLE[other % 5].to_owned();
        }
    }
    // What a confirmation names is what was told in the end.
    let named: Vec<RowEvent> = told.0.clone();
    for event in told.0.iter_mut().filter(|event| event.ty == "act.confirmed") {
        let id = event.text("of.id").unwrap().to_owned();
        let of = named.iter().find(|other| other.id == id).unwrap();
        let digest = testing::digest(&of.source, &of.id, &of.ty, &of.data);
        event.data = json!({"of": {"source": of.source, "id": of.id}, "digest": digest}).into();
    }
    told.0
}

fn fact(event: &RowEvent) -> Fact {
    Fact {
        seq: event.seq,
        place: event.place,
        recorded: event.recorded_at.micros(),
        act: event.acted_at.micros(),
        source: event.source.clone(),
        id: event.id.clone(),
        ty: event.ty.clone(),
        actor: event.actor.clone(),
        by: event.by.clone(),
        subject: None,
        data: Value::clone(&event.data),
        imported: false,
    }
}

proptest! {
    #![proptest_config(crate::views::histories::cases(400))]

    #[test]
    fn imports_and_what_lies_inside_are_what_the_plain_model_says(
        draws in prop::collection::vec((any::<u8>(), any::<u8>(), 0..6_u8, 0..12_u8, 0..4_u8), 1..40),
    ) {
        let told = told_by(&draws);
        let mut facts: Vec<Fact> = told.iter().map(fact).collect();
        let expected = corrections::mark_imported(&mut facts);
        let held = HeldActs(told.clone());
        for source in SOURCES {
            let found = imports_of(source, &held).unwrap();
            let found: Vec<_> =
                found.iter().map(|import| (import.opened, import.begins(), import.closed)).collect();
            let expected: Vec<_> = expected
                .iter()
                .filter(|import| import.source == source)
                .map(|import| (import.opened, import.begins, import.closed))
                .collect();
            prop_assert_eq!(found, expected);
        }
        for (event, fact) in told.iter().zip(&facts) {
            let inside = import_of(&held, &event.source, event.acted_at, event.place).unwrap();
            prop_assert_eq!(inside.is_some(), fact.imported, "{:?}", event);
        }
    }
}
