//! The scenario's files: from YAML to events in time.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, NaiveDate, Utc};
use include_dir::{Dir, include_dir};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use serde_saphyr::Spanned;

use super::choice::{Choice, hash};
use super::event::{DemoError, Pending};
use super::template::{Moment, Variables, at, clock_time, duration, render};

static SEEDS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/seeds/demo");

/// Where the embedded files stand in the source tree, for error messages.
const SEEDS_NAME: &str = "seeds/demo";
/// A slip in a series must not make a year of millions of events.
const MAX_SERIES_LENGTH: u32 = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default)]
    sources: BTreeMap<String, RawSource>,
    #[serde(default)]
    events: Vec<Spanned<RawEvent>>,
    #[serde(default)]
    series: Vec<Spanned<RawSeries>>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSource {
    uri: String,
    prefix: String,
    actor: String,
    /// Its events are numbered.
    #[serde(default)]
    sequence: bool,
    /// A number that never arrives.
    skip: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEvent {
    day: i64,
    at: String,
    source: String,
    actor: Option<String>,
    id: Option<String>,
    #[serde(rename = "type")]
    event_type: String,
    subject: String,
    recorded_after: Option<String>,
    data: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSeries {
    name: String,
    from: i64,
    to: i64,
    count: Option<u32>,
    every: Option<u32>,
    between: (String, String),
    #[serde(default)]
    first_number: u32,
    #[serde(default)]
    with: BTreeMap<String, Value>,
    #[serde(default, rename = "let")]
    variables: Vec<RawVariable>,
    events: Vec<RawStep>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawVariable {
    name: String,
    be: Choice,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    after: Option<String>,
    #[serde(default)]
    when: BTreeMap<String, Value>,
    source: String,
    actor: Option<String>,
    #[serde(rename = "type")]
    event_type: String,
    subject: String,
    recorded_after: Option<String>,
    data: Map<String, Value>,
}

/// All events of the scenario that have been recorded by `now`, in no particular order.
pub(super) fn pending(now: DateTime<Utc>) -> Result<(Vec<Pending>, Numbered), DemoError> {
    let mut files = Vec::new();
    let mut sources = BTreeMap::new();
    for file in SEEDS.files().filter(|file| file.path().extension().is_some_and(|ext| ext == "yaml")) {
        let name = format!("{SEEDS_NAME}/{}", file.path().display());
        let raw = parse(&name, file.contents())?;
        sources.extend(raw.sources.clone());
        files.push((name, raw));
    }
    files.sort_by(|(a, _), (b, _)| a.cmp(b));

    let telling = Telling { now, today: now.date_naive(), sources };
    let mut pending = Vec::new();
    for (name, raw) in &files {
        let placed = |line: u64| move |cause| DemoError { file: name.clone(), line: Some(line), cause };
        for event in &raw.events {
            pending.push(telling.event(&event.value).map_err(placed(event.referenced.line()))?);
        }
        for series in &raw.series {
            telling.series(&series.value, &mut pending).map_err(placed(series.referenced.line()))?;
        }
    }
    let numbered = telling.sources.values().filter(|source| source.sequence);
    let numbered = numbered.map(|source| (source.uri.clone(), source.skip)).collect();
    count(&mut pending);
    Ok((pending, numbered))
}

/// The sources that number their events, each with the number that never arrives.
pub(super) type Numbered = BTreeMap<String, Option<u64>>;

/// What sources say they have posted: what they have, and what the story adds.
fn count(pending: &mut [Pending]) {
    let posted: Vec<(String, DateTime<Utc>)> =
        pending.iter().map(|event| (event.source.clone(), event.happened_at)).collect();
    for event in pending.iter_mut().filter(|event| event.event_type == "source.reconciled") {
        let text = |name: &str| event.data.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let Some(more) = text("count").strip_prefix("counted").map(str::to_owned) else { continue };
        let time = |name: &str| text(name).parse::<DateTime<Utc>>().unwrap_or_default();
        let (source, from, to) = (text("source"), time("from"), time("to"));
        let within = |(of, at): &&(String, DateTime<Utc>)| *of == source && from <= *at && *at < to;
        let count = posted.iter().filter(within).count() as i64;
        if let Some(data) = event.data.as_object_mut() {
            data.insert("count".to_owned(), json!(count + more.parse::<i64>().unwrap_or(0)));
        }
    }
}

fn parse(name: &str, contents: &[u8]) -> Result<RawFile, DemoError> {
    // Strict: `n` is the letter, not a way to say false.
    let options = serde_saphyr::options! { with_snippet: false, strict_booleans: true };
    serde_saphyr::from_slice_with_options(contents, options).map_err(|error| DemoError {
        file: name.to_owned(),
        line: error.location().map(|location| location.line()),
        cause: error.to_string(),
    })
}

/// What every part of the story needs to know.
struct Telling {
    now: DateTime<Utc>,
    today: NaiveDate,
    sources: BTreeMap<String, RawSource>,
}

impl Telling {
    fn event(&self, raw: &RawEvent) -> Result<Pending, String> {
        let happened_at = at(self.today, raw.day, &raw.at)?;
        let source = self.source(&raw.source)?;
        let moment = Moment { today: self.today, happened_at };
        let event = Pending {
            happened_at,
            recorded_after: optional_duration(raw.recorded_after.as_deref())?,
            source: source.uri.clone(),
            prefix: source.prefix.clone(),
            id: raw.id.clone(),
            actor: raw.actor.clone().unwrap_or_else(|| source.actor.clone()),
            event_type: raw.event_type.clone(),
            subject: raw.subject.clone(),
            data: render(&raw.data, &Variables::default(), moment)?,
        };
        // What is told by hand belongs to the story; if it lay in the future, the story would have a hole.
        if self.is_past(&event) { Ok(event) } else { Err("lies in the future".to_owned()) }
    }

    fn series(&self, raw: &RawSeries, into: &mut Vec<Pending>) -> Result<(), String> {
        let days = u32::try_from(raw.to - raw.from + 1).map_err(|_| "`to` lies before `from`")?;
        let (length, day_of): (u32, Box<dyn Fn(u32) -> u32>) = match (raw.count, raw.every) {
            (Some(count), None) => (count, Box::new(move |index| index * days / count.max(1))),
            (None, Some(every)) => (days.div_ceil(every.max(1)), Box::new(move |index| index * every.max(1))),
            _ => return Err("a series has either `count` or `every`".to_owned()),
        };
        if length > MAX_SERIES_LENGTH {
            return Err(format!("longer than {MAX_SERIES_LENGTH}"));
        }
        let opening = clock_time(&raw.between.0)?;
        let open_seconds = (clock_time(&raw.between.1)? - opening).num_seconds();
        let open_seconds = u64::try_from(open_seconds).ok().filter(|seconds| *seconds > 0);
        let open_seconds = open_seconds.ok_or("`between` ends before it begins")?;

        for index in 0..length {
            let number = raw.first_number + index;
            let name = number.to_string();
            let second = hash(&[&raw.name, &name, "time of day"]) % open_seconds;
            let day = raw.from + i64::from(day_of(index));
            let start = at(self.today, day, &raw.between.0)? + Duration::seconds(second as i64);

            let mut variables = Variables::default();
            variables.set("n", json!(number));
            for (name, value) in &raw.with {
                variables.set(name, value.clone());
            }
            for variable in &raw.variables {
                let seed = [raw.name.as_str(), name.as_str(), variable.name.as_str()];
                let value = variable.be.value(&seed, index as usize, &variables);
                variables.set(&variable.name, value.map_err(|cause| format!("{}: {cause}", variable.name))?);
            }
            for step in &raw.events {
                if let Some(event) = self.step(step, start, &variables)? {
                    into.push(event);
                }
            }
        }
        Ok(())
    }

    /// One event of a member of a series; `None` if it does not apply, or has not happened yet.
    fn step(
        &self,
        raw: &RawStep,
        start: DateTime<Utc>,
        variables: &Variables,
    ) -> Result<Option<Pending>, String> {
        for (name, value) in &raw.when {
            if !variables.is(name, value)? {
                return Ok(None);
            }
        }
        let filled = |text: &Option<String>| text.as_deref().map(|text| variables.filled(text)).transpose();
        let happened_at = start + optional_duration(filled(&raw.after)?.as_deref())?;
        let source = self.source(&raw.source)?;
        let event = Pending {
            happened_at,
            recorded_after: optional_duration(filled(&raw.recorded_after)?.as_deref())?,
            source: source.uri.clone(),
            prefix: source.prefix.clone(),
            id: None,
            actor: filled(&raw.actor)?.unwrap_or_else(|| source.actor.clone()),
            event_type: raw.event_type.clone(),
            subject: variables.filled(&raw.subject)?,
            data: render(&raw.data, variables, Moment { today: self.today, happened_at })?,
        };
        Ok(Some(event).filter(|event| self.is_past(event)))
    }

    fn source(&self, name: &str) -> Result<&RawSource, String> {
        self.sources.get(name).ok_or_else(|| format!("no source `{name}`"))
    }

    /// Whether it will have been recorded by now, with a second to spare for the way to the ledger.
    fn is_past(&self, event: &Pending) -> bool {
        event.happened_at + event.recorded_after + Duration::seconds(1) <= self.now
    }
}

fn optional_duration(text: Option<&str>) -> Result<Duration, String> {
    text.map_or(Ok(Duration::zero()), duration)
}
