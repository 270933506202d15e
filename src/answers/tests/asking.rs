//! What every question promises: who may ask, as of when, page by page, and not for ever.

use super::kit::{SmallLedger, principal, time};
use crate::answers::deadline::Deadline;
use crate::answers::entries::{EntriesAsked, EntryFilter};
use crate::answers::error::AnswerError;
use crate::answers::moment::AskedMoment;
use crate::answers::parameters::Parameters;
use crate::answers::row::ColumnKind;
use crate::answers::{entries, proofs, registers, rows, standing, timeline};
use crate::identity::Role;
use serde_json::{Value, json};
use std::time::Duration;

fn asked(pairs: &[(&str, &str)]) -> Parameters {
    Parameters::of(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))).unwrap()
}

fn requested(approval: &str) -> Value {
    json!({
        "by": "user:ann", "approval": approval, "kind": "budget",
        "target": {"type": "budget", "id": format!("B-{approval}"), "version": "1"},
        "scope_digest": format!("sha256:{}", "0".repeat(64)), "rationale": "It is needed.", "pillars": [],
        "quorum": {"n": 1, "roles": ["risk-officer"], "veto": false}, "due_at": "2026-03-20T00:00:00Z",
    })
}

fn granted(approval: &str) -> Value {
    json!({
        "by": "user:bob", "approval": approval, "scope_digest": format!("sha256:{}", "0".repeat(64)),
        "capacity": "risk-officer", "rationale": "It is right.", "conflict_declared": false,
    })
}

/// Three approvals, asked for on three days, of which the first was granted on the fourth.
fn approvals() -> (SmallLedger, Vec<u64>) {
    let ledger = SmallLedger::at("2026-03-01T09:00:00.000000Z");
    let mut seqs = Vec::new();
    for (day, approval) in ["A-1", "A-2", "A-3"].into_iter().enumerate() {
        let now = format!("2026-03-0{}T09:00:00.000000Z", day + 1);
        ledger.clock.advance_to(time(&now));
        seqs.push(ledger.post(approval, "approval.requested", "CASE-1", &now, requested(approval)));
    }
    let now = "2026-03-04T09:00:00.000000Z";
    ledger.clock.advance_to(time(now));
    seqs.push(ledger.post("vote", "approval.granted", "CASE-1", now, granted("A-1")));
    (ledger, seqs)
}

#[test]
fn who_may_not_read_everything_has_no_inquiry_and_sees_its_own_entries_alone() {
    let (ledger, seqs) = approvals();
    let producer = principal("app:bank", Role::Producer);
    let refused = ledger.desk().inquiry(&producer, Deadline::default()).map(|_| ());
    assert!(matches!(refused, Err(AnswerError::Forbidden(_))), "{refused:?}");
    assert!(entries::one(ledger.desk(), &producer, seqs[0]).is_ok());
    assert!(entries::receipt(ledger.desk(), &producer, seqs[0]).is_ok());
    let stranger = principal("app:other", Role::Producer);
    let unseen = entries::one(ledger.desk(), &stranger, seqs[0]);
    assert!(matches!(unseen, Err(AnswerError::NotThere(_))), "{unseen:?}");
    assert!(entries::one(ledger.desk(), &principal("user:eve", Role::Auditor), seqs[0]).is_ok());
}

#[test]
fn rows_come_typed_with_their_columns_and_page_by_page() {
    let (ledger, seqs) = approvals();
    let inquiry = ledger.inquiry();
    let first = rows::list(&inquiry, "approvals", &asked(&[("sort", "opened"), ("limit", "2")])).unwrap();
    assert_eq!((first.applied, first.as_of.entries, first.as_of.current), (5, 5, true));
    let ids: Vec<&str> = first.body.page.items.iter().map(|row| row.this.id.as_str()).collect();
    assert_eq!(ids, ["A-1", "A-2"]);
    let [granted, pending] = first.body.page.items.as_slice() else { panic!("{first:?}") };
    assert_eq!((granted.state.as_str(), pending.state.as_str()), ("granted", "pending"));
    assert_eq!(granted.this.view, "approvals");
    assert_eq!((granted.first, granted.last), (seqs[0], seqs[3]));
    let kind =
        |name: &str| first.body.columns.iter().find(|column| column.name == name).map(|column| column.kind);
    assert_eq!(kind("due_at"), Some(ColumnKind::Time));
    assert_eq!(kind("without_rationale"), Some(ColumnKind::Flag));
    assert_eq!(kind("target"), Some(ColumnKind::Field));

    let next = first.body.page.next.unwrap();
    let more = [("sort", "opened"), ("limit", "2"), ("cursor", next.as_str())];
    let second = rows::list(&inquiry, "approvals", &asked(&more)).unwrap();
    let ids: Vec<&str> = second.body.page.items.iter().map(|row| row.this.id.as_str()).collect();
    assert_eq!((ids.as_slice(), second.body.page.next), (["A-3"].as_slice(), None));

    // The same cursor for another question would lead anywhere.
    let other = asked(&[("sort", "opened"), ("state", "pending"), ("cursor", next.as_str())]);
    let refused = rows::list(&inquiry, "approvals", &other);
    assert!(matches!(refused, Err(AnswerError::Cursor)), "{refused:?}");
}

/// The order of the ledger is that of recording; what was told late was opened before what was told in time.
#[test]
fn rows_come_in_the_order_of_business_too_and_page_by_page() {
    let (ledger, _) = approvals();
    let late = "2026-03-01T12:00:00.000000Z";
    ledger.post("late", "approval.requested", "CASE-2", late, requested("A-0"));
    let inquiry = ledger.inquiry();
    let listed = |sort: &str| {
        let (mut ids, mut cursor) = (Vec::new(), None);
        loop {
            let mut pairs = vec![("sort", sort), ("limit", "1")];
            pairs.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let page = rows::list(&inquiry, "approvals", &asked(&pairs)).unwrap().body.page;
            ids.extend(page.items.into_iter().map(|row| row.this.id));
            match page.next {
                Some(next) => cursor = Some(next),
                None => return ids.join(" "),
            }
        }
    };
    assert_eq!(listed("recorded"), "A-1 A-2 A-3 A-0");
    assert_eq!((listed("opened"), listed("-opened")), ("A-1 A-0 A-2 A-3".into(), "A-3 A-2 A-0 A-1".into()));
    assert_eq!((listed("changed"), listed("-changed")), ("A-0 A-2 A-3 A-1".into(), "A-1 A-3 A-2 A-0".into()));
    assert_eq!((listed("ended"), listed("-ended")), (String::new(), String::new()));
    ledger.post(
        "end",
        "approval.withdrawn",
        "CASE-2",
        late,
        json!({"by": "user:ann", "approval": "A-0", "reason": "No."}),
    );
    assert_eq!(listed("-ended"), "A-0");
}

#[test]
fn one_row_and_its_history_are_told_as_they_were_known_and_as_they_held() {
    let (ledger, seqs) = approvals();
    let inquiry = ledger.inquiry();
    let state = |asked: AskedMoment| {
        let answer = rows::one(&inquiry, "approvals", "A-1", None, &asked).unwrap();
        (answer.body.state, answer.body.overdue, answer.as_of)
    };
    let (now, _, as_of) = state(AskedMoment::default());
    assert_eq!((now.as_str(), as_of.current, as_of.at), ("granted", true, inquiry.desk().clock.now()));
    let as_known = AskedMoment { as_of: Some(seqs[2].to_string()), ..AskedMoment::default() };
    let (before, _, as_of) = state(as_known.clone());
    assert_eq!((before.as_str(), as_of.entries, as_of.current), ("pending", seqs[2] + 1, false));
    let as_held = AskedMoment { at: Some("2026-03-03T12:00:00Z".to_owned()), ..AskedMoment::default() };
    assert_eq!(state(as_held).0, "pending");

    let history = rows::history(&inquiry, "approvals", "A-1", &asked(&[])).unwrap();
    let told: Vec<u64> = history.body.changes.iter().map(|change| change.seq).collect();
    assert_eq!(told, [seqs[0], seqs[3]]);
    let backwards = rows::history(&inquiry, "approvals", "A-1", &asked(&[("order", "desc")])).unwrap();
    let told: Vec<u64> = backwards.body.changes.iter().map(|change| change.seq).collect();
    assert_eq!(told, [seqs[3], seqs[0]]);
    let then =
        rows::history(&inquiry, "approvals", "A-1", &asked(&[("as_of", &seqs[2].to_string())])).unwrap();
    assert_eq!(then.body.changes.len(), 1);

    let absent = rows::one(&inquiry, "approvals", "A-9", None, &AskedMoment::default());
    assert!(matches!(absent, Err(AnswerError::NotThere(_))), "{absent:?}");
    let beyond = AskedMoment { min_seq: Some(99), ..AskedMoment::default() };
    let beyond = rows::one(&inquiry, "approvals", "A-1", None, &beyond);
    assert!(matches!(beyond, Err(AnswerError::NotThere(_))), "{beyond:?}");
}

#[test]
fn counts_and_registers_are_of_now() {
    let (ledger, _) = approvals();
    let inquiry = ledger.inquiry();
    let counts = rows::counts(&inquiry, "approvals", &asked(&[])).unwrap().body;
    let expected = [("granted".to_owned(), 1), ("pending".to_owned(), 2)];
    assert_eq!((counts.items.as_slice(), counts.total, counts.overdue), (expected.as_slice(), 3, 0));
    // The same ledger, when the due dates have passed.
    ledger.clock.advance_to(time("2026-03-21T00:00:00.000000Z"));
    assert_eq!(rows::counts(&inquiry, "approvals", &asked(&[])).unwrap().body.overdue, 2);
    let past = rows::counts(&inquiry, "approvals", &asked(&[("as_of", "2")]));
    assert!(matches!(past, Err(AnswerError::Parameter(_))), "{past:?}");
    let registers = registers::list(&inquiry).unwrap().body;
    assert!(registers.len() > 50 && registers.iter().all(|counted| counted.rows == 0));
    assert!(matches!(registers::known(&inquiry, "approvals"), Err(AnswerError::NotThere(_))));
    let standing = standing::list(&inquiry).unwrap().body;
    assert!(standing.size == 5 && standing.items.iter().any(|view| view.name == "approvals"));
}

#[test]
fn what_is_not_understood_is_refused_before_anything_is_looked_at() {
    let (ledger, _) = approvals();
    let inquiry = ledger.inquiry();
    for pairs in [
        [("colour", "red")],
        [("limit", "0")],
        [("sort", "colour")],
        [("overdue", "perhaps")],
        [("at", "soon")],
        [("as_of", "10000-01-01T00:00:00Z")],
    ] {
        let refused = rows::list(&inquiry, "approvals", &asked(&pairs));
        assert!(matches!(refused, Err(AnswerError::Parameter(_))), "{pairs:?}: {refused:?}");
    }
    let twice = [("state", "a"), ("state", "b")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert!(matches!(Parameters::of(twice), Err(AnswerError::Parameter(_))));
}

#[test]
fn entries_are_listed_by_what_they_are_whatever_the_index_takes_for_them() {
    let (ledger, seqs) = approvals();
    let inquiry = ledger.inquiry();
    let numbers = |asked: &EntriesAsked| {
        let found = entries::list(&inquiry, asked, |entry, _| entry.seq).unwrap();
        (found.page.items, found.page.next)
    };
    let of_type = EntryFilter { event_type: Some("approval.requested".to_owned()), ..EntryFilter::default() };
    let page = EntriesAsked { filter: of_type, limit: Some(2), ..EntriesAsked::default() };
    let (first, next) = numbers(&page);
    assert_eq!(first, seqs[..2]);
    let (rest, end) = numbers(&EntriesAsked { cursor: next.clone(), ..page.clone() });
    assert_eq!((rest.as_slice(), end), (&seqs[2..3], None));
    let (all, _) = numbers(&EntriesAsked { newest_first: true, ..EntriesAsked::default() });
    assert_eq!(all, [4, 3, 2, 1, 0]);
    let other = EntriesAsked { cursor: next, newest_first: true, ..page };
    let refused = entries::list(&inquiry, &other, |_, _| ());
    assert!(matches!(refused, Err(AnswerError::Cursor)), "{refused:?}");
}

#[test]
fn a_timeline_names_the_rows_that_were_changed() {
    let (ledger, seqs) = approvals();
    let inquiry = ledger.inquiry();
    let found = timeline::timeline(&inquiry, "A-1", &asked(&[])).unwrap();
    let told: Vec<(u64, &str)> = found
        .body
        .page
        .items
        .iter()
        .map(|mention| (mention.seq, mention.row.as_ref().map_or("", |row| row.id.as_str())))
        .collect();
    assert_eq!(told, [(seqs[0], "A-1"), (seqs[3], "A-1")]);
}

#[test]
fn an_answer_that_takes_too_long_is_ended() {
    let (ledger, _) = approvals();
    let inquiry = ledger.inquiry_until(Deadline::after(Duration::ZERO));
    let too_long = |answered: Result<(), AnswerError>| {
        assert!(matches!(answered, Err(AnswerError::TookTooLong)), "{answered:?}");
    };
    too_long(entries::list(&inquiry, &EntriesAsked::default(), |_, _| ()).map(|_| ()));
    too_long(timeline::timeline(&inquiry, "A-1", &asked(&[])).map(|_| ()));
    too_long(rows::list(&inquiry, "approvals", &asked(&[])).map(|_| ()));
    too_long(rows::list(&inquiry, "approvals", &asked(&[("sort", "due"), ("as_of", "2")])).map(|_| ()));
    // What takes no loop is answered still.
    assert!(rows::one(&inquiry, "approvals", "A-1", None, &AskedMoment::default()).is_ok());
}

#[test]
fn what_offline_verification_needs_is_answered_without_an_inquiry() {
    let (ledger, seqs) = approvals();
    let desk = ledger.desk();
    assert!(!proofs::inclusion(desk, seqs[0], None).unwrap().is_empty());
    assert!(matches!(proofs::inclusion(desk, 5, None), Err(AnswerError::NotThere(_))));
    assert!(matches!(proofs::consistency(desk, 4, Some(2)), Err(AnswerError::Parameter(_))));
    assert!(proofs::tile(desk, "entries/000.p/5").is_ok());
    assert!(matches!(proofs::tile(desk, "entries/000.p/6"), Err(AnswerError::NotThere(_))));
    assert_eq!(proofs::keys(desk).unwrap().keys.len(), 1);
}
