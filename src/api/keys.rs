//! The ledger's keys: their history, with the receipts that let anyone walk from the first to the last, and rotation.

use crate::answers::proofs;
use crate::api::clock::{Done, done};
use crate::api::problems::{OfRoles, OfRotations};
use crate::identity::Role;
use crate::log::RotateError;
use crate::log::keys::KeyFileError;
use crate::log::own_events::Rotation;
use crate::spec::encoding::hash_from_base64;
use crate::spec::note::Signer as _;
use crate::spec::receipt::Receipt;
use crate::spec::time::Rfc3339;
use crate::web::auth::{Caller, LogReader};
use crate::web::parameters::{Nothing, Query};
use crate::web::{Problem, ProblemType, Service};
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// An entry with its receipt.
#[derive(Serialize, ToSchema)]
pub struct KeyReceipt {
    #[schema(example = 0)]
    pub seq: u64,
    /// C2SP tlog-proof text with the whole entry in its `extra` line.
    pub receipt: String,
}

/// A key and when it counts.
#[derive(Serialize, ToSchema)]
pub struct KeyView {
    /// `name+<key ID>+<base64>`.
    #[schema(
        example = "northgate.example/ai-governance+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    )]
    pub vkey: String,
    /// The first entry that this key alone signs.
    #[schema(example = 0)]
    pub from: u64,
    /// The entry that brought it into force; null for the first key.
    pub rotation: Option<KeyReceipt>,
    /// The entry that committed to this key beforehand, where one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commitment: Option<KeyReceipt>,
}

/// The history of keys, oldest first.
#[derive(Serialize, ToSchema)]
pub struct KeyHistory {
    pub keys: Vec<KeyView>,
    /// Entry 0, which names the first key.
    pub created: KeyReceipt,
}

/// The history of the ledger's keys.
///
/// Whoever knows the first key can walk to the last: each rotation's entry is signed by the key before it (or is
/// committed to by an earlier entry).
#[utoipa::path(tag = "regulators", responses(
    (status = 200, description = "All keys", body = KeyHistory),
    OfRoles,
))]
#[get("/keys")]
pub async fn list_keys(
    service: web::Data<Service>,
    _reader: LogReader,
    _query: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let keys = web::block(move || proofs::keys(service.desk()));
    let keys = keys.await.map_err(|error| Problem::internal(&error))??;
    Ok(HttpResponse::Ok().json(KeyHistory::of(keys)))
}

impl KeyReceipt {
    fn of(receipt: &Receipt) -> KeyReceipt {
        KeyReceipt { seq: receipt.seq, receipt: receipt.to_text() }
    }
}

impl KeyHistory {
    fn of(keys: proofs::Keys) -> KeyHistory {
        let view = |key: &proofs::Key| KeyView {
            vkey: key.key.to_string(),
            from: key.from,
            rotation: key.rotation.as_ref().map(KeyReceipt::of),
            commitment: key.commitment.as_ref().map(KeyReceipt::of),
        };
        KeyHistory { keys: keys.keys.iter().map(view).collect(), created: KeyReceipt::of(&keys.created) }
    }
}

/// Bytes of a request for a rotation.
///
/// Reason: four short members.
const MAX_REQUEST_BYTES: usize = 4 << 10;

/// What the new key shall be.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateRequest {
    /// Key ID (8 hex digits) of a key file that is in the ledger's key folder. None: a new key is made there.
    #[schema(example = "c74f20a3", pattern = "^[0-9a-f]{8}$")]
    pub key_id: Option<String>,
    /// Commitment to the key after it: base64 of SHA-256 of its vkey, as `daybook keygen` prints it.
    #[schema(pattern = "^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$")]
    pub next: Option<String>,
    /// Until when (RFC 3339) checkpoints are signed by the old key too.
    #[schema(example = "2026-12-24T00:00:00Z", format = DateTime)]
    pub overlap_until: Option<String>,
    /// The old key is lost: the new one signs alone. Possible only for the key that was committed to.
    #[serde(default)]
    pub old_key_lost: bool,
}

/// The key in force from now on.
#[derive(Serialize, ToSchema)]
pub struct RotateAnswer {
    pub vkey: String,
    #[serde(flatten)]
    pub recorded: Done,
}

/// Bring a new signing key into force.
#[utoipa::path(tag = "administrators", request_body = Option<RotateRequest>, responses(
    (status = 201, description = "In force; the rotation is itself an entry", body = RotateAnswer),
    OfRotations,
))]
#[post("/keys/rotate")]
pub async fn rotate_key(
    service: web::Data<Service>,
    caller: Caller,
    request: HttpRequest,
    payload: web::Payload,
    _query: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    caller.must_be(Role::Admin)?;
    let budget = (&service.budget, caller.0.actor.as_str());
    let body = crate::web::body::read(payload, request.headers(), MAX_REQUEST_BYTES, budget).await?;
    let asked: RotateRequest = if body.bytes.is_empty() {
        RotateRequest::default()
    } else {
        serde_json::from_slice(&body.bytes)
            .map_err(|error| Problem::new(ProblemType::Malformed, format!("the body: {error}")))?
    };
    let next = asked.next.as_deref().map(|next| {
        hash_from_base64(next)
            .ok_or_else(|| Problem::parameter("next", "base64 of 32 bytes, as `daybook keygen` prints it"))
    });
    let overlap_until = asked.overlap_until.as_deref().map(|until| {
        let time = Rfc3339::read(until).filter(|time| time.is_plain()).and_then(Rfc3339::exact);
        time.ok_or_else(|| Problem::parameter("overlap_until", "an RFC 3339 time"))
    });
    let (next, overlap_until) = (next.transpose()?, overlap_until.transpose()?);
    let making = service.clone();
    let key = web::block(move || match &asked.key_id {
        Some(id) => making.keys.by_id(id),
        None => making.keys.generate(),
    });
    let key = key.await.map_err(|error| Problem::internal(&error))?.map_err(|error| no_key(&error))?;
    let vkey = key.verifier().to_string();
    let rotation = Rotation {
        by: caller.0.actor.clone(),
        signer: Arc::new(key),
        next,
        overlap_until,
        old_key_lost: asked.old_key_lost,
    };
    let answer = service.log.rotate(rotation).map_err(|error| match error {
        RotateError::Append(error) => Problem::from(error),
        other => Problem::new(ProblemType::RotationConflict, other.to_string()),
    })?;
    Ok(HttpResponse::Created().json(RotateAnswer { vkey, recorded: done(answer).await? }))
}

/// Why there is no key to rotate to: what the request asks for cannot be, or the disk fails.
fn no_key(error: &KeyFileError) -> Problem {
    use std::io::ErrorKind::{NotFound, QuotaExceeded, StorageFull};
    match error {
        KeyFileError::Io { error: io, .. } if io.kind() == NotFound => {
            Problem::new(ProblemType::RotationConflict, "the key file is not in the ledger's key folder")
        }
        KeyFileError::Io { error: io, .. } if matches!(io.kind(), StorageFull | QuotaExceeded) => {
            tracing::error!(%error, "no room for the key of a rotation");
            Problem::new(ProblemType::NoRoom, "nothing was recorded; the new key's file finds no room")
        }
        KeyFileError::Io { .. } | KeyFileError::Randomness(_) => Problem::internal(error),
        other => Problem::new(ProblemType::RotationConflict, other_text(other)),
    }
}

/// What a client may know of a key file: not where it is.
fn other_text(error: &KeyFileError) -> &'static str {
    match error {
        KeyFileError::PassphraseNeeded(_) => "the key file is encrypted and the server has no passphrase",
        KeyFileError::Unreadable(_) => "the key file cannot be opened with the server's passphrase",
        KeyFileError::WrongKey(_) => "the key file holds another key than its name says",
        _ => "the key file does not hold a usable Ed25519 key",
    }
}
