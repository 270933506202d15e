//! Who could read a data set on a day, as known on another, among very many grants.
//!
//! The entries come from a generator, not from a log: a thousand data sets, fifty thousand people, a tenth of the grants
//! to roles, a tenth revoked, and the revocations recorded a week late.

use crate::common;
use crate::common::table::{Table, quantile, thousands};
use anyhow::Result;
use daybook::answers::access::reach::Wanted;
use daybook::answers::access::who::Access;
use daybook::answers::deadline::Deadline;
use daybook::catalog::Catalog;
use daybook::follow::{FeedError, Portion, Source};
use daybook::spec::time::{MICROS_PER_DAY, Timestamp};
use daybook::store::EngineKind;
use daybook::views::engine::{Engine, Event, EventFeed, When};
use daybook::views::projections;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Instant;

const DATASETS: u64 = 1_000;
const PEOPLE: u64 = 50_000;
const ROLES: u64 = 200;
const HOLDERS: u64 = 10;
/// Grants to one revocation.
const REVOKED: u64 = 10;
/// A prime, so that what is asked reaches every part.
const STRIDE: u64 = 2_654_435_761;
const START: Timestamp = Timestamp::clamped(1_750_000_000_000_000);
/// Entries applied at once.
const BATCH: u64 = 2_048;
/// Questions of each kind.
const TIMES: u64 = 2_000;

struct Grants {
    grants: u64,
}

impl Grants {
    fn assignments() -> u64 {
        ROLES * HOLDERS
    }

    fn entries(&self) -> u64 {
        Self::assignments() + self.grants + self.grants / REVOKED
    }

    fn recorded_at(&self, seq: u64) -> Timestamp {
        // A year, whatever there is in it.
        let year = 365 * i128::from(MICROS_PER_DAY);
        START.saturating_add((i128::from(seq) * year / i128::from(self.entries())) as i64)
    }

    fn data(&self, seq: u64) -> (&'static str, Value) {
        let now = self.recorded_at(seq);
        let days_later = |days: i64| now.saturating_add(days * MICROS_PER_DAY).to_string();
        let Some(after) = seq.checked_sub(Self::assignments()) else {
            let (role, holder) = (seq / HOLDERS, seq * 7_919 % PEOPLE);
            let data = json!({
                "by": "user:u-0", "principal": format!("user:p-{holder}"), "role": format!("role-{role}"),
                "valid_from": START.to_string(),
            });
            return ("role.assigned", data);
        };
        // After each ten grants, one of those of a while ago is revoked.
        let (group, place) = (after / (REVOKED + 1), after % (REVOKED + 1));
        if place == REVOKED {
            let grant = (group * REVOKED).saturating_sub(5_000);
            let data = json!({
                "by": "user:u-0", "grant": format!("G-{grant}"), "reason": "moved on", "effective_at": days_later(-7),
            });
            return ("access.revoked", data);
        }
        let number = group * REVOKED + place;
        let grantee = if number % 10 == 3 {
            json!({"kind": "role", "id": format!("role-{}", number / 10 % ROLES)})
        } else {
            json!({"kind": "person", "id": format!("user:p-{}", number.wrapping_mul(STRIDE) % PEOPLE)})
        };
        let data = json!({
            "by": "user:u-0", "request": format!("R-{number}"), "grant": format!("G-{number}"),
            "resource": {"kind": "dataset", "id": format!("ds-{}", number * 7_919 % DATASETS), "environment": "production"},
            "grantee": grantee, "operations": ["read"], "purpose": "modelling", "legal_basis": "gdpr-6-1-f",
            "valid_from": now.to_string(), "valid_until": days_later(120), "grantee_unit": "risk", "owner_unit": "lending",
            "agreement": "AGR-1",
        });
        ("access.granted", data)
    }
}

impl Source for Grants {
    fn ledger(&self) -> Result<[u8; 32], FeedError> {
        Ok([7; 32])
    }

    fn committed(&self) -> u64 {
        self.entries()
    }

    fn read(&self, from: u64, portion: Portion, out: &mut Vec<Arc<Event>>) -> Result<(), FeedError> {
        for seq in from..self.entries().min(from + portion.entries as u64) {
            out.push(Arc::new(self.event(seq)?));
        }
        Ok(())
    }

    fn event(&self, seq: u64) -> Result<Event, FeedError> {
        let (ty, data) = self.data(seq);
        let recorded_at = self.recorded_at(seq);
        let mut text_hash = [0; 32];
        text_hash[..8].copy_from_slice(&seq.to_be_bytes());
        Ok(Event {
            seq,
            recorded_at,
            happened_at: recorded_at,
            source: "/access".into(),
            id: seq.to_string(),
            ty: ty.into(),
            subject: None,
            sequence: None,
            actor: "app:access".into(),
            text_hash,
            data: Arc::new(data),
        })
    }

    fn digest(&self, seq: u64) -> Result<[u8; 32], FeedError> {
        Ok(self.event(seq)?.text_hash)
    }
}

impl EventFeed for Grants {
    fn find(&self, _: &[u8; 16], _: u64) -> Result<Option<u64>, FeedError> {
        Ok(None)
    }
}

/// The table of answers' times.
pub fn who_could_read(grants: u64) -> Result<String> {
    let feed = Arc::new(Grants { grants });
    let catalog = Arc::new(Catalog::embedded()?);
    let folder = tempfile::Builder::new().prefix("grants-").tempdir_in(common::data_dir())?;
    let all = projections(&catalog);
    let (engine, _) = Engine::open(folder.path(), EngineKind::Fjall, [7; 32], feed.clone(), catalog, &all)?;
    let start = Instant::now();
    let mut events = Vec::new();
    while engine.applied() < feed.entries() {
        events.clear();
        feed.read(
            engine.applied(),
            Portion { entries: BATCH as usize, bytes: usize::MAX, data: true },
            &mut events,
        )?;
        engine.apply(&events)?;
    }
    println!("applied      {} entries in {:.0} s", feed.entries(), start.elapsed().as_secs_f64());

    let mut table = Table::new(1, &["question", "grants", "ways p50", "p50 ms", "p99 ms"]);
    let known = feed.entries();
    let now = feed.recorded_at(known);
    // A day in the second half of the year, and what was known some days later.
    let on_a_day = |nth: u64| {
        let seq = known / 2 + nth.wrapping_mul(STRIDE) % (known / 2);
        When { known: (seq + known / 40).min(known), at: feed.recorded_at(seq) }
    };
    type Moment<'a> = &'a dyn Fn(u64) -> When;
    let questions: [(&str, Moment<'_>, usize); 3] = [
        ("who can read D now, all of them", &|_| When { known, at: now }, usize::MAX),
        ("who could read D on day X, as known on day Y, all", &on_a_day, usize::MAX),
        ("the same, the first page of 50", &on_a_day, 50),
    ];
    for (name, when, limit) in questions {
        let (mut times, mut ways) = (Vec::new(), Vec::new());
        for nth in 0..TIMES + TIMES / 10 {
            let resource = format!("dataset/ds-{}", nth.wrapping_mul(STRIDE) % DATASETS);
            let wanted = Wanted { operation: Some("read"), ..Wanted::default() };
            let access = Access { engine: &engine, deadline: Deadline::default() };
            let begin = Instant::now();
            let part = access.readers(&resource, wanted, when(nth), None, limit.min(500_000))?;
            // The first tenth warms.
            if nth >= TIMES / 10 {
                times.push(begin.elapsed().as_secs_f64() * 1e3);
                ways.push(part.items.len() as f64);
            }
        }
        times.sort_by(f64::total_cmp);
        ways.sort_by(f64::total_cmp);
        table.row(vec![
            name.to_owned(),
            thousands(grants as f64),
            format!("{:.0}", quantile(&ways, 0.5)),
            format!("{:.2}", quantile(&times, 0.5)),
            format!("{:.2}", quantile(&times, 0.99)),
        ]);
    }
    Ok(format!("\n{}", table.text()))
}
