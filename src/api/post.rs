//! `POST /v1/events`: the reason for everything else. What HTTP carries becomes what the door takes, and its answer JSON; all
//! that is decided is decided behind the door.

use crate::api::links;
use crate::api::problems::OfPosts;
use crate::intake::{self, Form, Incoming, MAX_BATCH_BYTES, MAX_EVENT_BYTES, Mode, RecordError, may_record};
use crate::spec::encoding::to_base64;
use crate::web::auth::Caller;
use crate::web::parameters::{Nothing, Query};
use crate::web::{Problem, ProblemType, Service, body};
use actix_web::http::header::{self, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, post, web};
use serde::Serialize;
use utoipa::ToSchema;

/// Header: how many events the subject has so far, of sources that the token may post for, or nothing is recorded.
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
/// all; one of none is valid, and records nothing. The answer comes when they are durable, signed and in the log. An event is known by its `source` and `id` for
/// ever: the same one again answers 200 with the first record, so a retry never records twice.
#[utoipa::path(
    tag = "applications",
    params(
        ("Daybook-Expected-Version" = Option<u64>, Header, description = "Single events: record only if `subject` has this many events so far, of sources that the token may post for"),
    ),
    request_body(description = "The event or events", content(
        (String = "application/cloudevents+json"),
        (String = "application/cloudevents-batch+json"),
        (String = "application/json"),
    )),
    responses(
        (status = 201, description = "Recorded. For a batch the body is `RecordedBatch`", body = Recorded, headers(("Location" = String, description = "The entry (single events)"))),
        (status = 200, description = "Recorded before, by this caller, with this content; or a batch of no events", body = Recorded, headers(("Daybook-Replayed" = String, description = "`true`"))),
        OfPosts,
    ),
)]
#[post("/events")]
pub async fn post_events(
    service: web::Data<Service>,
    caller: Caller,
    request: HttpRequest,
    payload: web::Payload,
    _query: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    may_record(&caller.0)?;
    let headers = request.headers();
    let form = form(headers)?;
    if headers.contains_key(SIGNATURE) {
        let detail = "this ledger knows no producer keys to check a signature with; post without it";
        return Err(Problem::new(ProblemType::ProducerSignatureUnsupported, detail));
    }
    let mode = form.mode();
    let expected_version = expected_version(headers, mode)?;
    let limit = if mode == Mode::Batch { MAX_BATCH_BYTES } else { MAX_EVENT_BYTES };
    let budget = (&service.budget, caller.0.actor.as_str());
    let body = body::read(payload, headers, limit, budget).await?;
    let incoming = Incoming { expected_version, ..Incoming::new(form, body) };
    let recorded = service.recorder.record(&caller.0, incoming).await?;
    Ok(respond(recorded.into_iter().map(Recorded::from).collect(), mode))
}

/// How a request carries its events.
fn form(headers: &HeaderMap) -> Result<Form, Problem> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    match Mode::of(content_type, headers.contains_key("ce-specversion")) {
        Some(Mode::Structured) => Ok(Form::Structured),
        Some(Mode::Batch) => Ok(Form::Batch),
        Some(Mode::Binary) => {
            let content_type = content_type.map(str::to_owned);
            Ok(Form::Binary { attributes: ce_headers(headers), content_type })
        }
        None => {
            let detail = "send application/cloudevents+json (one event), application/cloudevents-batch+json (a list), or \
                          the attributes in ce- headers";
            Err(Problem::new(ProblemType::UnsupportedMediaType, detail))
        }
    }
}

/// The attributes of an event in the binary mode.
fn ce_headers(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    let attribute = |(name, value): (&header::HeaderName, &header::HeaderValue)| {
        Some((name.as_str().strip_prefix("ce-")?.to_owned(), value.as_bytes().to_owned()))
    };
    headers.iter().filter_map(attribute).collect()
}

fn expected_version(headers: &HeaderMap, mode: Mode) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(EXPECTED_VERSION) else { return Ok(None) };
    if mode == Mode::Batch {
        return Err(RecordError::VersionOfBatch.into());
    }
    let version = value.to_str().ok().and_then(crate::spec::encoding::from_decimal);
    // As described: an int64.
    let version = version.filter(|version| i64::try_from(*version).is_ok());
    version.map(Some).ok_or_else(|| {
        Problem::parameter("Daybook-Expected-Version", "a number of events from 0 to 2^63 - 1")
    })
}

impl From<intake::Recorded> for Recorded {
    fn from(recorded: intake::Recorded) -> Self {
        let intake::Recorded { seq, time, leaf, replayed } = recorded;
        Recorded {
            seq,
            time: time.to_string(),
            hash: to_base64(&leaf),
            receipt: links::receipt(seq),
            replayed,
        }
    }
}

fn respond(mut items: Vec<Recorded>, mode: Mode) -> HttpResponse {
    let nothing_new = items.iter().all(|item| item.replayed);
    let mut response = if nothing_new { HttpResponse::Ok() } else { HttpResponse::Created() };
    if nothing_new && !items.is_empty() {
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
