//! Why events were not recorded, as a client is told.

use crate::identity::Role;
use crate::intake::{Blocked, Fault, Kind, Later, MAX_BATCH_EVENTS, RecordError, Refusal, Taken};
use crate::log::append::AppendError;
use crate::web::problem::{Problem, ProblemItem, ProblemType};

/// Errors listed in one answer.
///
/// Reason: one for each event of the largest batch.
const MAX_ERRORS: usize = MAX_BATCH_EVENTS;

impl From<RecordError> for Problem {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::NeedsRole(role) => Problem::needs_role(role),
            RecordError::Refused(refusals) => refused(&refusals),
            RecordError::Ahead { refusals, ledger_time } => {
                Problem { ledger_time: Some(Box::new(ledger_time)), ..refused(&refusals) }
            }
            RecordError::VersionWithoutSubject => {
                let detail = "Daybook-Expected-Version counts the events of a subject; the event has none";
                Problem::new(ProblemType::Unprocessable, detail).at("/subject")
            }
            RecordError::VersionOfBatch => {
                let detail =
                    "Daybook-Expected-Version goes with single events; a batch may concern many subjects";
                Problem::new(ProblemType::BadParameter, detail)
            }
            RecordError::IdentityTaken { taken, in_batch } => identity_taken(&taken, in_batch),
            RecordError::WrongVersion { actual } => {
                let detail =
                    format!("the subject has {actual} events; read them, decide again, and say {actual}");
                let problem = Problem::new(ProblemType::VersionConflict, detail);
                Problem { actual: Some(actual), ..problem }
            }
            RecordError::Later(later) => later.into(),
            RecordError::Blocked(blocked) => blocked.into(),
            RecordError::Fault(Fault::Read(error)) => error.into(),
            RecordError::Fault(Fault::Internal(why)) => Problem::internal(&why),
        }
    }
}

/// Of events of the log's own, and of a look into the index of identities.
impl From<AppendError> for Problem {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::RotationInFlight => Problem::new(ProblemType::RotationConflict, error.to_string()),
            other => RecordError::from(other).into(),
        }
    }
}

impl From<Later> for Problem {
    fn from(later: Later) -> Self {
        match later {
            Later::Overloaded => {
                Problem::new(ProblemType::Overloaded, "nothing was recorded; send the same again in a moment")
            }
            Later::IndexBehind { applied, size } => Problem::new(
                ProblemType::Starting,
                format!(
                    "the index of identities has {applied} of {size} entries; reading works, send this again soon"
                ),
            ),
            Later::PublicationUntold => Problem::new(
                ProblemType::Starting,
                "the index has not caught up, and a publication that is sent again could not be told; send this again \
                 soon",
            ),
            Later::CatalogUnread(why) => Problem::new(
                ProblemType::Starting,
                format!("events cannot be held against the catalogue yet: {why}; send this again soon"),
            ),
            Later::IndexUnavailable(error) => {
                tracing::error!(%error, "the index of identities cannot be read");
                Problem::new(ProblemType::IndexUnavailable, "nothing was recorded; send the same again soon")
            }
            Later::NoRoom => Problem::new(
                ProblemType::NoRoom,
                "nothing was recorded; the server takes events again by itself when there is room",
            ),
        }
    }
}

impl From<Blocked> for Problem {
    fn from(blocked: Blocked) -> Self {
        match blocked {
            Blocked::ClockJumped { expected, wall } => Problem::new(
                ProblemType::ClockJumped,
                format!(
                    "the clock says {wall}, {expected} was expected; an administrator puts the clock right, or \
                     confirms it with POST /v1/clock/confirm"
                ),
            ),
            Blocked::ClockBehind { last, wall } => Problem::new(
                ProblemType::ClockBehind,
                format!(
                    "the clock says {wall}, and the last entry bears {last}; recording goes on by itself when the clock has \
                     caught up, or an administrator confirms it with POST /v1/clock/confirm"
                ),
            ),
            Blocked::ReadOnly => Problem::new(
                ProblemType::ReadOnly,
                "this is a copy of a ledger, or was started for reading only; post to the ledger itself",
            ),
            Blocked::Stopped => Problem::new(
                ProblemType::Stopped,
                "whether the event is recorded is known after the next start; send the same again then",
            ),
            Blocked::NoIndex => Problem::new(
                ProblemType::IndexUnavailable,
                "without an index the ledger cannot tell whether the event that is corrected is there",
            ),
        }
    }
}

impl Problem {
    /// Whoever asks has not this role.
    #[must_use]
    pub fn needs_role(role: Role) -> Self {
        let role = role.to_string();
        Self::new(ProblemType::Forbidden, format!("this needs a token with the role {role:?}"))
    }
}

/// What was refused, all of it.
fn refused(refusals: &[Refusal]) -> Problem {
    let Some(first) = refusals.first() else { return Problem::internal(&"refused for no reason") };
    let mut problem = Problem::new(problem_type(first.kind), first.detail.clone()).at(first.pointer.clone());
    if refusals.len() > 1 {
        let item = |refusal: &Refusal| ProblemItem {
            kind: problem_type(refusal.kind).uri(),
            pointer: refusal.pointer.clone(),
            detail: refusal.detail.clone(),
        };
        problem.errors = refusals.iter().take(MAX_ERRORS).map(item).collect();
        problem.detail = format!("{} (the first of {} errors)", first.detail, refusals.len()).into();
    }
    problem
}

/// Identities that are taken. Names members, and says nothing of what is recorded in them.
fn identity_taken(taken: &[Taken], in_batch: bool) -> Problem {
    let Some(first) = taken.first() else { return Problem::internal(&"taken by nothing") };
    let mut problem = Problem::new(ProblemType::IdentityConflict, detail_of(first));
    if !in_batch {
        problem.differs = first.differs.as_slice().into();
        return problem.at("/id");
    }
    let item = |taken: &Taken| ProblemItem {
        kind: ProblemType::IdentityConflict.uri(),
        pointer: format!("/{}/id", taken.place),
        detail: detail_of(taken),
    };
    problem.errors = taken.iter().take(MAX_ERRORS).map(item).collect();
    let differs = |taken: &Taken| {
        let place = taken.place;
        taken.differs.iter().map(move |pointer| format!("/{place}{pointer}")).collect::<Vec<_>>()
    };
    problem.differs = taken.iter().take(MAX_ERRORS).flat_map(differs).collect();
    problem
}

fn detail_of(taken: &Taken) -> String {
    let by = if taken.by_another { " by another actor" } else { "" };
    let how = match taken.differs.as_slice() {
        [] if taken.by_another => String::new(),
        [] => " with other content".to_owned(),
        members => format!(" with other content (here {} differ)", members.join(", ")),
    };
    format!(
        "an event with this source and id is recorded{by}{how}; a retry keeps everything, its time too; a new event needs \
         a new id"
    )
}

fn problem_type(kind: Kind) -> ProblemType {
    match kind {
        Kind::NotCanonical => ProblemType::NotCanonical,
        Kind::NotACloudEvent => ProblemType::NotACloudEvent,
        Kind::UnknownType => ProblemType::UnknownType,
        Kind::ReservedType => ProblemType::ReservedType,
        Kind::Schema => ProblemType::SchemaViolation,
        Kind::Source => ProblemType::SourceNotAllowed,
        Kind::Type => ProblemType::TypeNotAllowed,
        Kind::Role => ProblemType::Forbidden,
        Kind::Speech => ProblemType::NotSpokenFor,
        Kind::Correction => ProblemType::CorrectionRefused,
        Kind::Contradiction => ProblemType::Contradiction,
        Kind::Ahead => ProblemType::AheadOfTime,
        Kind::Personal => ProblemType::PersonalDataUnsupported,
        Kind::ProducerSignature => ProblemType::ProducerSignatureUnsupported,
        Kind::TooLarge => ProblemType::TooLarge,
        Kind::Target => ProblemType::UnknownTarget,
        Kind::Publication => ProblemType::PublicationRefused,
        Kind::NotAlone => ProblemType::Unprocessable,
    }
}
