//! Approvals against the plain model, and rule by rule.

use super::*;
use crate::spec::time::MICROS_PER_MINUTE;
use crate::views::engine::testing::{self, HeldActs};
use crate::views::engine::{Before, Brought, Import, RowEvent, fold};
use daybook_models::approvals::{self as plain, Annulled, Approval};
use daybook_models::base::{Fact, Moment};
use daybook_models::corrections;
use proptest::prelude::*;
use serde_json::json;
use std::sync::Arc;

/// Entries beside an approval, held in memory: those that stand, those that were annulled, and by which correction, and those
/// about acts of two.
struct Held {
    standing: Vec<RowEvent>,
    annulled: Vec<(RowEvent, u64)>,
    acts: HeldActs,
}

fn is_on(event: &RowEvent, field: &str, value: &str) -> bool {
    let is_role = event.ty.starts_with("role.");
    match field {
        entitled::ASSIGNED => event.ty == "role.assigned",
        entitled::HOLDER => is_role && event.text("principal") == Some(value),
        _ => event.ty.starts_with("delegation.") && event.text("to") == Some(value),
    }
}

impl Held {
    fn on<'h>(&'h self, field: &'h str, value: &'h str) -> impl Iterator<Item = &'h RowEvent> {
        self.standing.iter().filter(move |event| is_on(event, field, value))
    }
}

impl Beside for Held {
    fn listed(&self, field: &'static str, value: &str) -> Result<Arc<[RowEvent]>> {
        Ok(self.on(field, value).cloned().collect())
    }

    fn before(&self, field: &'static str, value: &str, known: u64) -> Result<Before> {
        let since =
            |(event, by): &&(RowEvent, u64)| is_on(event, field, value) && event.seq < known && *by >= known;
        let corrected: Vec<(RowEvent, u64)> = self.annulled.iter().filter(since).cloned().collect();
        let gone = corrected.iter().map(|(event, _)| event);
        let mut standing: Vec<RowEvent> = self.on(field, value).chain(gone).cloned().collect();
        standing.sort_by_key(|event| event.place);
        Ok(Before { standing: standing.into(), corrected })
    }

    fn first(&self, field: &'static str, value: &str) -> Result<Option<u64>> {
        Ok(self.on(field, value).map(|event| event.place).min())
    }

    fn acts(&self, field: &'static str, value: &str) -> Result<Arc<[RowEvent]>> {
        self.acts.acts(field, value)
    }

    fn any_act(&self, field: &'static str) -> Result<bool> {
        self.acts.any_act(field)
    }

    fn imports(&self, source: &str) -> Result<Arc<[Arc<Import>]>> {
        self.acts.imports(source)
    }

    fn brought(&self, import: &Import) -> Result<Brought> {
        self.acts.brought(import)
    }

    fn digest(&self, seq: u64) -> Result<String> {
        self.acts.digest(seq)
    }
}

fn minute(minute: i64) -> Timestamp {
    Timestamp::EPOCH.saturating_add(minute * MICROS_PER_MINUTE)
}

fn text(at: i64) -> String {
    minute(at).to_string()
}

/// A fact as a fold sees it.
fn row_event(fact: &Fact) -> RowEvent {
    let at = Timestamp::from_micros(fact.act).unwrap();
    let mut event = testing::event(fact.seq, at, &fact.ty, &fact.by, fact.data.clone());
    event.recorded_at = Timestamp::from_micros(fact.recorded).unwrap();
    event.effective_at = fact.data["effective_at"].as_str().and_then(Timestamp::recorded).unwrap_or(at);
    event.source = fact.source.clone();
    event.id = fact.id.clone();
    event.actor = fact.actor.clone();
    event
}

/// The one approval of these facts, at a minute, by those that are known.
fn judged(facts: &[Fact], at: i64, known: usize) -> Option<Row> {
    judged_with(facts, &[], at, known)
}

/// The same, where some of the entries beside it were annulled.
fn judged_with(facts: &[Fact], annulled: &[Annulled], at: i64, known: usize) -> Option<Row> {
    let known = known as u64;
    let events: Vec<RowEvent> = facts.iter().filter(|fact| fact.seq < known).map(row_event).collect();
    let (own, standing): (Vec<RowEvent>, Vec<RowEvent>) =
        events.into_iter().partition(|event| event.ty.starts_with("approval."));
    let row = fold(&Approvals, &own);
    let annulled = annulled.iter().filter(|one| one.fact.seq < known);
    let annulled = annulled.map(|one| (row_event(&one.fact), one.by)).collect();
    let held = Held { standing: standing.clone(), annulled, acts: HeldActs(standing) };
    let judged = Judge::judge(&Approvals, &row, minute(at), &held).unwrap();
    if let Some(judged) = &judged {
        let latest = own.iter().map(|event| event.recorded_at.max(event.effective_at)).max();
        if latest.is_some_and(|latest| latest <= minute(at)) {
            let states = Judge::states(&Approvals, &row);
            assert!(states.contains(&state_at(judged, at)), "{states:?} {judged:?}");
        }
    }
    judged
}

/// The state as the engine shows it.
fn state_at(row: &Row, at: i64) -> &str {
    let over = !row.ended && row.valid_until.is_some_and(|until| until <= minute(at));
    if over && row.state == GRANTED { "expired" } else { &row.state }
}

// What both say, in one shape.

fn micros(at: i64) -> Value {
    Timestamp::clamped(at).to_string().into()
}

fn of_model(approval: &Approval) -> Value {
    use plain::{EndedBy, Own, WhyNot};
    let due = |told: &Option<plain::ExtendedDue>| {
        told.as_ref().map(|told| json!({"due_at": micros(told.due_at), "by": told.by, "seq": told.seq}))
    };
    let missed = |round: &plain::Round| -> Vec<Value> {
        round
            .missed_before
            .iter()
            .map(|missed| match missed {
                plain::Missed::Decision { due_at } => json!(["decision", micros(*due_at)]),
                plain::Missed::Condition { vote, id, due_at } => {
                    json!(["condition", micros(*due_at), vote, id])
                }
            })
            .collect()
    };
    let why_not = |why: WhyNot| match why {
        WhyNot::BeforeOpening => "before-opening",
        WhyNot::AfterEnd => "after-end",
        WhyNot::RecordedAfterEnd => "recorded-after-end",
        WhyNot::AfterGrant => "after-decision",
        WhyNot::OtherDigest => "another-scope",
        WhyNot::CapacityNotInQuorum => "capacity-not-in-quorum",
        WhyNot::LaterVote => "voted-again",
        WhyNot::Recused => "recused",
        WhyNot::NoAuthority => "no-authority",
        WhyNot::RightTaken => "right-taken",
    };
    let vote = |round: Option<usize>, vote: &plain::Vote| {
        json!({
            "seq": vote.seq, "round": round, "result": if vote.for_it { "granted" } else { "rejected" },
            "counts": vote.counts, "with_authority": vote.with_authority, "right_of": vote.place,
            "own": vote.own == Own::Requester, "delegate": vote.own == Own::RequestersDelegate,
            "why_not": vote.why_not.map(why_not), "authority_now": vote.authority_now,
            "no_roles": vote.no_roles_recorded, "out_of_order": vote.out_of_order && round.is_some(),
            "annulled": vote.annulled,
        })
    };
    let how = |how: EndedBy| match how {
        EndedBy::Rejected => "rejected",
        EndedBy::Withdrawn => "withdrawn",
        EndedBy::Revoked => "revoked",
        EndedBy::Expired => "expired",
        EndedBy::NewerAsked => "newer-asked",
        EndedBy::NewerGranted => "newer-granted",
    };
    let rounds = approval.rounds.iter().map(|round| {
        let ended = round.ended_by.as_ref();
        let ended =
            ended.map(|end| json!({"how": how(end.how), "at": micros(end.at), "seq": end.seq, "by": end.by}));
        json!({
            "round": round.number, "state": round.state.word(), "asked": round.asked,
            "granted_at": round.granted_at.map(micros), "told_again": round.told_again,
            "due_at": round.due_at.map(micros), "extended": due(&round.extended_due_at),
            "earlier": due(&round.earlier_due_at), "ended": ended, "missed": missed(round),
            "no_roles_recorded": round.no_roles_recorded,
        })
    });
    let of_rounds = approval.rounds.iter();
    let votes = of_rounds.flat_map(|round| round.votes.iter().map(|one| vote(Some(round.number), one)));
    let votes: Vec<Value> = votes.chain(approval.unplaced.iter().map(|one| vote(None, one))).collect();
    let ending = |ending: &plain::Ending| {
        json!({
            "seq": ending.seq, "by_stranger": ending.by_stranger, "ended": ending.ended,
            "ended_nothing": ending.ended_nothing,
        })
    };
    let conditions = approval.conditions.iter().map(|condition| {
        let state = match condition.state {
            plain::ConditionState::BeforeGrant => "before-grant",
            plain::ConditionState::Open => "open",
            plain::ConditionState::Met => "met",
            plain::ConditionState::Over => "over",
        };
        json!([condition.round, condition.vote, condition.id, state])
    });
    let recusals = approval.rounds.iter().flat_map(|round| {
        let shown = move |recusal: &plain::Recusal| {
            json!([round.number, recusal.seq, recusal.counts, recusal.why_not.map(why_not)])
        };
        round.recusals.iter().map(shown)
    });
    let unused = approval.unused.iter().map(|unused| json!([unused.seq, unused.ambiguous]));
    json!({
        "state": approval.state.word(), "rounds": rounds.collect::<Vec<_>>(), "votes": votes,
        "in_force": approval.in_force.as_ref().map(|held| json!([held.round, held.until.map(micros)])),
        "due_at": approval.due_at.map(micros), "overdue": approval.overdue,
        "withdrawals": approval.withdrawals.iter().map(ending).collect::<Vec<_>>(),
        "revocations": approval.revocations.iter().map(ending).collect::<Vec<_>>(),
        "conditions": conditions.collect::<Vec<_>>(), "recusals": recusals.collect::<Vec<_>>(),
        "unused": unused.collect::<Vec<_>>(), "missed_before": approval.missed_before,
        "no_roles_recorded": approval.no_roles_recorded, "out_of_order": approval.out_of_order,
    })
}

fn of_row(row: &Row, at: i64) -> Value {
    let list = |name: &str| row.value(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let pick = |value: &Value, names: &[(&str, &str)]| -> Value {
        names.iter().map(|(shown, name)| ((*shown).to_owned(), value[*name].clone())).collect()
    };
    let missed = |missed: &Value| match missed["what"].as_str() {
        Some("decision") => json!(["decision", missed["due_at"]]),
        _ => json!(["condition", missed["due_at"], missed["vote"], missed["condition"]]),
    };
    let rounds = list("rounds");
    let rounds = rounds.iter().map(|round| {
        let mut shown = pick(
            round,
            &[
                ("round", "round"),
                ("state", "state"),
                ("asked", "asked"),
                ("granted_at", "granted_at"),
                ("told_again", "told_again"),
                ("due_at", "due_at"),
                ("extended", "extended_due_at"),
                ("earlier", "earlier_due_at"),
                ("ended", "ended"),
                ("no_roles_recorded", "no_roles_recorded"),
            ],
        );
        shown["missed"] = round["missed"].as_array().unwrap().iter().map(missed).collect();
        shown
    });
    let votes = list("votes");
    let votes = votes.iter().map(|vote| {
        let mut shown = pick(
            vote,
            &[
                ("seq", "seq"),
                ("round", "round"),
                ("result", "result"),
                ("counts", "counts"),
                ("with_authority", "with_authority"),
                ("right_of", "right_of"),
                ("own", "own"),
                ("delegate", "by_requesters_delegate"),
                ("why_not", "why_not"),
                ("authority_now", "authority_now"),
            ],
        );
        let authority = vote["authority"].as_str().unwrap();
        shown["no_roles"] = (authority == "no-roles-recorded").into();
        shown["out_of_order"] = (vote["out_of_order"] == true).into();
        let annulled = vote["annulled_by"].as_array().is_some_and(|by| !by.is_empty());
        shown["annulled"] = annulled.into();
        assert_eq!(authority == "annulled", annulled && authority != "no-roles-recorded", "{vote}");
        assert_eq!(["held", "delegated"].contains(&authority), vote["with_authority"] == true, "{vote}");
        shown
    });
    let endings = |name: &str| -> Vec<Value> {
        let names = ["seq", "by_stranger", "ended", "ended_nothing"];
        list(name).iter().map(|ending| pick(ending, &names.map(|name| (name, name)))).collect()
    };
    let conditions = list("conditions")
        .into_iter()
        .map(|condition| json!([condition["round"], condition["vote"], condition["id"], condition["state"]]));
    let recusals = list("recusals").into_iter();
    let recusals = recusals
        .map(|recusal| json!([recusal["round"], recusal["seq"], recusal["counts"], recusal["why_not"]]));
    let unused = list("conditions_unmatched").into_iter();
    let unused = unused.map(|unused| json!([unused["seq"], unused["ambiguous"]]));
    let in_force = row.value("in_force").map(|held| json!([held["round"], held["until"]]));
    json!({
        "state": state_at(row, at), "rounds": rounds.collect::<Vec<_>>(), "votes": votes.collect::<Vec<_>>(),
        "in_force": in_force, "due_at": row.due_at.map(|due| due.to_string()),
        "overdue": !row.ended && row.due_at.is_some_and(|due| due <= minute(at)),
        "withdrawals": endings("withdrawals"), "revocations": endings("revocations"),
        "conditions": conditions.collect::<Vec<_>>(), "recusals": recusals.collect::<Vec<_>>(),
        "unused": unused.collect::<Vec<_>>(), "missed_before": row.is("missed_before"),
        "no_roles_recorded": row.is("no_roles_recorded"), "out_of_order": row.is("out_of_order"),
    })
}

/// Both, of the same facts.
fn both(facts: &[Fact], at: i64, known: usize) -> (Option<Value>, Option<Value>) {
    both_with(facts, &[], at, known)
}

/// The same, where some of the entries beside it were annulled.
fn both_with(facts: &[Fact], annulled: &[Annulled], at: i64, known: usize) -> (Option<Value>, Option<Value>) {
    let micros = minute(at).micros();
    let moment = Moment { at: micros, known: known as u64, now: micros };
    let mut known_facts: Vec<Fact> = facts.iter().filter(|fact| fact.seq < known as u64).cloned().collect();
    corrections::mark_imported(&mut known_facts);
    let model = plain::approvals_with(&known_facts, annulled, moment);
    let row = judged_with(facts, annulled, at, known).filter(|row| {
        // A fold without events is no row.
        !row.counts.is_empty()
    });
    (model.first().map(of_model), row.map(|row| of_row(&row, at)))
}

// Random histories.

type Draw = (u8, u8, u8, u8, u8, u8);

fn any_draw() -> impl Strategy<Value = Draw> {
    (0..24_u8, 0..5_u8, 0..12_u8, 0..12_u8, 0..12_u8, 0..8_u8)
}

const PEOPLE: [&str; 5] = ["ann", "bob", "cay", "dan", "req"];

/// How late something is told.
const LATE: [i64; 12] = [0, 0, 0, 0, 0, 0, 1, 2, 4, 8, 15, 30];

/// When it is brought in an hour after it was done.
const LONG_AGO: [i64; 12] = [5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60];

/// What is told by a draw: kind, who, two choices, how late, how long after the one before.
fn facts_of(draws: &[Draw]) -> Vec<Fact> {
    let mut facts = Vec::new();
    tell(draws, 0, LATE, &mut facts);
    facts
}

/// Tells more, from a minute on.
fn tell(draws: &[Draw], from: i64, late_by: [i64; 12], facts: &mut Vec<Fact>) {
    let mut now = from;
    for (seq, (kind, who, one, other, late, gap)) in (facts.len() as u64..).zip(draws) {
        now += [0, 0, 1, 1, 2, 3, 6, 20][usize::from(*gap)];
        let act = (now - late_by[usize::from(*late)]).max(0);
        let (one, other) = (usize::from(*one), usize::from(*other));
        let by = PEOPLE[usize::from(*who)];
        let another = PEOPLE[one % 5];
        let mut data = json!({"approval": "A"});
        let mut put = |name: &str, value: Value| {
            if !value.is_null() {
                data[name] = value;
            }
        };
        let near = act + [-20, -5, 0, 0, 5, 20][other % 6];
        let role = ["risk", "law"][other % 2];
        let ty = match kind {
            0..=3 => {
                let roles: &[&str] = [&["risk"][..], &["risk"], &["risk", "law"]][one % 3];
                let n = [1, 2, 2][other % 3];
                put("quorum", json!({"n": n, "roles": roles, "veto": one % 4 == 3}));
                put("kind", "k".into());
                put("scope_digest", ["s", "s", "t"][other % 3].into());
                put("due_at", [Value::Null, text(now + 4).into(), text(now + 12).into()][one / 4].clone());
                put("valid_until", [Value::Null, Value::Null, text(30).into()][other / 4].clone());
                put("risk_class", [Value::Null, "limited".into(), "high".into()][other % 3].clone());
                "approval.requested"
            }
            4..=9 => {
                let capacity: [Value; 6] =
                    ["risk".into(), "risk".into(), "risk".into(), "law".into(), Value::Null, "clerk".into()];
                put("capacity", capacity[one % 6].clone());
                put("scope_digest", ["s".into(), "s".into(), "t".into(), Value::Null][other % 4].clone());
                if other > 6 {
                    let due = text(now + one as i64);
                    put("conditions", json!([{"id": "C1", "text": "t", "due_at": due}]));
                }
                "approval.granted"
            }
            10 | 11 => {
                put("capacity", ["risk", "risk", "law"][one % 3].into());
                "approval.rejected"
            }
            12 => "approval.recused",
            13 => {
                put("condition", ["C1", "C1", "C2"][one % 3].into());
                if other > 7 && seq > 0 {
                    put("vote", ((one as u64) % seq).into());
                }
                "approval.condition_met"
            }
            14 => {
                if other > 7 {
                    put("effective_at", text(near).into());
                }
                "approval.withdrawn"
            }
            15 | 16 => {
                put("effective_at", text(near).into());
                if one > 9 && seq > 0 {
                    put("of", ((other as u64) % seq).into());
                }
                "approval.revoked"
            }
            17 | 18 => {
                data = json!({"principal": another, "role": role});
                if one > 7 {
                    data["valid_from"] = text(near).into();
                }
                "role.assigned"
            }
            19 => {
                data = json!({"principal": another, "role": role, "effective_at": text(near)});
                "role.unassigned"
            }
            20..=22 => {
                let max_risk = ["limited", "high"][other % 2];
                data = json!({
                    "delegation": format!("D{}", one % 3), "from": by, "to": another, "kinds": ["k"],
                    "max_risk": max_risk, "valid_from": text(act - 3),
                    "valid_until": text(act + 25),
                });
                "delegation.granted"
            }
            _ => {
                data = json!({
                    "delegation": format!("D{}", one % 3), "from": by, "to": another, "effective_at": text(near),
                });
                "delegation.revoked"
            }
        };
        facts.push(Fact {
            seq,
            place: seq,
            recorded: minute(now).micros(),
            act: minute(act).micros(),
            source: if ty == "approval.requested" || one % 3 > 0 { "/a" } else { "/b" }.to_owned(),
            id: format!("e{seq}"),
            ty: ty.to_owned(),
            actor: "app:a".to_owned(),
            by: if ty == "approval.requested" { "req" } else { by }.to_owned(),
            subject: None,
            data,
            imported: false,
        });
    }
}

/// An import of what `/a` did in the first hour, opened an hour later; its confirmation, by whom it is said; its closing.
fn import(facts: &mut Vec<Fact>, ty: &str, by: &str) {
    let seq = facts.len() as u64;
    let data = match ty {
        "import.opened" => json!({"import": "I", "source": "/a", "from": text(0), "to": text(60)}),
        "import.closed" => json!({"import": "I", "counts": {}}),
        _ => {
            let Some(of) = facts.iter().find(|fact| fact.ty == "import.opened") else { return };
            let digest = testing::digest(&of.source, &of.id, &of.ty, &of.data);
            json!({"of": {"source": of.source, "id": of.id}, "digest": digest})
        }
    };
    let now = facts.last().map_or(minute(60).micros(), |fact| fact.recorded.max(minute(60).micros()));
    facts.push(Fact {
        seq,
        place: seq,
        recorded: now,
        act: now,
        source: "/import".to_owned(),
        id: format!("e{seq}"),
        ty: ty.to_owned(),
        actor: by.to_owned(),
        by: by.to_owned(),
        subject: None,
        data,
        imported: false,
    });
}

/// Histories of which a part is brought in an hour after it was done: opened, perhaps confirmed by somebody else, brought in,
/// perhaps closed, and what comes after.
fn any_imported_history() -> impl Strategy<Value = Vec<Fact>> {
    let draws = |most| prop::collection::vec(any_draw(), 0..most);
    (draws(5), draws(16), draws(5), 0..4_u8, any::<bool>()).prop_map(
        |(before, inside, after, confirmed, closed)| {
            let mut facts = Vec::new();
            tell(&before, 0, LATE, &mut facts);
            import(&mut facts, "import.opened", "user:a");
            if confirmed > 0 {
                import(
                    &mut facts,
                    "act.confirmed",
                    ["user:a", "user:b", "user:c"][usize::from(confirmed) - 1],
                );
            }
            let now = |facts: &[Fact]| {
                let last = facts.last().map_or(0, |fact| fact.recorded);
                ((last - minute(0).micros()) / MICROS_PER_MINUTE).max(60)
            };
            let from = now(&facts);
            tell(&inside, from, LONG_AGO, &mut facts);
            if closed {
                import(&mut facts, "import.closed", "user:a");
            }
            let from = now(&facts);
            tell(&after, from, LATE, &mut facts);
            facts
        },
    )
}

/// Histories in which roles are known from the beginning, or not.
fn any_history() -> impl Strategy<Value = Vec<Fact>> {
    let role = |who: u8| (17_u8, 4_u8, who, 0_u8, 0_u8, 0_u8);
    let draws = prop::collection::vec(any_draw(), 1..22);
    (draws, 0..5_u8, any::<bool>()).prop_map(move |(mut draws, known, opens)| {
        if opens {
            draws.insert(0, (0, 4, 1, 4, 0, 3));
        }
        (0..known.saturating_sub(1)).for_each(|who| draws.insert(0, role(who)));
        facts_of(&draws)
    })
}

proptest! {
    #[test]
    fn an_approval_is_what_the_plain_model_says(facts in any_history(), at in 0..120_i64, known in 1..40_usize) {
        let known = known.min(facts.len());
        for at in [at, 10_000] {
            let (model, row) = both(&facts, at, known);
            prop_assert_eq!(model, row);
        }
    }

    /// The same where some roles and delegations were annulled, before or after the votes that rest on them.
    #[test]
    fn what_an_annulment_takes_away_is_marked_as_the_plain_model_says(
        facts in any_history(),
        which in prop::collection::vec((0..40_usize, 0..40_u64), 1..8),
        at in 0..120_i64,
        known in 1..40_usize,
    ) {
        let known = known.min(facts.len());
        let by = |fact: &Fact| {
            let later = which.iter().find(|(place, _)| *place as u64 == fact.seq).map(|(_, later)| *later);
            later.map(|later| fact.seq + 1 + later).filter(|_| !fact.ty.starts_with("approval."))
        };
        let (gone, standing): (Vec<Fact>, Vec<Fact>) =
            facts.iter().cloned().partition(|fact| by(fact).is_some_and(|by| by < known as u64));
        let annulled = gone.into_iter().map(|fact| Annulled { by: by(&fact).unwrap(), fact });
        let annulled: Vec<Annulled> = annulled.collect();
        for at in [at, 10_000] {
            let (model, row) = both_with(&standing, &annulled, at, known);
            prop_assert_eq!(model, row);
        }
    }

    #[test]
    fn what_is_brought_in_is_what_the_plain_model_says(
        facts in any_imported_history(), at in 0..200_i64, known in 1..40_usize,
    ) {
        let known = known.min(facts.len());
        for (at, known) in [(at, known), (10_000, known), (at, facts.len()), (10_000, facts.len())] {
            let (model, row) = both(&facts, at, known);
            prop_assert_eq!(model, row);
        }
    }

    /// In whatever order they are given, the same events make the same row.
    #[test]
    fn the_order_in_which_events_are_given_makes_no_difference(facts in any_history(), seed in any::<u64>()) {
        let mut events: Vec<RowEvent> = facts.iter().map(row_event).collect();
        events.retain(|event| event.ty.starts_with("approval."));
        let row = fold(&Approvals, &events);
        let len = events.len().max(1);
        let by = seed as usize % len;
        events.rotate_left(by);
        let again = fold(&Approvals, &events);
        prop_assert_eq!(row.memo.get(TOLD), again.memo.get(TOLD));
    }
}

// Shrunk counterexamples and rules, one by one.

/// A story told by hand: minutes of the first day.
#[derive(Default)]
struct Story(Vec<Fact>);

impl Story {
    /// Ann, Bob and Cay are risk officers.
    fn with_roles() -> Story {
        let mut story = Story::default();
        for who in ["ann", "bob", "cay"] {
            story.tell(0, 0, "hr", "role.assigned", json!({"principal": who, "role": "risk"}));
        }
        story
    }

    fn tell(&mut self, act: i64, recorded: i64, by: &str, ty: &str, data: Value) -> u64 {
        let seq = self.0.len() as u64;
        let mut data = data;
        if ty.starts_with("approval.") {
            data["approval"] = "A".into();
        }
        self.0.push(Fact {
            seq,
            place: seq,
            recorded: minute(recorded).micros(),
            act: minute(act).micros(),
            source: "/a".to_owned(),
            id: format!("e{seq}"),
            ty: ty.to_owned(),
            actor: "app:a".to_owned(),
            by: by.to_owned(),
            subject: None,
            data,
            imported: false,
        });
        seq
    }

    fn ask(&mut self, act: i64, n: u64, more: Value) -> u64 {
        let mut data = json!({"kind": "k", "scope_digest": "s", "quorum": {"n": n, "roles": ["risk"]}});
        data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.tell(act, act, "req", "approval.requested", data)
    }

    fn vote(&mut self, act: i64, by: &str) -> u64 {
        self.tell(act, act, by, "approval.granted", json!({"capacity": "risk", "rationale": "fine"}))
    }

    fn end(&mut self, act: i64, by: &str, how: &str) -> u64 {
        self.tell(act, act, by, &format!("approval.{how}"), json!({}))
    }

    /// The row at a minute, which the model says as well.
    fn at(&self, at: i64) -> Row {
        let (model, row) = both(&self.0, at, self.0.len());
        assert_eq!(model, row);
        judged(&self.0, at, self.0.len()).unwrap()
    }

    fn state(&self, at: i64) -> String {
        state_at(&self.at(at), at).to_owned()
    }

    fn seen(&self, seq: u64) -> Map<String, Value> {
        let row = self.at(10_000);
        votes(&row).find(|vote| vote["seq"] == seq).unwrap().clone()
    }
}

#[test]
fn a_quorum_is_reached_vote_by_vote_and_by_authority() {
    let mut story = Story::with_roles();
    story.ask(1, 2, json!({"due_at": text(90)}));
    story.vote(2, "ann");
    story.vote(3, "eve");
    story.vote(4, "bob");
    let states = [1, 2, 3, 4].map(|at| story.state(at));
    assert_eq!(states, ["pending", "partial", "granted-unverified", "granted"]);
    // As long as it is not granted with authority, it is due.
    assert_eq!((story.at(3).due_at, story.at(4).due_at), (Some(minute(90)), None));
    let row = story.at(5);
    assert_eq!(
        (row.value("votes_for"), row.value("votes_with_authority")),
        (Some(&json!(3)), Some(&json!(2)))
    );
}

#[test]
fn where_no_role_was_recorded_a_grant_says_so() {
    let mut story = Story::default();
    story.ask(1, 1, json!({}));
    story.vote(2, "ann");
    let row = story.at(3);
    assert_eq!((row.state.as_str(), row.value("caveats")), ("granted", Some(&json!(["no-roles-recorded"]))));
    assert!(row.is("no_roles_recorded"));
    // A role that is recorded later does not take that away, and is shown.
    story.tell(0, 4, "hr", "role.assigned", json!({"principal": "ann", "role": "risk"}));
    assert_eq!(story.state(5), "granted");
    assert_eq!(story.seen(1)["authority_now"], true);
}

#[test]
fn a_role_recorded_after_the_vote_never_makes_it_count_and_a_renewed_vote_settles_it() {
    let mut story = Story::with_roles();
    story.ask(1, 1, json!({}));
    let vote = story.vote(2, "eve");
    story.tell(0, 3, "hr", "role.assigned", json!({"principal": "eve", "role": "risk"}));
    assert_eq!(story.state(4), "granted-unverified");
    let seen = story.seen(vote);
    assert_eq!((&seen["authority"], &seen["authority_now"]), (&json!("not-held"), &json!(true)));
    story.vote(5, "eve");
    assert_eq!(story.state(6), "granted");
    // Its end, recorded later with effect from before, undoes nothing, and is shown.
    let late = json!({"principal": "eve", "role": "risk", "effective_at": text(0)});
    story.tell(7, 7, "hr", "role.unassigned", late);
    assert_eq!(story.state(8), "granted");
    assert_eq!(votes(&story.at(8)).last().unwrap()["authority_now"], false);
}

#[test]
fn an_annulled_role_takes_authority_away_and_the_vote_says_so() {
    let mut story = Story::with_roles();
    story.ask(1, 1, json!({}));
    let vote = story.vote(2, "ann");
    assert_eq!(story.state(3), "granted");
    // Ann's role is annulled by an entry after the vote, or by one that was there before it.
    let ann = story.0.remove(0);
    let seen = |by: u64| {
        let annulled = [Annulled { fact: ann.clone(), by }];
        let (model, row) = both_with(&story.0, &annulled, 10_000, 100);
        assert_eq!(model, row);
        let row = judged_with(&story.0, &annulled, 10_000, 100).unwrap();
        let vote = votes(&row).find(|shown| shown["seq"] == vote).unwrap().clone();
        (row.state.clone(), row.is("authority_annulled"), vote)
    };
    let (state, is_marked, after) = seen(5);
    assert_eq!((state.as_str(), is_marked), ("granted-unverified", true));
    assert_eq!((&after["authority"], &after["annulled_by"]), (&json!("annulled"), &json!([5])));
    assert_eq!((&after["with_authority"], &after["why_not"]), (&json!(false), &json!("no-authority")));
    let (state, is_marked, before) = seen(3);
    assert_eq!((state.as_str(), is_marked), ("granted-unverified", false));
    assert_eq!((&before["authority"], before.get("annulled_by")), (&json!("not-held"), None));
}

#[test]
fn a_changed_term_begins_a_round_beside_the_one_in_force() {
    let mut story = Story::with_roles();
    story.ask(1, 1, json!({"valid_until": text(100)}));
    story.vote(2, "ann");
    story.ask(10, 1, json!({"scope_digest": "t", "valid_until": text(900)}));
    let row = story.at(11);
    assert_eq!((row.state.as_str(), row.valid_until), ("pending", None));
    let held = row.value("in_force").unwrap();
    assert_eq!((&held["round"], &held["until"]), (&json!(1), &json!(text(100))));
    assert_eq!(held["terms"]["scope_digest"], "s");
    // It is found by what stands and by what is asked for.
    assert_eq!(story.at(101).value("in_force"), None);
    story.tell(12, 12, "bob", "approval.granted", json!({"scope_digest": "t", "capacity": "risk"}));
    let row = story.at(13);
    assert_eq!(row.value("in_force").unwrap()["round"], 2);
    assert_eq!(row.value("rounds").unwrap()[0]["ended"]["how"], "newer-granted");
}

#[test]
fn a_term_lowered_after_a_vote_grants_nothing() {
    let mut story = Story::with_roles();
    story.ask(1, 3, json!({}));
    story.vote(2, "ann");
    story.ask(3, 1, json!({}));
    assert_eq!(story.state(4), "pending");
}

#[test]
fn votes_of_a_revoked_round_do_not_come_back() {
    let mut story = Story::with_roles();
    story.ask(1, 1, json!({}));
    story.vote(2, "ann");
    story.end(3, "ann", "revoked");
    story.ask(4, 1, json!({"scope_digest": "t"}));
    story.ask(5, 1, json!({}));
    assert_eq!(story.state(6), "pending");
}

#[test]
fn the_same_terms_are_told_again_with_a_later_date_and_after_an_end_they_begin() {
    let mut story = Story::with_roles();
    story.ask(1, 1, json!({"due_at": text(20)}));
    story.ask(2, 1, json!({"due_at": text(40)}));
    let row = story.at(30);
    assert_eq!((row.due_at, row.value("round")), (Some(minute(20)), Some(&json!(1))));
    assert_eq!(row.value("extended_due_at").unwrap()["due_at"], text(40));
    story.end(31, "req", "withdrawn");
    story.ask(32, 1, json!({"due_at": text(60)}));
    let row = story.at(33);
    assert_eq!(
        (row.state.as_str(), row.value("round"), row.due_at),
        ("pending", Some(&json!(2)), Some(minute(60)))
    );
    assert!(row.is("missed_before"), "reopening launders nothing");
}

#[test]
fn a_vote_recorded_after_the_end_of_its_round_does_not_count() {
    let mut story = Story::with_roles();
    story.ask(1, 1, json!({}));
    story.end(5, "req", "withdrawn");
    let late = story.tell(3, 6, "ann", "approval.granted", json!({"capacity": "risk"}));
    assert_eq!((story.state(4), story.state(7)), ("pending".to_owned(), "withdrawn".to_owned()));
    assert_eq!(story.seen(late)["why_not"], "recorded-after-end");
}

#[test]
fn a_round_that_nobody_had_recorded_was_not_over() {
    // A withdrawal told early and announced, and a vote told early and recorded late: when the vote was recorded, nobody
    // had recorded the opening.
    let mut story = Story::with_roles();
    story.tell(1, 1, "ann", "approval.withdrawn", json!({"effective_at": text(20)}));
    story.tell(6, 21, "ann", "approval.rejected", json!({"capacity": "risk"}));
    story.tell(7, 22, "req", "approval.requested", json!({"quorum": {"n": 1, "roles": ["risk"]}}));
    assert_eq!(story.state(30), "rejected");
}

#[test]
fn at_one_instant_the_order_of_recording_decides_and_marks_nothing() {
    let mut story = Story::default();
    story.vote(1, "ann");
    story.ask(1, 1, json!({}));
    let row = story.at(1);
    assert_eq!((row.state.as_str(), row.is("out_of_order")), ("granted", false));
}

#[test]
fn a_revocation_counts_whoever_does_it_and_from_when_it_says() {
    let mut story = Story::with_roles();
    story.ask(10, 1, json!({}));
    story.vote(20, "ann");
    story.tell(30, 30, "eve", "approval.revoked", json!({"effective_at": text(0)}));
    let row = story.at(40);
    assert_eq!((row.state.as_str(), row.is("by_stranger")), ("revoked", true));
    // One with effect from later lets it stand until then.
    let mut story = Story::with_roles();
    story.ask(10, 1, json!({}));
    story.vote(20, "ann");
    story.tell(30, 30, "req", "approval.revoked", json!({"effective_at": text(50)}));
    assert_eq!([40, 50].map(|at| story.state(at)), ["granted", "revoked"]);
    assert_eq!((story.at(40).valid_until, story.at(40).is("by_stranger")), (Some(minute(50)), false));
}

#[test]
fn a_withdrawal_by_a_stranger_ends_nothing() {
    let mut story = Story::with_roles();
    story.ask(1, 1, json!({}));
    story.end(2, "eve", "withdrawn");
    let row = story.at(3);
    assert_eq!((row.state.as_str(), row.is("by_stranger")), ("pending", true));
    assert_eq!(row.value("withdrawals").unwrap()[0]["ended_nothing"], true);
    story.end(4, "bob", "withdrawn");
    assert_eq!(story.state(5), "withdrawn");
}

#[test]
fn one_right_lent_to_two_fills_one_place_and_a_void_vote_silences_nobody() {
    let lent = |to: &str, id: &str| json!({"delegation": id, "from": "ann", "to": to, "kinds": ["k"], "max_risk": "high"});
    let mut story = Story::with_roles();
    story.tell(0, 0, "ann", "delegation.granted", lent("dan", "D1"));
    story.tell(0, 0, "ann", "delegation.granted", lent("eve", "D2"));
    story.ask(1, 2, json!({}));
    let first = story.vote(2, "dan");
    let second = story.vote(3, "eve");
    assert_eq!(story.state(4), "granted-unverified");
    assert_eq!(story.at(4).value("votes_with_authority"), Some(&json!(1)));
    assert_eq!(
        (&story.seen(first)["why_not"], &story.seen(second)["from"]),
        (&json!("right-taken"), &json!("ann"))
    );
    // The delegator's vote on other terms is none in this round.
    let mut story = Story::with_roles();
    story.tell(0, 0, "ann", "delegation.granted", lent("dan", "D1"));
    story.ask(1, 1, json!({"scope_digest": "t"}));
    story.tell(2, 2, "ann", "approval.rejected", json!({"capacity": "risk"}));
    story.ask(3, 1, json!({}));
    story.vote(4, "dan");
    assert_eq!(story.state(5), "granted");
}

#[test]
fn a_delegation_given_again_is_in_force_and_another_ones_end_does_not_end_it() {
    let lent =
        |id: &str| json!({"delegation": id, "from": "ann", "to": "dan", "kinds": ["k"], "max_risk": "high"});
    let mut story = Story::with_roles();
    story.tell(1, 1, "ann", "delegation.granted", lent("D1"));
    story.tell(2, 2, "ann", "delegation.revoked", lent("D1"));
    story.tell(3, 3, "ann", "delegation.granted", lent("D1"));
    story.tell(4, 4, "ann", "delegation.granted", lent("D2"));
    story.tell(5, 5, "ann", "delegation.revoked", lent("D2"));
    story.ask(6, 1, json!({}));
    story.vote(7, "dan");
    assert_eq!(story.state(8), "granted");
    story.tell(9, 9, "ann", "delegation.revoked", lent("D1"));
    story.ask(10, 1, json!({"scope_digest": "t"}));
    let vote = story.tell(11, 11, "dan", "approval.granted", json!({"capacity": "risk", "delegation": "D1"}));
    assert_eq!(
        (story.state(12).as_str(), &story.seen(vote)["authority"]),
        ("granted-unverified", &json!("delegation-not-in-force"))
    );
}

#[test]
fn two_conditions_of_one_id_in_two_votes_are_two() {
    let condition = |due: i64| json!({"capacity": "risk", "conditions": [{"id": "C1", "text": "t", "due_at": text(due)}]});
    let mut story = Story::with_roles();
    story.ask(1, 2, json!({}));
    let first = story.tell(2, 2, "ann", "approval.granted", condition(50));
    story.tell(3, 3, "bob", "approval.granted", condition(60));
    story.tell(4, 4, "req", "approval.condition_met", json!({"condition": "C1"}));
    let row = story.at(5);
    assert_eq!(row.value("conditions_unmatched").unwrap()[0]["ambiguous"], true);
    assert_eq!(row.due_at, Some(minute(50)));
    story.tell(6, 6, "req", "approval.condition_met", json!({"condition": "C1", "vote": first}));
    assert_eq!(story.at(7).due_at, Some(minute(60)));
    story.tell(70, 70, "req", "approval.condition_met", json!({"condition": "C1"}));
    let row = story.at(71);
    assert_eq!((row.due_at, row.is("missed_before")), (None, true));
    // What was revoked asks for nothing more.
    let mut story = Story::with_roles();
    story.ask(1, 1, json!({}));
    story.tell(2, 2, "ann", "approval.granted", condition(50));
    story.end(3, "ann", "revoked");
    assert_eq!((story.at(4).due_at, story.at(4).ended), (None, true));
}

#[test]
fn what_is_told_within_five_minutes_before_the_opening_counts_from_it() {
    for (act, expected) in [(6, "granted"), (4, "pending")] {
        let mut story = Story::with_roles();
        story.vote(act, "ann");
        story.ask(10, 1, json!({}));
        assert_eq!(story.state(11), expected, "{act}");
        assert!(story.at(11).is("out_of_order"));
    }
    let mut story = Story::with_roles();
    story.vote(6, "ann");
    assert_eq!(story.state(7), "unopened");
}

#[test]
fn votes_against_end_it_with_authority_alone() {
    let mut story = Story::with_roles();
    story.ask(1, 2, json!({"quorum": {"n": 2, "roles": ["risk"], "veto": true}}));
    story.tell(2, 2, "eve", "approval.rejected", json!({"capacity": "risk"}));
    assert_eq!(story.state(3), "pending");
    story.tell(4, 4, "ann", "approval.rejected", json!({"capacity": "risk"}));
    assert_eq!(story.state(5), "rejected");
}

#[test]
fn own_votes_and_those_of_the_requesters_delegate_are_marked() {
    let mut story = Story::with_roles();
    story.tell(0, 0, "hr", "role.assigned", json!({"principal": "req", "role": "risk"}));
    story.tell(0, 0, "req", "delegation.granted", json!({"delegation": "D", "from": "req", "to": "dan"}));
    story.ask(1, 3, json!({}));
    let (own, lent) = (story.vote(2, "req"), story.vote(3, "dan"));
    assert_eq!(
        (&story.seen(own)["own"], &story.seen(lent)["by_requesters_delegate"]),
        (&json!(true), &json!(true))
    );
    let row = story.at(4);
    assert!(row.is("own_vote") && row.is("delegates_vote"));
}

#[test]
fn a_vote_in_a_capacity_that_the_quorum_does_not_name_is_none_of_it() {
    let mut story = Story::default();
    story.ask(1, 1, json!({}));
    let vote = story.tell(2, 2, "ann", "approval.granted", json!({"capacity": "clerk"}));
    assert_eq!(
        (story.state(3).as_str(), &story.seen(vote)["why_not"]),
        ("pending", &json!("capacity-not-in-quorum"))
    );
}

#[test]
fn another_source_that_says_the_same_confirms() {
    let mut story = Story::with_roles();
    story.ask(1, 1, json!({}));
    story.ask(2, 1, json!({}));
    story.0.last_mut().unwrap().source = "/b".to_owned();
    let row = judged(&story.0, 3, story.0.len()).unwrap();
    assert_eq!(row.value("confirmations").unwrap()[0]["source"], "/b");
    assert_eq!(row.value("rounds").unwrap()[0]["told_again"], json!([]));
}

#[test]
fn of_more_events_than_are_kept_revocations_count_still() {
    let mut story = Story::with_roles();
    story.ask(1, 1, json!({}));
    for _ in 0..MAX_TOLD + 5 {
        story.tell(2, 2, "eve", "approval.granted", json!({"capacity": "risk"}));
    }
    story.end(3, "ann", "revoked");
    let row = judged(&story.0, 4, story.0.len()).unwrap();
    assert_eq!((row.state.as_str(), row.value(LEFT_OUT)), ("revoked", Some(&json!(6))));
}

#[test]
fn empty_reasons_are_seen() {
    let mut story = Story::with_roles();
    story.ask(1, 1, json!({"rationale": "because", "pillars": ["p"]}));
    story.tell(2, 2, "ann", "approval.granted", json!({"capacity": "risk", "rationale": " "}));
    let row = story.at(3);
    assert_eq!((row.is("without_rationale"), row.is("without_pillar")), (true, false));
}

/// An import of the first hour, opened and confirmed an hour after it began.
fn opened_import() -> Story {
    let mut story = Story::default();
    import(&mut story.0, "import.opened", "user:a");
    import(&mut story.0, "act.confirmed", "user:b");
    story
}

#[test]
fn a_vote_inside_an_import_counts_long_before_its_opening_and_by_what_was_known_at_the_end() {
    let mut story = opened_import();
    let asked = json!({"kind": "k", "scope_digest": "s", "quorum": {"n": 1, "roles": ["risk"]}});
    let vote = story.tell(10, 61, "ann", "approval.granted", json!({"capacity": "risk"}));
    story.tell(30, 62, "req", "approval.requested", asked);
    story.tell(0, 63, "hr", "role.assigned", json!({"principal": "ann", "role": "risk"}));
    // While it is open, by all that is known.
    let seen = story.seen(vote);
    assert_eq!((&seen["counts"], &seen["authority"]), (&json!(true), &json!("held")));
    assert_eq!((&seen["imported"], &seen["out_of_order"]), (&json!("I"), &json!(true)));
    assert_eq!(
        [29, 30].map(|at| judged(&story.0, at, 5).map(|row| row.state)),
        [None, Some("granted".to_owned())]
    );
    // As of before the role was recorded, nobody had one.
    assert_eq!(state_at(&judged(&story.0, 99, 4).unwrap(), 99), "granted");
    assert!(judged(&story.0, 99, 4).unwrap().is("no_roles_recorded"));
    // Closed before the role was recorded, the role is known too late.
    let mut closed = opened_import();
    closed.tell(0, 60, "hr", "role.assigned", json!({"principal": "bob", "role": "risk"}));
    let asked = json!({"kind": "k", "scope_digest": "s", "quorum": {"n": 1, "roles": ["risk"]}});
    closed.tell(30, 62, "req", "approval.requested", asked);
    let vote = closed.tell(31, 62, "ann", "approval.granted", json!({"capacity": "risk"}));
    import(&mut closed.0, "import.closed", "user:a");
    closed.tell(0, 63, "hr", "role.assigned", json!({"principal": "ann", "role": "risk"}));
    assert_eq!(closed.state(100), "granted-unverified");
    assert_eq!(closed.seen(vote)["authority_now"], true);
}

#[test]
fn without_its_confirmation_an_import_makes_no_vote_count() {
    let mut story = Story::default();
    import(&mut story.0, "import.opened", "user:a");
    import(&mut story.0, "act.confirmed", "user:a");
    let asked = json!({"kind": "k", "scope_digest": "s", "quorum": {"n": 1, "roles": ["risk"]}});
    let vote = story.tell(10, 61, "ann", "approval.granted", json!({"capacity": "risk"}));
    story.tell(30, 62, "req", "approval.requested", asked);
    let seen = story.seen(vote);
    assert_eq!((&seen["counts"], &seen["why_not"]), (&json!(false), &json!("before-opening")));
    assert_eq!(seen.get("imported"), None);
}

#[test]
fn what_is_brought_in_whole_is_judged_by_what_was_done_although_it_had_expired() {
    let mut story = opened_import();
    let asked = json!({
        "kind": "k", "scope_digest": "s", "quorum": {"n": 1, "roles": ["risk"]}, "valid_until": text(50),
    });
    story.tell(0, 61, "hr", "role.assigned", json!({"principal": "ann", "role": "risk"}));
    story.tell(10, 62, "req", "approval.requested", asked.clone());
    story.tell(12, 63, "ann", "approval.granted", json!({"capacity": "risk"}));
    assert_eq!(["granted", "expired"].map(str::to_owned), [40, 60].map(|at| story.state(at)));
    // Outside, a vote that is recorded after the end of what is asked grants nothing.
    let mut outside = Story::default();
    outside.tell(0, 61, "hr", "role.assigned", json!({"principal": "ann", "role": "risk"}));
    outside.tell(10, 62, "req", "approval.requested", asked);
    let vote = outside.tell(12, 63, "ann", "approval.granted", json!({"capacity": "risk"}));
    assert_eq!(outside.seen(vote)["why_not"], "recorded-after-end");
}

#[test]
fn an_ending_inside_an_import_keeps_the_five_minutes() {
    let mut story = opened_import();
    let asked = json!({"kind": "k", "scope_digest": "s", "quorum": {"n": 1, "roles": ["risk"]}});
    story.tell(10, 61, "req", "approval.withdrawn", json!({}));
    story.tell(30, 62, "req", "approval.requested", asked);
    assert_eq!(story.state(40), "pending");
    assert_eq!(story.at(40).value("withdrawals").unwrap()[0]["ended_nothing"], true);
}
