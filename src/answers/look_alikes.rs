//! Names that look alike, as they were heard up to a moment: see [`crate::views::alike`].

use super::error::AnswerError;
use super::moment::{Moment, moment};
use super::parameters::Parameters;
use super::words::check;
use super::{Answer, Inquiry, Page, Unheard, cursor};
use crate::views::alike::{LOOK_ALIKES, PRINCIPAL, Pair, SOURCE, pairs_from, pairs_of};
use crate::views::engine::EngineError;
use std::collections::BTreeSet;

/// Pairs read at once.
const AT_ONCE: usize = 500;

/// Pairs looked at for one page.
///
/// Reason: some milliseconds; those that were heard later than asked for give a short page and where to go on.
const MAX_LOOKED_AT: usize = 5_000;

/// Pairs as of a moment: by kind, and in each in the order in which they were heard.
///
/// # Errors
/// A parameter is wrong, or the views do not answer.
pub fn list(inquiry: &Inquiry<'_>, parameters: &Parameters) -> Result<Answer<Page<Pair>>, AnswerError> {
    let (limit, kinds) = (parameters.limit()?, kinds(inquiry, parameters)?);
    let moment = moment(inquiry, &parameters.moment)?;
    let (as_of, at) = (&parameters.moment.as_of, &parameters.moment.at);
    let identity = format!("look-alikes {kinds:?} {as_of:?} {at:?}");
    let resume = parameters.get("cursor").map(|text| cursor::decode_name(&identity, text)).transpose()?;
    let kinds: Vec<Option<&str>> = match &kinds {
        Some(kinds) => kinds.iter().map(|kind| Some(kind.as_str())).collect(),
        None => vec![None],
    };
    let (mut items, mut looked_at, mut last, mut next) = (Vec::new(), 0, None, None);
    'kinds: for kind in kinds {
        let (begins, to) = pairs_of(kind);
        // The name that follows the one with which the page before ended.
        let mut from = resume.iter().map(|last| format!("{last}\0")).fold(begins, String::max);
        while from < to {
            inquiry.deadline().check()?;
            let chunk = moment.engine.tallies_between(LOOK_ALIKES, &from, &to, AT_ONCE)?;
            let whole = chunk.len() < AT_ONCE;
            for (key, pair) in chunk {
                if items.len() == limit || looked_at == MAX_LOOKED_AT {
                    next = last.map(|last: String| cursor::encode_name(&identity, &last));
                    break 'kinds;
                }
                looked_at += 1;
                from = format!("{key}\0");
                last = Some(key);
                items.extend(Some(read(pair)?).filter(|pair| pair.seq < moment.when.known));
            }
            if whole {
                break;
            }
        }
    }
    let body = Page { items, next, unheard: Unheard::new() };
    Ok(Answer { body, as_of: moment.as_of(), applied: moment.engine.applied() })
}

/// Pairs of names of some kinds as of a moment, those that were heard first of each kind, so many of each at most.
///
/// # Errors
/// The views do not answer.
pub(super) fn of_kinds(moment: &Moment, kinds: &[&str], most: usize) -> Result<Vec<Pair>, AnswerError> {
    let mut pairs = Vec::new();
    for kind in kinds {
        let (from, before) = (pairs_of(Some(kind)).0, pairs_from(kind, moment.when.known));
        for (_, pair) in moment.engine.tallies_between(LOOK_ALIKES, &from, &before, most)? {
            pairs.push(read(pair)?);
        }
    }
    Ok(pairs)
}

fn read(pair: serde_json::Value) -> Result<Pair, AnswerError> {
    serde_json::from_value(pair)
        .map_err(|_| AnswerError::Views(EngineError::Unreadable("two names that look alike")))
}

/// The kinds asked for, in their order; none where all are meant.
fn kinds(inquiry: &Inquiry<'_>, parameters: &Parameters) -> Result<Option<BTreeSet<String>>, AnswerError> {
    let Some(asked) = parameters.names("kind")? else { return Ok(None) };
    let asked: Vec<String> = asked.into_iter().map(str::to_owned).collect();
    let mut known = BTreeSet::from([PRINCIPAL.to_owned(), SOURCE.to_owned()]);
    for version in inquiry.desk().catalog.versions() {
        known.extend(version.catalog.types().map(|ty| ty.entity.family.clone()));
        known.extend(version.catalog.registers().map(|register| register.family.clone()));
    }
    check("kind", &asked, &known)?;
    Ok(Some(asked.into_iter().collect()))
}
