//! Whether the store still holds what was written to it.

use super::digest::Digest;
use super::error::Result;
use super::keys;
use super::slots::Projection;
use super::state::Engine;
use crate::store::Table;
use std::ops::ControlFlow;

impl Engine {
    /// Reads everything that the views' digests are sums of, and names the views whose records do not add up to theirs.
    /// Takes time in proportion to what they hold, in which nothing is applied.
    ///
    /// # Errors
    /// The store failed.
    pub fn audit(&self) -> Result<Vec<String>> {
        self.check()?;
        let state = self.state();
        let mut wrong = Vec::new();
        for member in state.members.iter().chain(&state.building) {
            let mut digest = Digest::default();
            let (from, to) = keys::whole(member.slot);
            let ranges = match &member.projection {
                Projection::Rows(_) => {
                    vec![(Table::Rows, from.clone(), to.clone()), (Table::Events, from, to)]
                }
                Projection::Tallies(_) => {
                    let end = keys::tally(member.slot, "\u{10ffff}");
                    vec![(Table::Meta, keys::tally(member.slot, ""), end)]
                }
                // Lists have no digest: they are compared entry by entry.
                Projection::Lists(_) => Vec::new(),
            };
            for (table, from, to) in ranges {
                self.store.scan(table, &from, &to, false, &mut |key, value| {
                    digest.add(key, value);
                    ControlFlow::Continue(())
                })?;
            }
            if digest != member.digest {
                wrong.push(member.projection.name().to_owned());
            }
        }
        Ok(wrong)
    }
}
