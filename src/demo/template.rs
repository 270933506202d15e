//! What may stand in a string of the scenario: `{variable}`, `@time` and `digest(text)`. The top of
//! `seeds/demo/bank.yaml` describes it for those who write the scenario.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Duration, NaiveDate, NaiveTime, Utc};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::event::instant;

/// The variables of one member of a series, by name.
#[derive(Default)]
pub(super) struct Variables(BTreeMap<String, Value>);

impl Variables {
    pub(super) fn set(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    /// The variable as text, the way it would stand in a sentence.
    pub(super) fn text(&self, name: &str) -> Result<String, String> {
        match self.0.get(name) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(other) => Ok(other.to_string()),
            None => Err(format!("no variable `{name}`")),
        }
    }

    pub(super) fn is(&self, name: &str, value: &Value) -> Result<bool, String> {
        self.0.get(name).map(|known| known == value).ok_or_else(|| format!("no variable `{name}`"))
    }

    /// Puts the variables into a text. A text that is nothing but one variable becomes its value, whatever its type.
    pub(super) fn fill(&self, text: &str) -> Result<Value, String> {
        if let Some(name) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'))
            && !name.contains(['{', '}'])
        {
            return self.0.get(name).cloned().ok_or_else(|| format!("no variable `{name}`"));
        }
        self.filled(text).map(Value::String)
    }

    /// Puts the variables into a text that stays a text.
    pub(super) fn filled(&self, text: &str) -> Result<String, String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, behind) =
                after.split_once('}').ok_or_else(|| format!("`{{` without `}}` in `{text}`"))?;
            out.push_str(before);
            out.push_str(&self.text(name)?);
            rest = behind;
        }
        out.push_str(rest);
        Ok(out)
    }
}

/// Where in time an event stands, to place the dates in its data.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub(super) today: NaiveDate,
    pub(super) happened_at: DateTime<Utc>,
}

/// A whole `data`, with variables, times and digests put in.
pub(super) fn render(
    data: &Map<String, Value>,
    variables: &Variables,
    moment: Moment,
) -> Result<Value, String> {
    let mut out = Map::new();
    for (name, value) in data {
        out.insert(name.clone(), render_value(value, variables, moment)?);
    }
    Ok(Value::Object(out))
}

fn render_value(value: &Value, variables: &Variables, moment: Moment) -> Result<Value, String> {
    match value {
        Value::Object(members) => render(members, variables, moment),
        Value::Array(items) => {
            let items: Result<Vec<Value>, String> =
                items.iter().map(|item| render_value(item, variables, moment)).collect();
            items.map(Value::Array)
        }
        Value::String(text) => match variables.fill(text)? {
            Value::String(text) => special(text, moment).map(Value::String),
            // A list or an object that came from a variable may itself hold times.
            other @ (Value::Object(_) | Value::Array(_)) => render_value(&other, variables, moment),
            other => Ok(other),
        },
        other => Ok(other.clone()),
    }
}

fn special(text: String, moment: Moment) -> Result<String, String> {
    if let Some(when) = text.strip_prefix('@') {
        return time(when, moment).map(instant);
    }
    let call = text.strip_suffix(')').and_then(|text| text.split_once('('));
    match call {
        Some(("digest", of)) => Ok(format!("sha256:{}", hex(of))),
        Some(("hex", of)) => Ok(hex(of)),
        Some(("commitment", of)) => Ok(STANDARD.encode(Sha256::digest(of.as_bytes()))),
        _ => Ok(text),
    }
}

/// `-120 17:00`, `+30d 17:00`, `-25m`, `+4h`, `+2d`: what follows the `@`.
fn time(when: &str, moment: Moment) -> Result<DateTime<Utc>, String> {
    let wrong = || format!("`@{when}` is not a time");
    let (offset, clock) = match when.split_once(' ') {
        Some((offset, clock)) => (offset, Some(clock)),
        None => (when, None),
    };
    match (offset.strip_suffix('d'), clock) {
        (Some(days), Some(clock)) => {
            let days: i64 = days.parse().map_err(|_| wrong())?;
            at(moment.happened_at.date_naive(), days, clock)
        }
        (None, Some(clock)) => at(moment.today, offset.parse().map_err(|_| wrong())?, clock),
        (_, None) => {
            let length = duration(offset.trim_start_matches(['+', '-']))?;
            let length = if offset.starts_with('-') { -length } else { length };
            moment.happened_at.checked_add_signed(length).ok_or_else(wrong)
        }
    }
}

/// `days` after `day`, at a clock time `HH:MM` or `HH:MM:SS`, UTC.
pub(super) fn at(day: NaiveDate, days: i64, clock: &str) -> Result<DateTime<Utc>, String> {
    let day = Duration::try_days(days).and_then(|days| day.checked_add_signed(days));
    let day = day.ok_or_else(|| format!("day {days} is out of range"))?;
    Ok(day.and_time(clock_time(clock)?).and_utc())
}

pub(super) fn clock_time(clock: &str) -> Result<NaiveTime, String> {
    NaiveTime::parse_from_str(clock, "%H:%M:%S")
        .or_else(|_| NaiveTime::parse_from_str(clock, "%H:%M"))
        .map_err(|_| format!("`{clock}` is not a time of day"))
}

/// `45s`, `25m`, `4h`, `2d`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration such as 25m, 4h or 2d");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let number: i64 = text.strip_suffix(unit).and_then(|number| number.parse().ok()).ok_or_else(wrong)?;
    let length = match unit {
        's' => Duration::try_seconds(number),
        'm' => Duration::try_minutes(number),
        'h' => Duration::try_hours(number),
        'd' => Duration::try_days(number),
        _ => None,
    };
    length.ok_or_else(wrong)
}

fn hex(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
