//! Names that look alike: ids, people and sources that a reader takes for one another.

use super::filters::PageQuery;
use super::links;
use super::listing::{Listing, list};
use super::moment::{MomentQuery, MomentView};
use super::table::Columns;
use crate::answers::{Page, look_alikes};
use crate::api::problems::OfQuestions;
use crate::views::alike::Pair;
use crate::web::auth::Reader;
use crate::web::parameters::{Both, Query};
use crate::web::{Problem, Service};
use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// Which names.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes parameters that are read one by one")]
pub struct LookAlikesQuery {
    /// Of which kind, several with commas: `principal`, `source`, or what ids are of, such as `decision` or `approval`.
    #[param(example = "principal,source")]
    pub kind: Option<String>,
}

/// Two names that look alike.
#[derive(Serialize, ToSchema)]
pub struct LookAlikeItem {
    /// Of which kind they are.
    #[schema(example = "decision")]
    pub kind: String,
    /// The name that was heard later.
    #[schema(example = "CLD-12O417")]
    pub name: String,
    /// The entry that brought it.
    #[schema(example = "/v1/events/512")]
    pub event: String,
    /// The first name of this look: each later one makes a pair with it.
    #[schema(example = "CLD-120417")]
    pub like: String,
    /// The entry that brought that one.
    #[schema(example = "/v1/events/44")]
    pub like_event: String,
    /// There are more names of this look than are kept; this is the last one of them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// What a table of names that look alike has.
const COLUMNS: &[&str] = &["kind", "name", "event", "like", "like_event", "more"];

/// A page of names that look alike.
#[derive(Serialize, ToSchema)]
pub struct LookAlikeList {
    /// By kind, and in each in the order in which the names were heard.
    pub items: Vec<LookAlikeItem>,
    /// Give it as `cursor` to go on; null at the end. A page may be short and have a next one.
    pub next: Option<String>,
    /// Whether the ledger had heard, by then, of every name that was asked for.
    #[schema(example = true)]
    pub known: bool,
    /// The names that it had never heard of, by parameter.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unknown: BTreeMap<String, Vec<String>>,
    /// As of when it holds.
    pub as_of: MomentView,
}

impl LookAlikeItem {
    fn of(pair: Pair) -> LookAlikeItem {
        LookAlikeItem {
            kind: pair.kind,
            name: pair.name,
            event: links::entry(pair.seq),
            like: pair.first,
            like_event: links::entry(pair.first_seq),
            more: pair.more,
        }
    }
}

impl LookAlikeList {
    fn of(page: Page<Pair>, as_of: MomentView) -> LookAlikeList {
        let Page { items, next, unheard } = page;
        let items = items.into_iter().map(LookAlikeItem::of).collect();
        LookAlikeList { items, next, known: unheard.is_empty(), unknown: unheard, as_of }
    }
}

/// Names that look alike: the same but for case, width, characters that are drawn alike, separators, and zeros before numbers.
///
/// Names of one kind are compared: people and applications that act, post or are linked to, sources, and the ids of what
/// events are about. A pair stays also where the entry that brought it was annulled.
#[utoipa::path(tag = "compliance", params(LookAlikesQuery, MomentQuery, PageQuery), responses(
    (status = 200, description = "A page of names that look alike", content((LookAlikeList = "application/json"), (String = "text/csv"))),
    OfQuestions,
))]
#[get("/look-alikes")]
pub async fn list_look_alikes(
    service: web::Data<Service>,
    reader: Reader,
    form: Listing,
    query: Query<Both<LookAlikesQuery, Both<MomentQuery, PageQuery>>>,
) -> Result<HttpResponse, Problem> {
    let parameters = query.into_inner();
    list(
        service,
        reader,
        form,
        parameters,
        |_| Ok(Columns::of(COLUMNS)),
        look_alikes::list,
        LookAlikeList::of,
    )
    .await
}
