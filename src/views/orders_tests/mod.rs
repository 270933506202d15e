//! The order of recording does not matter: the same thousands of events, as messy as real ones, make the same rows in
//! whatever order they are recorded and in whatever batches they are applied, but for what [`ties::TIED`] lists.
//!
//! `DAYBOOK_SEED=n` repeats one history with its orders; `DAYBOOK_SOAK` tries more and longer ones.

mod book;
mod seen;
mod shrunk;
mod stories;
mod ties;

use super::access::{Grants, Requests, Uses};
use super::approvals::{Approvals, Entitled};
use super::decisions::Decisions;
use super::engine::{ActLists, Projection, View};
use super::escalations::Escalations;
use super::registers::RegisterView;
use book::{Book, Dice, History};
use seen::{CATALOG, Row, rows};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use ties::{TIED, Tie, Ties};

/// Random orders of recording that are held against the first one.
const ORDERS: u64 = 20;

/// As many where rows are to differ.
const FEW: u64 = 5;

/// Events of one history, at least.
const EVENTS: usize = 1_000;

/// What no tie, and no member of a row, is called.
const NOTHING: &str = "nothing";

/// How long a counterexample is made smaller before it is shown.
const SHRINKING: Duration = Duration::from_secs(120);

/// A view with the stories that its rows come of.
struct Subject {
    views: Vec<Projection>,
    story: fn(&mut Book, usize),
    /// Whether votes need rights.
    rights: bool,
}

impl Subject {
    fn new(views: Vec<Arc<dyn View>>, story: fn(&mut Book, usize)) -> Subject {
        let views = views.into_iter().map(Projection::Rows).collect();
        Subject { views, story, rights: false }
    }

    fn history(&self, seed: u64, events: usize) -> History {
        let mut book = Book::new(seed);
        if self.rights {
            stories::rights(&mut book);
        }
        for number in 0.. {
            (self.story)(&mut book, number);
            if book.len() >= events {
                break;
            }
        }
        book.correct();
        book.finish()
    }

    /// Holds rows in random orders against those in the first one.
    fn holds(&self) {
        let (seeds, times) = seeds();
        for seed in seeds {
            let history = self.history(seed, EVENTS * times);
            let ties = Ties::without(NOTHING);
            if let Some(found) = self.difference(&history, &ties, seed, ORDERS) {
                panic!("DAYBOOK_SEED={seed}: {}", self.shrunk(&history, &ties, &found, seed));
            }
        }
    }

    /// The first order, and one in which rows differ from those in the first.
    fn difference(&self, history: &History, ties: &Ties, seed: u64, orders: u64) -> Option<[Vec<usize>; 2]> {
        let sequences = ties.sequences(history);
        let first: Vec<usize> = (0..history.events.len()).collect();
        let expected =
            [false, true].map(|now| rows(&self.views, history, &first, (ties, now), &mut Dice::new(seed, 1)));
        let [middle, now] = &expected;
        assert!(now.len() > history.events.len() / 40 && middle.len() > now.len() / 4, "these are few");
        // The first of the orders is the one turned round, as far as may be.
        (0..=orders).find_map(|number| {
            let mut dice = Dice::new(seed, 2 + number);
            let order = ties::order(history.events.len(), &sequences, number == 0, &mut dice);
            // Of each four, one is seen as it held in the middle.
            let now = number % 4 != 1;
            let found = rows(&self.views, history, &order, (ties, now), &mut dice);
            (found != expected[usize::from(now)]).then(|| [first.clone(), order])
        })
    }

    /// The fewest events that still make a difference, as a text.
    fn shrunk(&self, history: &History, ties: &Ties, orders: &[Vec<usize>; 2], seed: u64) -> String {
        let began = Instant::now();
        let differ = |kept: &BTreeSet<usize>| {
            let kept: Vec<usize> = kept.iter().copied().collect();
            let history = history.only(&kept);
            let place = |old: &usize| kept.binary_search(old).ok();
            let of = |order: &Vec<usize>| order.iter().filter_map(place).collect::<Vec<usize>>();
            let [one, other] = [&orders[0], &orders[1]].map(of);
            let rows = |order: &[usize], number| {
                rows(&self.views, &history, order, (ties, number != 1), &mut Dice::new(seed, number))
            };
            (0..3)
                .find_map(|number| {
                    let (one, other) = (rows(&one, number), rows(&other, number));
                    (one != other).then_some((one, other))
                })
                .map(|found| (history, one, other, found))
        };
        let mut kept: BTreeSet<usize> = (0..history.events.len()).collect();
        let mut portion = kept.len() / 2;
        while portion > 0 && began.elapsed() < SHRINKING {
            let all: Vec<usize> = kept.iter().copied().collect();
            for gone in all.chunks(portion) {
                let fewer: BTreeSet<usize> =
                    kept.iter().copied().filter(|place| !gone.contains(place)).collect();
                if !fewer.is_empty() && differ(&fewer).is_some() {
                    kept = fewer;
                }
            }
            portion /= 2;
        }
        let Some((history, one, other, found)) = differ(&kept) else {
            return "rows differ, but in these batches alone".to_owned();
        };
        let mut said = String::from("rows differ\n");
        for (order, name) in [(one, "in the first order"), (other, "in another order")] {
            let _ = writeln!(said, "{name}:");
            for event in order.iter().map(|place| &history.events[*place]) {
                let (id, ty, data) = (&event.id, &event.ty, &event.data);
                let _ = writeln!(said, "  {id} {} {} {ty} {data}", event.source, event.happened_at);
            }
        }
        let _ = writeln!(said, "{}", differences(&found.0, &found.1));
        said
    }
}

/// The rows that differ, in both.
fn differences(one: &[Row], other: &[Row]) -> String {
    let only = |these: &[Row], those: &[Row]| {
        let these = these.iter().filter(|row| !those.contains(row));
        these.map(|(name, row)| format!("  {name}: {row}\n")).collect::<String>()
    };
    format!("rows in the first order:\n{}rows in the other order:\n{}", only(one, other), only(other, one))
}

/// The seeds that are tried, and how many times as long their histories are.
fn seeds() -> (std::ops::Range<u64>, usize) {
    let seed = std::env::var("DAYBOOK_SEED").ok().map(|seed| seed.parse::<u64>().unwrap());
    let soak = std::env::var_os("DAYBOOK_SOAK").is_some();
    let seeds = seed.map_or(0..if soak { 10 } else { 1 }, |seed| seed..seed + 1);
    (seeds, if soak { 3 } else { 1 })
}

fn register(name: &str) -> Arc<dyn View> {
    Arc::new(RegisterView::new(CATALOG.register(name).unwrap(), &CATALOG))
}

fn decisions() -> Subject {
    Subject::new(vec![Arc::new(Decisions)], stories::decision)
}

fn imported() -> Subject {
    let mut subject = Subject::new(vec![Arc::new(Decisions)], stories::imported);
    subject.views.push(Projection::Lists(Arc::new(ActLists)));
    subject
}

fn approvals() -> Subject {
    let mut subject = Subject::new(vec![Arc::new(Approvals)], stories::approval);
    subject.views.push(Projection::Lists(Arc::new(Entitled)));
    Subject { rights: true, ..subject }
}

fn escalations() -> Subject {
    Subject::new(vec![Arc::new(Escalations)], stories::escalation)
}

fn access() -> Subject {
    Subject::new(vec![Arc::new(Grants), Arc::new(Requests), Arc::new(Uses)], stories::access)
}

fn rights() -> Subject {
    Subject::new(vec![register("role-assignments"), register("delegations")], stories::right)
}

fn lives() -> Subject {
    Subject::new(vec![register("incidents"), register("risks")], stories::life)
}

#[test]
fn decisions_are_the_same_in_whatever_order_they_are_told() {
    decisions().holds();
}

#[test]
fn what_is_brought_in_is_the_same_in_whatever_order_it_is_told() {
    imported().holds();
}

#[test]
fn approvals_are_the_same_in_whatever_order_they_are_told() {
    approvals().holds();
}

#[test]
fn escalations_are_the_same_in_whatever_order_they_are_told() {
    escalations().holds();
}

#[test]
fn grants_requests_and_uses_are_the_same_in_whatever_order_they_are_told() {
    access().holds();
}

#[test]
fn roles_and_delegations_are_the_same_in_whatever_order_they_are_told() {
    rights().holds();
}

#[test]
fn incidents_and_risks_are_the_same_in_whatever_order_they_are_told() {
    lives().holds();
}

/// What is listed as tied is so: without it rows differ. So the test sees what there is to see, and nothing is let go that
/// need not be.
#[test]
fn what_may_differ_does_differ() {
    let subjects = [decisions(), escalations(), approvals(), access(), imported()];
    let histories: Vec<History> = subjects.iter().map(|subject| subject.history(0, EVENTS / 3)).collect();
    for Tie { what, .. } in &TIED {
        let ties = Ties::without(what);
        let mut told = subjects.iter().zip(&histories);
        let differs = told.any(|(subject, history)| subject.difference(history, &ties, 0, FEW).is_some());
        assert!(differs, "nothing differs by this: {what}");
    }
}
