//! Controls: what the organisation has to be able to show. Here they are declared and held against the types and the
//! registers; whether one is satisfied is judged elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::cadence::Cadence;
use super::event_type::{EventType, LinkTarget};
use super::field::{field, texts_at, value_at};
use super::filter::Filter;
use super::nearest::nearest;
use super::register::{KEY_JOINER, Register};

/// The views that are more than a register: what a population may name beside the registers, the family of their rows,
/// and the type that begins a row.
pub const CORE_VIEWS: [CoreView; 4] = [
    CoreView { name: "approvals", family: "approval", opened_by: "approval.requested" },
    CoreView { name: "access", family: "access", opened_by: "access.granted" },
    CoreView { name: "decisions", family: "decision", opened_by: "decision.made" },
    CoreView { name: "escalations", family: "escalation", opened_by: "escalation.opened" },
];

/// A view that is more than a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoreView {
    /// What a population calls it.
    pub name: &'static str,
    /// What its rows are, as links name it.
    pub family: &'static str,
    /// The type of event that begins a row, whose fields a filter may name.
    pub opened_by: &'static str,
}

/// What the organisation has to be able to show.
#[derive(Debug, Clone, PartialEq)]
pub struct Control {
    /// For ever the same; people cite it.
    pub id: String,
    /// What is practised.
    pub title: String,
    /// The domain of the file that declares it.
    pub domain: String,
    /// To what it applies; `None` where it applies to the organisation.
    pub population: Option<Population>,
    /// The types of event that show it at work, each once.
    pub evidence: Vec<Evidence>,
    /// How often evidence is due.
    pub cadence: Cadence,
    /// What counts as a violation, in words.
    pub violation: String,
    /// What a compliance officer asks.
    pub question: String,
}

/// The rows that a control applies to.
#[derive(Debug, Clone, PartialEq)]
pub struct Population {
    /// A register, or one of [`CORE_VIEWS`].
    pub register: String,
    /// Which of its rows; a row also has the field `state`.
    pub filter: Filter,
}

/// A type of event that shows a control at work.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// The type's name.
    pub event_type: String,
    /// Which events of the type.
    pub filter: Filter,
    /// How an event names the member of the population that it is about; `None` where it does not.
    pub member: Option<Member>,
}

/// How an event's `data` names rows of a population.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The fields that hold the row's key, part by part. A single one may lead through lists, and then names many rows.
    pub fields: Vec<String>,
    /// Only where this field has this value: the family that the event's own link names.
    pub only_where: Option<(String, String)>,
}

impl Evidence {
    /// Whether an event is evidence.
    pub fn fits(&self, event_type: &str, data: &Value) -> bool {
        self.event_type == event_type && self.filter.fits(data)
    }
}

impl Member {
    /// The rows that an event names.
    pub fn rows_of(&self, data: &Value) -> Vec<String> {
        if let Some((by, family)) = &self.only_where
            && value_at(data, by).and_then(Value::as_str) != Some(family)
        {
            return Vec::new();
        }
        if let [only] = self.fields.as_slice() {
            return texts_at(data, only).into_iter().map(str::to_owned).collect();
        }
        let part = |name: &String| value_at(data, name)?.as_str();
        let parts: Option<Vec<&str>> = self.fields.iter().map(part).collect();
        parts.map(|parts| parts.join(KEY_JOINER)).into_iter().collect()
    }
}

/// A control as a file declares it.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawControl {
    pub(super) id: String,
    title: String,
    population: Option<RawPopulation>,
    evidence: Vec<Value>,
    cadence: String,
    violation: String,
    question: String,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPopulation {
    register: String,
    #[serde(rename = "where", default)]
    filter: BTreeMap<String, Value>,
}

/// Holds a declared control against the types and the registers of the catalogue.
pub(super) fn resolve(
    raw: &RawControl,
    domain: &str,
    types: &BTreeMap<String, Arc<EventType>>,
    registers: &BTreeMap<String, Register>,
) -> Result<Control, String> {
    check_id(&raw.id)?;
    for (member, text) in [("title", &raw.title), ("violation", &raw.violation), ("question", &raw.question)]
    {
        if text.trim().is_empty() {
            return Err(format!("{member}: is empty"));
        }
    }
    let rows =
        raw.population.as_ref().map(|population| rows_of(&population.register, registers)).transpose()?;
    let population = match (&raw.population, &rows) {
        (Some(population), Some(rows)) => {
            let filter =
                Filter::new(population.filter.clone()).map_err(|cause| format!("population: {cause}"))?;
            check_rows(&filter, rows, types).map_err(|cause| format!("population: {cause}"))?;
            Some(Population { register: population.register.clone(), filter })
        }
        _ => None,
    };
    let mut evidence: Vec<Evidence> = Vec::new();
    for item in &raw.evidence {
        let (name, filter) = evidence_item(item)?;
        for known in named(name, types)? {
            check_data(&filter, known).map_err(|cause| format!("evidence: `{}`: {cause}", known.name))?;
            if evidence.iter().any(|other| other.event_type == known.name) {
                return Err(format!("evidence: `{}` stands there twice", known.name));
            }
            let member = rows.as_ref().and_then(|rows| member(known, rows));
            evidence.push(Evidence { event_type: known.name.clone(), filter: filter.clone(), member });
        }
    }
    if evidence.is_empty() {
        return Err("evidence: names no type".to_owned());
    }
    if let Some(population) = &population
        && evidence.iter().all(|evidence| evidence.member.is_none())
    {
        return Err(format!("evidence: none of it says which row of `{}` it is about", population.register));
    }
    Ok(Control {
        id: raw.id.clone(),
        title: raw.title.clone(),
        domain: domain.to_owned(),
        population,
        evidence,
        cadence: Cadence::parse(&raw.cadence).map_err(|cause| format!("cadence: {cause}"))?,
        violation: raw.violation.clone(),
        question: raw.question.clone(),
    })
}

/// What a population is made of.
enum Rows<'a> {
    Register(&'a Register),
    Core(CoreView),
}

fn rows_of<'a>(name: &str, registers: &'a BTreeMap<String, Register>) -> Result<Rows<'a>, String> {
    if let Some(view) = CORE_VIEWS.iter().find(|view| view.name == name) {
        return Ok(Rows::Core(*view));
    }
    if let Some(register) = registers.get(name) {
        return Ok(Rows::Register(register));
    }
    let known = registers.keys().map(String::as_str).chain(CORE_VIEWS.iter().map(|view| view.name));
    let hint = nearest(name, known).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Err(format!("population: no register `{name}`{hint}"))
}

/// Each field of the filter is one that the rows have, and each value one that it can take.
fn check_rows(
    filter: &Filter,
    rows: &Rows<'_>,
    types: &BTreeMap<String, Arc<EventType>>,
) -> Result<(), String> {
    let register = match rows {
        Rows::Core(view) => {
            let opened_by = types.get(view.opened_by);
            return opened_by.map_or(Ok(()), |known| check_data(filter, known));
        }
        Rows::Register(register) => register,
    };
    for (name, values) in &filter.fields {
        if name == "state" {
            let state = |value: &Value| value.as_str().is_some_and(|state| register.states.contains(state));
            if let Some(value) = values.iter().find(|value| !state(value)) {
                return Err(format!("where: a row of `{}` is never in the state {value}", register.name));
            }
            continue;
        }
        if !register.fields.contains(name) && !register.key.contains(name) {
            return Err(format!("where: `{}` does not carry `{name}`", register.name));
        }
        let carrying = register.events.iter().filter_map(|(type_name, reaction)| {
            let known: &EventType = types.get(type_name)?;
            Some((known, reaction.source_of(name)))
                .filter(|(known, source)| field(&known.schema, source).is_some())
        });
        let carrying: Vec<(&EventType, &str)> = carrying.collect();
        for value in values {
            if !carrying.iter().any(|(known, source)| known.may_hold(source, value)) {
                return Err(format!("where: `{name}` is never {value}"));
            }
        }
    }
    Ok(())
}

/// Each field of the filter is one of the type's, and each value one that it can take.
fn check_data(filter: &Filter, known: &EventType) -> Result<(), String> {
    for (name, values) in &filter.fields {
        if field(&known.schema, name).is_none_or(|found| found.listed) {
            return Err(format!("where: no field `{name}`"));
        }
        if let Some(value) = values.iter().find(|value| !known.may_hold(name, value)) {
            return Err(format!("where: `{name}` is never {value}"));
        }
    }
    Ok(())
}

/// A name, or an object of a name and a filter.
fn evidence_item(item: &Value) -> Result<(&str, Filter), String> {
    const FORM: &str = "evidence: a type's name, or {type, where}";
    match item {
        Value::String(name) => Ok((name, Filter::default())),
        Value::Object(members) if members.keys().all(|member| member == "type" || member == "where") => {
            let name = members.get("type").and_then(Value::as_str).ok_or(FORM)?;
            let fields = match members.get("where") {
                Some(Value::Object(fields)) => fields.clone().into_iter().collect(),
                _ => return Err(FORM.to_owned()),
            };
            Ok((name, Filter::new(fields).map_err(|cause| format!("evidence: `{name}`: {cause}"))?))
        }
        _ => Err(FORM.to_owned()),
    }
}

/// The types of this name, or of all names that begin as `a.*` says.
fn named<'a>(name: &str, types: &'a BTreeMap<String, Arc<EventType>>) -> Result<Vec<&'a EventType>, String> {
    if let Some(family) = name.strip_suffix('*').filter(|family| family.ends_with('.')) {
        let found: Vec<&EventType> =
            types.values().map(|known| &**known).filter(|known| known.name.starts_with(family)).collect();
        return if found.is_empty() {
            Err(format!("evidence: no type begins with `{family}`"))
        } else {
            Ok(found)
        };
    }
    match types.get(name) {
        Some(known) => Ok(vec![known]),
        None => {
            let near = nearest(name, types.keys().map(String::as_str));
            let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            Err(format!("evidence: no type `{name}`{hint}"))
        }
    }
}

/// How an event of this type names a row: as the register says; or it has fields of the key's names; or its entity or
/// one of its links is of the rows' family.
fn member(known: &EventType, rows: &Rows<'_>) -> Option<Member> {
    let always = |fields: Vec<String>| Some(Member { fields, only_where: None });
    let family = match rows {
        Rows::Core(view) => view.family,
        Rows::Register(register) => {
            let reaction = register.events.get(&known.name);
            let source = |part: &String| {
                reaction.map_or(part.as_str(), |reaction| reaction.source_of(part)).to_owned()
            };
            let fields: Vec<String> = register.key.iter().map(source).collect();
            let has = |name: &String| {
                field(&known.schema, name).is_some_and(|found| !found.listed && found.is_text())
            };
            if fields.iter().all(has) {
                return always(fields);
            }
            if register.key.len() > 1 {
                return None;
            }
            register.family.as_str()
        }
    };
    if known.entity.family == family {
        return always(vec![known.entity.id.clone()]);
    }
    let of_family = |to: &LinkTarget| matches!(to, LinkTarget::Family(to) if to == family);
    if let Some(link) = known.links.iter().find(|link| of_family(&link.to)) {
        return always(vec![link.field.clone()]);
    }
    known.links.iter().find_map(|link| match &link.to {
        LinkTarget::NamedBy(by) => Some(Member {
            fields: vec![link.field.clone()],
            only_where: Some((by.clone(), family.to_owned())),
        }),
        LinkTarget::Family(_) => None,
    })
}

fn check_id(id: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-';
    if id.is_empty()
        || id.len() > 32
        || !id.starts_with(|c: char| c.is_ascii_uppercase())
        || !id.chars().all(plain)
    {
        return Err("id: upper-case letters, digits and -, such as SA-1".to_owned());
    }
    Ok(())
}
