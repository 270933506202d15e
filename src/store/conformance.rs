//! What every engine must do, whichever it is.

use super::guarded::{Guarded, panic_text};
use super::*;
use crate::follow::testing::ENGINES;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// Opens the same store again and again.
type Factory<'a> = &'a dyn Fn() -> Arc<dyn Store>;

/// Runs one promise against each engine.
fn each_engine(promise: impl Fn(Factory<'_>)) {
    for kind in ENGINES {
        let dir = TempDir::new().unwrap();
        promise(&|| {
            open(*kind, &dir.path().join("engine"), &Table::ALL)
                .unwrap_or_else(|error| panic!("{kind}: {error}"))
        });
    }
}

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

fn scan(store: &dyn Reader, table: Table, from: &[u8], to: &[u8], reverse: bool, limit: usize) -> Pairs {
    let mut pairs = Vec::new();
    let mut visit = |key: &[u8], value: &[u8]| {
        pairs.push((key.to_vec(), value.to_vec()));
        if pairs.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    store.scan(table, from, to, reverse, &mut visit).unwrap();
    pairs
}

fn keys(store: &dyn Reader, table: Table, from: &[u8], to: &[u8], reverse: bool) -> Vec<String> {
    let pairs = scan(store, table, from, to, reverse, usize::MAX);
    pairs.into_iter().map(|(key, _)| String::from_utf8(key).unwrap()).collect()
}

fn put(store: &dyn Store, table: Table, pairs: &[(&str, &str)]) {
    let mut batch = Batch::default();
    pairs.iter().for_each(|(key, value)| batch.put(table, key.as_bytes(), value.as_bytes()));
    store.apply(batch).unwrap();
}

#[test]
fn what_was_put_is_there_in_its_table_alone() {
    each_engine(|open| {
        let store = open();
        put(&*store, Table::Ids, &[("a", "1"), ("empty", "")]);
        assert_eq!(store.get(Table::Ids, b"a").unwrap(), Some(b"1".to_vec()));
        assert_eq!(store.get(Table::Ids, b"empty").unwrap(), Some(Vec::new()));
        assert_eq!(store.get(Table::Ids, b"b").unwrap(), None);
        assert_eq!(store.get(Table::Meta, b"a").unwrap(), None);
        assert_eq!(store.get(Table::Postings, b"a").unwrap(), None);
    });
}

#[test]
fn a_later_put_replaces_and_a_delete_removes() {
    each_engine(|open| {
        let store = open();
        put(&*store, Table::Meta, &[("a", "1"), ("b", "1")]);
        put(&*store, Table::Meta, &[("a", "2")]);
        let mut batch = Batch::default();
        batch.delete(Table::Meta, b"b");
        batch.delete(Table::Meta, b"never there");
        store.apply(batch).unwrap();
        assert_eq!(store.get(Table::Meta, b"a").unwrap(), Some(b"2".to_vec()));
        assert_eq!(store.get(Table::Meta, b"b").unwrap(), None);
        assert_eq!(keys(&*store, Table::Meta, b"", b"z", false), ["a"]);
    });
}

#[test]
fn what_is_held_still_stays_as_it_was() {
    each_engine(|open| {
        let store = open();
        put(&*store, Table::Meta, &[("a", "1"), ("b", "1")]);
        put(&*store, Table::Ids, &[("a", "1")]);
        // Not every engine can; whoever reads it holds the writer up instead.
        let Some(still) = store.snapshot() else { return };
        let mut batch = Batch::default();
        batch.delete(Table::Meta, b"b");
        batch.put(Table::Ids, b"a", b"2");
        store.apply(batch).unwrap();
        // Enough for tables to be flushed and merged.
        let value = "v".repeat(512);
        for n in 0..400 {
            put(&*store, Table::Meta, &[(&format!("k{n:03}"), &value), ("a", "2")]);
        }
        assert_eq!(keys(&*still, Table::Meta, b"", b"z", false), ["a", "b"]);
        assert_eq!(keys(&*still, Table::Meta, b"", b"z", true), ["b", "a"]);
        assert_eq!(still.get(Table::Meta, b"a").unwrap(), Some(b"1".to_vec()));
        assert_eq!(still.get(Table::Ids, b"a").unwrap(), Some(b"1".to_vec()));
        assert_eq!(keys(&*still, Table::Meta, b"b", b"a", false), [""; 0]);
        drop(still);
        assert_eq!(store.get(Table::Ids, b"a").unwrap(), Some(b"2".to_vec()));
        assert_eq!(store.get(Table::Meta, b"b").unwrap(), None);
    });
}

#[test]
fn in_one_batch_the_last_write_of_a_key_counts() {
    each_engine(|open| {
        let store = open();
        let mut batch = Batch::default();
        batch.put(Table::Ids, b"a", b"1");
        batch.put(Table::Ids, b"b", b"1");
        batch.put(Table::Ids, b"a", b"2");
        batch.delete(Table::Ids, b"b");
        batch.delete(Table::Ids, b"c");
        batch.put(Table::Ids, b"c", b"3");
        store.apply(batch).unwrap();
        assert_eq!(store.get(Table::Ids, b"a").unwrap(), Some(b"2".to_vec()));
        assert_eq!(store.get(Table::Ids, b"b").unwrap(), None);
        assert_eq!(store.get(Table::Ids, b"c").unwrap(), Some(b"3".to_vec()));
    });
}

#[test]
fn a_scan_takes_the_start_leaves_the_end_and_knows_both_directions() {
    each_engine(|open| {
        let store = open();
        put(&*store, Table::Postings, &[("a", ""), ("b", ""), ("b0", ""), ("c", ""), ("d", "")]);
        put(&*store, Table::Ids, &[("b1", "")]);
        assert_eq!(keys(&*store, Table::Postings, b"b", b"d", false), ["b", "b0", "c"]);
        assert_eq!(keys(&*store, Table::Postings, b"b", b"d", true), ["c", "b0", "b"]);
        assert_eq!(keys(&*store, Table::Postings, b"aa", b"bb", false), ["b", "b0"]);
        assert_eq!(keys(&*store, Table::Postings, b"", b"\xff", true), ["d", "c", "b0", "b", "a"]);
        for (from, to) in [("b", "b"), ("d", "a"), ("x", "z")] {
            assert!(keys(&*store, Table::Postings, from.as_bytes(), to.as_bytes(), false).is_empty());
            assert!(keys(&*store, Table::Postings, from.as_bytes(), to.as_bytes(), true).is_empty());
        }
        assert_eq!(scan(&*store, Table::Postings, b"a", b"z", true, 2).len(), 2);
    });
}

#[test]
fn a_store_dropped_without_more_ado_is_whole_when_opened_again() {
    each_engine(|open| {
        let store = open();
        put(&*store, Table::Meta, &[("m", "1")]);
        put(&*store, Table::Ids, &[("i", "2")]);
        put(&*store, Table::Postings, &[("p", "3")]);
        drop(store);
        let store = open();
        assert_eq!(store.get(Table::Meta, b"m").unwrap(), Some(b"1".to_vec()));
        assert_eq!(store.get(Table::Ids, b"i").unwrap(), Some(b"2".to_vec()));
        assert_eq!(keys(&*store, Table::Postings, b"", b"z", false), ["p"]);
    });
}

#[test]
fn a_store_in_use_is_locked_not_damaged() {
    each_engine(|open| {
        let store = open();
        put(&*store, Table::Meta, &[("a", "1")]);
        let second = std::panic::catch_unwind(AssertUnwindSafe(open));
        assert!(second.is_err_and(|payload| panic_text(&*payload).contains("open elsewhere")));
        assert_eq!(store.get(Table::Meta, b"a").unwrap(), Some(b"1".to_vec()));
    });
}

#[test]
fn big_batches_of_big_values_are_all_there() {
    const KEYS: u32 = 30_000;
    each_engine(|open| {
        let store = open();
        for round in 0..3_u8 {
            let mut batch = Batch::default();
            for number in 0..KEYS {
                let key = (number.wrapping_mul(2_654_435_761)).to_be_bytes();
                batch.put(Table::Ids, &key, &[round; 3]);
                batch.put(Table::Postings, &key, &[round; 100]);
            }
            batch.put(Table::Meta, b"large", &vec![round; 1 << 20]);
            store.apply(batch).unwrap();
        }
        drop(store);
        let store = open();
        assert_eq!(store.get(Table::Meta, b"large").unwrap(), Some(vec![2; 1 << 20]));
        let pairs = scan(&*store, Table::Postings, &[0], &[0xff; 5], false, usize::MAX);
        assert_eq!(pairs.len(), KEYS as usize);
        assert!(pairs.is_sorted() && pairs.iter().all(|(_, value)| *value == [2; 100]));
        // Wherever an engine divides its files: each key is found, none that is not there, and a scan may begin, end and
        // turn round anywhere.
        let keys: Vec<Vec<u8>> = pairs.iter().map(|(key, _)| key.clone()).collect();
        for key in &keys {
            assert_eq!(store.get(Table::Ids, key).unwrap(), Some(vec![2; 3]));
            let absent = [key, &[0][..]].concat();
            assert_eq!(store.get(Table::Ids, &absent).unwrap(), None);
        }
        for (from, to) in (0..keys.len()).step_by(997).flat_map(|at| [(at, at + 1), (at, at + 4_000)]) {
            let (low, high) = (&keys[from], keys.get(to).map_or(&[0xff; 5][..], |key| &key[..]));
            let expected = &pairs[from..to.min(keys.len())];
            assert_eq!(scan(&*store, Table::Postings, low, high, false, usize::MAX), expected);
            let mut backwards = scan(&*store, Table::Postings, low, high, true, usize::MAX);
            backwards.reverse();
            assert_eq!(backwards, expected);
        }
    });
}

#[test]
fn a_key_of_many_large_values_has_the_last_one() {
    each_engine(|open| {
        let store = open();
        for round in 0..60_u8 {
            for table in [Table::Ids, Table::Rows] {
                let mut batch = Batch::default();
                for key in [b"a", b"m", b"z"] {
                    batch.put(table, key, &vec![round; 9_000]);
                }
                store.apply(batch).unwrap();
            }
        }
        for table in [Table::Ids, Table::Rows] {
            for key in [b"a", b"m", b"z"] {
                assert_eq!(store.get(table, key).unwrap(), Some(vec![59; 9_000]));
            }
            assert_eq!(store.get(table, b"n").unwrap(), None);
            assert_eq!(scan(&*store, table, b"a", b"zz", true, usize::MAX).len(), 3);
        }
    });
}

/// Batches that set one number in all tables: whoever reads last what is written first sees no table behind another.
#[test]
fn batches_span_tables_and_show_in_full_once_applied() {
    each_engine(|open| {
        let store = open();
        for number in 0..200_u64 {
            let mut batch = Batch::default();
            Table::ALL.into_iter().for_each(|table| batch.put(table, b"n", &number.to_be_bytes()));
            store.apply(batch).unwrap();
            for table in Table::ALL {
                assert_eq!(store.get(table, b"n").unwrap(), Some(number.to_be_bytes().to_vec()));
            }
        }
    });
}

/// Where a child of `a_killed_writer_leaves_whole_batches` writes, and with which engine.
const CHILD_DIR: &str = "DAYBOOK_TEST_STORE_DIR";
const CHILD_ENGINE: &str = "DAYBOOK_TEST_STORE_ENGINE";

/// Writes batches that number themselves in all tables, until it is killed.
fn write_for_ever(store: &dyn Store) {
    let next =
        store.get(Table::Meta, b"n").unwrap().map_or(0, |n| u64::from_be_bytes(n.try_into().unwrap()) + 1);
    for number in next.. {
        let mut batch = Batch::default();
        for table in Table::ALL {
            batch.put(table, b"n", &number.to_be_bytes());
            batch.put(table, &number.to_be_bytes(), &[7; 1_000]);
        }
        store.apply(batch).unwrap();
    }
}

#[test]
fn a_killed_writer_leaves_whole_batches() {
    if let Some(dir) = std::env::var_os(CHILD_DIR) {
        let kind = std::env::var(CHILD_ENGINE).unwrap().parse().unwrap();
        return write_for_ever(&*open(kind, Path::new(&dir), &Table::ALL).unwrap());
    }
    for kind in ENGINES {
        let dir = TempDir::new().unwrap();
        let dir = dir.path().join("engine");
        // A store that is killed while it is made is made anew; here it is about what is written to it.
        drop(open(*kind, &dir, &Table::ALL).unwrap());
        let mut least = 0;
        for round in 0..6 {
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "store::conformance::a_killed_writer_leaves_whole_batches"])
                .envs([(CHILD_DIR, dir.as_os_str()), (CHILD_ENGINE, kind.name().as_ref())])
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            thread::sleep(Duration::from_millis(150 + 70 * round));
            child.kill().unwrap();
            child.wait().unwrap();
            let store = open(*kind, &dir, &Table::ALL).unwrap();
            let of = |table| store.get(table, b"n").unwrap();
            for table in Table::ALL {
                assert_eq!(of(Table::Meta), of(table), "{kind}");
            }
            let seen = of(Table::Meta).map_or(0, |n| u64::from_be_bytes(n.try_into().unwrap()) + 1);
            for table in Table::ALL {
                let rows = scan(&*store, table, &[0], &[1], false, usize::MAX);
                assert_eq!(rows.len() as u64, seen, "{kind}");
            }
            assert!(seen >= least, "{kind}");
            least = seen;
        }
        assert!(least > 0, "{kind} kept nothing of what six writers wrote");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Apply(Vec<(Table, Vec<u8>, Option<Vec<u8>>)>),
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let table = || prop::sample::select(Table::ALL.as_slice());
    let key = || prop::collection::vec(prop::sample::select(&[0, 1, 0x7f, 0xff][..]), 1..5);
    let value = prop::option::weighted(0.75, prop::collection::vec(any::<u8>(), 0..6));
    let write = (table(), key(), value);
    let step = prop_oneof![
        8 => prop::collection::vec(write, 0..20).prop_map(Step::Apply),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..12)
}

#[test]
fn every_engine_does_what_a_sorted_map_does() {
    let config = Config { cases: 24, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&steps(), |steps| {
            each_engine(|open| {
                let mut store = Some(open());
                let mut model: BTreeMap<(Table, Vec<u8>), Vec<u8>> = BTreeMap::new();
                for step in &steps {
                    match step {
                        Step::Reopen => {
                            store = None;
                            store = Some(store.unwrap_or_else(open));
                        }
                        Step::Apply(writes) => {
                            let mut batch = Batch::default();
                            for (table, key, value) in writes {
                                match value {
                                    Some(value) => {
                                        batch.put(*table, key, value);
                                        model.insert((*table, key.clone()), value.clone());
                                    }
                                    None => {
                                        batch.delete(*table, key);
                                        model.remove(&(*table, key.clone()));
                                    }
                                }
                            }
                            store.as_deref().unwrap().apply(batch).unwrap();
                        }
                    }
                    let store = store.as_deref().unwrap();
                    for table in Table::ALL {
                        for (from, to) in
                            [(&[][..], &[0xff; 6][..]), (&[1], &[0x7f, 1]), (&[0, 0xff], &[0xff])]
                        {
                            let bounds = (table, from.to_vec())..(table, to.to_vec());
                            let mut expected: Pairs = model
                                .range(bounds)
                                .map(|((_, key), value)| (key.clone(), value.clone()))
                                .collect();
                            assert_eq!(scan(store, table, from, to, false, usize::MAX), expected);
                            expected.reverse();
                            assert_eq!(scan(store, table, from, to, true, usize::MAX), expected);
                        }
                    }
                    for ((table, key), value) in &model {
                        assert_eq!(store.get(*table, key).unwrap().as_ref(), Some(value));
                    }
                }
            });
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_panicking_engine_is_an_error() {
    struct Panics;
    impl Reader for Panics {
        fn get(&self, _: Table, _: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
            panic!("on purpose")
        }
        fn scan(&self, _: Table, _: &[u8], _: &[u8], _: bool, _: &mut Visit<'_>) -> Result<(), StoreError> {
            panic!("on {}", "purpose")
        }
    }
    impl Store for Panics {
        fn snapshot(&self) -> Option<Box<dyn Reader + '_>> {
            panic!("on purpose")
        }
        fn apply(&self, _: Batch) -> Result<(), StoreError> {
            Ok(())
        }
    }
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("on purpose")
        }
    }
    let store = Guarded { inner: Some(Box::new(Panics)), dir: Path::new("none").to_owned() };
    assert!(matches!(store.get(Table::Ids, b"k"), Err(StoreError::Panicked(why)) if why == "on purpose"));
    let mut visit = |_: &[u8], _: &[u8]| ControlFlow::Continue(());
    let scanned = store.scan(Table::Ids, b"a", b"b", false, &mut visit);
    assert!(matches!(scanned, Err(StoreError::Panicked(why)) if why == "on purpose"));
    assert!(store.snapshot().is_none());
    drop(store);
}

#[test]
fn an_engine_is_named_on_the_command_line() {
    for kind in ENGINES {
        assert_eq!(kind.name().parse::<EngineKind>().unwrap(), *kind);
    }
    assert!("rocks".parse::<EngineKind>().unwrap_err().to_string().contains("rocks"));
}
