//! What a type says of its events beside their shape: how openings repeat, who may post them, whether it takes two, which
//! of their times have happened, and by when they are recorded.
//!
//! These are words for intake and for folds, not for schemas: a type keeps what it accepted, whatever it says here.

use super::cadence::Span;
use super::field::field;
use serde::Deserialize;
use serde_json::Value;

/// By when an act of governance is recorded, where its type does not say.
const LATE_GOVERNANCE: Span = Span { months: 0, days: 1, minutes: 0 };
/// By when a fact is recorded, where its type does not say.
const LATE_FACTS: Span = Span { months: 0, days: 7, minutes: 0 };

/// What a later opening with the same id means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Repeat {
    /// It does not touch the first one.
    Once,
    /// It is the row's next version.
    Renews,
    /// It is one more stretch, beside those that are there.
    Beside,
    /// It begins a new round.
    Rounds,
    /// The type opens nothing.
    None,
}

impl Repeat {
    /// The word, as a catalogue has it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Repeat::Once => "once",
            Repeat::Renews => "renews",
            Repeat::Beside => "beside",
            Repeat::Rounds => "rounds",
            Repeat::None => "none",
        }
    }
}

/// For which tokens a type is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PostedBy {
    /// What happened, and what is asked for: any producer may say so.
    Facts,
    /// Acts of governance: only a token that names the type.
    Governance,
}

impl PostedBy {
    /// The word, as a catalogue has it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            PostedBy::Facts => "facts",
            PostedBy::Governance => "governance",
        }
    }
}

/// How many it takes for an event of a type to be in effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Acts {
    /// Whoever says it: it is in effect as soon as it is recorded.
    One,
    /// It is a proposal until another principal confirms it (`act.confirmed`).
    Two,
}

impl Acts {
    /// The word, as a catalogue has it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Acts::One => "one",
            Acts::Two => "two",
        }
    }
}

/// What a type says of its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// What a later opening with the same id means.
    pub repeat: Repeat,
    /// For which tokens it is.
    pub posted_by: PostedBy,
    /// How many it takes.
    pub acts: Acts,
    /// The fields of `data`, beside CloudEvents `time`, that say when something happened: they do not lie ahead.
    pub happened: Vec<String>,
    /// Its `effective_at` may lie ahead: an ending, a right, a threshold.
    pub may_begin_later: bool,
    /// An event of it that is recorded later than so long after it happened is late.
    pub late_after: Span,
}

/// The words as a catalogue file has them.
#[derive(Clone, Default)]
pub(super) struct RawWords {
    pub(super) repeat: Option<Repeat>,
    pub(super) posted_by: Option<PostedBy>,
    pub(super) acts: Option<Acts>,
    pub(super) happened: Option<Vec<String>>,
    pub(super) may_begin_later: Option<bool>,
    pub(super) late_after: Option<String>,
}

/// Whose file it is: what is left out means something else in ours.
#[derive(Clone, Copy)]
pub(super) enum Whose<'a> {
    /// One that comes with the program: nothing that has to be decided is left out.
    Ours,
    /// The organisation's own, with what the type said before: that stands where the file is silent.
    Theirs(Option<&'a Words>),
}

impl RawWords {
    /// All words of a type, held against its schema.
    pub(super) fn resolve(self, schema: &Value, whose: Whose<'_>) -> Result<Words, String> {
        let before = match whose {
            Whose::Theirs(before) => before,
            Whose::Ours => {
                let missing = |word: &str| format!("`{word}` has to be said");
                self.repeat.ok_or_else(|| missing("repeat"))?;
                self.posted_by.ok_or_else(|| missing("posted_by"))?;
                None
            }
        };
        // Whoever published before there was this word meant that the last word counts.
        let repeat = self.repeat.or(before.map(|words| words.repeat)).unwrap_or(Repeat::Renews);
        // Whoever may post what nobody has said anything about is named.
        let posted_by = self.posted_by.or(before.map(|words| words.posted_by));
        let posted_by = posted_by.unwrap_or(PostedBy::Governance);
        let late_after = match self.late_after {
            Some(text) => Some(span(&text)?),
            None => before.map(|words| words.late_after),
        };
        let usual = if posted_by == PostedBy::Facts { LATE_FACTS } else { LATE_GOVERNANCE };
        let words = Words {
            repeat,
            posted_by,
            acts: self.acts.or(before.map(|words| words.acts)).unwrap_or(Acts::One),
            happened: self.happened.unwrap_or_else(|| kept(before, schema)),
            may_begin_later: self
                .may_begin_later
                .or(before.map(|words| words.may_begin_later))
                .unwrap_or(false),
            late_after: late_after.unwrap_or(usual),
        };
        for path in &words.happened {
            let field =
                field(schema, path).ok_or_else(|| format!("happened: no field `{path}` in the schema"))?;
            if !field.is_instant() || field.listed {
                return Err(format!("happened: the field `{path}` is not a date-time, or in a list"));
            }
        }
        Ok(words)
    }
}

/// The fields that a version before named and that are still there.
fn kept(before: Option<&Words>, schema: &Value) -> Vec<String> {
    let named = before.map(|words| words.happened.as_slice()).unwrap_or_default();
    named.iter().filter(|path| field(schema, path).is_some_and(|field| field.is_instant())).cloned().collect()
}

fn span(text: &str) -> Result<Span, String> {
    Span::parse(text)
        .filter(|span| span.months > 0 || span.days > 0 || span.minutes > 0)
        .ok_or_else(|| "late_after: a duration such as P7D, P1M or PT4H".to_owned())
}
