//! `/v1/subjects/{subject}/timeline`: everything that speaks of an id, in all families, in the order of the ledger.
//!
//! Two lists know of it: the index's own by CloudEvents `subject`, and that of the entries whose entity it is or that link
//! to it. Both are cut at the same entry, and each entry is looked at itself.

use super::ask::Parameters;
use super::entries::{MAX_WALKED, entry_link, index, resumed, speaking_of, walk};
use super::moment::{MAX_WAIT, Moment, MomentQuery, MomentView, moment};
use super::row::{address, escaped};
use super::{Answer, answer, problem};
use crate::api::cursor;
use crate::api::events::{Order, place};
use crate::catalog::{Catalog, to_value};
use crate::spec::entry::Entry;
use crate::spec::time::Timestamp;
use crate::views::engine::{Assurance, Engine, Event, RowName, View};
use crate::web::auth::Caller;
use crate::web::{Problem, ProblemType, Service};
use actix_web::{HttpRequest, HttpResponse, get, web};
use serde::Serialize;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Types that one question may name.
const MAX_TYPES: usize = 64;

/// Which entries of a timeline.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes parameters that are read one by one")]
struct TimelineQuery {
    /// CloudEvents type, exact; several with commas.
    #[param(example = "decision.made,decision.reviewed")]
    r#type: Option<String>,
    /// First entry: a number, or the RFC 3339 time from which they were recorded.
    from: Option<String>,
    /// Where to end, itself not included: a number, or the RFC 3339 time before which they were recorded.
    to: Option<String>,
    /// `asc` (default) or `desc`: the order in which entries were recorded.
    order: Option<Order>,
    /// `event`: each item holds the whole CloudEvent.
    #[param(example = "event")]
    expand: Option<String>,
    /// 1 to 500; 50 if not given.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// From an earlier answer's `next`.
    cursor: Option<String>,
}

/// What an id is to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SubjectRole {
    /// Its CloudEvents `subject`.
    Subject,
    /// The entity that it is about.
    Entity,
    /// Something that it links to.
    Link,
}

/// An entry that speaks of an id.
#[derive(Serialize, ToSchema)]
pub struct TimelineItem {
    /// Its number.
    #[schema(example = 107)]
    pub seq: u64,
    /// When the ledger recorded it.
    #[schema(example = "2026-03-02T09:30:00.412000Z")]
    pub time: String,
    /// When it happened.
    #[schema(example = "2026-03-02T09:30:00.000000Z")]
    pub happened_at: String,
    /// From when it counts.
    #[schema(example = "2026-03-02T09:30:00.000000Z")]
    pub effective_at: String,
    /// CloudEvents `type`.
    #[serde(rename = "type")]
    #[schema(example = "decision.made")]
    pub kind: String,
    /// What happened, as the catalogue says of this type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// The family of the entity that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "decision")]
    pub family: Option<String>,
    /// The id of the entity that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "D-2026-0004")]
    pub entity: Option<String>,
    /// What the id that was asked for is to it.
    pub role: SubjectRole,
    /// Who acted.
    #[schema(example = "app:credit-line")]
    pub by: String,
    /// How far that is known.
    pub assurance: Assurance,
    /// The entry of the correction by which it does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corrected_by: Option<u64>,
    /// The row that it made or changed, if a view has one: that of its entity before others.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/v1/decisions/D-2026-0004")]
    pub row: Option<String>,
    /// The entry.
    #[schema(example = "/v1/events/107")]
    pub link: String,
    /// With `expand=event`: the CloudEvent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    pub event: Option<Value>,
}

/// A page of a timeline.
#[derive(Serialize, ToSchema)]
pub struct Timeline {
    /// The id that was asked for.
    #[schema(example = "LN-2026-0004")]
    pub subject: String,
    /// In the order of the ledger.
    pub items: Vec<TimelineItem>,
    /// Give it as `cursor` to go on; null at the end. A page may be short and have a next one.
    pub next: Option<String>,
    /// As of when it holds.
    pub as_of: MomentView,
}

/// Everything that speaks of an id, in all families: a case, a decision, a model, a data set, a person.
///
/// An id that nothing speaks of has an empty timeline. With `as_of`, what had been recorded by then, and what corrections
/// had taken away by then; with `at`, only what had taken effect by that time.
#[utoipa::path(tag = "compliance", params(
    ("subject" = String, Path, description = "The id; a slash in it as `%2F`", example = "LN-2026-0004"),
    TimelineQuery, MomentQuery,
), responses(
    (status = 200, description = "A page of the timeline", body = Timeline, headers(("Daybook-Applied-Seq" = u64, description = "How many entries both the views and the index had"))),
    (status = 400, description = "`bad-parameter`, `bad-cursor`", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "`unauthenticated`", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "`min_seq` or `as_of` is beyond the log", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "`view-building`, `views-unavailable`, `index-unavailable`, `starting`", body = Problem, content_type = "application/problem+json"),
))]
#[get("/subjects/{subject}/timeline")]
pub async fn subject_timeline(
    service: web::Data<Service>,
    caller: Caller,
    subject: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    caller.must_read_all()?;
    let parameters = Parameters::read(request.query_string())?;
    parameters.only(&["type", "from", "to", "order", "expand", "limit", "cursor"])?;
    answer(service, move |service| timeline(service, &service.catalog.current(), &subject, &parameters)).await
}

fn timeline(
    service: &Service,
    catalog: &Catalog,
    id: &str,
    parameters: &Parameters,
) -> Result<Answer<Timeline>, Problem> {
    let limit = parameters.limit()?;
    let newest_first = match parameters.get("order") {
        None | Some("asc") => false,
        Some("desc") => true,
        Some(_) => return Err(Problem::parameter("order", "asc or desc")),
    };
    let expand = match parameters.get("expand") {
        None => false,
        Some("event") => true,
        Some(_) => return Err(Problem::parameter("expand", "event")),
    };
    let types: Option<Vec<&str>> = parameters.get("type").map(|types| types.split(',').collect());
    if types.as_ref().is_some_and(|types| types.len() > MAX_TYPES) {
        return Err(Problem::parameter("type", "1 to 64 types, with commas between them"));
    }
    let (mut moment, cut) = both(service, &parameters.moment)?;
    moment.when.known = cut.min(moment.when.known);
    let store = service.log.store();
    let from = parameters.get("from").map_or(Ok(0), |from| place(store, "from", from))?;
    let to = parameters.get("to").map_or(Ok(u64::MAX), |to| place(store, "to", to))?;
    let asked = ["from", "to", "type"].map(|name| parameters.get(name));
    let MomentQuery { as_of, at, .. } = &parameters.moment;
    let identity = format!("timeline {id:?} {newest_first} {asked:?} {as_of:?} {at:?}");
    let resume = parameters.get("cursor").map(|text| cursor::decode(&identity, text)).transpose()?;
    let range = resumed((from, to.min(moment.when.known)), newest_first, resume);
    let effective_by = at.as_ref().map(|_| moment.when.at);
    let query = &parameters.moment;
    let mut reader = Reader {
        service,
        catalog,
        moment: &moment,
        query,
        id,
        types,
        effective_by,
        expand,
        rows: Rows::default(),
    };
    let walked = walk(
        range,
        newest_first,
        limit,
        MAX_WALKED,
        |range, limit| speaking_of(service, &moment.engine, id, range, newest_first, limit),
        |seq| reader.item(seq),
    )?;
    let body = Timeline {
        subject: id.to_owned(),
        items: walked.items,
        next: walked.next.map(|seq| cursor::encode(&identity, seq)),
        as_of: moment.view(),
    };
    Ok(Answer { body, applied: cut })
}

/// The moment, once both the views and the index have what it needs, and how many entries both have.
fn both(service: &Service, query: &MomentQuery) -> Result<(Moment, u64), Problem> {
    let index = index(service)?;
    let moment = moment(service, query)?;
    let of_past = query.as_of.as_ref().map(|_| moment.when.known);
    let needed = query.min_seq.map(|seq| seq.saturating_add(1)).into_iter().chain(of_past).max().unwrap_or(0);
    if !index.wait_applied(needed, MAX_WAIT) {
        let detail = format!("the index has {} of {needed} entries", index.applied());
        return Err(Problem::new(ProblemType::Starting, detail));
    }
    let cut = moment.engine.applied().min(index.applied());
    Ok((moment, cut))
}

/// Reads the entries of one timeline.
struct Reader<'a> {
    service: &'a Service,
    catalog: &'a Catalog,
    moment: &'a Moment,
    query: &'a MomentQuery,
    id: &'a str,
    types: Option<Vec<&'a str>>,
    effective_by: Option<Timestamp>,
    expand: bool,
    rows: Rows,
}

impl Reader<'_> {
    /// An entry as an item; none if it does not speak of the id after all, or is not asked for.
    fn item(&mut self, seq: u64) -> Result<Option<TimelineItem>, Problem> {
        let bytes = self.service.log.store().entry(seq)?;
        let entry = Entry::parse(&bytes).map_err(|error| Problem::internal(&error))?;
        let event = Event::of(&entry);
        let Some(role) = role(self.catalog, &event, self.id) else { return Ok(None) };
        let of_row = event.for_row(self.catalog);
        if self.types.as_ref().is_some_and(|types| !types.contains(&event.ty.as_str()))
            || self.effective_by.is_some_and(|at| of_row.effective_at > at)
        {
            return Ok(None);
        }
        let corrected_by = self.moment.engine.corrected_by(seq, self.moment.when.known).map_err(problem)?;
        let ty = self.catalog.get(&event.ty);
        let family = ty.map(|ty| ty.entity.family.as_str());
        Ok(Some(TimelineItem {
            seq,
            time: event.recorded_at.to_string(),
            happened_at: event.happened_at.to_string(),
            effective_at: of_row.effective_at.to_string(),
            summary: ty.map(|ty| ty.summary.clone()),
            family: family.map(str::to_owned),
            entity: ty.and_then(|ty| ty.entity_id(&event.data)).map(str::to_owned),
            role,
            by: of_row.by,
            assurance: of_row.assurance,
            corrected_by,
            row: self.row(family, &event, corrected_by),
            link: entry_link(seq),
            event: self.expand.then(|| to_value(&entry.event)),
            kind: event.ty,
        }))
    }

    /// Where the row is that an event made or changed, as of the same moment. What does not count changed none.
    fn row(&mut self, family: Option<&str>, event: &Event, corrected_by: Option<u64>) -> Option<String> {
        if corrected_by.is_some() {
            return None;
        }
        let row = self.rows.address(&self.moment.engine, self.catalog, family, event)?;
        Some(self.query.link(&row, &[]))
    }
}

/// What an id is to an event, if anything.
fn role(catalog: &Catalog, event: &Event, id: &str) -> Option<SubjectRole> {
    if event.subject.as_deref() == Some(id) {
        return Some(SubjectRole::Subject);
    }
    let ty = catalog.get(&event.ty)?;
    if ty.entity_id(&event.data) == Some(id) {
        return Some(SubjectRole::Entity);
    }
    ty.mentions(&event.data).contains(&id).then_some(SubjectRole::Link)
}

/// Which views fold which types; found out once for an answer.
#[derive(Default)]
struct Rows {
    by_type: Option<HashMap<String, Vec<Arc<dyn View>>>>,
}

impl Rows {
    /// Where the row is that an event made or changed: one of this family before others.
    fn address(
        &mut self,
        engine: &Engine,
        catalog: &Catalog,
        family: Option<&str>,
        event: &Event,
    ) -> Option<String> {
        let by_type = self.by_type.get_or_insert_with(|| {
            let mut by_type: HashMap<String, Vec<Arc<dyn View>>> = HashMap::new();
            // Lists and tallies have no view, and one that is being built for the first time has no rows yet.
            let names = engine.standing().into_iter().map(|view| view.name);
            for view in names.filter_map(|name| engine.view(&name).ok()) {
                // Some views are there for others, and their rows have no address.
                if catalog.register(view.name()).is_none()
                    && address(view.name()).starts_with("/v1/registers/")
                {
                    continue;
                }
                for ty in view.types() {
                    by_type.entry(ty).or_default().push(view.clone());
                }
            }
            by_type
        });
        let views = by_type.get(&event.ty)?;
        let of_family = views.iter().filter(|view| Some(view.family()) == family);
        let others = views.iter().filter(|view| Some(view.family()) != family);
        of_family.chain(others).find_map(|view| match view.row_of(&event.ty, &event.data)? {
            RowName::Id(id) => Some(format!("{}/{}", address(view.name()), escaped(&id))),
            // Under which id the row stands is known to the view alone.
            RowName::Alias(_) => None,
        })
    }
}
