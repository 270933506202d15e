//! The period of a tally, as instants: from, and until, that moment not included. Bare dates are days, the last one
//! included.

use crate::spec::time::{MICROS_PER_DAY, Timestamp};
use crate::views::told::due_by;
use serde_json::Value;
use std::fmt;

/// A stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Whether it was stated so.
    pub regular: bool,
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |time: Timestamp| time.to_string().replace(".000000Z", "Z");
        write!(f, "{}@{}", short(self.from), short(self.until))
    }
}

/// The period that a tally states: `{from, to}`, or `from/to`. None: it states none that can be read, or one that ends
/// before it begins.
pub fn period_of(data: &Value) -> Option<Period> {
    let stated = data.get("period")?;
    let (from, to) = match stated.as_str() {
        Some(text) => text.split_once('/')?,
        None => (stated.get("from")?.as_str()?, stated.get("to")?.as_str()?),
    };
    let is_day = |text: &str| Timestamp::recorded(text).is_none();
    let (first, last) = (due_by(from)?, due_by(to)?);
    let from = if is_day(from) { first.saturating_add(1 - MICROS_PER_DAY) } else { first };
    let until = if is_day(to) { last.saturating_add(1) } else { last };
    (from <= until).then_some(Period { from, until, regular: true })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn periods_are_instants_however_they_are_written() {
        let shown = |period: Value| period_of(&json!({"period": period})).map(|period| period.to_string());
        let march = Some("2026-03-01T00:00:00Z@2026-04-01T00:00:00Z".to_owned());
        assert_eq!(shown(json!({"from": "2026-03-01T02:00:00+02:00", "to": "2026-04-01T00:00:00Z"})), march);
        assert_eq!(shown(json!({"from": "2026-03-01", "to": "2026-03-31"})), march);
        assert_eq!(shown(json!("2026-03-01/2026-03-31")), march);
        assert_eq!(shown(json!({"from": "2026-03-02", "to": "2026-02-01"})), None);
        assert_eq!((shown(json!("2026")), shown(json!({"from": "2026-03-02"}))), (None, None));
    }
}
