//! What there is, beside the log and its `home`, that remembers how long the log was: what was derived from it, and what was
//! handed out.

use crate::app::config::Config;
use crate::log::memory::{Memory, Remembered};
use crate::log::publish::Sink;
use crate::spec::checkpoint::Checkpoint;
use crate::spec::export::Line;
use crate::spec::json::Json;
use crate::store::Table;
use crate::store::reach::Reach;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

/// Bytes of a file of published checkpoints that are looked at, from its end.
///
/// Reason: some hundred thousand checkpoints; the newest is the last one.
const MAX_READ_BYTES: u64 = 64 << 20;

/// Levels that a remembered checkpoint's JSON has.
const REMEMBERED_DEPTH: usize = 1;

/// All of it. What cannot be read is told, and says nothing.
#[must_use]
pub fn remembered(data_dir: &Path, config: &Config) -> Vec<Memory> {
    let reach = |name, tables| Reach::of(&data_dir.join(name), tables);
    gather(
        data_dir,
        config,
        [("index", reach("index", &Table::INDEX)), ("views", reach("views", &Table::ALL))],
    )
}

/// The same for whoever only looks: what an older build derived, and noted nowhere, is not asked.
#[must_use]
pub fn remembered_untouched(data_dir: &Path, config: &Config) -> Vec<Memory> {
    gather(data_dir, config, ["index", "views"].map(|name| (name, Reach::read(&data_dir.join(name)))))
}

fn gather(data_dir: &Path, config: &Config, reaches: [(&str, Option<Reach>); 2]) -> Vec<Memory> {
    let derived = reaches.into_iter().filter_map(|(name, reach)| {
        let reach = reach?;
        let of = Remembered::Last { ledger: reach.ledger, size: reach.applied, text_hash: reach.anchor };
        Some(Memory { place: name.to_owned(), of })
    });
    let files = files(data_dir, config).into_iter().filter_map(|path| {
        let note = newest_checkpoint(&path).unwrap_or_else(|error| {
            tracing::warn!(path = %path.display(), %error, "what was published before is not known");
            None
        })?;
        let of = Remembered::Checkpoint { note };
        Some(Memory { place: path.display().to_string(), of })
    });
    derived.chain(files).collect()
}

/// Where checkpoints go, if they may.
#[must_use]
pub fn sinks(data_dir: &Path, config: &Config) -> Vec<Sink> {
    let file = config.publish.file.iter().map(|path| Sink::File(data_dir.join(path)));
    file.chain(config.publish.url.iter().cloned().map(Sink::Url)).collect()
}

/// Whether something outside the data folder remembers the ledger.
#[must_use]
pub fn is_remembered_outside(data_dir: &Path, config: &Config) -> bool {
    let inside = std::path::absolute(data_dir).unwrap_or_else(|_| data_dir.to_owned());
    let is_outside = |path: &PathBuf| {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        !normal(&absolute).starts_with(normal(&inside))
    };
    config.publish.url.is_some() || files(data_dir, config).iter().any(is_outside)
}

/// A path without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => drop(normal.pop()),
            std::path::Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

fn files(data_dir: &Path, config: &Config) -> Vec<PathBuf> {
    config.publish.file.iter().chain(&config.remembered).map(|path| data_dir.join(path)).collect()
}

/// A checkpoint from a file: the note itself, the largest of those that `[publish] file` wrote, or what
/// `daybook verify --remember` keeps; none if there is no such file yet. Lines that are none, such as one that a crash tore,
/// are passed over.
///
/// # Errors
/// It cannot be read.
pub fn newest_checkpoint(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let skipped = file.metadata()?.len().saturating_sub(MAX_READ_BYTES);
    io::Seek::seek(&mut file, io::SeekFrom::Start(skipped))?;
    let mut lines = BufReader::new(file.take(MAX_READ_BYTES));
    if skipped == 0 && lines.fill_buf()?.first() != Some(&b'{') {
        let mut note = Vec::new();
        lines.read_to_end(&mut note)?;
        return Ok(Some(note));
    }
    let (mut line, mut newest) = (Vec::new(), None);
    while lines.read_until(b'\n', &mut line)? > 0 {
        let note = match Line::parse(line.strip_suffix(b"\n").unwrap_or(&line)) {
            Some(Line::Checkpoint(note)) => Some(note),
            _ => kept_by_verifier(&line),
        };
        let size = note
            .as_ref()
            .map(|note| Checkpoint::parse(note.as_bytes()).map_or(0, |(checkpoint, _)| checkpoint.size));
        if let (Some(size), Some(note)) = (size, note)
            && newest.as_ref().is_none_or(|(known, _)| size >= *known)
        {
            newest = Some((size, note.into_bytes()));
        }
        line.clear();
    }
    Ok(newest.map(|(_, note)| note))
}

/// The checkpoint in a file of `daybook verify --remember`.
fn kept_by_verifier(line: &[u8]) -> Option<String> {
    let json = Json::parse(line.trim_ascii_end(), REMEMBERED_DEPTH).ok()?;
    let text = |name| json.get(name).and_then(Json::as_str);
    (text("daybook")? == "remember/1").then(|| text("checkpoint").map(str::to_owned))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn only_what_lies_outside_the_folder_remembers_it_when_the_folder_is_put_back() {
        let is = |text: &str| is_remembered_outside(Path::new("/srv/ledger"), &config(text));
        assert!(!is(""));
        assert!(!is("[publish]\nfile = \"published.ndjson\"\n"));
        assert!(!is("[publish]\nfile = \"../ledger/./published.ndjson\"\n"));
        assert!(is("[publish]\nfile = \"../published.ndjson\"\n"));
        assert!(is("remembered = [\"/var/lib/audit/remembered\"]\n"));
        assert!(is("[publish]\nurl = \"https://witness.example/\"\n"));
    }

    #[test]
    fn the_newest_checkpoint_of_a_file_is_found_among_torn_lines() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("published");
        assert_eq!(newest_checkpoint(&path).unwrap(), None);
        let signer = crate::spec::note::SoftwareSigner::from_seed("log.example", &[1; 32]).unwrap();
        let note = |size: u64| {
            let root = crate::spec::merkle::empty_root();
            let checkpoint = Checkpoint { origin: "log.example".into(), size, root };
            crate::spec::note::sign(&checkpoint.text(), &[&signer])
        };
        let mut text = String::new();
        for size in [3, 9, 7] {
            text.push_str(&Line::Checkpoint(note(size)).to_line());
        }
        text.push_str("{\"checkpoint\":\"log.exa\n{\"checkp");
        std::fs::write(&path, text).unwrap();
        assert_eq!(newest_checkpoint(&path).unwrap(), Some(note(9).into_bytes()));
        std::fs::write(&path, note(4)).unwrap();
        assert_eq!(newest_checkpoint(&path).unwrap(), Some(note(4).into_bytes()));
        let kept = Json::object([
            ("checkpoint", Json::string(note(5))),
            ("daybook", Json::string("remember/1")),
            ("key", Json::string("x")),
        ]);
        std::fs::write(&path, crate::spec::canonical::to_string(&kept) + "\n").unwrap();
        assert_eq!(newest_checkpoint(&path).unwrap(), Some(note(5).into_bytes()));
    }
}
