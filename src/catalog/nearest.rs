//! The nearest of a few known names, for a "did you mean".

/// Longer names are not compared: the work is quadratic, and nobody mistypes 128 characters into something near.
const MAX_COMPARED_CHARS: usize = 128;

/// The candidate with the fewest edits to `name`, if they are few enough for a slip of the pen: at most a quarter of
/// the characters, and at least two. Of equals the first.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let typed: Vec<char> = name.chars().take(MAX_COMPARED_CHARS + 1).collect();
    if typed.len() > MAX_COMPARED_CHARS {
        return None;
    }
    let tolerance = (typed.len() / 4).max(2);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let known: Vec<char> = candidate.chars().collect();
        // The edits that turn "ab" into anything would fit any word of two letters: ask for less than a rewrite.
        if known.len().abs_diff(typed.len()) > tolerance || known.len().min(typed.len()) <= tolerance {
            continue;
        }
        let edits = distance(&typed, &known);
        if edits <= tolerance && best.is_none_or(|(fewest, _)| edits < fewest) {
            best = Some((edits, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment), in three rows.
#[expect(
    clippy::indexing_slicing,
    reason = "each index is at most `to.len()`, the last index of each row, or an index into `from` or `to` less one"
)]
fn distance(from: &[char], to: &[char]) -> usize {
    let mut before_last: Vec<usize> = vec![0; to.len() + 1];
    let mut last: Vec<usize> = (0..=to.len()).collect();
    let mut row: Vec<usize> = vec![0; to.len() + 1];
    for i in 1..=from.len() {
        row[0] = i;
        for j in 1..=to.len() {
            let substitution = usize::from(from[i - 1] != to[j - 1]);
            let mut edits = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + substitution);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                edits = edits.min(before_last[j - 2] + 1);
            }
            row[j] = edits;
        }
        std::mem::swap(&mut before_last, &mut last);
        std::mem::swap(&mut last, &mut row);
    }
    last[to.len()]
}
