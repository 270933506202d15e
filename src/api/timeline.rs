//! `/v1/subjects/{subject}/timeline`: everything that speaks of an id, in all families, in the order of the ledger.

use super::filters::Order;
use super::links;
use super::listing::{Listing, list};
use super::moment::{MomentQuery, MomentView, text};
use super::row::Assurance;
use super::table::Columns;
use crate::answers::moment::AskedMoment;
use crate::answers::{Page, timeline};
use crate::api::problems::OfQuestions;
use crate::web::auth::Reader;
use crate::web::parameters::{Both, Query};
use crate::web::{Problem, Service};
use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// Which entries of a timeline.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes parameters that are read one by one")]
struct TimelineQuery {
    /// CloudEvents type, exact; several with commas.
    #[param(example = "decision.made,decision.reviewed")]
    r#type: Option<String>,
    /// First entry: a number, or the RFC 3339 time, or the date, from which they were recorded. A date
    /// begins at midnight UTC.
    from: Option<String>,
    /// Where to end, itself not included: a number, or the RFC 3339 time, or the date, before which they were
    /// recorded.
    to: Option<String>,
    /// `asc` (default) or `desc`: the order in which entries were recorded.
    order: Option<Order>,
    /// `event`: each item holds the whole CloudEvent.
    #[param(example = "event")]
    expand: Option<String>,
    /// 1 to 500; 50 if not given. Of CSV: so many rows in all, also more than 500; all of them if not given.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// From an earlier answer's `next`.
    cursor: Option<String>,
}

/// What an id is to an entry.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SubjectRole {
    /// Its CloudEvents `subject`.
    Subject,
    /// The entity that it is about.
    Entity,
    /// Something that it links to.
    Link,
    /// Who acted, or posted it.
    Actor,
    /// It is connected by way of something else, which `via` names: a decision of the case, a contest of that decision, an
    /// escalation about any of them.
    Connected,
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
    /// By way of what it is connected, where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "CTS-0012")]
    pub via: Option<String>,
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

/// What a table of them has.
const COLUMNS: &[&str] = &[
    "seq",
    "time",
    "happened_at",
    "effective_at",
    "type",
    "summary",
    "family",
    "entity",
    "role",
    "via",
    "by",
    "assurance",
    "corrected_by",
    "row",
    "link",
    "event",
];

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
    /// More is connected with the id than is followed: ask for its decisions one by one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub shortened: bool,
    /// Whether the ledger had heard, by then, of every name that was asked for.
    #[schema(example = true)]
    pub known: bool,
    /// The names that it had never heard of, by parameter.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unknown: BTreeMap<String, Vec<String>>,
    /// As of when it holds.
    pub as_of: MomentView,
}

impl SubjectRole {
    fn of(role: timeline::SubjectRole) -> SubjectRole {
        match role {
            timeline::SubjectRole::Subject => SubjectRole::Subject,
            timeline::SubjectRole::Entity => SubjectRole::Entity,
            timeline::SubjectRole::Link => SubjectRole::Link,
            timeline::SubjectRole::Actor => SubjectRole::Actor,
            timeline::SubjectRole::Connected => SubjectRole::Connected,
        }
    }
}

impl TimelineItem {
    /// An entry as it is shown; its row as of the moment that was asked for.
    fn of(mention: timeline::Mention, moment: &AskedMoment) -> TimelineItem {
        TimelineItem {
            seq: mention.seq,
            time: text(mention.recorded_at),
            happened_at: text(mention.happened_at),
            effective_at: text(mention.effective_at),
            kind: mention.event_type,
            summary: mention.summary,
            family: mention.family,
            entity: mention.entity,
            role: SubjectRole::of(mention.role),
            via: mention.via,
            by: mention.by,
            assurance: Assurance::of(mention.assurance),
            corrected_by: mention.corrected_by,
            row: mention.row.map(|row| links::row_then(&row, moment)),
            link: links::entry(mention.seq),
            event: mention.event,
        }
    }
}

impl Timeline {
    fn of(subject: String, found: timeline::Timeline, moment: &AskedMoment, as_of: MomentView) -> Timeline {
        let timeline::Timeline { page, shortened } = found;
        let Page { items, next, unheard } = page;
        let items = items.into_iter().map(|mention| TimelineItem::of(mention, moment)).collect();
        Timeline { subject, items, next, shortened, known: unheard.is_empty(), unknown: unheard, as_of }
    }
}

/// Everything that speaks of an id, in all families: a case, a decision, a model, a data set, a person. Of a person also
/// what the person did; of a case its decisions, their contests, and what was escalated of them.
///
/// An id that nothing speaks of has an empty timeline, and `known` is false. With `as_of`, what had been recorded by then, and what corrections
/// had taken away by then; with `at`, only what had taken effect by that time.
#[utoipa::path(tag = "compliance", params(
    ("subject" = String, Path, description = "The id; a slash in it as `%2F`", example = "LN-2026-0004"),
    TimelineQuery, MomentQuery,
), responses(
    (status = 200, description = "A page of the timeline", content((Timeline = "application/json"), (String = "text/csv"))),
    OfQuestions,
))]
#[get("/subjects/{subject}/timeline")]
pub async fn subject_timeline(
    service: web::Data<Service>,
    reader: Reader,
    form: Listing,
    subject: web::Path<String>,
    query: Query<Both<TimelineQuery, MomentQuery>>,
) -> Result<HttpResponse, Problem> {
    let parameters = query.into_inner();
    let (id, moment) = (subject.to_string(), parameters.moment.clone());
    list(
        service,
        reader,
        form.of_events(),
        parameters,
        |_| Ok(Columns::of(COLUMNS)),
        move |inquiry, parameters| timeline::timeline(inquiry, &subject, parameters),
        move |page, as_of| Timeline::of(id.clone(), page, &moment, as_of),
    )
    .await
}
