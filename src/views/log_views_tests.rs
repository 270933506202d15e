//! Opening views is slow enough for something to happen meanwhile: here it takes as long as the test says.

use super::*;
use crate::clock::SystemClock;
use crate::log::tests::kit::{Faults, FaultyDisk, PATIENCE};
use crate::log::{NoIndex, Options};
use serde_json::json;

/// The version of a view that answers.
fn version(views: &LogViews, name: &str) -> Option<u64> {
    Some(views.now().ok()?.view(name).ok()?.version())
}

#[test]
fn a_catalogue_that_comes_while_the_views_are_opened_is_not_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let faults = Arc::new(Faults::default());
    let options = || Options {
        data_dir: folder.path().to_owned(),
        keys_dir: folder.path().join("keys"),
        passphrase: None,
        disk: Arc::new(FaultyDisk(faults.clone())),
        clock: Arc::new(SystemClock),
        read_only: true,
        key_lost: false,
        adopt: None,
        publish: false,
        confirm_clock: false,
        known: Vec::new(),
    };
    crate::log::create(&options(), "test.example/ledger", None).unwrap();
    let opened = crate::log::open(options()).unwrap();
    let start = || {
        let dir = folder.path().join("views");
        LogViews::start(&dir, EngineKind::Fjall, &Feed::of(&opened.store), Arc::new(NoIndex)).unwrap()
    };
    let shipped = Arc::new(Catalog::embedded().unwrap());
    let register = json!({
        "name": "programs", "summary": "Programmes.", "family": "program", "key": ["program"],
        "events": {"program.started": {"opens": "running"}}, "fields": ["title"],
    });
    let published = shipped.published(&json!({"version": 1, "registers": [register]}));
    let published = Arc::new(published.unwrap_or_else(|refusals| panic!("{refusals:?}")));

    let views = start();
    views.set_catalog(shipped.clone());
    assert!(views.wait_applied(1, PATIENCE));
    let before = version(&views, "programs");
    drop(views);

    // Opened again, the engine knows its catalogue and reads the last entry that it has applied: there it is stopped.
    faults.reads.close_after(1);
    let views = start();
    views.set_catalog(shipped);
    faults.reads.wait();
    views.set_catalog(published);
    faults.reads.open();
    let began = Instant::now();
    while version(&views, "programs").is_none() || version(&views, "programs") == before {
        assert!(began.elapsed() < PATIENCE, "{:?}", views.problem());
        std::thread::sleep(INDEX_RETRY);
    }
}
