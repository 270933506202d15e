//! The views in `daybook check` and `daybook rebuild`.

use crate::catalog::Catalog;
use crate::cli::progress::Progress;
use crate::follow::Feed;
use crate::log::append::Identities;
use crate::log::check::Difference;
use crate::log::store::Store;
use crate::store::EngineKind;
use crate::views::LogViews;
use crate::views::engine::Engine;
use anyhow::bail;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What the views of a ledger are made from.
pub struct Ground {
    pub kind: EngineKind,
    pub store: Arc<Store>,
    pub identities: Arc<dyn Identities>,
    pub catalog: Arc<Catalog>,
}

/// Opens the views in a folder, and waits until they have all of the log.
pub fn build(dir: &Path, ground: &Ground, what: &'static str) -> anyhow::Result<LogViews> {
    let Ground { kind, store, identities, catalog } = ground;
    let views = LogViews::start(dir, *kind, &Feed::of(store), identities.clone())?;
    views.set_catalog(catalog.clone());
    let size = store.size();
    let bar = Progress::start(what, size);
    loop {
        let behind = !views.wait_applied(size, Duration::from_millis(500));
        let building = views.now().is_ok_and(|engine| engine.standing().iter().any(|view| view.building));
        if !behind && !building {
            break;
        }
        if let (Some(problem), Ok(_)) = (views.problem(), views.now()) {
            bail!(problem);
        }
        if !behind {
            std::thread::sleep(Duration::from_millis(100));
        }
        bar.set(views.applied());
    }
    bar.finish();
    Ok(views)
}

/// Reads the views whole, makes them again from the log beside the old ones, and compares.
pub fn compare(dir: &Path, scratch: &Path, ground: &Ground) -> anyhow::Result<Vec<Difference>> {
    let differs = |what: String| Difference { place: "views".into(), what, repaired: false };
    let kept = build(dir, ground, "views read")?;
    let engine = kept.now().map_err(anyhow::Error::msg)?;
    let mut differences: Vec<Difference> = engine
        .audit()?
        .into_iter()
        .map(|name| differs(format!("the records of {name:?} are not those that were written")))
        .collect();
    if scratch.exists() {
        // Of a check that was cut short.
        std::fs::remove_dir_all(scratch)?;
    }
    let fresh = build(scratch, ground, "views made again")?;
    let made = fresh.now().map_err(anyhow::Error::msg)?;
    let by_name = |engine: &Engine| {
        let mut standing = engine.standing();
        standing.sort_by(|a, b| a.name.cmp(&b.name));
        standing
    };
    for (old, new) in by_name(&engine).iter().zip(by_name(&made)) {
        if (&old.name, &old.digest, old.rows) != (&new.name, &new.digest, new.rows) {
            differences.push(differs(format!("{:?} is not what the log gives", old.name)));
        }
    }
    drop(made);
    drop(fresh);
    std::fs::remove_dir_all(scratch)?;
    Ok(differences)
}
