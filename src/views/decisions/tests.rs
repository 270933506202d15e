//! Decisions against the plain model, over random histories and as of several moments; and the counterexamples that it
//! found.

use super::*;
use crate::views::engine::{CONFLICTS, Event, Found, When};
use crate::views::histories::{cases, entries, facts, minute, moment, recorded, rows, text, told};
use daybook_models::decisions::{Decision, decisions};
use proptest::prelude::*;
use serde_json::json;
use std::sync::Arc;

/// One thing told: what, of which decision, by whom, in which minute; and two numbers that vary it.
type Draw = (u8, u8, u8, i64, u8, u8);

fn draw() -> impl Strategy<Value = Draw> {
    (0..16_u8, 0..3_u8, 0..6_u8, 0..24_i64, 0..3_u8, 0..4_u8)
}

fn event((kind, id, source, at, item, variant): Draw) -> Event {
    let source = ["/a", "/a", "/a", "/a", "/b", "/c"][usize::from(source)];
    let decision = format!("D{id}");
    let (contest, review) = (format!("{decision}-C{item}"), format!("R{item}"));
    let more = i64::from(variant);
    let (ty, data) = match kind {
        0..=3 => {
            let outcome = ["declined", "declined", "declined", "approved"][usize::from(variant)];
            let required = variant % 2 == 0;
            (
                "made",
                json!({"outcome": outcome, "case": "L", "model": "m", "version": "1", "adverse": true,
                "review_required": required, "review_due_at": text(30)}),
            )
        }
        4..=6 => {
            let data = json!({"contest": contest, "received_at": text(at - more), "channel": "letter",
                "due_at": text(20 + more)});
            ("contested", data)
        }
        7..=9 => {
            let result = if variant < 2 { "upheld" } else { "reversed" };
            ("contest_resolved", json!({"contest": contest, "result": result}))
        }
        10..=12 => {
            let result = ["confirmed", "overridden", "referred", "overridden"][usize::from(variant)];
            ("reviewed", json!({"review": review, "result": result, "new_outcome": format!("o{item}")}))
        }
        13 | 14 => {
            let mut data = json!({"audience": if item == 0 { "technical" } else { "affected-person" }});
            if variant > 1 {
                data["delivered_at"] = json!(text(at));
            }
            ("explained", data)
        }
        _ => {
            let kind = ["adverse-action", "use-of-automation", "outcome"][usize::from(item)];
            (
                "notified",
                json!({"kind": kind, "delivered_at": text(if variant == 3 { 1_000_000 } else { at })}),
            )
        }
    };
    let mut data = data;
    if ty != "contest_resolved" {
        data["decision"] = decision.into();
    }
    told(source, &format!("decision.{ty}"), at, data)
}

fn history(draws: &[Draw]) -> Vec<Event> {
    recorded(draws.iter().copied().map(event).collect())
}

/// Id, due date, answer and its result, how often it was told and answered again.
type SeenContest = (String, Option<Timestamp>, Option<u64>, Option<String>, u64, u64);

/// What is compared of a row.
#[derive(Debug, PartialEq)]
struct Seen {
    id: String,
    source: Option<String>,
    state: String,
    due: Option<Timestamp>,
    outcomes: [Option<Value>; 2],
    contests: Vec<SeenContest>,
    reviews: Vec<(u64, u64)>,
    referrals: Vec<u64>,
    notices: Vec<String>,
    unexplained: bool,
    out_of_order: bool,
    conflicts: Vec<u64>,
    confirmations: Vec<u64>,
    /// The first entry, and how many there are.
    ended_nothing: (Option<u64>, u64),
}

fn seen(found: &Found) -> Seen {
    let row = &found.row;
    let items = |name: &str| row.value(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let number = |item: &Value, name: &str| item.get(name).and_then(Value::as_u64).unwrap_or(0);
    let word = |item: &Value, name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
    let contest = |item: &Value| {
        let due = word(item, "due_at").and_then(|due| Timestamp::recorded(&due));
        let answer = item.get("answer").map(|answer| number(answer, "entry"));
        (
            word(item, "contest").unwrap(),
            due,
            answer,
            word(item, "result"),
            number(item, "told_again"),
            number(item, "answered_again"),
        )
    };
    let reviews = items("reviews");
    let (referrals, reviews): (Vec<&Value>, Vec<&Value>) = reviews.iter().partition(|item| is_referral(item));
    let mut notices: Vec<String> =
        items("notified").iter().filter_map(Value::as_str).map(str::to_owned).collect();
    notices.sort();
    let mut seen = Seen {
        id: found.id.clone(),
        source: row.source.clone(),
        state: row.state.clone(),
        due: row.due_at,
        outcomes: [
            row.value("outcome").cloned(),
            row.value("final_outcome").or(row.value("outcome")).cloned().filter(|_| row.state != UNOPENED),
        ],
        contests: items("contests").iter().map(contest).collect(),
        reviews: reviews
            .into_iter()
            .map(|item| (number(item, "entry"), number(item, "told_again")))
            .collect(),
        referrals: referrals.into_iter().map(|item| number(item, "entry")).collect(),
        notices,
        unexplained: marks(row).contains(&("contested_unexplained", true)),
        out_of_order: row.is(OUT_OF_ORDER),
        conflicts: entries(found, CONFLICTS, "seq"),
        confirmations: entries(found, "confirmations", "seq"),
        ended_nothing: {
            let again: u64 = items("ended_nothing").iter().map(|item| number(item, "told_again")).sum();
            let shown = entries(found, "ended_nothing", "entry");
            (shown.first().copied(), shown.len() as u64 + again)
        },
    };
    seen.contests.sort();
    seen.reviews.sort_unstable();
    seen.referrals.sort_unstable();
    seen
}

fn expected(decision: &Decision) -> Seen {
    let at = |micros: Option<i64>| micros.map(Timestamp::clamped);
    let many = |list: &[u64]| list.len() as u64;
    let mut seen = Seen {
        id: decision.id.clone(),
        source: decision.opened_by.map(|_| decision.source.clone()),
        state: decision.state.clone(),
        due: at(decision.due),
        outcomes: [decision.outcome.clone(), decision.final_outcome.clone()],
        contests: decision
            .contests
            .iter()
            .map(|contest| {
                let (again, answers) = (many(&contest.told_again), many(&contest.answered_again));
                (
                    contest.id.clone(),
                    at(contest.due),
                    contest.answered_by,
                    contest.result.clone(),
                    again,
                    answers,
                )
            })
            .collect(),
        reviews: decision.reviews.iter().map(|review| (review.seq, many(&review.told_again))).collect(),
        referrals: decision.referrals.iter().map(|review| review.seq).collect(),
        notices: decision
            .notices
            .iter()
            .filter(|(_, notice)| notice.delivered.is_some())
            .map(|(kind, _)| kind.clone())
            .collect(),
        unexplained: decision.contested_without_explanation,
        out_of_order: !decision.out_of_order.is_empty(),
        conflicts: decision.conflicts.clone(),
        confirmations: decision.confirmations.clone(),
        ended_nothing: (decision.ended_nothing.iter().min().copied(), many(&decision.ended_nothing)),
    };
    seen.contests.sort();
    seen.reviews.sort_unstable();
    seen.referrals.sort_unstable();
    seen
}

/// The view and the model as of several moments.
fn both(events: &[Event], at_once: usize, known: &[u64]) -> (Vec<Vec<Seen>>, Vec<Vec<Seen>>) {
    let at = minute(200_000);
    let asked: Vec<When> = known.iter().map(|known| When { known: *known, at }).collect();
    let found = rows(Arc::new(Decisions), events, at_once, &asked);
    let key = |seen: &Seen| (seen.id.clone(), seen.source.clone());
    let sorted = |mut rows: Vec<Seen>| {
        rows.sort_by_key(key);
        rows
    };
    // Answers whose contest nobody has told wait under its name.
    let of_view = |rows: &Vec<Found>| {
        sorted(rows.iter().filter(|found| !found.id.starts_with('?')).map(seen).collect())
    };
    let facts = facts(events);
    let of_model =
        |known: &u64| sorted(decisions(&facts, moment(*known, at)).rows.iter().map(expected).collect());
    (found.iter().map(of_view).collect(), known.iter().map(of_model).collect())
}

fn holds(events: &[Event]) {
    let all = events.len() as u64;
    for at_once in [1, events.len()] {
        let (found, expected) = both(events, at_once, &[all]);
        assert_eq!(found, expected);
    }
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn a_decision_is_what_the_plain_model_says(draws in prop::collection::vec(draw(), 0..36), at_once in 1..40_usize, cut in 0..36_u64) {
        let events = history(&draws);
        let all = events.len() as u64;
        let (found, expected) = both(&events, at_once, &[all, cut.min(all)]);
        prop_assert_eq!(found, expected);
    }
}

/// Histories on which the view and the model once differed, with what each is about.
const FOUND: [(&str, &[Draw]); 8] = [
    (
        "the same answer twice, too early both times",
        &[(4, 2, 0, 8, 1, 0), (7, 2, 0, 0, 1, 2), (7, 2, 0, 0, 1, 2)],
    ),
    (
        "the same answer twice, and only the first is too early",
        &[(4, 2, 0, 6, 2, 0), (7, 2, 0, 0, 2, 2), (7, 2, 0, 1, 2, 2)],
    ),
    (
        "the same answer twice, to a contest that is told twice",
        &[(4, 0, 0, 8, 2, 0), (7, 0, 0, 3, 2, 2), (7, 0, 0, 1, 2, 2), (4, 0, 0, 0, 2, 0)],
    ),
    (
        "an answer by a name that nobody had given yet",
        &[(10, 1, 0, 0, 0, 2), (7, 1, 0, 0, 2, 0), (4, 1, 0, 0, 2, 0)],
    ),
    (
        "another source's answer goes where its contest goes",
        &[(7, 1, 4, 0, 2, 0), (0, 1, 4, 0, 0, 2), (4, 1, 0, 0, 2, 0), (0, 1, 0, 0, 0, 1)],
    ),
    (
        "an answer was with the first row before its source had one",
        &[(0, 1, 4, 0, 0, 1), (4, 1, 0, 0, 0, 0), (7, 1, 0, 0, 0, 0), (0, 1, 0, 0, 0, 2)],
    ),
    (
        "a source's answer goes to the contest that it tells itself, later",
        &[(0, 0, 4, 0, 0, 1), (4, 0, 4, 0, 2, 0), (7, 0, 0, 0, 2, 0), (0, 0, 0, 0, 0, 2), (4, 0, 0, 0, 2, 0)],
    ),
    (
        "what is kept beside for a name is not told in a row of another source",
        &[(0, 2, 0, 0, 0, 2), (0, 2, 4, 0, 0, 1), (4, 2, 4, 0, 0, 0), (7, 2, 0, 0, 0, 0), (4, 2, 0, 0, 0, 0)],
    ),
];

#[test]
fn what_once_differed_is_the_same_as_of_every_entry() {
    for (what, draws) in FOUND {
        let events = history(draws);
        let all = events.len() as u64;
        let known: Vec<u64> = (0..=all).collect();
        for at_once in [1, 2, events.len()] {
            let (found, expected) = both(&events, at_once, &known);
            assert_eq!(found, expected, "{what}, {at_once} at once");
        }
    }
}

#[test]
fn each_contest_is_due_and_ends_by_itself() {
    let contest = |at: i64, id: &str, due: &str| {
        let data = json!({"decision": "D", "contest": id, "received_at": text(at), "channel": "letter", "due_at": due});
        told("/b", "decision.contested", at, data)
    };
    let made = told("/a", "decision.made", 0, json!({"decision": "D", "outcome": "no"}));
    let review = json!({"decision": "D", "review": "R", "result": "confirmed"});
    let answer = json!({"contest": "C1", "result": "reversed"});
    holds(&recorded(vec![
        made,
        // Later than the other one, though its text is the smaller one.
        contest(1, "C1", "2026-04-01T23:30:00-10:00"),
        contest(2, "C2", "2026-04-02T01:00:00Z"),
        told("/a", "decision.reviewed", 3, review),
        told("/c", "decision.contest_resolved", 4, answer),
    ]));
}

#[test]
fn an_answer_goes_where_its_contest_is_though_its_source_has_a_row_of_its_own() {
    let made = |source: &str, outcome: &str| {
        told(source, "decision.made", 0, json!({"decision": "D", "outcome": outcome}))
    };
    let contest = |source: &str, id: &str| {
        told(source, "decision.contested", 1, json!({"decision": "D", "contest": id, "due_at": text(9)}))
    };
    let answer =
        |id: &str| told("/b", "decision.contest_resolved", 2, json!({"contest": id, "result": "upheld"}));
    holds(&recorded(vec![made("/a", "no"), contest("/a", "C"), made("/b", "yes"), answer("C")]));
    // What was said before the row of its source was there.
    let early = vec![
        made("/a", "no"),
        contest("/a", "C1"),
        contest("/b", "C2"),
        answer("C1"),
        answer("C2"),
        made("/b", "yes"),
    ];
    holds(&recorded(early));
}

#[test]
fn the_same_contest_of_two_systems_on_two_decisions_is_two() {
    let of = |source: &str, decision: &str| {
        let contest = json!({"decision": decision, "contest": "C", "due_at": text(9)});
        vec![
            told(source, "decision.made", 0, json!({"decision": decision, "outcome": "no"})),
            told(source, "decision.contested", 1, contest),
        ]
    };
    let answer = told("/b", "decision.contest_resolved", 2, json!({"contest": "C", "result": "upheld"}));
    let events = recorded([of("/a", "D1"), of("/b", "D2"), vec![answer]].concat());
    holds(&events);
    let found = both(&events, 1, &[5]).0;
    let states: Vec<&str> = found.iter().flatten().map(|row| row.state.as_str()).collect();
    assert_eq!(states, ["contested", "upheld"]);
}

/// What may differ with the order of recording, and nothing else: which of two openings, of two tellings of one contest or
/// review, and of two answers to one contest is the first, and with it conflicts and confirmations; where answers are told
/// apart by it; whether recording went another way than doing; and what is said of when it was recorded. Here nothing is
/// told twice, so that only the mark is left.
const MAY_DIFFER: [&str; 1] = [OUT_OF_ORDER];

#[test]
fn the_order_of_recording_changes_nothing_but_what_is_tied_to_it() {
    let of = |source: &str, ty: &str, at: i64, data: Value| {
        let mut data = data;
        if ty != "contest_resolved" {
            data["decision"] = "D".into();
        }
        told(source, &format!("decision.{ty}"), at, data)
    };
    let contest =
        |at: i64, id: &str| json!({"contest": id, "received_at": text(at), "due_at": text(at + 30)});
    let story = [
        of(
            "/a",
            "made",
            0,
            json!({"outcome": "no", "review_required": true, "review_due_at": text(40), "adverse": true}),
        ),
        of("/b", "notified", -2, json!({"kind": "adverse-action", "delivered_at": text(-1)})),
        of("/b", "reviewed", 3, json!({"review": "R1", "result": "referred"})),
        of("/b", "contested", 5, contest(5, "C1")),
        of("/c", "contest_resolved", 4, json!({"contest": "C1", "result": "upheld"})),
        of("/b", "contested", 8, contest(8, "C2")),
        of("/a", "reviewed", 12, json!({"review": "R2", "result": "overridden", "new_outcome": "yes"})),
        of("/b", "explained", 14, json!({"audience": "affected-person", "delivered_at": text(14)})),
        of("/c", "contest_resolved", 20, json!({"contest": "C2", "result": "reversed"})),
        of("/a", "reviewed", 25, json!({"review": "R3", "result": "confirmed"})),
    ];
    let row = |order: &[usize]| {
        let events = recorded(order.iter().map(|place| story[*place].clone()).collect());
        let (mut found, expected) = both(&events, 3, &[events.len() as u64]);
        assert_eq!(found, expected);
        let mut row = found.remove(0).remove(0);
        let known = |entry: u64| u64::try_from(order[entry as usize]).unwrap();
        for contest in &mut row.contests {
            contest.2 = contest.2.map(known);
        }
        row.reviews.iter_mut().for_each(|review| review.0 = known(review.0));
        row.referrals.iter_mut().for_each(|review| *review = known(*review));
        row.reviews.sort_unstable();
        row.out_of_order = false;
        row
    };
    let mut order: Vec<usize> = (0..story.len()).collect();
    let first = row(&order);
    assert_eq!((first.state.as_str(), first.due, first.unexplained), ("confirmed", None, false));
    assert_eq!(
        (first.notices.as_slice(), MAY_DIFFER),
        (["adverse-action".to_owned()].as_slice(), [OUT_OF_ORDER])
    );
    let mut seed = 11_u64;
    for _ in 0..20 {
        for place in (1..order.len()).rev() {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            order.swap(place, (seed >> 33) as usize % (place + 1));
        }
        assert_eq!(row(&order), first, "{order:?}");
    }
}

#[test]
fn a_step_on_the_way_is_not_the_duty_done() {
    let made = json!({"decision": "D", "outcome": "no", "review_required": true, "review_due_at": text(9), "adverse": true});
    let events = recorded(vec![
        told("/a", "decision.made", 0, made),
        told("/a", "decision.reviewed", 3, json!({"decision": "D", "review": "R", "result": "referred"})),
        told("/a", "decision.contested", 4, json!({"decision": "D", "contest": "C", "due_at": text(30)})),
        told("/a", "decision.explained", 5, json!({"decision": "D", "audience": "affected-person"})),
        told(
            "/a",
            "decision.notified",
            6,
            json!({"decision": "D", "kind": "use-of-automation", "delivered_at": text(6)}),
        ),
    ]);
    holds(&events);
    let when = When { known: 5, at: minute(200_000) };
    let found = rows(Arc::new(Decisions), &events, 1, &[when]).remove(0).remove(0);
    assert_eq!(found.row.due_at, Some(minute(9)));
    let open = ["adverse_unnotified", "contested_unexplained", "unreviewed"];
    assert!(open.iter().all(|mark| marks(&found.row).contains(&(*mark, true))), "{:?}", marks(&found.row));
    let facts = Decisions.contribution(&found.row);
    assert!(facts.is_none(), "without a model there is nothing to count it under");
}

#[test]
fn more_contests_than_are_kept_are_never_taken_for_answered() {
    let mut story = vec![told("/a", "decision.made", 0, json!({"decision": "D", "outcome": "no"}))];
    for n in 0..70 {
        let data = json!({"decision": "D", "contest": format!("C{n}"), "due_at": text(100 + n)});
        story.push(told("/a", "decision.contested", 1 + n, data));
    }
    for n in 0..70 {
        let data = json!({"contest": format!("C{n}"), "result": "upheld"});
        story.push(told("/a", "decision.contest_resolved", 80, data));
    }
    let events = recorded(story);
    let when = When { known: events.len() as u64, at: minute(200_000) };
    let found = rows(Arc::new(Decisions), &events, 9, &[when]).remove(0).remove(0);
    assert_eq!((found.row.state.as_str(), found.row.due_at), ("contested", Some(minute(164))));
    assert_eq!(found.row.value("contests_beyond"), Some(&json!(6)));
}
