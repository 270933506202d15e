//! How decisions turned out: from counters to counts, rates and shares, by model, version, outcome and day.

use super::caveats::{self, Caveat};
use super::error::AnswerError;
use super::moment::{Moment, moment, time};
use super::names::Listener;
use super::parameters::Parameters;
use super::words::no_word;
use super::{Answer, Inquiry, Unheard};
use crate::catalog::KEY_JOINER;
use crate::spec::time::Day;
use crate::views::engine::ModelDay;
use crate::views::stats::{Counter, DayStats};
use std::collections::BTreeMap;

/// Groups in one answer.
///
/// Reason: a year of days of thirty versions; whoever wants more asks in parts.
const MAX_GROUPS: usize = 12_000;

/// The view that is counted.
const VIEW: &str = "decisions";

/// Decisions read at once, where they are counted as of another day.
const PAGE: usize = 500;

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
#[derive(Clone, Debug, PartialEq)]
pub struct StatsRow {
    /// Where they are grouped by model.
    pub model: Option<String>,
    /// Where they are grouped by version.
    pub version: Option<String>,
    /// Where they are grouped by day (UTC).
    pub day: Option<Day>,
    /// Where they are grouped by outcome.
    pub outcome: Option<String>,
    /// How many there are.
    pub decisions: u64,
    /// Their share of all decisions of the same model, version and day. Where they are grouped by outcome: its rate.
    pub share: Option<f64>,
    /// What else is counted; none where they are grouped by outcome.
    pub counts: Option<Counts>,
}

/// What is counted of a group beside its size.
#[derive(Clone, Debug, PartialEq)]
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
    /// Reviewed, required or not. Who only refers a decision on has not reviewed it.
    pub reviewed: u64,
    /// Confirmed by their last review.
    pub confirmed: u64,
    /// Overridden by their last review.
    pub overridden: u64,
    /// Referred on, and not decided since.
    pub referred: u64,
    /// To be reviewed, and not reviewed.
    pub unreviewed: u64,
    /// Overridden of those reviewed, from 0 to 1; none if none was reviewed.
    pub override_share: Option<f64>,
    /// Not reviewed of those to be reviewed, from 0 to 1; none if none had to be.
    pub unreviewed_share: Option<f64>,
    /// The median time from a review's start to its end, in seconds, within 1 %; none if there was none.
    pub median_review_seconds: Option<f64>,
    /// Decisions that are contested, or were.
    pub contested: u64,
    /// Contests, each once: a decision may have several.
    pub contests: u64,
    /// Contests that nobody has answered.
    pub contests_open: u64,
    /// Contests after which the decision stood.
    pub upheld: u64,
    /// Contests after which it fell.
    pub reversed: u64,
    /// Adverse, and no notice of that was delivered.
    pub adverse_without_notice: u64,
    /// Contested, and no explanation was delivered to the person concerned.
    pub contested_without_explanation: u64,
}

/// How often an outcome occurs.
#[derive(Clone, Debug, PartialEq)]
pub struct OutcomeRate {
    /// The outcome.
    pub outcome: String,
    /// How many.
    pub count: u64,
    /// Of all, from 0 to 1.
    pub rate: f64,
}

/// Statistics of decisions.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics {
    /// By what they are grouped, in the order asked for.
    pub by: Vec<&'static str>,
    /// In the order of model, version, day and outcome.
    pub items: Vec<StatsRow>,
    /// The names that were asked for and that the ledger had never heard of.
    pub unheard: Unheard,
    /// What touches them.
    pub caveats: Vec<Caveat>,
}

/// How decisions turned out. Counters are kept of now, by the day of the decision.
///
/// # Errors
/// A parameter is wrong, or the views do not answer.
pub fn decisions(inquiry: &Inquiry<'_>, parameters: &Parameters) -> Result<Answer<Statistics>, AnswerError> {
    let moment = moment(inquiry, &parameters.moment)?;
    let (by, names) = grouping(parameters.get("by").unwrap_or("model,version"))?;
    let from = parameters.get("from").map(|text| day("from", text)).transpose()?;
    let to = parameters.get("to").map(|text| day("to", text)).transpose()?;
    let model = parameters.get("model");
    let days = if moment.current {
        moment.engine.statistics(VIEW, model, (from, to))?
    } else {
        as_of_then(&moment, model, (from, to))?
    };
    let of_version = parameters.get("version");
    let days =
        days.into_iter().filter(|(_, version, _, _)| of_version.is_none_or(|wanted| wanted == version));
    let items = report(days.collect(), by);
    if items.len() > MAX_GROUPS {
        let detail = format!("that would be {} groups; narrow it with model, from and to", items.len());
        return Err(AnswerError::Parameter(detail));
    }
    let unheard =
        if items.is_empty() { unheard(inquiry, &moment, model, of_version)? } else { Unheard::new() };
    let caveats = caveats::of_view(inquiry, &moment, &*moment.view(VIEW)?)?;
    let body = Statistics { by: names, items, unheard, caveats };
    Ok(Answer { body, as_of: moment.as_of(), applied: moment.engine.applied() })
}

/// Of a model and a version, what nobody had heard of.
fn unheard(
    inquiry: &Inquiry<'_>,
    moment: &Moment,
    model: Option<&str>,
    version: Option<&str>,
) -> Result<Unheard, AnswerError> {
    let listener = Listener::new(inquiry, moment);
    let mut unheard = Unheard::new();
    if let Some(model) = model {
        unheard.extend(listener.unheard("model", model, Some((VIEW, "model")))?);
    }
    if let Some(version) = version {
        let of_model = model.map(|model| format!("{model}{KEY_JOINER}{version}"));
        let heard = match &of_model {
            Some(of_model) => listener.has_heard_in(VIEW, "model_version", of_model)?,
            None => listener.has_heard_in(VIEW, "version", version)?,
        };
        if !heard {
            unheard.insert("version".to_owned(), vec![version.to_owned()]);
        }
    }
    Ok(unheard)
}

/// The same counters as of another day, from the decisions as they stood then: in proportion to how many there were.
fn as_of_then(
    moment: &Moment,
    model: Option<&str>,
    (from, to): (Option<Day>, Option<Day>),
) -> Result<Vec<ModelDay>, AnswerError> {
    let view = moment.view(VIEW)?;
    let mut days: BTreeMap<(String, String, Day), DayStats> = BTreeMap::new();
    let ask = moment.all(PAGE);
    let mut ask = match model {
        Some(model) => ask.with("model", model),
        None => ask,
    };
    loop {
        moment.deadline.check()?;
        let page = moment.engine.list(VIEW, &ask)?;
        for facts in page.rows.iter().filter_map(|found| view.contribution(&found.row)) {
            if from.is_none_or(|from| from <= facts.day) && to.is_none_or(|to| facts.day < to) {
                let key = (facts.model.clone(), facts.version.clone(), facts.day);
                days.entry(key).or_default().add(&facts);
            }
        }
        match page.next {
            Some(next) => ask.after = Some(next),
            None => break,
        }
    }
    Ok(days.into_iter().map(|((model, version, day), stats)| (model, version, day, stats)).collect())
}

fn grouping(text: &str) -> Result<(Grouping, Vec<&'static str>), AnswerError> {
    let mut by = Grouping::default();
    let mut names = Vec::new();
    for word in text.split(',') {
        let (name, place) = match word {
            "model" => ("model", &mut by.model),
            "version" => ("version", &mut by.version),
            "day" => ("day", &mut by.day),
            "outcome" => ("outcome", &mut by.outcome),
            "none" => continue,
            _ => return Err(no_word("by", word, &["model", "version", "day", "outcome", "none"])),
        };
        *place = true;
        names.push(name);
    }
    Ok((by, names))
}

/// A day: a date, or a time of that day.
fn day(name: &str, text: &str) -> Result<Day, AnswerError> {
    Day::parse(text).map_or_else(|| Ok(time(name, text)?.day()), Ok)
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
            day,
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
        contests: stats.get(Counter::Contests),
        contests_open: stats.get(Counter::ContestsOpen),
        upheld: stats.get(Counter::Upheld),
        reversed: stats.get(Counter::Reversed),
        adverse_without_notice: stats.get(Counter::AdverseUnnotified),
        contested_without_explanation: stats.get(Counter::ContestedUnexplained),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::stats::{Contribution, Review};

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
            referred: false,
            contests: Vec::new(),
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
                (text("1"), Some(nth(0)), text("approved"), Some(0.5)),
                (text("1"), Some(nth(0)), text("declined"), Some(0.5)),
                (text("2"), Some(nth(1)), text("declined"), Some(1.0)),
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
