//! As of when a question is asked: `min_seq`, `as_of`, `at`.

use super::row::escaped;
use super::{engine, problem, views};
use crate::spec::encoding::from_decimal;
use crate::spec::time::Timestamp;
use crate::views::engine::{Engine, When};
use crate::web::{Problem, ProblemType, Service, time_parameter};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

/// How long a question waits for the views to have what the client asks to see.
pub const MAX_WAIT: Duration = Duration::from_secs(5);

/// As of when.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MomentQuery {
    /// Answer from what had been recorded by then: an entry's number, or an RFC 3339 time. Now, if not given.
    #[param(example = "2026-03-05T12:00:00Z")]
    pub as_of: Option<String>,
    /// Answer for this time: what took effect by then counts, and due dates are held against it. `as_of`'s time, if not
    /// given, and otherwise now.
    #[param(example = "2026-03-03T12:00:00Z")]
    pub at: Option<String>,
    /// Wait (at most 5 s) until the views have this entry: read your own write.
    pub min_seq: Option<u64>,
}

impl MomentQuery {
    /// The address of something that is asked as of the same moment, with filters.
    #[must_use]
    pub fn link(&self, address: &str, filters: &[(String, Vec<String>)]) -> String {
        let mut pairs: Vec<(&str, String)> =
            filters.iter().map(|(name, values)| (name.as_str(), values.join(","))).collect();
        pairs.extend(self.as_of.iter().map(|text| ("as_of", text.clone())));
        pairs.extend(self.at.iter().map(|text| ("at", text.clone())));
        let pairs: Vec<String> =
            pairs.into_iter().map(|(name, value)| format!("{name}={}", escaped(&value))).collect();
        if pairs.is_empty() { address.to_owned() } else { format!("{address}?{}", pairs.join("&")) }
    }
}

/// As of when an answer holds.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MomentView {
    /// How many entries were known.
    #[schema(example = 584)]
    pub entries: u64,
    /// For which time it is answered.
    #[schema(example = "2026-11-27T09:30:00.000000Z")]
    pub at: String,
    /// Whether this is the state of now: nothing of it was asked for as of another day.
    #[schema(example = true)]
    pub current: bool,
}

/// The engine, and as of when it is asked.
pub struct Moment {
    /// To be asked.
    pub engine: Arc<Engine>,
    /// As of when.
    pub when: When,
    /// Whether neither `as_of` nor `at` was given.
    pub current: bool,
}

impl Moment {
    /// As shown in an answer.
    #[must_use]
    pub fn view(&self) -> MomentView {
        MomentView { entries: self.when.known, at: self.when.at.to_string(), current: self.current }
    }
}

/// Reads the three parameters, waits for what has to be waited for, and finds the moment. Blocks.
///
/// # Errors
/// A parameter is not of its form; there is nothing to wait for; the views do not answer.
pub fn moment(service: &Service, query: &MomentQuery) -> Result<Moment, Problem> {
    let store = service.log.store();
    if let Some(seq) = query.min_seq {
        wait_for(service, seq)?;
    }
    let now = service.clock.now();
    let at = query.at.as_deref().map(|at| time("at", at)).transpose()?;
    let (known, as_of_time) = match query.as_of.as_deref() {
        None => (None, None),
        Some(text) => match from_decimal(text) {
            Some(seq) => {
                wait_for(service, seq)?;
                (Some(seq + 1), Some(store.time(seq)?))
            }
            None => {
                let time = time("as_of", text)?;
                let after = time
                    .checked_add(1)
                    .ok_or_else(|| Problem::parameter("as_of", "a time before the year 10000"))?;
                let known = store.first_at_or_after(after)?;
                if let Some(last) = known.checked_sub(1) {
                    wait_for(service, last)?;
                }
                (Some(known), Some(time))
            }
        },
    };
    if known.is_none() {
        wait_for_the_present(service)?;
    }
    let engine = engine(service)?;
    let known = known.unwrap_or_else(|| engine.applied());
    let when = When { known, at: at.or(as_of_time).unwrap_or(now) };
    Ok(Moment { engine, when, current: query.as_of.is_none() && query.at.is_none() })
}

/// Waits until the views have what the log had when they were opened: before that, their present is a past that
/// nobody asked for.
///
/// # Errors
/// They are not there in time, or there are none.
pub fn wait_for_the_present(service: &Service) -> Result<(), Problem> {
    let views = views(service)?;
    if views.wait_present(MAX_WAIT) {
        return Ok(());
    }
    if let Some(why) = views.problem() {
        return Err(Problem::new(ProblemType::ViewsUnavailable, format!("{why}; ask again soon")));
    }
    let (applied, size) = (views.applied(), service.log.store().size());
    let detail =
        format!("the views are being made: {applied} of {size} entries; `/v1/views` tells how far they are");
    Err(Problem::new(ProblemType::ViewBuilding, detail))
}

/// Waits until the views have an entry.
fn wait_for(service: &Service, seq: u64) -> Result<(), Problem> {
    let size = service.log.store().size();
    if seq >= size {
        let detail = format!("the log has {size} entries: there is no {seq} to wait for");
        return Err(Problem::new(ProblemType::NotFound, detail));
    }
    let views = views(service)?;
    if views.wait_applied(seq.saturating_add(1), MAX_WAIT) {
        return Ok(());
    }
    let detail = format!("the views have {} entries and did not reach {seq} in time", views.applied());
    Err(Problem::new(ProblemType::ViewBuilding, detail))
}

/// A time in a parameter.
///
/// # Errors
/// It is none.
pub fn time(name: &str, text: &str) -> Result<Timestamp, Problem> {
    time_parameter(text)
        .ok_or_else(|| Problem::parameter(name, "an RFC 3339 time such as 2026-03-01T00:00:00Z"))
}

/// The view of this name, or what is wrong.
///
/// # Errors
/// There is none, or it does not answer now.
pub fn view(moment: &Moment, name: &str) -> Result<Arc<dyn crate::views::engine::View>, Problem> {
    moment.engine.view(name).map_err(problem)
}
