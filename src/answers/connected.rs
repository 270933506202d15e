//! What is connected with an id over two steps: the decisions of a case, their contests, and what was escalated of any of
//! them. Events of these name their own id alone.

use super::error::AnswerError;
use super::moment::Moment;
use crate::views::engine::Found;
use crate::views::escalations::ABOUT_ID;
use serde_json::Value;
use std::collections::BTreeSet;

/// Ids that are followed for one timeline.
///
/// Reason: each is looked up in three lists for each page; a case has a handful.
const MAX_CONNECTED: usize = 128;

/// An entity that is connected with the id asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entity {
    /// Its family.
    pub family: String,
    /// Its id.
    pub id: String,
}

/// The entities connected with an id, and whether there are more than are followed.
pub struct Connected {
    /// In the order of their families and ids.
    pub entities: Vec<Entity>,
    /// There are more.
    pub shortened: bool,
}

/// The entities that are connected with an id, as of a moment.
///
/// # Errors
/// The views do not answer, or not in time.
pub fn connected(moment: &Moment, id: &str) -> Result<Connected, AnswerError> {
    let mut found: BTreeSet<Entity> = BTreeSet::new();
    let mut shortened = false;
    let mut decisions = rows(moment, "decisions", ("case", id), &mut shortened)?;
    decisions.extend(moment.engine.row("decisions", id, moment.when)?);
    for decision in &decisions {
        found.insert(Entity { family: "decision".to_owned(), id: decision.id.clone() });
        let contests = decision.row.value("contests").and_then(Value::as_array).into_iter().flatten();
        let contests = contests.filter_map(|contest| contest.get("contest")?.as_str());
        found.extend(contests.map(|id| Entity { family: "contest".to_owned(), id: id.to_owned() }));
    }
    let about: Vec<String> =
        found.iter().map(|entity| entity.id.clone()).chain([id.to_owned()]).take(MAX_CONNECTED).collect();
    for id in about {
        moment.deadline.check()?;
        for escalation in rows(moment, "escalations", (ABOUT_ID, &id), &mut shortened)? {
            found.insert(Entity { family: "escalation".to_owned(), id: escalation.id });
        }
    }
    // What is asked for itself is found without this.
    found.retain(|entity| entity.id != id);
    shortened |= found.len() > MAX_CONNECTED;
    Ok(Connected { entities: found.into_iter().take(MAX_CONNECTED).collect(), shortened })
}

/// Rows with this value in a field; `shortened` where there are more than are followed.
fn rows(
    moment: &Moment,
    view: &str,
    (field, value): (&str, &str),
    shortened: &mut bool,
) -> Result<Vec<Found>, AnswerError> {
    let mut ask = moment.all(MAX_CONNECTED).with(field, value);
    ask.descending = true;
    let page = moment.engine.list(view, &ask)?;
    *shortened |= page.next.is_some();
    Ok(page.rows)
}
