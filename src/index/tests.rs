//! The index against a model that reads the whole log, and against everything that may happen to its files.

use super::keys::{Field, list_key};
use super::lookup::*;
use crate::follow::testing::{ENGINES, MemoryLog, entry, history};
use crate::follow::{Event, Source, catch_up};
use crate::log::identity;
use crate::store::opening::{OpenReport, Opened, RebuildReason};
use crate::store::postings::{BUNDLE, posting_key};
use crate::store::reach;
use crate::store::seal::{SEAL_KEY, Seal};
use crate::store::{Batch, EngineKind, Table};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

pub(super) const LEDGER: [u8; 32] = [7; 32];

pub(super) fn open(dir: &Path, kind: EngineKind, log: &dyn Source) -> (Index, OpenReport) {
    Index::open(dir, kind, LEDGER, log).unwrap()
}

/// Opens, catches up, and says what opening found.
pub(super) fn opened(dir: &Path, kind: EngineKind, log: &MemoryLog) -> (Index, Opened) {
    let (index, report) = open(dir, kind, log);
    catch_up(&index, log, log.committed(), &mut |_, _| ()).unwrap();
    (index, report.opened)
}

fn matches(entry: &Event, filter: &Filter<'_>) -> bool {
    filter.ty.is_none_or(|ty| ty == entry.ty)
        && filter.source.is_none_or(|source| source == entry.source)
        && filter.subject.is_none_or(|subject| Some(subject) == entry.subject.as_deref())
        && filter.actor.is_none_or(|actor| actor == entry.actor)
}

const FILTERS: &[Filter<'_>] = &[
    Filter { ty: None, source: None, subject: None, actor: None },
    Filter { ty: Some("type.0"), source: None, subject: None, actor: None },
    Filter { ty: Some("type.3"), source: None, subject: None, actor: None },
    Filter { ty: None, source: Some("/source/1"), subject: None, actor: None },
    Filter { ty: None, source: None, subject: Some("case/1"), actor: None },
    Filter { ty: None, source: None, subject: Some("case/58"), actor: None },
    Filter { ty: Some("type.1"), source: None, subject: Some("case/2"), actor: None },
    Filter { ty: None, source: Some("/source/0"), subject: None, actor: Some("app:3") },
    Filter { ty: Some("type.0"), source: Some("/source/1"), subject: Some("case/0"), actor: Some("app:1") },
    Filter { ty: Some("never"), source: None, subject: Some("case/0"), actor: None },
];

/// An index answers as the log does, or not at all.
pub(super) fn check_answers(index: &Index, log: &[Arc<Event>], windows: &[(u64, u64)]) -> Result<()> {
    assert_eq!(index.applied(), log.len() as u64);
    for entry in log {
        assert_eq!(index.find(&identity(&entry.source, &entry.id))?, Some(entry.seq));
    }
    assert_eq!(index.find(&identity("/source/0", "never"))?, None);
    let subjects: BTreeSet<_> = log.iter().filter_map(|entry| entry.subject.as_deref()).collect();
    for subject in subjects.into_iter().chain(["never"]) {
        let count = log.iter().filter(|entry| entry.subject.as_deref() == Some(subject)).count();
        assert_eq!(index.version(subject)?, (count as u64, log.len() as u64), "{subject}");
    }
    for filter in FILTERS {
        for (from, to) in windows {
            let inside = |entry: &&Arc<Event>| (*from..*to).contains(&entry.seq) && matches(entry, filter);
            let mut expected: Vec<u64> = log.iter().filter(inside).map(|entry| entry.seq).collect();
            for newest_first in [false, true] {
                for limit in [0, 1, 7, usize::MAX] {
                    let cut = &expected[..limit.min(expected.len())];
                    let list = index.list(filter, *from, *to, newest_first, limit)?;
                    assert_eq!(list, cut, "{filter:?} {from}..{to} newest first: {newest_first}");
                }
                expected.reverse();
            }
        }
    }
    Ok(())
}

#[test]
fn an_index_answers_like_the_log_however_it_was_fed() {
    let inputs = (
        prop::collection::vec((1..700_usize, prop::bool::weighted(0.2)), 1..8),
        prop::collection::vec((0..2_500_u64, 0..2_500_u64), 1..4),
        any::<u64>(),
    );
    let config = Config { cases: 12, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&inputs, |(batches, windows, salt)| {
            for kind in ENGINES {
                let total = batches.iter().map(|(size, _)| *size as u64).sum();
                let log = MemoryLog::of(history(salt, 0..total));
                let all = log.entries();
                let dir = TempDir::new().unwrap();
                let (mut index, _) = open(dir.path(), *kind, &log);
                let mut done = 0;
                for (size, reopen) in &batches {
                    index.apply(&all[done..done + size]).unwrap();
                    done += size;
                    if *reopen {
                        drop(index);
                        let report;
                        (index, report) = open(dir.path(), *kind, &log);
                        assert!(matches!(report.opened, Opened::Kept), "{:?}", report.opened);
                        assert_eq!((report.applied, report.behind), (done as u64, total - done as u64));
                    }
                }
                check_answers(&index, &all, &windows).unwrap();
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn long_lists_are_read_in_leaps_in_both_directions() {
    // More bundles than a cursor reads at once, and a rare subject among them.
    let mut all = history(1, 0..300 * BUNDLE);
    for entry in all.iter_mut().map(Arc::make_mut) {
        let rare = entry.seq % 9_973 == 5;
        entry.subject = Some(if rare { "case/1".to_owned() } else { format!("other/{}", entry.seq) });
    }
    let log = MemoryLog::of(all.clone());
    let dir = TempDir::new().unwrap();
    let (index, _) = opened(dir.path(), EngineKind::Fjall, &log);
    let rare = Filter { subject: Some("case/1"), ..Filter::default() };
    let both = Filter { ty: Some("type.0"), ..rare };
    for filter in [rare, both, Filter { ty: Some("type.2"), actor: Some("app:4"), ..Filter::default() }] {
        let mut expected: Vec<u64> =
            all.iter().filter(|entry| matches(entry, &filter)).map(|entry| entry.seq).collect();
        assert_eq!(index.list(&filter, 0, u64::MAX, false, usize::MAX).unwrap(), expected);
        expected.reverse();
        assert_eq!(index.list(&filter, 0, u64::MAX, true, usize::MAX).unwrap(), expected);
    }
}

#[test]
fn entries_out_of_order_are_refused_and_change_nothing() {
    let log = MemoryLog::of(history(1, 0..10));
    let dir = TempDir::new().unwrap();
    let (index, _) = open(dir.path(), EngineKind::Fjall, &log);
    let all = log.entries();
    index.apply(&all[..4]).unwrap();
    for wrong in [&all[5..6], &all[3..6], &[all[4].clone(), all[6].clone()]] {
        assert!(matches!(index.apply(wrong), Err(IndexError::Gap { .. })));
    }
    index.apply(&[]).unwrap();
    assert_eq!(index.state(), IndexState::Ready);
    check_answers(&index, &all[..4], &[(0, 10)]).unwrap();
}

#[test]
fn a_version_is_consistent_while_entries_are_applied() {
    let of_one = |seq| Arc::new(Event { subject: Some("case".to_owned()), ..entry(seq, 1) });
    let log = MemoryLog::of((0..40_000).map(of_one));
    for kind in ENGINES {
        let dir = TempDir::new().unwrap();
        let (index, _) = open(dir.path(), *kind, &log);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for batch in log.entries().chunks(333) {
                    index.apply(batch).unwrap();
                }
            });
            let mut last = 0;
            while last < 40_000 {
                let (count, applied) = index.version("case").unwrap();
                assert_eq!(count, applied);
                assert!(applied >= last);
                last = applied;
                let newest =
                    index.list(&Filter { subject: Some("case"), ..Filter::default() }, 0, u64::MAX, true, 1);
                assert!(newest.unwrap().first().is_none_or(|seq| *seq + 1 >= applied));
            }
        });
    }
}

#[test]
fn a_foreign_index_is_wiped_and_says_why_and_one_that_knows_more_than_the_log_is_kept() {
    for kind in ENGINES {
        let dir = TempDir::new().unwrap();
        let log = MemoryLog::of(history(1, 0..600));
        assert!(matches!(opened(dir.path(), *kind, &log).1, Opened::Created));
        assert!(matches!(opened(dir.path(), *kind, &log).1, Opened::Kept));

        let shorter = MemoryLog::of(history(1, 0..599));
        // It knows more than the log: it is the proof that the log was put back, and stays as it is.
        let other = MemoryLog::of(history(2, 0..600));
        for put_back in [&shorter, &other] {
            let refused = Index::open(dir.path(), *kind, LEDGER, put_back).map(|_| ());
            assert!(matches!(refused, Err(IndexError::KnowsMore(_))), "{refused:?}");
        }
        assert!(matches!(opened(dir.path(), *kind, &log).1, Opened::Kept));
        // Until somebody has adopted that log.
        reach::forget(dir.path()).unwrap();
        let (index, found) = opened(dir.path(), *kind, &other);
        assert!(matches!(found, Opened::Rebuilt(RebuildReason::FailedBefore(_))));
        check_answers(&index, &other.entries(), &[(0, 600)]).unwrap();
        drop(index);

        let (index, report) = Index::open(dir.path(), *kind, [8; 32], &other).unwrap();
        assert!(matches!(report.opened, Opened::Rebuilt(RebuildReason::OtherLedger)));
        assert_eq!((index.applied(), report.behind), (0, 600));
        assert!(matches!(Index::open(dir.path(), *kind, [8; 32], &other), Err(IndexError::InUse)));
        drop(index);

        let meta = |key: &[u8], value: Option<&[u8]>| {
            let store = crate::store::open(*kind, &dir.path().join(kind.name()), &crate::store::Table::INDEX)
                .unwrap();
            let mut batch = Batch::default();
            match value {
                Some(value) => batch.put(Table::Meta, key, value),
                None => batch.delete(Table::Ids, key),
            }
            store.apply(batch).unwrap();
        };
        meta(crate::store::seal::HEADER_KEY, Some(&[0, 0, 0, 9, 1]));
        let found = opened(dir.path(), *kind, &other).1;
        assert!(matches!(found, Opened::Rebuilt(RebuildReason::OtherVersion { found: 9, .. })));
        meta(SEAL_KEY, Some(&Seal { applied: 3, anchor: [0; 32] }.record()));
        assert!(matches!(opened(dir.path(), *kind, &other).1, Opened::Rebuilt(RebuildReason::Damaged(_))));
        meta(SEAL_KEY, None);
        assert!(matches!(opened(dir.path(), *kind, &other).1, Opened::Rebuilt(RebuildReason::Damaged(_))));
        assert!(matches!(opened(dir.path(), *kind, &other).1, Opened::Kept));
    }
}

#[cfg(feature = "sled")]
#[test]
fn the_folder_of_an_engine_no_longer_used_is_removed() {
    let dir = TempDir::new().unwrap();
    let log = MemoryLog::of(history(1, 0..10));
    drop(opened(dir.path(), EngineKind::Fjall, &log));
    assert!(matches!(opened(dir.path(), EngineKind::Sled, &log).1, Opened::Created));
    assert!(!dir.path().join("fjall").exists());
}

#[test]
fn an_index_whose_opening_never_ended_is_tried_twice() {
    let dir = TempDir::new().unwrap();
    let log = MemoryLog::of(history(1, 0..10));
    drop(opened(dir.path(), EngineKind::Fjall, &log));
    fs::write(dir.path().join("opening"), ".").unwrap();
    assert!(matches!(opened(dir.path(), EngineKind::Fjall, &log).1, Opened::Kept));
    fs::write(dir.path().join("opening"), "..").unwrap();
    let found = opened(dir.path(), EngineKind::Fjall, &log).1;
    assert!(matches!(found, Opened::Rebuilt(RebuildReason::UnfinishedOpens)));
    assert!(matches!(opened(dir.path(), EngineKind::Fjall, &log).1, Opened::Kept));
}

#[test]
fn an_index_that_failed_answers_nothing_and_is_built_anew() {
    for kind in ENGINES {
        let dir = TempDir::new().unwrap();
        let log = MemoryLog::of(history(1, 0..600));
        let (index, _) = opened(dir.path(), *kind, &log);
        let mut batch = Batch::default();
        let key = posting_key(&list_key(Field::Subject, "case/1"), 0);
        batch.put(Table::Postings, &key, &[3, 3]);
        index.store.apply(batch).unwrap();
        assert!(matches!(index.version("case/1"), Err(IndexError::Failed(_))));
        assert!(matches!(index.find(&[0; 16]), Err(IndexError::Failed(_))));
        assert!(matches!(index.list(&Filter::default(), 0, 9, false, 9), Err(IndexError::Failed(_))));
        assert!(matches!(index.apply(&[]), Err(IndexError::Failed(_))));
        assert_eq!(index.state(), IndexState::Failed(UNREADABLE.to_owned()));
        drop(index);
        let (index, found) = opened(dir.path(), *kind, &log);
        let reason = RebuildReason::FailedBefore(UNREADABLE.to_owned());
        assert!(matches!(found, Opened::Rebuilt(why) if why == reason));
        check_answers(&index, &log.entries(), &[(0, 600)]).unwrap();
    }
}

#[test]
fn a_log_that_cannot_be_read_does_not_cost_the_index() {
    let dir = TempDir::new().unwrap();
    let log = MemoryLog::of(history(1, 0..600));
    drop(opened(dir.path(), EngineKind::Fjall, &log));
    let broken = MemoryLog::of(log.entries()).broken_from(0);
    assert!(matches!(Index::open(dir.path(), EngineKind::Fjall, LEDGER, &broken), Err(IndexError::Feed(_))));
    assert!(matches!(opened(dir.path(), EngineKind::Fjall, &log).1, Opened::Kept));
}
