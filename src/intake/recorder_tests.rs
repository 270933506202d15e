//! The door as a library: a log, an index and nothing else. No HTTP, and whoever follows the log is played.

use super::*;
use crate::catalog::CatalogHistory;
use crate::clock::ManualClock;
use crate::follow::Feed;
use crate::identity::Role;
use crate::index::LogIndex;
use crate::intake::error::{Blocked, Taken};
use crate::intake::incoming::Form;
use crate::intake::refusal::{Kind, Refusal};
use crate::log::disk::RealDisk;
use crate::log::{self, Options};
use crate::spec::time::MICROS_PER_SECOND;
use crate::store::EngineKind;
use serde_json::{Value, json};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;

const ORIGIN: &str = "test.example/ledger";
/// Ledger time: 2026-06-01T00:00:00Z.
const NOW: Timestamp = Timestamp::EPOCH.saturating_add(1_780_272_000 * MICROS_PER_SECOND);

/// Somebody who follows the log, and is as far behind as a test says.
#[derive(Default)]
struct Played {
    arrears: AtomicU64,
    catalogues: Mutex<Vec<u64>>,
}

impl Followers for Played {
    fn arrears(&self) -> u64 {
        self.arrears.load(Ordering::Relaxed)
    }

    fn catalog_changed(&self, catalog: Arc<Catalog>) -> bool {
        self.catalogues.lock().unwrap().push(catalog.publications());
        true
    }
}

struct Bench {
    recorder: Recorder,
    followers: Arc<Played>,
    history: Arc<CatalogHistory>,
    _folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self::with(true)
    }

    fn with(index: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            data_dir: folder.path().to_owned(),
            keys_dir: folder.path().join("keys"),
            passphrase: None,
            disk: Arc::new(RealDisk),
            clock: Arc::new(ManualClock::new(NOW)),
            read_only: false,
            key_lost: false,
            adopt: None,
            publish: false,
            confirm_clock: false,
            known: Vec::new(),
        };
        log::create(&options, ORIGIN, None).unwrap();
        let opened = log::open(options).unwrap();
        let start = || {
            let dir = folder.path().join("index");
            let (index, _) =
                LogIndex::start(&dir, EngineKind::Fjall, &Feed::of(&opened.store), Duration::from_secs(60))
                    .unwrap();
            Arc::new(index)
        };
        let index = index.then(start);
        let identities =
            index.as_ref().map_or_else(|| Arc::new(log::NoIndex) as _, |index| index.identities());
        let log = Arc::new(opened.start(identities).unwrap());
        let history = Arc::new(CatalogHistory::begin(Catalog::embedded().unwrap(), "not read yet"));
        let followers = Arc::new(Played::default());
        let ground = Ground { log, index, catalog: history.clone(), open_types: false };
        let recorder = Recorder::new(ground, Some(followers.clone()));
        history.complete(None);
        Self { recorder, followers, history, _folder: folder }
    }

    fn size(&self) -> u64 {
        self.recorder.0.ground.log.store().size()
    }

    async fn brings(&self, role: Role, incoming: Incoming) -> Result<Vec<Recorded>, RecordError> {
        let principal = Principal::open("app:t", vec![role]);
        self.recorder.record(&Arc::new(principal), incoming).await
    }

    async fn record(&self, event: &Value) -> Result<Vec<Recorded>, RecordError> {
        self.brings(Role::Producer, Incoming::new(Form::Structured, event.to_string())).await
    }

    async fn batch(&self, events: &[Value]) -> Result<Vec<Recorded>, RecordError> {
        self.brings(Role::Producer, Incoming::new(Form::Batch, json!(events).to_string())).await
    }

    async fn publish(&self, event: &Value) -> Result<Vec<Recorded>, RecordError> {
        self.brings(Role::Admin, Incoming::new(Form::Structured, event.to_string())).await
    }
}

/// The bench is made and ends outside the runtime: opening a log waits for its first answer.
fn run(bench: &Bench, test: impl AsyncFnOnce(&Bench)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(test(bench));
}

fn event(id: &str) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "/t", "type": "approval.withdrawn", "subject": "APR-1",
        "time": "2026-03-02T09:30:00Z", "data": {"approval": "APR-1", "by": "user:u-1", "reason": "asked twice"},
    })
}

fn correction(id: &str, target: &str) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "/t", "type": "event.corrected", "time": "2026-03-02T09:30:00Z",
        "data": {"by": "user:u-1", "target": {"source": "/t", "id": target}, "kind": "annul", "reason": "r"},
    })
}

fn publication(id: &str, version: u64) -> Value {
    let opened = json!({
        "name": "vault.opened", "version": version, "summary": "Somebody opened a vault.",
        "entity": {"family": "vault", "id": "vault"},
        "schema": {"required": ["vault"], "properties": {"vault": {"$ref": "#/$defs/id"}}},
        "example": {"by": "user:u-1", "vault": "V-1"},
    });
    json!({
        "specversion": "1.0", "id": id, "source": "/t", "type": "catalog.published", "time": "2026-03-02T09:30:00Z",
        "data": {"by": "user:u-1", "publication": format!("CAT-{version}"), "version": version, "reason": "needed",
                 "types": [opened]},
    })
}

fn refusals(refused: Result<Vec<Recorded>, RecordError>) -> Vec<(Kind, String)> {
    match refused {
        Err(RecordError::Refused(refusals)) => {
            refusals.into_iter().map(|Refusal { kind, pointer, .. }| (kind, pointer)).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_recorded_is_told_with_its_place_and_told_again_the_same() {
    run(&Bench::new(), async |bench| {
        let first = bench.record(&event("1")).await.unwrap();
        assert_eq!((first.len(), first[0].seq, first[0].replayed), (1, 1, false));
        let again = bench.record(&event("1")).await.unwrap();
        assert_eq!(again, [Recorded { replayed: true, ..first[0] }]);
        assert_eq!(bench.size(), 2);

        // A batch records what is new in it; a large one is prepared elsewhere and answered in the same order.
        let events: Vec<Value> = (1..=900).map(|number| event(&number.to_string())).collect();
        assert!(json!(events).to_string().len() > INLINE_BYTES);
        let told = bench.batch(&events).await.unwrap();
        assert_eq!(told[0], again[0]);
        assert!((2..).zip(&told[1..]).all(|(seq, told)| (told.seq, told.replayed) == (seq, false)));
        // So many are read back beside the workers.
        let again = bench.batch(&events).await.unwrap();
        assert!(again.iter().zip(&told).all(|(again, told)| again.replayed
            && (again.seq, again.leaf, again.time) == (told.seq, told.leaf, told.time)));
        assert_eq!(bench.size(), 901);
    });
}

fn places(taken: &[Taken]) -> Vec<usize> {
    taken.iter().map(|taken| taken.place).collect()
}

#[test]
fn what_is_refused_says_what_to_do_next_and_nothing_is_recorded() {
    run(&Bench::new(), async |bench| {
        bench.record(&event("1")).await.unwrap();

        let reader = Incoming::new(Form::Structured, event("2").to_string());
        let refused = bench.brings(Role::Auditor, reader).await;
        assert!(matches!(refused, Err(RecordError::NeedsRole(Role::Producer))), "{refused:?}");
        // An administrator changes the catalogue, and records nothing else.
        let role = || vec![(Kind::Role, "/type".to_owned())];
        assert_eq!(refusals(bench.publish(&event("2")).await), role());
        assert_eq!(refusals(bench.record(&publication("2", 1)).await), role());

        let mut other = event("1");
        other["data"]["reason"] = json!("asked three times");
        let refused = bench.record(&other).await;
        assert!(
            matches!(&refused, Err(RecordError::IdentityTaken { taken, in_batch: false }) if places(taken) == [0] && taken[0].differs == ["/data/reason"]),
            "{refused:?}"
        );
        let refused = bench.batch(&[event("2"), other]).await;
        assert!(
            matches!(&refused, Err(RecordError::IdentityTaken { taken, in_batch: true }) if places(taken) == [1] && taken[0].differs == ["/data/reason"]),
            "{refused:?}"
        );
        // Of two in one batch the log itself finds out; the place is that in the batch, with what was there before counted.
        let mut twin = event("3");
        twin["subject"] = json!("APR-2");
        let refused = bench.batch(&[event("1"), event("3"), twin]).await;
        assert!(
            matches!(&refused, Err(RecordError::IdentityTaken { taken, in_batch: true }) if places(taken) == [2] && taken[0].differs == ["/subject"]),
            "{refused:?}"
        );

        let mut unknown = event("4");
        unknown["type"] = json!("nobody.knows");
        assert_eq!(refusals(bench.record(&unknown).await), [(Kind::UnknownType, "/type".into())]);
        let in_batch = refusals(bench.batch(&[event("4"), unknown, json!(1)]).await);
        assert_eq!(in_batch, [(Kind::UnknownType, "/1/type".into()), (Kind::NotACloudEvent, "/2".into())]);
        assert_eq!(bench.size(), 2);
    });
}

#[test]
fn an_expected_version_is_of_one_event_and_its_subject() {
    run(&Bench::new(), async |bench| {
        let expecting = |event: &Value, version| Incoming {
            expected_version: Some(version),
            ..Incoming::new(Form::Structured, event.to_string())
        };
        bench.brings(Role::Producer, expecting(&event("1"), 0)).await.unwrap();
        let refused = bench.brings(Role::Producer, expecting(&event("2"), 0)).await;
        assert!(matches!(refused, Err(RecordError::WrongVersion { actual: 1 })), "{refused:?}");
        bench.brings(Role::Producer, expecting(&event("2"), 1)).await.unwrap();
        let mut without = event("3");
        without.as_object_mut().unwrap().remove("subject");
        let refused = bench.brings(Role::Producer, expecting(&without, 0)).await;
        assert!(matches!(refused, Err(RecordError::VersionWithoutSubject)), "{refused:?}");
        let batch = Incoming {
            expected_version: Some(2),
            ..Incoming::new(Form::Batch, json!([event("3")]).to_string())
        };
        let refused = bench.brings(Role::Producer, batch).await;
        assert!(matches!(refused, Err(RecordError::VersionOfBatch)), "{refused:?}");
    });
}

#[test]
fn what_is_corrected_has_to_be_there() {
    run(&Bench::new(), async |bench| {
        bench.record(&event("1")).await.unwrap();
        bench.record(&correction("c-1", "1")).await.unwrap();
        let target = || vec![(Kind::Target, "/data/target".to_owned())];
        assert_eq!(refusals(bench.record(&correction("c-2", "nobody-said-this")).await), target());
        assert_eq!(refusals(bench.record(&correction("c-2", "c-2")).await), target());
        // Within a batch: what comes before it, not what comes after.
        bench.batch(&[event("2"), correction("c-2", "2")]).await.unwrap();
        let refused = refusals(bench.batch(&[correction("c-3", "3"), event("3")]).await);
        assert_eq!(refused, [(Kind::Target, "/0/data/target".into())]);
    });
}

#[test]
fn without_an_index_nobody_can_say_what_is_there() {
    run(&Bench::with(false), async |bench| {
        bench.record(&event("1")).await.unwrap();
        let refused = bench.record(&correction("c-1", "1")).await;
        assert!(matches!(refused, Err(RecordError::Blocked(Blocked::NoIndex))), "{refused:?}");
    });
}

#[test]
fn a_publication_is_in_force_when_it_is_answered_and_whoever_follows_is_told() {
    run(&Bench::new(), async |bench| {
        let opened = json!({
            "specversion": "1.0", "id": "o", "source": "/t", "type": "vault.opened", "time": "2026-03-02T09:30:00Z",
            "data": {"by": "user:u-1", "vault": "V-1"},
        });
        assert_eq!(refusals(bench.record(&opened).await), [(Kind::UnknownType, "/type".into())]);
        let batch = Incoming::new(Form::Batch, json!([publication("p", 1)]).to_string());
        assert_eq!(refusals(bench.brings(Role::Admin, batch).await), [(Kind::NotAlone, "/type".into())]);
        assert_eq!(
            refusals(bench.publish(&publication("p", 2)).await),
            [(Kind::Publication, "/data/version".into())]
        );
        assert!(bench.followers.catalogues.lock().unwrap().is_empty());

        let published = bench.publish(&publication("p", 1)).await.unwrap();
        assert_eq!(bench.history.current().publications(), 1);
        let told = bench.record(&opened).await.unwrap();
        assert_eq!(told[0].seq, published[0].seq + 1);
        // Brought again it is the same, and changes nothing.
        let again = bench.publish(&publication("p", 1)).await.unwrap();
        assert_eq!(again, [Recorded { replayed: true, ..published[0] }]);
        assert_eq!(*bench.followers.catalogues.lock().unwrap(), [1]);
    });
}

#[test]
fn a_publication_that_is_begun_is_ended_though_nobody_waits() {
    run(&Bench::new(), async |bench| {
        let event = publication("p", 1);
        {
            let mut asked = std::pin::pin!(bench.publish(&event));
            // Far enough that it is begun; then whoever brought it is gone.
            let begun = tokio::time::timeout(Duration::ZERO, &mut asked).await;
            assert!(begun.is_err());
        }
        while bench.history.current().publications() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(*bench.followers.catalogues.lock().unwrap(), [1]);
    });
}

#[test]
fn recording_gives_way_to_followers_that_are_far_behind() {
    run(&Bench::new(), async |bench| {
        bench.followers.arrears.store(u64::MAX, Ordering::Relaxed);
        let mut asked = std::pin::pin!(
            bench.brings(Role::Producer, Incoming::new(Form::Structured, event("1").to_string()))
        );
        assert!(tokio::time::timeout(Duration::from_millis(250), &mut asked).await.is_err());
        assert_eq!(bench.size(), 1, "it waits before anything is done");
        asked.await.unwrap();
        assert_eq!(bench.size(), 2);
    });
}

#[test]
fn events_wait_until_the_catalogue_is_known() {
    run(&Bench::new(), async |bench| {
        bench.history.complete(Some("it is being read".into()));
        let refused = bench.record(&event("1")).await;
        assert!(matches!(refused, Err(RecordError::Later(Later::CatalogUnread(_)))), "{refused:?}");
        bench.history.complete(None);
        bench.record(&event("1")).await.unwrap();
    });
}

#[path = "rights_tests.rs"]
mod rights;
