//! Late entries: those that were recorded later after they were done than their type allows, or than was agreed with their
//! source (see [`crate::views::late`]).
//!
//! The views' lists say where to look; whether an entry is late is looked at here, as known at the moment: one that was
//! annulled is not, one that stands in another one's place was recorded when that one was, and agreements that were corrected
//! count as they stand.

use super::error::AnswerError;
use super::moment::{Moment, moment};
use super::names::Listener;
use super::parameters::Parameters;
use super::walk::{MAX_WALKED, Walked, resumed, walk};
use super::words::check_types;
use super::{Answer, Inquiry, Page, Unheard, cursor, entries::place};
use crate::catalog::{Catalog, Span};
use crate::spec::time::Timestamp;
use crate::views::engine::{Counts, Event, Import};
use crate::views::late::{
    AGREED_WITH, AGREEMENTS, ANY, Agreement, LATE, LATE_ENTRIES, OF_SOURCE, OF_TYPE, SPARED, due_by,
};
use std::collections::HashMap;
use std::sync::Arc;

/// Agreements that are looked at, with one source, and of all of them to see which were corrected.
///
/// Reason: two look-ups each, so some milliseconds. A source has a handful.
const MAX_AGREEMENTS: usize = 1_000;

/// An entry that was recorded late.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateEntry {
    /// Its number.
    pub seq: u64,
    /// CloudEvents `type`.
    pub event_type: String,
    /// CloudEvents `source`.
    pub source: String,
    /// CloudEvents `id`.
    pub id: String,
    /// Who acted.
    pub by: String,
    /// Who posted it.
    pub actor: String,
    /// When it was done.
    pub acted_at: Timestamp,
    /// When it was recorded; where it stands in another one's place, when that one was.
    pub recorded_at: Timestamp,
    /// How long after it was done it may have been recorded.
    pub allowed: Span,
    /// By when that was.
    pub due_by: Timestamp,
    /// The agreement that says so, where it is not what is usual for the type.
    pub agreed_by: Option<u64>,
    /// The entry in whose place it stands.
    pub in_place_of: Option<u64>,
}

/// Which late entries.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Of this source.
    pub source: Option<String>,
    /// Of one of these types; of all, where there are none.
    pub types: Vec<String>,
}

/// Late entries as of a moment, the newest first unless they are asked for in the order of the ledger.
///
/// # Errors
/// A parameter is wrong, or the views or the log do not answer.
pub fn list(inquiry: &Inquiry<'_>, parameters: &Parameters) -> Result<Answer<Page<LateEntry>>, AnswerError> {
    let moment = moment(inquiry, &parameters.moment)?;
    let types = parameters.names("type")?.unwrap_or_default();
    check_types(inquiry.desk(), "type", &types)?;
    let types = types.into_iter().map(str::to_owned).collect();
    let wanted = Wanted { source: parameters.text("source"), types };
    let (limit, newest_first) = (parameters.limit()?, parameters.newest_first(true)?);
    let store = inquiry.store();
    let from = parameters.get("from").map_or(Ok(0), |from| place(store, "from", from))?;
    let to = parameters.get("to").map_or(Ok(u64::MAX), |to| place(store, "to", to))?;
    let asked = ["from", "to"].map(|name| parameters.get(name));
    let (as_of, at) = (&parameters.moment.as_of, &parameters.moment.at);
    let identity = format!("late {newest_first} {wanted:?} {asked:?} {as_of:?} {at:?}");
    let resume = parameters.get("cursor").map(|text| cursor::decode(&identity, text)).transpose()?;
    let range = resumed((from, to.min(moment.when.known)), newest_first, resume, store.size())?;
    let walked = Late::new(inquiry, &moment)?.walk(&wanted, range, newest_first, limit, MAX_WALKED)?;
    let next = walked.next.map(|seq| cursor::encode(&identity, seq));
    let mut unheard = Unheard::new();
    if let Some(source) = wanted.source.as_deref().filter(|_| walked.items.is_empty()) {
        unheard = Listener::new(inquiry, &moment).unheard("source", source, None)?;
    }
    let body = Page { items: walked.items, next, unheard };
    Ok(Answer { body, as_of: moment.as_of(), applied: moment.engine.applied() })
}

/// An agreement that stands, and from which entry on.
struct Standing {
    place: u64,
    seq: u64,
    agreed: Agreement,
}

/// Late entries as known at a moment.
pub(super) struct Late<'a> {
    inquiry: &'a Inquiry<'a>,
    moment: &'a Moment,
    catalog: Arc<Catalog>,
    /// The lists on which they may be: that of all late ones, and those of agreements that were corrected.
    bases: Vec<(&'static str, String)>,
    /// What was agreed with each source that was looked at.
    agreements: HashMap<String, Vec<Standing>>,
    /// Those in effect: what was brought in with one is history, and not late.
    imports: Arc<[Arc<Import>]>,
}

impl<'a> Late<'a> {
    /// As known at this moment.
    pub(super) fn new(inquiry: &'a Inquiry<'a>, moment: &'a Moment) -> Result<Late<'a>, AnswerError> {
        let (engine, known) = (&moment.engine, moment.when.known);
        let mut bases = vec![(LATE, ANY.to_owned())];
        let all = [(AGREEMENTS, ANY)];
        for seq in engine.entries(LATE_ENTRIES, &all, (0, known), true, MAX_AGREEMENTS)? {
            if engine.standing_of(seq, known)? != Counts::AsItIs {
                bases.push((SPARED, seq.to_string()));
            }
        }
        let (catalog, agreements) = (inquiry.catalog(), HashMap::new());
        let imports = engine.imports(known)?;
        Ok(Late { inquiry, moment, catalog, bases, agreements, imports })
    }

    /// Those among the entries in `range` (from, before), of at most `most` that are looked at.
    pub(super) fn walk(
        &mut self,
        wanted: &Wanted,
        range: (u64, u64),
        newest_first: bool,
        limit: usize,
        most: usize,
    ) -> Result<Walked<LateEntry>, AnswerError> {
        let (moment, bases, deadline) = (self.moment, self.bases.clone(), self.inquiry.deadline());
        let candidates = |range: (u64, u64), limit: usize| -> Result<Vec<u64>, AnswerError> {
            let types: Vec<Option<&str>> = match wanted.types.is_empty() {
                true => vec![None],
                false => wanted.types.iter().map(|ty| Some(ty.as_str())).collect(),
            };
            let mut found = Vec::new();
            for (field, value) in &bases {
                for ty in &types {
                    let mut on = vec![(*field, value.as_str())];
                    on.extend(wanted.source.as_deref().map(|source| (OF_SOURCE, source)));
                    on.extend(ty.map(|ty| (OF_TYPE, ty)));
                    found.extend(moment.engine.entries(LATE_ENTRIES, &on, range, newest_first, limit)?);
                }
            }
            found.sort_unstable();
            found.dedup();
            if newest_first {
                found.reverse();
            }
            // The first ones of all lists hold the first ones of them together.
            found.truncate(limit);
            Ok(found)
        };
        let fit = |seq: u64| -> Result<Option<LateEntry>, AnswerError> {
            let late = self.one(seq)?;
            // The lists know hashes; the entry itself decides.
            Ok(late.filter(|late| {
                wanted.source.as_ref().is_none_or(|source| *source == late.source)
                    && (wanted.types.is_empty() || wanted.types.contains(&late.event_type))
            }))
        };
        walk(deadline, range, newest_first, limit, most, candidates, fit)
    }

    /// What is late where this entry stands, if anything: the entry itself, or what takes its place.
    fn one(&mut self, seq: u64) -> Result<Option<LateEntry>, AnswerError> {
        let (engine, known) = (self.moment.engine.clone(), self.moment.when.known);
        match engine.standing_of(seq, known)? {
            Counts::AsItIs => {
                let event = self.inquiry.event(seq)?;
                self.judged(event, None)
            }
            // It is found where its target is, if that is on a list.
            Counts::InPlaceOf { target, .. } if self.is_listed(target)? => Ok(None),
            Counts::InPlaceOf { target, retimed } => self.in_place(seq, target, retimed),
            Counts::Not { by } => {
                let effect = engine.effect_of(by, known)?;
                let replacement = effect.filter(|effect| effect.of == Some(seq));
                let Some(replacement) = replacement.and_then(|effect| effect.replacement) else {
                    return Ok(None);
                };
                match engine.standing_of(replacement, known)? {
                    Counts::InPlaceOf { target, retimed } if target == seq => {
                        self.in_place(replacement, seq, retimed)
                    }
                    _ => Ok(None),
                }
            }
        }
    }

    fn is_listed(&self, seq: u64) -> Result<bool, AnswerError> {
        for (field, value) in &self.bases {
            let on = [(*field, value.as_str())];
            let range = (seq, seq.saturating_add(1));
            if !self.moment.engine.entries(LATE_ENTRIES, &on, range, false, 1)?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn in_place(&mut self, seq: u64, target: u64, retimed: bool) -> Result<Option<LateEntry>, AnswerError> {
        let (event, target) = (self.inquiry.event(seq)?, self.inquiry.event(target)?);
        self.judged(event, Some((&target, retimed)))
    }

    /// The entry as a late one, if it is; in the place of another one with that one's times, but for its own act time if it
    /// is retimed.
    fn judged(
        &mut self,
        event: Event,
        in_place_of: Option<(&Event, bool)>,
    ) -> Result<Option<LateEntry>, AnswerError> {
        let (place, recorded_at, acted_at) = match in_place_of {
            None => (event.seq, event.recorded_at, event.acted_at()),
            Some((target, true)) => (target.seq, target.recorded_at, event.acted_at()),
            Some((target, false)) => (target.seq, target.recorded_at, target.acted_at()),
        };
        if self.imports.iter().any(|import| import.holds(&event.source, acted_at, place)) {
            return Ok(None);
        }
        let Some(usual) = self.catalog.late_after(&event.ty, place) else { return Ok(None) };
        let mut agreed = self.agreed_with(&event.source)?.iter();
        let last = agreed.rfind(|one| one.place < place && one.agreed.is_about(&event.ty));
        let in_force = last.filter(|one| one.agreed.is_in_force(recorded_at));
        let allowed = in_force.map_or(usual, |one| one.agreed.late_after);
        let (due_by, agreed_by) = (due_by(acted_at, allowed), in_force.map(|one| one.seq));
        if recorded_at <= due_by {
            return Ok(None);
        }
        Ok(Some(LateEntry {
            seq: event.seq,
            by: event.by().to_owned(),
            event_type: event.ty,
            source: event.source,
            id: event.id,
            actor: event.actor,
            acted_at,
            recorded_at,
            allowed,
            due_by,
            agreed_by,
            in_place_of: in_place_of.map(|(target, _)| target.seq),
        }))
    }

    /// What was agreed with a source and stands, in the order of recording.
    fn agreed_with(&mut self, source: &str) -> Result<&[Standing], AnswerError> {
        if !self.agreements.contains_key(source) {
            let standing = self.read_agreements(source)?;
            self.agreements.insert(source.to_owned(), standing);
        }
        Ok(self.agreements.get(source).map(Vec::as_slice).unwrap_or_default())
    }

    fn read_agreements(&self, source: &str) -> Result<Vec<Standing>, AnswerError> {
        let (engine, known) = (&self.moment.engine, self.moment.when.known);
        let on = [(AGREED_WITH, source)];
        let mut standing = Vec::new();
        for seq in engine.entries(LATE_ENTRIES, &on, (0, known), true, MAX_AGREEMENTS)? {
            let place = match engine.standing_of(seq, known)? {
                Counts::AsItIs => seq,
                Counts::InPlaceOf { target, .. } => target,
                Counts::Not { .. } => continue,
            };
            let event = self.inquiry.event(seq)?;
            let agreed = Agreement::of(&event.data);
            standing.extend(agreed.map(|agreed| Standing { place, seq, agreed }));
        }
        standing.sort_by_key(|one| (one.place, one.seq));
        Ok(standing)
    }
}
