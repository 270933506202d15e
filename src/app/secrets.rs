//! Files that must be nobody else's to read: signing keys, and what tells tokens.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Bits of a file's mode by which others than its owner may read or write it.
const OF_OTHERS: u32 = 0o077;

/// Files with secrets that others than their owner may open, and with which mode.
#[must_use]
pub fn open_to_others(data_dir: &Path, keys_dir: &Path) -> Vec<(PathBuf, u32)> {
    let keys = fs::read_dir(keys_dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let keys = keys.filter(|path| path.extension().is_some_and(|extension| extension == "pem"));
    let tokens = ["tokens.json", "demo-tokens.json"].map(|name| data_dir.join(name));
    let mode = |path: PathBuf| {
        let mode = fs::metadata(&path).ok()?.permissions().mode() & 0o777;
        (mode & OF_OTHERS != 0).then_some((path, mode))
    };
    keys.chain(tokens).filter_map(mode).collect()
}

/// Says loudly which there are. They are not refused: where secrets are mounted, their modes are not always the operator's to
/// choose.
pub fn warn(data_dir: &Path, keys_dir: &Path) {
    for (path, mode) in open_to_others(data_dir, keys_dir) {
        tracing::error!(
            path = %path.display(),
            "others than its owner can open this file (mode {mode:o}), and it must be kept secret: chmod 600"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_that_others_can_open_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let keys = dir.path().join("keys");
        fs::create_dir(&keys).unwrap();
        let files =
            [("keys/a.pem", 0o600), ("keys/b.pem", 0o640), ("keys/notes", 0o644), ("tokens.json", 0o604)];
        for (name, mode) in files {
            let path = dir.path().join(name);
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        let found = open_to_others(dir.path(), &keys);
        assert_eq!(found, [(keys.join("b.pem"), 0o640), (dir.path().join("tokens.json"), 0o604)]);
    }
}
