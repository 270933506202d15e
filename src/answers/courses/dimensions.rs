//! By what rows are put together: a field of theirs, or the day, week, month or quarter in which they were opened.

use super::clocks::Course;
use crate::answers::error::AnswerError;
use crate::spec::time::{Day, Timestamp};
use crate::views::engine::{Found, View};

/// By how many at once.
const MAX_DIMENSIONS: usize = 2;

/// A stretch of the calendar, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stretch {
    /// `2026-03-02`.
    Day,
    /// `2026-W10`, by ISO 8601: from Monday on, and of the year that has its Thursday.
    Week,
    /// `2026-03`.
    Month,
    /// `2026-Q1`.
    Quarter,
}

/// All of them, by name.
const STRETCHES: [(&str, Stretch); 4] = [
    ("day", Stretch::Day),
    ("week", Stretch::Week),
    ("month", Stretch::Month),
    ("quarter", Stretch::Quarter),
];

/// By what rows are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// A field of theirs.
    Field(&'static str),
    /// When they were opened.
    Opened(&'static str, Stretch),
}

/// What a row has of a dimension.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// The value of a field, if it has one.
    Value(Option<String>),
    /// The first day of a stretch, and the stretch's name.
    Stretch(Day, String),
}

impl Key {
    /// As it is told.
    #[must_use]
    pub fn text(self) -> Option<String> {
        match self {
            Key::Value(value) => value,
            Key::Stretch(_, name) => Some(name),
        }
    }
}

/// Reads by what rows are to be put together.
///
/// # Errors
/// There is no such dimension, one is named twice, or there are too many of them.
pub fn read(course: &Course, text: Option<&str>) -> Result<Vec<Dimension>, AnswerError> {
    let text = text.unwrap_or(course.default);
    if text == "none" {
        return Ok(Vec::new());
    }
    let mut by: Vec<Dimension> = Vec::new();
    for word in text.split(',') {
        let field = course.fields.iter().find(|field| **field == word).map(|field| Dimension::Field(field));
        let stretch = STRETCHES.iter().find(|(name, _)| *name == word);
        let stretch = stretch.map(|(name, stretch)| Dimension::Opened(name, *stretch));
        let dimension = field.or(stretch).filter(|dimension| !by.contains(dimension));
        by.push(dimension.ok_or_else(|| expected(course))?);
    }
    let stretches = by.iter().filter(|dimension| matches!(dimension, Dimension::Opened(..))).count();
    if by.len() > MAX_DIMENSIONS || stretches > 1 { Err(expected(course)) } else { Ok(by) }
}

fn expected(course: &Course) -> AnswerError {
    let stretches = STRETCHES.map(|(name, _)| name);
    let words = [course.fields, &stretches].concat().join(", ");
    let expected = format!("one or two of {words}, with a comma, and at most one stretch of time; or none");
    AnswerError::parameter("group_by", &expected)
}

impl Dimension {
    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Dimension::Field(name) | Dimension::Opened(name, _) => name,
        }
    }

    /// What a row has of it.
    #[must_use]
    pub fn key(self, view: &dyn View, found: &Found, at: Timestamp) -> Key {
        match self {
            Dimension::Field("state") => Key::Value(Some(found.state(view, at).to_owned())),
            Dimension::Field("owner") => Key::Value(found.row.owner.clone()),
            Dimension::Field(name) => {
                let mut facets = view.facets(&found.row).into_iter();
                Key::Value(facets.find(|(facet, _)| *facet == name).map(|(_, value)| value))
            }
            Dimension::Opened(_, stretch) => {
                let day = found.opened_at.day();
                Key::Stretch(stretch.first(day), stretch.name(day))
            }
        }
    }
}

/// The filters by which a list has the rows of one group that were opened in a period; none where no filter says so: of a
/// field that they do not have, or a value with a comma, which stands between values.
pub fn filters(
    by: &[Dimension],
    keys: &[Key],
    (mut from, mut to): (Option<Timestamp>, Option<Timestamp>),
) -> Option<Vec<(String, Vec<String>)>> {
    let mut filters = Vec::new();
    for (dimension, key) in by.iter().zip(keys) {
        match (dimension, key) {
            (Dimension::Opened(_, stretch), Key::Stretch(first, _)) => {
                from = from.max(Some(first.start()));
                let end = stretch.end(*first).map(Day::start);
                to = to.into_iter().chain(end).min();
            }
            (_, Key::Value(Some(value))) if !value.is_empty() && !value.contains(',') => {
                filters.push((dimension.name().to_owned(), vec![value.clone()]));
            }
            _ => return None,
        }
    }
    for (name, time) in [("opened_from", from), ("opened_to", to)] {
        filters.extend(time.map(|time| (name.to_owned(), vec![time.to_string()])));
    }
    Some(filters)
}

impl Stretch {
    /// The first day of the stretch that has this day.
    fn first(self, day: Day) -> Day {
        match self {
            Stretch::Day => day,
            // The first day of the year 0000 is a Saturday: that week begins where the calendar does.
            Stretch::Week => Day::from_number(day.number() - weekday(day)).unwrap_or(Day::FIRST),
            Stretch::Month => first_of(day, month(day)),
            Stretch::Quarter => first_of(day, (month(day) - 1) / 3 * 3 + 1),
        }
    }

    /// The first day after a stretch that begins with this day; none after the last one that there is.
    fn end(self, first: Day) -> Option<Day> {
        match self {
            Stretch::Day => Day::from_number(first.number() + 1),
            Stretch::Week => Day::from_number(first.number() - weekday(first) + 7),
            Stretch::Month => first.months_later(1),
            Stretch::Quarter => first.months_later(3),
        }
    }

    /// What the stretch that has this day is called.
    fn name(self, day: Day) -> String {
        match self {
            Stretch::Day => day.to_string(),
            Stretch::Week => {
                let thursday = Day::from_number(day.number() - weekday(day) + 3).unwrap_or(day);
                let week = (thursday.number() - first_of(thursday, 1).number()) / 7 + 1;
                format!("{}-W{week:02}", year(thursday))
            }
            Stretch::Month => format!("{}-{:02}", year(day), month(day)),
            Stretch::Quarter => format!("{}-Q{}", year(day), (month(day) - 1) / 3 + 1),
        }
    }
}

/// Days since Monday. The first day of 1970 was a Thursday.
fn weekday(day: Day) -> i32 {
    (day.number() + 3).rem_euclid(7)
}

/// The first day of a month of a day's year.
fn first_of(day: Day, month: u32) -> Day {
    Day::parse(&format!("{}-{month:02}-01", year(day))).unwrap_or(day)
}

fn year(day: Day) -> String {
    day.to_string().chars().take(4).collect()
}

fn month(day: Day) -> u32 {
    day.to_string().get(5..7).and_then(|month| month.parse().ok()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answers::courses::clocks::{APPROVALS, ESCALATIONS};
    use chrono::{Datelike as _, NaiveDate};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn stretches_are_those_of_another_calendar(number in -700_000..2_900_000_i32) {
            let day = Day::from_number(number).unwrap();
            let other = NaiveDate::from_epoch_days(number).unwrap();
            let week = other.iso_week();
            prop_assert_eq!(Stretch::Week.name(day), format!("{:04}-W{:02}", week.year(), week.week()));
            prop_assert_eq!(Stretch::Month.name(day), other.format("%Y-%m").to_string());
            prop_assert_eq!(Stretch::Quarter.name(day), format!("{:04}-Q{}", other.year(), other.month0() / 3 + 1));
            for (_, stretch) in STRETCHES {
                let (first, end) = (stretch.first(day), stretch.end(stretch.first(day)).unwrap());
                prop_assert!(first <= day && day < end);
                // The stretch has these days, and no others.
                prop_assert_eq!(stretch.name(first), stretch.name(day));
                prop_assert_eq!(stretch.name(Day::from_number(end.number() - 1).unwrap()), stretch.name(day));
                prop_assert_ne!(stretch.name(end), stretch.name(day));
                prop_assert_ne!(stretch.name(Day::from_number(first.number() - 1).unwrap()), stretch.name(day));
            }
        }
    }

    #[test]
    fn one_or_two_are_named_and_each_once() {
        let names = |course: &Course, text: Option<&str>| -> Option<Vec<&str>> {
            read(course, text).ok().map(|by| by.into_iter().map(Dimension::name).collect())
        };
        assert_eq!(names(&APPROVALS, None), Some(vec!["kind"]));
        assert_eq!(names(&APPROVALS, Some("none")), Some(vec![]));
        assert_eq!(names(&ESCALATIONS, Some("level,quarter")), Some(vec!["level", "quarter"]));
        for wrong in ["", "colour", "severity", "kind,kind", "day,week", "kind,owner,day", "kind,none"] {
            let said = read(&APPROVALS, Some(wrong)).unwrap_err().to_string();
            assert!(
                said.contains("one or two of kind, owner, risk_class, state, day, week"),
                "{wrong}: {said}"
            );
        }
    }

    #[test]
    fn a_group_that_no_filter_finds_has_none() {
        let (kind, month) = (Dimension::Field("kind"), Dimension::Opened("month", Stretch::Month));
        let key = |value: Option<&str>| Key::Value(value.map(str::to_owned));
        let march = Day::parse("2026-03-01").unwrap();
        let within = (Timestamp::parse("2026-03-09T00:00:00.000000Z"), None);
        let found =
            filters(&[kind, month], &[key(Some("budget")), Key::Stretch(march, String::new())], within);
        let expected = [
            ("kind", "budget"),
            ("opened_from", "2026-03-09T00:00:00.000000Z"),
            ("opened_to", "2026-04-01T00:00:00.000000Z"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), vec![value.to_owned()]));
        assert_eq!(found, Some(expected.to_vec()));
        for value in [None, Some("a,b"), Some("")] {
            assert_eq!(filters(&[kind], &[key(value)], within), None);
        }
    }
}
