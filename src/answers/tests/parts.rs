//! A list that is read in several parts: all of them are as of the moment of the first.

use super::kit::{SmallLedger, principal, time};
use crate::answers::cursor;
use crate::answers::deadline::Deadline;
use crate::answers::entries::{self, EntriesAsked};
use crate::answers::error::AnswerError;
use crate::answers::moment::Held;
use crate::answers::parameters::Parameters;
use crate::answers::{Answer, corrections, rows, timeline};
use crate::identity::Role;
use serde_json::json;

fn asked(pairs: &[(&str, &str)]) -> Parameters {
    Parameters::of(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))).unwrap()
}

/// Asks for nothing back, under an id of its own.
fn withdraw(ledger: &SmallLedger, approval: &str) -> u64 {
    let data = json!({"approval": approval, "by": "user:ann", "reason": "asked twice"});
    ledger.post(approval, "approval.withdrawn", "CASE-1", "2026-03-01T09:00:00Z", data)
}

fn ledger() -> SmallLedger {
    let ledger = SmallLedger::at("2026-03-01T09:00:00.000000Z");
    for approval in ["A-1", "A-2", "A-3"] {
        withdraw(&ledger, approval);
    }
    ledger
}

#[test]
fn what_is_recorded_between_two_parts_is_in_neither() {
    let ledger = ledger();
    // Asked for now, and in an order in which what comes later would come later.
    let question = asked(&[("sort", "opened"), ("limit", "9"), ("cursor", "ff")]);
    let first = rows::list(&ledger.inquiry(), "approvals", &question.part(2, None, None)).unwrap();
    let Answer { body, as_of, .. } = first;
    let held = Held { entries: as_of.entries, at: as_of.at };
    assert_eq!((body.page.items.len(), as_of.entries, as_of.current), (2, 4, true));
    withdraw(&ledger, "A-4");
    ledger.clock.advance_to(time("2026-03-02T09:00:00.000000Z"));
    let next = body.page.next.as_deref();
    let ids = |held| {
        let rest = rows::list(&ledger.inquiry(), "approvals", &question.part(9, next, held)).unwrap();
        let ids: Vec<String> = rest.body.page.items.into_iter().map(|row| row.this.id).collect();
        (ids, rest.as_of.entries, rest.as_of.at, rest.body.page.next)
    };
    assert_eq!(ids(Some(held)), (vec!["A-3".to_owned()], 4, held.at, None));
    let (without, entries, _, _) = ids(None);
    assert_eq!((without, entries), (vec!["A-3".to_owned(), "A-4".to_owned()], 5), "nothing was tested");

    let about = asked(&[("order", "asc")]);
    let inquiry = ledger.inquiry();
    let told = |held| timeline::timeline(&inquiry, "CASE-1", &about.part(9, None, held)).unwrap();
    assert_eq!(told(Some(held)).body.page.items.len(), 3);
    assert_eq!(told(None).body.page.items.len(), 4);
    let listed = |held| {
        let asked = EntriesAsked::of(&asked(&[("source", "/bank")]).part(9, None, held)).unwrap();
        entries::list(&inquiry, &asked, |entry, _| entry.seq).unwrap().page.items
    };
    assert_eq!((listed(Some(held)), listed(None)), (vec![1, 2, 3], vec![1, 2, 3, 4]));
}

#[test]
fn a_part_that_cannot_be_of_its_moment_is_none() {
    let ledger = ledger();
    let beyond = Some(Held { entries: 99, at: time("2026-03-01T09:00:00.000000Z") });
    let question = asked(&[]);
    let rows = rows::list(&ledger.inquiry(), "approvals", &question.part(2, None, beyond)).map(|_| ());
    assert!(matches!(rows, Err(AnswerError::NotThere(_))), "{rows:?}");
    let entries = entries::list(
        &ledger.inquiry(),
        &EntriesAsked::of(&question.part(2, None, beyond)).unwrap(),
        |entry, _| entry.seq,
    );
    assert!(matches!(entries, Err(AnswerError::NotThere(_))));
    // A cursor of another question is none of this one's, also in a part.
    let foreign = cursor::encode("another", 1);
    let corrections = corrections::list(&ledger.inquiry(), &question.part(2, Some(&foreign), None));
    assert!(matches!(corrections, Err(AnswerError::Cursor)));
}

#[test]
fn the_entry_of_a_source_and_id_is_for_whoever_may_read_it() {
    let ledger = ledger();
    let find = |actor: &str, role, id: &str| {
        let asked = EntriesAsked::of(&asked(&[("source", "/bank"), ("id", id)])).unwrap();
        let found =
            entries::find(ledger.desk(), &principal(actor, role), &asked, Deadline::default(), |entry, _| {
                entry.seq
            });
        found.map(|found| found.page.items).map_err(|error| error.to_string())
    };
    assert_eq!(find("app:bank", Role::Producer, "A-2"), Ok(vec![2]));
    assert_eq!(find("user:eve", Role::Auditor, "A-2"), Ok(vec![2]));
    let (foreign, absent) =
        (find("app:other", Role::Producer, "A-2"), find("app:other", Role::Producer, "A-9"));
    assert!(foreign.is_err());
    assert_eq!(foreign, absent);
    assert!(find("user:eve", Role::Auditor, "A-9").is_err());
}
