//! Grants, requests and uses, held against the plain models over random histories, in whatever order they are recorded.

use super::uses::recorded_at_place;
use super::{Grants, Requests, Uses};
use crate::spec::time::{MICROS_PER_MINUTE, Timestamp};
use crate::views::engine::{Assurance, Opening, Row, RowEvent, RowName, View, arrange, testing};
use daybook_models::access::{self, DutyKind, State};
use daybook_models::base::{Fact, Moment};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Noon of 1 March 2026: all tests count minutes from here.
const NOON: i64 = 1_772_366_400_000_000;
/// Minutes of a history.
const LONG: i64 = 40;
/// Five days and a bit: what reviews decided is due by then.
const LATER: [i64; 4] = [3 * 24 * 60, 3 * 24 * 60 + 60, 5 * 24 * 60 + 30, 6 * 24 * 60];

pub(crate) fn minute(minute: i64) -> Timestamp {
    Timestamp::clamped(NOON + minute * MICROS_PER_MINUTE)
}

pub(crate) fn text(at: i64) -> String {
    minute(at).to_string()
}

/// An event of a source, done at a minute, recorded in the order of `seq` long after everything was done.
pub(crate) fn event(seq: u64, source: &str, act: i64, ty: &str, data: Value) -> RowEvent {
    let mut event = testing::event(seq, minute(act), ty, "user:u", data);
    event.recorded_at = minute(1_000_000 + seq as i64);
    event.source = source.to_owned();
    let effective = event.time("effective_at");
    event.effective_at = effective.unwrap_or(event.acted_at);
    event
}

pub(crate) fn fact(event: &RowEvent) -> Fact {
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

pub(crate) fn facts(events: &[RowEvent]) -> Vec<Fact> {
    events.iter().map(fact).collect()
}

pub(crate) fn moment(at: i64) -> Moment {
    Moment { at: minute(at).micros(), known: u64::MAX, now: minute(2_000_000).micros() }
}

/// A row as the engine folds it as of a moment.
pub(crate) fn row_at(view: &dyn View, events: &[RowEvent], at: Timestamp) -> Row {
    let mut events = events.to_vec();
    for event in &mut events {
        event.effective_at = view.effective_at(event);
    }
    events.retain(|event| event.effective_at <= at || view.is_reckoned(&event.ty));
    let mut row = Row::default();
    for event in arrange(view, events) {
        step(view, &mut row, &event);
    }
    view.settle(&mut row, at);
    row
}

/// As the engine does it, but for openings told again, of which these tests have none.
fn step(view: &dyn View, row: &mut Row, event: &RowEvent) {
    if row.source.is_none() && view.opening(&event.ty) != Opening::None {
        row.source = Some(event.source.clone());
    }
    row.assurance = Assurance::Asserted;
    view.step(row, event);
}

/// One drawn event: kind, act, from or effect, length, source, which of those before it it names.
pub(crate) type Draw = (u8, i64, i64, i64, bool, Option<u64>);

pub(crate) fn draws(kinds: u8, most: usize) -> impl Strategy<Value = Vec<Draw>> {
    let of = prop_oneof![4 => Just(None), 1 => (0..6_u64).prop_map(Some)];
    prop::collection::vec((0..kinds, 0..LONG, 0..LONG, 0..LONG, any::<bool>(), of), 1..most)
}

pub(crate) fn source(first: bool) -> &'static str {
    if first { "/a" } else { "/b" }
}

pub(crate) fn terms(more: Value) -> Value {
    let mut data = json!({
        "request": "R", "grant": "G", "resource": {"kind": "dataset", "id": "d", "environment": "production"},
        "grantee": {"kind": "person", "id": "user:p"}, "operations": ["read", "write"], "purpose": "risk",
        "legal_basis": "l", "grantee_unit": "risk", "owner_unit": "risk",
    });
    for (name, value) in more.as_object().unwrap() {
        data[name] = value.clone();
    }
    data
}

/// A history of one grant.
pub(crate) fn grant_events(draws: &[Draw]) -> Vec<RowEvent> {
    let mut events: Vec<RowEvent> = Vec::new();
    for (seq, (kind, act, from, long, first, of)) in (0..).zip(draws) {
        let mut more = json!({});
        let ty = match kind {
            0..=2 => {
                if *kind > 0 {
                    more["valid_from"] = text(*from).into();
                }
                if *long % 3 > 0 {
                    more["valid_until"] = text(*from + *long - 2).into();
                }
                if *long % 7 == 0 {
                    more["emergency"] = true.into();
                }
                if *long % 5 == 0 {
                    more["purpose"] = "ads".into();
                }
                more = terms(more);
                "granted"
            }
            3 | 4 => {
                more = json!({"grant": "G", "reason": "r", "effective_at": text(*from)});
                "revoked"
            }
            5 => {
                more =
                    json!({"grant": "G", "reason": "r", "operations": ["read"], "effective_at": text(*from)});
                "reduced"
            }
            _ => {
                let result = ["keep", "revoke", "reduce"][*from as usize % 3];
                more =
                    json!({"grant": "G", "result": result, "reason": "r", "next_due_at": text(*act + *long)});
                if *long % 2 == 0 {
                    more["act_by"] = text(*act + *from).into();
                }
                "reviewed"
            }
        };
        if let Some(of) = of.filter(|_| (3..=5).contains(kind)) {
            more["of"] = json!({"source": source(*first), "id": format!("e-{of}")});
        }
        events.push(event(seq, source(*first), *act, &format!("access.{ty}"), more));
    }
    events
}

fn state(state: State) -> &'static str {
    match state {
        State::Unopened => "unopened",
        State::Scheduled => "scheduled",
        State::Granted => "granted",
        State::Expired => "expired",
        State::Revoked => "revoked",
    }
}

/// The state in which a row of grants is shown.
fn shown(row: &Row, at: Timestamp) -> String {
    let over = !row.ended && row.valid_until.is_some_and(|until| until <= at);
    if over && row.state == "granted" { "expired".to_owned() } else { row.state.clone() }
}

fn holds_against_the_model(events: &[RowEvent]) -> Result<(), TestCaseError> {
    let facts = facts(events);
    for at in (-1..LONG * 2 + 1).chain(LATER) {
        let row = row_at(&Grants, events, minute(at));
        let model = access::grants(&facts, moment(at));
        let model = model.first().unwrap();
        prop_assert_eq!(shown(&row, minute(at)), state(model.state), "at {}", at);
        let mine: Vec<_> = row
            .stretches
            .iter()
            .map(|one| (one.begun.seq, one.from.micros(), one.end().map(Timestamp::micros), one.is_cut()))
            .collect();
        let mut theirs: Vec<_> = model
            .stretches
            .iter()
            .map(|one| {
                let cut = one.cut.is_some_and(|(cut, _)| one.until.is_none_or(|until| cut < until));
                (one.seq, one.from, one.end(), cut)
            })
            .collect();
        theirs.sort_by_key(|(seq, ..)| mine.iter().position(|(mine, ..)| mine == seq));
        prop_assert_eq!(mine, theirs);
        for one in row.stretches.iter() {
            let theirs = model.stretches.iter().find(|other| other.seq == one.begun.seq).unwrap();
            let granted = vec!["read".to_owned(), "write".to_owned()];
            prop_assert_eq!(one.left_of(granted, minute(at)), theirs.operations(minute(at).micros()));
        }
        prop_assert_eq!(row.due_at.map(Timestamp::micros), model.due, "due at {}: {:?}", at, model.duties);
        let open =
            |kind| model.duties.iter().any(|duty| duty.kind == kind && duty.ended.is_none() && !duty.lapses);
        // What nothing opened is never due.
        if model.state != State::Unopened {
            prop_assert_eq!(row.is("revoke_due"), open(DutyKind::Revoke), "revoke due at {}", at);
            prop_assert_eq!(row.is("reduce_due"), open(DutyKind::Reduce), "reduce due at {}", at);
        }
        prop_assert_eq!(row.stretches.ended_nothing(), model.ended_nothing.clone());
    }
    Ok(())
}

/// Whether the row is kept as it then is for ever.
fn stays_as_it_is_kept(view: &dyn View, events: &[RowEvent]) -> Result<(), TestCaseError> {
    let whole = row_at(view, events, Timestamp::LAST);
    let latest = events.iter().map(|event| view.effective_at(event)).max().unwrap();
    let from = view.settled_from(&whole).map_or(latest, |settled| settled.max(latest));
    let kept = row_at(view, events, from);
    for at in (-1..LONG * 2 + 1).chain(LATER).map(minute).filter(|at| *at >= from) {
        let mut row = row_at(view, events, at);
        let mut kept = kept.clone();
        // What falls away by itself says when, and is shown until the row changes.
        for row in [&mut row, &mut kept] {
            row.fields.remove("duties");
        }
        prop_assert_eq!(row, kept);
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_grant_is_what_the_plain_model_says(draws in draws(8, 8)) {
        holds_against_the_model(&grant_events(&draws))?;
    }

    #[test]
    fn a_grant_is_kept_as_it_stays(draws in draws(8, 8)) {
        stays_as_it_is_kept(&Grants, &grant_events(&draws))?;
    }

    #[test]
    fn the_order_of_recording_makes_no_other_grant(
        draws in draws(8, 7), shuffled in Just((0..7_u64).collect::<Vec<_>>()).prop_shuffle()
    ) {
        let mut events = grant_events(&draws);
        // At one instant the order of recording decides.
        for (place, event) in (0_i64..).zip(&mut events) {
            event.acted_at = event.acted_at.saturating_add(place);
            if event.value("effective_at").is_none() {
                event.effective_at = event.acted_at;
            }
        }
        let mut turned = events.clone();
        for (event, place) in turned.iter_mut().zip(shuffled) {
            event.place = place;
        }
        for at in (-1..LONG * 2).map(minute) {
            let (one, other) = (row_at(&Grants, &events, at), row_at(&Grants, &turned, at));
            let of = |row: &Row| {
                let stretches: BTreeSet<_> =
                    row.stretches.iter().map(|one| (one.begun.seq, one.from, one.end())).collect();
                (row.state.clone(), row.due_at, row.valid_until, stretches)
            };
            prop_assert_eq!(of(&one), of(&other));
        }
    }

    #[test]
    fn a_use_told_again_is_one_and_the_higher_count_counts(
        draws in prop::collection::vec((0..3_i64, 0..2_i64, 1..5_u64, any::<bool>(), any::<bool>(), any::<bool>()), 1..10)
    ) {
        let events: Vec<RowEvent> = (0..).zip(&draws).map(|(seq, (from, long, count, allowed, first, counter))| {
            let mut data = json!({
                "resource": {"kind": "dataset", "id": "d", "environment": "production"}, "principal": "user:p",
                "operation": "read", "purpose": "risk", "outcome": if *allowed { "allowed" } else { "denied" },
                "from": text(*from), "to": text(from + long), "count": count,
            });
            if *counter {
                data["counter"] = "gate-2".into();
            }
            event(seq, source(*first), from + long, "access.used", data)
        }).collect();
        let facts = facts(&events);
        let mut rows: BTreeMap<String, Vec<RowEvent>> = BTreeMap::new();
        for event in &events {
            let Some(RowName::Id(id)) = Uses.row_of_source(&event.ty, &event.source, &event.data) else { panic!() };
            rows.entry(id).or_default().push(event.clone());
        }
        let mut mine: Vec<_> = rows.values().map(|events| {
            let row = row_at(&Uses, events, Timestamp::LAST);
            let number = |name: &str| row.value(name).and_then(Value::as_u64).unwrap();
            (recorded_at_place(&row).unwrap(), number("count"), row.is("counts_differ"), row.state == "denied")
        }).collect();
        mine.sort_unstable();
        let theirs: Vec<_> = access::uses(&facts, moment(LONG)).into_iter().map(|one| {
            (one.told[0], one.count, one.counts_differ, one.denied)
        }).collect();
        prop_assert_eq!(&mine, &theirs);
        let by_rows: Vec<_> = daybook_models::rows::uses(&facts).into_iter().map(|one| {
            (one.told[0].0, one.count, one.differs)
        }).collect();
        prop_assert_eq!(mine.iter().map(|one| (one.0, one.1, one.2)).collect::<Vec<_>>(), by_rows);
        // What the grant sums up counts each once too.
        let mut of_grant = events;
        for event in &mut of_grant {
            Arc::make_mut(&mut event.data)["grant"] = "G".into();
        }
        let row = row_at(&Grants, &of_grant, Timestamp::LAST);
        let sum = |denied: bool| theirs.iter().filter(|one| one.3 == denied).map(|one| one.1).sum::<u64>();
        let found = |name: &str| row.value(name).and_then(Value::as_u64).unwrap_or(0);
        prop_assert_eq!((found("uses"), found("denied")), (sum(false), sum(true)));
    }

    #[test]
    fn a_request_is_what_the_plain_model_says(draws in draws(3, 6)) {
        let mut asked = false;
        let events: Vec<RowEvent> = (0..).zip(&draws).map(|(seq, (kind, act, ..))| {
            // Whose row it is where several ask is the engine's business.
            let ty = ["requested", "rejected", "granted"][usize::from(if *kind == 0 && asked { 1 } else { *kind })];
            asked |= ty == "requested";
            event(seq, "/a", *act, &format!("access.{ty}"), terms(json!({})))
        }).collect();
        for at in -1..LONG + 1 {
            let Some(model) = access::requests(&facts(&events), moment(at)).pop() else { continue };
            let row = row_at(&Requests, &events, minute(at));
            if model.state == "unopened" && row.state.is_empty() {
                continue;
            }
            prop_assert_eq!(&row.state, &model.state, "at {}", at);
        }
    }
}

fn granted(seq: u64, act: i64, more: Value) -> RowEvent {
    event(seq, "/a", act, "access.granted", terms(more))
}

fn revoked(seq: u64, act: i64, effective: i64) -> RowEvent {
    event(
        seq,
        "/a",
        act,
        "access.revoked",
        json!({"grant": "G", "reason": "r", "effective_at": text(effective)}),
    )
}

#[test]
fn a_revocation_with_effect_from_before_the_grant_was_made_ends_it() {
    let events = [granted(0, 10, json!({"valid_from": text(0)})), revoked(1, 15, 0)];
    for at in [-1, 0, 12, 20] {
        assert_eq!(row_at(&Grants, &events, minute(at)).state, "revoked", "at {at}");
    }
    assert!(row_at(&Grants, &events, minute(20)).stretches.in_force(minute(12)).next().is_none());
}

#[test]
fn what_is_granted_again_later_stands_whenever_the_revocation_was_recorded() {
    let events = [granted(0, 0, json!({})), granted(1, 20, json!({})), revoked(2, 10, 10)];
    let states = [5, 15, 25].map(|at| row_at(&Grants, &events, minute(at)).state);
    assert_eq!(states, ["granted", "revoked", "granted"]);
    assert!(row_at(&Grants, &events, minute(25)).is("out_of_order"));
}

#[test]
fn next_years_terms_hide_nothing_of_this_years() {
    let events = [
        granted(0, 0, json!({"valid_until": text(20), "purpose": "risk"})),
        granted(1, 5, json!({"valid_from": text(20), "valid_until": text(30), "purpose": "ads"})),
    ];
    let at = |at| row_at(&Grants, &events, minute(at));
    assert_eq!(
        (at(10).text("purpose").map(str::to_owned), at(10).valid_until),
        (Some("risk".into()), Some(minute(20)))
    );
    assert_eq!(
        (at(25).text("purpose").map(str::to_owned), at(25).valid_until),
        (Some("ads".into()), Some(minute(30)))
    );
}

#[test]
fn an_ending_names_one_of_two_that_stand_side_by_side() {
    let mut one = revoked(2, 10, 10);
    Arc::make_mut(&mut one.data)["of"] = json!({"source": "/a", "id": "e-0"});
    let events = [granted(0, 0, json!({})), granted(1, 0, json!({"valid_until": text(20)})), one];
    let row = row_at(&Grants, &events, minute(15));
    assert_eq!((row.state.as_str(), row.stretches.in_force(minute(15)).count()), ("granted", 1));
    assert_eq!(row.stretches.in_force(minute(15)).next().unwrap().begun.seq, 1);
}

#[test]
fn a_reduction_leaves_what_it_names_and_no_more_than_was_granted() {
    let data =
        json!({"grant": "G", "operations": ["read", "delete"], "reason": "r", "effective_at": text(10)});
    let events = [granted(0, 0, json!({})), event(1, "/a", 5, "access.reduced", data)];
    let row = row_at(&Grants, &events, minute(10));
    assert_eq!(row.value("operations"), Some(&json!(["read"])));
    assert_eq!(row.value("operations_granted"), Some(&json!(["read", "write"])));
    assert_eq!(row_at(&Grants, &events, minute(9)).value("operations"), Some(&json!(["read", "write"])));
}

#[test]
fn what_a_review_decided_is_due_until_it_is_done() {
    let review = json!({"grant": "G", "result": "revoke", "reason": "r", "next_due_at": text(1_000_000)});
    let events =
        [granted(0, 0, json!({})), event(1, "/a", 10, "access.reviewed", review), revoked(2, 20, 20)];
    let five_days = 10 + 5 * 24 * 60;
    let row = row_at(&Grants, &events[..2], minute(five_days + 1));
    assert_eq!((row.due_at, row.is("revoke_due"), row.ended), (Some(minute(five_days)), true, false));
    let row = row_at(&Grants, &events, minute(30));
    assert_eq!((row.due_at, row.is("revoke_due"), row.ended), (None, false, true));
}

#[test]
fn an_emergency_grant_is_looked_at_within_three_days_also_when_it_is_over() {
    let short = granted(0, 0, json!({"emergency": true, "valid_until": text(60)}));
    let due = row_at(&Grants, std::slice::from_ref(&short), minute(4 * 24 * 60)).due_at;
    assert_eq!(due, Some(minute(3 * 24 * 60)));
    let review = json!({"grant": "G", "result": "keep", "reason": "r", "next_due_at": text(1_000_000)});
    let looked = event(1, "/a", 90, "access.reviewed", review);
    assert_eq!(row_at(&Grants, &[short, looked], minute(4 * 24 * 60)).due_at, None);
}

#[test]
fn a_count_beyond_what_is_kept_exactly_is_clamped_and_marked() {
    let mut data = json!({
        "resource": {"kind": "dataset", "id": "d", "environment": "production"}, "principal": "user:p", "grant": "G",
        "operation": "read", "purpose": "risk", "outcome": "allowed", "from": text(1), "to": text(2), "count": 1e20,
    });
    let big = event(0, "/a", 2, "access.used", data.clone());
    let row = row_at(&Uses, std::slice::from_ref(&big), minute(9));
    assert_eq!(
        (row.value("count"), row.value("irregular")),
        (Some(&json!(1_u64 << 53)), Some(&json!(["count"])))
    );
    assert_eq!(row_at(&Grants, &[big], minute(9)).value("uses"), Some(&json!(1_u64 << 53)));
    data["count"] = json!(-4);
    assert_eq!(
        row_at(&Uses, &[event(0, "/a", 2, "access.used", data)], minute(9)).value("count"),
        Some(&json!(0))
    );
}

#[test]
fn a_grant_that_ends_before_it_begins_never_holds_and_is_marked() {
    let row = row_at(
        &Grants,
        &[granted(0, 0, json!({"valid_from": text(20), "valid_until": text(10)}))],
        minute(15),
    );
    assert_eq!(
        (shown(&row, minute(25)).as_str(), row.value("irregular")),
        ("expired", Some(&json!(["valid_until contradicts valid_from"])))
    );
    assert!(row.stretches.in_force(minute(15)).next().is_none());
}
