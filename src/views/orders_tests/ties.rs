//! What is tied to the order of recording, and orders of recording that keep to it.

use super::book::{Dice, History};
use crate::views::engine::Event;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// Places of events, in groups: each group is recorded before the next one, and in any order in itself.
pub(super) type Sequence = Vec<Vec<usize>>;

/// One thing by which a row may differ with the order of recording, and why.
pub(super) struct Tie {
    pub(super) what: &'static str,
    pub(super) how: How,
}

/// What comes of it here.
pub(super) enum How {
    /// These events are recorded in one order among themselves, and everything else before, between and after them.
    Kept(fn(&History) -> Vec<Sequence>),
    /// Members of a row by these names are not compared.
    NotCompared(&'static [&'static str]),
    /// The items of lists by these names are compared in whatever order they stand.
    InAnyOrder(&'static [&'static str]),
}

/// All by which rows may differ with the order of recording. Whatever else differs is a fault of a fold.
pub(super) const TIED: [Tie; 10] = [
    Tie {
        what: "a correction speaks of what is recorded before it, and of several of one event the last recorded decides",
        how: How::Kept(corrections),
    },
    Tie {
        what: "who was first: of openings of one id the first recorded opens the row, and with it the source whose row it is",
        how: How::Kept(|history| in_turn(history, &openings)),
    },
    Tie {
        what: "of one contest, review or answer that is told several times the first recorded is the one that counts",
        how: How::Kept(|history| in_turn(history, &items)),
    },
    Tie {
        what: "what one source did at one instant, and what several did of one type, stands in the order of recording",
        how: How::Kept(|history| in_turn(history, &instants)),
    },
    Tie {
        what: "a vote counts in a round only if it is recorded before the round ends, as far as is known then",
        how: How::Kept(votes),
    },
    Tie {
        what: "the authority of a vote, or of who ends an approval, is judged by the roles and delegations recorded before it",
        how: How::Kept(rights),
    },
    Tie {
        what: "a closing ends what is to be done of an escalation only until the ledger knows actions that are told as done",
        how: How::Kept(closings),
    },
    Tie {
        what: "an act of two is in effect by what is recorded after it, and inside an import lies what is recorded between its confirmation and its closing",
        how: How::Kept(imports),
    },
    Tie {
        what: "lateness: when it was recorded, how much later than it was done, and whether in another order",
        how: How::NotCompared(&["recorded_at", "late_seconds", "out_of_order"]),
    },
    Tie {
        what: "some lists are shown in the order in which their items were recorded",
        how: How::InAnyOrder(&[
            "contests",
            "conflicts",
            "ended_nothing",
            "ambiguous",
            "withdrawals",
            "revocations",
            "duties",
        ]),
    },
];

/// What the list comes to, for one that leaves a tie, or a name, out of it: it is named by its words.
pub(super) struct Ties {
    pub(super) not_compared: BTreeSet<&'static str>,
    pub(super) in_any_order: BTreeSet<&'static str>,
    sequences: Vec<fn(&History) -> Vec<Sequence>>,
}

impl Ties {
    pub(super) fn without(left_out: &str) -> Ties {
        let mut ties =
            Ties { not_compared: BTreeSet::new(), in_any_order: BTreeSet::new(), sequences: Vec::new() };
        let names = |names: &[&'static str]| names.iter().copied().filter(|name| *name != left_out).collect();
        for tie in TIED.iter().filter(|tie| tie.what != left_out) {
            match tie.how {
                How::Kept(sequences) => ties.sequences.push(sequences),
                How::NotCompared(members) => ties.not_compared = names(members),
                How::InAnyOrder(lists) => ties.in_any_order = names(lists),
            }
        }
        ties
    }

    /// What keeps its order of recording in a history.
    pub(super) fn sequences(&self, history: &History) -> Vec<Sequence> {
        self.sequences.iter().flat_map(|sequences| sequences(history)).collect()
    }
}

/// A random order in which the events are recorded, which keeps to the sequences: the events' places. With `turned`, the
/// last ones as early as may be.
pub(super) fn order(events: usize, sequences: &[Sequence], turned: bool, dice: &mut Dice) -> Vec<usize> {
    // Between two groups stands a gate, which all of the one have to pass, and after it all of the other.
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); events];
    let mut waits_for = vec![0_usize; events];
    for sequence in sequences {
        for groups in sequence.windows(2) {
            let gate = after.len();
            after.push(groups[1].clone());
            waits_for.push(groups[0].len());
            groups[0].iter().for_each(|place| after[*place].push(gate));
            groups[1].iter().for_each(|place| waits_for[*place] += 1);
        }
    }
    let mut rank = |place: usize| {
        // What stands at a gate goes through at once.
        let gate = place >= events;
        if gate {
            0
        } else if turned {
            1 + (events - place) as u64
        } else {
            dice.number() | 1
        }
    };
    let free = (0..after.len()).filter(|place| waits_for[*place] == 0);
    let mut free: BinaryHeap<Reverse<(u64, usize)>> =
        free.map(|place| Reverse((rank(place), place))).collect();
    let mut order = Vec::with_capacity(events);
    while let Some(Reverse((_, place))) = free.pop() {
        if place < events {
            order.push(place);
        }
        for next in &after[place] {
            waits_for[*next] -= 1;
            if waits_for[*next] == 0 {
                free.push(Reverse((rank(*next), *next)));
            }
        }
    }
    assert_eq!(order.len(), events, "the sequences contradict each other");
    order
}

/// A member of an event's data, as a text.
fn member(event: &Event, name: &str) -> String {
    event.data.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

/// One sequence for each name: the events that have it, one after the other. What stands in an event's place has its place
/// in the order of recording, so that the event has the names of both.
fn in_turn(history: &History, names: &dyn Fn(&Event) -> Vec<String>) -> Vec<Sequence> {
    named(history, names)
        .into_values()
        .map(|places| places.into_iter().map(|place| vec![place]).collect())
        .collect()
}

fn named(history: &History, names: &dyn Fn(&Event) -> Vec<String>) -> BTreeMap<String, Vec<usize>> {
    let mut of: Vec<BTreeSet<String>> =
        history.events.iter().map(|event| names(event).into_iter().collect()).collect();
    for (target, replacement) in history.corrections.values() {
        if let Some(replacement) = replacement {
            let more = of[*replacement].clone();
            of[*target].extend(more);
        }
    }
    let mut sequences: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (place, names) in of.into_iter().enumerate() {
        for name in names {
            sequences.entry(name).or_default().push(place);
        }
    }
    sequences
}

fn openings(event: &Event) -> Vec<String> {
    let member = |name: &str| vec![format!("{}/{}", event.ty, member(event, name))];
    match event.ty.as_str() {
        "decision.made" => member("decision"),
        "approval.requested" => member("approval"),
        "escalation.opened" => member("escalation"),
        "access.requested" => member("request"),
        "incident.opened" => member("incident"),
        "risk.registered" => member("risk"),
        _ => Vec::new(),
    }
}

fn items(event: &Event) -> Vec<String> {
    let (decision, contest) = (member(event, "decision"), member(event, "contest"));
    match event.ty.as_str() {
        "decision.contested" => vec![format!("contest/{contest}")],
        "decision.reviewed" => vec![format!("review/{decision}/{}", member(event, "review"))],
        // One that names no contest may answer any.
        "decision.contest_resolved" if contest.is_empty() => {
            (0..4).map(|contest| format!("answer/{decision}-C{contest}")).collect()
        }
        "decision.contest_resolved" => vec![format!("answer/{contest}")],
        _ => Vec::new(),
    }
}

fn instants(event: &Event) -> Vec<String> {
    vec![format!("{} {}", event.happened_at, event.source), format!("{} {}", event.happened_at, event.ty)]
}

/// Each comes after what it names; those that have to do with each other, one after the other.
fn corrections(history: &History) -> Vec<Sequence> {
    let mut sequences = Vec::new();
    // The corrections of one event, of corrections of it, and of what they put in its place.
    let mut kin: Vec<(BTreeSet<usize>, Vec<usize>)> = Vec::new();
    for (correction, (target, replacement)) in &history.corrections {
        let named: BTreeSet<usize> = [*target].into_iter().chain(*replacement).collect();
        sequences.push(vec![named.iter().copied().collect(), vec![*correction]]);
        let (related, others): (Vec<_>, Vec<_>) =
            kin.into_iter().partition(|(of, _)| !of.is_disjoint(&named));
        let mut all = (named, vec![*correction]);
        all.0.insert(*correction);
        for (of, corrections) in related {
            all.0.extend(of);
            all.1.extend(corrections);
        }
        all.1.sort_unstable();
        kin = others;
        kin.push(all);
    }
    sequences
        .extend(kin.into_iter().map(|(_, places)| places.into_iter().map(|place| vec![place]).collect()));
    sequences
}

fn is_vote(event: &Event) -> bool {
    matches!(event.ty.as_str(), "approval.granted" | "approval.rejected" | "approval.recused")
}

fn ends_approval(event: &Event) -> bool {
    matches!(event.ty.as_str(), "approval.withdrawn" | "approval.revoked")
}

/// Votes among themselves and with what begins and ends rounds, of approvals in which a round can end. What begins and ends
/// rounds is recorded in any order where no vote stands between.
fn votes(history: &History) -> Vec<Sequence> {
    let approvals = named(history, &|event| match event.ty.as_str() {
        "approval.condition_met" => Vec::new(),
        ty if ty.starts_with("approval.") => vec![member(event, "approval")],
        _ => Vec::new(),
    });
    let event = |place: &usize| &history.events[*place];
    let can_end = |places: &&Vec<usize>| {
        let ends = |place: &usize| {
            let event = event(place);
            ends_approval(event) || event.ty == "approval.rejected" || event.data.get("valid_until").is_some()
        };
        let openings = places.iter().filter(|place| event(place).ty == "approval.requested");
        openings.count() > 1 || places.iter().any(ends)
    };
    let grouped = |places: &Vec<usize>| {
        let mut sequence: Sequence = Vec::new();
        let mut after_vote = true;
        for place in places {
            let vote = is_vote(event(place));
            match sequence.last_mut().filter(|_| !vote && !after_vote) {
                Some(group) => group.push(*place),
                None => sequence.push(vec![*place]),
            }
            after_vote = vote;
        }
        sequence
    };
    approvals.values().filter(can_end).map(grouped).collect()
}

/// Votes and ends of approvals stay between the roles and delegations between which they were recorded.
fn rights(history: &History) -> Vec<Sequence> {
    let mut sequence: Sequence = Vec::new();
    let mut of_rights = None;
    for (place, event) in history.events.iter().enumerate() {
        let right = event.ty.starts_with("role.") || event.ty.starts_with("delegation.");
        if !right && !is_vote(event) && !ends_approval(event) {
            continue;
        }
        match sequence.last_mut().filter(|_| of_rights == Some(right)) {
            Some(group) => group.push(place),
            None => sequence.push(vec![place]),
        }
        of_rights = Some(right);
    }
    if history.events.iter().any(is_vote) { vec![sequence] } else { Vec::new() }
}

/// What opens, confirms and closes imports keeps its order, and everything else stays between those between which it was
/// recorded.
fn imports(history: &History) -> Vec<Sequence> {
    let mut sequence: Sequence = Vec::new();
    let governs = |event: &Event| {
        let ty = event.ty.as_str();
        ty.starts_with("import.") || matches!(ty, "act.confirmed" | "principal.same_as")
    };
    let mut of_others = false;
    for (place, event) in history.events.iter().enumerate() {
        let other = !governs(event);
        match sequence.last_mut().filter(|_| other && of_others) {
            Some(group) => group.push(place),
            None => sequence.push(vec![place]),
        }
        of_others = other;
    }
    if history.events.iter().any(governs) { vec![sequence] } else { Vec::new() }
}

/// Closings stay before or after the first action that is told as done.
fn closings(history: &History) -> Vec<Sequence> {
    let mut sequence: Sequence = vec![Vec::new(), Vec::new(), Vec::new()];
    for (place, event) in history.events.iter().enumerate() {
        let first = sequence[1].is_empty();
        match event.ty.as_str() {
            "escalation.action_done" if first => sequence[1].push(place),
            "escalation.closed" if first => sequence[0].push(place),
            "escalation.action_done" | "escalation.closed" => sequence[2].push(place),
            _ => {}
        }
    }
    sequence.retain(|group| !group.is_empty());
    vec![sequence]
}
