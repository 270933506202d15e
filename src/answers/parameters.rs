//! What a question is asked with: names and texts, and which rows of a view they mean. Which names there are depends on the
//! view, so they are read here one by one and not into a structure.

use super::cursor;
use super::error::AnswerError;
use super::moment::{AskedMoment, Moment, time};
use crate::spec::time::MICROS_PER_DAY;
use crate::views::engine::{Ask, EXPIRED, Sort, View};
use std::collections::BTreeSet;

/// Rows in a list, unless asked otherwise.
const DEFAULT_LIMIT: usize = 50;

/// Rows in a list at most.
///
/// Reason: rows have some hundred bytes to some thousand; a page stays readable in one go.
const MAX_LIMIT: usize = 500;

/// Values of one filter, at most.
const MAX_VALUES: usize = 64;

/// Of escalations: how high they have gone.
const LEVEL: &str = "level";

/// Of grants: nobody has looked at them for so many days.
const UNREVIEWED: &str = "unreviewed_days";

/// A hundred years.
const MAX_DAYS: i64 = 36_500;

/// The parameters of one question.
#[derive(Debug, Default)]
pub struct Parameters {
    /// As of when.
    pub moment: AskedMoment,
    pairs: Vec<(String, String)>,
}

/// What the parameters of all lists are called.
const KNOWN: [&str; 9] =
    ["overdue", "validity", "due_from", "due_to", "ends_from", "ends_to", "sort", "limit", "cursor"];

impl Parameters {
    /// Sorts pairs of name and text out.
    ///
    /// # Errors
    /// One says something twice, or `min_seq` is no number.
    pub fn of(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Parameters, AnswerError> {
        let mut parameters = Parameters::default();
        let mut seen = BTreeSet::new();
        for (name, value) in pairs {
            if !seen.insert(name.clone()) {
                return Err(AnswerError::parameter(&name, "there once; separate several values with commas"));
            }
            match name.as_str() {
                "as_of" => parameters.moment.as_of = Some(value),
                "at" => parameters.moment.at = Some(value),
                "min_seq" => {
                    let seq =
                        value.parse().map_err(|_| AnswerError::parameter("min_seq", "an entry's number"))?;
                    parameters.moment.min_seq = Some(seq);
                }
                _ => parameters.pairs.push((name, value)),
            }
        }
        Ok(parameters)
    }

    /// A parameter's text.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The names of all parameters but those that say as of when.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pairs.iter().map(|(name, _)| name.as_str())
    }

    /// Refuses a parameter that the resource does not know, beside `as_of`, `at` and `min_seq`.
    ///
    /// # Errors
    /// There is one.
    pub fn only(&self, known: &[&str]) -> Result<(), AnswerError> {
        match self.pairs.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some((name, _)) => {
                let mut known = known.to_vec();
                known.push("min_seq");
                let detail = format!("there is no parameter {name:.64?} here; see {}", known.join(", "));
                Err(AnswerError::Parameter(detail))
            }
        }
    }

    /// A parameter that is true or false.
    ///
    /// # Errors
    /// It is neither.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, AnswerError> {
        match self.get(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(AnswerError::parameter(name, "true or false")),
        }
    }

    /// How many rows at most.
    ///
    /// # Errors
    /// Not from 1 to 500.
    pub fn limit(&self) -> Result<usize, AnswerError> {
        let limit = self.get("limit").map_or(Some(DEFAULT_LIMIT), |text| text.parse().ok());
        limit
            .filter(|limit| (1..=MAX_LIMIT).contains(limit))
            .ok_or_else(|| AnswerError::parameter("limit", "a number from 1 to 500"))
    }

    /// The question to a view. Which query a cursor belongs to is in the second.
    ///
    /// # Errors
    /// A parameter is not of its form, or none that the view knows.
    pub fn ask(&self, view: &dyn View, moment: &Moment) -> Result<(Ask, String), AnswerError> {
        let when = moment.when;
        let fields = view.fields();
        let mut filters = Vec::new();
        for (name, value) in &self.pairs {
            if KNOWN.contains(&name.as_str()) || (name == UNREVIEWED && view.name() == "access") {
                continue;
            }
            if !(fields.iter().any(|field| field == name)
                || matches!(name.as_str(), "state" | "owner" | "id"))
            {
                let detail = format!(
                    "{} knows no parameter {name:.64?}; it knows state, owner, id, {}, {}",
                    view.name(),
                    KNOWN.join(", "),
                    fields.join(", ")
                );
                return Err(AnswerError::Parameter(detail));
            }
            let values: Vec<String> = value.split(',').map(str::to_owned).collect();
            if values.len() > MAX_VALUES || values.iter().any(String::is_empty) {
                return Err(AnswerError::parameter(name, "1 to 64 values, with commas between them"));
            }
            if view.flags().contains(&name.as_str()) && !matches!(value.as_str(), "true" | "false") {
                return Err(AnswerError::parameter(name, "true or false"));
            }
            let level = |value: &String| value.parse::<u8>().is_ok_and(|level| (1..=9).contains(&level));
            if name == LEVEL && !values.iter().all(level) {
                return Err(AnswerError::parameter(name, "a number from 1 to 9"));
            }
            filters.push((name.clone(), values));
        }
        let date = |name: &str| self.get(name).map(|text| time(name, text)).transpose();
        let validity = self.get("validity").map(str::to_owned);
        if validity.as_deref().is_some_and(|word| !matches!(word, "not-yet" | "in-force" | EXPIRED)) {
            return Err(AnswerError::parameter("validity", "not-yet, in-force or expired"));
        }
        let overdue = self.flag("overdue")?;
        let default = if overdue == Some(true) { "due" } else { "-opened" };
        let sort = self.get("sort").unwrap_or(default);
        let (descending, word) = sort.strip_prefix('-').map_or((false, sort), |word| (true, word));
        let sort = match word {
            "opened" => Sort::Opened,
            "due" => Sort::Due,
            "ends" => Sort::Until,
            _ => {
                return Err(AnswerError::parameter(
                    "sort",
                    "opened, due or ends, with a minus for descending",
                ));
            }
        };
        let mut ask = Ask {
            filters,
            overdue,
            validity,
            due: (date("due_from")?, date("due_to")?),
            until: (date("ends_from")?, date("ends_to")?),
            sort,
            descending,
            ..moment.all(self.limit()?)
        };
        if let Some(text) = self.get(UNREVIEWED).filter(|_| view.name() == "access") {
            let days = text.parse::<i64>().ok().filter(|days| (0..=MAX_DAYS).contains(days));
            let days = days.ok_or_else(|| AnswerError::parameter(UNREVIEWED, "a number of days"))?;
            ask.before = Some(("review_basis_at".to_owned(), when.at.saturating_add(-days * MICROS_PER_DAY)));
            ask.filters.push(("state".to_owned(), vec!["granted".to_owned()]));
            ask.validity = Some("in-force".to_owned());
        }
        let mut of_query: Vec<_> =
            self.pairs.iter().filter(|(name, _)| !matches!(name.as_str(), "limit" | "cursor")).collect();
        of_query.sort();
        let identity = format!("{} {of_query:?} {:?} {:?}", view.name(), self.moment.as_of, self.moment.at);
        ask.after = self.get("cursor").map(|text| cursor::decode_place(&identity, text)).transpose()?;
        Ok((ask, identity))
    }
}
