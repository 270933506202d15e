//! Opening views is slow enough for something to happen meanwhile: here it takes as long as the test says.

use super::*;
use crate::log::clock::SystemClock;
use crate::log::disk::{Disk, File, Mode, RealDisk};
use crate::log::{NoIndex, Options};
use serde_json::json;
use std::io;
use std::sync::{Condvar, Mutex};

const PATIENCE: Duration = Duration::from_secs(30);

/// How many reads pass before the next one stops, if any stops.
#[derive(Default)]
struct Gate {
    passing: Mutex<Option<usize>>,
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    fn close_after(&self, reads: usize) {
        *self.passing.lock().unwrap() = Some(reads);
    }

    fn pass(&self) {
        {
            let mut passing = self.passing.lock().unwrap();
            match &mut *passing {
                None => return,
                Some(0) => *passing = None,
                Some(left) => {
                    *left -= 1;
                    return;
                }
            }
        }
        let mut stopped = self.stopped.lock().unwrap();
        *stopped = true;
        self.changed.notify_all();
        drop(self.changed.wait_timeout_while(stopped, PATIENCE, |stopped| *stopped).unwrap());
    }

    /// Waits until a read stands at the gate.
    fn wait(&self) {
        let stopped = self.stopped.lock().unwrap();
        let waited = self.changed.wait_timeout_while(stopped, PATIENCE, |stopped| !*stopped).unwrap();
        assert!(!waited.1.timed_out(), "nobody came to the gate");
    }

    fn open(&self) {
        *self.stopped.lock().unwrap() = false;
        self.changed.notify_all();
    }
}

/// The real disk, but reads of entries go through a gate.
struct GatedDisk(Arc<Gate>);

struct GatedFile(Arc<dyn File>, Option<Arc<Gate>>);

impl Disk for GatedDisk {
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Arc<dyn File>> {
        let gate = path.ends_with("entries").then(|| self.0.clone());
        Ok(Arc::new(GatedFile(RealDisk.open(path, mode)?, gate)))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        RealDisk.create_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        RealDisk.sync_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn identity(&self, path: &Path) -> io::Result<String> {
        RealDisk.identity(path)
    }
}

impl File for GatedFile {
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn read_exact_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        if let Some(gate) = &self.1 {
            gate.pass();
        }
        self.0.read_exact_at(buffer, at)
    }

    fn write_all_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, at)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// The version of a view that answers.
fn version(views: &LogViews, name: &str) -> Option<u64> {
    Some(views.now().ok()?.view(name).ok()?.version())
}

#[test]
fn a_catalogue_that_comes_while_the_views_are_opened_is_not_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Arc::new(Gate::default());
    let options = || Options {
        data_dir: folder.path().to_owned(),
        keys_dir: folder.path().join("keys"),
        passphrase: None,
        disk: Arc::new(GatedDisk(gate.clone())),
        clock: Arc::new(SystemClock),
        read_only: true,
        key_lost: false,
        adopt: None,
    };
    crate::log::create(&options(), "test.example/ledger", None).unwrap();
    let opened = crate::log::open(options()).unwrap();
    let start = || {
        let dir = folder.path().join("views");
        LogViews::start(&dir, EngineKind::Fjall, &opened.store, Arc::new(NoIndex)).unwrap()
    };
    let shipped = Arc::new(Catalog::embedded().unwrap());
    let register = json!({
        "name": "programs", "summary": "Programmes.", "family": "program", "key": ["program"],
        "events": {"program.started": {"opens": "running"}}, "fields": ["title"],
    });
    let published = shipped.published(&json!({"version": 1, "registers": [register]}));
    let published = Arc::new(published.unwrap_or_else(|refusals| panic!("{refusals:?}")));

    let views = start();
    views.set_catalog(shipped.clone()).unwrap();
    assert!(views.wait_applied(1, PATIENCE));
    let before = version(&views, "programs");
    drop(views);

    // Opened again, the engine knows its catalogue and reads the last entry that it has applied: there it is stopped.
    gate.close_after(1);
    let views = start();
    views.set_catalog(shipped).unwrap();
    gate.wait();
    views.set_catalog(published).unwrap();
    gate.open();
    let began = Instant::now();
    while version(&views, "programs").is_none() || version(&views, "programs") == before {
        assert!(began.elapsed() < PATIENCE, "{:?}", views.problem());
        std::thread::sleep(INDEX_RETRY);
    }
}
