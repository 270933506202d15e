//! The query of a request: read once, and nothing in it that the resource does not know.
//!
//! What a resource knows is what its description lists, so the two cannot come apart: [`Query`] takes the names from the
//! same declaration. A parameter that is unknown, or said twice, is refused in the same words everywhere: a filter that
//! is misspelled and passed over would answer another question than the one that was asked.

use crate::web::{Problem, ProblemType};
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use std::any::TypeId;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::ops::Deref;
use std::rc::Rc;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

/// Items in a list, unless asked otherwise.
const DEFAULT_LIMIT: usize = 50;

/// Items in a list at most.
///
/// Reason: entries have up to 64 KiB, rows some hundred bytes to some thousand; a page stays readable in one go.
pub const MAX_LIMIT: usize = 500;

/// A query string, read.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    pairs: Vec<(String, String)>,
}

impl Parameters {
    /// Reads a query string.
    ///
    /// # Errors
    /// 400: it is none, or says something twice.
    pub fn read(query: &str) -> Result<Parameters, Problem> {
        if query.is_empty() {
            return Ok(Parameters::default());
        }
        let malformed = |_| Problem::new(ProblemType::BadParameter, "the query string cannot be read");
        let pairs = web::Query::<Vec<(String, String)>>::from_query(query).map_err(malformed)?.into_inner();
        let mut seen = BTreeSet::new();
        match pairs.iter().find(|(name, _)| !seen.insert(name.as_str())) {
            Some((name, _)) => Err(Problem::parameter(
                &format!("{name:.64}"),
                "there once; separate several values with commas",
            )),
            None => Ok(Parameters { pairs }),
        }
    }

    /// Refuses a parameter that is not one of these.
    ///
    /// # Errors
    /// 400: there is one.
    pub fn only<N: AsRef<str>>(&self, known: &[N]) -> Result<(), Problem> {
        match self.pairs.iter().find(|(name, _)| !known.iter().any(|known| known.as_ref() == name)) {
            None => Ok(()),
            Some((name, _)) => Err(unknown(name, known)),
        }
    }

    /// All of them, in the order in which they stand.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A parameter's text.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The same, owned.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    /// A parameter without which there is no question.
    ///
    /// # Errors
    /// 400: it is not there, or empty.
    pub fn required(&self, name: &str, expected: &str) -> Result<&str, Problem> {
        self.get(name).filter(|text| !text.is_empty()).ok_or_else(|| Problem::parameter(name, expected))
    }

    /// A parameter that is true or false.
    ///
    /// # Errors
    /// 400: it is neither.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, Problem> {
        match self.get(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(Problem::parameter(name, "true or false")),
        }
    }

    /// A parameter that is one of some words.
    ///
    /// # Errors
    /// 400: it is another one.
    pub fn word<'w>(&self, name: &str, words: &[&'w str]) -> Result<Option<&'w str>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let word = words.iter().find(|word| **word == text);
        let expected = || Problem::parameter(name, &words.join(" or "));
        word.map(|word| Some(*word)).ok_or_else(expected)
    }

    /// A parameter that counts something, or names an entry by its number.
    ///
    /// # Errors
    /// 400: it is no whole number from 0 to 2^64 - 1.
    pub fn number(&self, name: &str, expected: &str) -> Result<Option<u64>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let digits = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let number = digits.and_then(|text| text.parse().ok());
        number.map(Some).ok_or_else(|| Problem::parameter(name, expected))
    }

    /// `min_seq`: the entry that the answer has to know of.
    ///
    /// # Errors
    /// 400: it is no entry's number.
    pub fn min_seq(&self) -> Result<Option<u64>, Problem> {
        self.number("min_seq", "an entry's number")
    }

    /// `limit`: how many items at most.
    ///
    /// # Errors
    /// 400: not from 1 to 500.
    pub fn limit(&self) -> Result<usize, Problem> {
        let limit = self.get("limit").map_or(Some(DEFAULT_LIMIT), |text| text.parse().ok());
        limit
            .filter(|limit| (1..=MAX_LIMIT).contains(limit))
            .ok_or_else(|| Problem::parameter("limit", "a number from 1 to 500"))
    }
}

/// What is said of a parameter that a resource does not know: the one place that says it.
pub fn unknown<N: AsRef<str>>(name: &str, known: &[N]) -> Problem {
    let known: Vec<&str> = known.iter().map(AsRef::as_ref).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Problem::new(
        ProblemType::BadParameter,
        format!("there is no parameter {name:.64?} here; there are: {known}"),
    )
}

impl FromRequest for Parameters {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Parameters::read(request.query_string()))
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
        let read = Parameters::read(request.query_string());
        let known = read.and_then(|parameters| {
            if !parameters.pairs.is_empty() {
                parameters.only(&known::<P>())?;
            }
            Ok(Query(parameters, PhantomData))
        });
        ready(known)
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
        problem.detail
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

    #[test]
    fn values_are_of_their_kind() {
        let read = |query: &str| Parameters::read(query).unwrap();
        assert_eq!(read("n=007").number("n", "a number").unwrap(), Some(7));
        for wrong in ["n=", "n=-1", "n=%2B1", "n=1.0", "n=18446744073709551616", "n=x"] {
            let said = read(wrong).number("n", "an entry's number").unwrap_err().detail;
            assert_eq!(said, "\"n\" must be an entry's number", "{wrong}");
        }
        assert_eq!(read("").limit().unwrap(), 50);
        assert_eq!(read("limit=500").limit().unwrap(), 500);
        for wrong in ["limit=0", "limit=501", "limit=", "limit=x", "limit=-1"] {
            assert!(read(wrong).limit().is_err(), "{wrong}");
        }
        assert_eq!(read("f=true").flag("f").unwrap(), Some(true));
        assert!(read("f=True").flag("f").is_err());
        assert_eq!(read("order=desc").word("order", &["asc", "desc"]).unwrap(), Some("desc"));
        let said = read("order=up").word("order", &["asc", "desc"]).unwrap_err().detail;
        assert_eq!(said, "\"order\" must be asc or desc");
        assert!(read("model=").required("model", "a model").is_err());
    }
}
