//! What a question is asked with: names and texts, and which rows of a view they mean. Which names there are depends on the
//! view, so they are read here one by one and not into a structure.

use super::Inquiry;
use super::cursor;
use super::error::AnswerError;
use super::moment::{AskedMoment, Held, Moment, time};
use super::words::{self, LEVEL, no_word};
use crate::spec::encoding::from_decimal;
use crate::spec::time::MICROS_PER_DAY;
use crate::views::engine::{Ask, CONFLICT, EXPIRED, OF_ALL, Sort, View, When};
use std::collections::BTreeSet;

/// Rows in a list, unless asked otherwise.
const DEFAULT_LIMIT: usize = 50;

/// Rows in a list at most.
///
/// Reason: rows have some hundred bytes to some thousand; a page stays readable in one go.
const MAX_LIMIT: usize = 500;

/// Values of one filter, at most.
pub const MAX_VALUES: usize = 64;

/// What several values of a parameter must be.
const SEVERAL: &str = "1 to 64 values, with commas between them";

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
const KNOWN: [&str; 15] = [
    "overdue",
    "validity",
    "due_from",
    "due_to",
    "ends_from",
    "ends_to",
    "opened_from",
    "opened_to",
    "changed_from",
    "changed_to",
    "ended_from",
    "ended_to",
    "sort",
    "limit",
    "cursor",
];

/// What all questions that are asked as of a moment know.
const OF_MOMENTS: [&str; 3] = ["as_of", "at", "min_seq"];

/// What is said of a parameter that is not known where it was given: the one place that says it.
#[must_use]
pub fn unknown<N: AsRef<str>>(name: &str, known: &[N]) -> AnswerError {
    let known: Vec<&str> = known.iter().map(AsRef::as_ref).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    AnswerError::Parameter(format!("there is no parameter {name:.64?} here; there are: {known}"))
}

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
                    let seq = number(&value);
                    let seq = seq.ok_or_else(|| AnswerError::parameter("min_seq", "an entry's number"))?;
                    parameters.moment.min_seq = Some(seq);
                }
                _ => parameters.pairs.push((name, value)),
            }
        }
        Ok(parameters)
    }

    /// The same question for a part of its list: so many rows, after a cursor, as of the moment at which it is held.
    #[must_use]
    pub fn part(&self, limit: usize, cursor: Option<&str>, held: Option<Held>) -> Parameters {
        let others = self.pairs.iter().filter(|(name, _)| !matches!(name.as_str(), "limit" | "cursor"));
        let mut pairs: Vec<(String, String)> = others.cloned().collect();
        pairs.push(("limit".to_owned(), limit.to_string()));
        pairs.extend(cursor.map(|cursor| ("cursor".to_owned(), cursor.to_owned())));
        Parameters { moment: AskedMoment { held, ..self.moment.clone() }, pairs }
    }

    /// A parameter's text.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The same, owned.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    /// A parameter that counts something, or names an entry by its number.
    ///
    /// # Errors
    /// It is no whole number from 0 to 2^64 - 1.
    pub fn number(&self, name: &str) -> Result<Option<u64>, AnswerError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let expected = || AnswerError::parameter(name, "a whole number");
        number(text).map(Some).ok_or_else(expected)
    }

    /// A number without which there is no question.
    ///
    /// # Errors
    /// It is not there, or no whole number.
    pub fn required_number(&self, name: &str) -> Result<u64, AnswerError> {
        self.number(name)?.ok_or_else(|| AnswerError::parameter(name, "there, a whole number"))
    }

    /// A parameter that is one of some words.
    ///
    /// # Errors
    /// It is another one.
    pub fn word<'w>(&self, name: &str, words: &[&'w str]) -> Result<Option<&'w str>, AnswerError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let word = words.iter().find(|word| **word == text);
        word.map(|word| Some(*word)).ok_or_else(|| no_word(name, text, words))
    }

    /// Whether the newest entries come first: `order`, or as it is if that is not given.
    ///
    /// # Errors
    /// It is neither `asc` nor `desc`.
    pub fn newest_first(&self, default: bool) -> Result<bool, AnswerError> {
        Ok(self.word("order", &["asc", "desc"])?.map_or(default, |word| word == "desc"))
    }

    /// A parameter that is one or several names, with commas between them.
    ///
    /// # Errors
    /// There are more than 64, or one is empty.
    pub fn names(&self, name: &str) -> Result<Option<Vec<&str>>, AnswerError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let names: Vec<&str> = text.split(',').collect();
        if names.len() > MAX_VALUES || names.contains(&"") {
            return Err(AnswerError::parameter(name, SEVERAL));
        }
        Ok(Some(names))
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
        let read = |text| number(text).and_then(|limit| usize::try_from(limit).ok());
        let limit = self.get("limit").map_or(Some(DEFAULT_LIMIT), read);
        limit
            .filter(|limit| (1..=MAX_LIMIT).contains(limit))
            .ok_or_else(|| AnswerError::parameter("limit", "a number from 1 to 500"))
    }

    /// The values of which one has to fit in a field of a view; none if it was not asked for.
    ///
    /// # Errors
    /// They are not of their form.
    pub fn filter(&self, view: &dyn View, name: &str) -> Result<Option<Vec<String>>, AnswerError> {
        self.get(name).map(|text| values(view, name, text)).transpose()
    }

    /// The question to a view, which ends when the moment does. Which query a cursor belongs to is in the second.
    ///
    /// # Errors
    /// A parameter is not of its form, or none that the view knows.
    pub fn ask(
        &self,
        inquiry: &Inquiry<'_>,
        view: &dyn View,
        moment: &Moment,
    ) -> Result<(Ask, String), AnswerError> {
        let (ask, identity) = self.read(view, moment.when)?;
        for (name, values) in &ask.filters {
            if let Some(known) = words::of_field(inquiry, view, name) {
                words::check(name, values, &known)?;
            }
        }
        Ok((Ask { ends: Some(moment.deadline.moment()), ..ask }, identity))
    }

    /// The same, without an end.
    ///
    /// # Errors
    /// As for [`Parameters::ask`].
    pub fn read(&self, view: &dyn View, when: When) -> Result<(Ask, String), AnswerError> {
        let fields = view.fields();
        let mut filters = Vec::new();
        for (name, value) in &self.pairs {
            if KNOWN.contains(&name.as_str()) || (name == UNREVIEWED && view.name() == "access") {
                continue;
            }
            if !(fields.iter().any(|field| field == name) || OF_ALL.contains(&name.as_str())) {
                let own = (view.name() == "access").then_some(UNREVIEWED);
                let mut known: Vec<&str> = OF_ALL.into_iter().chain(KNOWN).collect();
                known.extend(fields.iter().map(AsRef::<str>::as_ref).chain(own).chain(OF_MOMENTS));
                return Err(unknown(name, &known));
            }
            filters.push((name.clone(), values(view, name, value)?));
        }
        let date = |name: &str| self.get(name).map(|text| time(name, text)).transpose();
        let validity = self.word("validity", &["not-yet", "in-force", EXPIRED])?.map(str::to_owned);
        let overdue = self.flag("overdue")?;
        let default = if overdue == Some(true) { "due" } else { "-recorded" };
        let (sort, descending) = sort(self.get("sort").unwrap_or(default))?;
        let mut ask = Ask {
            filters,
            overdue,
            validity,
            due: (date("due_from")?, date("due_to")?),
            until: (date("ends_from")?, date("ends_to")?),
            opened: (date("opened_from")?, date("opened_to")?),
            changed: (date("changed_from")?, date("changed_to")?),
            ended: (date("ended_from")?, date("ended_to")?),
            sort,
            descending,
            ..Ask::all(when, self.limit()?)
        };
        if let Some(text) = self.get(UNREVIEWED).filter(|_| view.name() == "access") {
            let days = number(text).and_then(|days| i64::try_from(days).ok());
            let days = days.filter(|days| (0..=MAX_DAYS).contains(days));
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

/// The orders of a list, by name.
const SORTS: [(&str, Sort); 6] = [
    ("recorded", Sort::Recorded),
    ("opened", Sort::Opened),
    ("changed", Sort::Changed),
    ("ended", Sort::Ended),
    ("due", Sort::Due),
    ("ends", Sort::Until),
];

/// In which order, and whether from its end.
fn sort(text: &str) -> Result<(Sort, bool), AnswerError> {
    let (descending, word) = text.strip_prefix('-').map_or((false, text), |word| (true, word));
    let sort = SORTS.iter().find(|(name, _)| *name == word).map(|(_, sort)| (*sort, descending));
    let names = SORTS.map(|(name, _)| name).join(", ");
    sort.ok_or_else(|| {
        AnswerError::parameter("sort", &format!("one of {names}, with a minus for descending"))
    })
}

/// The values of a filter, with commas between them.
fn values(view: &dyn View, name: &str, text: &str) -> Result<Vec<String>, AnswerError> {
    let values: Vec<String> = text.split(',').map(str::to_owned).collect();
    if values.len() > MAX_VALUES || values.iter().any(String::is_empty) {
        return Err(AnswerError::parameter(name, SEVERAL));
    }
    if (name == CONFLICT || view.flags().contains(&name)) && !matches!(text, "true" | "false") {
        return Err(AnswerError::parameter(name, "true or false"));
    }
    let level = |value: &String| number(value).is_some_and(|level| (1..=9).contains(&level));
    if name == LEVEL && !values.iter().all(level) {
        return Err(AnswerError::parameter(name, "a number from 1 to 9"));
    }
    Ok(values)
}

/// A number in its one spelling: a client that keeps answers by their address keeps each once.
fn number(text: &str) -> Option<u64> {
    from_decimal(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, value: &str) -> Parameters {
        Parameters::of([(name.to_owned(), value.to_owned())]).unwrap()
    }

    #[test]
    fn values_are_of_their_kind() {
        assert_eq!(read("n", "7").number("n").unwrap(), Some(7));
        for wrong in ["", "007", "-1", "+1", "1.0", "18446744073709551616", "x"] {
            let said = read("n", wrong).number("n").unwrap_err().to_string();
            assert_eq!(said, "\"n\" must be a whole number", "{wrong}");
            assert!(Parameters::of([("min_seq".to_owned(), wrong.to_owned())]).is_err(), "{wrong}");
        }
        assert!(Parameters::default().required_number("n").is_err());
        assert_eq!(Parameters::default().limit().unwrap(), 50);
        assert_eq!(read("limit", "500").limit().unwrap(), 500);
        for wrong in ["0", "501", "", "x", "-1", "+5", "05"] {
            assert!(read("limit", wrong).limit().is_err(), "{wrong}");
        }
        assert_eq!(read("f", "true").flag("f").unwrap(), Some(true));
        assert!(read("f", "True").flag("f").is_err());
        assert_eq!(read("order", "desc").word("order", &["asc", "desc"]).unwrap(), Some("desc"));
        let said = read("order", "up").word("order", &["asc", "desc"]).unwrap_err().to_string();
        assert_eq!(said, "\"order\" must be asc or desc");
    }

    #[test]
    fn what_is_said_twice_is_refused_even_if_it_is_the_same() {
        let twice = ["a", "min_seq", "as_of"]
            .map(|name| [(name.to_owned(), "1".to_owned()), (name.to_owned(), "1".to_owned())]);
        for pairs in twice {
            let said = Parameters::of(pairs).unwrap_err().to_string();
            assert!(said.ends_with("must be there once; separate several values with commas"), "{said}");
        }
    }
}
