//! The index and the views in `daybook check`: each is looked at in a copy, and held against what the log gives.

use crate::app::catalogue::catalog;
use crate::app::config::Config;
use crate::catalog::CatalogHistory;
use crate::cli::derive::{self, Ground};
use crate::cli::progress::Progress;
use crate::index::{Filter, Index};
use crate::log::check::Difference;
use crate::log::identity;
use crate::log::store::Store;
use crate::spec::entry::Entry;
use crate::store::EngineKind;
use crate::store::copies::{Copies, copy, kept_by, size_of};
use crate::store::opening::{OpenReport, Opened};
use crate::views::engine::Engine;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What came of it.
#[derive(Default)]
pub struct Looked {
    /// What is kept, and is not what the log gives.
    pub differences: Vec<Difference>,
    /// What could not be looked at, and why.
    pub unseen: Vec<(&'static str, String)>,
    /// What is in use, and for that reason not looked at.
    pub served: Vec<(&'static str, String)>,
    /// What is not there yet.
    pub absent: Vec<&'static str>,
}

/// A ledger's folder and its log.
pub struct Look<'a> {
    pub data: &'a Path,
    pub config: &'a Config,
    pub kind: EngineKind,
    pub store: &'a Arc<Store>,
    /// What differs is made again.
    pub repair: bool,
}

/// Why there is nothing to go on with.
enum Stopped {
    /// What is kept is wrong: this is how.
    Differs(String),
    Unseen(String),
}

fn unseen(why: impl ToString) -> Stopped {
    Stopped::Unseen(why.to_string())
}

impl Look<'_> {
    /// Looks at both.
    #[must_use]
    pub fn look(&self) -> Looked {
        let mut looked = Looked::default();
        let has_views = kept_by(&self.place("views"), self.kind).is_some();
        if !has_views {
            looked.absent.push("views");
            if kept_by(&self.place("index"), self.kind).is_none() {
                looked.absent.push("index");
                return looked;
            }
        }
        let copies = match Copies::begin("check") {
            Ok(copies) => copies,
            Err(error) => {
                let why = format!("{}: {error}", std::env::temp_dir().display());
                looked.unseen = vec![("index", why.clone()), ("views", why)];
                return looked;
            }
        };
        let index = self.index(&copies, &mut looked);
        if has_views
            && let Err(Stopped::Unseen(why) | Stopped::Differs(why)) =
                index.and_then(|index| self.views(&copies, index, &mut looked))
        {
            looked.unseen.push(("views", why));
        }
        looked
    }

    fn place(&self, part: &'static str) -> PathBuf {
        self.data.join(part)
    }

    /// Copies a part, after making sure that there is room for it and for what it is compared with.
    fn copied(&self, part: &'static str, copies: &Copies) -> Result<PathBuf, Stopped> {
        let from = self.place(part);
        let size = size_of(&from).map_err(unseen)?;
        copies.must_have_room(2 * size).map_err(unseen)?;
        let to = copies.place(part);
        copy(&from, &to).map_err(|error| unseen(format!("copying it to {}: {error}", to.display())))?;
        Ok(to)
    }

    /// Looks at the index, and gives one that is right: the copy, or one that was made.
    fn index(&self, copies: &Copies, looked: &mut Looked) -> Result<Arc<Index>, Stopped> {
        match self.kept_index(copies) {
            Ok(Some(index)) => return Ok(index),
            Ok(None) => looked.absent.push("index"),
            Err(Stopped::Differs(what)) => {
                let repaired = self.repair && self.made_again("index", looked);
                looked.differences.push(Difference { place: "index".into(), what, repaired });
            }
            Err(Stopped::Unseen(why)) => looked.unseen.push(("index", why)),
        }
        let made = derive::index(&copies.place("index-made"), self.kind, self.store, "indexed");
        made.map(|(index, _)| index)
            .map_err(|error| unseen(format!("no index can be made to go by: {error}")))
    }

    /// The index that is kept, in a copy; none if there is none.
    fn kept_index(&self, copies: &Copies) -> Result<Option<Arc<Index>>, Stopped> {
        let Some(kind) = kept_by(&self.place("index"), self.kind) else { return Ok(None) };
        let copied = self.copied("index", copies)?;
        let opened = derive::index(&copied, kind, self.store, "index read");
        let (index, report) = opened.map_err(|error| self.failed(copies, &error))?;
        must_be_kept(&report)?;
        match first_missing(&index, self.store) {
            Ok(None) => Ok(Some(index)),
            Ok(Some(what)) => Err(Stopped::Differs(what)),
            Err(error) => Err(self.failed(copies, &error)),
        }
    }

    /// What an error says: of a store that was opened with room to spare, that it is damaged.
    fn failed(&self, copies: &Copies, error: &dyn std::fmt::Display) -> Stopped {
        if copies.is_full() {
            return unseen(format!("there is no room left where temporary files are: {error}"));
        }
        Stopped::Differs(format!("it fails: {error}"))
    }

    fn views(&self, copies: &Copies, index: Arc<Index>, looked: &mut Looked) -> Result<(), Stopped> {
        let begun = catalog(self.data, self.config).map_err(|error| unseen(format!("{error:#}")))?;
        let history = CatalogHistory::begin(begun, "");
        let ground = Arc::new(Ground::of(self.store, index, &history).map_err(unseen)?);
        let copied = self.copied("views", copies)?;
        let made = derive::views(&copies.place("views-made"), self.kind, &ground, "views made again");
        let (made, _) =
            made.map_err(|error| unseen(format!("no views can be made to compare with: {error}")))?;
        let mut found = match self.kept_views(&copied, copies, &ground, &made) {
            Ok(found) => found,
            Err(Stopped::Differs(what)) => vec![what],
            Err(unseen) => return Err(unseen),
        };
        drop(made);
        let repaired = self.repair && !found.is_empty() && {
            let again = self.clear("views").map_err(unseen).and_then(|()| {
                derive::views(&self.place("views"), self.kind, &ground, "views made").map_err(unseen)
            });
            note(again.map(drop), "views", looked)
        };
        let difference = |what| Difference { place: "views".into(), what, repaired };
        looked.differences.extend(found.drain(..).map(difference));
        Ok(())
    }

    /// How the views that are kept, in a copy, differ from those that were made.
    fn kept_views(
        &self,
        copied: &Path,
        copies: &Copies,
        ground: &Arc<Ground>,
        made: &Engine,
    ) -> Result<Vec<String>, Stopped> {
        let kind = kept_by(copied, self.kind).unwrap_or(self.kind);
        let opened = derive::views(copied, kind, ground, "views read");
        let (kept, report) = opened.map_err(|error| self.failed(copies, &error))?;
        must_be_kept(&report)?;
        let damaged = kept.audit().map_err(|error| self.failed(copies, &error))?;
        let mut found: Vec<String> = damaged
            .into_iter()
            .map(|name| format!("the records of {name:?} are not those that were written"))
            .collect();
        let by_name = |engine: &Engine| {
            let mut standing = engine.standing();
            standing.sort_by(|a, b| a.name.cmp(&b.name));
            standing
        };
        for (old, new) in by_name(&kept).iter().zip(by_name(made)) {
            if (&old.name, &old.digest, old.rows) != (&new.name, &new.digest, new.rows) {
                found.push(format!("{:?} is not what the log gives", old.name));
            }
        }
        Ok(found)
    }

    /// Whether a part that differs is made again in its place; if not, that is noted.
    fn made_again(&self, part: &'static str, looked: &mut Looked) -> bool {
        let made = self.clear(part).map_err(unseen).and_then(|()| {
            derive::index(&self.place(part), self.kind, self.store, "index made").map_err(unseen)
        });
        note(made.map(drop), part, looked)
    }

    fn clear(&self, part: &'static str) -> std::io::Result<()> {
        fs::remove_dir_all(self.place(part))
    }
}

fn note(made: Result<(), Stopped>, part: &'static str, looked: &mut Looked) -> bool {
    match made {
        Ok(()) => true,
        Err(Stopped::Unseen(why) | Stopped::Differs(why)) => {
            looked.unseen.push((part, format!("it cannot be made again: {why}")));
            false
        }
    }
}

/// What the opening found must be what is kept, and not a reason to wipe it.
fn must_be_kept(report: &OpenReport) -> Result<(), Stopped> {
    match &report.opened {
        Opened::Kept => Ok(()),
        Opened::Rebuilt(why) => Err(Stopped::Differs(why.to_string())),
        Opened::Created => Err(Stopped::Differs("its files are gone".to_owned())),
    }
}

/// The first entry that the index does not know by its identity, or does not list under what it is.
fn first_missing(index: &Index, store: &Store) -> anyhow::Result<Option<String>> {
    let size = store.size();
    let bar = Progress::start("compared", size);
    for seq in 0..size {
        let bytes = store.entry(seq)?;
        let entry = Entry::parse(&bytes)?;
        let text = |name| entry.attribute(name);
        let known =
            index.find(&identity(text("source").unwrap_or_default(), text("id").unwrap_or_default()))?;
        if known != Some(seq) {
            return Ok(Some(format!("entry {seq} is not found by its identity")));
        }
        let filter = Filter {
            ty: text("type"),
            source: text("source"),
            subject: text("subject"),
            actor: Some(&entry.actor),
        };
        if index.list(&filter, seq, seq + 1, false, 1)? != [seq] {
            return Ok(Some(format!("entry {seq} is not listed under its type, source, subject and actor")));
        }
        bar.set(seq);
    }
    bar.finish();
    Ok(None)
}
