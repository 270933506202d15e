//! Decisions: what models decided or helped to decide, and what people did about it afterwards.
//!
//! made → confirmed, overridden or referred; contested → upheld or reversed. A decision with an open contest is contested,
//! whatever came after; otherwise its state is the word of whoever acted last. Each contest, and the review that a decision
//! asks for, is due by itself and ends by itself: a referral is no review, and an explanation or notice counts once it was
//! delivered. There are many decisions and little happens to most of them, so a row holds what they are looked for by and
//! what came after, and not the decision itself: that is in the entry.

mod facts;
mod shown;
mod standing;
#[cfg(test)]
mod tests;

use super::engine::{OUT_OF_ORDER, Opening, Row, RowEvent, RowName, View};
use super::stats::{Contest, Contribution, Review};
use super::told;
use crate::spec::time::{Day, Timestamp};
use facts::{Facts, Kind};
use serde_json::Value;
use standing::{CONTESTED, MADE, UNOPENED};

/// The view of decisions.
pub struct Decisions;

/// Kinds of notice that begin so tell of an adverse decision; the catalogue says it of the member `kind`.
const ADVERSE_NOTICE: &str = "adverse";

/// What is remembered of the opening: when it was done, and where it stands in the order of recording.
const OPENED_AT: &str = "opened_at";
const OPENED_PLACE: &str = "opened_place";

/// Fields of the decision by which rows are looked for.
const COPIED: [&str; 8] =
    ["case", "system", "model", "version", "environment", "mode", "outcome", "jurisdiction"];

/// What is shown of a contest, an answer and a review, beside who told it and when.
const OF_CONTEST: [&str; 4] = ["contest", "received_at", "due_at", "channel"];
const OF_ANSWER: [&str; 2] = ["result", "communicated_at"];
const OF_REVIEW: [&str; 7] =
    ["review", "result", "trigger", "started_at", "completed_at", "new_outcome", "second_reviewer"];

impl View for Decisions {
    fn name(&self) -> &str {
        "decisions"
    }

    fn family(&self) -> &str {
        "decision"
    }

    fn version(&self) -> u64 {
        2
    }

    fn types(&self) -> Vec<String> {
        ["made", "reviewed", "contested", "contest_resolved", "explained", "notified"]
            .map(|name| format!("decision.{name}"))
            .to_vec()
    }

    /// A resolution names its contest alone.
    fn row_of(&self, ty: &str, data: &Value) -> Option<RowName> {
        let text = |name: &str| data.get(name)?.as_str();
        match text("decision") {
            None if ty == "decision.contest_resolved" => Some(RowName::Alias(alias(text("contest")?))),
            decision => Some(RowName::Id(decision?.to_owned())),
        }
    }

    fn aliases(&self, ty: &str, data: &Value) -> Vec<String> {
        let contest = data.get("contest").and_then(Value::as_str).filter(|_| ty == "decision.contested");
        contest.map(alias).into_iter().collect()
    }

    fn opening(&self, ty: &str) -> Opening {
        if ty == "decision.made" { Opening::Once } else { Opening::None }
    }

    fn is_of_one_source(&self) -> bool {
        true
    }

    fn step(&self, row: &mut Row, event: &RowEvent) {
        if row.state.is_empty() {
            row.state = UNOPENED.to_owned();
        }
        if row.memo.get(OPENED_PLACE).and_then(Value::as_u64).is_some_and(|opened| event.place < opened) {
            row.set(OUT_OF_ORDER, true);
        }
        let mut add = |kind, names: &[&str]| {
            let mut facts = Facts::of(row);
            facts.add(kind, event, row.remembered(OPENED_AT), names);
            shown::show(row, &facts);
            facts.keep(row);
        };
        match event.ty.as_str() {
            "decision.made" => made(row, event),
            "decision.contested" => add(Kind::Contest, &OF_CONTEST),
            "decision.contest_resolved" => add(Kind::Answer, &OF_ANSWER),
            "decision.reviewed" => add(Kind::Review, &OF_REVIEW),
            "decision.explained" => shown::delivery(row, event, "explanations", "explained", "audience"),
            "decision.notified" => shown::delivery(row, event, "notices", "notified", "kind"),
            _ => {}
        }
        row.due_at = due(row);
    }

    fn lists(&self, row: &Row) -> Vec<(&'static str, String)> {
        let mut lists = Vec::new();
        lists.extend(row.text("case").map(|case| ("case", case.to_owned())));
        // Few of many: found without looking at all the others.
        let few = marks(row).into_iter().filter(|(name, is)| *is && *name != "adverse");
        lists.extend(few.map(|(name, _)| (name, "true".to_owned())));
        lists
    }

    fn list_fields(&self) -> Vec<&'static str> {
        vec!["case", "contested_unexplained", "contested", "unreviewed", "adverse_unnotified"]
    }

    fn dense_lists(&self, row: &Row) -> Vec<(&'static str, String)> {
        let Some((model, version)) = row.text("model").zip(row.text("version")) else { return Vec::new() };
        vec![("model_version", format!("{model}@{version}")), ("model", model.to_owned())]
    }

    fn dense_fields(&self) -> Vec<&'static str> {
        vec!["model_version", "model"]
    }

    fn fields(&self) -> Vec<&str> {
        let mut fields = self.list_fields();
        fields.extend(self.dense_fields());
        fields.extend(COPIED);
        fields.extend(["adverse", "significant_effect", "review_required", "contested"]);
        fields.extend(["adverse_unnotified", "contested_unexplained", "unreviewed"]);
        fields.sort_unstable();
        fields.dedup();
        fields
    }

    fn flags(&self) -> Vec<&'static str> {
        vec![
            "adverse",
            "significant_effect",
            "review_required",
            "contested",
            "adverse_unnotified",
            "contested_unexplained",
            "unreviewed",
        ]
    }

    fn words(&self, field: &str) -> Option<Vec<String>> {
        const STATES: &[&str] = &[
            UNOPENED,
            MADE,
            CONTESTED,
            "confirmed",
            "overridden",
            "referred",
            "upheld",
            "reversed",
            "resolved",
        ];
        (field == "state").then(|| STATES.iter().copied().map(str::to_owned).collect())
    }

    fn counted_fields(&self) -> Vec<&str> {
        let mut fields = vec!["model", "model_version", "outcome", "mode", "system"];
        fields.extend(["adverse", "contested", "adverse_unnotified", "contested_unexplained", "unreviewed"]);
        fields
    }

    fn facets(&self, row: &Row) -> Vec<(&'static str, String)> {
        let mut facets: Vec<(&'static str, String)> = Vec::new();
        for name in ["model", "outcome", "mode", "system"] {
            facets.extend(row.text(name).map(|value| (name, value.to_owned())));
        }
        if let Some((model, version)) = row.text("model").zip(row.text("version")) {
            facets.push(("model_version", format!("{model}@{version}")));
        }
        facets
            .extend(marks(row).into_iter().filter(|(_, is)| *is).map(|(name, _)| (name, "true".to_owned())));
        facets
    }

    fn common_state(&self) -> Option<&str> {
        Some(MADE)
    }

    fn contribution(&self, row: &Row) -> Option<Contribution> {
        let (model, version) = row.text("model").zip(row.text("version"))?;
        let items = |name: &str| row.value(name).and_then(Value::as_array).into_iter().flatten();
        let result = |item: &Value| item.get("result").and_then(Value::as_str).map(str::to_owned);
        let review = items("reviews").rfind(|review| !is_referral(review)).map(|review| {
            let overridden = result(review).as_deref() == Some("overridden");
            let seconds = review.get("seconds").and_then(Value::as_u64);
            (if overridden { Review::Overridden } else { Review::Confirmed }, seconds)
        });
        let contests = items("contests").map(|contest| match result(contest).as_deref() {
            Some("reversed") => Contest::Reversed,
            Some(_) => Contest::Upheld,
            None => Contest::Open,
        });
        let day = row.memo.get("day").and_then(Value::as_i64).and_then(|day| i32::try_from(day).ok());
        Some(Contribution {
            model: model.to_owned(),
            version: version.to_owned(),
            day: day.and_then(Day::from_number)?,
            outcome: row.text("outcome").unwrap_or_default().to_owned(),
            automated: row.text("mode") == Some("automated"),
            adverse: row.is("adverse"),
            significant: row.is("significant_effect"),
            review_required: row.is("review_required"),
            review,
            referred: items("reviews").last().is_some_and(is_referral),
            contests: contests.collect(),
            notified: is_notified(row),
            explained: is_explained(row),
        })
    }
}

/// What is counted of a row beside its values.
fn marks(row: &Row) -> [(&'static str, bool); 5] {
    let (adverse, contested) = (row.is("adverse"), row.value("contests").is_some());
    [
        ("adverse", adverse),
        ("contested", contested),
        ("adverse_unnotified", adverse && !is_notified(row)),
        ("contested_unexplained", contested && !is_explained(row)),
        ("unreviewed", row.is("review_required") && !is_reviewed(row)),
    ]
}

fn alias(contest: &str) -> String {
    format!("contest/{contest}")
}

/// Whether something of this name was delivered for which the test holds.
fn has(row: &Row, name: &str, is: impl Fn(&str) -> bool) -> bool {
    let items = row.value(name).and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).any(is)
}

/// An explanation for the person concerned was delivered.
fn is_explained(row: &Row) -> bool {
    has(row, "explained", |audience| {
        audience.replace(['-', '_'], " ").eq_ignore_ascii_case("affected person")
    })
}

/// A notice that it is adverse was delivered: another notice, of automation say, does not tell it.
fn is_notified(row: &Row) -> bool {
    has(row, "notified", |kind| kind.starts_with(ADVERSE_NOTICE))
}

fn is_referral(review: &Value) -> bool {
    review.get("result").and_then(Value::as_str) == Some("referred")
}

/// Somebody decided on a review; who only referred it on has not.
fn is_reviewed(row: &Row) -> bool {
    let reviews = row.value("reviews").and_then(Value::as_array).into_iter().flatten();
    reviews.into_iter().any(|review| !is_referral(review))
}

fn made(row: &mut Row, event: &RowEvent) {
    row.copy(event, &COPIED);
    for name in ["adverse", "significant_effect", "review_required"] {
        if event.is(name) {
            row.set(name, true);
        }
    }
    row.set_time("made_at", event.acted_at);
    row.remember(OPENED_AT, event.acted_at);
    row.memo.insert(OPENED_PLACE.to_owned(), event.place.into());
    row.memo.insert("day".to_owned(), event.acted_at.day().number().into());
    if let Some(due) = told::due(event, "review_due_at") {
        row.remember("review_due_at", due);
        if event.value("review_required").is_none() {
            row.set("review_required", true);
        }
    }
    row.owner = event.text("overseer").map(str::to_owned);
    row.state = MADE.to_owned();
}

/// By when the first of what is open has to be done: to answer a contest, or to review.
fn due(row: &Row) -> Option<Timestamp> {
    if row.state == UNOPENED {
        return None;
    }
    let review = row.is("review_required") && !is_reviewed(row);
    let review = if review { row.remembered("review_due_at") } else { None };
    row.remembered(shown::FIRST_DUE).into_iter().chain(review).min()
}
