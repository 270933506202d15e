//! The views of rows: one declaration each, and what follows from it: which rows, one row, its history, how many of each
//! kind, and the description of all four.

use super::answering::answer;
use super::filters::{
    ApprovalFilters, CountsQuery, DecisionFilters, EscalationFilters, GrantFilters, HistoryQuery, OneQuery,
    RequestFilters, RowsQuery, UseFilters,
};
use super::listing::{Listing, list};
use super::moment::MomentQuery;
use super::problems::OfQuestions;
use super::row::{CHANGE, COUNT, CountsView, HistoryView, RowDetail, RowList};
use super::table::Columns;
use crate::answers::parameters::Parameters;
use crate::answers::{Inquiry, rows};
use crate::web::Service;
use crate::web::auth::Reader;
use crate::web::parameters::{Both, Query};
use actix_web::dev::{AppService, Handler, HttpServiceFactory};
use actix_web::{FromRequest, Responder, guard, web};
use std::marker::PhantomData;
use utoipa::openapi::path::{Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, Paths};
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{
    ContentBuilder, HttpMethod, ObjectBuilder, PathItem, Ref, RefOr, ResponseBuilder, ResponsesBuilder, Type,
};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::OpenApiFactory;

/// A view of rows, and where it is. `F` declares the fields by which its rows are asked.
pub struct RowsOf<F> {
    view: &'static str,
    path: &'static str,
    /// What the rows are: the beginning of a sentence.
    what: &'static str,
    /// Whether one row is a resource of its own, which shows more than the row.
    shows_more: bool,
    filters: PhantomData<F>,
}

/// Approvals.
pub const APPROVALS: RowsOf<ApprovalFilters> =
    RowsOf::new("approvals", "/approvals", "Approvals").shown_alone();

/// Grants.
pub const GRANTS: RowsOf<GrantFilters> = RowsOf::new("access", "/access", "Grants of access");

/// Requests.
pub const REQUESTS: RowsOf<RequestFilters> =
    RowsOf::new("access-requests", "/access/requests", "Requests for access");

/// Uses.
pub const USES: RowsOf<UseFilters> = RowsOf::new("access-uses", "/access/uses", "Uses of data");

/// Decisions.
pub const DECISIONS: RowsOf<DecisionFilters> =
    RowsOf::new("decisions", "/decisions", "Decisions").shown_alone();

/// Escalations.
pub const ESCALATIONS: RowsOf<EscalationFilters> = RowsOf::new("escalations", "/escalations", "Escalations");

/// What a list of rows is asked with.
type ListParameters<F> = Both<F, Both<RowsQuery, MomentQuery>>;

impl<F> RowsOf<F> {
    const fn new(view: &'static str, path: &'static str, what: &'static str) -> Self {
        RowsOf { view, path, what, shows_more: false, filters: PhantomData }
    }

    /// The same, where a resource of its own shows one row.
    const fn shown_alone(mut self) -> Self {
        self.shows_more = true;
        self
    }

    fn counts_path(&self) -> String {
        format!("{}/counts", self.path)
    }

    fn one_path(&self) -> String {
        format!("{}/{{id}}", self.path)
    }

    fn history_path(&self) -> String {
        format!("{}/{{id}}/history", self.path)
    }
}

impl<F: IntoParams + 'static> HttpServiceFactory for RowsOf<F> {
    fn register(self, config: &mut AppService) {
        let view = self.view;
        let counts =
            move |service: web::Data<Service>, reader: Reader, form: Listing, query: Query<CountsQuery>| {
                let question = move |inquiry: &Inquiry<'_>, parameters: &Parameters| {
                    rows::counts(inquiry, view, parameters)
                };
                let columns = |_: &Inquiry<'_>| Ok(Columns::of(COUNT));
                list(service, reader, form, query.into_inner(), columns, question, CountsView::of)
            };
        let rows = move |service: web::Data<Service>,
                         reader: Reader,
                         form: Listing,
                         query: Query<ListParameters<F>>| {
            let question =
                move |inquiry: &Inquiry<'_>, parameters: &Parameters| rows::list(inquiry, view, parameters);
            let columns = move |inquiry: &Inquiry<'_>| Ok(Columns::of_rows(&*inquiry.engine()?.view(view)?));
            list(service, reader, form, query.into_inner(), columns, question, RowList::of_rows)
        };
        let history = move |service: web::Data<Service>,
                            reader: Reader,
                            form: Listing,
                            id: web::Path<String>,
                            query: Query<HistoryQuery>| {
            let question =
                move |inquiry: &Inquiry<'_>, asked: &Parameters| rows::history(inquiry, view, &id, asked);
            let columns = |_: &Inquiry<'_>| Ok(Columns::of(CHANGE));
            list(service, reader, form, query.into_inner(), columns, question, HistoryView::of)
        };
        let one = move |service: web::Data<Service>,
                        reader: Reader,
                        id: web::Path<String>,
                        query: Query<OneQuery>| {
            let asked = query.into_inner();
            let question = move |inquiry: &Inquiry<'_>| {
                rows::one(inquiry, view, &id, asked.get("source"), &asked.moment)
            };
            answer(service, reader, question, RowDetail::of)
        };
        // Before `{id}`, which fits any word.
        get(&self.counts_path(), counts, config);
        get(self.path, rows, config);
        get(&self.history_path(), history, config);
        if !self.shows_more {
            get(&self.one_path(), one, config);
        }
    }
}

/// Registers a handler as `#[get]` does.
fn get<H, A>(path: &str, handler: H, config: &mut AppService)
where
    H: Handler<A>,
    A: FromRequest + 'static,
    H::Output: Responder + 'static,
{
    web::resource(path).guard(guard::Get()).to(handler).register(config);
}

impl<F: IntoParams> OpenApiFactory for RowsOf<F> {
    fn paths(&self) -> Paths {
        let in_query = || Some(ParameterIn::Query);
        let name = self.view.replace('-', "_");
        let what = self.what;
        let of_row =
            |asked: Vec<Parameter>| -> Vec<Parameter> { std::iter::once(id()).chain(asked).collect() };
        let list = operation(
            format!("list_{name}"),
            format!("{what}: the rows that fit"),
            ListParameters::<F>::into_params(in_query),
            ("A page of rows", &RowList::name()),
            true,
        );
        let counts = operation(
            format!("count_{name}"),
            format!("{what}: how many rows have which state, or which value of another field"),
            CountsQuery::into_params(in_query),
            ("Counts", &CountsView::name()),
            true,
        );
        let history = operation(
            format!("history_of_{name}"),
            format!("{what}: what made one row what it is, entry by entry"),
            of_row(HistoryQuery::into_params(in_query)),
            ("The row's history, by effective time", &HistoryView::name()),
            true,
        );
        let one = operation(
            format!("get_{name}"),
            format!("{what}: one row"),
            of_row(OneQuery::into_params(in_query)),
            ("The row", &RowDetail::name()),
            false,
        );
        let mut paths = Paths::new();
        let mut add = |path: &str, operation| {
            paths.paths.insert(path.to_owned(), PathItem::new(HttpMethod::Get, operation));
        };
        add(self.path, list);
        add(&self.counts_path(), counts);
        add(&self.history_path(), history);
        if !self.shows_more {
            add(&self.one_path(), one);
        }
        paths
    }

    fn schemas(&self, schemas: &mut Vec<(String, RefOr<Schema>)>) {
        fn add<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) {
            schemas.push((T::name().into_owned(), T::schema()));
            T::schemas(schemas);
        }
        add::<RowList>(schemas);
        add::<CountsView>(schemas);
        add::<HistoryView>(schemas);
        add::<RowDetail>(schemas);
    }
}

fn id() -> Parameter {
    ParameterBuilder::new()
        .name("id")
        .parameter_in(ParameterIn::Path)
        .required(utoipa::openapi::Required::True)
        .description(Some("The row's id"))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build()
}

fn operation(
    id: String,
    summary: String,
    parameters: Vec<Parameter>,
    (description, schema): (&str, &str),
    is_list: bool,
) -> Operation {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(schema))).build();
    let mut answered = ResponseBuilder::new().description(description).content("application/json", content);
    if is_list {
        let text = ObjectBuilder::new().schema_type(Type::String);
        answered = answered.content("text/csv", ContentBuilder::new().schema(Some(text)).build());
    }
    let responses =
        ResponsesBuilder::new().response("200", answered).responses_from_into_responses::<OfQuestions>();
    OperationBuilder::new()
        .tag("compliance")
        .operation_id(Some(id))
        .summary(Some(summary))
        .parameters(Some(parameters))
        .responses(responses.build())
        .build()
}
