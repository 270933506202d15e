//! Everything that speaks of an id, in all families, in the order of the ledger.
//!
//! Lists know of it: the index's own by CloudEvents `subject` and by who posted, and that of the entries whose entity it is,
//! that link to it, or in which it acted. All are cut at the same entry, and each entry is looked at itself. What is connected
//! with it over two steps is there as well: the answer to a contest of a decision of a case names its contest alone.

use super::connected::{Connected, Entity, connected};
use super::entries::place;
use super::error::AnswerError;
use super::moment::{AskedMoment, Moment, moment, patience};
use super::names::Listener;
use super::parameters::Parameters;
use super::row::{CORE, RowRef};
use super::walk::{MAX_WALKED, Sought, resumed, speaking_of, walk};
use super::words::check_types;
use super::{Answer, Inquiry, Page, Unheard, cursor, parsed};
use crate::catalog::{Catalog, to_value};
use crate::spec::time::Timestamp;
use crate::views::engine::{Assurance, Engine, Event, RowName, View};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// Types that one question may name.
const MAX_TYPES: usize = 64;

/// What an id is to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubjectRole {
    /// Its CloudEvents `subject`.
    Subject,
    /// The entity that it is about.
    Entity,
    /// Something that it links to.
    Link,
    /// Who acted, or posted it.
    Actor,
    /// It is connected by way of something else: a decision, a contest, an escalation.
    Connected,
}

/// An entry that speaks of an id.
#[derive(Clone, Debug, PartialEq)]
pub struct Mention {
    /// Its number.
    pub seq: u64,
    /// When the ledger recorded it.
    pub recorded_at: Timestamp,
    /// When it happened.
    pub happened_at: Timestamp,
    /// From when it counts.
    pub effective_at: Timestamp,
    /// CloudEvents `type`.
    pub event_type: String,
    /// What happened, as the catalogue says of this type.
    pub summary: Option<String>,
    /// The family of the entity that it is about.
    pub family: Option<String>,
    /// The id of the entity that it is about.
    pub entity: Option<String>,
    /// What the id that was asked for is to it.
    pub role: SubjectRole,
    /// By way of what it is connected, where it is.
    pub via: Option<String>,
    /// Who acted.
    pub by: String,
    /// How far that is known.
    pub assurance: Assurance,
    /// The entry of the correction by which it does not count.
    pub corrected_by: Option<u64>,
    /// The row that it made or changed, if a view has one: that of its entity before others.
    pub row: Option<RowRef>,
    /// The CloudEvent, where it was asked for.
    pub event: Option<Value>,
}

/// A page of a timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Timeline {
    /// The entries.
    pub page: Page<Mention>,
    /// More is connected with the id than is followed.
    pub shortened: bool,
}

/// What speaks of an id. One that nothing speaks of has an empty timeline, and is named as never heard of.
///
/// # Errors
/// A parameter is wrong, or the views, the index or the log do not answer.
pub fn timeline(
    inquiry: &Inquiry<'_>,
    id: &str,
    parameters: &Parameters,
) -> Result<Answer<Timeline>, AnswerError> {
    let limit = parameters.limit()?;
    let newest_first = parameters.newest_first(false)?;
    let expand = parameters.word("expand", &["event"])?.is_some();
    let types: Option<Vec<&str>> = parameters.get("type").map(|types| types.split(',').collect());
    if types.as_ref().is_some_and(|types| types.len() > MAX_TYPES) {
        return Err(AnswerError::parameter("type", "1 to 64 types, with commas between them"));
    }
    check_types(inquiry.desk(), "type", types.as_deref().unwrap_or_default())?;
    let (mut moment, cut) = both(inquiry, &parameters.moment)?;
    moment.when.known = cut.min(moment.when.known);
    let store = inquiry.store();
    let from = parameters.get("from").map_or(Ok(0), |from| place(store, "from", from))?;
    let to = parameters.get("to").map_or(Ok(u64::MAX), |to| place(store, "to", to))?;
    let asked = ["from", "to", "type"].map(|name| parameters.get(name));
    let AskedMoment { as_of, at, .. } = &parameters.moment;
    let identity = format!("timeline {id:?} {newest_first} {asked:?} {as_of:?} {at:?}");
    let resume = parameters.get("cursor").map(|text| cursor::decode(&identity, text)).transpose()?;
    let range = resumed((from, to.min(moment.when.known)), newest_first, resume, store.size())?;
    let effective_by = at.as_ref().map(|_| moment.when.at);
    let catalog = inquiry.catalog();
    let Connected { entities, shortened } = connected(&moment, id)?;
    let mut sought = vec![Sought::Anything(id)];
    sought.extend(entities.iter().map(|entity| Sought::Row(&entity.id)));
    let mut reader = Reader {
        inquiry,
        catalog: &catalog,
        moment: &moment,
        id,
        connected: &entities,
        types,
        effective_by,
        expand,
        rows: Rows::default(),
    };
    let walked = walk(
        inquiry.deadline(),
        range,
        newest_first,
        limit,
        MAX_WALKED,
        |range, limit| speaking_of(inquiry, &moment.engine, &sought, range, newest_first, limit),
        |seq| reader.mention(seq),
    )?;
    let next = walked.next.map(|seq| cursor::encode(&identity, seq));
    let mut unheard = Unheard::new();
    if walked.items.is_empty() && entities.is_empty() {
        unheard = Listener::new(inquiry, &moment).unheard("subject", id, None)?;
    }
    let body = Timeline { page: Page { items: walked.items, next, unheard }, shortened };
    let as_of = moment.as_of().cut(walked.partial || shortened);
    Ok(Answer { body, as_of, applied: cut })
}

/// The moment, once both the views and the index have what it needs, and how many entries both have.
fn both(inquiry: &Inquiry<'_>, asked: &AskedMoment) -> Result<(Moment, u64), AnswerError> {
    let index = inquiry.index()?;
    let moment = moment(inquiry, asked)?;
    let is_past = asked.as_of.is_some() || asked.held.is_some();
    let of_past = is_past.then_some(moment.when.known);
    let needed = asked.min_seq.map(|seq| seq.saturating_add(1)).into_iter().chain(of_past).max().unwrap_or(0);
    if !index.wait_applied(needed, patience(inquiry)) {
        let detail = format!("the index has {} of {needed} entries", index.applied());
        return Err(AnswerError::Starting(detail));
    }
    let cut = moment.engine.applied().min(index.applied());
    Ok((moment, cut))
}

/// Reads the entries of one timeline.
struct Reader<'a> {
    inquiry: &'a Inquiry<'a>,
    catalog: &'a Catalog,
    moment: &'a Moment,
    id: &'a str,
    connected: &'a [Entity],
    types: Option<Vec<&'a str>>,
    effective_by: Option<Timestamp>,
    expand: bool,
    rows: Rows,
}

impl Reader<'_> {
    /// An entry as an item; none if it does not speak of the id after all, or is not asked for.
    fn mention(&mut self, seq: u64) -> Result<Option<Mention>, AnswerError> {
        let bytes = self.inquiry.store().entry(seq)?;
        let entry = parsed(&bytes)?;
        let event = Event::of(&entry);
        let role = role(self.catalog, &event, self.id).map(|role| (role, None));
        let Some((role, via)) = role.or_else(|| self.by_way_of(&event)) else { return Ok(None) };
        let of_row = event.for_row(self.catalog);
        if self.types.as_ref().is_some_and(|types| !types.contains(&event.ty.as_str()))
            || self.effective_by.is_some_and(|at| of_row.effective_at > at)
        {
            return Ok(None);
        }
        let corrected_by = self.moment.engine.corrected_by(seq, self.moment.when.known)?;
        let ty = self.catalog.get(&event.ty);
        let family = ty.map(|ty| ty.entity.family.as_str());
        Ok(Some(Mention {
            seq,
            recorded_at: event.recorded_at,
            happened_at: event.happened_at,
            effective_at: of_row.effective_at,
            summary: ty.map(|ty| ty.summary.clone()),
            family: family.map(str::to_owned),
            entity: ty.and_then(|ty| ty.entity_id(&event.data)).map(str::to_owned),
            role,
            via,
            by: of_row.by,
            assurance: of_row.assurance,
            corrected_by,
            row: self.row(family, &event, corrected_by),
            event: self.expand.then(|| to_value(&entry.event)),
            event_type: event.ty,
        }))
    }

    /// By way of which connected entity an event belongs here, if it does.
    fn by_way_of(&self, event: &Event) -> Option<(SubjectRole, Option<String>)> {
        let entity = &self.catalog.get(&event.ty)?.entity;
        let id = self.catalog.get(&event.ty)?.entity_id(&event.data)?;
        let mut connected = self.connected.iter();
        connected.find(|one| one.family == entity.family && one.id == id)?;
        Some((SubjectRole::Connected, Some(id.to_owned())))
    }

    /// The row that an event made or changed. What does not count changed none.
    fn row(&mut self, family: Option<&str>, event: &Event, corrected_by: Option<u64>) -> Option<RowRef> {
        if corrected_by.is_some() {
            return None;
        }
        self.rows.of(&self.moment.engine, self.catalog, family, event)
    }
}

/// What an id is to an event, if anything.
fn role(catalog: &Catalog, event: &Event, id: &str) -> Option<SubjectRole> {
    if event.subject.as_deref() == Some(id) {
        return Some(SubjectRole::Subject);
    }
    if let Some(ty) = catalog.get(&event.ty) {
        if ty.entity_id(&event.data) == Some(id) {
            return Some(SubjectRole::Entity);
        }
        if ty.mentions(&event.data).contains(&id) {
            return Some(SubjectRole::Link);
        }
    }
    (event.by() == id || event.actor == id).then_some(SubjectRole::Actor)
}

/// Which views fold which types; found out once for an answer.
#[derive(Default)]
struct Rows {
    by_type: Option<HashMap<String, Vec<Arc<dyn View>>>>,
}

impl Rows {
    /// The row that an event made or changed: one of this family before others.
    fn of(
        &mut self,
        engine: &Engine,
        catalog: &Catalog,
        family: Option<&str>,
        event: &Event,
    ) -> Option<RowRef> {
        let by_type = self.by_type.get_or_insert_with(|| by_type(engine, catalog));
        let views = by_type.get(&event.ty)?;
        let of_family = views.iter().filter(|view| Some(view.family()) == family);
        let others = views.iter().filter(|view| Some(view.family()) != family);
        of_family.chain(others).find_map(|view| {
            match view.row_of_source(&event.ty, &event.source, &event.data)? {
                RowName::Id(id) => Some(RowRef { view: view.name().to_owned(), id, source: None }),
                // Under which id the row stands is known to the view alone.
                RowName::Alias(_) => None,
            }
        })
    }
}

fn by_type(engine: &Engine, catalog: &Catalog) -> HashMap<String, Vec<Arc<dyn View>>> {
    let mut by_type: HashMap<String, Vec<Arc<dyn View>>> = HashMap::new();
    // Lists and tallies have no view, and one that is being built for the first time has no rows yet.
    let names = engine.standing().into_iter().map(|view| view.name);
    for view in names.filter_map(|name| engine.view(&name).ok()) {
        // Some views are there for others, and their rows are not asked for.
        if catalog.register(view.name()).is_none() && !CORE.contains(&view.name()) {
            continue;
        }
        for ty in view.types() {
            by_type.entry(ty).or_default().push(view.clone());
        }
    }
    by_type
}
