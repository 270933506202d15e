//! Rows of views with acts of two, which are folded when they are asked for, and the imports inside which events of a row lie.

use super::aside::Aside;
use super::asked::{Found, When};
use super::reading::Reading;
use super::remembered::Imports;
use crate::views::engine::acts::act::ActStanding;
use crate::views::engine::acts::import::Import;
use crate::views::engine::acts::listed::{ANY, IMPORTS_OF};
use crate::views::engine::acts::two::act_of;
use crate::views::engine::corrections::Counts;
use crate::views::engine::error::Result;
use crate::views::engine::judging::Beside as _;
use crate::views::engine::row::RowEvent;
use crate::views::engine::slots::{Member, Projection};
use crate::views::engine::state::Engine;
use crate::views::engine::stored::{Placed, Stored, load, source_hash, source_of};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The field of a row that names the imports inside which events of it lie.
const IMPORTED: &str = "imported";

/// Events of one row that are looked at to find out whether they lie inside an import.
///
/// Reason: each may be read from the log. Those that were recorded while the import was open and come of its source are looked
/// at, and the first one that lies in its window is enough.
const MAX_LOOKED_AT: usize = 64;

impl Engine {
    /// All imports in effect by what is recorded below `known`: whether an event lies inside one, [`Import::holds`] says without
    /// another look. None in a ledger that has none, for the price of one look-up.
    ///
    /// # Errors
    /// See [`Engine::view`].
    pub fn imports(&self, known: u64) -> Result<Arc<[Arc<Import>]>> {
        let rows = |member: &Member| match &member.projection {
            Projection::Rows(view) => Some(view.name().to_owned()),
            _ => None,
        };
        // Held still by any of them: the lists are the same.
        let view = self.state().members.iter().find_map(rows);
        match view {
            Some(view) => self.reading(&view)?.imports_in_effect(known),
            None => Ok(Arc::default()),
        }
    }
}

impl Reading<'_> {
    pub(super) fn aside(&self, known: u64) -> Aside<'_> {
        Aside { reading: self, slot: self.lists, known: known.min(self.applied) }
    }

    /// Tells events that are acts of two how they stand.
    pub(in crate::views::engine) fn note_acts(&self, events: &mut [RowEvent], when: When) -> Result<()> {
        if !self.view.has_acts_of_two() {
            return Ok(());
        }
        let aside = self.aside(when.known);
        for event in events.iter_mut().filter(|event| self.view.is_act_of_two(&event.ty)) {
            let act = act_of(event, when.at, &aside)?;
            // What it says holds from the second entry on at the earliest.
            if let Some(confirmed) = act.confirmed.filter(|_| act.standing == ActStanding::InEffect) {
                event.effective_at = event.effective_at.max(confirmed.recorded_at);
            }
            event.act = Some(act);
        }
        Ok(())
    }

    /// A row of a view with acts of two: folded from all of its events, each with how it stands.
    pub(super) fn with_acts(
        &self,
        number: u64,
        stored: Stored,
        (siblings, others): (&[(u64, u64)], u64),
        when: When,
    ) -> Result<Option<Found>> {
        let mut gathered = self.gathered(number, &stored, siblings, when)?;
        self.note_acts(&mut gathered.events, when)?;
        self.note_acts(&mut gathered.later, when)?;
        let acts = gathered.events.iter().filter_map(|event| event.act.as_ref());
        let in_effect = acts.filter(|act| act.standing == ActStanding::InEffect);
        let confirmed = in_effect.filter_map(|act| act.confirmed).map(|confirmed| confirmed.seq).max();
        let Some(mut found) = self.made_of(number, stored, gathered, others, when) else { return Ok(None) };
        found.last_seq = confirmed.map_or(found.last_seq, |confirmed| found.last_seq.max(confirmed));
        let Some(judge) = self.view.judge() else { return Ok(Some(found)) };
        let judged = self.judge(judge, &found.row, when)?;
        Ok(judged.map(|row| Found { row, ..found }))
    }

    /// All imports in effect, as known.
    fn imports_in_effect(&self, known: u64) -> Result<Imports> {
        let known = known.min(self.applied);
        if let Some(imports) = self.remembered.in_effect.borrow().get(&known) {
            return Ok(imports.clone());
        }
        let aside = self.aside(known);
        let mut imports: Vec<Arc<Import>> = Vec::new();
        if self.acts.is_some() && aside.any_act(IMPORTS_OF)? {
            let openings = aside.acts(IMPORTS_OF, ANY)?;
            let sources: BTreeSet<&str> = openings.iter().filter_map(|event| event.text("source")).collect();
            for source in sources {
                let of_source = aside.imports(source)?;
                imports.extend(of_source.iter().filter(|import| import.begins().is_some()).cloned());
            }
        }
        imports.sort_by_key(|import| import.opened);
        let imports: Imports = imports.into();
        self.remembered.in_effect.borrow_mut().insert(known, imports.clone());
        Ok(imports)
    }

    /// Names in a row the imports in effect inside which events of it lie.
    pub(in crate::views::engine) fn mark_imported(&self, found: &mut Found, when: When) -> Result<()> {
        let known = when.known.min(self.applied);
        let imports = self.imports_in_effect(known)?;
        // What a row is made of was recorded from its first entry to its last.
        let meets = |import: &&Arc<Import>| {
            import.begins().is_some_and(|begins| begins < found.last_seq) && found.number < import.known_to()
        };
        let met: Vec<&Arc<Import>> = imports.iter().filter(meets).collect();
        if met.is_empty() {
            return Ok(());
        }
        let corrected: BTreeSet<u64> = found.corrected.iter().map(|(target, _)| *target).collect();
        let mut left = met.clone();
        let mut inside: BTreeSet<u64> = BTreeSet::new();
        let mut looked_at = 0;
        for (seq, kept) in self.events(found.number)? {
            if left.is_empty() || looked_at >= MAX_LOOKED_AT || seq >= known {
                break;
            }
            if !corrected.contains(&seq) && !left.iter().any(|import| may_hold(import, seq, kept.as_deref()))
            {
                continue;
            }
            looked_at += 1;
            let Some(event) = self.counting((seq, kept), known)? else { continue };
            left.retain(|import| {
                let holds = import.holds(&event.source, event.acted_at, event.place);
                if holds {
                    inside.insert(import.opened);
                }
                !holds
            });
        }
        // In the order in which the imports were opened, whichever event lies in which.
        let met = met.into_iter().filter(|import| inside.contains(&import.opened));
        let named: Vec<Value> =
            met.map(|import| json!({"import": import.import, "source": import.source})).collect();
        if !named.is_empty() {
            found.row.set(IMPORTED, named);
        }
        Ok(())
    }

    /// An event of a row in its place, if it counts.
    fn counting(&self, (seq, kept): Placed, known: u64) -> Result<Option<RowEvent>> {
        let counts = self.corrections().counts(seq, known)?;
        if matches!(counts, Counts::Not { .. }) {
            return Ok(None);
        }
        let mut event = load(&*self.engine.feed, &self.catalog, seq, kept)?;
        if let Counts::InPlaceOf { target, retimed } = counts {
            event.put_in_place(&self.engine.feed.event(target)?, retimed);
        }
        Ok(Some(event))
    }
}

/// Whether an event at this place can lie inside, by what is kept beside it.
fn may_hold(import: &Import, seq: u64, kept: Option<&[u8]>) -> bool {
    import.begins().is_some_and(|begins| begins < seq)
        && seq < import.known_to()
        && source_of(kept).is_none_or(|source| source == source_hash(&import.source))
}
