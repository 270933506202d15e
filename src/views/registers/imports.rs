//! The register of imports: what each holds, and whether that is what was counted.

use super::declared::RegisterView;
use super::states::{OPENED, VOID};
use crate::spec::time::{MICROS_PER_DAY, Timestamp};
use crate::views::engine::{Beside, Import, Result, Row, RowEvent};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// In effect, and not closed.
const OPEN: &str = "open";

/// Whether what was counted differs from what is inside.
pub(super) const DIFFERS: &str = "differs";

/// The entry that opened the row, and from when it holds.
const OPENING: &str = "opened_by";
const OPENED_FROM: &str = "opened_by_from";

/// By when an import has to be closed, in microseconds after its confirmation.
///
/// Reason: while it is open nothing that it brings in is late. A month is enough to bring in ten years, and whoever needs
/// longer closes it and opens another one.
const CLOSES_WITHIN: i64 = 30 * MICROS_PER_DAY;

/// Remembers which entry opened the row.
pub(super) fn note(row: &mut Row, event: &RowEvent) {
    if event.ty == OPENED && !row.memo.contains_key(OPENING) {
        row.memo.insert(OPENING.to_owned(), event.seq.into());
        row.remember(OPENED_FROM, event.effective_at);
    }
}

impl RegisterView {
    /// The row of an import at a moment, with what is inside and by when it has to be closed.
    pub(super) fn import(&self, row: &Row, at: Timestamp, beside: &dyn Beside) -> Result<Row> {
        let mut row = row.clone();
        let opened = row.memo.get(OPENING).and_then(Value::as_u64);
        let Some(source) = row.text("of_source").map(str::to_owned) else { return Ok(row) };
        let imports = beside.imports(&source)?;
        let Some(import) = imports.iter().find(|import| Some(import.opened) == opened) else {
            return Ok(row);
        };
        if !import.is_past {
            row.state = VOID.to_owned();
            (row.ended, row.due_at, row.ended_at) = (true, None, row.remembered(OPENED_FROM));
            row.set("why_not", "window-not-over");
            return Ok(row);
        }
        let Some(confirmed) = import.confirmed.filter(|confirmed| confirmed.recorded_at <= at) else {
            return Ok(row);
        };
        if row.state == OPEN {
            row.due_at = Some(confirmed.recorded_at.saturating_add(CLOSES_WITHIN));
        }
        compare(&mut row, import, beside)?;
        Ok(row)
    }
}

/// What is inside, and how it differs from what was counted, type by type.
fn compare(row: &mut Row, import: &Import, beside: &dyn Beside) -> Result<()> {
    let brought = beside.brought(import)?;
    let counted = row.value("counts").and_then(Value::as_object).cloned().unwrap_or_default();
    let inside: Map<String, Value> =
        brought.by_type.iter().map(|(ty, count)| (ty.clone(), (*count).into())).collect();
    row.set("inside", inside);
    if !brought.is_whole {
        row.set("inside_is_partial", true);
        return Ok(());
    }
    if row.state == OPEN {
        return Ok(());
    }
    let differences = differences(&counted, &brought.by_type);
    row.set(DIFFERS, !differences.is_empty());
    if !differences.is_empty() {
        row.set("differences", differences);
    }
    Ok(())
}

/// The types of which another number was counted than lies inside.
fn differences(counted: &Map<String, Value>, inside: &BTreeMap<String, u64>) -> Vec<Value> {
    let mut all: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (ty, count) in counted {
        all.entry(ty).or_default().0 = count.as_u64().unwrap_or(0);
    }
    for (ty, count) in inside {
        all.entry(ty).or_default().1 = *count;
    }
    let differ = all.into_iter().filter(|(_, (counted, inside))| counted != inside);
    differ.map(|(ty, (counted, inside))| json!({"type": ty, "counted": counted, "inside": inside})).collect()
}
