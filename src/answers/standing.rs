//! How far the views have come.

use super::error::AnswerError;
use super::{Answer, AsOf, Inquiry};
use crate::views::engine::Standing;

/// How all views stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standings {
    /// Entries in the log.
    pub size: u64,
    /// Entries that the views have applied.
    pub applied: u64,
    /// By name; a version that is being built after the one that answers.
    pub items: Vec<Standing>,
}

/// How far each view has come, and what it holds.
///
/// # Errors
/// There are no views, or they cannot answer now.
pub fn list(inquiry: &Inquiry<'_>) -> Result<Answer<Standings>, AnswerError> {
    let engine = inquiry.engine()?;
    let applied = engine.applied();
    let size = inquiry.store().size();
    let mut items = engine.standing();
    items.sort_by(|a, b| (&a.name, a.building).cmp(&(&b.name, b.building)));
    let behind = size.saturating_sub(applied);
    let as_of = AsOf {
        entries: applied,
        at: inquiry.desk().clock.now(),
        current: behind == 0,
        behind,
        final_: false,
        views: engine.versions(),
        catalog: inquiry.catalog().publications(),
        partial: false,
    };
    Ok(Answer { body: Standings { size, applied, items }, as_of, applied })
}
