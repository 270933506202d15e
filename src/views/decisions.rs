//! Decisions: what models decided or helped to decide, and what people did about it afterwards.
//!
//! made → confirmed, overridden or referred; contested → upheld or reversed. The state is that of the last of these by
//! effective time. There are many decisions and little happens to most of them, so a row holds what they are looked for
//! by and what came after, and not the decision itself: that is in the entry.

use super::engine::{Row, RowEvent, RowName, View};
use super::stats::{Contest, Contribution, Review};
use crate::spec::time::{Day, MICROS_PER_SECOND, Timestamp};
use serde_json::{Value, json};

/// The view of decisions.
pub struct Decisions;

/// A decision of which something is known, and not that it was made.
const UNOPENED: &str = "unopened";
const MADE: &str = "made";
const CONTESTED: &str = "contested";

/// Reviews, contests, explanations and notices of one decision that are kept with it.
///
/// Reason: more are a mistake of whoever posts them; all are in the history.
const MAX_KEPT: usize = 64;

/// Fields of the decision by which rows are looked for.
const COPIED: [&str; 8] =
    ["case", "system", "model", "version", "environment", "mode", "outcome", "jurisdiction"];

impl View for Decisions {
    fn name(&self) -> &str {
        "decisions"
    }

    fn family(&self) -> &str {
        "decision"
    }

    fn version(&self) -> u64 {
        1
    }

    fn types(&self) -> Vec<String> {
        ["made", "reviewed", "contested", "contest_resolved", "explained", "notified"]
            .map(|name| format!("decision.{name}"))
            .to_vec()
    }

    /// A resolution names its contest alone.
    fn row_of(&self, ty: &str, data: &Value) -> Option<RowName> {
        let text = |name: &str| data.get(name)?.as_str();
        if ty == "decision.contest_resolved" {
            return Some(RowName::Alias(alias(text("contest")?)));
        }
        Some(RowName::Id(text("decision")?.to_owned()))
    }

    fn aliases(&self, ty: &str, data: &Value) -> Vec<String> {
        let contest = data.get("contest").and_then(Value::as_str).filter(|_| ty == "decision.contested");
        contest.map(alias).into_iter().collect()
    }

    fn step(&self, row: &mut Row, event: &RowEvent) {
        if row.state.is_empty() {
            row.state = UNOPENED.to_owned();
        }
        match event.ty.as_str() {
            "decision.made" => made(row, event),
            "decision.reviewed" => reviewed(row, event),
            "decision.contested" => contested(row, event),
            "decision.contest_resolved" => resolved(row, event),
            "decision.explained" => note(row, "explained", event.text("audience")),
            "decision.notified" => note(row, "notified", event.text("kind")),
            _ => {}
        }
        row.due_at = if row.state == CONTESTED {
            first_answer_due(row)
        } else if row.is("review_required") && row.value("reviews").is_none() {
            row.memo.get("review_due_at").and_then(Value::as_str).and_then(Timestamp::recorded)
        } else {
            None
        };
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
        let last = |name: &str| row.value(name).and_then(Value::as_array).and_then(|items| items.last());
        let review = last("reviews").map(|review| {
            let result = match review.get("result").and_then(Value::as_str) {
                Some("confirmed") => Review::Confirmed,
                Some("overridden") => Review::Overridden,
                _ => Review::Referred,
            };
            (result, review.get("seconds").and_then(Value::as_u64))
        });
        let contest = last("contests").map(|contest| match contest.get("result").and_then(Value::as_str) {
            Some("upheld") => Contest::Upheld,
            Some("reversed") => Contest::Reversed,
            _ => Contest::Open,
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
            contest,
            notified: row.value("notified").is_some(),
            explained: explained(row),
        })
    }
}

/// What is counted of a row beside its values.
fn marks(row: &Row) -> [(&'static str, bool); 5] {
    let (adverse, contested) = (row.is("adverse"), row.value("contests").is_some());
    [
        ("adverse", adverse),
        ("contested", contested),
        ("adverse_unnotified", adverse && row.value("notified").is_none()),
        ("contested_unexplained", contested && !explained(row)),
        ("unreviewed", row.is("review_required") && row.value("reviews").is_none()),
    ]
}

fn alias(contest: &str) -> String {
    format!("contest/{contest}")
}

fn explained(row: &Row) -> bool {
    let audiences = row.value("explained").and_then(Value::as_array).into_iter().flatten();
    audiences.into_iter().any(|audience| audience == "affected-person")
}

fn made(row: &mut Row, event: &RowEvent) {
    for name in COPIED {
        row.fields.remove(name);
    }
    row.copy(event, &COPIED);
    for name in ["adverse", "significant_effect", "review_required"] {
        if event.is(name) {
            row.set(name, true);
        } else {
            row.fields.remove(name);
        }
    }
    row.set_time("made_at", event.effective_at);
    row.memo.insert("day".to_owned(), event.effective_at.day().number().into());
    match event.text("review_due_at") {
        Some(due) => row.memo.insert("review_due_at".to_owned(), due.into()),
        None => row.memo.remove("review_due_at"),
    };
    row.owner = event.text("overseer").map(str::to_owned);
    if row.state == UNOPENED {
        row.state = MADE.to_owned();
    }
}

#[expect(clippy::indexing_slicing, reason = "what was just made as an object takes every name")]
fn reviewed(row: &mut Row, event: &RowEvent) {
    let Some(result) = event.text("result") else { return };
    let mut review = json!({"by": event.by});
    for name in ["review", "result", "trigger", "started_at", "completed_at", "new_outcome"] {
        if let Some(value) = event.value(name) {
            review[name] = value.clone();
        }
    }
    if let Some((started, completed)) = event.time("started_at").zip(event.time("completed_at"))
        && let Ok(micros) = u64::try_from(completed.since(started))
    {
        review["seconds"] = (micros / MICROS_PER_SECOND as u64).into();
    }
    push(row, "reviews", review);
    match event.text("new_outcome").filter(|_| result == "overridden") {
        Some(outcome) => row.set("final_outcome", outcome),
        None => {
            row.fields.remove("final_outcome");
        }
    }
    row.state = result.to_owned();
}

#[expect(clippy::indexing_slicing, reason = "what was just made as an object takes every name")]
fn contested(row: &mut Row, event: &RowEvent) {
    let Some(id) = event.text("contest").map(str::to_owned) else { return };
    let mut contest = json!({"contest": id});
    for name in ["received_at", "due_at", "channel"] {
        if let Some(value) = event.value(name) {
            contest[name] = value.clone();
        }
    }
    row.state = CONTESTED.to_owned();
    // Its resolution may have taken effect before it did.
    if let Some(resolution) = row.memo.get_mut("resolved").and_then(|resolved| resolved.get(&id).cloned()) {
        resolve(&mut contest, &resolution);
        row.state = state_of(&resolution);
    }
    push(row, "contests", contest);
}

fn resolved(row: &mut Row, event: &RowEvent) {
    let (Some(id), Some(result)) = (event.text("contest"), event.text("result")) else { return };
    let resolution =
        json!({"result": result, "by": event.by, "communicated_at": event.value("communicated_at")});
    let contests = row.fields.get_mut("contests").and_then(Value::as_array_mut);
    let contest = contests.and_then(|contests| contests.iter_mut().find(|contest| contest["contest"] == id));
    match contest {
        Some(contest) => {
            resolve(contest, &resolution);
            row.state = state_of(&resolution);
        }
        None => row.memo.entry("resolved").or_insert_with(|| json!({}))[id] = resolution,
    }
}

fn resolve(contest: &mut Value, resolution: &Value) {
    for name in ["result", "by", "communicated_at"] {
        contest[name] = resolution[name].clone();
    }
}

fn state_of(resolution: &Value) -> String {
    resolution["result"].as_str().unwrap_or(CONTESTED).to_owned()
}

/// By when the first of its open contests has to be answered: the earliest as an instant, in whatever offset it is
/// written.
fn first_answer_due(row: &Row) -> Option<Timestamp> {
    let contests = row.value("contests").and_then(Value::as_array).into_iter().flatten();
    let open = contests.filter(|contest| contest.get("result").is_none());
    open.filter_map(|contest| Timestamp::recorded(contest.get("due_at")?.as_str()?)).min()
}

fn note(row: &mut Row, name: &str, value: Option<&str>) {
    let Some(value) = value else { return };
    let known =
        row.value(name).and_then(Value::as_array).is_some_and(|items| items.iter().any(|item| item == value));
    if !known {
        push(row, name, value.into());
    }
}

fn push(row: &mut Row, name: &str, value: Value) {
    let items = row.list(name);
    items.push(value);
    if items.len() > MAX_KEPT {
        items.remove(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::time::MICROS_PER_MINUTE;
    use crate::views::engine::{fold, testing};
    use proptest::prelude::*;

    fn hour(hour: u64) -> Timestamp {
        Timestamp::EPOCH.saturating_add(hour as i64 * 60 * MICROS_PER_MINUTE)
    }

    fn event(seq: u64, ty: &str, mut data: Value) -> RowEvent {
        data["decision"] = "D".into();
        testing::event(seq, hour(seq), &format!("decision.{ty}"), "user:r", data)
    }

    fn at(n: u64) -> String {
        hour(n).to_string()
    }

    fn decision(seq: u64, required: bool) -> RowEvent {
        let data = json!({
            "case": "C", "system": "s", "model": "m", "version": "1", "environment": "production", "mode": "automated",
            "outcome": "declined", "adverse": true, "significant_effect": true, "review_required": required,
            "review_due_at": at(100),
        });
        event(seq, "made", data)
    }

    fn review(seq: u64, result: &str) -> RowEvent {
        let data = json!({
            "review": "R", "result": result, "trigger": "required", "started_at": at(seq), "completed_at": at(seq + 1),
            "new_outcome": "approved",
        });
        event(seq, "reviewed", data)
    }

    fn contest(seq: u64, id: &str) -> RowEvent {
        event(
            seq,
            "contested",
            json!({"contest": id, "received_at": at(seq), "due_at": at(seq + 50), "channel": "letter"}),
        )
    }

    fn answer(seq: u64, id: &str, result: &str) -> RowEvent {
        event(seq, "contest_resolved", json!({"contest": id, "result": result, "communicated_at": at(seq)}))
    }

    fn row(events: &[RowEvent]) -> Row {
        fold(&Decisions, events)
    }

    #[test]
    fn the_last_of_review_contest_and_answer_is_the_state() {
        let events = [
            decision(0, true),
            review(1, "overridden"),
            contest(2, "K"),
            answer(3, "K", "reversed"),
            review(4, "confirmed"),
        ];
        let states: Vec<String> = (1..=5).map(|many| row(&events[..many]).state).collect();
        assert_eq!(states, ["made", "overridden", "contested", "reversed", "confirmed"]);
        let due = |many: usize| row(&events[..many]).due_at;
        assert_eq!([1, 2, 3, 4].map(due), [Some(hour(100)), None, Some(hour(52)), None]);
        assert_eq!(row(&events[..2]).text("final_outcome"), Some("approved"));
    }

    #[test]
    fn an_answer_that_takes_effect_before_its_contest_is_remembered() {
        let events = [decision(0, false), answer(1, "K", "upheld"), contest(2, "K")];
        assert_eq!(row(&events[..2]).state, "made");
        assert_eq!((row(&events).state.as_str(), row(&events).due_at), ("upheld", None));
        assert_eq!(
            Decisions.row_of("decision.contest_resolved", &events[1].data),
            Some(RowName::Alias("contest/K".into()))
        );
        assert_eq!(Decisions.aliases("decision.contested", &events[2].data), ["contest/K"]);
    }

    #[test]
    fn the_contest_due_first_is_first_by_instant_and_not_by_text() {
        let due = |seq: u64, id: &str, due_at: &str| {
            event(
                seq,
                "contested",
                json!({"contest": id, "received_at": at(seq), "due_at": due_at, "channel": "letter"}),
            )
        };
        let events = [
            decision(0, false),
            due(1, "K1", "1970-01-05T01:00:00+14:00"),
            due(2, "K2", "1970-01-05T00:00:00-10:00"),
            due(3, "K3", "1970-01-04T23:00:00Z"),
        ];
        assert_eq!(row(&events).due_at, Timestamp::parse("1970-01-04T11:00:00.000000Z"));
    }

    #[test]
    fn what_is_missing_is_counted_until_it_is_there() {
        let told = event(1, "notified", json!({"kind": "adverse-action"}));
        let technical = event(3, "explained", json!({"audience": "technical"}));
        let person = event(4, "explained", json!({"audience": "affected-person"}));
        let events = [decision(0, true), told, contest(2, "K"), technical, person, review(5, "confirmed")];
        let has = |many: usize, name: &str| {
            Decisions.facets(&row(&events[..many])).iter().any(|facet| facet.0 == name)
        };
        assert_eq!([1, 2].map(|many| has(many, "adverse_unnotified")), [true, false]);
        assert_eq!([2, 3, 4, 5].map(|many| has(many, "contested_unexplained")), [false, true, true, false]);
        assert_eq!([5, 6].map(|many| has(many, "unreviewed")), [true, false]);
        let facts = Decisions.contribution(&row(&events)).unwrap();
        assert_eq!(
            (facts.day, facts.review, facts.contest),
            (hour(0).day(), Some((Review::Confirmed, Some(3600))), Some(Contest::Open))
        );
        assert!(facts.notified && facts.explained && facts.automated && facts.adverse);
    }

    /// The model: the last event that says anything about the state says it.
    fn model(events: &[RowEvent]) -> (String, Option<Timestamp>, usize) {
        let is = |event: &RowEvent, ty: &str| event.ty == format!("decision.{ty}");
        let contests: Vec<&RowEvent> = events.iter().filter(|event| is(event, "contested")).collect();
        let answered = |id: &str| {
            events
                .iter()
                .rev()
                .find(|event| is(event, "contest_resolved") && event.text("contest") == Some(id))
        };
        let mut state = if events.is_empty() { String::new() } else { UNOPENED.to_owned() };
        for (place, event) in events.iter().enumerate() {
            let id = event.text("contest").unwrap_or_default();
            let before = |ty: &str| {
                events[..place].iter().rev().find(|event| is(event, ty) && event.text("contest") == Some(id))
            };
            state = match event.ty.as_str() {
                "decision.made" if state == UNOPENED => MADE.to_owned(),
                "decision.reviewed" => event.text("result").unwrap().to_owned(),
                "decision.contested" => before("contest_resolved")
                    .map_or(CONTESTED, |answer| answer.text("result").unwrap())
                    .to_owned(),
                "decision.contest_resolved" if before("contested").is_some() => {
                    event.text("result").unwrap().to_owned()
                }
                _ => state,
            };
        }
        let required = events
            .iter()
            .rev()
            .find(|event| is(event, "made"))
            .is_some_and(|event| event.is("review_required"));
        let reviewed = events.iter().any(|event| is(event, "reviewed"));
        let open = contests.iter().filter(|contest| answered(contest.text("contest").unwrap()).is_none());
        let due = match state.as_str() {
            CONTESTED => open.map(|contest| contest.time("due_at").unwrap()).min(),
            _ if required && !reviewed => Some(hour(100)),
            _ => None,
        };
        (state, due, contests.len())
    }

    proptest! {
        #[test]
        fn a_decision_is_what_the_plain_model_says(draws in prop::collection::vec((0..8_u8, any::<bool>()), 0..10)) {
            let mut contests = 0;
            let events: Vec<RowEvent> = (0_u64..).zip(&draws).map(|(seq, (kind, flag))| match kind {
                0 | 1 => decision(seq, *flag),
                2 => review(seq, if *flag { "confirmed" } else { "overridden" }),
                3 => {
                    // Each contest is opened once.
                    contests += 1;
                    contest(seq, &format!("K{contests}"))
                }
                4 | 5 => answer(seq, &format!("K{}", contests + u8::from(*flag)), if *kind == 4 { "upheld" } else { "reversed" }),
                6 => event(seq, "explained", json!({"audience": "affected-person"})),
                _ => event(seq, "notified", json!({"kind": "outcome"})),
            }).collect();
            let row = row(&events);
            let kept = row.value("contests").and_then(Value::as_array).map_or(0, Vec::len);
            prop_assert_eq!((row.state.clone(), row.due_at, kept), model(&events));
        }
    }
}
