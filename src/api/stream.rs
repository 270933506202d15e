//! `GET /v1/events/stream`: server-sent events, resumed by `Last-Event-ID`.
//!
//! A subscriber reads from the log at its own pace, so nothing is buffered for it but a few entries. One that does
//! not read for a while is dropped; it connects again with the last ID it saw and misses nothing.

use crate::answers::entries::{self, EntryFilter, place};
use crate::answers::words::check_types;
use crate::api::event_view::entry_json;
use crate::api::problems::OfStreams;
use crate::log::store::ReadError;
use crate::web::auth::{Reader, bearer};
use crate::web::parameters::Query;
use crate::web::{Problem, ProblemType, Service};
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, get, web};
use std::fmt::Write as _;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use utoipa::IntoParams;

/// Subscribers at once.
///
/// Reason: each holds a task and a few entries.
pub const MAX_STREAMS: usize = 256;

/// Entries read from the log at a time.
const CHUNK: u64 = 64;

/// Bytes after which a message is closed.
///
/// Reason: with the messages that wait, a slow subscriber holds about a MiB, and all of them a quarter of a GiB.
const MESSAGE_BYTES: usize = 256 << 10;

/// Messages that wait for a subscriber.
const WAITING: usize = 2;

/// How long a subscriber may leave its messages unread.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a quiet stream shows that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Which entries, and from where.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "declares parameters")]
pub struct StreamQuery {
    /// CloudEvents type, exact.
    pub r#type: Option<String>,
    /// CloudEvents source, exact.
    pub source: Option<String>,
    /// CloudEvents subject, exact.
    pub subject: Option<String>,
    /// Who posted it.
    pub actor: Option<String>,
    /// Where to begin, unless `Last-Event-ID` says: a number, an RFC 3339 time or a date. Default: with what comes next.
    pub from: Option<String>,
}

/// Entries as they are recorded.
#[utoipa::path(tag = "applications", params(StreamQuery, ("Last-Event-ID" = Option<u64>, Header, description = "Go on after this entry")), responses(
    (status = 200, description = "Server-sent events: `id` is the entry's number, `data` the entry as `GET /v1/events/{seq}` answers it", body = String, content_type = "text/event-stream",
     example = "id: 428\ndata: {\"actor\":\"app:credit-line\",\"event\":{\"id\":\"1\",\"source\":\"/credit-line\",\"specversion\":\"1.0\",\"type\":\"decision.made\"},\"hash\":\"B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=\",\"receipt\":\"/v1/events/428/receipt\",\"seq\":428,\"time\":\"2026-11-24T09:30:00.000000Z\"}\n\n"),
    OfStreams,
))]
#[get("/events/stream")]
pub async fn stream_events(
    service: web::Data<Service>,
    reader: Reader,
    request: HttpRequest,
    query: Query<StreamQuery>,
) -> Result<HttpResponse, Problem> {
    if let Some(ty) = query.get("type").filter(|_| !service.settings.open_types) {
        let (desk, ty) = (service.clone(), ty.to_owned());
        let checked = web::block(move || check_types(desk.desk(), "type", &[&ty]));
        checked.await.map_err(|error| Problem::internal(&error))??;
    }
    let mut permit = service.streams.of(&reader.0.actor);
    if !permit.grow_to(1) {
        let detail = if service.streams.held() >= MAX_STREAMS {
            format!("{MAX_STREAMS} subscribers are connected; try again later")
        } else {
            let most = service.streams.most_of_one();
            format!(
                "this caller has {most} streams open, as many as one may have; close one, or follow with one for all"
            )
        };
        return Err(Problem::new(ProblemType::Overloaded, detail));
    }
    let store = service.log.store();
    let size = store.size();
    let next = match request.headers().get("last-event-id") {
        Some(id) => {
            let seq = id.to_str().ok().and_then(crate::spec::encoding::from_decimal);
            seq.and_then(|seq| seq.checked_add(1))
                .ok_or_else(|| Problem::parameter("Last-Event-ID", "an entry's number"))?
        }
        None => match query.get("from") {
            Some(from) => place(store, "from", from)?,
            None => size,
        },
    };
    if next > size {
        // Whoever waits for it would miss what takes those numbers now: it followed another ledger, or one that was put
        // back.
        let detail = format!(
            "the log has {size} entries, and what comes next is {size}: {next} belongs to another history; read from the \
             beginning, or from a time"
        );
        return Err(Problem::new(ProblemType::NotFound, detail));
    }
    let wanted = EntryFilter::of(&query);
    let (send, receive) = mpsc::channel(WAITING);
    let follower = service.clone();
    let token = bearer(&request).unwrap_or_default().to_owned();
    let mut ending = service.ending.subscribe();
    actix_web::rt::spawn(async move {
        // Held until the subscriber is gone.
        let _permit = permit;
        tokio::select! {
            () = follow(&follower, &token, &wanted, next, &send) => {}
            // The subscriber sees the end, and goes on where it was once the ledger is there again.
            _ = ending.wait_for(|ending| *ending) => {}
        }
    });
    let body = futures_util::stream::unfold(receive, |mut receive| async {
        receive.recv().await.map(|chunk| (Ok::<_, actix_web::Error>(chunk), receive))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header(("x-accel-buffering", "no"))
        // A subscriber that was dropped must see the end, not an idle connection.
        .force_close()
        .streaming(body))
}

/// Sends entries from `next` on until the subscriber is gone, too slow, or no longer allowed, or the log cannot be read.
async fn follow(
    service: &web::Data<Service>,
    token: &str,
    wanted: &EntryFilter,
    mut next: u64,
    send: &mpsc::Sender<web::Bytes>,
) {
    let mut size = service.log.store().watch();
    let mut spoke = Instant::now();
    loop {
        // A token that was revoked or has expired opens nothing any more, also here.
        if send.is_closed() || service.tokens.authenticate(token).is_none() {
            return;
        }
        if spoke.elapsed() >= HEARTBEAT {
            if !deliver(send, ": alive\n\n".into()).await {
                return;
            }
            spoke = Instant::now();
        }
        let committed = *size.borrow_and_update();
        if next < committed {
            let to = committed.min(next + CHUNK);
            let (reading, asked) = (service.clone(), wanted.clone());
            let (message, read_to) = match web::block(move || message(&reading, &asked, (next, to))).await {
                Ok(Ok(read)) => read,
                Ok(Err(error)) => {
                    tracing::error!(%error, "a stream ends: the log cannot be read");
                    return;
                }
                Err(_) => return,
            };
            next = read_to;
            if !message.is_empty() {
                if !deliver(send, message).await {
                    return;
                }
                spoke = Instant::now();
            }
            continue;
        }
        tokio::select! {
            changed = size.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(HEARTBEAT.saturating_sub(spoke.elapsed())) => {}
            () = send.closed() => return,
        }
    }
}

async fn deliver(send: &mpsc::Sender<web::Bytes>, message: String) -> bool {
    matches!(tokio::time::timeout(PATIENCE, send.send(message.into())).await, Ok(Ok(())))
}

/// The entries that are wanted, as many as a message holds, and where to go on.
fn message(
    service: &Service,
    wanted: &EntryFilter,
    (from, to): (u64, u64),
) -> Result<(String, u64), ReadError> {
    let mut message = String::new();
    let next = entries::follow(service.desk(), wanted, (from, to), |entry, bytes| {
        let _ = write!(message, "id: {}\ndata: {}\n\n", entry.seq, entry_json(entry, bytes));
        message.len() < MESSAGE_BYTES
    })?;
    Ok((message, next))
}
