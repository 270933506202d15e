//! What there is: every resource of the API, named once.
//!
//! A resource is registered together with its description, so neither can be without the other. Their order matters: the
//! first that fits answers, so words that are fixed come before `{id}`.

use crate::api::description::{Description, not_there};
use crate::api::{
    access, approvals, catalog as catalogue, clock, controls, corrections, courses, decisions, events,
    fairness, filters, health, keys, late, log, look_alikes, metrics, post, proofs, registers, rows, sources,
    standing, statistics, stream, timeline,
};
use crate::web::Service;
use crate::web::problem::{Problem, ProblemItem};
use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::web::ServiceConfig;
use actix_web::{App, HttpRequest, HttpResponse, ResponseError as _, get, web};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_actix_web::service_config::ServiceConfig as Described;
use utoipa_actix_web::{AppExt as _, scope};
use utoipa_swagger_ui::{Config, SwaggerUi};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Daybook",
        description = "An audit ledger for decisions that people and machines will be asked about later. Events are posted as \
                       CloudEvents; each is signed, chained and put in a Merkle log, and answered with a receipt that anyone can \
                       check offline.\n\nErrors are `application/problem+json` (RFC 9457) with a stable `type`, a JSON Pointer to \
                       the place, and a next step; `Problem` lists the types.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "applications", description = "Post events, read them back"),
        (name = "compliance", description = "Ask approvals, access, decisions, escalations, registers and controls: now, as they were known, as they held"),
        (name = "regulators", description = "Checkpoint, tiles, proofs, keys: what offline verification needs"),
        (name = "administrators", description = "Keys and clock"),
        (name = "operators", description = "Is it alive, is it ready"),
    ),
    components(schemas(post::RecordedBatch, Problem, ProblemItem, filters::Order)),
    modifiers(&BearerToken),
    security(("token" = [])),
)]
struct Api;

struct BearerToken;

impl Modify for BearerToken {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let scheme = Http::builder()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("`daybook token create` makes one"))
            .build();
        api.components.get_or_insert_default().add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

fn resources(config: &mut Described<'_>) {
    config
        .service(health::healthz)
        .service(health::readyz)
        .service(metrics::metrics)
        .service(log::checkpoint)
        .service(log::tile)
        .service(
            scope("/v1")
                .configure(v1)
                .map(|scope: actix_web::Scope| scope.default_service(web::to(nothing_here))),
        );
}

fn v1(config: &mut Described<'_>) {
    config
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
        .service(rows::REQUESTS)
        .service(rows::USES)
        .service(rows::GRANTS)
        .service(courses::approvals)
        .service(rows::APPROVALS)
        .service(approvals::after)
        .service(approvals::one)
        .service(statistics::stats)
        .service(fairness::fairness)
        .service(rows::DECISIONS)
        .service(decisions::one)
        .service(courses::escalations)
        .service(rows::ESCALATIONS)
        .service(registers::list_registers)
        .service(registers::count_register)
        .service(registers::list_register)
        .service(registers::history_of_register_row)
        .service(registers::get_register_row)
        .service(controls::list_controls)
        .service(controls::get_control)
        .service(controls::list_control_evidence)
        .service(controls::list_control_members)
        .service(corrections::list_corrections)
        .service(late::list_late)
        .service(look_alikes::list_look_alikes)
        .service(timeline::subject_timeline)
        .service(sources::list_sources)
        .service(sources::get_source);
}

/// What the resources declare of themselves.
#[must_use]
pub fn declared() -> utoipa::openapi::OpenApi {
    App::new().into_utoipa_app().openapi(Api::openapi()).configure(resources).split_for_parts().1
}

/// All resources, for each worker of a server.
pub fn routes() -> impl Fn(&mut ServiceConfig) + Clone + Send + use<> {
    let description = web::Data::new(Description::of(declared()));
    move |config| {
        config.app_data(description.clone());
        resources(&mut Described::new(config));
        config
            .service(openapi_json)
            .service(web::redirect("/docs", "/docs/"))
            .service(SwaggerUi::new("/docs/{_:.*}").config(Config::from("/openapi.json")))
            .default_service(web::to(nothing_here));
    }
}

/// The OpenAPI description.
#[get("/openapi.json")]
async fn openapi_json(service: web::Data<Service>, description: web::Data<Description>) -> HttpResponse {
    let text = description.text(&service.catalog.current());
    HttpResponse::Ok().content_type("application/json").body(text)
}

async fn nothing_here(request: HttpRequest, description: web::Data<Description>) -> HttpResponse {
    let allowed = description.methods(request.path());
    let mut response = not_there(&allowed, request.path()).error_response();
    if let Ok(value) = HeaderValue::from_str(&allowed.join(", "))
        && !allowed.is_empty()
    {
        response.headers_mut().insert(ALLOW, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::RESERVED_IDS;

    /// A new word beside ids must not take the place of a row: it has to be among those that no row can be called.
    #[test]
    fn every_word_that_stands_where_an_id_may_is_reserved() {
        let paths: Vec<String> = declared().paths.paths.keys().cloned().collect();
        let mut found = 0;
        for path in paths.iter().filter(|path| path.ends_with("/{id}")) {
            let parent = path.trim_end_matches("{id}");
            let words = paths.iter().filter_map(|path| path.strip_prefix(parent)?.split('/').next());
            for word in words.filter(|word| !word.starts_with('{')) {
                assert!(RESERVED_IDS.contains(&word), "{parent}{word} stands where a row may");
                found += 1;
            }
        }
        assert!(found >= 9, "{found}");
    }
}
