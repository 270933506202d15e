//! `GET /metrics`: for Prometheus, in the OpenMetrics text format. What is counted is in `web/metrics.rs`; what stands
//! somewhere already is read when it is asked for.

use super::health::{Readiness, ViewsState, free_bytes, readiness};
use crate::api::problems::OfQuestions;
use crate::spec::time::Timestamp;
use crate::store::copies::size_of;
use crate::web::auth::MetricsReader;
use crate::web::parameters::{Nothing, Query};
use crate::web::{Problem, Service, strangers};
use actix_web::{HttpResponse, get, web};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What the format is called (OpenMetrics 1.0).
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How old the sizes of folders may be.
///
/// Reason: a large ledger has thousands of files to look at, and machines ask every few seconds.
const SIZES_EVERY: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct View {
    view: String,
    version: u64,
    building: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct What {
    what: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Into {
    sink: String,
}

type Float = Gauge<f64, AtomicU64>;

/// What there is to measure.
///
/// Takes a token of somebody who may read everything, unless the setting `public_metrics` says that anyone may ask.
#[utoipa::path(tag = "operators", responses(
    (status = 200, description = "OpenMetrics text", body = String, content_type = "application/openmetrics-text",
     example = "# HELP daybook_log_entries Entries in the log.\n# TYPE daybook_log_entries gauge\ndaybook_log_entries 428\n# EOF\n"),
    OfQuestions,
))]
#[get("/metrics")]
pub async fn metrics(
    service: web::Data<Service>,
    _reader: MetricsReader,
    _query: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let text = web::block(move || text(&service)).await.map_err(|error| Problem::internal(&error))?;
    Ok(HttpResponse::Ok()
        .content_type(OPENMETRICS)
        .insert_header((actix_web::http::header::CACHE_CONTROL, "no-store"))
        .body(text.map_err(|error| Problem::internal(&error))?))
}

fn text(service: &Service) -> Result<String, std::fmt::Error> {
    let mut registry = Registry::default();
    let ours = registry.sub_registry_with_prefix("daybook");
    service.metrics.register(ours);
    let ready = readiness(service);
    of_the_log(service, ours);
    of_what_follows(service, &ready, ours);
    of_what_waits(service, ours);
    of_publishing(service, ours);
    of_the_disk(service, ours);
    is_ready(&ready, ours);
    let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
    ours.register("build", "This program", build);
    of_the_process(registry.sub_registry_with_prefix("process"));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: u64) {
    registry.register(name, help, ConstGauge::new(value));
}

fn of_the_log(service: &Service, registry: &mut Registry) {
    let store = service.log.store();
    let size = store.size();
    gauge(registry, "log_entries", "Entries in the log", size);
    let appended = ConstCounter::new(size.saturating_sub(service.size_at_start));
    registry.register("entries_appended", "Entries recorded since the start", appended);
    let (commits, took) = service.log.commits();
    registry.register("commits", "Batches made durable since the start", ConstCounter::new(commits));
    let took = ConstCounter::new(took.as_secs_f64());
    registry.register_with_unit("commit_duration", "Time that they took together", Unit::Seconds, took);
    if let Some(signed) = store.checkpoint() {
        gauge(
            registry,
            "checkpoint_size",
            "Entries that the newest checkpoint covers",
            signed.checkpoint.size,
        );
    }
    if let Some(newest) = size.checked_sub(1).and_then(|newest| store.time(newest).ok()) {
        let age = ConstGauge::new(age_s(service, newest));
        registry.register_with_unit("checkpoint_age", "Time since the newest checkpoint", Unit::Seconds, age);
    }
}

/// Seconds since a time, as the ledger's clock sees it.
fn age_s(service: &Service, since: Timestamp) -> f64 {
    service.clock.now().since(since).max(0) as f64 / 1e6
}

fn of_what_follows(service: &Service, ready: &Readiness, registry: &mut Registry) {
    let lag = |applied: u64| ready.size.saturating_sub(applied);
    gauge(registry, "index_lag_entries", "Entries that the index has not applied yet", lag(ready.indexed));
    gauge(registry, "views_lag_entries", "Entries that the views have not applied yet", lag(ready.viewed));
    let views = Family::<View, Gauge>::default();
    for view in service.views.iter().filter_map(|views| views.now().ok()).flat_map(|engine| engine.standing())
    {
        let building = if view.building { "true" } else { "false" };
        let behind = i64::try_from(lag(view.applied)).unwrap_or(i64::MAX);
        views.get_or_create(&View { view: view.name, version: view.version, building }).set(behind);
    }
    registry.register("view_lag_entries", "Entries that each view has not applied yet", views);
}

fn of_what_waits(service: &Service, registry: &mut Registry) {
    let (waiting, most) = service.log.waiting();
    gauge(registry, "append_queue_bytes", "Bytes of events that wait to be recorded", waiting);
    gauge(registry, "append_queue_limit_bytes", "Bytes of events that may wait", most);
    gauge(registry, "request_bodies_bytes", "Bytes held for request bodies", service.budget.held() as u64);
    gauge(registry, "streams", "Streams that are open", service.streams.held() as u64);
    gauge(registry, "streams_limit", "Streams that may be open", service.streams.most() as u64);
    // This request is one of them.
    let others = service.in_flight.count().saturating_sub(1);
    gauge(registry, "requests_in_flight", "Requests that are being answered", others as u64);
    let malformed = ConstCounter::new(strangers::malformed());
    registry.register("malformed_requests", "Connections that sent what is no HTTP request", malformed);
}

fn of_publishing(service: &Service, registry: &mut Registry) {
    let (age, failures, size) = (
        Family::<Into, Float>::default(),
        Family::<Into, Gauge>::default(),
        Family::<Into, Gauge>::default(),
    );
    for sink in &service.published {
        let into = Into { sink: sink.name.clone() };
        if let Some((entries, at)) = sink.newest() {
            age.get_or_create(&into).set(at.elapsed().as_secs_f64());
            size.get_or_create(&into).set(i64::try_from(entries).unwrap_or(i64::MAX));
        }
        failures.get_or_create(&into).set(i64::from(sink.failures()));
    }
    registry.register_with_unit("published_age", "Time since a checkpoint went out last", Unit::Seconds, age);
    registry.register("published_size", "Entries that the newest checkpoint covers that went out", size);
    registry.register(
        "publish_failures_in_a_row",
        "Attempts that failed since the last that did not",
        failures,
    );
}

fn of_the_disk(service: &Service, registry: &mut Registry) {
    if let Some(free) = free_bytes(service) {
        gauge(registry, "disk_free_bytes", "Bytes free on the data folder's disk", free);
    }
    let sizes = Family::<What, Gauge>::default();
    for (what, bytes) in folder_sizes(&service.data_dir) {
        sizes.get_or_create(&What { what }).set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }
    registry.register("folder_bytes", "Bytes of the log, the index and the views, once a minute", sizes);
}

/// Parts of a data folder, and the bytes of each.
type Sizes = [(&'static str, u64); 3];

/// Bytes of each part of a data folder.
fn folder_sizes(data_dir: &Path) -> Sizes {
    static LAST: Mutex<Option<(Instant, Sizes)>> = Mutex::new(None);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    match *last {
        Some((at, sizes)) if at.elapsed() < SIZES_EVERY => sizes,
        _ => {
            // An engine removes files while they are looked at: what is gone has no size.
            let sizes =
                ["log", "index", "views"].map(|part| (part, size_of(&data_dir.join(part)).unwrap_or(0)));
            *last = Some((Instant::now(), sizes));
            sizes
        }
    }
}

fn is_ready(ready: &Readiness, registry: &mut Registry) {
    let states = Family::<What, Gauge>::default();
    let views = matches!(ready.views, ViewsState::Ready | ViewsState::CatchingUp | ViewsState::None);
    for (what, is) in [("reads", ready.reads), ("writes", ready.writes), ("views", views)] {
        states.get_or_create(&What { what }).set(i64::from(is));
    }
    registry.register("ready", "Whether this is possible now: 1 or 0", states);
}

/// What every Prometheus dashboard expects of a process, as the operating system tells it.
fn of_the_process(registry: &mut Registry) {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    if let Some(pages) = pages {
        let bytes = pages * rustix::param::page_size() as u64;
        gauge(registry, "resident_memory_bytes", "Memory that the process has", bytes);
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        gauge(registry, "open_fds", "Files that the process has open", open.count() as u64);
    }
    if let Some(most) = rustix::process::getrlimit(rustix::process::Resource::Nofile).current {
        gauge(registry, "max_fds", "Files that the process may have open", most);
    }
}
