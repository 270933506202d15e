//! Choices that look like chance and come out the same every time.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::template::Variables;

/// How a variable of a series gets its value: exactly one of the ways.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Choice {
    /// One of these, as often as its weight says.
    pick: Option<Vec<(u32, Value)>>,
    /// Each in turn.
    cycle: Option<Vec<Value>>,
    /// Between the first and the second number, with this many decimals.
    number: Option<(f64, f64, u32)>,
    /// A text with other variables in it.
    text: Option<String>,
    /// Depending on the value of another variable …
    by: Option<String>,
    /// … one of these choices.
    cases: Option<BTreeMap<String, Choice>>,
}

impl Choice {
    /// The value for the `index`-th of a series; `seed` names the series, the number and the variable.
    pub(super) fn value(&self, seed: &[&str], index: usize, variables: &Variables) -> Result<Value, String> {
        match (&self.pick, &self.cycle, self.number, &self.text, &self.by, &self.cases) {
            (Some(weighted), None, None, None, None, None) => {
                let total: u64 = weighted.iter().map(|(weight, _)| u64::from(*weight)).sum();
                let mut left = hash(seed).checked_rem(total).ok_or("`pick` needs weights above 0")?;
                for (weight, value) in weighted {
                    match left.checked_sub(u64::from(*weight)) {
                        None => return Ok(value.clone()),
                        Some(rest) => left = rest,
                    }
                }
                Err("`pick` is empty".to_owned())
            }
            (None, Some(values), None, None, None, None) => {
                let turn = index.checked_rem(values.len()).and_then(|turn| values.get(turn));
                turn.cloned().ok_or_else(|| "`cycle` is empty".to_owned())
            }
            (None, None, Some((low, high, decimals)), None, None, None) => {
                // 53 bits: what a double holds.
                let part = (hash(seed) >> 11) as f64 / (1_u64 << 53) as f64;
                let scale = 10_f64.powi(decimals.min(6) as i32);
                let number = ((low + part * (high - low)) * scale).round() / scale;
                Ok(if decimals == 0 { json!(number as i64) } else { json!(number) })
            }
            (None, None, None, Some(text), None, None) => variables.fill(text),
            (None, None, None, None, Some(by), Some(cases)) => {
                let key = variables.text(by)?;
                let case = cases.get(&key).ok_or_else(|| format!("no case for `{by}` = `{key}`"))?;
                case.value(seed, index, variables)
            }
            _ => {
                Err("a variable has one of `pick`, `cycle`, `number`, `text`, or `by` with `cases`"
                    .to_owned())
            }
        }
    }
}

/// 64 bits of SHA-256: even enough for weights, and the same on every machine.
pub(super) fn hash(parts: &[&str]) -> u64 {
    let digest = Sha256::digest(parts.join("\u{1f}").as_bytes());
    let mut first = [0_u8; 8];
    for (byte, from) in first.iter_mut().zip(digest.iter()) {
        *byte = *from;
    }
    u64::from_be_bytes(first)
}
