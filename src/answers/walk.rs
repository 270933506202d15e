//! Entries for questions that are answered from lists of them: walked page by page, each looked at itself, because a
//! list only knows hashes.

use super::Inquiry;
use super::deadline::Deadline;
use super::error::AnswerError;
use super::moment::patience;
use crate::index::{Filter, LogIndex};
use crate::views::engine::Engine;
use crate::views::mentions::{MENTION, MENTIONS};

/// Entries read for one page, at most.
///
/// Reason: some tens of milliseconds. A filter that fits next to nothing gives a short page and where to go on.
pub const MAX_WALKED: usize = 5_000;

/// Candidates asked for at once.
const CHUNK: usize = 256;

/// The index, once it has all entries below a number: it may be behind the views, and what it lacks is not the same as
/// what there is not.
///
/// # Errors
/// There is none, or it did not come so far in time.
pub fn index_up_to<'a>(inquiry: &Inquiry<'a>, known: u64) -> Result<&'a LogIndex, AnswerError> {
    let index = inquiry.index()?;
    let known = known.min(inquiry.store().size());
    if index.wait_applied(known, patience(inquiry)) {
        return Ok(index);
    }
    Err(AnswerError::Starting(format!("the index has {} of {known} entries", index.applied())))
}

/// Candidates from the index.
///
/// # Errors
/// It does not answer.
pub fn indexed(
    index: &LogIndex,
    filter: Filter<'_>,
    (from, to): (u64, u64),
    newest_first: bool,
    limit: usize,
) -> Result<Vec<u64>, AnswerError> {
    Ok(index.list(filter, from, to, newest_first, limit)?)
}

/// Whose entries are looked for.
#[derive(Clone, Copy, Debug)]
pub enum Sought<'a> {
    /// An id of anything: a case, a person, a program, a decision.
    Anything(&'a str),
    /// The id of a row, which posts nothing and does nothing itself.
    Row(&'a str),
}

/// The entries in `range` (from, before) that may speak of one of these: those whose CloudEvents `subject` it is, those
/// that it posted or in which it acted, and those whose entity it is or that link to it.
///
/// # Errors
/// The index or the views do not answer.
pub fn speaking_of(
    inquiry: &Inquiry<'_>,
    engine: &Engine,
    sought: &[Sought<'_>],
    range: (u64, u64),
    newest_first: bool,
    limit: usize,
) -> Result<Vec<u64>, AnswerError> {
    let index = index_up_to(inquiry, range.1)?;
    let mut found = Vec::new();
    for sought in sought {
        let (Sought::Anything(id) | Sought::Row(id)) = *sought;
        found.extend(engine.entries(MENTIONS, &[(MENTION, id)], range, newest_first, limit)?);
        let of_subject = Filter { subject: Some(id), ..Filter::default() };
        found.extend(indexed(index, of_subject, range, newest_first, limit)?);
        if let Sought::Anything(id) = *sought {
            let of_actor = Filter { actor: Some(id), ..Filter::default() };
            found.extend(indexed(index, of_actor, range, newest_first, limit)?);
        }
    }
    found.sort_unstable();
    found.dedup();
    if newest_first {
        found.reverse();
    }
    // The first ones of all lists hold the first ones of them together.
    found.truncate(limit);
    Ok(found)
}

/// What a walk over candidates came to.
pub struct Walked<T> {
    /// What fits, in the order of the walk.
    pub items: Vec<T>,
    /// Where to go on: the first entry that is left, or with the newest first the one that it ends before. None at
    /// the end.
    pub next: Option<u64>,
    /// Whether it ended before `limit` of them fitted, because as many had been looked at as are for one page.
    pub partial: bool,
}

/// Walks candidates in `range` (from, before) until `limit` of them fit, or `most` have been looked at.
///
/// # Errors
/// The deadline passed, or what the two closures come to.
pub fn walk<T>(
    deadline: Deadline,
    range: (u64, u64),
    newest_first: bool,
    limit: usize,
    most: usize,
    mut candidates: impl FnMut((u64, u64), usize) -> Result<Vec<u64>, AnswerError>,
    mut fit: impl FnMut(u64) -> Result<Option<T>, AnswerError>,
) -> Result<Walked<T>, AnswerError> {
    let (mut from, mut to) = range;
    let mut items = Vec::new();
    let mut looked_at = 0;
    // One more than a page, to know whether there is a next one; where not all fit, more at once.
    let mut wanted = limit.saturating_add(1).min(CHUNK);
    while from < to {
        let chunk = candidates((from, to), wanted)?;
        let last = chunk.len() < wanted;
        wanted = CHUNK;
        for seq in chunk {
            if items.len() == limit || looked_at == most {
                let next = if newest_first { seq + 1 } else { seq };
                let partial = items.len() < limit;
                return Ok(Walked { items, next: Some(next), partial });
            }
            looked_at += 1;
            deadline.check()?;
            if newest_first {
                to = seq;
            } else {
                from = seq + 1;
            }
            items.extend(fit(seq)?);
        }
        if last {
            break;
        }
    }
    Ok(Walked { items, next: None, partial: false })
}

/// The range of a page that goes on where another one ended, in a log of so many entries.
///
/// # Errors
/// It ended beyond the log: it was a page of another history, of which this one may lack what comes next.
pub fn resumed(
    (from, to): (u64, u64),
    newest_first: bool,
    at: Option<u64>,
    size: u64,
) -> Result<(u64, u64), AnswerError> {
    match at {
        Some(seq) if seq > size => Err(AnswerError::Cursor),
        Some(seq) if newest_first => Ok((from, seq.min(to))),
        Some(seq) => Ok((seq.max(from), to)),
        None => Ok((from, to)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All pages of a walk over `0..n` in which every third entry fits.
    fn pages(n: u64, newest_first: bool, limit: usize, most: usize) -> Vec<u64> {
        let candidates = |(from, to): (u64, u64), max: usize| {
            let all = from..to;
            Ok(if newest_first { all.rev().take(max).collect() } else { all.take(max).collect() })
        };
        let (mut found, mut at) = (Vec::new(), None);
        loop {
            let range = resumed((0, n), newest_first, at, n).unwrap();
            let fit = |seq: u64| Ok(seq.is_multiple_of(3).then_some(seq));
            let page = walk(Deadline::default(), range, newest_first, limit, most, candidates, fit).unwrap();
            assert!(page.items.len() <= limit);
            found.extend(page.items);
            at = page.next;
            if at.is_none() {
                return found;
            }
        }
    }

    #[test]
    fn pages_hold_everything_once_and_in_order() {
        let expected: Vec<u64> = (0..1_000).filter(|seq| seq % 3 == 0).collect();
        for (limit, most) in [(1, 5_000), (7, 10), (500, 1), (256, 256), (334, 5_000)] {
            assert_eq!(pages(1_000, false, limit, most), expected, "{limit} {most}");
            let mut backwards = pages(1_000, true, limit, most);
            backwards.reverse();
            assert_eq!(backwards, expected, "{limit} {most}");
        }
    }
}
