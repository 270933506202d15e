use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;
use std::sync::OnceLock;

use super::countable;
use super::field::{field, texts_at, value_at};
use super::instant::{Times, has_one_beyond};
use super::nearest::nearest;
use super::words::{PostedBy, Words};

/// A message is for one line of a terminal or a log; the schema has the long version.
const MAX_MESSAGE_CHARS: usize = 120;
/// A pointer may run through member names that the client chose; beyond this it is cut back to an ancestor.
const MAX_POINTER_BYTES: usize = 512;
/// Names that the client chose are repeated no longer than this.
const MAX_NAME_CHARS: usize = 40;
/// Said of a time that an offset brings out of what can be written.
const BEYOND: &str = "must be a time in the years 0000 to 9999 in UTC";

/// A kind of event that the ledger accepts.
pub struct EventType {
    /// The CloudEvents `type`, such as `access.granted`.
    pub name: String,
    /// Counts up with every change of the schema.
    pub version: u32,
    /// One sentence: what happened, when an event of this type is recorded.
    pub summary: String,
    /// The group of types it is listed under.
    pub domain: String,
    /// JSON Schema 2020-12 of `data`, complete in itself.
    pub schema: Value,
    /// A `data` that the schema accepts, for documentation.
    pub example: Value,
    /// Whose history an event of this type belongs to.
    pub entity: Entity,
    /// The field of `data` that says from when the event counts; where an event lacks it, CloudEvents `time` does.
    pub effective_at: String,
    /// The field of `data` that says by when something has to follow.
    pub due_at: Option<String>,
    /// It is declared to concern no identifiable person, so that attributes of groups may stand in it in clear.
    pub concerns_nobody: bool,
    /// Fields of `data` that hold the id of something else.
    pub links: Vec<Link>,
    /// How its openings repeat, who may post it, which of its times have happened.
    pub words: Words,
    /// It comes with the program, or is a later version of one that does.
    pub ours: bool,
    /// The program has a type of this name, and the organisation published its own before: that one stands, and folds that
    /// know the program's find in it what both have in common.
    pub instead_of_ours: bool,
    /// The schema, compiled: of what is published, when it is; of what comes with the program, when its first event comes.
    pub(super) validator: OnceLock<Option<Validator>>,
    /// The schema again, for what intake refuses beyond it; compiled when an event first holds such a thing.
    pub(super) stricter: Stricter,
}

/// A schema for times in range, and one for counts.
#[derive(Default)]
pub(super) struct Stricter {
    in_range: OnceLock<Option<Validator>>,
    countable: OnceLock<Option<Validator>>,
}

/// Whose history an event belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    /// The family of entities, such as `approval`.
    pub family: String,
    /// The field of `data` that holds the entity's id; `a.b` goes into the object `a`.
    pub id: String,
}

/// A field that holds the id, or a list of ids, of something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The field of `data`; `a.b` goes into the object `a`, or into each object of the list `a`.
    pub field: String,
    /// To what it leads.
    pub to: LinkTarget,
}

/// To what a link leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkTarget {
    /// Always to this family.
    Family(String),
    /// To the family that this other field of `data` names.
    NamedBy(String),
}

/// One way in which a `data` breaks its type's schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// JSON Pointer (RFC 6901) inside `data`: to the offending value, or to the object that lacks something.
    pub pointer: String,
    /// What is expected there. Never repeats a value that was sent.
    pub message: String,
}

impl EventType {
    /// Checks an event's `data`; an empty list means that it is accepted. At most `limit` violations are listed, and
    /// at least one where there are any.
    ///
    /// The common case, valid data, is the fast one: reasons are looked for only once it is known that there are some.
    pub fn check(&self, data: &Value, limit: usize) -> Vec<Violation> {
        let violations = self.schema_violations(data, limit);
        if violations.is_empty() { self.times_beyond(data, limit) } else { violations }
    }

    /// As [`EventType::check`], without what is no matter of the schema: what a schema accepted once, it accepts.
    pub(super) fn schema_violations(&self, data: &Value, limit: usize) -> Vec<Violation> {
        let not_fitting =
            || Violation { pointer: String::new(), message: "does not fit the schema".to_owned() };
        let Some(validator) = self.validator() else { return vec![not_fitting()] };
        if validator.is_valid(data) {
            return Vec::new();
        }
        let limit = limit.max(1);
        let mut violations: Vec<Violation> = Vec::new();
        for error in validator.iter_errors(data) {
            self.explain(&error, &mut violations);
            if violations.len() >= limit {
                break;
            }
        }
        violations.truncate(limit);
        if violations.is_empty() {
            // Refused without a reason would otherwise read as accepted.
            violations.push(not_fitting());
        }
        violations
    }

    /// The schema, compiled. Of the program's own types it always can be: its tests compile them all.
    fn validator(&self) -> Option<&Validator> {
        self.validator.get_or_init(|| Times::Plain.validator(&self.schema).ok()).as_ref()
    }

    /// Where data that fits the schema has times that the ledger cannot hold.
    fn times_beyond(&self, data: &Value, limit: usize) -> Vec<Violation> {
        if !has_one_beyond(data) {
            return Vec::new();
        }
        // The schema was compiled before, so that it can be compiled again.
        let Some(in_range) =
            self.stricter.in_range.get_or_init(|| Times::InRange.validator(&self.schema).ok())
        else {
            return vec![Violation { pointer: String::new(), message: BEYOND.to_owned() }];
        };
        let beyond = in_range.iter_errors(data).map(|error| Violation {
            pointer: bounded_pointer(error.instance_path().as_str()),
            message: BEYOND.to_owned(),
        });
        beyond.take(limit.max(1)).collect()
    }

    /// Where data that fits the schema counts further than can be counted exactly, at most `limit` places.
    pub fn counts_beyond(&self, data: &Value, limit: usize) -> Vec<Violation> {
        if !countable::has_one_beyond(data) {
            return Vec::new();
        }
        let message =
            "must be a whole number of at most 2^53; beyond it not every reader has the same number";
        let beyond = |pointer: String| Violation { pointer, message: message.to_owned() };
        // The schema was compiled before, so that it can be compiled again.
        let compiled = self.stricter.countable.get_or_init(|| countable::validator(&self.schema));
        let Some(countable) = compiled else { return vec![beyond(String::new())] };
        let errors = countable.iter_errors(data);
        errors
            .take(limit.max(1))
            .map(|error| beyond(bounded_pointer(error.instance_path().as_str())))
            .collect()
    }

    /// The value of a field of `data`; `a.b` goes into the object `a`.
    pub fn value_at<'a>(&self, data: &'a Value, path: &str) -> Option<&'a Value> {
        value_at(data, path)
    }

    /// Whether it says what happened or asks for something, and is no act of governance.
    pub fn is_fact(&self) -> bool {
        self.words.posted_by == PostedBy::Facts
    }

    /// The id of the entity that this event is about.
    pub fn entity_id<'a>(&self, data: &'a Value) -> Option<&'a str> {
        value_at(data, &self.entity.id)?.as_str()
    }

    /// The ids that an event speaks of: its entity's, and those that it links to. Some may be there twice.
    pub fn mentions<'a>(&self, data: &'a Value) -> Vec<&'a str> {
        let mut ids: Vec<&str> = self.entity_id(data).into_iter().collect();
        ids.extend(self.links.iter().flat_map(|link| texts_at(data, &link.field)));
        ids
    }

    /// The ids of a family that an event links to, where its type says that they are always of that family.
    pub fn linked<'a>(&self, data: &'a Value, family: &str) -> Vec<&'a str> {
        let of_family = |link: &&Link| matches!(&link.to, LinkTarget::Family(to) if to == family);
        self.links.iter().filter(of_family).flat_map(|link| texts_at(data, &link.field)).collect()
    }

    /// Whether events of this type may carry `data.personal`.
    pub fn takes_personal_data(&self) -> bool {
        self.schema.pointer("/properties/personal").is_some()
    }

    /// Whether the field at `path` can have this value in an event that is accepted.
    pub(super) fn may_hold(&self, path: &str, value: &Value) -> bool {
        let Some(found) = field(&self.schema, path) else { return false };
        let mut schema = found.schema.clone();
        if let (Some(members), Some(definitions)) = (schema.as_object_mut(), self.schema.get("$defs")) {
            members.insert("$defs".to_owned(), definitions.clone());
        }
        let validator =
            jsonschema::options().with_draft(jsonschema::Draft::Draft202012).offline().build(&schema);
        validator.is_ok_and(|validator| validator.is_valid(value))
    }

    fn explain(&self, error: &ValidationError<'_>, into: &mut Vec<Violation>) {
        let at = bounded_pointer(error.instance_path().as_str());
        let keyword_at = error.schema_path().as_str();
        let rule_at = keyword_at.rsplit_once('/').map_or("", |(rule, _)| rule);
        let rule = self.schema.pointer(rule_at);
        let message = match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                for name in unexpected {
                    into.push(self.unexpected(name, &at, rule, rule_at));
                }
                return;
            }
            ValidationErrorKind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                // A requirement that stands inside `then` or `else` says in its description when it holds.
                let when = if rule_at.is_empty() { None } else { text(rule, "description") };
                match when.filter(|_| rule_at.ends_with("/then") || rule_at.ends_with("/else")) {
                    Some(when) => format!("`{name}` is required {when}"),
                    None => format!("`{name}` is required"),
                }
            }
            ValidationErrorKind::Enum { options } => format!("must be one of {}", listed(options)),
            ValidationErrorKind::FalseSchema => "must be absent".to_owned(),
            _ => match text(rule, "title") {
                Some(title) if !rule_at.is_empty() => format!("must be {title}"),
                _ => error.masked_with("the value").to_string(),
            },
        };
        into.push(Violation { pointer: at, message: shortened(&message, MAX_MESSAGE_CHARS) });
    }

    fn unexpected(&self, name: &str, at: &str, rule: Option<&Value>, rule_at: &str) -> Violation {
        let known = rule.and_then(|rule| rule.get("properties")).and_then(Value::as_object);
        let near = known.and_then(|known| nearest(name, known.keys().map(String::as_str)));
        let owner = if rule_at.is_empty() { self.name.as_str() } else { "this object" };
        let mut message = format!("`{}` is not a member of {owner}", shortened(name, MAX_NAME_CHARS));
        if let Some(near) = near {
            message.push_str(&format!("; did you mean `{near}`?"));
        }
        let pointer = bounded_pointer(&format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")));
        Violation { pointer, message: shortened(&message, MAX_MESSAGE_CHARS) }
    }
}

fn text<'a>(schema: Option<&'a Value>, member: &str) -> Option<&'a str> {
    schema?.get(member)?.as_str()
}

fn listed(options: &Value) -> String {
    let names = options.as_array().map(Vec::as_slice).unwrap_or_default().iter();
    let names: Vec<String> =
        names.map(|name| name.as_str().map_or_else(|| name.to_string(), str::to_owned)).collect();
    names.join(", ")
}

/// A pointer of bearable length: cut back to the nearest ancestor that is short enough, so that it stays a pointer.
fn bounded_pointer(pointer: &str) -> String {
    let mut pointer = pointer;
    while pointer.len() > MAX_POINTER_BYTES {
        pointer = pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
    }
    pointer.to_owned()
}

/// At most `max_chars` characters, on one line.
fn shortened(text: &str, max_chars: usize) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    if text.chars().nth(max_chars).is_none() {
        return text.chars().map(clean).collect();
    }
    text.chars().take(max_chars.saturating_sub(1)).map(clean).chain(std::iter::once('…')).collect()
}
