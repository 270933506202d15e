//! Entries themselves: one by its number or by its event's source and id, its receipt, and those that fit by type, source,
//! subject, actor and place.

use super::deadline::Deadline;
use super::error::AnswerError;
use super::moment::{Held, MAX_WAIT, nothing_to_wait_for, patience, read_time};
use super::parameters::Parameters;
use super::walk::{MAX_WALKED, indexed, resumed, walk};
use super::words::check_types;
use super::{Desk, Inquiry, Page, Unheard, cursor, parsed};
use crate::identity::Principal;
use crate::index::{Filter, LogIndex};
use crate::log::identity;
use crate::log::store::{ReadError, Store};
use crate::spec::encoding::from_decimal;
use crate::spec::entry::Entry;
use crate::spec::receipt::Receipt;

/// Entries in a list, unless asked otherwise.
const DEFAULT_LIMIT: usize = 50;

/// Entries in a list at most.
///
/// Reason: entries have up to 64 KiB; a page stays readable in one go.
const MAX_LIMIT: usize = 500;

/// What entries are asked to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryFilter {
    /// CloudEvents `type`, exact.
    pub event_type: Option<String>,
    /// CloudEvents `source`, exact.
    pub source: Option<String>,
    /// CloudEvents `subject`, exact.
    pub subject: Option<String>,
    /// Who posted it.
    pub actor: Option<String>,
}

impl EntryFilter {
    /// As the parameters ask.
    #[must_use]
    pub fn of(parameters: &Parameters) -> EntryFilter {
        EntryFilter {
            event_type: parameters.text("type"),
            source: parameters.text("source"),
            subject: parameters.text("subject"),
            actor: parameters.text("actor"),
        }
    }

    fn is_empty(&self) -> bool {
        *self == EntryFilter::default()
    }

    /// The question to the index, which answers by hashes.
    fn indexed(&self) -> Filter<'_> {
        Filter {
            ty: self.event_type.as_deref(),
            source: self.source.as_deref(),
            subject: self.subject.as_deref(),
            actor: self.actor.as_deref(),
        }
    }

    /// Whether an entry is one of those asked for.
    #[must_use]
    pub fn matches(&self, entry: &Entry<'_>) -> bool {
        let same = |wanted: &Option<String>, is: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| is == Some(wanted))
        };
        same(&self.event_type, entry.attribute("type"))
            && same(&self.source, entry.attribute("source"))
            && same(&self.subject, entry.attribute("subject"))
            && same(&self.actor, Some(&entry.actor))
    }
}

/// Which entries.
#[derive(Clone, Debug, Default)]
pub struct EntriesAsked {
    /// What they have to be.
    pub filter: EntryFilter,
    /// CloudEvents `id`, exact: with `source` it names one entry, see [`find`].
    pub id: Option<String>,
    /// The first one: a number, or the time from which they were recorded.
    pub from: Option<String>,
    /// Where to end, itself not included: a number, or the time before which they were recorded.
    pub to: Option<String>,
    /// Whether the newest come first.
    pub newest_first: bool,
    /// How many at most.
    pub limit: Option<usize>,
    /// From an earlier answer.
    pub cursor: Option<String>,
    /// Wait until the index has this entry: read your own write.
    pub min_seq: Option<u64>,
    /// Only what was recorded by then: of the later parts of a list that is read in several.
    pub held: Option<Held>,
}

impl EntriesAsked {
    /// As the parameters ask.
    ///
    /// # Errors
    /// One is not of its form.
    pub fn of(parameters: &Parameters) -> Result<EntriesAsked, AnswerError> {
        Ok(EntriesAsked {
            filter: EntryFilter::of(parameters),
            id: parameters.text("id"),
            from: parameters.text("from"),
            to: parameters.text("to"),
            newest_first: parameters.newest_first(false)?,
            limit: Some(parameters.limit()?),
            cursor: parameters.text("cursor"),
            min_seq: parameters.moment.min_seq,
            held: parameters.moment.held,
        })
    }
}

/// A page of entries.
#[derive(Clone, Debug)]
pub struct Entries<T> {
    /// What was made of each entry.
    pub page: Page<T>,
    /// How many entries the index had.
    pub applied: u64,
}

/// The entries that fit, each as `show` makes it of the entry and its bytes while they are at hand.
///
/// # Errors
/// A parameter is wrong, or the index or the log does not answer.
pub fn list<T>(
    inquiry: &Inquiry<'_>,
    asked: &EntriesAsked,
    mut show: impl FnMut(&Entry<'_>, &[u8]) -> T,
) -> Result<Entries<T>, AnswerError> {
    let store = inquiry.store();
    let limit = asked.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(AnswerError::parameter("limit", "a number from 1 to 500"));
    }
    let held = asked.held.map(|held| held.entries);
    wait_for(inquiry, held.and_then(|entries| entries.checked_sub(1)).or(asked.min_seq))?;
    let filter = &asked.filter;
    check_types(inquiry.desk(), "type", &Vec::from_iter(filter.event_type.as_deref()))?;
    let index = if filter.is_empty() { None } else { Some(inquiry.index()?) };
    let applied = index.map_or_else(|| store.size(), LogIndex::applied);
    let from = asked.from.as_deref().map_or(Ok(0), |from| place(store, "from", from))?;
    let to = asked
        .to
        .as_deref()
        .map_or(Ok(u64::MAX), |to| place(store, "to", to))?
        .min(applied)
        .min(held.unwrap_or(u64::MAX));
    let newest_first = asked.newest_first;
    let identity = format!("{:?}", (filter, &asked.from, &asked.to, newest_first));
    let resume = asked.cursor.as_deref().map(|cursor| cursor::decode(&identity, cursor)).transpose()?;
    let range = resumed((from, to), newest_first, resume, store.size())?;
    let walked = walk(
        inquiry.deadline(),
        range,
        newest_first,
        limit,
        MAX_WALKED,
        |range, limit| match index {
            Some(index) => indexed(index, filter.indexed(), range, newest_first, limit),
            None if newest_first => Ok((range.0..range.1).rev().take(limit).collect()),
            None => Ok((range.0..range.1).take(limit).collect()),
        },
        |seq| {
            let bytes = store.entry(seq)?;
            let entry = parsed(&bytes)?;
            // The index answers by hashes; the entry itself decides.
            Ok(filter.matches(&entry).then(|| show(&entry, &bytes)))
        },
    )?;
    let next = walked.next.map(|seq| cursor::encode(&identity, seq));
    let unheard = match index {
        Some(index) if walked.items.is_empty() => unheard(index, filter, held.unwrap_or(u64::MAX))?,
        _ => Unheard::new(),
    };
    Ok(Entries { page: Page { items: walked.items, next, unheard }, applied })
}

/// Of the names that entries were asked for, those of which there is no entry below this number.
fn unheard(index: &LogIndex, filter: &EntryFilter, before: u64) -> Result<Unheard, AnswerError> {
    let asked = [
        ("source", &filter.source, Filter { source: filter.source.as_deref(), ..Filter::default() }),
        ("subject", &filter.subject, Filter { subject: filter.subject.as_deref(), ..Filter::default() }),
        ("actor", &filter.actor, Filter { actor: filter.actor.as_deref(), ..Filter::default() }),
    ];
    let mut unheard = Unheard::new();
    for (parameter, name, alone) in asked {
        if let Some(name) = name
            && indexed(index, alone, (0, before), false, 1)?.is_empty()
        {
            unheard.insert(parameter.to_owned(), vec![name.clone()]);
        }
    }
    Ok(unheard)
}

fn wait_for(inquiry: &Inquiry<'_>, min_seq: Option<u64>) -> Result<(), AnswerError> {
    let Some(seq) = min_seq else { return Ok(()) };
    let size = inquiry.store().size();
    if seq >= size {
        return Err(nothing_to_wait_for(size, seq));
    }
    match inquiry.desk().index {
        Some(index) if !index.wait_applied(seq.saturating_add(1), patience(inquiry)) => {
            let applied = index.applied();
            let detail = format!("the index has {applied} entries and did not reach {seq} in time");
            Err(AnswerError::Starting(detail))
        }
        _ => Ok(()),
    }
}

/// The bytes of an entry, for whoever may see it: a reader of everything, and whoever posted it.
///
/// # Errors
/// There is no such entry among those that it may see, or it cannot be read.
pub fn one(desk: Desk<'_>, by: &Principal, seq: u64) -> Result<Vec<u8>, AnswerError> {
    if by.reads_all() {
        return Ok(desk.store.entry(seq)?);
    }
    // What is not there and what is another's is the same to others.
    let not_there =
        || AnswerError::NotThere("no such entry among those that this token's actor posted".to_owned());
    match desk.store.entry(seq) {
        Err(ReadError::NotThere { .. }) => Err(not_there()),
        Ok(bytes) if parsed(&bytes)?.actor != by.actor => Err(not_there()),
        other => Ok(other?),
    }
}

/// The entry whose event has this source and id, for whoever may see it; what else is asked of it must fit too.
///
/// # Errors
/// There is no such entry among those that it may see, a parameter is missing or does not go with `id`, or the index or the
/// log does not answer.
pub fn find<T>(
    desk: Desk<'_>,
    by: &Principal,
    asked: &EntriesAsked,
    deadline: Deadline,
    show: impl FnOnce(&Entry<'_>, &[u8]) -> T,
) -> Result<Entries<T>, AnswerError> {
    let (Some(source), Some(id)) = (&asked.filter.source, &asked.id) else {
        let detail = "\"id\" goes with \"source\": an event is known by both, because several sources may use one id; give \
                      both";
        return Err(AnswerError::Parameter(detail.to_owned()));
    };
    check_types(desk, "type", &Vec::from_iter(asked.filter.event_type.as_deref()))?;
    let places = [("from", &asked.from), ("to", &asked.to), ("cursor", &asked.cursor)];
    if let Some((name, _)) = places.iter().find(|(_, said)| said.is_some()) {
        let detail = format!("{name:?} does not go with \"id\": source and id name one entry; leave it out");
        return Err(AnswerError::Parameter(detail));
    }
    let index = desk.index.ok_or(AnswerError::NoIndex)?;
    let size = desk.store.size();
    if let Some(seq) = asked.min_seq.filter(|seq| *seq >= size) {
        return Err(nothing_to_wait_for(size, seq));
    }
    // What is not there must not be said of an entry that the index has yet to read.
    if !index.wait_applied(size, MAX_WAIT.min(deadline.left())) {
        let detail = format!("the index has {} of {size} entries; ask again soon", index.applied());
        return Err(AnswerError::Starting(detail));
    }
    // What is not there and what is another's is the same to others.
    let not_there = || {
        AnswerError::NotThere(if by.reads_all() {
            "no entry has this source and id".to_owned()
        } else {
            "no entry of this source and id is among those that this token's actor posted".to_owned()
        })
    };
    let seq = index.find(&identity(source, id)).map_err(AnswerError::Index)?.ok_or_else(not_there)?;
    let bytes = match one(desk, by, seq) {
        Err(AnswerError::NotThere(_) | AnswerError::Log(ReadError::NotThere { .. })) => {
            return Err(not_there());
        }
        other => other?,
    };
    let entry = parsed(&bytes)?;
    // The index knows hashes; the entry itself decides.
    if entry.attribute("id") != Some(id) || !asked.filter.matches(&entry) {
        return Err(not_there());
    }
    let page = Page { items: vec![show(&entry, &bytes)], next: None, unheard: Unheard::new() };
    Ok(Entries { page, applied: index.applied() })
}

/// The receipt of an entry, for whoever may see the entry.
///
/// # Errors
/// As for [`one`].
pub fn receipt(desk: Desk<'_>, by: &Principal, seq: u64) -> Result<Receipt, AnswerError> {
    one(desk, by, seq)?;
    Ok(desk.store.receipt(seq)?)
}

/// The receipt of any entry, where all of them may be read by everyone.
///
/// # Errors
/// There is no such entry, or it cannot be read.
pub fn receipt_of_any(desk: Desk<'_>, seq: u64) -> Result<Receipt, AnswerError> {
    Ok(desk.store.receipt(seq)?)
}

/// The entries from `from` on, up to `to` and as long as `more` says so, each given to `show` if it fits. Says where to go
/// on. For whoever follows the log.
///
/// # Errors
/// The log cannot be read.
pub fn follow(
    desk: Desk<'_>,
    filter: &EntryFilter,
    (from, to): (u64, u64),
    mut show: impl FnMut(&Entry<'_>, &[u8]) -> bool,
) -> Result<u64, ReadError> {
    for seq in from..to {
        let bytes = desk.store.entry(seq)?;
        let entry = Entry::parse(&bytes).map_err(|_| ReadError::Damaged { seq })?;
        if filter.matches(&entry) && !show(&entry, &bytes) {
            return Ok(seq + 1);
        }
    }
    Ok(to)
}

/// A place in the log: a number, or a time turned into one.
///
/// # Errors
/// It is neither, or the log cannot be read.
pub fn place(store: &Store, name: &str, text: &str) -> Result<u64, AnswerError> {
    if let Some(seq) = from_decimal(text) {
        return Ok(seq);
    }
    let time = read_time(text).ok_or_else(|| {
        AnswerError::parameter(
            name,
            "an entry's number, an RFC 3339 time such as 2026-03-01T00:00:00Z, or a date",
        )
    })?;
    Ok(store.first_at_or_after(time)?)
}
