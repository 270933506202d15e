//! Registers as a file declares them, and the check that a declared register makes sense.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use serde_saphyr::Spanned;

use super::event_type::EventType;
use super::field::{Field, field};
use super::nearest::nearest;
use super::register::{Moves, Next, Reaction, Register, UNOPENED};

/// More parts would be a key that nobody can type.
const MAX_KEY_PARTS: usize = 4;

/// A register as a file declares it.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRegister {
    pub(super) name: String,
    summary: String,
    pub(super) family: String,
    pub(super) key: Vec<String>,
    events: BTreeMap<String, Spanned<RawReaction>>,
    #[serde(default)]
    ends: Vec<String>,
    owner: Option<String>,
    due_at: Option<String>,
    valid_from: Option<String>,
    valid_until: Option<String>,
    fields: Vec<String>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawReaction {
    opens: Option<String>,
    opens_field: Option<String>,
    to: Option<Value>,
    to_field: Option<String>,
    #[serde(rename = "as", default)]
    renamed: BTreeMap<String, String>,
}

/// A cause, and the line it stands on where that is not the line of the register itself.
pub(super) type Refusal = (Option<u64>, String);

/// Holds a declared register against the types of the catalogue.
pub(super) fn resolve(
    raw: &RawRegister,
    domain: &str,
    types: &BTreeMap<String, Arc<EventType>>,
) -> Result<Register, Refusal> {
    let whole = |cause: String| (None, cause);
    check_word(&raw.name).map_err(|cause| whole(format!("name: {cause}")))?;
    if raw.key.is_empty() || raw.key.len() > MAX_KEY_PARTS {
        return Err(whole(format!("key: 1 to {MAX_KEY_PARTS} fields")));
    }
    if let Some(twice) = twice(&raw.fields) {
        return Err(whole(format!("fields: `{twice}` stands there twice")));
    }
    if let Some(kept) = raw.fields.iter().find(|name| *name == "state") {
        return Err(whole(format!(
            "fields: `{kept}` is the row's own state; give the field another name with `as`"
        )));
    }
    let mut events = BTreeMap::new();
    let mut seen_types = Vec::new();
    // In the order of the file, so that the first mistake in it is the one that is told.
    let mut declared: Vec<_> = raw.events.iter().collect();
    declared.sort_by_key(|(_, spanned)| spanned.referenced.line());
    for (type_name, spanned) in declared {
        let here =
            |cause: String| (Some(spanned.referenced.line()), format!("events: `{type_name}`: {cause}"));
        let Some(known) = types.get(type_name) else {
            let near = nearest(type_name, types.keys().map(String::as_str));
            let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            return Err(here(format!("no such type{hint}")));
        };
        let reaction = react(raw, &spanned.value, known).map_err(here)?;
        events.insert(type_name.clone(), reaction);
        seen_types.push(&**known);
    }
    let register = Register {
        name: raw.name.clone(),
        summary: raw.summary.clone(),
        domain: domain.to_owned(),
        family: raw.family.clone(),
        key: raw.key.clone(),
        states: BTreeSet::new(),
        events,
        ends: raw.ends.iter().cloned().collect(),
        owner: raw.owner.clone(),
        due_at: raw.due_at.clone(),
        valid_from: raw.valid_from.clone(),
        valid_until: raw.valid_until.clone(),
        fields: raw.fields.clone(),
    };
    check_fields(&register, &seen_types).map_err(whole)?;
    let states = reachable_states(&register, types).map_err(whole)?;
    Ok(Register { states, ..register })
}

/// One type's part, checked against its schema.
fn react(register: &RawRegister, raw: &RawReaction, known: &EventType) -> Result<Reaction, String> {
    let opens = next("opens", raw.opens.clone(), raw.opens_field.as_ref(), known)?;
    let moves = match &raw.to {
        Some(Value::Object(_)) if raw.to_field.is_some() => {
            return Err("either `to` or `to_field`".to_owned());
        }
        Some(Value::Object(table)) => {
            let mut moves = BTreeMap::new();
            for (from, to) in table {
                let to = to.as_str().ok_or("to: a table leads from states to states")?;
                check_state(from)?;
                check_state(to)?;
                moves.insert(from.clone(), to.to_owned());
            }
            Moves::Table(moves)
        }
        Some(Value::String(state)) => match next("to", Some(state.clone()), raw.to_field.as_ref(), known)? {
            Some(next) => Moves::To(next),
            None => Moves::Stays,
        },
        Some(_) => return Err("to: a state, or a table of states".to_owned()),
        None => next("to", None, raw.to_field.as_ref(), known)?.map_or(Moves::Stays, Moves::To),
    };
    for (row_field, data_field) in &raw.renamed {
        if !register.fields.contains(row_field) && !register.key.contains(row_field) {
            return Err(format!("as: `{row_field}` is neither among the fields nor in the key"));
        }
        if field(&known.schema, data_field).is_none() {
            return Err(format!("as: the type has no field `{data_field}`"));
        }
    }
    let mut reaction = Reaction { opens, moves, renamed: raw.renamed.clone(), clears: BTreeSet::new() };
    for part in &register.key {
        let source = reaction.source_of(part);
        let Some(found) = field(&known.schema, source) else {
            return Err(format!("key: the type has no field `{source}`"));
        };
        if found.listed || !found.is_text() {
            return Err(format!("key: the field `{source}` is not one text"));
        }
        if reaction.opens.is_some() && !found.always {
            return Err(format!("key: a type that opens rows has to require `{source}`"));
        }
    }
    let dates = [&register.due_at, &register.valid_from, &register.valid_until].into_iter().flatten();
    let known_dates: BTreeSet<String> =
        dates.filter(|name| carries(&reaction, known, name).is_some()).cloned().collect();
    reaction.clears = known_dates;
    Ok(reaction)
}

/// The state that `opens` or `to`, or `opens_field` or `to_field`, names.
fn next(
    word: &str,
    state: Option<String>,
    by_field: Option<&String>,
    known: &EventType,
) -> Result<Option<Next>, String> {
    match (state, by_field) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(format!("either `{word}` or `{word}_field`")),
        (Some(state), None) => {
            check_state(&state)?;
            Ok(Some(Next::State(state)))
        }
        (None, Some(path)) => {
            let found = field(&known.schema, path);
            let found = found.ok_or_else(|| format!("{word}_field: the type has no field `{path}`"))?;
            if !found.always || found.listed || found.words().is_none() {
                return Err(format!("{word}_field: `{path}` is not a required enumeration of words"));
            }
            Ok(Some(Next::Field(path.clone())))
        }
    }
}

/// The field of `known` that becomes the row's field `name`, if it has one.
fn carries<'a>(reaction: &Reaction, known: &'a EventType, name: &str) -> Option<Field<'a>> {
    let source = reaction.source_of(name);
    if source == name && reaction.renamed.values().any(|taken| taken == name) {
        return None;
    }
    field(&known.schema, source)
}

/// Every field of the row comes from some event, and the fields with a meaning are among them and fit it.
fn check_fields(register: &Register, types: &[&EventType]) -> Result<(), String> {
    let carrying = |name: &str| -> Vec<Field<'_>> {
        let found = types.iter().filter_map(|known| carries(register.events.get(&known.name)?, known, name));
        found.collect()
    };
    if let Some(unknown) = register.fields.iter().find(|name| carrying(name).is_empty()) {
        return Err(format!("fields: no type of this register has a field `{unknown}`"));
    }
    let there = |name: &String| register.fields.contains(name) || register.key.contains(name);
    let meanings = [
        ("owner", &register.owner, false),
        ("due_at", &register.due_at, true),
        ("valid_from", &register.valid_from, true),
        ("valid_until", &register.valid_until, true),
    ];
    for (meaning, name, is_date) in meanings {
        let Some(name) = name else { continue };
        if !there(name) {
            return Err(format!("{meaning}: `{name}` is not among the fields"));
        }
        let fits = |found: &Field<'_>| if is_date { found.is_instant() } else { found.is_text() };
        if !carrying(name).iter().all(fits) {
            let what = if is_date { "a date-time" } else { "a text" };
            return Err(format!("{meaning}: the field `{name}` is not {what}"));
        }
    }
    Ok(())
}

/// All states that a row can come to. A state that is spoken of and never reached is a mistake.
fn reachable_states(
    register: &Register,
    types: &BTreeMap<String, Arc<EventType>>,
) -> Result<BTreeSet<String>, String> {
    if !register.events.values().any(|reaction| reaction.opens.is_some()) {
        return Err("events: no type opens a row".to_owned());
    }
    let named = |type_name: &str, next: &Next| -> Vec<String> {
        match next {
            Next::State(state) => vec![state.clone()],
            Next::Field(path) => {
                let found = types.get(type_name).and_then(|known| field(&known.schema, path)?.words());
                found.unwrap_or_default().into_iter().map(str::to_owned).collect()
            }
        }
    };
    let mut reached: BTreeSet<String> = BTreeSet::from([UNOPENED.to_owned()]);
    for (type_name, reaction) in &register.events {
        reached.extend(reaction.opens.iter().flat_map(|next| named(type_name, next)));
        // From any state that is no end, and a row that nothing opened is in none.
        if let Moves::To(next) = &reaction.moves {
            reached.extend(named(type_name, next));
        }
    }
    loop {
        let known = reached.len();
        for reaction in register.events.values() {
            if let Moves::Table(table) = &reaction.moves {
                let led: Vec<String> = table
                    .iter()
                    .filter(|(from, _)| reached.contains(*from))
                    .map(|(_, to)| to.clone())
                    .collect();
                reached.extend(led);
            }
        }
        if reached.len() == known {
            break;
        }
    }
    let tables = register.events.iter().filter_map(|(type_name, reaction)| match &reaction.moves {
        Moves::Table(table) => Some((type_name, table)),
        _ => None,
    });
    for (type_name, table) in tables {
        if let Some(from) = table.keys().find(|from| !reached.contains(*from)) {
            return Err(format!(
                "events: `{type_name}` leads from the state `{from}`, which no event leads to"
            ));
        }
    }
    if let Some(end) = register.ends.iter().find(|end| !reached.contains(*end)) {
        return Err(format!("ends: no event leads to the state `{end}`"));
    }
    reached.remove(UNOPENED);
    Ok(reached)
}

fn check_state(state: &str) -> Result<(), String> {
    if state == UNOPENED {
        return Err(format!("`{UNOPENED}` is the state of rows that nothing has opened"));
    }
    check_word(state).map_err(|cause| format!("the state `{state}`: {cause}"))
}

fn check_word(word: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if word.is_empty()
        || word.len() > 64
        || !word.starts_with(|c: char| c.is_ascii_lowercase())
        || !word.chars().all(plain)
    {
        return Err("lower-case letters, digits and -, at most 64".to_owned());
    }
    Ok(())
}

fn twice(names: &[String]) -> Option<&String> {
    let mut seen = BTreeSet::new();
    names.iter().find(|name| !seen.insert(*name))
}
