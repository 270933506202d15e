//! By what a row is found and counted as it is now.

use crate::spec::time::Timestamp;
use crate::views::engine::keys::{self, DateKind, Slot};
use crate::views::engine::stored::Stored;
use crate::views::engine::view::{CONFLICT, View};

/// Its state, dates and facets.
#[derive(Default, PartialEq)]
pub(super) struct Marks {
    pub(super) states: Vec<String>,
    pub(super) dates: Vec<(DateKind, Timestamp)>,
    pub(super) expiring: bool,
    pub(super) facets: Vec<(&'static str, String)>,
}

impl Marks {
    pub(super) fn of(view: &dyn View, stored: Option<&Stored>) -> Marks {
        let Some(stored) = stored.filter(|stored| is_there(Some(stored))) else { return Marks::default() };
        let row = &stored.row;
        if let Some(judge) = view.judge() {
            let states = judge.states(row).into_iter().map(str::to_owned).collect();
            return Marks { states, ..Marks::default() };
        }
        let common = view.common_state() == Some(row.state.as_str());
        let mut dates = Vec::new();
        if !row.ended {
            dates.extend(row.due_at.map(|time| (DateKind::Due, time)));
            dates.extend(row.valid_until.map(|time| (DateKind::Until, time)));
        }
        if stored.ahead {
            dates.push((DateKind::Ahead, stored.stays_from()));
        }
        let mut facets = vec![("state", row.state.clone())];
        facets.extend(view.facets(row));
        if stored.in_conflict() {
            facets.push((CONFLICT, "true".to_owned()));
        }
        let expiring = view.expires(&row.state);
        let states = (!common).then(|| row.state.clone()).into_iter().collect();
        Marks { states, dates, expiring, facets }
    }

    pub(super) fn keys(&self, slot: Slot, number: u64) -> impl Iterator<Item = Vec<u8>> {
        let state = self.states.iter().map(move |state| keys::state(slot, state, number));
        state.chain(self.dates.iter().map(move |(kind, time)| keys::date(slot, *kind, *time, number)))
    }
}

/// Whether a row is anything: corrections may have taken all of its events away.
pub(super) fn is_there(stored: Option<&Stored>) -> bool {
    stored.is_some_and(|stored| !stored.row.counts.is_empty())
}
