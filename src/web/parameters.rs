//! The query of a request: read once, and nothing in it that the resource does not know.
//!
//! What a resource knows is what its description lists, so the two cannot come apart: [`Query`] takes the names from the
//! same declaration. A parameter that is unknown, or said twice, is refused in the same words everywhere: a filter that
//! is misspelled and passed over would answer another question than the one that was asked.

use crate::answers::parameters::{Parameters, unknown};
use crate::spec::encoding::from_decimal;
use crate::web::{Problem, ProblemType};
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use std::any::TypeId;
use std::cell::RefCell;
use std::collections::HashMap;
use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::ops::Deref;
use std::rc::Rc;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

/// Reads a query string: names and texts, whatever they are.
///
/// # Errors
/// 400: it is none.
pub fn read(query: &str) -> Result<Vec<(String, String)>, Problem> {
    if query.is_empty() {
        return Ok(Vec::new());
    }
    let malformed = |_| Problem::new(ProblemType::BadParameter, "the query string cannot be read");
    Ok(web::Query::<Vec<(String, String)>>::from_query(query).map_err(malformed)?.into_inner())
}

/// What is asked of rows whose fields only their view knows: names are looked at when it is found.
impl FromRequest for Parameters {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read(request.query_string()).and_then(|pairs| Ok(Parameters::of(pairs)?)))
    }
}

/// The query of a resource that knows the parameters of `P`, and no others.
pub struct Query<P>(Parameters, PhantomData<P>);

impl<P> Query<P> {
    /// What was asked.
    #[must_use]
    pub fn into_inner(self) -> Parameters {
        self.0
    }
}

impl<P> Deref for Query<P> {
    type Target = Parameters;

    fn deref(&self) -> &Parameters {
        &self.0
    }
}

impl<P: IntoParams + 'static> FromRequest for Query<P> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let only_known = |pairs: Vec<(String, String)>| {
            if !pairs.is_empty() {
                let known = known::<P>();
                if let Some((name, _)) = pairs.iter().find(|(name, _)| !known.contains(name)) {
                    return Err(unknown(name, &known).into());
                }
            }
            Ok(Query(Parameters::of(pairs)?, PhantomData))
        };
        ready(read(request.query_string()).and_then(only_known))
    }
}

/// An entry's number in a path, in its one spelling: another one is no address of anything.
pub struct EntryNumber(pub u64);

impl FromRequest for EntryNumber {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let number = request.match_info().get("seq").and_then(from_decimal);
        let none = || Problem::new(ProblemType::NotFound, "entries are numbered 0, 1, 2 …");
        ready(number.map(EntryNumber).ok_or_else(none))
    }
}

/// The names of the parameters that a declaration has.
fn known<P: IntoParams + 'static>() -> Rc<[String]> {
    thread_local! {
        // A declaration makes all its schemas to tell its names: once for each worker, not for each request.
        static KNOWN: RefCell<HashMap<TypeId, Rc<[String]>>> = RefCell::default();
    }
    KNOWN.with_borrow_mut(|all| {
        let names = || P::into_params(|| None).into_iter().map(|parameter| parameter.name).collect();
        all.entry(TypeId::of::<P>()).or_insert_with(names).clone()
    })
}

/// Declares that a resource knows no parameters at all.
pub struct Nothing;

impl IntoParams for Nothing {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        Vec::new()
    }
}

/// Declares the parameters of both.
pub struct Both<A, B>(PhantomData<(A, B)>);

impl<A: IntoParams, B: IntoParams> IntoParams for Both<A, B> {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut all = A::into_params(&place);
        all.extend(B::into_params(&place));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(IntoParams)]
    #[into_params(parameter_in = Query)]
    #[allow(dead_code, reason = "declares names")]
    struct Colours {
        colour: Option<String>,
        r#type: Option<String>,
    }

    #[derive(IntoParams)]
    #[into_params(parameter_in = Query)]
    #[allow(dead_code, reason = "declares names")]
    struct Sizes {
        size: u32,
    }

    fn asked<P: IntoParams + 'static>(query: &str) -> Result<Parameters, Problem> {
        let request = actix_web::test::TestRequest::with_uri(&format!("/?{query}")).to_http_request();
        Query::<P>::extract(&request).into_inner().map(Query::into_inner)
    }

    fn refused<P: IntoParams + 'static>(query: &str) -> String {
        let problem = asked::<P>(query).unwrap_err();
        assert_eq!(problem.kind, ProblemType::BadParameter, "{query}");
        problem.detail.into()
    }

    #[test]
    fn a_resource_knows_what_it_declares_and_nothing_else() {
        let both = asked::<Both<Colours, Sizes>>("size=1&colour=red&type=x").unwrap();
        assert_eq!((both.get("type"), both.get("colour"), both.get("shape")), (Some("x"), Some("red"), None));
        assert_eq!(
            refused::<Both<Colours, Sizes>>("colour=red&shape=round"),
            "there is no parameter \"shape\" here; there are: colour, type, size"
        );
        assert_eq!(refused::<Nothing>("a"), "there is no parameter \"a\" here; there are: none");
        assert!(asked::<Nothing>("").is_ok());
    }

    #[test]
    fn what_is_said_twice_is_refused_even_if_it_is_the_same() {
        assert!(refused::<Colours>("colour=red&colour=red").contains("\"colour\" must be there once"));
        assert!(refused::<Colours>("colour=red&%63olour=blue").contains("there once"));
    }
}
