//! Which entries were recorded late: later after they were done than their type allows, or than was agreed with their
//! source.
//!
//! What a type allows is what the catalogue said when the entry was recorded. What was agreed (`source.agreed`) is what had
//! been recorded before the entry: of the agreements with its source that name its type, the last one decides alone, and
//! once its time is over, what is usual applies again.
//!
//! Corrections are not looked at here, because they come later. An entry that is in time only by an agreement, or only
//! because one is over, stands on the list of that agreement instead ([`SPARED`]): so it is found if the agreement is
//! annulled. What a replaced agreement comes to is looked at for what is on these lists; it does not make late what was in
//! time both by the agreement before it and by what is usual. Whether an entry counts itself is asked where it is shown.

use super::engine::{Counted, Earlier, EntryLists, Event, Result};
use super::registers::fingerprint;
use super::stretches::ends;
use crate::catalog::{Catalog, Span};
use crate::spec::time::{MICROS_PER_MINUTE, Timestamp};
use serde_json::Value;

/// The name of these lists among all projections.
pub const LATE_ENTRIES: &str = "late";

/// Entries that are late by all that was recorded before them, on the list [`ANY`].
pub const LATE: &str = "late";
/// Entries that are not late by an agreement, or because it is over: by that agreement's entry.
pub const SPARED: &str = "spared";
/// Entries on either, by their source.
pub const OF_SOURCE: &str = "source";
/// Entries on either, by their type.
pub const OF_TYPE: &str = "type";
/// Agreements by the source that they are about.
pub const AGREED_WITH: &str = "agreed-with";
/// Agreements, on the list [`ANY`].
pub const AGREEMENTS: &str = "agreements";
/// The one list of its field.
pub const ANY: &str = "any";

/// The type of an agreement.
const AGREED: &str = "source.agreed";

/// Raise it with every change to what is listed.
const VERSION: u64 = 1;

/// What is in time whatever was agreed, in microseconds: no span is shorter.
const AT_ONCE: i64 = MICROS_PER_MINUTE;

/// What was agreed with a source.
#[derive(Clone, Debug, PartialEq)]
pub struct Agreement {
    types: Vec<String>,
    /// How late its events may be recorded.
    pub late_after: Span,
    /// When what is usual applies again.
    until: Timestamp,
}

impl Agreement {
    /// What the data of an agreement says; none if it does not say all.
    #[must_use]
    pub fn of(data: &Value) -> Option<Agreement> {
        let types = data.get("types")?.as_array()?.iter();
        let is_some = |span: &Span| span.months > 0 || span.days > 0 || span.minutes > 0;
        Some(Agreement {
            types: types.filter_map(Value::as_str).map(str::to_owned).collect(),
            late_after: Span::parse(data.get("late_after")?.as_str()?).filter(is_some)?,
            until: ends(data.get("until"))?,
        })
    }

    /// Whether it is about events of this type: it names it, or a beginning of its name.
    #[must_use]
    pub fn is_about(&self, event_type: &str) -> bool {
        self.types.iter().any(|named| match named.strip_suffix('*') {
            Some(beginning) => event_type.starts_with(beginning),
            None => named == event_type,
        })
    }

    /// Whether it is in force for what is recorded at this time.
    #[must_use]
    pub fn is_in_force(&self, recorded_at: Timestamp) -> bool {
        recorded_at < self.until
    }
}

/// By when what was done at a time is to be recorded. Nothing is due after the year 9999.
#[must_use]
pub fn due_by(acted_at: Timestamp, allowed: Span) -> Timestamp {
    allowed.after(acted_at).unwrap_or(Timestamp::LAST)
}

/// The lists of all late entries.
pub struct LateLists {
    version: u64,
}

impl LateLists {
    /// The lists as the types of the catalogue, and of those before it, have it.
    #[must_use]
    pub fn new(catalog: &Catalog) -> LateLists {
        let usual: Vec<_> = catalog.types().map(|ty| (&ty.name, ty.words.late_after)).collect();
        LateLists { version: fingerprint(VERSION, &(usual, catalog.all_late_after())) }
    }
}

impl EntryLists for LateLists {
    fn name(&self) -> &str {
        LATE_ENTRIES
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn looks_back(&self) -> &[&'static str] {
        &[AGREED_WITH]
    }

    fn lists_of(
        &self,
        event: &Event,
        catalog: &Catalog,
        earlier: &dyn Earlier,
    ) -> Result<Vec<(&'static str, String, Counted)>> {
        let mut lists = Vec::new();
        let mut put = |field, value: &str| lists.push((field, value.to_owned(), Counted::No));
        if event.ty == AGREED
            && let Some(source) = event.data.get("source").and_then(Value::as_str)
        {
            put(AGREED_WITH, source);
            put(AGREEMENTS, ANY);
        }
        let (acted_at, recorded_at) = (event.acted_at(), event.recorded_at);
        if recorded_at.since(acted_at) <= AT_ONCE {
            return Ok(lists);
        }
        let Some(usual) = catalog.late_after(&event.ty, event.seq) else { return Ok(lists) };
        let agreed = earlier.listed(AGREED_WITH, &event.source)?;
        let agreed = agreed.iter().filter_map(|entry| Some((entry.seq, Agreement::of(&entry.data)?)));
        let agreed: Vec<(u64, Agreement)> = agreed.filter(|(_, one)| one.is_about(&event.ty)).collect();
        let is_late = |allowed: Span| recorded_at > due_by(acted_at, allowed);
        let in_force = |one: &Agreement| one.is_in_force(recorded_at);
        let last = agreed.last();
        let allowed = last.filter(|(_, one)| in_force(one)).map_or(usual, |(_, one)| one.late_after);
        if is_late(allowed) {
            put(LATE, ANY);
        } else if let Some((entry, _)) = last
            && (is_late(usual) || agreed.iter().any(|(_, one)| in_force(one) && is_late(one.late_after)))
        {
            put(SPARED, &entry.to_string());
        } else {
            return Ok(lists);
        }
        put(OF_SOURCE, &event.source);
        put(OF_TYPE, &event.ty);
        Ok(lists)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::follow::{Portion, Source};
    use crate::spec::time::MICROS_PER_DAY;
    use crate::store::EngineKind;
    use crate::views::engine::{Engine, EventFeed, Projection, tests::MemoryEvents};
    use crate::views::histories::{NOON, told};
    use proptest::prelude::*;
    use serde_json::json;
    use std::sync::{Arc, LazyLock};

    /// Agreements with the one source, as they were recorded.
    struct Held(Vec<Arc<Event>>);

    impl Earlier for Held {
        fn listed(&self, field: &'static str, value: &str) -> Result<Vec<Arc<Event>>> {
            Ok(if (field, value) == (AGREED_WITH, "/a") { self.0.clone() } else { Vec::new() })
        }
    }

    /// The program's own: it takes long to load.
    fn catalog() -> &'static Catalog {
        static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::embedded().unwrap());
        &CATALOG
    }

    fn days(days: i64) -> Timestamp {
        NOON.saturating_add(days * MICROS_PER_DAY)
    }

    fn agreed(seq: u64, types: &[&str], late_after: i64, until: i64) -> Arc<Event> {
        let data = json!({"source": "/a", "types": types, "late_after": format!("P{late_after}D"),
            "until": days(until).to_string(), "reason": "r"});
        Arc::new(Event { seq, ..told("/x", AGREED, 0, data) })
    }

    /// The first list of a decision that was recorded on a day, so many days after it was made.
    fn listed(held: &Held, recorded: i64, late: i64) -> Option<(&'static str, String)> {
        let catalog = catalog();
        let recorded_at = days(recorded);
        let happened_at = recorded_at.saturating_add(-late * MICROS_PER_DAY);
        let event =
            Event { seq: 100, recorded_at, happened_at, ..told("/a", "decision.made", 0, Value::Null) };
        let lists = LateLists::new(catalog).lists_of(&event, catalog, held).unwrap();
        if let Some(first) = lists.first() {
            let rest: Vec<_> =
                lists.iter().skip(1).map(|(field, value, _)| (*field, value.as_str())).collect();
            assert_eq!(rest, [(OF_SOURCE, "/a"), (OF_TYPE, "decision.made")], "{first:?}");
        }
        lists.into_iter().next().map(|(field, value, _)| (field, value))
    }

    fn late() -> Option<(&'static str, String)> {
        Some((LATE, ANY.to_owned()))
    }

    fn spared(by: u64) -> Option<(&'static str, String)> {
        Some((SPARED, by.to_string()))
    }

    #[test]
    fn facts_are_late_after_a_week_and_by_an_agreement_when_it_says() {
        let none = Held(Vec::new());
        assert_eq!([7, 8].map(|late| listed(&none, 50, late)), [None, self::late()]);
        let longer = Held(vec![agreed(1, &["decision.*"], 30, 60)]);
        assert_eq!(
            [7, 8, 30, 31].map(|late| listed(&longer, 50, late)),
            [None, spared(1), spared(1), self::late()]
        );
        // Once it is over, what is usual applies; it is over at that very moment.
        assert_eq!([7, 8].map(|late| listed(&longer, 60, late)), [None, self::late()]);
        // Of another type nothing is agreed, and a beginning of a name is not the name.
        for types in [["incident.*"], ["decision"]] {
            assert_eq!(listed(&Held(vec![agreed(1, &types, 30, 60)]), 50, 8), self::late());
        }
        let stricter = Held(vec![agreed(1, &["decision.made"], 2, 60)]);
        assert_eq!([2, 3, 8].map(|late| listed(&stricter, 50, late)), [None, self::late(), self::late()]);
    }

    #[test]
    fn the_last_agreement_decides_alone_and_what_depends_on_it_is_on_its_list() {
        let two = Held(vec![agreed(1, &["decision.made"], 2, 90), agreed(2, &["decision.*"], 30, 60)]);
        assert_eq!([3, 8, 31].map(|late| listed(&two, 50, late)), [spared(2), spared(2), late()]);
        // It is over, and so the other one does not come back; were it annulled, the other one would decide.
        assert_eq!([2, 3, 7, 8].map(|late| listed(&two, 70, late)), [None, spared(2), spared(2), late()]);
    }

    /// The lists that an engine comes to which applies so many entries at once.
    fn lists_of_an_engine(events: &[Event], at_once: usize) -> Vec<(&'static str, String, Vec<u64>)> {
        let (dir, feed) = (tempfile::tempdir().unwrap(), Arc::new(MemoryEvents::default()));
        *feed.0.lock().unwrap() = events.to_vec();
        let all = [Projection::Lists(Arc::new(LateLists::new(catalog())))];
        let (ledger, of_log): (_, Arc<dyn EventFeed>) = (feed.ledger().unwrap(), feed.clone());
        let open = || {
            let (log, catalog) = (of_log.clone(), Arc::new(catalog().clone()));
            Engine::open(dir.path(), EngineKind::default(), ledger, log, catalog, &all).unwrap().0
        };
        let mut engine = open();
        while engine.applied() < feed.committed() {
            let portion = Portion { entries: at_once, bytes: usize::MAX, data: true };
            let mut batch = Vec::new();
            feed.read(engine.applied(), portion, &mut batch).unwrap();
            engine.apply(&batch).unwrap();
            drop(engine);
            engine = open();
        }
        let on = |field: &'static str, value: &str| {
            let seqs = engine.entries(LATE_ENTRIES, &[(field, value)], (0, u64::MAX), false, 100).unwrap();
            (field, value.to_owned(), seqs)
        };
        let agreements = events.iter().map(|event| on(SPARED, &event.seq.to_string()));
        [on(LATE, ANY), on(AGREEMENTS, ANY), on(AGREED_WITH, "/a")].into_iter().chain(agreements).collect()
    }

    #[test]
    fn what_is_looked_back_at_is_the_same_in_whatever_batches_it_came() {
        let decision = |late: i64| {
            let happened_at = days(50).saturating_add(-late * MICROS_PER_DAY);
            Event { happened_at, ..told("/a", "decision.made", 0, Value::Null) }
        };
        let agreement = |late_after| Event::clone(&agreed(0, &["decision.*"], late_after, 60));
        let events =
            [decision(8), agreement(30), decision(8), agreement(2), decision(3), decision(8), decision(1)];
        let recorded = |(seq, event): (u64, Event)| Event {
            seq,
            id: format!("e-{seq}"),
            recorded_at: days(50),
            happened_at: if event.ty == AGREED { days(50) } else { event.happened_at },
            ..event
        };
        let events: Vec<Event> = (0..).zip(events).map(recorded).collect();
        let expected = lists_of_an_engine(&events, 100);
        let of = |field: &str, value: &str| {
            let list = expected.iter().find(|(known, name, _)| *known == field && name == value);
            list.unwrap().2.clone()
        };
        assert_eq!(
            (of(LATE, ANY), of(SPARED, "1"), of(AGREEMENTS, ANY)),
            (vec![0, 4, 5], vec![2], vec![1, 3])
        );
        for at_once in [1, 2, 3, 5] {
            assert_eq!(lists_of_an_engine(&events, at_once), expected, "{at_once}");
        }
    }

    #[test]
    fn what_the_ledger_says_of_itself_and_what_is_recorded_at_once_is_on_no_list() {
        let catalog = catalog();
        let lists = LateLists::new(catalog);
        let at_once =
            Event { recorded_at: NOON, happened_at: NOON, ..told("/a", "decision.made", 0, Value::Null) };
        let minute = NOON.saturating_add(-AT_ONCE);
        for event in [
            at_once.clone(),
            Event { happened_at: minute, ..at_once.clone() },
            Event { ty: "ledger.opened".to_owned(), happened_at: days(-900), ..at_once.clone() },
            Event { happened_at: days(900), ..at_once },
        ] {
            assert!(lists.lists_of(&event, catalog, &Held(Vec::new())).unwrap().is_empty(), "{event:?}");
        }
    }

    #[test]
    fn what_does_not_say_all_agrees_nothing() {
        let whole = json!({"types": ["a.b"], "late_after": "P1M", "until": "2026-05-31"});
        let agreement = Agreement::of(&whole).unwrap();
        let at = |text: &str| Timestamp::recorded(text).unwrap();
        // A day is over when it ends.
        assert!(agreement.is_in_force(at("2026-05-31T23:59:59.999999Z")));
        assert!(!agreement.is_in_force(at("2026-06-01T00:00:00Z")));
        for (member, value) in [
            ("types", Value::Null),
            ("late_after", json!("soon")),
            ("late_after", json!("P0D")),
            ("until", json!("never")),
        ] {
            let mut part = whole.clone();
            part[member] = value;
            assert_eq!(Agreement::of(&part), None, "{part}");
        }
    }

    proptest! {
        /// Whatever agreements were annulled: what is late by those that are left is on a list where it is looked for, that
        /// of all late entries or that of an agreement which is gone.
        #[test]
        fn what_is_late_without_some_agreements_is_found_by_those_that_are_gone(
            agreements in prop::collection::vec((1..40_i64, 40..70_i64, any::<bool>(), any::<bool>()), 0..5),
            recorded in 40..70_i64,
            late in 0..45_i64,
        ) {
            let held = agreements.iter().zip(0..).map(|((after, until, about, _), seq)| {
                agreed(seq, &[if *about { "decision.*" } else { "incident.*" }], *after, *until)
            });
            let held = Held(held.collect());
            let last = agreements.iter().rfind(|(_, _, about, is_gone)| *about && !is_gone);
            let allowed = last.filter(|(_, until, ..)| recorded < *until).map_or(7, |(after, ..)| *after);
            let gone: Vec<String> =
                agreements.iter().zip(0..).filter(|((.., is_gone), _)| *is_gone).map(|(_, seq)| format!("{seq}")).collect();
            let on = listed(&held, recorded, late);
            if late > allowed {
                let (field, value) = on.unwrap();
                prop_assert!(field == LATE || gone.contains(&value), "{field} {value}");
            } else if gone.is_empty() {
                prop_assert!(on.is_none_or(|(field, _)| field == SPARED));
            }
        }
    }
}
