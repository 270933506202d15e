//! Who may record what: the ledger's own rights, held against what an event says. What somebody is in the organisation is
//! nothing that intake asks: views judge that.

use crate::catalog::EventType;
use crate::identity::{Principal, Role};
use crate::intake::error::RecordError;
use crate::intake::refusal::{Kind, Refusal};
use crate::spec::entry::{LEDGER_ACTOR, is_actor};
use crate::spec::json::Json;

/// The member of `data` that says who acted.
const BY: &str = "/data/by";

/// The type of event that corrects another one.
pub(super) const CORRECTED: &str = "event.corrected";

/// The type by which a source, or whoever may speak for it, says what it has posted.
const RECONCILED: &str = "source.reconciled";

/// Refuses whoever may record nothing at all, before anything of theirs is read.
///
/// # Errors
/// The role that is missing.
pub fn may_record(principal: &Principal) -> Result<(), RecordError> {
    if principal.posts() { Ok(()) } else { Err(RecordError::NeedsRole(Role::Producer)) }
}

/// Refuses whoever has not this role.
///
/// # Errors
/// The role.
pub(super) fn must_be(principal: &Principal, role: Role) -> Result<(), RecordError> {
    if principal.has(role) { Ok(()) } else { Err(RecordError::NeedsRole(role)) }
}

/// What of an event its token may not say: each refusal names the member, the token's actor, and the command that makes a
/// token that may. `known` is the event's type, if the catalogue has it: what it does not know is no fact.
pub(super) fn check(
    event: &Json<'_>,
    event_type: &str,
    source: &str,
    known: Option<&EventType>,
    principal: &Principal,
) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    if !principal.may_post_for(source) {
        let detail = format!(
            "this token of {} may not post for this source; use its own source, or a token made for it with --source",
            principal.actor
        );
        refusals.push(Refusal::new(Kind::Source, "/source", detail));
    }
    let is_fact = known.is_some_and(EventType::is_fact);
    if !principal.may_post_type(event_type, is_fact) {
        refusals.push(type_refused(event_type, known, principal));
    }
    let data = event.get("data");
    match data.and_then(|data| data.get("by")).and_then(Json::as_str) {
        Some(LEDGER_ACTOR) => {
            let detail = "`ledger` is the ledger itself, and nobody says that it acted; name who did";
            refusals.push(Refusal::new(Kind::Speech, BY, detail));
        }
        Some(by) if !principal.speaks_for(by, is_fact) => {
            refusals.push(speech_refused(by, event_type, known, principal));
        }
        _ => {}
    }
    refusals.extend(reaches(event_type, data, principal));
    refusals
}

/// What an event would do to events of sources that its token may not post for. Seen by the names alone: whether there is
/// such an event makes no difference.
fn reaches(event_type: &str, data: Option<&Json<'_>>, principal: &Principal) -> Vec<Refusal> {
    let (role, named): (Role, &[(&str, &[&str])]) = match event_type {
        RECONCILED => (Role::Reconciler, &[("/data/source", &["source"])]),
        CORRECTED => (
            Role::Corrector,
            &[("/data/target", &["target", "source"]), ("/data/replacement", &["replacement", "source"])],
        ),
        _ => return Vec::new(),
    };
    if principal.has(role) {
        return Vec::new();
    }
    let source = |path: &[&str]| path.iter().try_fold(data?, |value, name| value.get(name))?.as_str();
    let is_foreign = |path: &[&str]| source(path).is_some_and(|source| !principal.may_post_for(source));
    let foreign_ones = named.iter().filter(|(_, path)| is_foreign(path));
    foreign_ones.map(|(pointer, _)| foreign(pointer, principal, role)).collect()
}

/// An event would reach what another source has said. In the same words whether that is there or not.
pub(super) fn foreign(pointer: &str, principal: &Principal, role: Role) -> Refusal {
    let detail = format!(
        "this token of {} may not post for that source, and so says nothing of its events either; `daybook token create \
         --data DIR --actor {} --role {role} --speaks-for PRINCIPAL` makes one that may for all sources",
        principal.actor, principal.actor
    );
    Refusal::new(Kind::Source, pointer, detail)
}

fn type_refused(event_type: &str, known: Option<&EventType>, principal: &Principal) -> Refusal {
    let actor = &principal.actor;
    let alone =
        Principal::role_alone_for(event_type).or((!principal.has(Role::Producer)).then_some(Role::Producer));
    let kind = if alone.is_some() { Kind::Role } else { Kind::Type };
    let detail = match alone {
        Some(role) => format!(
            "this is for tokens with the role {role}, which this one of {actor} has not; {}",
            command(principal, &format!("--role {role}"))
        ),
        None => {
            let named = known.map_or("TYPE", |known| known.name.as_str());
            let why = match known {
                Some(known) if !known.is_fact() => "this type is an act of governance, and this token",
                _ => "this token",
            };
            let makes = command(principal, &format!("--role producer --types {named}"));
            format!("{why} of {actor} does not name it; {makes}")
        }
    };
    Refusal::new(kind, "/type", detail)
}

fn speech_refused(by: &str, event_type: &str, known: Option<&EventType>, principal: &Principal) -> Refusal {
    // What is no principal may be anything, and is not repeated.
    let is_opaque = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':');
    let by = if is_actor(by) && by.chars().all(is_opaque) { by } else { "PRINCIPAL" };
    let role = Principal::role_alone_for(event_type).unwrap_or(Role::Producer);
    let named = known.map_or("TYPE", |known| known.name.as_str());
    let detail = format!(
        "this token of {} does not speak for whom this says has acted; {}",
        principal.actor,
        command(principal, &format!("--role {role} --types {named} --speaks-for {by}"))
    );
    Refusal::new(Kind::Speech, BY, detail)
}

fn command(principal: &Principal, more: &str) -> String {
    let actor = &principal.actor;
    format!("`daybook token create --data DIR --actor {actor} {more}` makes one that may")
}
