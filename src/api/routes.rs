//! What there is, and what is answered where there is nothing.

use crate::api::docs::{ServedOpenApi, openapi, openapi_json};
use crate::api::{catalog as catalogue, clock, docs, events, health, keys, log, post, proofs, stream, views};
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
        .service(views::standing::list_views)
        .service(views::access::readers)
        .service(views::access::reach)
        .service(views::access::uncovered)
        .service(views::access::role_ended)
        .service(views::decisions::stats)
        .service(views::decisions::fairness)
        .service(views::approvals::after)
        .service(views::rows::access_requests::counts)
        .service(views::rows::access_requests::list)
        .service(views::rows::access_uses::counts)
        .service(views::rows::access_uses::list)
        .service(views::rows::approvals::counts)
        .service(views::rows::approvals::list)
        .service(views::rows::access::counts)
        .service(views::rows::access::list)
        .service(views::rows::decisions::counts)
        .service(views::rows::decisions::list)
        .service(views::rows::escalations::counts)
        .service(views::rows::escalations::list)
        .service(views::rows::access_requests::history)
        .service(views::rows::access_requests::one)
        .service(views::rows::access_uses::history)
        .service(views::rows::access_uses::one)
        .service(views::rows::approvals::history)
        .service(views::approvals::one)
        .service(views::rows::access::history)
        .service(views::rows::access::one)
        .service(views::rows::decisions::history)
        .service(views::decisions::one)
        .service(views::rows::escalations::history)
        .service(views::rows::escalations::one)
        .service(views::registers::list_registers)
        .service(views::registers::count_register)
        .service(views::registers::list_register)
        .service(views::registers::history_of_register_row)
        .service(views::registers::get_register_row)
        .service(views::controls::list_controls)
        .service(views::controls::get_control)
        .service(views::controls::list_control_evidence)
        .service(views::controls::list_control_members)
        .service(views::timeline::subject_timeline)
        .service(views::sources::list_sources)
        .service(views::sources::get_source)
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
