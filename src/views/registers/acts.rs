//! Registers of acts that take two: what is proposed, what is in effect, what lapsed.
//!
//! An event that is not in effect moves its row nowhere: what it says is shown, and how it stands. What others say of a row
//! that is not in effect ends nothing.

use super::declared::RegisterView;
use super::states::{LAPSED, PROPOSED};
use crate::views::engine::{ActStanding, Row, RowEvent};
use serde_json::Value;

/// All acts of two of a row, and how they stand.
const ACTS: &str = "acts";

/// Acts of one row that are shown.
///
/// Reason: a row has one; what is proposed again so often is looked at by its history.
const MAX_ACTS: usize = 32;

/// What becomes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heed {
    /// It does what it says.
    Does,
    /// It is not in effect, and was noted.
    Waits,
    /// It is about a row that is not in effect.
    EndsNothing,
}

impl RegisterView {
    /// What becomes of an event of a register with acts of two.
    pub(super) fn heed(&self, row: &mut Row, event: &RowEvent) -> Heed {
        let waits = matches!(row.state.as_str(), PROPOSED | LAPSED);
        if !self.two.contains(&event.ty) {
            return if waits { Heed::EndsNothing } else { Heed::Does };
        }
        // How an act stands that nobody looked at is not known: the row is folded again when it is asked for.
        let standing = event.act.as_ref().map_or(ActStanding::Proposed, |act| act.standing);
        note(row, event);
        if standing == ActStanding::InEffect {
            if waits {
                // It opens the row, whatever was proposed before it.
                row.state.clear();
                (row.ended, row.ended_at, row.due_at) = (false, None, None);
            }
            return Heed::Does;
        }
        if self.opens(&event.ty) && (waits || row.state.is_empty()) {
            self.propose(row, event, standing);
        }
        Heed::Waits
    }

    /// A row that is proposed, or was: due to be confirmed, or over.
    fn propose(&self, row: &mut Row, event: &RowEvent, standing: ActStanding) {
        let lapses_at = event.act.as_ref().map(|act| act.lapses_at);
        self.carry(row, event);
        self.dates(row);
        let lapsed = standing == ActStanding::Lapsed;
        row.state = if lapsed { LAPSED } else { PROPOSED }.to_owned();
        row.ended = lapsed;
        row.ended_at = lapses_at.filter(|_| lapsed);
        row.due_at = lapses_at.filter(|_| !lapsed);
    }
}

/// Shows an act, and how it stands.
fn note(row: &mut Row, event: &RowEvent) {
    let Some(act) = &event.act else { return };
    let mut proposal = event.told();
    proposal.insert("seq".to_owned(), event.seq.into());
    proposal.insert("type".to_owned(), event.ty.as_str().into());
    proposal.insert("source".to_owned(), event.source.as_str().into());
    proposal.insert("id".to_owned(), event.id.as_str().into());
    let shown: Value = act.shown(proposal);
    let acts = row.list(ACTS);
    if acts.len() < MAX_ACTS {
        acts.push(shown);
    }
}
