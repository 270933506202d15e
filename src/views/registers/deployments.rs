//! Deployments: which versions serve an environment, each with which share of its traffic.
//!
//! A full rollout (share 1) ends what served before it. A version that is rolled out to a part stands beside the full one,
//! which serves the rest. A version that is deployed again with another share takes its own place. A rollback ends the
//! version that it names, and gives its share to the other. Share 0 serves nobody.

use super::declared::{DEPLOYED, RegisterView};
use super::stretched::{STATE, mark};
use crate::catalog::UNOPENED;
use crate::spec::time::Timestamp;
use crate::views::engine::{Row, RowEvent, SCHEDULED};
use crate::views::stretches::{Ending, Standing, Stretch};
use serde_json::{Map, Value, json};

const ROLLED_BACK: &str = "model.rolled_back";

/// Whether the shares that are served come to more than all traffic.
pub(super) const OVER_ONE: &str = "shares_over_one";

/// The part of a share that is still told apart.
///
/// Reason: shares are decimal fractions, and their sums are not exact; nobody rolls out to a millionth.
const STEPS: f64 = 1e6;

/// A share in whole steps.
fn steps(data: &Map<String, Value>) -> u64 {
    let share = data.get("share").and_then(Value::as_f64).unwrap_or(1.0).clamp(0.0, 1.0);
    // Between 0 and a million.
    (share * STEPS).round() as u64
}

const ALL: u64 = STEPS as u64;

fn version(data: &Map<String, Value>) -> Option<&str> {
    data.get("version")?.as_str()
}

fn share(steps: u64) -> Value {
    if steps == ALL { 1.into() } else { json!(steps as f64 / STEPS) }
}

impl RegisterView {
    /// One event of a row of deployments.
    pub(super) fn step_deployments(&self, row: &mut Row, event: &RowEvent) {
        match event.ty.as_str() {
            DEPLOYED => self.deploy(row, event),
            ROLLED_BACK => self.roll_back(row, event),
            _ => self.note_other(row, event),
        }
    }

    fn deploy(&self, row: &mut Row, event: &RowEvent) {
        let state = self.register.next_state(&event.ty, &event.data, None);
        let stretch = self.stretch(event, state);
        let full = steps(&stretch.data) >= ALL;
        let same = |other: &Stretch| version(&other.data) == version(&stretch.data);
        row.stretches.end_those(&replacing(event), |other| full || same(other));
        row.stretches.begin(stretch);
    }

    fn roll_back(&self, row: &mut Row, event: &RowEvent) {
        if event.is_too_early() {
            return;
        }
        let state = self.register.next_state(&event.ty, &event.data, Some(UNOPENED));
        let mut stretch = self.stretch(event, state);
        let from = event.text("from_version");
        let at = stretch.from;
        let served = |of: Option<&str>| -> u64 {
            let serving = row.stretches.in_force(at).filter(|stretch| version(&stretch.data) == of);
            serving.map(|stretch| steps(&stretch.data)).max().unwrap_or(0)
        };
        let to = version(&stretch.data).map(str::to_owned);
        let sum = served(from).saturating_add(served(to.as_deref())).min(ALL);
        // Where nothing is known of either, the version serves all.
        stretch.data.insert("share".to_owned(), share(if sum == 0 { ALL } else { sum }));
        let ending = replacing(event);
        row.stretches.end_those(&ending, |other| {
            let of = version(&other.data);
            of == from || of == to.as_deref()
        });
        row.stretches.begin(stretch);
    }

    /// What a row of deployments is at a moment: the last version that was deployed, and beside it all that serve.
    pub(super) fn settle_deployments(&self, row: &mut Row, at: Timestamp) {
        self.settle_beside(row, at);
        mark(row);
        let Some((stretch, standing)) = row.stretches.speaking(at) else { return };
        // What is replaced is not over: nothing else ends a row of deployments.
        (row.ended, row.ended_at) = (false, None);
        if standing != Standing::Scheduled {
            row.state = stretch.data.get(STATE).and_then(Value::as_str).unwrap_or(SCHEDULED).to_owned();
        }
        let mut serving: Vec<&Stretch> =
            row.stretches.in_force(at).filter(|stretch| steps(&stretch.data) > 0).collect();
        serving.sort_by_key(|stretch| (stretch.from, stretch.begun.acted_at, stretch.begun.place));
        let parts = serving.iter().map(|stretch| steps(&stretch.data)).filter(|steps| *steps < ALL);
        let parts: u64 = parts.sum();
        let mut rest = ALL.saturating_sub(parts);
        let mut over = parts > ALL;
        let mut shown = Vec::new();
        for stretch in serving.into_iter().rev() {
            let said = steps(&stretch.data);
            let serves = if said < ALL { said } else { std::mem::take(&mut rest) };
            over |= said == ALL && serves == 0 && parts < ALL;
            shown.push(json!({
                "version": version(&stretch.data), "artifact_digest": stretch.data.get("artifact_digest"),
                "share": stretch.data.get("share"), "serves": share(serves), "from": stretch.from.to_string(),
                "entry": stretch.begun.seq,
            }));
        }
        row.set("serving", shown);
        if over {
            row.set(OVER_ONE, true);
        } else {
            row.fields.remove(OVER_ONE);
        }
    }
}

/// A deployment, as what ends others.
fn replacing(event: &RowEvent) -> Ending {
    let mut data = Map::new();
    data.insert("by".to_owned(), event.by.as_str().into());
    Ending { done: event.done(), effective_at: event.effective_at, of: None, leaves: None, data }
}
