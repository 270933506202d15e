//! `POST /v1/events`: the reason for everything else.

use crate::api::auth::Caller;
use crate::api::event_view::receipt_path;
use crate::api::{Problem, ProblemType, Service, body};
use crate::identity::Role;
use crate::intake::{
    Accepted, MAX_BATCH_BYTES, MAX_BATCH_EVENTS, MAX_EVENT_BYTES, Mode, Refusal, Rules, accept, from_batch,
    from_binary, from_structured,
};
use crate::log::append::{AppendError, ExpectedVersion, Outcome, Submission};
use crate::log::fingerprint;
use crate::spec::canonical;
use crate::spec::encoding::to_base64;
use crate::spec::entry::Entry;
use crate::spec::merkle::leaf_hash;
use crate::views::{IndexError, LogIndex};
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, post, web};
use serde::Serialize;
use utoipa::ToSchema;

/// Header: how many events the subject has so far, or nothing is recorded.
const EXPECTED_VERSION: &str = "daybook-expected-version";
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
        (status = 422, description = "`unknown-type`, `schema-violation`, `reserved-type`, `personal-data-unsupported`, `producer-signature-unsupported`", body = Problem, content_type = "application/problem+json"),
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
    caller.must_be(Role::Producer)?;
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
    let body = body::read(payload, limit, &service.budget).await?;
    let accepted = accept_all(&service, &caller, &request, mode, content_type, &body.bytes)?;
    drop(body);
    record(&service, accepted, expected, mode).await
}

fn expected_version(request: &HttpRequest, mode: Mode) -> Result<Option<u64>, Problem> {
    let Some(value) = request.headers().get(EXPECTED_VERSION) else { return Ok(None) };
    if mode == Mode::Batch {
        let detail = "Daybook-Expected-Version goes with single events; a batch may concern many subjects";
        return Err(Problem::new(ProblemType::BadParameter, detail));
    }
    let version = value.to_str().ok().and_then(crate::spec::encoding::from_decimal);
    version
        .map(Some)
        .ok_or_else(|| Problem::parameter("Daybook-Expected-Version", "a number of events, 0 or more"))
}

fn accept_all(
    service: &Service,
    caller: &Caller,
    request: &HttpRequest,
    mode: Mode,
    content_type: Option<&str>,
    body: &[u8],
) -> Result<Vec<Accepted>, Problem> {
    let rules = Rules {
        origin: service.log.store().origin(),
        catalog: &service.catalog,
        open_types: service.settings.open_types,
    };
    let one = |refusal: Refusal| Problem::refused(&[refusal]);
    let events = match mode {
        Mode::Structured => vec![from_structured(body).map_err(one)?],
        Mode::Batch => from_batch(body).map_err(one)?,
        Mode::Binary => {
            let ce: Vec<(&str, &[u8])> = request
                .headers()
                .iter()
                .filter_map(|(name, value)| Some((name.as_str().strip_prefix("ce-")?, value.as_bytes())))
                .collect();
            vec![from_binary(&ce, content_type, body).map_err(one)?]
        }
    };
    let mut accepted = Vec::with_capacity(events.len());
    let mut refusals = Vec::new();
    for (place, event) in events.iter().enumerate() {
        match accept(event, &caller.0, &rules) {
            Ok(event) => accepted.push(event),
            Err(refused) if mode == Mode::Batch => {
                refusals.extend(refused.into_iter().map(|refusal| refusal.within(place)));
            }
            Err(refused) => refusals = refused,
        }
    }
    if refusals.len() > MAX_BATCH_EVENTS {
        // Every bad event is named, if not everything that is wrong with it.
        refusals.dedup_by_key(|refusal| refusal.pointer.split('/').nth(1).map(str::to_owned));
    }
    if refusals.is_empty() { Ok(accepted) } else { Err(Problem::refused(&refusals)) }
}

async fn record(
    service: &web::Data<Service>,
    accepted: Vec<Accepted>,
    expected: Option<u64>,
    mode: Mode,
) -> Result<HttpResponse, Problem> {
    let expected_version = match (expected, accepted.first()) {
        (Some(version), Some(event)) => {
            let subject = event.subject.clone().ok_or_else(|| {
                let detail = "Daybook-Expected-Version counts the events of a subject; the event has none";
                Problem::new(ProblemType::Unprocessable, detail).at("/subject")
            })?;
            let counted = match &service.index {
                Some(index) => Some(count(index, subject.clone()).await?),
                None => None,
            };
            Some(ExpectedVersion { subject, version, counted })
        }
        _ => None,
    };
    // Order matters: first how far the index is, then what it knows. What it learns in between is looked at twice,
    // never not at all.
    // Both questions go to the same index: one that replaced it in between may know nothing yet.
    let index = match &service.index {
        Some(index) => Some(index.now().map_err(|why| Problem::append(&AppendError::Index(why)))?),
        None => None,
    };
    let looked_up_at = index.as_ref().map_or(u64::MAX, |index| index.applied());
    let mut known = Vec::with_capacity(accepted.len());
    for event in &accepted {
        known.push(match &index {
            Some(index) => {
                let failed = |error: IndexError| Problem::append(&AppendError::Index(error.to_string()));
                index.find(&event.item.identity).map_err(failed)?
            }
            None => None,
        });
    }
    let conflicts = conflicts(service, &accepted, &known)?;
    if !conflicts.is_empty() {
        return Err(Problem::conflict(&conflicts, mode == Mode::Batch));
    }
    let new: Vec<usize> = (0..accepted.len()).filter(|place| known[*place].is_none()).collect();
    let mut outcomes: Vec<Option<Outcome>> =
        known.iter().map(|seq| seq.map(|seq| Outcome::Replayed { seq })).collect();
    if !new.is_empty() {
        let mut accepted: Vec<_> = accepted.into_iter().map(|event| Some(event.item)).collect();
        let items = new.iter().filter_map(|place| accepted[*place].take()).collect();
        let submission = Submission { items, expected_version, looked_up_at };
        let answer = service.log.append(submission).map_err(|error| Problem::append(&error))?;
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
    let items = outcomes
        .into_iter()
        .flatten()
        .map(|outcome| recorded(service, outcome))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(respond(items, mode))
}

/// How many events a subject has, counted beside the async workers: a subject may have millions.
async fn count(index: &LogIndex, subject: String) -> Result<(u64, u64), Problem> {
    let failed = |why: String| Problem::append(&AppendError::Index(why));
    let index = index.now().map_err(failed)?;
    let counted =
        web::block(move || index.version(&subject)).await.map_err(|error| Problem::internal(&error))?;
    counted.map_err(|error| failed(error.to_string()))
}

/// Which of the known identities are recorded with other content, or by another actor.
fn conflicts(service: &Service, accepted: &[Accepted], known: &[Option<u64>]) -> Result<Vec<usize>, Problem> {
    let mut conflicts = Vec::new();
    for (place, (event, seq)) in accepted.iter().zip(known).enumerate() {
        let Some(seq) = *seq else { continue };
        let bytes = service.log.store().entry(seq)?;
        let entry = Entry::parse(&bytes).map_err(|error| Problem::internal(&error))?;
        if fingerprint(&entry.actor, &canonical::to_string(&entry.event)) != event.item.fingerprint {
            conflicts.push(place);
        }
    }
    Ok(conflicts)
}

fn recorded(service: &Service, outcome: Outcome) -> Result<Recorded, Problem> {
    match outcome {
        Outcome::Recorded { seq, time, leaf } => Ok(Recorded {
            seq,
            time: time.to_string(),
            hash: to_base64(&leaf),
            receipt: receipt_path(seq),
            replayed: false,
        }),
        Outcome::Replayed { seq } => {
            let bytes = service.log.store().entry(seq)?;
            let entry = Entry::parse(&bytes).map_err(|error| Problem::internal(&error))?;
            Ok(Recorded {
                seq,
                time: entry.time.to_string(),
                hash: to_base64(&leaf_hash(&bytes)),
                receipt: receipt_path(seq),
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
