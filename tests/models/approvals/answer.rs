//! How a row's course stands at a moment of valid time: what the answer shows.

use std::collections::BTreeMap;

use super::authority::{Authority, NOW};
use super::course::{self, Ballot, Course};
use super::reading::{before, effective, ends, in_order, text};
use super::shown::{
    Approval, Condition, ConditionState, EndedRound, Ending, ExtendedDue, InForce, Missed, Own, Recusal,
    Round, Unused, Vote,
};
use super::{EndedBy, Row, State, WhyNot};
use crate::base::{Fact, Micros, Moment};

/// The row at `moment.at`, or nothing if it had not begun by then.
pub(super) fn answer(row: &Row<'_>, authority: &Authority<'_>, moment: Moment) -> Option<Approval> {
    let at = moment.at;
    let course = course::course(&row.facts, authority, &row.ambiguous);
    let done: Vec<&Fact> = row.facts.iter().copied().filter(|fact| fact.act <= at).collect();
    let is_unopened = course.rounds.is_empty();
    if done.is_empty() || (!is_unopened && course.rounds.iter().all(|round| round.asked.act > at)) {
        return None;
    }
    let begun = || course.rounds.iter().enumerate().filter(|(_, round)| round.asked.act <= at);
    let rounds: Vec<Round> = begun().map(|(place, it)| round(place + 1, it, authority, at)).collect();
    let conditions: Vec<Condition> =
        begun().flat_map(|(place, round)| conditions(place + 1, round, at)).collect();
    let in_force = begun().rfind(|(_, round)| round.in_force(at)).map(|(place, round)| InForce {
        round: place + 1,
        until: round.end(Micros::MAX).map(|end| end.moment),
    });
    let newest = rounds.last();
    let open_round = newest.filter(|round| is_open(round.state));
    // The row is due at its earliest open item, overdue if any is (section 5).
    let open_conditions = conditions.iter().filter(|condition| condition.state == ConditionState::Open);
    let due_at = open_conditions
        .filter_map(|condition| condition.due_at)
        .chain(open_round.and_then(|round| round.due_at))
        .min();
    let unplaced = course.unplaced.iter().filter(|fact| course::is_vote(fact) && fact.act <= at);
    let ambiguous = done.iter().any(|fact| row.ambiguous.contains(&fact.seq));
    Some(Approval {
        id: row.id.to_owned(),
        source: row.source.to_owned(),
        state: newest.map_or(State::Unopened, |round| round.state),
        in_force,
        due_at,
        overdue: due_at.is_some_and(|due| due <= at),
        extended_due_at: newest.and_then(|round| round.extended_due_at.clone()),
        withdrawals: endings(&course, "approval.withdrawn", at),
        revocations: endings(&course, "approval.revoked", at),
        unused: course
            .unused
            .iter()
            .filter(|unused| unused.fact.act <= at)
            .map(|unused| Unused { seq: unused.fact.seq, ambiguous: unused.ambiguous })
            .collect(),
        unplaced: unplaced
            .map(|fact| unplaced_vote(fact, !is_unopened, row.ambiguous.contains(&fact.seq)))
            .collect(),
        confirmations: row.confirmations.iter().filter(|fact| fact.act <= at).map(|fact| fact.seq).collect(),
        other_sources: row.others.iter().map(|source| (*source).to_owned()).collect(),
        ambiguous,
        no_roles_recorded: rounds.iter().any(|round| round.no_roles_recorded),
        out_of_order: is_out_of_order(&done, &course, at),
        missed_before: rounds.iter().any(|round| !round.missed_before.is_empty()),
        rounds,
        conditions,
    })
}

/// Pending, partial and granted-unverified are open (section 3).
fn is_open(state: State) -> bool {
    matches!(state, State::Pending | State::Partial | State::GrantedUnverified)
}

fn round(number: usize, round: &course::Round<'_>, authority: &Authority<'_>, at: Micros) -> Round {
    let end = round.end(at);
    let granted_at = round.granted(at);
    let votes_for = round.standing(at).iter().filter(|ballot| ballot.for_it).count();
    // One that gave way to a newer round keeps the word that it had.
    let state = match end.map(|end| end.how) {
        Some(EndedBy::Rejected) => State::Rejected,
        Some(EndedBy::Withdrawn) => State::Withdrawn,
        Some(EndedBy::Revoked) => State::Revoked,
        Some(EndedBy::Expired) => State::Expired,
        Some(EndedBy::NewerAsked | EndedBy::NewerGranted) | None if granted_at.is_some() => State::Granted,
        // The count without authority is by persons (section 10): of each one vote stands.
        _ if votes_for >= round.terms.n => State::GrantedUnverified,
        _ if votes_for > 0 => State::Partial,
        _ => State::Pending,
    };
    let openings: Vec<&Fact> = std::iter::once(round.asked)
        .chain(round.told_again.iter().copied().filter(|again| again.act <= at))
        .collect();
    let stated: Vec<ExtendedDue> = openings
        .iter()
        .filter_map(|opening| {
            let due_at = ends(opening.data.get("due_at"))?;
            Some(ExtendedDue { due_at, by: opening.by.clone(), seq: opening.seq })
        })
        .collect();
    // Overdue counts against the first; a later one is shown, by whom (section 3); so is an earlier one
    // (section 10).
    // Choice: of several the latest, or the earliest, is shown. A round asked without a date has the first
    // told later.
    let due_at = stated.first().map(|first| first.due_at);
    let later = stated.iter().filter(|told| Some(told.due_at) > due_at).max_by_key(|told| told.due_at);
    let earlier = stated.iter().filter(|told| Some(told.due_at) < due_at).min_by_key(|told| told.due_at);
    let votes = votes(round, authority, at);
    Round {
        number,
        asked: round.asked.seq,
        asked_at: round.asked.act,
        terms: round.terms.clone(),
        state,
        granted_at,
        no_roles_recorded: granted_at.is_some()
            && votes.iter().any(|vote| vote.for_it && vote.place.is_some() && vote.no_roles_recorded),
        votes,
        recusals: round
            .recusals
            .iter()
            .filter(|recusal| recusal.moment <= at)
            .map(|recusal| Recusal {
                seq: recusal.fact.seq,
                by: recusal.fact.by.clone(),
                counts: recusal.why_not.is_none(),
                why_not: recusal.why_not,
            })
            .collect(),
        told_again: openings.iter().skip(1).map(|opening| opening.seq).collect(),
        due_at,
        extended_due_at: later.cloned(),
        earlier_due_at: earlier.cloned(),
        // Choice: ends are exclusive everywhere, so that at the due moment it has passed.
        overdue: round.is_open(at) && due_at.is_some_and(|due| due <= at),
        ended_by: end.map(|end| EndedRound {
            how: end.how,
            at: end.moment,
            seq: end.fact.map(|fact| fact.seq),
            by: end.fact.map(|fact| fact.by.clone()),
        }),
        missed_before: missed(round, due_at, at),
    }
}

/// A round that ended keeps what it missed (section 3).
// Choice: a decision that came late is missed as well, also while what it granted is in force; so is a
// condition that was met late.
fn missed(round: &course::Round<'_>, due_at: Option<Micros>, at: Micros) -> Vec<Missed> {
    let end = round.end(at).map(|end| end.moment);
    let granted = round.granted(at);
    let decided = granted.into_iter().chain(end).min();
    let decision = due_at
        .filter(|due| decided.is_some_and(|decided| *due < decided))
        .map(|due_at| Missed::Decision { due_at });
    let undone = round.end(at).filter(|_| round.is_undone(at)).map(|end| end.moment);
    let conditions = round.standing(at).into_iter().flat_map(|ballot| {
        ballot.conditions.iter().filter_map(move |condition| {
            let due_at = ends(condition.stated.get("due_at"))?;
            let met = condition.met.map(|met| met.moment).filter(|met| *met <= at);
            // It was due from the grant until it was met, or its round was undone.
            let stopped = met.into_iter().chain(undone).min()?;
            let id = condition.id.to_owned();
            (granted? < stopped && due_at < stopped).then_some(Missed::Condition {
                vote: ballot.fact.seq,
                id,
                due_at,
            })
        })
    });
    decision.into_iter().chain(conditions).collect()
}

fn votes(round: &course::Round<'_>, authority: &Authority<'_>, at: Micros) -> Vec<Vote> {
    let (places_for, places_against) = (round.places(true, at), round.places(false, at));
    let places = |for_it: bool| if for_it { &places_for } else { &places_against };
    let cast = round.ballots.iter().filter(|ballot| ballot.moment <= at);
    cast.map(|ballot| vote(round, ballot, places(ballot.for_it), authority, at)).collect()
}

fn vote(
    round: &course::Round<'_>,
    ballot: &Ballot<'_>,
    places: &BTreeMap<String, String>,
    authority: &Authority<'_>,
    at: Micros,
) -> Vote {
    let fact = ballot.fact;
    let stands = round.standing(at).iter().any(|standing| standing.fact.seq == fact.seq);
    let place = places.get(&fact.by).filter(|_| stands).cloned();
    let may_count = !ballot.rights.is_empty() || ballot.veto;
    let with_authority = may_count && !ballot.no_roles;
    let why_not = match ballot.why_not {
        Some(why_not) => Some(why_not),
        None if round.is_recused(&fact.by, at) => Some(WhyNot::Recused),
        None if !stands => Some(WhyNot::LaterVote),
        None if !may_count => Some(WhyNot::NoAuthority),
        None if place.is_none() && !ballot.veto => Some(WhyNot::RightTaken),
        None => None,
    };
    Vote {
        seq: fact.seq,
        by: fact.by.clone(),
        actor: fact.actor.clone(),
        capacity: text(fact, "capacity").map(str::to_owned),
        done_at: fact.act,
        recorded_at: fact.recorded,
        for_it: ballot.for_it,
        // A vote against without authority is shown and ends nothing (section 3).
        counts: stands && (ballot.for_it || may_count),
        with_authority,
        no_roles_recorded: ballot.no_roles,
        via_delegator: place.clone().filter(|holder| *holder != fact.by),
        place,
        own: own(round, fact, authority),
        why_not,
        // What is recorded later never makes a vote count, nor undoes one: it is shown (section 3).
        authority_now: Some(has_right(round, ballot, authority, NOW)).filter(|now| *now != with_authority),
        // Only an annulled role or delegation takes authority away, marked (section 3).
        annulled: !with_authority
            && has_right(round, ballot, &authority.when_judged(fact), authority.known_to(fact)),
        out_of_order: is_vote_out_of_order(round, ballot),
        ambiguous: ballot.ambiguous,
    }
}

fn has_right(
    round: &course::Round<'_>,
    ballot: &Ballot<'_>,
    authority: &Authority<'_>,
    known_to: u64,
) -> bool {
    let wanted = round.terms.wanted();
    if !authority.rights(ballot.fact, wanted, known_to).is_empty() {
        return true;
    }
    let super::Veto::Roles(roles) = &round.terms.veto else {
        return false;
    };
    let wanted = super::authority::Wanted { roles, ..wanted };
    !ballot.for_it && !authority.rights(ballot.fact, wanted, known_to).is_empty()
}

/// Own votes and votes of the requester's delegate are marked (section 3).
// Choice: a delegate is marked by all that is known now, also if the delegation was recorded after the vote,
// and whether or not the vote needed it.
fn own(round: &course::Round<'_>, vote: &Fact, authority: &Authority<'_>) -> Own {
    let requester = &round.terms.requester;
    if vote.by == *requester {
        Own::Requester
    } else if authority.lenders(&vote.by, round.terms.wanted(), vote.act, NOW).contains(requester) {
        Own::RequestersDelegate
    } else {
        Own::No
    }
}

/// Whether two facts were recorded the other way round than they were done.
fn inverted(one: &Fact, other: &Fact) -> bool {
    before(one, other) != (one.place < other.place)
}

fn is_vote_out_of_order(round: &course::Round<'_>, ballot: &Ballot<'_>) -> bool {
    let ends = round.ends.iter().filter_map(|end| end.fact).filter(|fact| fact.seq != ballot.fact.seq);
    ballot.early || std::iter::once(round.asked).chain(ends).any(|fact| inverted(ballot.fact, fact))
}

/// Where recording went the other way than the acts of an opening or an ending and of anything else, the row
/// is marked; so is what was told before the opening (section 4).
fn is_out_of_order(done: &[&Fact], course: &Course<'_>, at: Micros) -> bool {
    let marks = |fact: &Fact| {
        matches!(fact.ty.as_str(), "approval.requested" | "approval.withdrawn" | "approval.revoked")
    };
    let ordered = in_order(done);
    let any_inverted = ordered.iter().enumerate().any(|(position, one)| {
        let later = ordered.iter().skip(position + 1);
        later.into_iter().any(|other| (marks(one) || marks(other)) && one.place > other.place)
    });
    let early = |round: &course::Round<'_>| {
        round.ballots.iter().any(|ballot| ballot.early && ballot.moment <= at)
            || round.recusals.iter().any(|recusal| recusal.moment != recusal.fact.act && recusal.moment <= at)
            || round.ballots.iter().flat_map(|ballot| &ballot.conditions).any(|condition| {
                condition.met.is_some_and(|met| met.moment != met.fact.act && met.moment <= at)
            })
    };
    let unplaced = !course.rounds.is_empty() && course.unplaced.iter().any(|fact| fact.act <= at);
    // Also a condition that was met before anybody had asked, and is matched by no vote.
    let opened = course.rounds.first().map(|round| round.asked.act);
    let unused = course.unused.iter().map(|unused| unused.fact.act).filter(|act| *act <= at);
    let unplaced = unplaced || unused.into_iter().any(|act| opened.is_some_and(|opened| act < opened));
    any_inverted
        || unplaced
        || course.rounds.iter().any(early)
        || course.endings.iter().any(|it| it.early && it.fact.act <= at)
}

fn conditions(number: usize, round: &course::Round<'_>, at: Micros) -> Vec<Condition> {
    let standing = round.standing(at);
    let stated = standing.into_iter().flat_map(|ballot| ballot.conditions.iter().map(move |it| (ballot, it)));
    stated
        .map(|(ballot, condition)| {
            let due_at = ends(condition.stated.get("due_at"));
            let met = condition.met.filter(|met| met.moment <= at);
            // Due from the grant on, while it is in force or expired, not after revocation, rejection or
            // withdrawal.
            // Choice: nor after the newer round's grant: it is neither in force nor expired then.
            // Choice: of a grant, the conditions of all votes that count are due, also of those without
            // authority.
            let state = match met {
                Some(_) => ConditionState::Met,
                None if round.is_undone(at) => ConditionState::Over,
                None if round.granted(at).is_some() => ConditionState::Open,
                None => ConditionState::BeforeGrant,
            };
            Condition {
                round: number,
                vote: ballot.fact.seq,
                id: condition.id.to_owned(),
                due_at,
                state,
                overdue: state == ConditionState::Open && due_at.is_some_and(|due| due <= at),
                met_by: met.map(|met| met.fact.seq),
            }
        })
        .collect()
}

/// Withdrawals or revocations that were done, or had taken effect, by then.
fn endings(course: &Course<'_>, ty: &str, at: Micros) -> Vec<Ending> {
    let number =
        |asked: &u64| course.rounds.iter().position(|round| round.asked.seq == *asked).map(|it| it + 1);
    let placed = course.endings.iter().filter(|ending| ending.fact.ty == ty).map(|ending| Ending {
        seq: ending.fact.seq,
        by: ending.fact.by.clone(),
        effective_at: effective(ending.fact),
        by_stranger: ending.by_stranger,
        ended: ending.ended.iter().filter_map(number).collect(),
        ended_nothing: ending.ended.is_empty(),
        out_of_order: ending.early,
    });
    // Told too long before the opening: shown, and does nothing.
    let unplaced = course.unplaced.iter().filter(|fact| fact.ty == ty).map(|fact| Ending {
        seq: fact.seq,
        by: fact.by.clone(),
        effective_at: effective(fact),
        by_stranger: false,
        ended: Vec::new(),
        ended_nothing: true,
        out_of_order: !course.rounds.is_empty(),
    });
    let act = |seq: u64| {
        let all = course.endings.iter().map(|ending| ending.fact).chain(course.unplaced.iter().copied());
        all.filter(|fact| fact.seq == seq).map(|fact| fact.act).min()
    };
    let mut all: Vec<Ending> = unplaced
        .chain(placed)
        .filter(|ending| ending.effective_at <= at || act(ending.seq).is_some_and(|act| act <= at))
        .collect();
    all.sort_by_key(|ending| ending.seq);
    all
}

/// A vote that is about no round.
fn unplaced_vote(fact: &Fact, out_of_order: bool, ambiguous: bool) -> Vote {
    Vote {
        seq: fact.seq,
        by: fact.by.clone(),
        actor: fact.actor.clone(),
        capacity: text(fact, "capacity").map(str::to_owned),
        done_at: fact.act,
        recorded_at: fact.recorded,
        for_it: fact.ty == "approval.granted",
        counts: false,
        with_authority: false,
        no_roles_recorded: false,
        place: None,
        via_delegator: None,
        own: Own::No,
        why_not: Some(WhyNot::BeforeOpening),
        authority_now: None,
        annulled: false,
        out_of_order,
        ambiguous,
    }
}
