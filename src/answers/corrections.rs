//! Corrections: what each of them does, and which have no effect.

use super::error::AnswerError;
use super::moment::{AskedMoment, moment};
use super::names::Listener;
use super::parameters::Parameters;
use super::walk::{MAX_WALKED, index_up_to, indexed, resumed, walk};
use super::{Answer, Inquiry, Page, Unheard, cursor};
use crate::index::Filter;
use crate::spec::time::Timestamp;
use crate::views::engine::{CORRECTION, Effect, Event};
use serde_json::Value;

/// The words by which corrections are asked for, as they stand.
pub const STANDINGS: [&str; 4] = ["in-force", "overtaken", "taken-back", "without-effect"];

/// A correction, and what it does.
#[derive(Clone, Debug, PartialEq)]
pub struct Correction {
    /// Its entry's number.
    pub seq: u64,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// When it was done.
    pub acted_at: Timestamp,
    /// CloudEvents `source`.
    pub source: String,
    /// CloudEvents `id`.
    pub id: String,
    /// Who acted.
    pub by: String,
    /// Who posted it.
    pub actor: String,
    /// The event that it names: an object with `source` and `id`.
    pub target: Value,
    /// The event that it names to take the target's place, if any.
    pub replacement: Option<Value>,
    /// Why, in the words of whoever corrected.
    pub reason: Option<String>,
    /// What it does.
    pub effect: Effect,
}

/// Corrections as of a moment, the newest first unless they are asked for in the order of the ledger.
///
/// # Errors
/// A parameter is wrong, or the views, the index or the log do not answer.
pub fn list(inquiry: &Inquiry<'_>, parameters: &Parameters) -> Result<Answer<Page<Correction>>, AnswerError> {
    let asked: &AskedMoment = &parameters.moment;
    let moment = moment(inquiry, asked)?;
    let standing = parameters.word("standing", &STANDINGS)?;
    let source = parameters.text("source");
    let (limit, known) = (parameters.limit()?, moment.when.known);
    let newest_first = parameters.newest_first(true)?;
    let identity =
        format!("corrections {newest_first} {standing:?} {source:?} {:?} {:?}", asked.as_of, asked.at);
    let resume = parameters.get("cursor").map(|text| cursor::decode(&identity, text)).transpose()?;
    let index = index_up_to(inquiry, known)?;
    let filter = Filter { ty: Some(CORRECTION), source: source.as_deref(), ..Filter::default() };
    let walked = walk(
        inquiry.deadline(),
        resumed((0, known), newest_first, resume, inquiry.store().size())?,
        newest_first,
        limit,
        MAX_WALKED,
        |range, limit| indexed(index, filter, range, newest_first, limit),
        |seq| {
            let event = inquiry.event(seq)?;
            // The index answers by hashes; the entry itself decides.
            if event.ty != CORRECTION || source.as_deref().is_some_and(|source| source != event.source) {
                return Ok(None);
            }
            let Some(effect) = moment.engine.effect_of(seq, known)? else { return Ok(None) };
            let fits = standing.is_none_or(|word| word == word_of(&effect));
            Ok(fits.then(|| shown(event, effect)))
        },
    )?;
    let next = walked.next.map(|seq| cursor::encode(&identity, seq));
    let mut unheard = Unheard::new();
    if let Some(source) = source.as_deref().filter(|_| walked.items.is_empty()) {
        unheard = Listener::new(inquiry, &moment).unheard("source", source, None)?;
    }
    let body = Page { items: walked.items, next, unheard };
    Ok(Answer { body, as_of: moment.as_of().cut(walked.partial), applied: moment.engine.applied() })
}

/// How a correction stands, in a word.
#[must_use]
pub fn word_of(effect: &Effect) -> &'static str {
    use crate::views::engine::CorrectionStanding as Standing;
    match effect.standing {
        Standing::InForce => "in-force",
        Standing::Overtaken { .. } => "overtaken",
        Standing::TakenBack { .. } => "taken-back",
        Standing::Without(_) => "without-effect",
    }
}

fn shown(event: Event, effect: Effect) -> Correction {
    Correction {
        seq: event.seq,
        recorded_at: event.recorded_at,
        acted_at: event.acted_at(),
        by: event.by().to_owned(),
        target: event.data.get("target").cloned().unwrap_or_default(),
        replacement: event.data.get("replacement").cloned(),
        reason: event.data.get("reason").and_then(Value::as_str).map(str::to_owned),
        source: event.source,
        id: event.id,
        actor: event.actor,
        effect,
    }
}
