//! How many events a subject has of some sources only: what whoever may post for these alone may know of it.

use super::keys::{Field, list_key};
use super::lookup::{Index, IndexError, Result};
use crate::store::Table;
use crate::store::postings::{BUNDLE, Key16, Offsets, bundle_of, posting_key, scan_list};
use std::ops::ControlFlow;

/// Sources of one subject whose lists are held against its own; of further ones each entry is looked at.
///
/// Reason: a case has a handful; so many are some kilobytes, and a look into as many lists for a bundle.
const MAX_SOURCES: usize = 64;

/// A source that the subject was seen to have.
struct Seen {
    list: Key16,
    counts: bool,
}

impl Index {
    /// How many events `subject` has whose source `counts`, and how many entries were applied when it had that many.
    /// `source_of` says the source of an entry; it is asked about once for each source that the subject has.
    ///
    /// # Errors
    /// [`IndexError::Failed`], also where `source_of` fails: then the index itself is as it was.
    pub fn version_of(
        &self,
        subject: &str,
        counts: &dyn Fn(&str) -> bool,
        source_of: &dyn Fn(u64) -> std::result::Result<String, String>,
    ) -> Result<(u64, u64)> {
        self.check()?;
        let applied = self.applied();
        let last = bundle_of(applied);
        let (mut count, mut seen, mut failed) = (0, Vec::<Seen>::new(), None);
        let mut add = |bundle: u32, offsets: Offsets| {
            let there =
                if bundle < last { offsets } else { offsets.and(Offsets::range(0, applied % BUNDLE)) };
            match self.count_in(bundle, there, counts, source_of, &mut seen) {
                Ok(counted) => {
                    count += counted;
                    ControlFlow::Continue(())
                }
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        };
        let bounds = (0, last.saturating_add(1));
        let scanned = scan_list(&*self.store, &list_key(Field::Subject, subject), bounds, false, &mut add);
        scanned.map_err(|error| self.fail_list(error))?;
        failed.map_or(Ok((count, applied)), Err)
    }

    /// How many of these entries of a bundle have a source that counts.
    fn count_in(
        &self,
        bundle: u32,
        there: Offsets,
        counts: &dyn Fn(&str) -> bool,
        source_of: &dyn Fn(u64) -> std::result::Result<String, String>,
        seen: &mut Vec<Seen>,
    ) -> Result<u64> {
        let (mut count, mut rest) = (0, there);
        for source in seen.iter() {
            if rest == Offsets::default() {
                break;
            }
            let of_it = rest.and(self.offsets(&source.list, bundle)?);
            count += if source.counts { of_it.count() } else { 0 };
            rest = rest.less(of_it);
        }
        while let Some(offset) = rest.iter().next() {
            let seq = u64::from(bundle) * BUNDLE + u64::from(offset);
            let source = source_of(seq).map_err(IndexError::Failed)?;
            let source = Seen { list: list_key(Field::Source, &source), counts: counts(&source) };
            let mut of_it = Offsets::default();
            of_it.insert(offset);
            if seen.len() < MAX_SOURCES {
                of_it = of_it.or(rest.and(self.offsets(&source.list, bundle)?));
            }
            count += if source.counts { of_it.count() } else { 0 };
            rest = rest.less(of_it);
            if seen.len() < MAX_SOURCES {
                seen.push(source);
            }
        }
        Ok(count)
    }

    fn offsets(&self, list: &Key16, bundle: u32) -> Result<Offsets> {
        let record = self.store.get(Table::Postings, &posting_key(list, bundle));
        let record = record.map_err(|error| self.fail(error.to_string()))?;
        let Some(record) = record else { return Ok(Offsets::default()) };
        Offsets::read(&record).ok_or_else(|| self.fail(super::lookup::UNREADABLE.to_owned()))
    }
}
