//! What is looked at to show how an approval stands, and pieces of it.

use super::authority::Authority;
use super::course::Course;
use super::told::Told;
use crate::spec::time::Timestamp;
use serde_json::{Map, Value};

/// What is answered about: a course, by whose rights, when.
pub(super) struct Shown<'a> {
    pub(super) course: &'a Course<'a>,
    pub(super) authority: &'a Authority<'a>,
    pub(super) at: Timestamp,
}

/// A due date that was told again, and by whom.
pub(super) struct Due<'a> {
    pub(super) due_at: Timestamp,
    pub(super) told: &'a Told,
}

/// A condition of a vote that stands.
pub(super) struct ShownCondition<'a> {
    pub(super) due_at: Option<Timestamp>,
    pub(super) is_open: bool,
    pub(super) members: Map<String, Value>,
    pub(super) stated: &'a Value,
}
