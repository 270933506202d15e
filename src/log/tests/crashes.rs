//! The ledger's promises on a machine that loses power, is killed, and has a failing disk.
//!
//! A seed decides what is sent and what goes wrong, and when, counted in steps of the disk. The order of threads is the
//! operating system's here; `tests/protocol` runs the same campaign in orders that the seed decides, too.
//! `DAYBOOK_SOAK` runs more seeds, `DAYBOOK_SEED=n` one.

use super::campaign::{Base, Broken, Campaign, Tally};
use super::protocol;
use super::simulated::{Lie, Luck};
use crate::log::open;
use crate::spec::layout::SEGMENT_ENTRIES;
use crate::sync::wait_for;

/// Runs a campaign for each of so many seeds, or for the one that is asked for.
fn campaign(count: u64, run: impl Fn(u64) -> Result<Tally, Broken>) {
    let (mut total, mut seeds) = (Tally::default(), 0);
    for seed in super::seeds(count) {
        match run(seed) {
            Ok(tally) => total += tally,
            Err(broken) => panic!("DAYBOOK_SEED={seed}: {broken}"),
        }
        seeds += 1;
    }
    println!("{seeds} seeds: {total:?}");
    assert!(seeds > 0, "nothing was tried");
}

#[test]
fn promises_hold_whatever_the_power_and_the_disk_do() {
    campaign(300, |seed| Campaign::new(seed, None).run());
}

#[test]
fn promises_hold_at_the_end_of_a_segment() {
    let base = Base::new(SEGMENT_ENTRIES - 8);
    // Checking 65,536 signatures takes seconds: once is enough, the rest is checked all the same.
    campaign(3, |seed| Campaign::from_base(seed, &base, seed == 0).run());
}

#[test]
fn everything_handed_in_is_answered_once() {
    let base = Base::new(1);
    campaign(100, |seed| protocol::run(seed, &base).map(|()| Tally::default()));
}

/// What a process wrote and did not sync may be read by the next one, and be lost after that.
#[test]
fn a_head_that_was_only_in_the_page_cache_is_durable_once_the_ledger_is_open() {
    let unsynced: [Lie; 2] =
        [|path, _| path.ends_with("head"), |path, _| path.ends_with("head") || path.ends_with("entries")];
    for lie in unsynced {
        for opened_between in [false, true] {
            let campaign = {
                let mut campaign = Campaign::new(0, None);
                let log = campaign.open(&campaign.machine.start()).unwrap().unwrap();
                campaign.machine.lie(Some(lie));
                let sent = campaign.promises.prepare(1, 2_000);
                wait_for(log.append(campaign.promises.submission(sent)).unwrap()).unwrap().unwrap();
                campaign.machine.kill();
                drop(log);
                campaign.machine.lie(None);
                campaign
            };
            let size = || open(campaign.options(&campaign.machine.start())).unwrap().store.size();
            if opened_between {
                assert_eq!(size(), 2, "the page cache has it");
            }
            campaign.machine.power_loss(Luck::None);
            // Without being opened between, it is lost: the machine does lose what is not synced.
            assert_eq!(size(), if opened_between { 2 } else { 1 });
        }
    }
}

/// A disk that lies about one kind of sync. Each is noticed, so the campaign can fail, and each sync is needed.
#[test]
fn a_disk_that_lies_is_noticed() {
    let lies: &[(&str, Lie)] = &[
        ("all", |_, _| true),
        ("entries", |path, _| path.ends_with("entries")),
        ("head", |path, _| path.ends_with("head")),
        ("a new head", |path, _| path.ends_with("head.new")),
        ("home", |path, _| path.ends_with("home.new")),
        ("the folder of a segment", |path, is_folder| is_folder && path.ends_with("00000000")),
        ("the folder of the log", |path, is_folder| is_folder && path.ends_with("log")),
        ("the folder of the data", |path, is_folder| is_folder && path.ends_with("ledger")),
        ("the folder above", |path, is_folder| is_folder && path.join("ledger").exists()),
    ];
    for (what, lie) in lies {
        let noticed =
            (0..500).find_map(|seed| Campaign::new(seed, Some(*lie)).run().err().map(|how| (seed, how)));
        println!("{what}: {noticed:?}");
        assert!(noticed.is_some(), "a disk that lies about the sync of {what} is not noticed");
    }
}
