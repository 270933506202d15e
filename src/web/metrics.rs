//! What is counted of requests, for `/metrics`: how many, how long, and why they were refused. Labels take values that the
//! program knows, never those of a client: their number is bounded by the routes.

use crate::web::problem::ProblemType;
use actix_web::http::Method;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::time::Duration;

/// Seconds by which durations are sorted: a look-up, a commit, a fairness report, the deadline of an answer and of a body.
const BUCKETS_S: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Route {
    method: &'static str,
    route: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Refused {
    r#type: &'static str,
}

/// All that is counted.
#[derive(Clone)]
pub struct Metrics {
    requests: Family<Answered, Counter>,
    durations: Family<Route, Histogram, fn() -> Histogram>,
    refusals: Family<Refused, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let refusals = Family::default();
        // From the beginning: what was never counted cannot be seen to rise.
        for kind in ProblemType::ALL {
            drop(refusals.get_or_create(&Refused { r#type: kind.parts().1 }));
        }
        let durations = Family::new_with_constructor((|| Histogram::new(BUCKETS_S)) as fn() -> Histogram);
        Self { requests: Family::default(), durations, refusals }
    }
}

impl Metrics {
    /// Counts an answer.
    pub fn answered(&self, method: &Method, route: Option<String>, status: u16, took: Duration) {
        let method = known(method);
        // What fits no route may be anything.
        let route = route.unwrap_or_else(|| "none".to_owned());
        self.durations.get_or_create(&Route { method, route: route.clone() }).observe(took.as_secs_f64());
        self.requests.get_or_create(&Answered { method, route, status }).inc();
    }

    /// Counts a refusal.
    pub fn refused(&self, kind: ProblemType) {
        self.refusals.get_or_create(&Refused { r#type: kind.parts().1 }).inc();
    }

    /// Has a registry show all of it.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("http_requests", "Requests answered", self.requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "Time until an answer begins; of POST /v1/events until the events are durable",
            Unit::Seconds,
            self.durations.clone(),
        );
        registry.register(
            "refusals",
            "Requests refused, by the type of their problem",
            self.refusals.clone(),
        );
    }
}

fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
