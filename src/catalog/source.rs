//! Catalogue files: from YAML to compiled types. The top of `seeds/catalog/common.yaml` describes the format for those
//! who write such files.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use include_dir::{Dir, include_dir};
use serde::Deserialize;
use serde_json::{Map, Value};
use serde_saphyr::Spanned;

use super::complete::{Everywhere, complete};
use super::control::RawControl;
use super::error::CatalogError;
use super::event_type::{Entity, EventType, Link, LinkTarget, Stricter};
use super::field::field;
use super::instant::Times;
use super::lint::lint;
use super::register_source::RawRegister;
use super::words::{Acts, PostedBy, RawWords, Repeat, Whose};

static SEEDS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/seeds/catalog");

/// Where the embedded files stand in the source tree, for error messages.
const SEEDS_NAME: &str = "seeds/catalog";
/// The largest of our own is under 40 kB; a file this long is not a catalogue.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// Type names end up in index keys and in metrics labels.
const MAX_TYPE_NAME_BYTES: usize = 128;
/// One catalogue file, read and not yet compiled.
pub(super) struct CatalogFile {
    pub(super) name: String,
    raw: RawFile,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    domain: String,
    everywhere: Option<Spanned<Everywhere>>,
    shared: Option<Shared>,
    #[serde(default)]
    types: Vec<Spanned<RawType>>,
    #[serde(default)]
    registers: Vec<Spanned<RawRegister>>,
    #[serde(default)]
    controls: Vec<Spanned<RawControl>>,
}

/// Something that a file declares and that can only be checked once all types are known.
#[derive(Clone)]
pub(super) struct Declared<T> {
    pub(super) file: String,
    pub(super) line: u64,
    pub(super) domain: String,
    pub(super) raw: T,
}

/// What a file holds: its types compiled, each with its line, the rest as declared.
pub(super) struct Contents {
    pub(super) file: String,
    pub(super) types: Vec<(u64, EventType)>,
    pub(super) registers: Vec<Declared<RawRegister>>,
    pub(super) controls: Vec<Declared<RawControl>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shared {
    #[serde(rename = "$defs")]
    defs: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawType {
    name: String,
    version: u32,
    summary: String,
    entity: RawEntity,
    repeat: Option<Repeat>,
    posted_by: Option<PostedBy>,
    acts: Option<Acts>,
    happened: Option<Vec<String>>,
    may_begin_later: Option<bool>,
    late_after: Option<String>,
    effective_at: Option<String>,
    due_at: Option<String>,
    #[serde(default)]
    concerns: Concerns,
    #[serde(default)]
    links: Vec<RawLink>,
    schema: Map<String, Value>,
    example: Value,
}

/// Whom events of a type are about.
#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Concerns {
    /// Perhaps somebody who can be identified.
    #[default]
    Somebody,
    /// Nobody: benches, synthetic people, counts.
    Nobody,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntity {
    family: String,
    id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLink {
    field: String,
    to: Option<String>,
    to_field: Option<String>,
}

/// The files that come with the program.
pub(super) fn embedded_files() -> Result<Vec<CatalogFile>, CatalogError> {
    let mut files = Vec::new();
    for file in SEEDS.files().filter(|file| file.path().extension().is_some_and(|ext| ext == "yaml")) {
        let name = format!("{SEEDS_NAME}/{}", file.path().display());
        let text = file.contents_utf8().ok_or_else(|| CatalogError::invalid(&name, None, "not UTF-8"))?;
        files.push(parse(name, text)?);
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// The `everywhere` block, which exactly one of the embedded files holds.
pub(super) fn everywhere(files: &[CatalogFile]) -> Result<Everywhere, CatalogError> {
    let mut found = files.iter().filter_map(|file| file.raw.everywhere.as_ref());
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only.value.clone()),
        (None, _) => Err(CatalogError::invalid(SEEDS_NAME, None, "no file holds an `everywhere` block")),
        (Some(_), Some(_)) => {
            Err(CatalogError::invalid(SEEDS_NAME, None, "two files hold an `everywhere` block"))
        }
    }
}

/// The catalogue files of a folder, by name.
pub(super) fn files_in(dir: &Path) -> Result<Vec<CatalogFile>, CatalogError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| CatalogError::Read { path, source }
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed(dir))? {
        let path = entry.map_err(failed(dir))?.path();
        if path.extension().is_some_and(|ext| ext == "yaml" || ext == "yml") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        let name = path.display().to_string();
        let size_bytes = std::fs::metadata(&path).map_err(failed(&path))?.len();
        if size_bytes > MAX_FILE_BYTES {
            let cause =
                format!("{size_bytes} bytes, more than the {MAX_FILE_BYTES} that a catalogue file may have");
            return Err(CatalogError::invalid(&name, None, cause));
        }
        let text = std::fs::read_to_string(&path).map_err(failed(&path))?;
        files.push(parse(name, &text)?);
    }
    Ok(files)
}

pub(super) fn parse(name: String, text: &str) -> Result<CatalogFile, CatalogError> {
    // Strict: `n` is the letter, not a way to say false.
    let options = serde_saphyr::options! { with_snippet: false, strict_booleans: true };
    match serde_saphyr::from_str_with_options(text, options) {
        Ok(raw) => Ok(CatalogFile { name, raw }),
        Err(error) => {
            let line = error.location().map(|location| location.line());
            Err(CatalogError::invalid(&name, line, error.to_string()))
        }
    }
}

impl CatalogFile {
    pub(super) fn everywhere_line(&self) -> Option<u64> {
        self.raw.everywhere.as_ref().map(|block| block.referenced.line())
    }

    /// What the file holds. A file of the organisation's own may leave out words that its types had before: `known` are
    /// those types; one of the program's own may not.
    pub(super) fn into_contents(
        self,
        everywhere: &Everywhere,
        known: Option<&BTreeMap<String, Arc<EventType>>>,
    ) -> Result<Contents, CatalogError> {
        let CatalogFile { name, raw } = self;
        let mut defs = everywhere.defs.clone();
        for (def, schema) in raw.shared.map(|shared| shared.defs).unwrap_or_default() {
            if defs.insert(def.clone(), schema).is_some() {
                let cause = format!("shared: `{def}` is defined in common.yaml already");
                return Err(CatalogError::invalid(&name, None, cause));
            }
        }
        let mut types = Vec::new();
        for spanned in raw.types {
            let line = spanned.referenced.line();
            let type_name = spanned.value.name.clone();
            // Another kind of thing under the same name has none of its words.
            let RawEntity { family, id } = &spanned.value.entity;
            let same = |before: &&Arc<EventType>| before.entity.family == *family && before.entity.id == *id;
            let before = known.map(|known| known.get(&type_name).filter(same).cloned());
            let whose = before
                .as_ref()
                .map_or(Whose::Ours, |before| Whose::Theirs(before.as_deref().map(|before| &before.words)));
            let ours = before.as_ref().is_none_or(|before| before.as_ref().is_some_and(|before| before.ours));
            let mut compiled =
                compile(spanned.value, &raw.domain, everywhere, &defs, whose).map_err(|cause| {
                    CatalogError::invalid(&name, Some(line), format!("type `{type_name}`: {cause}"))
                })?;
            compiled.ours = ours;
            types.push((line, compiled));
        }
        let registers = declared(&name, &raw.domain, raw.registers);
        let controls = declared(&name, &raw.domain, raw.controls);
        Ok(Contents { file: name, types, registers, controls })
    }
}

fn declared<T>(file: &str, domain: &str, items: Vec<Spanned<T>>) -> Vec<Declared<T>> {
    let place = |item: Spanned<T>| Declared {
        file: file.to_owned(),
        line: item.referenced.line(),
        domain: domain.to_owned(),
        raw: item.value,
    };
    items.into_iter().map(place).collect()
}

fn compile(
    raw: RawType,
    domain: &str,
    everywhere: &Everywhere,
    defs: &BTreeMap<String, Value>,
    whose: Whose<'_>,
) -> Result<EventType, String> {
    check_name(&raw.name)?;
    if raw.version == 0 {
        return Err("`version` starts at 1".to_owned());
    }
    let schema = complete(raw.schema, &raw.name, &raw.summary, everywhere, defs)?;
    lint(&schema)?;
    check_concerns(raw.concerns, &schema)?;
    // To compile all that comes with the program takes longer than a start should: its tests have done it.
    let is_ours = matches!(whose, Whose::Ours);
    let validator =
        if is_ours { OnceLock::new() } else { OnceLock::from(Some(Times::Plain.validator(&schema)?)) };

    let words = RawWords {
        repeat: raw.repeat,
        posted_by: raw.posted_by,
        acts: raw.acts,
        happened: raw.happened,
        may_begin_later: raw.may_begin_later,
        late_after: raw.late_after,
    };
    let words = words.resolve(&schema, whose)?;

    // Each type carries `effective_at` from the `everywhere` block, so that is what a type means unless it says another.
    let effective_at = raw.effective_at.unwrap_or_else(|| "effective_at".to_owned());
    for (role, path) in [("effective_at", Some(&effective_at)), ("due_at", raw.due_at.as_ref())] {
        let Some(path) = path else { continue };
        let field = field(&schema, path).ok_or_else(|| format!("{role}: no field `{path}` in the schema"))?;
        if !field.is_instant() {
            return Err(format!("{role}: the field `{path}` is not a date-time"));
        }
    }
    let id = field(&schema, &raw.entity.id).ok_or_else(|| format!("entity: no field `{}`", raw.entity.id))?;
    if !id.always || id.listed {
        return Err(format!("entity: the field `{}` has to be required, and not in a list", raw.entity.id));
    }
    let mut links = Vec::new();
    for link in raw.links {
        if field(&schema, &link.field).is_none() {
            return Err(format!("links: no field `{}` in the schema", link.field));
        }
        let to = match (link.to, link.to_field) {
            (Some(family), None) => LinkTarget::Family(family),
            (None, Some(other)) if field(&schema, &other).is_some() => LinkTarget::NamedBy(other),
            (None, Some(other)) => return Err(format!("links: no field `{other}` in the schema")),
            _ => return Err(format!("links: `{}` needs either `to` or `to_field`", link.field)),
        };
        links.push(Link { field: link.field, to });
    }
    let compiled = EventType {
        name: raw.name,
        version: raw.version,
        summary: raw.summary,
        domain: domain.to_owned(),
        schema,
        example: raw.example,
        entity: Entity { family: raw.entity.family, id: raw.entity.id },
        effective_at,
        due_at: raw.due_at,
        links,
        concerns_nobody: raw.concerns == Concerns::Nobody,
        words,
        ours: false,
        instead_of_ours: false,
        validator,
        stricter: Stricter::default(),
    };
    if is_ours {
        return Ok(compiled);
    }
    match compiled.schema_violations(&compiled.example, 1).first() {
        None => Ok(compiled),
        Some(wrong) => Err(format!("example{}: {}", wrong.pointer, wrong.message)),
    }
}

/// Protected attributes in clear go only where nobody can be meant by them: an open map `group` says what somebody is.
fn check_concerns(concerns: Concerns, schema: &Value) -> Result<(), String> {
    let group = schema.pointer("/properties/group/additionalProperties");
    if group.is_some_and(|more| *more != Value::Bool(false)) && concerns != Concerns::Nobody {
        return Err(
            "`group` holds attributes in clear: only a type that `concerns: nobody` may have it".to_owned()
        );
    }
    if concerns == Concerns::Nobody && schema.pointer("/properties/personal").is_some() {
        return Err("a type that concerns nobody has nothing `personal`".to_owned());
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), String> {
    let word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    if name.len() > MAX_TYPE_NAME_BYTES || !name.contains('.') || !name.split('.').all(word) {
        return Err("a type's name is lower-case words joined by dots, such as `access.granted`".to_owned());
    }
    if name.starts_with("ledger.") {
        return Err("types that begin with `ledger.` are the ledger's own".to_owned());
    }
    Ok(())
}
