//! What there is, and what is answered where there is nothing.

use crate::api::docs::{ServedOpenApi, openapi, openapi_json};
use crate::api::{
    access, approvals, catalog as catalogue, clock, controls, decisions, docs, events, fairness, health,
    keys, log, post, proofs, registers, rows, sources, standing, statistics, stream, timeline,
};
use crate::catalog::Catalog;
use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, ResponseError as _, web};
use utoipa_swagger_ui::{Config, SwaggerUi};

/// All resources of the API, described with the event types of a catalogue.
pub fn routes(catalog: &Catalog) -> impl Fn(&mut ServiceConfig) + Clone + Send + use<> {
    let description = openapi(catalog);
    let served = web::Data::new(ServedOpenApi::of(catalog, &description));
    let description = web::Data::new(description);
    move |config| {
        config
            .app_data(served.clone())
            .app_data(description.clone())
            .service(health::healthz)
            .service(health::readyz)
            .service(openapi_json)
            .service(log::checkpoint)
            .service(log::tile)
            .service(v1())
            .service(web::redirect("/docs", "/docs/"))
            .service(SwaggerUi::new("/docs/{_:.*}").config(Config::from("/openapi.json")))
            .default_service(web::to(nothing_here));
    }
}

fn v1() -> actix_web::Scope {
    web::scope("/v1")
        .service(post::post_events)
        .service(stream::stream_events)
        .service(events::list_events)
        .service(events::get_event)
        .service(events::get_receipt)
        .service(proofs::inclusion)
        .service(proofs::consistency)
        .service(keys::list_keys)
        .service(keys::rotate_key)
        .service(clock::confirm_clock)
        .service(catalogue::get_catalog)
        .service(catalogue::list_types)
        .service(catalogue::get_type)
        .service(standing::list_views)
        .service(access::readers)
        .service(access::reach)
        .service(access::uncovered)
        .service(access::role_ended)
        .service(statistics::stats)
        .service(fairness::fairness)
        .service(approvals::after)
        .service(rows::access_requests::counts)
        .service(rows::access_requests::list)
        .service(rows::access_uses::counts)
        .service(rows::access_uses::list)
        .service(rows::approvals::counts)
        .service(rows::approvals::list)
        .service(rows::access::counts)
        .service(rows::access::list)
        .service(rows::decisions::counts)
        .service(rows::decisions::list)
        .service(rows::escalations::counts)
        .service(rows::escalations::list)
        .service(rows::access_requests::history)
        .service(rows::access_requests::one)
        .service(rows::access_uses::history)
        .service(rows::access_uses::one)
        .service(rows::approvals::history)
        .service(approvals::one)
        .service(rows::access::history)
        .service(rows::access::one)
        .service(rows::decisions::history)
        .service(decisions::one)
        .service(rows::escalations::history)
        .service(rows::escalations::one)
        .service(registers::list_registers)
        .service(registers::count_register)
        .service(registers::list_register)
        .service(registers::history_of_register_row)
        .service(registers::get_register_row)
        .service(controls::list_controls)
        .service(controls::get_control)
        .service(controls::list_control_evidence)
        .service(controls::list_control_members)
        .service(timeline::subject_timeline)
        .service(sources::list_sources)
        .service(sources::get_source)
        .default_service(web::to(nothing_here))
}

async fn nothing_here(request: HttpRequest, description: web::Data<serde_json::Value>) -> HttpResponse {
    let allowed = docs::methods(&description, request.path());
    let mut response = docs::not_there(&allowed, request.path()).error_response();
    if let Ok(value) = HeaderValue::from_str(&allowed.join(", "))
        && !allowed.is_empty()
    {
        response.headers_mut().insert(ALLOW, value);
    }
    response
}
