//! With which problems each kind of resource may answer.
//!
//! A resource says of which kind it is, in one word among its responses; statuses, words and headers follow from the table
//! of problem types. What several resources have in common then stands in the description once.

use crate::web::ProblemType as Type;
use crate::web::problem::PROBLEM_JSON;
use std::collections::BTreeMap;
use utoipa::IntoResponses;
use utoipa::openapi::{
    ContentBuilder, HeaderBuilder, KnownFormat, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder,
    SchemaFormat, Type as SchemaType,
};

/// Whoever asks anything: a token is looked at, and the query.
const OF_CALLERS: &[Type] = &[Type::BadParameter, Type::Unauthenticated, Type::RateLimited];

/// Whoever does what needs a role.
const OF_ROLES: &[Type] = &[Type::BadParameter, Type::Unauthenticated, Type::Forbidden, Type::RateLimited];

/// Whoever asks the views, and through them the index.
const OF_QUESTIONS: &[Type] = &[
    Type::BadParameter,
    Type::BadCursor,
    Type::Unauthenticated,
    Type::Forbidden,
    Type::NotFound,
    Type::TakenAway,
    Type::RateLimited,
    Type::ViewBuilding,
    Type::ViewsUnavailable,
    Type::IndexUnavailable,
    Type::Starting,
    Type::Overloaded,
    Type::TookTooLong,
];

/// Whoever asks what entries there are, of the index.
const OF_LISTS: &[Type] = &[
    Type::BadParameter,
    Type::BadCursor,
    Type::Unauthenticated,
    Type::Forbidden,
    Type::NotFound,
    Type::RateLimited,
    Type::IndexUnavailable,
    Type::Starting,
    Type::Overloaded,
    Type::TookTooLong,
];

/// Whoever follows the log.
const OF_STREAMS: &[Type] = &[
    Type::BadParameter,
    Type::Unauthenticated,
    Type::Forbidden,
    Type::NotFound,
    Type::RateLimited,
    Type::Overloaded,
];

/// Whoever posts events.
const OF_POSTS: &[Type] = &[
    Type::Malformed,
    Type::NotCanonical,
    Type::NotACloudEvent,
    Type::BadParameter,
    Type::Unauthenticated,
    Type::Forbidden,
    Type::SourceNotAllowed,
    Type::TypeNotAllowed,
    Type::NotSpokenFor,
    Type::IdentityConflict,
    Type::VersionConflict,
    Type::TooLarge,
    Type::UnsupportedMediaType,
    Type::UnsupportedCoding,
    Type::UnknownType,
    Type::ReservedType,
    Type::SchemaViolation,
    Type::PersonalDataUnsupported,
    Type::ProducerSignatureUnsupported,
    Type::UnknownTarget,
    Type::CorrectionRefused,
    Type::Contradiction,
    Type::AheadOfTime,
    Type::PublicationRefused,
    Type::Unprocessable,
    Type::RateLimited,
    Type::Overloaded,
    Type::Starting,
    Type::ClockJumped,
    Type::ClockBehind,
    Type::ReadOnly,
    Type::Stopped,
    Type::IndexUnavailable,
    Type::NoRoom,
];

/// What administrators do that is an entry of the ledger's own.
const OF_ADMINISTRATION: &[Type] = &[
    Type::BadParameter,
    Type::Unauthenticated,
    Type::Forbidden,
    Type::RateLimited,
    Type::Overloaded,
    Type::ReadOnly,
    Type::Stopped,
    Type::NoRoom,
];

/// The same, where it brings a key into force.
const OF_ROTATIONS: &[Type] = &[
    Type::Malformed,
    Type::BadParameter,
    Type::Unauthenticated,
    Type::Forbidden,
    Type::RotationConflict,
    Type::TooLarge,
    Type::UnsupportedCoding,
    Type::RateLimited,
    Type::Overloaded,
    Type::ReadOnly,
    Type::Stopped,
    Type::NoRoom,
];

macro_rules! kinds {
    ($($(#[$what:meta])* $name:ident = $types:expr;)*) => {
        $(
            $(#[$what])*
            pub struct $name;

            impl IntoResponses for $name {
                fn responses() -> BTreeMap<String, RefOr<Response>> {
                    problems($types)
                }
            }
        )*
    };
}

kinds! {
    /// A resource for anyone with a token.
    OfCallers = OF_CALLERS;
    /// A resource for those with a role.
    OfRoles = OF_ROLES;
    /// A resource that answers from the views: for those who may read everything.
    OfQuestions = OF_QUESTIONS;
    /// A resource that answers from the index: for those who may read everything.
    OfLists = OF_LISTS;
    /// A resource that goes on telling.
    OfStreams = OF_STREAMS;
    /// The resource that events are posted to.
    OfPosts = OF_POSTS;
    /// A resource by which an administrator makes an entry.
    OfAdministration = OF_ADMINISTRATION;
    /// A resource by which an administrator changes the key.
    OfRotations = OF_ROTATIONS;
    /// What there may not be, beside another kind.
    OrNotThere = &[Type::NotFound];
}

/// One response for each status that these types have.
fn problems(types: &[Type]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<Type>> = BTreeMap::new();
    for kind in types {
        by_status.entry(kind.parts().0).or_default().push(*kind);
    }
    by_status.into_iter().map(|(status, types)| (status.to_string(), response(&types).into())).collect()
}

fn response(types: &[Type]) -> Response {
    let said = types.iter().map(|kind| format!("`{}`: {}", kind.parts().1, meaning(*kind)));
    let schema = Ref::from_schema_name("Problem");
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let mut response = ResponseBuilder::new()
        .description(said.collect::<Vec<_>>().join("; "))
        .content(PROBLEM_JSON, content);
    if types.iter().any(|kind| kind.retry_after_s().is_some()) {
        response = response.header("Retry-After", header("Seconds after which it may be tried again"));
    }
    if types.contains(&Type::Unauthenticated) {
        let schema = ObjectBuilder::new().schema_type(SchemaType::String);
        let header = HeaderBuilder::new().schema(Some(schema)).description(Some("How to authenticate"));
        response = response.header("WWW-Authenticate", header.build());
    }
    response.build()
}

/// What a type says here; elsewhere its title says it.
fn meaning(kind: Type) -> &'static str {
    match kind {
        Type::BadParameter => "a parameter or header is unknown, said twice, or not of its form",
        Type::NotFound => "there is nothing like it, as of then; or what is waited for is beyond the log",
        other => other.parts().2,
    }
}

/// A header that holds a whole number.
pub fn header(description: &str) -> utoipa::openapi::Header {
    let schema = ObjectBuilder::new()
        .schema_type(SchemaType::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(0));
    HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_one_status_are_one_response() {
        let said = serde_json::to_value(OfPosts::responses()).unwrap();
        assert_eq!(said.as_object().unwrap().len(), 10);
        let conflict = &said["409"];
        assert!(conflict["description"].as_str().unwrap().contains("`version-conflict`: "));
        assert_eq!(conflict["content"][PROBLEM_JSON]["schema"]["$ref"], "#/components/schemas/Problem");
        assert!(conflict.get("headers").is_none());
        assert!(said["503"]["headers"]["Retry-After"].is_object());
    }

    #[test]
    fn every_type_but_faults_of_the_server_may_be_met_somewhere() {
        let all = [OF_CALLERS, OF_QUESTIONS, OF_LISTS, OF_STREAMS, OF_POSTS, OF_ROTATIONS].concat();
        for kind in Type::ALL {
            // A method that is not there is no operation's answer.
            let met = all.contains(kind) || kind.parts().0 == 500 || *kind == Type::MethodNotAllowed;
            assert!(met, "{kind:?} is in no kind of resource");
        }
    }
}
