//! Where index and views are, and what becomes of them where the log was put back, or nothing can be written.

use crate::log::Opened;
use crate::store::copies::{self, Copies};
use crate::store::reach;
use anyhow::Context as _;
use std::path::{Path, PathBuf};

/// Where index and views are: in the data folder; or apart from it, where nothing may be changed in there.
pub(super) struct Derived {
    data_dir: PathBuf,
    apart: Option<Copies>,
}

impl Derived {
    pub(super) fn of(data_dir: &Path, opened: &Opened) -> anyhow::Result<Self> {
        let place = |name: &str| data_dir.join(name);
        let mut apart = None;
        if opened.is_adopted() && !opened.put_back.is_empty() {
            for name in ["index", "views"] {
                reach::forget(&place(name)).with_context(|| place(name).display().to_string())?;
            }
        } else if !opened.put_back.is_empty() {
            tracing::warn!(
                "index and views are kept as the proof that the log was put back; for this time others are made"
            );
            apart = begin_apart();
        } else if opened.read_only.is_some() && !can_hold_more(data_dir) {
            tracing::info!(
                "nothing can be written in the data folder: index and views are served from a copy"
            );
            apart = begin_apart();
            if let Some(apart) = &apart
                && let Err(error) = copy_derived(data_dir, apart)
            {
                tracing::warn!(%error, "index and views are not copied, and made from the log for this time");
            }
        }
        Ok(Self { data_dir: data_dir.to_owned(), apart })
    }

    pub(super) fn place(&self, name: &str) -> PathBuf {
        self.apart.as_ref().map_or_else(|| self.data_dir.join(name), |apart| apart.place(name))
    }
}

/// A folder for what is derived, where the system keeps temporary files. Without one the log is served alone.
fn begin_apart() -> Option<Copies> {
    let begun = Copies::begin("serve");
    if let Err(error) = &begun {
        let place = std::env::temp_dir();
        tracing::warn!(%error, place = %place.display(), "there is no place for index and views; TMPDIR says where else");
    }
    begun.ok()
}

/// Bytes that index and views may need to be opened.
///
/// Reason: their journals.
const ROOM_TO_OPEN: u64 = 64 << 20;

/// Whether an engine can be opened in a folder: it writes, also for those who only read.
fn can_hold_more(data_dir: &Path) -> bool {
    let writable = rustix::fs::access(data_dir, rustix::fs::Access::WRITE_OK).is_ok();
    writable
        && rustix::fs::statvfs(data_dir)
            .is_ok_and(|told| told.f_bavail.saturating_mul(told.f_frsize) >= ROOM_TO_OPEN)
}

fn copy_derived(data_dir: &Path, apart: &Copies) -> Result<(), String> {
    for name in ["index", "views"] {
        let from = data_dir.join(name);
        let size = copies::size_of(&from).map_err(|error| error.to_string())?;
        apart.must_have_room(size)?;
        if size > 0 {
            copies::copy(&from, &apart.place(name)).map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}
