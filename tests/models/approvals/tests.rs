//! One test for each sentence of section 3, and of section 10 "Approvals". Times are minutes of the first day
//! of 1970.

use serde_json::{Value, json};

use super::*;
use crate::base::Micros;

const MINUTE: Micros = 60_000_000;

/// A ledger in the making.
#[derive(Clone, Default)]
struct Story {
    facts: Vec<Fact>,
}

fn iso(minute: Micros) -> String {
    format!("1970-01-{:02}T{:02}:{:02}:00Z", 1 + minute / 1440, minute / 60 % 24, minute % 60)
}

fn merged(mut data: Value, more: Value) -> Value {
    data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    data
}

impl Story {
    /// Anna, Bert and Dora are risk officers from the start.
    fn new() -> Self {
        let mut story = Self::default();
        for who in ["anna", "bert", "dora"] {
            story.role(0, who, json!({}));
        }
        story
    }

    /// An event done at `act` and recorded at `recorded`.
    fn late(&mut self, act: Micros, recorded: Micros, by: &str, ty: &str, data: Value) -> u64 {
        let seq = self.facts.len() as u64;
        assert!(act <= recorded);
        self.facts.push(Fact {
            seq,
            place: seq,
            recorded: recorded * MINUTE,
            act: act * MINUTE,
            source: "bank".into(),
            id: format!("e{seq}"),
            ty: ty.into(),
            actor: format!("app:{by}"),
            by: by.into(),
            subject: None,
            data,
            imported: false,
        });
        seq
    }

    /// An event recorded when it was done, or with the one before it.
    fn add(&mut self, act: Micros, by: &str, ty: &str, data: Value) -> u64 {
        let last = self.facts.last().map_or(0, |fact| fact.recorded / MINUTE);
        self.late(act, act.max(last), by, ty, data)
    }

    fn said_by(&mut self, source: &str) -> &mut Self {
        self.facts.last_mut().unwrap().source = source.into();
        self
    }

    fn role(&mut self, act: Micros, who: &str, more: Value) -> u64 {
        self.add(act, "hr", "role.assigned", merged(json!({"principal": who, "role": "risk"}), more))
    }

    fn lend(&mut self, act: Micros, from: &str, to: &str) -> u64 {
        self.add(act, from, "delegation.granted", json!({"from": from, "to": to}))
    }

    fn ask(&mut self, act: Micros, more: Value) -> u64 {
        self.add(act, "rita", "approval.requested", merged(asked(), more))
    }

    fn vote(&mut self, act: Micros, by: &str) -> u64 {
        self.add(act, by, "approval.granted", json!({"approval": "A", "capacity": "risk"}))
    }

    fn against(&mut self, act: Micros, by: &str) -> u64 {
        self.add(act, by, "approval.rejected", json!({"approval": "A", "capacity": "risk"}))
    }

    fn end(&mut self, act: Micros, by: &str, how: &str) -> u64 {
        self.add(act, by, &format!("approval.{how}"), json!({"approval": "A"}))
    }

    fn rows(&self, at: Micros) -> Vec<Approval> {
        approvals(&self.facts, Moment { at: at * MINUTE, known: u64::MAX, now: at * MINUTE })
    }

    fn row(&self, at: Micros) -> Approval {
        self.rows(at).into_iter().next().unwrap()
    }

    fn state(&self, at: Micros) -> &'static str {
        self.row(at).state.word()
    }

    fn seen(&self, seq: u64) -> Vote {
        let row = self.row(10_000);
        let votes = row.rounds.into_iter().flat_map(|round| round.votes).chain(row.unplaced);
        votes.into_iter().find(|vote| vote.seq == seq).unwrap()
    }
}

fn asked() -> Value {
    json!({"approval": "A", "kind": "deploy", "scope_digest": "d1", "quorum": {"n": 2, "roles": ["risk"]}})
}

// Section 3: rounds.

#[test]
fn each_changed_term_begins_a_round_and_other_members_do_not() {
    let terms = [
        json!({"scope_digest": "d2"}),
        json!({"target": {"type": "model", "id": "m", "version": "2"}}),
        json!({"kind": "other"}),
        json!({"quorum": {"n": 3, "roles": ["risk"]}}),
        json!({"quorum": {"n": 2, "roles": ["law"]}}),
        json!({"quorum": {"n": 2, "roles": ["risk"], "veto": true}}),
        json!({"risk_class": "high"}),
        json!({"valid_until": iso(900)}),
        json!({"single_use": true}),
        json!({"pillars": ["p"]}),
    ];
    for change in terms {
        let mut story = Story::new();
        story.ask(10, json!({}));
        story.ask(20, change.clone());
        assert_eq!(story.row(30).rounds.len(), 2, "{change}");
    }
    let mut story = Story::new();
    story.ask(10, json!({}));
    story.ask(20, json!({"due_at": iso(80), "rationale": "again", "evidence": []}));
    assert_eq!(story.row(30).rounds.len(), 1);
    // Another requester.
    story.add(25, "ron", "approval.requested", asked());
    assert_eq!(story.row(30).rounds.len(), 2);
}

#[test]
fn the_newest_round_is_pending_and_the_former_grant_stands_for_its_own_terms() {
    let mut story = Story::new();
    story.ask(10, json!({"valid_until": iso(500)}));
    story.vote(11, "anna");
    story.vote(12, "bert");
    story.ask(20, json!({"scope_digest": "d2"}));
    let row = story.row(30);
    assert_eq!(row.state, State::Pending);
    assert_eq!(row.in_force, Some(InForce { round: 1, until: Some(500 * MINUTE) }));
    assert_eq!(row.rounds[0].terms.scope_digest, Some(json!("d1")));
    // Until its end …
    assert_eq!(story.row(500).in_force, None);
    // … its revocation …
    let mut revoked = story.clone();
    revoked.end(40, "anna", "revoked");
    assert_eq!(revoked.row(40).in_force, None);
    // … or the new round's grant.
    story.vote(40, "anna");
    story.vote(41, "bert");
    let row = story.row(50);
    assert_eq!(row.in_force, Some(InForce { round: 2, until: None }));
    assert_eq!(row.rounds[0].ended_by.as_ref().unwrap().how, EndedBy::NewerGranted);
}

#[test]
fn a_later_due_date_is_shown_with_who_told_it_and_overdue_counts_against_the_first() {
    let mut story = Story::new();
    story.ask(10, json!({"due_at": iso(20)}));
    story.ask(15, json!({"due_at": iso(90)}));
    let row = story.row(30);
    assert_eq!(row.due_at, Some(20 * MINUTE));
    assert!(row.overdue);
    assert_eq!(row.extended_due_at, Some(ExtendedDue { due_at: 90 * MINUTE, by: "rita".into(), seq: 4 }));
    assert!(!story.row(19).overdue);
}

#[test]
fn the_same_terms_are_told_again_while_open_and_begin_a_round_after_an_end() {
    for end in ["rejected", "withdrawn", "revoked", "expired"] {
        let mut story = Story::new();
        let more = json!({"quorum": {"n": 1, "roles": ["risk"]}, "valid_until": iso(40)});
        story.ask(10, more.clone());
        story.ask(11, more.clone());
        assert_eq!(story.row(11).rounds.len(), 1);
        match end {
            "rejected" => story.against(12, "anna"),
            "withdrawn" => story.end(12, "rita", "withdrawn"),
            _ => story.vote(12, "anna"),
        };
        story.ask(13, json!({"quorum": {"n": 1, "roles": ["risk"]}, "valid_until": iso(40)}));
        let rounds = if end == "rejected" || end == "withdrawn" { 2 } else { 1 };
        assert_eq!(story.row(13).rounds.len(), rounds, "{end}");
        if rounds == 1 {
            if end == "revoked" {
                story.end(20, "anna", "revoked");
            }
            assert_eq!(story.state(40), end);
            story.ask(50, more);
            assert_eq!(story.row(50).rounds.len(), 2, "{end}");
        }
    }
}

#[test]
fn a_vote_counts_only_in_the_round_in_which_it_was_done() {
    let mut story = Story::new();
    story.ask(10, json!({}));
    story.vote(11, "anna");
    story.ask(20, json!({"valid_until": iso(900)}));
    story.vote(21, "bert");
    let row = story.row(30);
    assert_eq!(row.state, State::Partial);
    assert_eq!(row.rounds.iter().map(|round| round.votes.len()).collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn a_vote_recorded_after_its_rounds_end_does_not_count() {
    let mut story = Story::new();
    story.ask(10, json!({}));
    story.vote(11, "anna");
    story.end(20, "rita", "withdrawn");
    let late = story.late(15, 30, "bert", "approval.granted", json!({"approval": "A", "capacity": "risk"}));
    assert_eq!(story.state(40), "withdrawn");
    assert_eq!(story.row(40).rounds[0].granted_at, None);
    assert_eq!(story.seen(late).why_not, Some(WhyNot::RecordedAfterEnd));
    assert!(story.seen(late).out_of_order);
}

#[test]
fn a_vote_recorded_late_into_an_open_round_counts() {
    let mut story = Story::new();
    story.ask(10, json!({}));
    story.vote(20, "anna");
    story.late(15, 30, "bert", "approval.granted", json!({"approval": "A", "capacity": "risk"}));
    assert_eq!(story.row(40).rounds[0].granted_at, Some(20 * MINUTE));
}

#[test]
fn an_end_recorded_later_and_dated_back_takes_no_recorded_vote_away() {
    let mut story = Story::new();
    story.ask(10, json!({}));
    story.vote(11, "anna");
    story.late(12, 30, "bert", "approval.granted", json!({"approval": "A", "capacity": "risk"}));
    let ending = story.late(13, 40, "rita", "approval.withdrawn", json!({"approval": "A"}));
    assert_eq!(story.state(50), "granted");
    assert!(story.row(50).withdrawals.iter().any(|it| it.seq == ending && it.ended_nothing));
    // What was done after the withdrawal's act was done when the round was over, whenever that was recorded.
    let mut story = Story::new();
    story.ask(10, json!({}));
    story.vote(11, "anna");
    let vote = story.vote(14, "bert");
    story.late(13, 40, "rita", "approval.withdrawn", json!({"approval": "A"}));
    assert_eq!(story.state(50), "withdrawn");
    assert_eq!(story.seen(vote).why_not, Some(WhyNot::AfterEnd));
}

#[test]
fn a_vote_recorded_after_valid_until_grants_nothing() {
    let mut story = Story::new();
    story.ask(10, json!({"valid_until": iso(50)}));
    story.vote(11, "anna");
    let late = story.late(12, 60, "bert", "approval.granted", json!({"approval": "A", "capacity": "risk"}));
    assert_eq!(story.seen(late).why_not, Some(WhyNot::RecordedAfterEnd));
    // Only what was granted expires.
    assert_eq!(story.state(70), "partial");
}

#[test]
fn a_round_that_is_only_pending_is_over_when_a_newer_one_is_asked() {
    let mut story = Story::new();
    story.ask(10, json!({}));
    story.ask(20, json!({"kind": "other"}));
    let first = &story.row(30).rounds[0];
    assert_eq!(
        first.ended_by.as_ref().map(|end| (end.how, end.at)),
        Some((EndedBy::NewerAsked, 20 * MINUTE))
    );
    assert_eq!(first.state, State::Pending);
    // The first terms again are not "while pending": a third round.
    story.ask(40, json!({}));
    assert_eq!(story.row(50).rounds.len(), 3);
}

fn with_condition(vote: &mut Story, act: Micros, by: &str) -> u64 {
    let conditions = json!([{"id": "c", "text": "log it", "due_at": iso(100)}]);
    let data = json!({"approval": "A", "capacity": "risk", "conditions": conditions});
    vote.add(act, by, "approval.granted", data)
}

fn met(story: &mut Story, act: Micros, vote: Option<u64>) -> u64 {
    let mut data = json!({"approval": "A", "condition": "c"});
    if let Some(vote) = vote {
        data["vote"] = json!({"source": "bank", "id": format!("e{vote}")});
    }
    story.add(act, "olga", "approval.condition_met", data)
}

fn states(story: &Story, at: Micros) -> Vec<ConditionState> {
    story.row(at).conditions.iter().map(|condition| condition.state).collect()
}

#[test]
fn two_conditions_with_one_id_in_two_votes_are_two() {
    use ConditionState::{Met, Open};
    let mut story = Story::new();
    story.ask(10, json!({}));
    let first = with_condition(&mut story, 11, "anna");
    with_condition(&mut story, 12, "bert");
    assert_eq!(states(&story, 20), [Open, Open]);
    // Without the vote it ends the only open one, or none, marked ambiguous.
    let unclear = met(&mut story, 21, None);
    assert_eq!(states(&story, 30), [Open, Open]);
    assert_eq!(story.row(30).unused, [Unused { seq: unclear, ambiguous: true }]);
    met(&mut story, 31, Some(first));
    assert_eq!(states(&story, 40), [Met, Open]);
    met(&mut story, 41, None);
    assert_eq!(states(&story, 50), [Met, Met]);
    assert_eq!(states(&story, 45), [Met, Met]);
    assert_eq!(states(&story, 40), [Met, Open]);
}

#[test]
fn a_condition_met_seconds_before_its_vote_is_met() {
    let mut story = Story::new();
    story.ask(10, json!({"quorum": {"n": 1, "roles": ["risk"]}}));
    met(&mut story, 12, None);
    with_condition(&mut story, 15, "anna");
    assert_eq!(states(&story, 20), [ConditionState::Met]);
    assert!(story.row(20).out_of_order);
    let mut story = Story::new();
    story.ask(10, json!({"quorum": {"n": 1, "roles": ["risk"]}}));
    met(&mut story, 12, None);
    with_condition(&mut story, 18, "anna");
    assert_eq!(states(&story, 20), [ConditionState::Open]);
}

// Section 3: persons, places, rights.

#[test]
fn a_person_fills_one_place() {
    let mut story = Story::new();
    story.ask(10, json!({}));
    story.vote(11, "anna");
    story.vote(12, "anna");
    assert_eq!(story.state(20), "partial");
}

#[test]
fn a_right_lent_to_two_people_counts_once_and_the_last_of_the_delegates_has_it() {
    let mut story = Story::new();
    story.lend(1, "anna", "carl");
    story.lend(1, "anna", "emil");
    story.ask(10, json!({}));
    let first = story.vote(11, "carl");
    let last = story.vote(12, "emil");
    assert_eq!(story.state(20), "granted-unverified");
    assert_eq!(story.seen(first).why_not, Some(WhyNot::RightTaken));
    assert!(story.seen(first).with_authority && story.seen(first).counts);
    assert_eq!(story.seen(last).via_delegator.as_deref(), Some("anna"));
}

#[test]
fn the_delegators_own_counting_vote_comes_before_a_delegates() {
    let mut story = Story::new();
    story.lend(1, "anna", "carl");
    story.ask(10, json!({}));
    let own = story.vote(11, "anna");
    let lent = story.vote(12, "carl");
    assert_eq!(story.state(20), "granted-unverified");
    assert_eq!(story.seen(own).place.as_deref(), Some("anna"));
    assert_eq!(story.seen(lent).place, None);
}

#[test]
fn a_delegators_vote_that_does_not_count_silences_nobody() {
    let mut story = Story::new();
    story.lend(1, "anna", "carl");
    story.ask(10, json!({}));
    story.vote(11, "anna");
    story.end(12, "anna", "recused");
    story.vote(13, "carl");
    story.vote(14, "bert");
    assert_eq!(story.state(20), "granted");
}

#[test]
fn places_and_rights_are_matched_so_that_the_most_places_are_filled() {
    let mut story = Story::new();
    story.lend(1, "anna", "carl");
    story.lend(1, "bert", "carl");
    story.lend(1, "anna", "emil");
    story.ask(10, json!({}));
    let carl = story.vote(11, "carl");
    let emil = story.vote(12, "emil");
    assert_eq!(story.state(20), "granted");
    assert_eq!(story.seen(carl).via_delegator.as_deref(), Some("bert"));
    assert_eq!(story.seen(emil).via_delegator.as_deref(), Some("anna"));
}

#[test]
fn there_is_no_delegation_of_a_delegation() {
    let mut story = Story::new();
    story.lend(1, "anna", "carl");
    story.lend(1, "carl", "emil");
    story.ask(10, json!({}));
    let vote = story.vote(11, "emil");
    assert_eq!(story.seen(vote).why_not, Some(WhyNot::NoAuthority));
}

#[test]
fn a_delegation_covers_its_kinds_and_its_risk() {
    let cases = [
        (json!({"kinds": ["deploy"]}), true),
        (json!({"kinds": ["waiver"]}), false),
        (json!({"kinds": []}), false),
        (json!({"max_risk": "limited"}), false),
        (json!({"max_risk": "high"}), true),
    ];
    for (more, covered) in cases {
        let mut story = Story::new();
        let data = merged(json!({"from": "anna", "to": "carl"}), more.clone());
        story.add(1, "anna", "delegation.granted", data);
        story.ask(10, json!({"risk_class": "high"}));
        let vote = story.vote(11, "carl");
        assert_eq!(story.seen(vote).with_authority, covered, "{more}");
    }
}

// Section 3: authority.

#[test]
fn authority_is_judged_by_what_was_recorded_before_the_vote() {
    let mut story = Story::new();
    story.ask(10, json!({}));
    story.vote(11, "anna");
    let vote = story.vote(12, "carl");
    // Recorded later, dated back: shown, and makes nothing count.
    let later = json!({"principal": "carl", "role": "risk", "valid_from": iso(1)});
    story.late(1, 20, "hr", "role.assigned", later);
    assert_eq!(story.state(30), "granted-unverified");
    assert!(!story.seen(vote).with_authority);
    assert_eq!(story.seen(vote).authority_now, Some(true));
    // A renewed vote settles it.
    story.vote(31, "carl");
    assert_eq!(story.state(40), "granted");
}

#[test]
fn a_roles_end_recorded_later_undoes_no_vote_and_is_shown() {
    let mut story = Story::new();
    story.ask(10, json!({}));
    story.vote(11, "anna");
    let vote = story.vote(12, "bert");
    let end = json!({"principal": "bert", "role": "risk", "effective_at": iso(5)});
    story.add(20, "hr", "role.unassigned", end);
    assert_eq!(story.state(30), "granted");
    assert_eq!(story.seen(vote).authority_now, Some(false));
}

#[test]
fn a_role_that_is_not_there_any_more_gives_no_authority() {
    // An annulled role is not among the facts that stand.
    let mut story = Story::new();
    story.ask(10, json!({}));
    story.vote(11, "anna");
    story.vote(12, "bert");
    story.facts.remove(1);
    assert_eq!(story.state(20), "granted-unverified");
}

#[test]
fn granted_unverified_is_still_open_due_votable_and_revocable() {
    let mut story = Story::new();
    story.ask(10, json!({"due_at": iso(15)}));
    story.vote(11, "carl");
    story.vote(12, "emil");
    assert_eq!(story.state(20), "granted-unverified");
    assert!(story.row(20).overdue);
    assert_eq!(story.row(20).in_force, None);
    let mut revoked = story.clone();
    revoked.end(21, "anna", "revoked");
    assert_eq!(revoked.state(21), "revoked");
    story.vote(21, "anna");
    story.vote(22, "bert");
    assert_eq!(story.state(22), "granted");
}

#[test]
fn without_any_role_in_the_ledger_it_is_granted_with_a_caveat() {
    let mut story = Story::default();
    story.ask(10, json!({}));
    story.vote(11, "carl");
    let vote = story.vote(12, "emil");
    assert_eq!(story.state(20), "granted");
    assert!(story.row(20).no_roles_recorded);
    assert!(!story.seen(vote).with_authority && story.seen(vote).no_roles_recorded);
    let mut story = Story::new();
    story.ask(10, json!({}));
    story.vote(11, "anna");
    story.vote(12, "bert");
    assert!(!story.row(20).no_roles_recorded);
}

#[test]
fn the_capacity_of_a_vote_is_a_role_of_the_quorum() {
    let mut story = Story::new();
    story.ask(10, json!({}));
    let vote = story.add(11, "anna", "approval.granted", json!({"approval": "A", "capacity": "law"}));
    assert!(!story.seen(vote).with_authority);
    let vote = story.add(12, "anna", "approval.granted", json!({"approval": "A"}));
    assert!(story.seen(vote).with_authority);
}

// Section 3: against, withdrawn, revoked.

#[test]
fn votes_against_without_authority_are_shown_and_end_nothing() {
    let mut story = Story::new();
    story.ask(10, json!({"quorum": {"n": 1, "roles": ["risk"], "veto": true}}));
    let vote = story.against(11, "carl");
    assert_eq!(story.state(20), "pending");
    assert!(!story.seen(vote).counts);
    story.against(21, "anna");
    assert_eq!(story.state(30), "rejected");
}

#[test]
fn a_withdrawal_counts_from_the_requester_or_a_holder_of_a_quorum_role() {
    for (by, state) in [("rita", "withdrawn"), ("anna", "withdrawn"), ("carl", "pending")] {
        let mut story = Story::new();
        story.ask(10, json!({}));
        story.end(11, by, "withdrawn");
        assert_eq!(story.state(20), state);
        assert_eq!(story.row(20).withdrawals[0].by_stranger, by == "carl");
        assert_eq!(story.row(20).withdrawals[0].ended_nothing, by == "carl");
    }
}

#[test]
fn a_revocation_always_counts_and_ends_every_round_asked_before_it() {
    let mut story = Story::new();
    story.ask(10, json!({}));
    story.vote(11, "anna");
    story.vote(12, "bert");
    story.ask(20, json!({"kind": "other"}));
    story.end(30, "carl", "revoked");
    let row = story.row(40);
    assert_eq!(
        row.rounds.iter().map(|round| round.state).collect::<Vec<_>>(),
        [State::Revoked, State::Revoked]
    );
    assert_eq!(row.in_force, None);
    assert!(row.revocations[0].by_stranger);
    assert_eq!(row.revocations[0].ended, [1, 2]);
    // What was asked after it stands anew, also if the revocation was recorded later.
    let mut story = Story::new();
    story.ask(10, json!({}));
    story.ask(30, json!({"kind": "other"}));
    story.late(20, 50, "rita", "approval.revoked", json!({"approval": "A"}));
    assert_eq!(story.state(60), "pending");
    assert_eq!(story.row(60).rounds[0].state, State::Revoked);
    assert!(story.row(60).out_of_order);
    assert!(!story.row(60).revocations[0].by_stranger);
}

#[test]
fn own_votes_and_votes_of_the_requesters_delegate_are_marked() {
    let mut story = Story::new();
    story.role(1, "rita", json!({}));
    story.lend(2, "rita", "carl");
    story.ask(10, json!({"quorum": {"n": 5, "roles": ["risk"]}}));
    let own = story.vote(11, "rita");
    let delegate = story.vote(12, "carl");
    let other = story.vote(13, "anna");
    let marks = [own, delegate, other].map(|seq| story.seen(seq).own);
    assert_eq!(marks, [Own::Requester, Own::RequestersDelegate, Own::No]);
    assert!(story.seen(own).counts);
}

#[test]
fn an_opening_after_an_end_state_is_a_new_round_with_its_own_clocks() {
    let mut story = Story::new();
    story.ask(10, json!({"due_at": iso(20)}));
    story.end(30, "rita", "withdrawn");
    story.ask(40, json!({"due_at": iso(90)}));
    let row = story.row(50);
    assert_eq!((row.state, row.due_at, row.overdue), (State::Pending, Some(90 * MINUTE), false));
    // A round that ended keeps what it missed.
    assert_eq!(row.rounds[0].missed_before, [Missed::Decision { due_at: 20 * MINUTE }]);
    assert!(row.missed_before);
}

// Section 10, "Approvals".

#[test]
fn partial_is_at_least_one_vote_with_or_without_authority() {
    let mut story = Story::new();
    story.ask(10, json!({}));
    assert_eq!(story.state(10), "pending");
    story.vote(11, "carl");
    assert_eq!(story.state(11), "partial");
}

#[test]
fn the_count_without_authority_is_by_persons() {
    let mut story = Story::new();
    story.ask(10, json!({}));
    story.vote(11, "carl");
    story.vote(12, "carl");
    assert_eq!(story.state(20), "partial");
    story.vote(21, "emil");
    assert_eq!(story.state(30), "granted-unverified");
}

#[test]
fn of_one_person_the_last_vote_in_the_round_counts() {
    let mut story = Story::new();
    story.ask(10, json!({}));
    let first = story.vote(11, "anna");
    story.against(12, "anna");
    assert_eq!(story.state(20), "pending");
    assert_eq!(story.seen(first).why_not, Some(WhyNot::LaterVote));
    story.vote(21, "anna");
    story.vote(22, "bert");
    assert_eq!(story.state(30), "granted");
}

#[test]
fn who_recused_has_no_vote_done_before_or_after() {
    let mut story = Story::new();
    story.ask(10, json!({}));
    story.end(11, "anna", "recused");
    let vote = story.vote(12, "anna");
    story.vote(13, "bert");
    assert_eq!(story.state(20), "partial");
    assert_eq!(story.seen(vote).why_not, Some(WhyNot::Recused));
}

#[test]
fn after_the_grant_further_votes_are_shown_and_change_nothing() {
    let mut story = Story::new();
    story.ask(10, json!({"quorum": {"n": 2, "roles": ["risk"], "veto": true}}));
    story.vote(11, "anna");
    story.vote(12, "bert");
    let vote = story.against(13, "dora");
    story.against(14, "anna");
    story.end(15, "anna", "recused");
    assert_eq!(story.state(20), "granted");
    assert_eq!(story.seen(vote).why_not, Some(WhyNot::AfterGrant));
}

#[test]
fn without_a_veto_votes_against_reject_at_the_quorums_n() {
    let mut story = Story::new();
    story.ask(10, json!({}));
    story.against(11, "anna");
    assert_eq!(story.state(11), "pending");
    story.against(12, "carl");
    assert_eq!(story.state(12), "pending");
    story.against(13, "bert");
    assert_eq!(story.state(13), "rejected");
}

#[test]
fn granted_unverified_may_be_withdrawn_and_granted_may_not() {
    let mut story = Story::new();
    story.ask(10, json!({}));
    story.vote(11, "carl");
    story.vote(12, "emil");
    story.end(13, "rita", "withdrawn");
    assert_eq!(story.state(20), "withdrawn");
    let mut story = Story::new();
    story.ask(10, json!({}));
    story.vote(11, "anna");
    story.vote(12, "bert");
    story.end(13, "rita", "withdrawn");
    assert_eq!(story.state(20), "granted");
}

#[test]
fn conditions_are_due_from_the_grant_on_in_force_or_expired_not_after_another_end() {
    let mut story = Story::new();
    story.ask(10, json!({"valid_until": iso(200)}));
    with_condition(&mut story, 11, "anna");
    assert_eq!(states(&story, 11), [ConditionState::BeforeGrant]);
    story.vote(12, "bert");
    let row = story.row(150);
    assert_eq!((row.due_at, row.overdue), (Some(100 * MINUTE), true));
    // Expired: still due, and can be met.
    assert_eq!((story.state(300), story.row(300).overdue), ("expired", true));
    let mut late = story.clone();
    met(&mut late, 310, None);
    assert_eq!(states(&late, 320), [ConditionState::Met]);
    assert_eq!(late.row(320).due_at, None);
    assert!(late.row(320).missed_before);
    // Revoked: not due.
    story.end(150, "anna", "revoked");
    assert_eq!(states(&story, 160), [ConditionState::Over]);
    assert!(!story.row(160).overdue);
    assert!(story.row(160).missed_before);
}

#[test]
fn asked_again_with_the_terms_in_force_is_told_again_also_while_a_newer_one_is_pending() {
    let mut story = Story::new();
    story.ask(10, json!({}));
    story.vote(11, "anna");
    story.vote(12, "bert");
    story.ask(20, json!({"kind": "other"}));
    let again = story.ask(30, json!({}));
    let row = story.row(40);
    assert_eq!(row.rounds.len(), 2);
    assert_eq!(row.rounds[0].told_again, [again]);
    assert_eq!(row.state, State::Pending);
}

#[test]
fn in_force_is_the_round_itself_where_the_newest_is_the_one_in_force() {
    let mut story = Story::new();
    story.ask(10, json!({}));
    story.vote(11, "anna");
    assert_eq!(story.row(11).in_force, None);
    story.vote(12, "bert");
    assert_eq!(story.row(20).in_force, Some(InForce { round: 1, until: None }));
}

#[test]
fn an_earlier_due_date_is_shown_and_the_first_stays() {
    let mut story = Story::new();
    story.ask(10, json!({"due_at": iso(90)}));
    story.ask(11, json!({"due_at": iso(50)}));
    let row = story.row(60);
    assert_eq!((row.due_at, row.overdue, row.extended_due_at), (Some(90 * MINUTE), false, None));
    assert_eq!(row.rounds[0].earlier_due_at.as_ref().map(|told| told.due_at), Some(50 * MINUTE));
}

// Section 4.

#[test]
fn a_vote_told_early_counts_within_five_minutes_or_inside_an_import() {
    for (act, imported, counts) in [(5, false, true), (4, false, false), (4, true, true)] {
        let mut story = Story::new();
        let vote = story.vote(act, "anna");
        story.facts.last_mut().unwrap().imported = imported;
        story.ask(10, json!({"quorum": {"n": 1, "roles": ["risk"]}}));
        assert_eq!(story.seen(vote).counts, counts);
        assert!(story.seen(vote).out_of_order);
        let granted = story.row(20).rounds[0].granted_at;
        assert_eq!(granted, counts.then_some(10 * MINUTE));
    }
}

#[test]
fn a_vote_for_a_digest_that_is_asked_seconds_later_is_for_that() {
    let mut story = Story::new();
    let one = json!({"n": 1, "roles": ["risk"]});
    story.ask(10, json!({"quorum": one}));
    let for_new = json!({"approval": "A", "capacity": "risk", "scope_digest": "d2"});
    let vote = story.add(19, "anna", "approval.granted", for_new);
    assert_eq!(story.seen(vote).why_not, Some(WhyNot::OtherDigest));
    story.ask(20, json!({"quorum": one, "scope_digest": "d2"}));
    assert_eq!(story.state(20), "granted");
    assert!(story.seen(vote).counts);
}

#[test]
fn an_ending_told_early_counts_within_five_minutes_or_if_it_takes_effect_after_the_opening() {
    for (act, effective, state) in
        [(5, 5, "revoked"), (4, 4, "pending"), (4, 10, "revoked"), (4, 20, "pending")]
    {
        let mut story = Story::new();
        let data = json!({"approval": "A", "effective_at": iso(effective)});
        story.add(act, "rita", "approval.revoked", data);
        story.ask(10, json!({}));
        assert_eq!(story.state(15), state, "{act} {effective}");
        assert_eq!(story.row(15).revocations[0].ended_nothing, (act, effective) == (4, 4));
        assert!(story.row(15).out_of_order);
    }
}

#[test]
fn a_revocation_with_effect_from_this_morning_ends_a_grant_made_at_noon() {
    let mut story = Story::new();
    story.ask(10, json!({"quorum": {"n": 1, "roles": ["risk"]}}));
    story.vote(720, "anna");
    let data = json!({"approval": "A", "effective_at": iso(540)});
    story.add(800, "rita", "approval.revoked", data);
    assert_eq!(story.state(900), "revoked");
    assert_eq!((story.state(750), story.row(750).in_force), ("revoked", None));
    assert_eq!(story.state(539), "pending");
    // Announced: in force until then.
    let mut story = Story::new();
    story.ask(10, json!({"quorum": {"n": 1, "roles": ["risk"]}}));
    story.vote(20, "anna");
    let data = json!({"approval": "A", "effective_at": iso(540)});
    story.add(30, "rita", "approval.revoked", data);
    assert_eq!(story.row(100).in_force, Some(InForce { round: 1, until: Some(540 * MINUTE) }));
    assert_eq!(story.state(540), "revoked");
}

#[test]
fn at_one_instant_of_two_sources_the_order_of_life_decides() {
    let mut story = Story::new();
    story.end(10, "rita", "revoked");
    story.said_by("other");
    story.ask(10, json!({}));
    assert_eq!(story.state(20), "revoked");
    // Of one source the order of recording: told early, and within five minutes it ends what comes.
    let mut story = Story::new();
    story.ask(9, json!({}));
    story.end(10, "rita", "revoked");
    story.ask(10, json!({}));
    assert_eq!(story.state(20), "pending");
}

#[test]
fn roles_are_stretches_cut_by_what_ends_them() {
    let holds = |story: &Story, minute: Micros| {
        let mut story = story.clone();
        story.ask(minute - 1, json!({"quorum": {"n": 5, "roles": ["risk"]}}));
        let vote = story.vote(minute, "carl");
        story.seen(vote).with_authority
    };
    // Next year's assignment, recorded in advance, hides nothing of this year's.
    let mut story = Story::new();
    story.role(1, "carl", json!({"valid_from": iso(0), "valid_until": iso(100)}));
    story.role(2, "carl", json!({"valid_from": iso(200), "valid_until": iso(300)}));
    assert_eq!(
        [50, 99, 100, 150, 200, 299, 300].map(|at| holds(&story, at)),
        [true, true, false, false, true, true, false]
    );
    // The leaver's role ends when it ended; what is assigned after that stands anew.
    let end = json!({"principal": "carl", "role": "risk", "effective_at": iso(30)});
    story.add(40, "hr", "role.unassigned", end);
    assert_eq!([50, 250].map(|at| holds(&story, at)), [false, false]);
    story.role(41, "carl", json!({}));
    assert!(holds(&story, 50));
    // An ending may name one stretch.
    let mut story = Story::new();
    let first = story.role(1, "carl", json!({"valid_until": iso(100)}));
    story.role(2, "carl", json!({"valid_from": iso(200)}));
    let of = json!({"source": "bank", "id": format!("e{first}")});
    story.add(40, "hr", "role.unassigned", json!({"principal": "carl", "role": "risk", "of": of}));
    assert_eq!([50, 250].map(|at| holds(&story, at)), [false, true]);
    // Told early: nothing was assigned before it.
    let mut story = Story::new();
    story.add(3, "hr", "role.unassigned", json!({"principal": "carl", "role": "risk"}));
    story.role(4, "carl", json!({}));
    assert!(!holds(&story, 50));
    let mut story = Story::new();
    story.add(3, "hr", "role.unassigned", json!({"principal": "carl", "role": "risk"}));
    story.role(9, "carl", json!({}));
    assert!(holds(&story, 50));
}

#[test]
fn inside_an_import_authority_is_as_known_at_its_end() {
    let mut story = Story::new();
    let import = json!({"import": "i", "source": "bank", "from": iso(0), "to": iso(90)});
    story.add(100, "admin", "import.opened", import);
    let one = json!({"approval": "A", "kind": "deploy", "quorum": {"n": 1, "roles": ["risk"]}, "valid_until": iso(50)});
    story.late(10, 100, "rita", "approval.requested", one);
    let vote = story.late(20, 100, "carl", "approval.granted", json!({"approval": "A", "capacity": "risk"}));
    story.late(5, 100, "hr", "role.assigned", json!({"principal": "carl", "role": "risk"}));
    for fact in story.facts.iter_mut().skip(4) {
        fact.imported = true;
    }
    story.add(100, "admin", "import.closed", json!({"import": "i"}));
    assert!(story.seen(vote).with_authority);
    assert_eq!((story.state(30), story.state(60)), ("granted", "expired"));
}

#[test]
fn the_same_events_in_any_order_of_recording_give_the_same_row() {
    let mut story = Story::new();
    let first = story.facts.len();
    story.ask(10, json!({"due_at": iso(13)}));
    let vote = with_condition(&mut story, 11, "anna");
    story.end(12, "dora", "recused");
    story.vote(13, "dora");
    met(&mut story, 14, Some(vote));
    story.vote(15, "bert");
    let expected = story.row(200);
    let (rest, mut orders) = (story.facts.split_off(first), vec![Vec::new()]);
    for fact in rest {
        let insert = |order: &Vec<Fact>| {
            let mut longer = Vec::new();
            for position in 0..=order.len() {
                let mut next = order.clone();
                next.insert(position, fact.clone());
                longer.push(next);
            }
            longer
        };
        orders = orders.iter().flat_map(insert).collect();
    }
    for order in orders {
        let mut other = story.clone();
        for (place, mut fact) in order.into_iter().enumerate() {
            fact.place = (first + place) as u64;
            fact.recorded = 100 * MINUTE;
            other.facts.push(fact);
        }
        let row = other.row(200);
        assert_eq!((row.state, row.rounds[0].granted_at), (State::Granted, Some(15 * MINUTE)));
        assert_eq!(
            (&row.conditions, &row.rounds[0].missed_before),
            (&expected.conditions, &expected.rounds[0].missed_before)
        );
    }
}

// Section 2, `rounds`.

#[test]
fn another_source_that_asks_under_the_same_id_has_a_row_of_its_own() {
    let mut story = Story::new();
    story.ask(10, json!({}));
    story.ask(11, json!({"kind": "other"}));
    story.said_by("city");
    story.vote(12, "anna");
    story.said_by("city");
    let stray = story.vote(13, "bert");
    story.said_by("third");
    let rows = story.rows(20);
    assert_eq!(rows.iter().map(|row| row.source.as_str()).collect::<Vec<_>>(), ["bank", "city"]);
    assert_eq!(rows[1].rounds[0].votes.len(), 1);
    // An event of a third source belongs to the first recorded, marked ambiguous.
    assert_eq!((rows[0].rounds[0].votes[0].seq, rows[0].ambiguous), (stray, true));
    assert_eq!(rows[0].other_sources, ["city"]);
}

#[test]
fn the_same_data_from_another_source_is_a_confirmation_and_no_row() {
    let mut story = Story::new();
    story.ask(10, json!({}));
    story.end(11, "rita", "withdrawn");
    let again = story.ask(12, json!({}));
    story.said_by("city");
    let rows = story.rows(20);
    assert_eq!((rows.len(), rows[0].rounds.len(), rows[0].state), (1, 1, State::Withdrawn));
    assert_eq!(rows[0].confirmations, [again]);
}

#[test]
fn a_row_that_only_has_events_that_open_nothing_is_unopened_and_never_overdue() {
    let mut story = Story::new();
    let vote = story.vote(11, "anna");
    let row = story.row(20);
    assert_eq!((row.state, row.overdue, row.due_at), (State::Unopened, false, None));
    assert_eq!(row.unplaced[0].seq, vote);
    // What was not asked for yet is not there.
    story.ask(100, json!({}));
    assert!(story.rows(20).is_empty());
}

#[test]
fn what_is_not_known_yet_changes_nothing() {
    let mut story = Story::new();
    story.ask(10, json!({}));
    story.vote(11, "anna");
    let vote = story.vote(12, "bert");
    let moment = Moment { at: 20 * MINUTE, known: vote, now: 20 * MINUTE };
    assert_eq!(approvals(&story.facts, moment)[0].state, State::Partial);
}

#[test]
fn a_due_date_ends_with_that_day() {
    let mut story = Story::new();
    story.ask(10, json!({"due_at": "1970-01-01"}));
    assert_eq!(story.row(20).due_at, Some(24 * 60 * MINUTE));
}
