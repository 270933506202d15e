//! `POST /v1/events`: the reason for everything else.

use crate::api::corrections::check;
use crate::api::links;
use crate::api::prepare::{Incoming, Prepared, prepare};
use crate::api::publish::publish;
use crate::identity::Role;
use crate::intake::{MAX_BATCH_BYTES, MAX_EVENT_BYTES, Mode};
use crate::log::append::{AppendError, Outcome, Submission};
use crate::spec::encoding::to_base64;
use crate::spec::entry::Entry;
use crate::spec::merkle::leaf_hash;
use crate::web::auth::Caller;
use crate::web::pace::give_way;
use crate::web::{Problem, ProblemType, Service, body};
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, post, web};
use serde::Serialize;
use std::sync::Arc;
use tokio::sync::OwnedRwLockReadGuard;
use utoipa::ToSchema;

/// Header: how many events the subject has so far, or nothing is recorded.
const EXPECTED_VERSION: &str = "daybook-expected-version";
/// Bytes of a body that is parsed and checked where it was read.
///
/// Reason: about two milliseconds' work; handing it to another thread costs some hundredths of that.
const INLINE_BYTES: usize = 128 << 10;

/// Large requests that are prepared at once; the others wait, and their bodies count in the budget.
///
/// Reason: one takes several times its body in memory, and more of them than processors are not done sooner.
pub fn large_at_once() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, 8))
}

/// Recorded events that are read back from the log where they were asked for.
///
/// Reason: as above.
const INLINE_REPLAYS: usize = 16;

/// Header of answers: the event was there already.
const REPLAYED: &str = "daybook-replayed";
/// Header: the producer's own signature.
const SIGNATURE: &str = "daybook-signature";

/// Where an event is now.
#[derive(Serialize, ToSchema)]
pub struct Recorded {
    /// Its entry's number.
    #[schema(example = 428)]
    pub seq: u64,
    /// When it was recorded.
    #[schema(example = "2026-11-24T09:30:00.000000Z")]
    pub time: String,
    /// Leaf hash of the entry, base64.
    #[schema(example = "B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=")]
    pub hash: String,
    /// Where the receipt is.
    #[schema(example = "/v1/events/428/receipt")]
    pub receipt: String,
    /// The same event was there already; this is where.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub replayed: bool,
}

/// Where the events of a batch are now, in their order.
#[derive(Serialize, ToSchema)]
pub struct RecordedBatch {
    pub items: Vec<Recorded>,
}

/// Record events.
///
/// One CloudEvent 1.0 in the structured mode (`application/cloudevents+json` or `application/json`) or the binary mode
/// (attributes in `ce-` headers, the body is `data`), or up to 1,000 in a batch, which is recorded whole or not at
/// all. The answer comes when they are durable, signed and in the log. An event is known by its `source` and `id` for
/// ever: the same one again answers 200 with the first record, so a retry never records twice.
#[utoipa::path(
    tag = "applications",
    params(
        ("Daybook-Expected-Version" = Option<u64>, Header, description = "Single events: record only if `subject` has this many events so far"),
    ),
    request_body(description = "The event or events", content(
        (String = "application/cloudevents+json"),
        (String = "application/cloudevents-batch+json"),
        (String = "application/json"),
    )),
    responses(
        (status = 201, description = "Recorded. For a batch the body is `RecordedBatch`", body = Recorded, headers(("Location" = String, description = "The entry (single events)"))),
        (status = 200, description = "Recorded before, by this caller, with this content", body = Recorded, headers(("Daybook-Replayed" = String, description = "`true`"))),
        (status = 400, description = "`malformed`, `not-canonical`, `not-a-cloudevent`, `bad-parameter`", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`, `source-not-allowed`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`identity-conflict`, `version-conflict`", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "`too-large`", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported-media-type`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`unknown-type`, `schema-violation`, `reserved-type`, `personal-data-unsupported`, `producer-signature-unsupported`, `unknown-target`, `publication-refused`, `unprocessable`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`rate-limited`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`overloaded`, `starting`, `read-only`, `clock-jumped`, `stopped`, `index-unavailable`", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u32, description = "Seconds"))),
        (status = 507, description = "`no-room`", body = Problem, content_type = "application/problem+json"),
    ),
)]
#[post("/events")]
pub async fn post_events(
    service: web::Data<Service>,
    caller: Caller,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    if !caller.0.has(Role::Admin) {
        caller.must_be(Role::Producer)?;
    }
    let headers = request.headers();
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mode = Mode::of(content_type, headers.contains_key("ce-specversion")).ok_or_else(|| {
        let detail = "send application/cloudevents+json (one event), application/cloudevents-batch+json (a list), or \
                      the attributes in ce- headers";
        Problem::new(ProblemType::UnsupportedMediaType, detail)
    })?;
    if headers.contains_key(SIGNATURE) {
        let detail = "this ledger knows no producer keys to check a signature with; post without it";
        return Err(Problem::new(ProblemType::ProducerSignatureUnsupported, detail));
    }
    let expected = expected_version(&request, mode)?;
    let limit = if mode == Mode::Batch { MAX_BATCH_BYTES } else { MAX_EVENT_BYTES };
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let body = body::read(payload, declared, limit, &service.budget).await?;
    let attributes = match mode {
        Mode::Binary => ce_headers(headers),
        Mode::Structured | Mode::Batch => Vec::new(),
    };
    let content_type = content_type.map(str::to_owned);
    let incoming = Incoming { principal: caller.0.clone(), mode, content_type, attributes, body };
    let posted = Posted { incoming: Arc::new(incoming), expected };
    give_way(&service).await;
    let gate = service.gate.clone().read_owned().await;
    let prepared = prepared(&service, &posted).await?;
    if prepared.publication.is_some() {
        drop(gate);
        return publish(service, &caller, posted).await;
    }
    caller.must_be(Role::Producer)?;
    record(&service, prepared, mode, gate).await
}

/// What was posted, read and not yet looked at.
#[derive(Clone)]
pub struct Posted {
    incoming: Arc<Incoming>,
    expected: Option<u64>,
}

impl Posted {
    /// How it was posted.
    pub fn mode(&self) -> Mode {
        self.incoming.mode
    }
}

/// The attributes of an event in the binary mode.
fn ce_headers(headers: &header::HeaderMap) -> Vec<(String, Vec<u8>)> {
    let attribute = |(name, value): (&header::HeaderName, &header::HeaderValue)| {
        Some((name.as_str().strip_prefix("ce-")?.to_owned(), value.as_bytes().to_owned()))
    };
    headers.iter().filter_map(attribute).collect()
}

fn expected_version(request: &HttpRequest, mode: Mode) -> Result<Option<u64>, Problem> {
    let Some(value) = request.headers().get(EXPECTED_VERSION) else { return Ok(None) };
    if mode == Mode::Batch {
        let detail = "Daybook-Expected-Version goes with single events; a batch may concern many subjects";
        return Err(Problem::new(ProblemType::BadParameter, detail));
    }
    let version = value.to_str().ok().and_then(crate::spec::encoding::from_decimal);
    // As described: an int64.
    let version = version.filter(|version| i64::try_from(*version).is_ok());
    version.map(Some).ok_or_else(|| {
        Problem::parameter("Daybook-Expected-Version", "a number of events from 0 to 2^63 - 1")
    })
}

/// Does at once what takes little time, and beside the async workers what does not: other requests wait there.
pub async fn prepared(service: &web::Data<Service>, posted: &Posted) -> Result<Prepared, Problem> {
    let Posted { incoming, expected } = posted.clone();
    if incoming.body.bytes.len() <= INLINE_BYTES && expected.is_none() {
        let prepared = prepare(service, &incoming, expected)?;
        return checked(service, prepared).await;
    }
    // Held until the work is done, also if the client is gone by then.
    let place = service.large.clone().acquire_owned().await.map_err(|error| Problem::internal(&error))?;
    let preparing = service.clone();
    let work = move || {
        let _place = place;
        prepare(&preparing, &incoming, expected)
    };
    let prepared = web::block(work).await.map_err(|error| Problem::internal(&error))??;
    checked(service, prepared).await
}

/// Looks up what is corrected, if anything is.
async fn checked(service: &web::Data<Service>, prepared: Prepared) -> Result<Prepared, Problem> {
    if prepared.corrections.is_empty() {
        return Ok(prepared);
    }
    let service = service.clone();
    let look = move || {
        let earlier: Vec<_> = prepared.accepted.iter().map(|accepted| accepted.item.identity).collect();
        check(&service, &prepared.corrections, &earlier).map(|()| prepared)
    };
    web::block(look).await.map_err(|error| Problem::internal(&error))?
}

async fn record(
    service: &web::Data<Service>,
    prepared: Prepared,
    mode: Mode,
    gate: OwnedRwLockReadGuard<()>,
) -> Result<HttpResponse, Problem> {
    let Prepared { accepted, known, expected_version, looked_up_at, .. } = prepared;
    let new: Vec<usize> = (0..accepted.len()).filter(|place| known[*place].is_none()).collect();
    let mut outcomes: Vec<Option<Outcome>> =
        known.iter().map(|seq| seq.map(|seq| Outcome::Replayed { seq })).collect();
    if !new.is_empty() {
        let mut accepted: Vec<_> = accepted.into_iter().map(|event| Some(event.item)).collect();
        let items = new.iter().filter_map(|place| accepted[*place].take()).collect();
        let submission = Submission { items, expected_version, looked_up_at };
        let answer = service.log.append(submission).map_err(|error| Problem::append(&error))?;
        // From here on its place comes before that of any later change of the catalogue.
        drop(gate);
        // The sequencer answers all it takes; it goes without an answer only when the ledger stops.
        let recorded = answer.await.unwrap_or(Err(AppendError::Stopped)).map_err(|error| match error {
            AppendError::Conflict { items } => {
                let places: Vec<_> = items.iter().filter_map(|item| new.get(*item).copied()).collect();
                Problem::conflict(&places, mode == Mode::Batch)
            }
            other => Problem::append(&other),
        })?;
        for (place, outcome) in new.iter().zip(recorded) {
            outcomes[*place] = Some(outcome);
        }
    }
    respond_to(service, outcomes.into_iter().flatten().collect(), mode).await
}

/// The answer, in which each event is with its place in the log.
pub async fn respond_to(
    service: &web::Data<Service>,
    outcomes: Vec<Outcome>,
    mode: Mode,
) -> Result<HttpResponse, Problem> {
    let replays = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Replayed { .. })).count();
    let service = service.clone();
    let tell = move || outcomes.iter().map(|outcome| recorded(&service, *outcome)).collect();
    let items: Result<Vec<_>, _> = if replays <= INLINE_REPLAYS {
        tell()
    } else {
        web::block(tell).await.map_err(|error| Problem::internal(&error))?
    };
    Ok(respond(items?, mode))
}

fn recorded(service: &Service, outcome: Outcome) -> Result<Recorded, Problem> {
    match outcome {
        Outcome::Recorded { seq, time, leaf } => Ok(Recorded {
            seq,
            time: time.to_string(),
            hash: to_base64(&leaf),
            receipt: links::receipt(seq),
            replayed: false,
        }),
        Outcome::Replayed { seq } => {
            let bytes = service.log.store().entry(seq)?;
            let entry = Entry::parse(&bytes).map_err(|error| Problem::internal(&error))?;
            Ok(Recorded {
                seq,
                time: entry.time.to_string(),
                hash: to_base64(&leaf_hash(&bytes)),
                receipt: links::receipt(seq),
                replayed: true,
            })
        }
    }
}

fn respond(mut items: Vec<Recorded>, mode: Mode) -> HttpResponse {
    let all_replayed = items.iter().all(|item| item.replayed);
    let mut response = if all_replayed { HttpResponse::Ok() } else { HttpResponse::Created() };
    if all_replayed {
        response.insert_header((REPLAYED, "true"));
    }
    match (mode, items.pop()) {
        (Mode::Structured | Mode::Binary, Some(item)) => {
            response.insert_header((header::LOCATION, format!("/v1/events/{}", item.seq))).json(item)
        }
        (_, last) => {
            items.extend(last);
            response.json(RecordedBatch { items })
        }
    }
}
