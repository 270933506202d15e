//! A small ledger without a server: a log, its index and its views, and a clock that the test owns.

use crate::answers::deadline::Deadline;
use crate::answers::{Desk, Inquiry};
use crate::catalog::{Catalog, CatalogHistory};
use crate::clock::ManualClock;
use crate::follow::Feed;
use crate::identity::{Principal, Role};
use crate::index::LogIndex;
use crate::intake::{Rules, accept, from_structured};
use crate::log::append::{Outcome, Submission};
use crate::log::disk::RealDisk;
use crate::log::tests::kit::PATIENCE;
use crate::log::{Log, Options, create, open};
use crate::spec::time::Timestamp;
use crate::store::EngineKind;
use crate::views::LogViews;
use serde_json::{Value, json};
use std::sync::Arc;

const ORIGIN: &str = "small.example/ledger";

pub struct SmallLedger {
    // Declared first, so that they are closed before the folder goes.
    views: LogViews,
    index: LogIndex,
    log: Log,
    pub clock: Arc<ManualClock>,
    catalog: CatalogHistory,
    _folder: tempfile::TempDir,
}

pub fn principal(actor: &str, role: Role) -> Principal {
    Principal::open(actor, vec![role])
}

pub fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

impl SmallLedger {
    /// A ledger with nothing in it but its beginning, at this time.
    pub fn at(now: &str) -> SmallLedger {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(time(now)));
        let options = Options {
            data_dir: folder.path().to_owned(),
            keys_dir: folder.path().join("keys"),
            passphrase: None,
            disk: Arc::new(RealDisk),
            clock: clock.clone(),
            read_only: false,
            key_lost: false,
            adopt: None,
            publish: false,
            confirm_clock: false,
            known: Vec::new(),
        };
        create(&options, ORIGIN, None).unwrap();
        let opened = open(options).unwrap();
        let feed = Feed::of(&opened.store);
        let (index, _) =
            LogIndex::start(&folder.path().join("index"), EngineKind::Fjall, &feed, PATIENCE).unwrap();
        let views = folder.path().join("views");
        let views = LogViews::start(&views, EngineKind::Fjall, &feed, index.identities()).unwrap();
        let log = opened.start(index.identities()).unwrap();
        let catalog = CatalogHistory::begin(Catalog::embedded().unwrap(), "not yet");
        catalog.complete(None);
        views.set_catalog(catalog.current());
        SmallLedger { views, index, log, clock, catalog, _folder: folder }
    }

    /// Records an event by `app:bank`, and waits until it can be asked for. Says its number.
    pub fn post(&self, id: &str, event_type: &str, subject: &str, time: &str, data: Value) -> u64 {
        let event = json!({
            "specversion": "1.0", "id": id, "source": "/bank", "type": event_type, "subject": subject,
            "time": time, "data": data,
        });
        let body = event.to_string();
        let catalog = self.catalog.current();
        let rules = Rules { origin: ORIGIN, catalog: &catalog, open_types: false };
        let event = from_structured(body.as_bytes()).unwrap();
        let accepted = accept(&event, &principal("app:bank", Role::Producer), &rules);
        let accepted = accepted.unwrap_or_else(|refusals| panic!("{refusals:?}"));
        let submission =
            Submission { items: vec![accepted.item], expected_version: None, looked_up_at: u64::MAX };
        let outcomes = self.log.append(submission).unwrap().blocking_recv().unwrap().unwrap();
        let Some(Outcome::Recorded { seq, .. }) = outcomes.first() else { panic!("{outcomes:?}") };
        assert!(self.views.wait_applied(seq + 1, PATIENCE) && self.index.wait_applied(seq + 1, PATIENCE));
        *seq
    }

    pub fn desk(&self) -> Desk<'_> {
        Desk {
            store: self.log.store(),
            index: Some(&self.index),
            views: Some(&self.views),
            clock: &*self.clock,
            catalog: &self.catalog,
        }
    }

    /// A question by an auditor.
    pub fn inquiry(&self) -> Inquiry<'_> {
        self.inquiry_until(Deadline::default())
    }

    pub fn inquiry_until(&self, deadline: Deadline) -> Inquiry<'_> {
        self.desk().inquiry(&principal("user:auditor", Role::Auditor), deadline).unwrap()
    }
}
