//! How far grants cover a use, moment by moment: pure, so that it can be looked at.
//!
//! A use is judged at its own moments, the last one included. It is *covered* if grants for its purpose hold at every one of
//! them, *partly* covered if they hold at some, of *other purpose* if grants for whatever purpose hold at every one, and
//! *uncovered* otherwise.

use crate::spec::time::Timestamp;
use crate::views::access::resource;
use crate::views::engine::Row;
use crate::views::stretches::{Stretch, Stretches};
use serde_json::Value;

/// Moments of a use that are not covered, at most, that are told.
///
/// Reason: one is enough to look; a use that is covered by so many pieces is looked at by its grants.
const MAX_GAPS: usize = 16;

/// How far a use is covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cover {
    /// At every moment, for its purpose.
    Covered,
    /// At some moments for its purpose, and not at all.
    Partly,
    /// At no moment for its purpose, and at every moment for some other.
    OtherPurpose,
    /// Anything else.
    Uncovered,
}

impl Cover {
    /// Its word, as the API has it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Cover::Covered => "covered",
            Cover::Partly => "partly",
            Cover::OtherPurpose => "other-purpose",
            Cover::Uncovered => "uncovered",
        }
    }
}

/// A stretch of time, its end not included; none is without end.
pub type Window = (Timestamp, Option<Timestamp>);

/// Why a use is not covered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// Nothing was granted.
    NoGrant,
    /// Something was granted, for other purposes.
    OtherPurpose {
        /// For which.
        granted: Vec<String>,
    },
    /// Something had been granted, and was over.
    AfterEnd {
        /// The grant that ended last.
        grant: String,
        /// When.
        end: Timestamp,
    },
    /// Grants cover some of its moments.
    Partly {
        /// The first moments of it that none covers: from, and until when, that moment not included.
        gaps: Vec<(Timestamp, Timestamp)>,
    },
    /// It is covered by what was recorded after it.
    Afterwards {
        /// The grants that cover it now.
        grants: Vec<String>,
    },
}

/// A use, judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// How far it is covered.
    pub cover: Cover,
    /// Why not wholly; none if it is.
    pub why: Option<Why>,
    /// The grants that cover some of it for its purpose.
    pub grants: Vec<String>,
}

/// A use, as far as grants are held against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage<'a> {
    /// What was done.
    pub operation: &'a str,
    /// For what.
    pub purpose: &'a str,
    /// What was used, as kind and id.
    pub resource: String,
    /// Where.
    pub environment: &'a str,
    /// Its first moment.
    pub from: Timestamp,
    /// Its last moment.
    pub to: Timestamp,
}

impl Usage<'_> {
    /// What a row of uses says; none if it does not say all of it.
    #[must_use]
    pub fn of(row: &Row) -> Option<Usage<'_>> {
        Some(Usage {
            operation: row.text("operation")?,
            purpose: row.text("purpose")?,
            resource: row.value("resource").and_then(resource)?,
            environment: row.text("resource.environment").unwrap_or_default(),
            from: row.time("from")?,
            to: row.time("to")?,
        })
    }
}

/// A grant, with the times at which it is the principal's: always, or while it holds the role that the grant names.
#[derive(Clone, Copy, Debug)]
pub struct Held<'a> {
    /// The grant's id.
    pub id: &'a str,
    /// All of its stretches.
    pub stretches: &'a Stretches,
    /// To whom a stretch has to be: a principal, or a role.
    pub grantee: Grantee<'a>,
    /// When the principal is that.
    pub while_held: &'a [Window],
}

/// To whom a grant is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grantee<'a> {
    /// To this person or service.
    Principal(&'a str),
    /// To whoever holds this role.
    Role(&'a str),
}

impl Grantee<'_> {
    /// Whether a stretch of a grant is to it.
    #[must_use]
    pub fn has(self, stretch: &Stretch) -> bool {
        let text = |name: &str| stretch.data.get("grantee")?.get(name)?.as_str();
        let (role, id) = match self {
            Grantee::Principal(id) => (false, id),
            Grantee::Role(id) => (true, id),
        };
        (text("kind") == Some("role")) == role && text("id") == Some(id)
    }
}

/// The purpose of a stretch of a grant.
fn purpose(stretch: &Stretch) -> &str {
    stretch.data.get("purpose").and_then(Value::as_str).unwrap_or_default()
}

/// Whether a stretch of a grant is to the resource, in its environment.
fn is_of(stretch: &Stretch, usage: &Usage<'_>) -> bool {
    let granted = stretch.data.get("resource").unwrap_or(&Value::Null);
    let environment = granted.get("environment").and_then(Value::as_str).unwrap_or_default();
    resource(granted).as_deref() == Some(&usage.resource) && environment == usage.environment
}

/// Whether the first of two ends is no later than the second.
fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    [one, other].into_iter().flatten().min()
}

/// A piece of time in which a grant allows what was done, and which grant and purpose it is.
struct Piece<'a> {
    window: Window,
    grant: &'a str,
    purpose: &'a str,
}

fn pieces<'a>(usage: &Usage<'_>, held: &'a [Held<'a>]) -> Vec<Piece<'a>> {
    let mut pieces = Vec::new();
    for one in held {
        for stretch in one.stretches.iter() {
            let operations = stretch.data.get("operations").and_then(Value::as_array);
            let may = operations.into_iter().flatten().any(|operation| operation == usage.operation);
            if !may || !one.grantee.has(stretch) || !is_of(stretch, usage) {
                continue;
            }
            let end = stretch.end_of(usage.operation);
            for (from, until) in one.while_held {
                let window = (stretch.from.max(*from), earlier(end, *until));
                if window.1.is_none_or(|end| window.0 < end) {
                    pieces.push(Piece { window, grant: one.id, purpose: purpose(stretch) });
                }
            }
        }
    }
    pieces
}

/// Moments of `[from, to]` that no window has, in their order: from, and until when, that moment not included.
fn gaps(mut windows: Vec<Window>, (from, to): (Timestamp, Timestamp)) -> Vec<(Timestamp, Timestamp)> {
    windows.sort_unstable_by_key(|window| window.0);
    let mut gaps = Vec::new();
    let mut reached = from;
    // The last moment belongs to the use.
    let after = to.saturating_add(1);
    for (begin, end) in windows {
        if begin >= after {
            break;
        }
        if reached < begin {
            gaps.push((reached, begin));
        }
        match end {
            Some(end) => reached = reached.max(end),
            None => return gaps,
        }
    }
    if reached < after {
        gaps.push((reached, after));
    }
    gaps
}

/// How far a use is covered by grants: by all that the principal had, itself or through roles, on the resource.
#[must_use]
pub fn judge(usage: &Usage<'_>, held: &[Held<'_>]) -> Judgement {
    let moments = (usage.from, usage.to);
    let touches =
        |piece: &&Piece<'_>| piece.window.0 <= usage.to && piece.window.1.is_none_or(|end| end > usage.from);
    let all = pieces(usage, held);
    let meeting: Vec<&Piece<'_>> = all.iter().filter(touches).collect();
    let windows = |pieces: &[&Piece<'_>]| pieces.iter().map(|piece| piece.window).collect::<Vec<_>>();
    let fitting: Vec<&Piece<'_>> =
        meeting.iter().copied().filter(|piece| piece.purpose == usage.purpose).collect();
    let mut grants: Vec<String> = fitting.iter().map(|piece| piece.grant.to_owned()).collect();
    grants.sort();
    grants.dedup();
    let mut missing = gaps(windows(&fitting), moments);
    if missing.is_empty() {
        return Judgement { cover: Cover::Covered, why: None, grants };
    }
    if !fitting.is_empty() {
        missing.truncate(MAX_GAPS);
        return Judgement { cover: Cover::Partly, why: Some(Why::Partly { gaps: missing }), grants };
    }
    let mut granted: Vec<String> = meeting.iter().map(|piece| piece.purpose.to_owned()).collect();
    granted.sort();
    granted.dedup();
    if gaps(windows(&meeting), moments).is_empty() {
        return Judgement { cover: Cover::OtherPurpose, why: Some(Why::OtherPurpose { granted }), grants };
    }
    let ended =
        all.iter().filter_map(|piece| Some((piece.window.1.filter(|end| *end <= usage.from)?, piece)));
    let why = match ended.max_by_key(|(end, piece)| (*end, piece.grant)) {
        _ if !granted.is_empty() => Why::OtherPurpose { granted },
        Some((end, piece)) => Why::AfterEnd { grant: piece.grant.to_owned(), end },
        None => Why::NoGrant,
    };
    Judgement { cover: Cover::Uncovered, why: Some(why), grants }
}
