//! The demo's year comes in by the same door as what is posted.

use crate::kit::{self, ORIGIN, event_with_id};
use daybook::app::config::Config;
use daybook::app::ledger::{How, Ledger, options};
use daybook::clock::ManualClock;
use daybook::demo::{DemoEvent, TellError, scenario, stamp, tell};
use daybook::spec::entry::Entry;
use daybook::web::Problem;
use serde_json::{Value, json};
use std::sync::Arc;
use tempfile::TempDir;

/// A new ledger without HTTP, on a clock that stands where the story begins.
struct Told {
    ledger: Ledger,
    clock: Arc<ManualClock>,
    /// An event of the story, to make others from.
    sample: DemoEvent,
    _dir: TempDir,
}

impl Told {
    fn begin() -> Self {
        let dir = tempfile::tempdir().unwrap();
        // The last one: what is told with it has happened by then.
        let sample = scenario("2026-11-24T11:30:00Z".parse().unwrap()).unwrap().pop().unwrap();
        let clock = Arc::new(ManualClock::new(stamp(sample.recorded_at).unwrap()));
        let mut made = options(dir.path(), &Config::default());
        made.clock = clock.clone();
        daybook::log::create(&made, ORIGIN, None).unwrap();
        let how = How { clock: clock.clone(), ..How::with(Config::default()) };
        let mut ledger = Ledger::open(dir.path(), how).unwrap();
        ledger.wait().unwrap();
        Self { ledger, clock, sample, _dir: dir }
    }

    fn tell(&self, events: &[Value]) -> Result<(), TellError> {
        let story: Vec<DemoEvent> =
            (events.iter()).map(|event| DemoEvent { event: event.clone(), ..self.sample.clone() }).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(tell(&story, self.ledger.recorder(), &self.clock, |_| {}))
    }

    fn size(&self) -> u64 {
        self.ledger.log().store().size()
    }
}

fn correction(id: &str, target: &str) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "/it", "type": "event.corrected", "time": "2026-03-02T09:30:00Z",
        "data": {"by": "user:u-1", "target": {"source": "/it", "id": target}, "kind": "annul", "reason": "r"},
    })
}

#[test]
fn what_is_wrong_in_the_story_is_refused_as_it_is_over_http() {
    let (told, posted) = (Told::begin(), kit::Ledger::empty());
    told.tell(&[event_with_id("taken")]).unwrap();
    posted.record(&event_with_id("taken"));
    let with = |pointer: &str, value: Value| {
        let mut event = event_with_id("broken");
        *event.pointer_mut(pointer).unwrap() = value;
        event
    };
    let mut other = event_with_id("taken");
    other["data"]["reason"] = json!("asked three times");
    let broken = [
        with("/type", json!("approval.withdrown")),
        with("/type", json!("ledger.created")),
        with("/source", json!(ORIGIN)),
        with("/time", json!("yesterday")),
        with("/data", json!({"approval": "APR 1", "by": 7})),
        correction("broken", "nobody-posted-this"),
        other,
    ];
    for event in broken {
        let answer = posted.post(&event);
        let Err(TellError::Refused { why, .. }) = told.tell(&[event_with_id("taken"), event.clone()]) else {
            panic!("the story goes on with {event}");
        };
        assert_eq!(serde_json::to_value(Problem::from(why)).unwrap(), answer.json());
        assert!((400..500).contains(&answer.status), "{}", answer.text());
    }
    assert_eq!((told.size(), posted.size()), (2, 2));
}

#[test]
fn corrections_and_publications_are_part_of_a_story() {
    let told = Told::begin();
    let vault = json!({
        "name": "vault.opened", "version": 1, "summary": "Somebody opened a vault.",
        "entity": {"family": "vault", "id": "vault"},
        "schema": {"required": ["vault"], "properties": {"vault": {"$ref": "#/$defs/id"}}},
        "example": {"by": "user:u-1", "vault": "V-1"},
    });
    let data =
        json!({"by": "user:u-1", "publication": "CAT-1", "version": 1, "reason": "needed", "types": [vault]});
    let event = |id: &str, event_type: &str, data: Value| {
        json!({
            "specversion": "1.0", "id": id, "source": "/it", "type": event_type, "time": "2026-03-02T09:30:00Z",
            "data": data,
        })
    };
    let story = [
        event("p", "catalog.published", data),
        event("o", "vault.opened", json!({"by": "user:u-1", "vault": "V-1"})),
        correction("c", "o"),
    ];
    told.tell(&story).unwrap();
    assert_eq!(told.ledger.catalog().current().publications(), 1);
    let store = told.ledger.log().store();
    for (seq, event) in (1..).zip(&story) {
        let bytes = store.entry(seq).unwrap();
        let entry = Entry::parse(&bytes).unwrap();
        assert_eq!(entry.event_type(), event["type"]);
        assert_eq!(entry.time, stamp(told.sample.recorded_at).unwrap());
    }
    assert_eq!(store.size(), 4);
}
