//! What a register is as a view: what the catalogue declares, and what its rows are.

use super::repeat::opening_of;
use super::states::{LAPSED, OPENED, PROPOSED, VOID};
use crate::catalog::{Acts, Catalog, Register, UNOPENED};
use crate::spec::time::Timestamp;
use crate::views::engine::{Opening, Row};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// Raise it with every change to how registers are folded.
const FOLD_VERSION: u64 = 2;

/// The type of which the rows share one whole.
pub(super) const DEPLOYED: &str = "model.deployed";

/// One register.
pub struct RegisterView {
    pub(super) register: Register,
    pub(super) version: u64,
    pub(super) kind: Kind,
    /// How the types repeat that open rows.
    pub(super) openings: BTreeMap<String, Opening>,
    /// The names of the key's parts, by which rows are listed.
    pub(super) key: Vec<&'static str>,
    /// Its types that take two.
    pub(super) two: BTreeSet<String>,
    /// The states that its rows may have.
    pub(super) states: Vec<&'static str>,
}

impl RegisterView {
    /// The view of a register as the catalogue declares it.
    #[must_use]
    pub fn new(register: &Register, catalog: &Catalog) -> RegisterView {
        let key = register.key.iter().map(|name| interned(name)).collect();
        let opening = register.events.iter().filter(|(_, reaction)| reaction.opens.is_some());
        let openings: BTreeMap<String, Opening> =
            opening.map(|(ty, _)| (ty.clone(), opening_of(catalog, ty))).collect();
        let takes_two = |ty: &&String| catalog.get(ty).is_some_and(|known| known.words.acts == Acts::Two);
        let two: BTreeSet<String> = register.events.keys().filter(takes_two).cloned().collect();
        let version = match two.is_empty() {
            true => fingerprint(FOLD_VERSION, &(register, &openings)),
            false => fingerprint(FOLD_VERSION, &(register, &openings, &two)),
        };
        let kind = if two.is_empty() { Kind::of(register, &openings) } else { Kind::Lives };
        let states = states_of(register, &two);
        RegisterView { version, kind, openings, key, two, states, register: register.clone() }
    }

    /// What the catalogue says of it.
    #[must_use]
    pub fn register(&self) -> &Register {
        &self.register
    }
}

/// All states of a register's rows.
fn states_of(register: &Register, two: &BTreeSet<String>) -> Vec<&'static str> {
    let mut states: Vec<&str> = register.states.iter().map(String::as_str).collect();
    states.push(UNOPENED);
    if !two.is_empty() {
        states.extend([PROPOSED, LAPSED]);
    }
    if two.contains(OPENED) {
        states.push(VOID);
    }
    states.into_iter().map(interned).collect()
}

/// A version for what is declared: another declaration has another one.
pub(in crate::views) fn fingerprint(fold_version: u64, declared: &impl std::fmt::Debug) -> u64 {
    let hash: [u8; 32] = Sha256::digest(format!("{fold_version} {declared:?}")).into();
    // 32 bytes have a first 8. Half of them are enough for a number that JSON readers keep.
    hash.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes) >> 16)
}

/// The same text for as long as the process lives. There are as many as the catalogue has names of key fields and states.
fn interned(name: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    match names.get(name) {
        Some(known) => known,
        None => {
            let leaked: &'static str = Box::leak(name.to_owned().into_boxed_str());
            names.insert(leaked);
            leaked
        }
    }
}

/// What rows of a register are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Each has one life, of one or several rounds.
    Lives,
    /// Each has stretches.
    Beside,
    /// Each has stretches that share one whole.
    Deployments,
}

impl Kind {
    fn of(register: &Register, openings: &BTreeMap<String, Opening>) -> Kind {
        if !openings.values().all(|opening| *opening == Opening::Beside) {
            return Kind::Lives;
        }
        let has = |name: &str| register.fields.iter().any(|field| field == name);
        let shares = register.events.contains_key(DEPLOYED) && has("share") && has("version");
        if shares { Kind::Deployments } else { Kind::Beside }
    }
}

impl RegisterView {
    /// Whether a type opens rows.
    pub(super) fn opens(&self, event_type: &str) -> bool {
        self.openings.contains_key(event_type)
    }

    pub(super) fn several_open(&self) -> bool {
        self.openings.len() > 1
    }

    pub(super) fn dates(&self, row: &mut Row) {
        let register = &self.register;
        let text = |row: &Row, name: &Option<String>| {
            name.as_deref().and_then(|name| row.fields.get(name)?.as_str().map(str::to_owned))
        };
        let time = |row: &Row, name: &Option<String>| {
            Timestamp::recorded(row.fields.get(name.as_deref()?)?.as_str()?)
        };
        row.owner = text(row, &register.owner);
        row.due_at = time(row, &register.due_at);
        row.valid_from = time(row, &register.valid_from);
        row.valid_until = time(row, &register.valid_until);
    }
}
