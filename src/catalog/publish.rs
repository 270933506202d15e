//! A change of the catalogue at run time: what an event `catalog.published` holds, held against the catalogue in force.

use super::compatible::incompatible;
use super::compiled::Catalog;
use super::error::CatalogError;
use super::source;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The type of event that changes the catalogue.
pub const PUBLISHED: &str = "catalog.published";

/// Types that the program itself gives a meaning to.
const FIXED: [&str; 2] = [PUBLISHED, "event.corrected"];

/// The lists of a publication, in the order in which they are read.
const LISTS: [&str; 3] = ["types", "registers", "controls"];

/// Whose type stands, where the program has by now one that a publication declares too.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It is being published: its versions are the next ones.
    New,
    /// It is recorded, and the organisation's stands.
    Theirs,
    /// It is recorded, and the program's stands.
    Ours,
}

/// Why a publication is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishRefusal {
    /// JSON Pointer into the event's `data`.
    pub pointer: String,
    /// The reason, and what to do.
    pub message: String,
}

fn refusal(pointer: impl Into<String>, message: impl Into<String>) -> PublishRefusal {
    PublishRefusal { pointer: pointer.into(), message: message.into() }
}

impl Catalog {
    /// How many publications it holds: 0 as it came with the program and the organisation's folder.
    #[must_use]
    pub fn publications(&self) -> u64 {
        self.publications
    }

    /// The catalogue with a publication: an event's `data` that fits the schema of [`PUBLISHED`].
    ///
    /// # Errors
    /// It is not the next one, not well formed, does not hold together, or takes something back on which recorded events
    /// stand. Then nothing of it counts.
    pub fn published(&self, data: &Value) -> Result<Catalog, Vec<PublishRefusal>> {
        self.with(data, Standing::New)
    }

    /// The catalogue with a publication that the ledger has recorded. It was held against an earlier catalogue: a type that
    /// the program itself has by now, in the same or a higher version, stays the organisation's, so that applications can go
    /// on posting what they always posted. Only where what the program brings would not hold together with it, it gives way.
    ///
    /// # Errors
    /// As [`Catalog::published`], but for what is compatible.
    pub fn republished(&self, data: &Value) -> Result<Catalog, Vec<PublishRefusal>> {
        self.with(data, Standing::Theirs).or_else(|_| self.with(data, Standing::Ours))
    }

    fn with(&self, data: &Value, standing: Standing) -> Result<Catalog, Vec<PublishRefusal>> {
        let recorded = standing != Standing::New;
        let next = self.publications + 1;
        if data.get("version").and_then(Value::as_u64) != Some(next) {
            let message =
                format!("the next publication has the version {next}; look at /v1/catalog and decide again");
            return Err(vec![refusal("/version", message)]);
        }
        let name = format!("{PUBLISHED} {next}");
        let (text, places) = as_file(data);
        let file = source::parse(name, &text).map_err(|error| vec![placed(&error, &places)])?;
        let contents = file
            .into_contents(&self.everywhere, Some(&self.types))
            .map_err(|error| vec![placed(&error, &places)])?;

        let mut catalog = self.clone();
        catalog.publications = next;
        let mut refusals = Vec::new();
        let mut seen = BTreeSet::new();
        for (line, mut new) in contents.types {
            let at = place(line, &places);
            if !seen.insert(format!("type {}", new.name)) {
                refusals.push(refusal(at, format!("`{}` stands there twice", new.name)));
                continue;
            }
            if FIXED.contains(&new.name.as_str()) {
                let message = format!("the program itself works with `{}`: it cannot be published", new.name);
                refusals.push(refusal(at, message));
                continue;
            }
            if let Some(old) = self.types.get(&new.name) {
                let taken = recorded && new.version <= old.version;
                if taken && standing == Standing::Ours {
                    continue;
                }
                new.instead_of_ours = old.instead_of_ours || (taken && old.ours);
                new.ours = old.ours && !new.instead_of_ours;
                if new.version <= old.version && !recorded {
                    let message = format!(
                        "`{}` is known in version {}: the next one is {}",
                        old.name,
                        old.version,
                        old.version + 1
                    );
                    refusals.push(refusal(format!("{at}/version"), message));
                    continue;
                }
                if let Some((inner, reason)) = incompatible(old, &new).filter(|_| !recorded) {
                    let message = format!(
                        "version {} of `{}` cannot follow version {}: {reason}. Declare a type of another name instead",
                        new.version, new.name, old.version
                    );
                    refusals.push(refusal(format!("{at}{inner}"), message));
                    continue;
                }
            }
            catalog.types.insert(new.name.clone(), Arc::new(new));
        }
        for declared in contents.registers {
            let at = place(declared.line, &places);
            if !seen.insert(format!("register {}", declared.raw.name)) {
                refusals.push(refusal(at, format!("`{}` stands there twice", declared.raw.name)));
                continue;
            }
            if let Some(old) = self.registers.get(&declared.raw.name)
                && (old.family != declared.raw.family || old.key != declared.raw.key)
            {
                let message = "a register keeps its family and its key: links and citations lead to its rows. Declare \
                               one of another name instead";
                refusals.push(refusal(at, message));
                continue;
            }
            catalog.declared_registers.retain(|known| known.raw.name != declared.raw.name);
            catalog.declared_registers.push(declared);
        }
        for declared in contents.controls {
            if !seen.insert(format!("control {}", declared.raw.id)) {
                refusals.push(refusal(
                    place(declared.line, &places),
                    format!("`{}` stands there twice", declared.raw.id),
                ));
                continue;
            }
            catalog.declared_controls.retain(|known| known.raw.id != declared.raw.id);
            catalog.declared_controls.push(declared);
        }
        if !refusals.is_empty() {
            return Err(refusals);
        }
        catalog.resolve().map_err(|error| vec![placed(&error, &places)])?;
        Ok(catalog)
    }
}

/// A publication as a catalogue file, each item on a line of its own, and what stands on which line. JSON is YAML.
fn as_file(data: &Value) -> (String, Vec<String>) {
    let domain = data.get("domain").and_then(Value::as_str).unwrap_or("organisation");
    let mut text = format!("{{\"domain\":{}", json!(domain));
    let mut places = vec![String::new()];
    for list in LISTS {
        let items = data.get(list).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        text.push_str(&format!(",\n\"{list}\":["));
        places.push(format!("/{list}"));
        for (number, item) in items.iter().enumerate() {
            text.push_str(if number == 0 { "\n" } else { ",\n" });
            text.push_str(&item.to_string());
            places.push(format!("/{list}/{number}"));
        }
        text.push(']');
    }
    text.push('}');
    (text, places)
}

fn place(line: u64, places: &[String]) -> String {
    let line = usize::try_from(line).unwrap_or(usize::MAX).saturating_sub(1);
    places.get(line).cloned().unwrap_or_default()
}

/// The loader's word, at the place in the event. What was declared in files keeps its file and line.
fn placed(error: &CatalogError, places: &[String]) -> PublishRefusal {
    match error {
        CatalogError::Invalid { file, line, cause } if file.starts_with(PUBLISHED) => {
            refusal(line.map(|line| place(line, places)).unwrap_or_default(), cause.clone())
        }
        other => refusal("", format!("with this publication the catalogue does not hold together: {other}")),
    }
}
