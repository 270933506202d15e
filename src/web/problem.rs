//! Errors as RFC 9457 problems: a stable `type`, a pointer to the place, a next step.
//!
//! What a client sees is here; what the operator sees goes to the log. Neither holds secrets or personal data.

use crate::log::store::ReadError;
use crate::spec::time::Timestamp;
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde::Serialize;
use std::fmt;
use utoipa::ToSchema;

/// Media type of all errors (RFC 9457 §6.1).
pub const PROBLEM_JSON: &str = "application/problem+json";

/// One table: name, status, slug, title.
macro_rules! problem_types {
    ($($name:ident($status:literal, $slug:literal, $title:literal),)*) => {
        /// The kinds of problem that a client can meet. The slug is stable: clients may decide by it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ProblemType {
            $(#[doc = $title] $name,)*
        }

        impl ProblemType {
            /// All of them, for the description of the API.
            pub const ALL: &[ProblemType] = &[$(ProblemType::$name,)*];

            /// Status, slug and title.
            #[must_use]
            pub fn parts(self) -> (u16, &'static str, &'static str) {
                match self {
                    $(ProblemType::$name => ($status, $slug, $title),)*
                }
            }
        }
    };
}

problem_types! {
    Malformed(400, "malformed", "The request cannot be read"),
    NotCanonical(400, "not-canonical", "The JSON cannot be carried faithfully"),
    NotACloudEvent(400, "not-a-cloudevent", "Not a CloudEvent 1.0"),
    BadParameter(400, "bad-parameter", "A parameter or header is not of its form"),
    BadCursor(400, "bad-cursor", "The cursor does not belong to this query"),
    Unauthenticated(401, "unauthenticated", "No valid token"),
    Forbidden(403, "forbidden", "The token's roles do not allow this"),
    SourceNotAllowed(403, "source-not-allowed", "The token may not post for this source"),
    TypeNotAllowed(403, "type-not-allowed", "The token does not name this type"),
    NotSpokenFor(403, "not-spoken-for", "The token does not speak for whoever is said to have acted"),
    NotFound(404, "not-found", "Not there"),
    TakenAway(410, "taken-away", "Corrections took it away"),
    MethodNotAllowed(405, "method-not-allowed", "The resource does not know this method"),
    IdentityConflict(409, "identity-conflict", "The event is recorded with other content"),
    VersionConflict(409, "version-conflict", "The subject has another number of events"),
    RotationConflict(409, "rotation-conflict", "The key cannot come into force"),
    TooLarge(413, "too-large", "Too large"),
    UnsupportedMediaType(415, "unsupported-media-type", "Not a content type of CloudEvents"),
    UnsupportedCoding(415, "unsupported-content-encoding", "Not a content encoding that bodies are read in"),
    UnknownType(422, "unknown-type", "The event type is not in the catalogue"),
    ReservedType(422, "reserved-type", "The event type is the ledger's own"),
    SchemaViolation(422, "schema-violation", "The data is not what its type asks for"),
    PersonalDataUnsupported(422, "personal-data-unsupported", "This ledger cannot seal personal data"),
    ProducerSignatureUnsupported(422, "producer-signature-unsupported", "This ledger knows no producer keys"),
    UnknownTarget(422, "unknown-target", "The event that it speaks of is not in the ledger"),
    CorrectionRefused(422, "correction-refused", "The correction could have no effect"),
    Contradiction(422, "contradiction", "It contradicts itself"),
    AheadOfTime(422, "ahead-of-time", "A time lies ahead of ledger time"),
    PublicationRefused(422, "publication-refused", "The catalogue cannot take this publication"),
    Unprocessable(422, "unprocessable", "Understood, but not possible"),
    RateLimited(429, "rate-limited", "Too many requests with this token"),
    Overloaded(503, "overloaded", "More is waiting than can be held"),
    Starting(503, "starting", "The index is catching up with the log"),
    ClockJumped(503, "clock-jumped", "The server's clock jumped forward"),
    ClockBehind(503, "clock-behind", "The server's clock was set back"),
    ReadOnly(503, "read-only", "The ledger is open for reading only"),
    Stopped(503, "stopped", "The ledger stopped because of its disk"),
    ViewBuilding(503, "view-building", "The view is being built from the log"),
    ViewsUnavailable(503, "views-unavailable", "The views cannot answer"),
    IndexUnavailable(503, "index-unavailable", "The index cannot answer"),
    TookTooLong(503, "took-too-long", "The answer takes longer than it may"),
    NoRoom(507, "no-room", "No room on the server's disk"),
    DamagedEntry(500, "damaged-entry", "An entry is damaged on the server's disk"),
    DamagedTile(500, "damaged-tile", "A tile is damaged on the server's disk"),
    Internal(500, "internal", "A fault of the server"),
}

impl ProblemType {
    /// The `type` of the problem.
    #[must_use]
    pub fn uri(self) -> String {
        format!("urn:daybook:problem:{}", self.parts().1)
    }

    /// Seconds after which the same request may succeed.
    #[must_use]
    pub fn retry_after_s(self) -> Option<u32> {
        match self {
            ProblemType::Overloaded | ProblemType::RateLimited => Some(1),
            ProblemType::TookTooLong
            | ProblemType::Starting
            | ProblemType::ViewBuilding
            | ProblemType::ViewsUnavailable => Some(2),
            ProblemType::IndexUnavailable | ProblemType::NoRoom => Some(10),
            ProblemType::ClockJumped
            | ProblemType::ClockBehind
            | ProblemType::ReadOnly
            | ProblemType::Stopped => Some(60),
            _ => None,
        }
    }
}

/// One thing that is wrong, in a request that may have several.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProblemItem {
    /// Stable type of this one.
    #[serde(rename = "type")]
    #[schema(example = "urn:daybook:problem:schema-violation")]
    pub kind: String,
    /// JSON Pointer (RFC 6901) into the request's body.
    #[schema(example = "/data/rationale")]
    pub pointer: String,
    /// What is wrong and what to do.
    pub detail: String,
}

/// An error (RFC 9457).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Stable; clients may decide by it.
    #[serde(rename = "type", serialize_with = "as_uri")]
    #[schema(value_type = String, example = "urn:daybook:problem:schema-violation")]
    pub kind: ProblemType,
    #[schema(example = "The data is not what its type asks for")]
    pub title: &'static str,
    #[schema(example = 422)]
    pub status: u16,
    /// What is wrong and what to do.
    #[schema(example = "\"rationale\" is required")]
    pub detail: Box<str>,
    /// JSON Pointer (RFC 6901) into the request's body, where one place is at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/data")]
    pub pointer: Option<Box<str>>,
    /// All that is wrong, where it is more than one thing.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub errors: Box<[ProblemItem]>,
    /// For `identity-conflict`: JSON Pointers, into the request's body, to the members that are not as they are recorded;
    /// of each event the first 16.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(example = json!(["/time"]))]
    pub differs: Box<[String]>,
    /// For `version-conflict`: how many events the subject has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actual: Option<u64>,
    /// For `ahead-of-time`: what time it is in the ledger.
    // Boxed, because each answer that may be a problem has the room of one.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_time")]
    #[schema(value_type = Option<String>, example = "2026-11-24T09:30:00.000000Z")]
    pub ledger_time: Option<Box<Timestamp>>,
}

fn as_time<S: serde::Serializer>(time: &Option<Box<Timestamp>>, serializer: S) -> Result<S::Ok, S::Error> {
    time.as_ref().map(|time| time.to_string()).serialize(serializer)
}

fn as_uri<S: serde::Serializer>(kind: &ProblemType, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&kind.uri())
}

impl Problem {
    /// A problem of a type.
    pub fn new(kind: ProblemType, detail: impl Into<String>) -> Self {
        let (status, _, title) = kind.parts();
        Self {
            kind,
            title,
            status,
            detail: detail.into().into(),
            pointer: None,
            errors: Box::default(),
            differs: Box::default(),
            actual: None,
            ledger_time: None,
        }
    }

    /// The same, with its place.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<Box<str>>) -> Self {
        self.pointer = Some(pointer.into());
        self
    }

    /// A parameter that is not of its form.
    pub fn parameter(name: &str, expected: &str) -> Self {
        Self::new(ProblemType::BadParameter, format!("{name:?} must be {expected}"))
    }

    /// An error that is nobody's business but the operator's.
    pub fn internal(error: &dyn fmt::Display) -> Self {
        tracing::error!(%error, "a request failed");
        Self::new(
            ProblemType::Internal,
            "the server's log says more; try again, and tell the operator if it stays",
        )
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::NotThere { size } => {
                Self::new(ProblemType::NotFound, format!("the log has {size} entries, numbered from 0"))
            }
            ReadError::Damaged { seq } => {
                tracing::error!(seq, "an entry is damaged on the disk; run `daybook check`");
                let detail =
                    format!("entry {seq} is not what was committed and is not served; tell the operator");
                Self::new(ProblemType::DamagedEntry, detail)
            }
            ReadError::DamagedTile { .. } => {
                tracing::error!("{error}");
                Self::new(ProblemType::DamagedTile, format!("{error}; it is not served, tell the operator"))
            }
            ReadError::Io(error) => Self::internal(&error),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.title, self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponseBuilder::new(self.status_code());
        response.content_type(PROBLEM_JSON);
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        if self.status == 401 {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"daybook\""));
        }
        if self.kind == ProblemType::UnsupportedCoding {
            // RFC 9110 §15.5.16: what would have been read.
            response.insert_header((header::ACCEPT_ENCODING, "gzip, identity"));
        }
        if let Some(seconds) = self.kind.retry_after_s() {
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        response.body(serde_json::to_string(self).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_told_apart() {
        let mut slugs: Vec<_> = ProblemType::ALL.iter().map(|kind| kind.parts().1).collect();
        slugs.sort_unstable();
        slugs.dedup();
        assert_eq!(slugs.len(), ProblemType::ALL.len());
    }
}
