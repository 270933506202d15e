//! The catalogue as it is used: every type with its compiled schema, and the registers and controls held against them.

use super::cadence::Span;
use super::complete::Everywhere;
use super::control::{self, CORE_VIEWS, Control, RawControl};
use super::error::CatalogError;
use super::event_type::EventType;
use super::nearest;
use super::register::Register;
use super::register_source::{self, RawRegister};
use super::source::{self, Declared};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

/// The event types that a ledger accepts, and the registers and controls that stand on them, by name. Immutable once
/// loaded, so that it can be shared between threads without a lock; a change of the catalogue is a new `Catalog`, and a
/// clone shares the compiled types.
#[derive(Clone)]
pub struct Catalog {
    pub(super) types: BTreeMap<String, Arc<EventType>>,
    pub(super) registers: BTreeMap<String, Register>,
    pub(super) controls: BTreeMap<String, Control>,
    /// Names of the registers whose rows a type makes: asked of every event that comes in.
    pub(super) openers: HashMap<String, Vec<String>>,
    // Kept as declared: a type that is renewed later has to bear what stands on it.
    pub(super) declared_registers: Vec<Declared<RawRegister>>,
    pub(super) declared_controls: Vec<Declared<RawControl>>,
    pub(super) everywhere: Everywhere,
    pub(super) publications: u64,
    /// By when events had to be recorded, from which entry on, by type: what it says itself, and what those before it said.
    pub(super) late_after: BTreeMap<String, Vec<(u64, Span)>>,
}

impl Catalog {
    /// What comes with the program.
    ///
    /// # Errors
    /// Only if the program was built with a broken catalogue, which the tests of this module rule out.
    pub fn embedded() -> Result<Catalog, CatalogError> {
        Catalog::of_program(source::embedded_files()?)
    }

    /// What files of the program's own hold, in the order in which they are given.
    pub(super) fn of_program(files: Vec<source::CatalogFile>) -> Result<Catalog, CatalogError> {
        let everywhere = source::everywhere(&files)?;
        let mut catalog = Catalog {
            types: BTreeMap::new(),
            registers: BTreeMap::new(),
            controls: BTreeMap::new(),
            openers: HashMap::new(),
            declared_registers: Vec::new(),
            declared_controls: Vec::new(),
            everywhere,
            publications: 0,
            late_after: BTreeMap::new(),
        };
        for file in files {
            let contents = file.into_contents(&catalog.everywhere, None)?;
            catalog.add(contents)?;
        }
        catalog.resolve()?;
        Ok(catalog)
    }

    /// Adds what every `*.yaml` file in `dir` holds, in the order of the file names. A file may replace a type that is
    /// already known only by a higher `version` of it, and only so that what stands on the type still holds.
    ///
    /// # Errors
    /// If the folder cannot be read, or a file in it is not a valid catalogue file: then nothing of `dir` counts.
    pub fn with_dir(mut self, dir: &Path) -> Result<Catalog, CatalogError> {
        for file in source::files_in(dir)? {
            if let Some(line) = file.everywhere_line() {
                let cause = "`everywhere` belongs to the built-in common.yaml; use `shared` here";
                return Err(CatalogError::invalid(&file.name, Some(line), cause));
            }
            let contents = file.into_contents(&self.everywhere, Some(&self.types))?;
            self.add(contents)?;
        }
        self.resolve()?;
        Ok(self)
    }

    /// The type of this exact name.
    pub fn get(&self, type_name: &str) -> Option<&EventType> {
        self.types.get(type_name).map(Arc::as_ref)
    }

    /// All types, in the order of their names.
    pub fn types(&self) -> impl Iterator<Item = &EventType> {
        self.types.values().map(Arc::as_ref)
    }

    /// The register of this name.
    pub fn register(&self, name: &str) -> Option<&Register> {
        self.registers.get(name)
    }

    /// The register whose rows are of this family, as links name it.
    pub fn register_of_family(&self, family: &str) -> Option<&Register> {
        self.registers.values().find(|register| register.family == family)
    }

    /// All registers, in the order of their names.
    pub fn registers(&self) -> impl Iterator<Item = &Register> {
        self.registers.values()
    }

    /// The registers whose rows events of a type make, in the order of their names.
    pub fn opened_by(&self, event_type: &str) -> impl Iterator<Item = &Register> {
        let names = self.openers.get(event_type).into_iter().flatten();
        names.filter_map(|name| self.registers.get(name))
    }

    /// The control of this id.
    pub fn control(&self, id: &str) -> Option<&Control> {
        self.controls.get(id)
    }

    /// All controls, in the order of their ids.
    pub fn controls(&self) -> impl Iterator<Item = &Control> {
        self.controls.values()
    }

    /// Whether two events of a type are about the same row: of its entity, and of each register that it is folded into.
    /// Where the catalogue does not know the type, nobody can say.
    pub fn same_row(&self, type_name: &str, one: &Value, other: &Value) -> Option<bool> {
        let known = self.get(type_name)?;
        let same = |register: &Register| register.row_of(type_name, one) == register.row_of(type_name, other);
        Some(known.entity_id(one) == known.entity_id(other) && self.registers().all(same))
    }

    /// The known type whose name is nearest to `type_name`, for a "did you mean". `None` if nothing is near.
    pub fn suggest(&self, type_name: &str) -> Option<&str> {
        nearest::nearest(type_name, self.types.keys().map(String::as_str))
    }

    fn add(&mut self, contents: source::Contents) -> Result<(), CatalogError> {
        let source::Contents { file: name, types, registers, controls } = contents;
        self.declared_registers.extend(registers);
        self.declared_controls.extend(controls);
        for (line, event_type) in types {
            if let Some(known) = self.types.get(&event_type.name)
                && known.version >= event_type.version
            {
                let cause = format!(
                    "`{}` is already known in version {}: a replacement needs a higher version",
                    event_type.name, known.version
                );
                return Err(CatalogError::invalid(&name, Some(line), cause));
            }
            self.types.insert(event_type.name.clone(), Arc::new(event_type));
        }
        Ok(())
    }

    /// Holds all registers against the types, and all controls against both.
    pub(super) fn resolve(&mut self) -> Result<(), CatalogError> {
        let mut registers: BTreeMap<String, Register> = BTreeMap::new();
        let mut places: BTreeMap<String, String> = BTreeMap::new();
        for declared in &self.declared_registers {
            let Declared { file, line, domain, raw } = declared;
            let refused = |line: u64, cause: String| {
                CatalogError::invalid(file, Some(line), format!("register `{}`: {cause}", raw.name))
            };
            let core = CORE_VIEWS.iter().find(|view| view.name == raw.name || view.family == raw.family);
            if let Some(view) = core {
                return Err(refused(
                    *line,
                    format!("`{}` and its family are a view of the program's own", view.name),
                ));
            }
            if let Some(place) = places.insert(raw.name.clone(), format!("{file}:{line}")) {
                return Err(refused(*line, format!("is declared at {place} already")));
            }
            if let Some(other) = registers.values().find(|other| other.family == raw.family) {
                return Err(refused(
                    *line,
                    format!("its family `{}` is that of `{}` already", raw.family, other.name),
                ));
            }
            let register = register_source::resolve(raw, domain, &self.types)
                .map_err(|(inner, cause)| refused(inner.unwrap_or(*line), cause))?;
            registers.insert(raw.name.clone(), register);
        }
        let mut controls = BTreeMap::new();
        let mut places: BTreeMap<String, String> = BTreeMap::new();
        for Declared { file, line, domain, raw } in &self.declared_controls {
            let refused = |cause: String| {
                CatalogError::invalid(file, Some(*line), format!("control `{}`: {cause}", raw.id))
            };
            if let Some(place) = places.insert(raw.id.clone(), format!("{file}:{line}")) {
                return Err(refused(format!("is declared at {place} already")));
            }
            let control = control::resolve(raw, domain, &self.types, &registers).map_err(refused)?;
            controls.insert(raw.id.clone(), control);
        }
        self.openers.clear();
        for register in registers.values() {
            for ty in register.openers() {
                self.openers.entry(ty.to_owned()).or_default().push(register.name.clone());
            }
        }
        self.registers = registers;
        self.controls = controls;
        Ok(())
    }
}
