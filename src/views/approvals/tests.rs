//! Approvals against a plain model, and rule by rule.

use super::*;
use crate::spec::time::MICROS_PER_SECOND;
use crate::views::engine::{fold, testing};
use proptest::prelude::*;

/// One event of an approval, made by hand.
fn event(seq: u64, ty: &str, by: &str, data: Value) -> RowEvent {
    let mut data = data;
    data["approval"] = "A".into();
    let at = Timestamp::EPOCH.saturating_add(seq as i64 * MICROS_PER_SECOND);
    testing::event(seq, at, &format!("approval.{ty}"), by, data)
}

fn asked(seq: u64, scope: &str, n: u64, veto: bool) -> RowEvent {
    let quorum = json!({"n": n, "roles": ["risk", "legal"], "veto": veto});
    let data = json!({
        "kind": "k", "target": {"type": "model", "id": "m", "version": "1"}, "scope_digest": scope,
        "rationale": "because", "pillars": ["p"], "quorum": quorum, "due_at": "1970-01-02T00:00:00Z",
        "valid_until": "1970-02-01T00:00:00Z",
    });
    event(seq, "requested", "req", data)
}

fn yes(seq: u64, by: &str, capacity: &str, scope: &str) -> RowEvent {
    let data =
        json!({"capacity": capacity, "scope_digest": scope, "rationale": "fine", "conflict_declared": false});
    event(seq, "granted", by, data)
}

fn no(seq: u64, by: &str, capacity: &str) -> RowEvent {
    event(seq, "rejected", by, json!({"capacity": capacity, "rationale": "no"}))
}

fn state(events: &[RowEvent]) -> String {
    fold(&Approvals, events).state
}

#[test]
fn a_quorum_is_reached_vote_by_vote() {
    let events = [asked(0, "s", 2, false), yes(1, "ann", "risk", "s"), yes(2, "bob", "legal", "s")];
    assert_eq!([1, 2, 3].map(|many| state(&events[..many])), [PENDING, PARTIAL, GRANTED]);
    let row = fold(&Approvals, &events);
    assert_eq!(row.due_at, None);
    assert_eq!(row.valid_until, Timestamp::recorded("1970-02-01T00:00:00Z"));
    assert!(!row.ended);
}

#[test]
fn one_person_has_one_vote_and_the_last_one_counts() {
    let events = [asked(0, "s", 2, false), yes(1, "ann", "risk", "s"), yes(2, "ann", "legal", "s")];
    assert_eq!(state(&events), PARTIAL);
    assert_eq!(state(&[events[0].clone(), events[1].clone(), no(3, "ann", "risk")]), PENDING);
}

#[test]
fn a_vote_on_another_scope_or_in_another_capacity_does_not_count() {
    assert_eq!(state(&[asked(0, "s", 1, false), yes(1, "ann", "risk", "other")]), PENDING);
    assert_eq!(state(&[asked(0, "s", 1, false), yes(1, "ann", "clerk", "s")]), PENDING);
}

#[test]
fn another_scope_voids_the_votes() {
    let changed = [asked(0, "s", 1, false), yes(1, "ann", "risk", "s"), asked(2, "t", 1, false)];
    assert_eq!(state(&changed[..2]), GRANTED);
    assert_eq!(state(&changed), PENDING);
    let row = fold(&Approvals, &changed);
    assert_eq!(row.value("scope_changes"), Some(&json!(1)));
    assert_eq!(votes(&row).next().and_then(|vote| vote.get("why_not")), Some(&json!("another-scope")));
    let again = [&changed[..], &[yes(3, "ann", "risk", "t")]].concat();
    assert_eq!(state(&again), GRANTED);
}

#[test]
fn a_veto_ends_it_and_without_one_it_takes_as_many_as_a_quorum() {
    assert_eq!(state(&[asked(0, "s", 2, true), no(1, "ann", "risk")]), REJECTED);
    let against = [asked(0, "s", 2, false), no(1, "ann", "risk"), no(2, "bob", "risk")];
    assert_eq!((state(&against[..2]).as_str(), state(&against).as_str()), (PENDING, REJECTED));
}

#[test]
fn who_steps_aside_does_not_vote() {
    let events = [
        asked(0, "s", 1, false),
        event(1, "recused", "ann", json!({"reason": "r"})),
        yes(2, "ann", "risk", "s"),
    ];
    assert_eq!(state(&events), PENDING);
}

#[test]
fn what_is_granted_can_be_revoked_and_not_withdrawn() {
    let granted = [asked(0, "s", 1, false), yes(1, "ann", "risk", "s")];
    let then = |ty: &str| state(&[&granted[..], &[event(2, ty, "ann", json!({"reason": "r"}))]].concat());
    assert_eq!((then("withdrawn").as_str(), then("revoked").as_str()), (GRANTED, REVOKED));
    assert_eq!(state(&[granted[0].clone(), event(1, "withdrawn", "req", json!({"reason": "r"}))]), WITHDRAWN);
}

#[test]
fn a_vote_that_comes_before_its_request_counts_when_it_is_there() {
    assert_eq!(state(&[yes(0, "ann", "risk", "s")]), UNOPENED);
    assert_eq!(state(&[yes(0, "ann", "risk", "s"), asked(1, "s", 1, false)]), GRANTED);
}

#[test]
fn a_granted_approval_is_due_until_its_conditions_are_met() {
    let mut vote = yes(1, "ann", "risk", "s");
    std::sync::Arc::make_mut(&mut vote.data)["conditions"] =
        json!([{"id": "C1", "text": "t", "due_at": "1970-01-05T00:00:00Z"}]);
    let events =
        [asked(0, "s", 1, false), vote, event(2, "condition_met", "req", json!({"condition": "C1"}))];
    assert_eq!(fold(&Approvals, &events[..2]).due_at, Timestamp::recorded("1970-01-05T00:00:00Z"));
    let met = fold(&Approvals, &events);
    assert_eq!((met.due_at, &met.value("conditions").unwrap()[0]["met_by"]), (None, &json!("req")));
}

#[test]
fn empty_reasons_are_seen() {
    let mut vote = yes(1, "ann", "risk", "s");
    std::sync::Arc::make_mut(&mut vote.data)["rationale"] = " ".into();
    let row = fold(&Approvals, &[asked(0, "s", 1, false), vote]);
    assert_eq!((row.is("without_rationale"), row.is("without_pillar")), (true, false));
}

/// The model: at each event, everything so far is looked at anew.
fn model(events: &[RowEvent]) -> (String, BTreeSet<String>) {
    let mut state = UNOPENED.to_owned();
    let mut counted: BTreeSet<String> = BTreeSet::new();
    for end in 1..=events.len() {
        let (event, so_far) = (&events[end - 1], &events[..end]);
        let requests: Vec<&RowEvent> =
            so_far.iter().filter(|event| event.ty.ends_with("requested")).collect();
        let Some(request) = requests.last() else { continue };
        let scope = request.text("scope_digest");
        // The round began with the last request that asked for something else than the one before it.
        let began = requests
            .windows(2)
            .rev()
            .find(|pair| pair[0].text("scope_digest") != pair[1].text("scope_digest"));
        let began = began.map_or(0, |pair| pair[1].seq);
        if event.seq == began && requests.len() > 1 {
            state = PENDING.to_owned();
            counted.clear();
        }
        let decided = [GRANTED, REJECTED, WITHDRAWN, REVOKED].contains(&state.as_str());
        match (event.ty.as_str(), state.as_str()) {
            ("approval.withdrawn", PENDING | PARTIAL) => {
                state = WITHDRAWN.to_owned();
                continue;
            }
            ("approval.revoked", GRANTED) => {
                state = REVOKED.to_owned();
                continue;
            }
            _ if decided => continue,
            _ => {}
        }
        let is_vote = |event: &&RowEvent| {
            event.ty.ends_with("granted") && event.text("scope_digest") == scope
                || event.ty.ends_with("rejected") && event.seq >= began
        };
        let votes: Vec<&RowEvent> = so_far.iter().filter(is_vote).collect();
        let last_of = |by: &str| votes.iter().rev().find(|vote| vote.by == by).map(|vote| vote.seq);
        let recused = |by: &str| so_far.iter().any(|event| event.ty.ends_with("recused") && event.by == by);
        let counts = |vote: &&&RowEvent| {
            last_of(&vote.by) == Some(vote.seq)
                && !recused(&vote.by)
                && ["risk", "legal"].contains(&vote.text("capacity").unwrap())
        };
        let valid: Vec<&&RowEvent> = votes.iter().filter(counts).collect();
        let of = |ty: &str| valid.iter().filter(|vote| vote.ty.ends_with(ty)).count() as u64;
        let needed = request.value("quorum.n").and_then(Value::as_u64).unwrap();
        state = match (of("granted"), of("rejected")) {
            (_, against) if against >= needed || (against > 0 && request.is("quorum.veto")) => REJECTED,
            (so_many, _) if so_many >= needed => GRANTED,
            (0, _) => PENDING,
            _ => PARTIAL,
        }
        .to_owned();
        counted = valid.iter().map(|vote| vote.by.clone()).collect();
    }
    (state, counted)
}

/// Any event of an approval.
pub(in crate::views) fn any_event() -> impl Strategy<Value = (u8, u8, u8, bool)> {
    (0..9_u8, 0..4_u8, 0..3_u8, any::<bool>())
}

/// The events of one approval from such draws.
pub(in crate::views) fn events_of(draws: &[(u8, u8, u8, bool)]) -> Vec<RowEvent> {
    let one = |(seq, (kind, who, what, flag)): (u64, &(u8, u8, u8, bool))| {
        let by = ["ann", "bob", "eve", "req"][usize::from(*who)];
        let scope = if *flag { "s" } else { "t" };
        let capacity = ["risk", "legal", "clerk"][usize::from(*what)];
        match kind {
            0 | 1 => asked(seq, scope, u64::from(*what) + 1, *who == 0),
            2..=4 => yes(seq, by, capacity, scope),
            5 => no(seq, by, capacity),
            6 => event(seq, "withdrawn", by, json!({"reason": "r"})),
            7 => event(seq, "revoked", by, json!({"reason": "r"})),
            _ => event(seq, "recused", by, json!({"reason": "r"})),
        }
    };
    (0_u64..).zip(draws).map(one).collect()
}

proptest! {
    #[test]
    fn an_approval_is_what_the_plain_model_says(draws in prop::collection::vec(any_event(), 0..14), first in any::<bool>()) {
        let mut draws = draws;
        if first {
            draws.insert(0, (0, 1, 1, true));
        }
        let events = events_of(&draws);
        let row = fold(&Approvals, &events);
        let (state, counted) = model(&events);
        let found: BTreeSet<String> = votes(&row)
            .filter(|vote| vote.get("counts") == Some(&Value::Bool(true)))
            .filter_map(|vote| vote.get("by")?.as_str().map(str::to_owned))
            .collect();
        if !events.is_empty() {
            prop_assert_eq!(&row.state, &state);
            if state != UNOPENED {
                prop_assert_eq!(found, counted);
            }
        }
        prop_assert_eq!(fold(&Approvals, &events), row);
    }
}
