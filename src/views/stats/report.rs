//! From counters to what is asked: counts, rates and shares, by model, version, outcome and day.

use super::{Counter, DayStats};
use crate::spec::time::Day;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// By what statistics are grouped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grouping {
    /// By model.
    pub model: bool,
    /// By version; of all models together, versions of the same name fall together.
    pub version: bool,
    /// By day.
    pub day: bool,
    /// By outcome. Only decisions are counted so: what came after them is not kept for each outcome.
    pub outcome: bool,
}

/// Statistics of one group of decisions.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct StatsRow {
    /// Where they are grouped by model.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "credit-line")]
    pub model: Option<String>,
    /// Where they are grouped by version.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "1.1")]
    pub version: Option<String>,
    /// Where they are grouped by day (UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-03-02")]
    pub day: Option<String>,
    /// Where they are grouped by outcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "declined")]
    pub outcome: Option<String>,
    /// How many there are.
    #[schema(example = 214)]
    pub decisions: u64,
    /// Their share of all decisions of the same model, version and day. Where they are grouped by outcome: its rate.
    #[schema(example = 0.29)]
    pub share: Option<f64>,
    /// What else is counted; left out where they are grouped by outcome.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,
}

/// What is counted of a group beside its size.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Counts {
    /// How many had which outcome, and at which rate.
    pub outcomes: Vec<OutcomeRate>,
    /// Decided without a person.
    pub automated: u64,
    /// Against the person concerned.
    pub adverse: u64,
    /// With a legal or similarly significant effect.
    pub significant: u64,
    /// To be reviewed.
    pub review_required: u64,
    /// Reviewed, required or not.
    pub reviewed: u64,
    /// Confirmed by their last review.
    pub confirmed: u64,
    /// Overridden by their last review.
    pub overridden: u64,
    /// Referred by their last review.
    pub referred: u64,
    /// To be reviewed, and not reviewed.
    pub unreviewed: u64,
    /// Overridden of those reviewed, from 0 to 1; null if none was reviewed.
    pub override_share: Option<f64>,
    /// Not reviewed of those to be reviewed, from 0 to 1; null if none had to be.
    pub unreviewed_share: Option<f64>,
    /// The median time from a review's start to its end, in seconds, within 1 %; null if there was none.
    pub median_review_seconds: Option<f64>,
    /// Contested.
    pub contested: u64,
    /// Contested, and upheld.
    pub upheld: u64,
    /// Contested, and reversed.
    pub reversed: u64,
    /// Adverse, and the person concerned was not told.
    pub adverse_without_notice: u64,
    /// Contested, and not explained to the person concerned.
    pub contested_without_explanation: u64,
}

/// How often an outcome occurs.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct OutcomeRate {
    /// The outcome.
    #[schema(example = "declined")]
    pub outcome: String,
    /// How many.
    #[schema(example = 62)]
    pub count: u64,
    /// Of all, from 0 to 1.
    #[schema(example = 0.29)]
    pub rate: f64,
}

/// A share; none of nothing.
fn share(part: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}

/// Model, version and day, where they are grouped by them.
type Group = (Option<String>, Option<String>, Option<Day>);

/// Groups counters and works out rates. Rows are in the order of model, version, day and outcome.
#[must_use]
pub fn report(days: Vec<(String, String, Day, DayStats)>, by: Grouping) -> Vec<StatsRow> {
    let mut groups: BTreeMap<Group, DayStats> = BTreeMap::new();
    for (model, version, day, stats) in days {
        let group = (by.model.then_some(model), by.version.then_some(version), by.day.then_some(day));
        groups.entry(group).or_default().merge(&stats);
    }
    let mut rows = Vec::new();
    for ((model, version, day), stats) in groups {
        let total = stats.get(Counter::Decisions);
        let row = StatsRow {
            model,
            version,
            day: day.map(|day| day.to_string()),
            outcome: None,
            decisions: total,
            share: share(total, total),
            counts: None,
        };
        if by.outcome {
            rows.extend(stats.outcomes.iter().map(|(outcome, count)| StatsRow {
                outcome: Some(outcome.clone()),
                decisions: *count,
                share: share(*count, total),
                ..row.clone()
            }));
        } else {
            rows.push(StatsRow { counts: Some(counts(&stats)), ..row });
        }
    }
    rows
}

fn counts(stats: &DayStats) -> Counts {
    let total = stats.get(Counter::Decisions);
    let outcome = |(outcome, count): (&String, &u64)| OutcomeRate {
        outcome: outcome.clone(),
        count: *count,
        rate: share(*count, total).unwrap_or(0.0),
    };
    Counts {
        outcomes: stats.outcomes.iter().map(outcome).collect(),
        automated: stats.get(Counter::Automated),
        adverse: stats.get(Counter::Adverse),
        significant: stats.get(Counter::Significant),
        review_required: stats.get(Counter::ReviewRequired),
        reviewed: stats.get(Counter::Reviewed),
        confirmed: stats.get(Counter::Confirmed),
        overridden: stats.get(Counter::Overridden),
        referred: stats.get(Counter::Referred),
        unreviewed: stats.get(Counter::Unreviewed),
        override_share: share(stats.get(Counter::Overridden), stats.get(Counter::Reviewed)),
        unreviewed_share: share(stats.get(Counter::Unreviewed), stats.get(Counter::ReviewRequired)),
        median_review_seconds: stats.reviews.median_seconds(),
        contested: stats.get(Counter::Contested),
        upheld: stats.get(Counter::Upheld),
        reversed: stats.get(Counter::Reversed),
        adverse_without_notice: stats.get(Counter::AdverseUnnotified),
        contested_without_explanation: stats.get(Counter::ContestedUnexplained),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Contribution, Review};
    use super::*;

    fn made(outcome: &str, review: Option<(Review, Option<u64>)>) -> Contribution {
        Contribution {
            model: String::new(),
            version: String::new(),
            day: nth(0),
            outcome: outcome.into(),
            automated: true,
            adverse: outcome == "declined",
            significant: true,
            review_required: outcome == "declined",
            review,
            contest: None,
            notified: true,
            explained: false,
        }
    }

    fn nth(number: i32) -> Day {
        Day::from_number(number).unwrap()
    }

    fn day(of: &[Contribution]) -> DayStats {
        let mut stats = DayStats::default();
        of.iter().for_each(|facts| stats.add(facts));
        stats
    }

    #[test]
    fn rates_and_shares_are_of_the_group_that_is_asked_for() {
        let one = day(&[made("approved", None), made("declined", Some((Review::Overridden, Some(60))))]);
        let other = day(&[made("declined", None), made("declined", Some((Review::Confirmed, Some(30))))]);
        let days = vec![
            ("m".to_owned(), "1".to_owned(), nth(0), one),
            ("m".to_owned(), "2".to_owned(), nth(1), other),
        ];
        let all = report(days.clone(), Grouping::default());
        let counts = all[0].counts.as_ref().unwrap();
        assert_eq!((all.len(), all[0].decisions), (1, 4));
        assert_eq!((counts.override_share, counts.unreviewed_share), (Some(0.5), Some(1.0 / 3.0)));
        assert_eq!((counts.median_review_seconds, counts.outcomes[1].rate), (Some(30.0), 0.75));
        let by = Grouping { version: true, outcome: true, day: true, ..Grouping::default() };
        let rows: Vec<_> =
            report(days, by).into_iter().map(|row| (row.version, row.day, row.outcome, row.share)).collect();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            rows,
            [
                (text("1"), text("1970-01-01"), text("approved"), Some(0.5)),
                (text("1"), text("1970-01-01"), text("declined"), Some(0.5)),
                (text("2"), text("1970-01-02"), text("declined"), Some(1.0)),
            ]
        );
    }

    #[test]
    fn shares_of_nothing_are_null_and_never_a_number() {
        let rows = report(
            vec![("m".into(), "1".into(), nth(0), day(&[made("approved", None)]))],
            Grouping::default(),
        );
        let counts = rows[0].counts.as_ref().unwrap();
        assert_eq!(
            (counts.override_share, counts.unreviewed_share, counts.median_review_seconds),
            (None, None, None)
        );
        assert!(report(Vec::new(), Grouping::default()).is_empty());
    }
}
