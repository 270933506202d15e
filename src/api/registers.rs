//! `/v1/registers`: every other family, each a register of the catalogue.

use super::answering::answer;
use super::filters::{CountsQuery, HistoryQuery, OneQuery, RowsQuery};
use super::links;
use super::listing::{Listing, list};
use super::moment::MomentQuery;
use super::row::{CHANGE, COUNT, CountsView, HistoryView, RowDetail, RowList};
use super::table::Columns;
use crate::answers::parameters::Parameters;
use crate::answers::{Inquiry, registers, rows};
use crate::api::problems::OfQuestions;
use crate::catalog::Register;
use crate::web::auth::Reader;
use crate::web::parameters::{Nothing, Query};
use crate::web::{Problem, Service};
use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use utoipa::ToSchema;

/// A register, and how many rows it has.
#[derive(Serialize, ToSchema)]
pub struct RegisterSummary {
    /// The last part of its address.
    #[schema(example = "models")]
    pub name: String,
    /// What its rows are.
    #[schema(example = "Models, from their registration to the archive.")]
    pub summary: String,
    /// The domain that it belongs to.
    #[schema(example = "model")]
    pub domain: String,
    /// What its rows are, as links name it.
    #[schema(example = "model")]
    pub family: String,
    /// The fields that a row's id is made of, joined by `@`.
    pub key: Vec<String>,
    /// The states that a row can be in.
    pub states: Vec<String>,
    /// The fields that a row carries, by which rows can be asked.
    pub fields: Vec<String>,
    /// Rows that it has.
    #[schema(example = 3)]
    pub rows: u64,
    /// Rows whose due date has passed and that are not done.
    #[schema(example = 0)]
    pub overdue: u64,
    /// Where they are.
    #[schema(example = "/v1/registers/models")]
    pub link: String,
}

/// What a table of registers has.
const COLUMNS: &[&str] =
    &["name", "summary", "domain", "family", "key", "states", "fields", "rows", "overdue", "link"];

/// All registers.
#[derive(Serialize, ToSchema)]
pub struct RegisterList {
    /// By name.
    pub items: Vec<RegisterSummary>,
}

/// All registers of the catalogue, and how many rows each has.
#[utoipa::path(tag = "compliance", responses(
    (status = 200, description = "All registers", content((RegisterList = "application/json"), (String = "text/csv"))),
    OfQuestions,
))]
#[get("/registers")]
pub async fn list_registers(
    service: web::Data<Service>,
    reader: Reader,
    form: Listing,
    query: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    list(
        service,
        reader,
        form,
        query.into_inner(),
        |_| Ok(Columns::of(COLUMNS)),
        |inquiry, _| registers::list(inquiry),
        |counted, _| RegisterList { items: counted.into_iter().map(summary).collect() },
    )
    .await
}

fn summary(counted: registers::CountedRegister) -> RegisterSummary {
    let registers::CountedRegister { register, states, rows, overdue } = counted;
    let Register { name, summary, domain, family, key, fields, .. } = register;
    RegisterSummary {
        link: links::rows(&name),
        name,
        summary,
        domain,
        family,
        key,
        states,
        fields,
        rows,
        overdue,
    }
}

/// A register: the rows that fit. Beside the parameters below it knows each field of its rows, such as `owner`.
#[utoipa::path(tag = "compliance", operation_id = "list_register", params(("name" = String, Path, description = "The register", example = "models"), RowsQuery, MomentQuery), responses(
    (status = 200, description = "A page of rows", content((RowList = "application/json"), (String = "text/csv"))),
    OfQuestions,
))]
#[get("/registers/{name}")]
pub async fn list_register(
    service: web::Data<Service>,
    reader: Reader,
    form: Listing,
    name: web::Path<String>,
    parameters: Parameters,
) -> Result<HttpResponse, Problem> {
    let view = name.to_string();
    let columns = move |inquiry: &Inquiry<'_>| Ok(Columns::of_rows(&*inquiry.engine()?.view(&view)?));
    let question = move |inquiry: &Inquiry<'_>, parameters: &Parameters| {
        registers::known(inquiry, &name)?;
        rows::list(inquiry, &name, parameters)
    };
    list(service, reader, form, parameters, columns, question, RowList::of_rows).await
}

/// A register: how many rows are in which state, or have which owner.
#[utoipa::path(tag = "compliance", operation_id = "count_register", params(
    ("name" = String, Path, description = "The register", example = "models"), CountsQuery), responses(
    (status = 200, description = "Counts", content((CountsView = "application/json"), (String = "text/csv"))),
    OfQuestions,
))]
#[get("/registers/{name}/counts")]
pub async fn count_register(
    service: web::Data<Service>,
    reader: Reader,
    form: Listing,
    name: web::Path<String>,
    query: Query<CountsQuery>,
) -> Result<HttpResponse, Problem> {
    let question = move |inquiry: &Inquiry<'_>, parameters: &Parameters| {
        registers::known(inquiry, &name)?;
        rows::counts(inquiry, &name, parameters)
    };
    let columns = |_: &Inquiry<'_>| Ok(Columns::of(COUNT));
    list(service, reader, form, query.into_inner(), columns, question, CountsView::of).await
}

/// A register: one row.
#[utoipa::path(tag = "compliance", operation_id = "get_register_row", params(
    ("name" = String, Path, description = "The register", example = "models"),
    ("id" = String, Path, description = "The row's id", example = "credit-line"),
    OneQuery,
), responses(
    (status = 200, description = "The row", body = RowDetail),
    OfQuestions,
))]
#[get("/registers/{name}/{id}")]
pub async fn get_register_row(
    service: web::Data<Service>,
    reader: Reader,
    path: web::Path<(String, String)>,
    query: Query<OneQuery>,
) -> Result<HttpResponse, Problem> {
    let asked = query.into_inner();
    let question = move |inquiry: &Inquiry<'_>| {
        registers::known(inquiry, &path.0)?;
        rows::one(inquiry, &path.0, &path.1, asked.get("source"), &asked.moment)
    };
    answer(service, reader, question, RowDetail::of).await
}

/// A register: what made one row what it is, entry by entry.
#[utoipa::path(tag = "compliance", operation_id = "history_of_register_row", params(
    ("name" = String, Path, description = "The register", example = "models"),
    ("id" = String, Path, description = "The row's id", example = "credit-line"),
    HistoryQuery,
), responses(
    (status = 200, description = "The row's history, by effective time", content((HistoryView = "application/json"), (String = "text/csv"))),
    OfQuestions,
))]
#[get("/registers/{name}/{id}/history")]
pub async fn history_of_register_row(
    service: web::Data<Service>,
    reader: Reader,
    form: Listing,
    path: web::Path<(String, String)>,
    query: Query<HistoryQuery>,
) -> Result<HttpResponse, Problem> {
    let question = move |inquiry: &Inquiry<'_>, asked: &Parameters| {
        registers::known(inquiry, &path.0)?;
        rows::history(inquiry, &path.0, &path.1, asked)
    };
    let columns = |_: &Inquiry<'_>| Ok(Columns::of(CHANGE));
    list(service, reader, form, query.into_inner(), columns, question, HistoryView::of).await
}
