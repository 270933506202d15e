//! Lists: a page of them as JSON, or all of them as CSV, whichever the client would rather have.
//!
//! CSV is answered part by part as it is read, each part a question of its own with its own deadline, and all of them as of
//! the moment of the first: how long a list is, costs no memory. A part that fails, a caller who may not read any more, or
//! an end of the server ends the *connection*, so that no client takes what came so far for the whole.

use super::answering::{APPLIED_SEQ, answer};
use super::ascii::ascii;
use super::moment::MomentView;
use super::table::Columns;
use crate::answers::deadline::Deadline;
use crate::answers::error::AnswerError;
use crate::answers::moment::Held;
use crate::answers::parameters::Parameters;
use crate::answers::{Answer, Inquiry};
use crate::spec::encoding::from_decimal;
use crate::web::auth::{Reader, bearer};
use crate::web::{Problem, ProblemType, Service, accept};
use actix_web::dev::Payload;
use actix_web::http::{Version, header};
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::{Map, Value};
use std::future::{Ready, ready};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Header of CSV: as of when it holds, as `as_of` says it in JSON.
const AS_OF: &str = "daybook-as-of";

/// Header of CSV: what else the answer says beside its items.
const ANSWER: &str = "daybook-answer";

/// Bytes of one thing in that header, at most.
const MAX_SAID_BYTES: usize = 1 << 10;

/// Rows that are read at a time.
///
/// Reason: as many as a page has at most; rows have some hundred bytes to some thousand.
const ROWS: usize = 500;

/// The same where each holds a whole event.
///
/// Reason: events have up to 64 KiB, so with the part that waits for the client about six MiB at most.
const EVENTS: usize = 50;

/// Parts that wait for the client.
const WAITING: usize = 1;

/// How long a client may leave a part unread.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a whole list may take.
///
/// Reason: some million rows, to a client that takes them. It holds a place that others may want.
const WHOLE: Duration = Duration::from_secs(900);

/// The bytes of a file's name, at most.
const MAX_NAME_BYTES: usize = 100;

/// In which form a list is to be answered, and what it takes to do so.
pub struct Listing {
    as_csv: bool,
    /// Looked at again with each part.
    token: String,
    /// Made of the address.
    name: String,
    /// Whether an end that comes too early can be told from one that does not.
    tells_ends: bool,
    rows: usize,
}

impl FromRequest for Listing {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let offered = ["application/json", "text/csv"];
        ready(Ok(Listing {
            as_csv: accept::media_type(request.headers(), &offered) == "text/csv",
            token: bearer(request).unwrap_or_default().to_owned(),
            name: file_name(request.path()),
            tells_ends: request.version() > Version::HTTP_10,
            rows: ROWS,
        }))
    }
}

/// A name for the file that an address comes to, of characters that every system knows.
fn file_name(path: &str) -> String {
    let plain = |character: char| if character.is_ascii_alphanumeric() { character } else { '-' };
    let path = path.strip_prefix("/v1/").unwrap_or(path);
    let mut name: String = path.chars().map(plain).take(MAX_NAME_BYTES).collect();
    name.insert_str(0, "daybook-");
    name
}

impl Listing {
    /// Whether it is CSV.
    pub fn is_csv(&self) -> bool {
        self.as_csv
    }

    /// The same of a list whose items may hold whole events.
    pub fn of_events(mut self) -> Listing {
        self.rows = EVENTS;
        self
    }
}

/// A part of a list.
pub struct Part {
    columns: Columns,
    items: Vec<Value>,
    next: Option<String>,
    /// What the answer says beside its items.
    beside: Map<String, Value>,
    as_of: Option<String>,
    held: Option<Held>,
    applied: Option<u64>,
}

impl Part {
    /// Of an answer as JSON shows it: an object with `items` and perhaps `next`.
    ///
    /// # Errors
    /// It cannot be shown.
    pub fn of(columns: Columns, shown: &impl Serialize) -> Result<Part, AnswerError> {
        let shown = serde_json::to_value(shown).map_err(|error| AnswerError::Fault(error.to_string()))?;
        let Value::Object(mut beside) = shown else {
            return Err(AnswerError::Fault("a list is shown as an object".to_owned()));
        };
        let items = match beside.remove("items") {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        };
        let next = beside.remove("next").and_then(|next| next.as_str().map(str::to_owned));
        beside.remove("as_of");
        Ok(Part { columns, items, next, beside, as_of: None, held: None, applied: None })
    }

    /// Held at a moment: the parts that come after it answer as of the same.
    pub fn held(mut self, held: Held, applied: u64) -> Part {
        self.held = Some(held);
        self.applied = Some(applied);
        self
    }
}

/// Puts a question for a list in a thread that may wait and read, and answers it in the form that is wanted.
///
/// # Errors
/// What the question comes to.
pub async fn list<A, T: Serialize + Send + 'static>(
    service: web::Data<Service>,
    reader: Reader,
    form: Listing,
    parameters: Parameters,
    columns: impl Fn(&Inquiry<'_>) -> Result<Columns, AnswerError> + Send + Sync + 'static,
    question: impl Fn(&Inquiry<'_>, &Parameters) -> Result<Answer<A>, AnswerError> + Send + Sync + 'static,
    show: impl Fn(A, MomentView) -> T + Send + Sync + 'static,
) -> Result<HttpResponse, Problem> {
    if !form.as_csv {
        let question = move |inquiry: &Inquiry<'_>| question(inquiry, &parameters);
        let mut response = answer(service, reader, question, show).await?;
        response.headers_mut().insert(header::VARY, header::HeaderValue::from_static("Accept"));
        return Ok(response);
    }
    let principal = reader.0.clone();
    let part = move |service: &Service, parameters: &Parameters, deadline: Deadline| {
        let inquiry = service.desk().inquiry(&principal, deadline)?;
        let Answer { body, as_of, applied } = question(&inquiry, parameters)?;
        let held = Held { entries: as_of.entries, at: as_of.at };
        let mut moment = MomentView::of(as_of);
        let part = Part::of(columns(&inquiry)?, &show(body, moment.clone()))?.held(held, applied);
        if part.next.is_some() {
            // A table goes on by itself.
            moment.partial = None;
        }
        let said = serde_json::to_string(&moment).map_err(|error| AnswerError::Fault(error.to_string()))?;
        Ok(Part { as_of: Some(said), ..part })
    };
    table(service, &reader.0.actor, form, parameters, part).await
}

/// All of a list as CSV.
///
/// # Errors
/// What its first part comes to, or there is no room for one more list.
pub async fn table(
    service: web::Data<Service>,
    actor: &str,
    form: Listing,
    parameters: Parameters,
    part: impl Fn(&Service, &Parameters, Deadline) -> Result<Part, AnswerError> + Send + Sync + 'static,
) -> Result<HttpResponse, Problem> {
    let left = rows_in_all(&parameters)?;
    let permit = service.streams.of(actor);
    let cursor = parameters.get("cursor").map(str::to_owned);
    let mut reading = Reading {
        service,
        actor: actor.to_owned(),
        form,
        parameters,
        part: Arc::new(part),
        left,
        cursor,
        held: None,
        columns: None,
    };
    let deadline = Deadline::default();
    let first = reading.next(deadline).await?;
    let mut response = HttpResponse::Ok();
    response
        .content_type("text/csv; charset=utf-8; header=present")
        .insert_header((header::VARY, "Accept"))
        .insert_header((header::CONTENT_DISPOSITION, disposition(&reading, &first)));
    first.said.into_iter().for_each(|said| {
        response.insert_header(said);
    });
    if reading.is_done() {
        return Ok(response.body(first.text));
    }
    let mut permit = permit;
    if !permit.grow_to(1) {
        let detail = "as many streams and long lists are being sent as there is room for; try again later, or ask for \
                      pages of JSON";
        return Err(Problem::new(ProblemType::Overloaded, detail));
    }
    if !reading.form.tells_ends {
        let detail = "a list of this length needs HTTP/1.1: over HTTP/1.0 its end cannot be told from a broken connection; \
                      a proxy in between may have to be told so, or ask for pages of JSON";
        return Err(Problem::new(ProblemType::BadParameter, detail));
    }
    let (send, receive) = mpsc::channel(WAITING);
    let mut ending = reading.service.ending.subscribe();
    actix_web::rt::spawn(async move {
        // Held until all is sent, or the client is gone.
        let _permit = permit;
        tokio::select! {
            () = reading.send(first.text, &send) => {}
            () = send.closed() => {}
            _ = ending.wait_for(|ending| *ending) => {}
        }
    });
    Ok(response.streaming(body(receive)))
}

/// `limit` of a table: so many rows in all.
fn rows_in_all(parameters: &Parameters) -> Result<Option<u64>, Problem> {
    let Some(text) = parameters.get("limit") else { return Ok(None) };
    let limit = from_decimal(text).filter(|limit| *limit > 0);
    limit.map(Some).ok_or_else(|| Problem::parameter("limit", "a number from 1 on: so many rows in all"))
}

fn disposition(reading: &Reading, first: &First) -> String {
    let entries = first.entries.map(|entries| format!("-{entries}")).unwrap_or_default();
    format!("attachment; filename=\"{}{entries}.csv\"", reading.form.name)
}

/// What is sent of a list.
enum Piece {
    Lines(String),
    /// All of it was sent.
    End,
}

/// The body of a list: it fails where the pieces end without the last one.
fn body(
    receive: mpsc::Receiver<Piece>,
) -> impl futures_util::Stream<Item = Result<web::Bytes, io::Error>> + 'static {
    futures_util::stream::unfold(Some(receive), |receive| async {
        let mut receive = receive?;
        match receive.recv().await {
            Some(Piece::Lines(text)) => Some((Ok(text.into()), Some(receive))),
            Some(Piece::End) => None,
            None => Some((Err(io::Error::other("the list ended before its end")), None)),
        }
    })
}

/// Reads one part.
type ReadPart = dyn Fn(&Service, &Parameters, Deadline) -> Result<Part, AnswerError> + Send + Sync;

/// A list that is being read.
struct Reading {
    service: web::Data<Service>,
    /// Who reads it.
    actor: String,
    form: Listing,
    parameters: Parameters,
    part: Arc<ReadPart>,
    /// Rows that may still come, if that is bounded.
    left: Option<u64>,
    /// Where to go on.
    cursor: Option<String>,
    /// From the first part on.
    held: Option<Held>,
    columns: Option<Columns>,
}

/// The lines of a part, and what is said of the list: of the first part.
struct First {
    text: String,
    said: Vec<(&'static str, String)>,
    entries: Option<u64>,
}

impl Reading {
    /// Whether there is nothing more to read, once the first part was.
    fn is_done(&self) -> bool {
        self.cursor.is_none() || self.left == Some(0)
    }

    /// Reads the next part.
    async fn next(&mut self, deadline: Deadline) -> Result<First, Problem> {
        let rows = self
            .left
            .map_or(self.form.rows, |left| usize::try_from(left).unwrap_or(usize::MAX).min(self.form.rows));
        let asked = self.parameters.part(rows, self.cursor.as_deref(), self.held);
        let (service, part, known) = (self.service.clone(), self.part.clone(), self.columns.clone());
        let left = self.left;
        let turn = self.service.turns.of(&self.actor, deadline).await?;
        let read = move || {
            let _turn = turn;
            let mut part = part(&service, &asked, deadline)?;
            if let Some(left) = left.and_then(|left| usize::try_from(left).ok()) {
                part.items.truncate(left);
            }
            let mut text = String::new();
            let is_first = known.is_none();
            let columns = known.unwrap_or_else(|| part.columns.clone());
            if is_first {
                columns.write_head(&mut text);
            }
            part.items.iter().for_each(|item| columns.write_item(&mut text, item));
            Ok::<_, AnswerError>((part, columns, text))
        };
        let read = web::block(read).await.map_err(|error| Problem::internal(&error))??;
        let (part, columns, text) = read;
        self.columns = Some(columns);
        self.held = self.held.or(part.held);
        self.left = self.left.map(|left| left.saturating_sub(part.items.len() as u64));
        self.cursor = part.next.clone();
        Ok(First { text, entries: part.held.map(|held| held.entries), said: said(&part) })
    }

    /// Sends all of it; stops without the last piece where not all of it can be had.
    async fn send(mut self, first: String, send: &mpsc::Sender<Piece>) {
        let ends = Instant::now() + WHOLE;
        let mut text = first;
        loop {
            // A part of which nothing fits is no piece: the client sees the next one.
            if !text.is_empty() && !deliver(send, Piece::Lines(text)).await {
                return;
            }
            if self.is_done() {
                deliver(send, Piece::End).await;
                return;
            }
            // A token that was revoked or has expired reads nothing any more, also here.
            if Instant::now() > ends || self.service.tokens.authenticate(&self.form.token).is_none() {
                return;
            }
            match self.next(Deadline::default()).await {
                Ok(part) => text = part.text,
                Err(problem) => {
                    tracing::warn!(list = self.form.name, why = %problem.detail, "a list ends before its end");
                    return;
                }
            }
        }
    }
}

async fn deliver(send: &mpsc::Sender<Piece>, piece: Piece) -> bool {
    matches!(tokio::time::timeout(PATIENCE, send.send(piece)).await, Ok(Ok(())))
}

/// The headers that say of a list what its JSON says beside the items.
fn said(part: &Part) -> Vec<(&'static str, String)> {
    let mut said = Vec::new();
    said.extend(part.applied.map(|applied| (APPLIED_SEQ, applied.to_string())));
    said.extend(part.as_of.as_ref().map(|as_of| (AS_OF, ascii(as_of))));
    let small = |(name, value): (&String, &Value)| {
        let text = value.to_string();
        (text.len() <= MAX_SAID_BYTES).then(|| format!("{}:{text}", Value::from(name.as_str())))
    };
    let beside: Vec<String> = part.beside.iter().filter_map(small).collect();
    if !beside.is_empty() {
        said.push((ANSWER, ascii(&format!("{{{}}}", beside.join(",")))));
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt as _;

    #[actix_web::test]
    async fn a_list_that_ends_without_its_last_piece_fails() {
        let (send, receive) = mpsc::channel(4);
        send.send(Piece::Lines("a\r\n".to_owned())).await.unwrap();
        send.send(Piece::End).await.unwrap();
        let whole: Vec<_> = body(receive).collect().await;
        assert_eq!(whole.len(), 1);
        assert_eq!(whole[0].as_ref().unwrap(), "a\r\n");
        let (send, receive) = mpsc::channel(4);
        send.send(Piece::Lines("a\r\n".to_owned())).await.unwrap();
        drop(send);
        let broken: Vec<_> = body(receive).collect().await;
        assert_eq!(broken.len(), 2);
        assert!(broken[0].is_ok() && broken[1].is_err());
    }

    #[test]
    fn a_file_is_called_by_its_address() {
        assert_eq!(file_name("/v1/access/role-ended"), "daybook-access-role-ended");
        assert_eq!(file_name("/v1/subjects/a%2F\"b/timeline"), "daybook-subjects-a-2F-b-timeline");
        assert!(file_name(&"/v1/x".repeat(100)).len() <= MAX_NAME_BYTES + 8);
    }
}
