//! Corrections in a batch: which rows they change.

use super::Session;
use crate::follow::Event;
use crate::views::engine::error::Result;
use crate::views::engine::slots::{Member, Projection};

impl Session<'_> {
    /// A correction: rows of which it changes what counts are folded again.
    pub(super) fn correct(&mut self, event: &Event, members: &[Member]) -> Result<()> {
        let same_row = |one: &Event, other: &Event| {
            members.iter().all(|member| match &member.projection {
                Projection::Rows(view) if view.types().contains(&one.ty) => {
                    let of = |event: &Event| view.row_of_source(&event.ty, &event.source, &event.data);
                    of(one) == of(other)
                }
                _ => true,
            })
        };
        for seq in self.corrections.note(event, self.feed, &same_row, &mut self.batch)? {
            let touched = self.feed.event(seq)?;
            for member in members {
                let Projection::Rows(view) = &member.projection else { continue };
                if !view.types().contains(&touched.ty) {
                    continue;
                }
                let Some(name) = view.row_of_source(&touched.ty, &touched.source, &touched.data) else {
                    continue;
                };
                for number in self.rows_named(member.slot, &name, &touched.source)? {
                    let working = self.working(member.slot, view, number)?;
                    working.fold_whole();
                    working.stored.corrected.push((seq, event.seq));
                    working.stored.last_seq = working.stored.last_seq.max(event.seq);
                }
            }
        }
        Ok(())
    }
}
