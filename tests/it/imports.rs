//! Imports point one way (ARCHITECTURE.md), so that what is below can be read, built and trusted without what is above;
//! no files use each other in a circle, so that each can be read after those that it stands on.

mod graph;
mod planted;

use graph::{Graph, Package};
use std::path::{Path, PathBuf};

/// The rooms from the bottom up. A file may use those of rows before its own room's.
const ROOMS: [&[&str]; 13] = [
    &["spec"],
    &["store", "verify"],
    &["identity", "log", "catalog"],
    &["follow"],
    &["index", "search", "vault", "witness"],
    &["views"],
    &["intake"],
    &["policy"],
    &["answers"],
    &["web", "exports"],
    &["api", "console"],
    &["app", "demo"],
    &["cli"],
];

/// Uses within a row: each is one way, and said so in the room's charter.
const BESIDE: [(&str, &str); 0] = [];

/// Files beside the rooms that any may use, and that use none.
const SEAMS: [&str; 2] = ["sync", "clock"];

/// Files above all rooms: the programs, and the library's root, which only names its rooms.
const ROOTS: [&str; 4] = ["lib", "main", "bin", "build"];

/// Circles that are still there. Whoever undoes one takes it from here; no other may come.
const CIRCLES_LEFT: [&[&str]; 0] = [];

/// Lines of a file, without the tests at its end.
///
/// Reason: what is read in one sitting.
const MAX_LINES: usize = 400;

/// Longer files, with the reason.
const LONGER: [(&str, usize, &str); 0] = [];

/// What is wrong with a tree of sources, each in a line of its own; `rooms` is where the rooms' folders are.
fn faults(base: &Path, rooms: &Path, packages: &[Package]) -> (Graph, Vec<String>) {
    let graph = Graph::read(base, packages);
    let mut faults = Vec::new();
    for (from, to) in graph.edges.keys().copied() {
        let (user, used) = (room(&graph.files[from], rooms), room(&graph.files[to], rooms));
        if !may_use(&user, &used) {
            faults.push(format!("{user} may not use {used}: {}", graph.step(from, to)));
        }
    }
    for circle in graph.circles() {
        let names: Vec<_> = circle.files.iter().map(|file| file.display().to_string()).collect();
        if !CIRCLES_LEFT.iter().any(|left| names.iter().all(|name| left.contains(&name.as_str()))) {
            let (files, steps) = (names.join(", "), circle.steps.join("\n    "));
            faults.push(format!("{} files in a circle: {files}; one way round:\n    {steps}", names.len()));
        }
    }
    (graph, faults)
}

/// The first name of a file's place below the folder of rooms.
fn room(file: &Path, rooms: &Path) -> String {
    let within = file.strip_prefix(rooms).unwrap_or(file);
    let first = Path::new(within.components().next().unwrap().as_os_str());
    first.file_stem().unwrap().to_str().unwrap().to_owned()
}

fn may_use(user: &str, used: &str) -> bool {
    let row = |name: &str| ROOMS.iter().position(|row| row.contains(&name));
    if user == used || ROOTS.contains(&user) {
        return true;
    }
    match (row(user), row(used)) {
        (Some(user_row), Some(used_row)) => {
            used_row < user_row || (used_row == user_row && BESIDE.contains(&(user, used)))
        }
        (Some(_), None) => SEAMS.contains(&used),
        (None, _) => false,
    }
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
}

fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All packages whose manifest is at the root or below `src`: their libraries by name, and their programs.
fn packages() -> Vec<Package> {
    let mut manifests = vec![home().to_owned()];
    let mut folders = vec![home().join("src")];
    while let Some(folder) = folders.pop() {
        if folder.join("Cargo.toml").exists() {
            manifests.push(folder.clone());
        }
        let within = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        folders.extend(within.filter(|path| path.is_dir()));
    }
    let mut packages = Vec::new();
    for folder in manifests {
        let manifest: toml::Table =
            std::fs::read_to_string(folder.join("Cargo.toml")).unwrap().parse().unwrap();
        let name = manifest["package"]["name"].as_str().unwrap().replace('-', "_");
        let given = |table: &toml::Value| {
            table.get("path").and_then(|path| path.as_str()).map(|path| folder.join(path))
        };
        let library = manifest.get("lib").and_then(given).unwrap_or_else(|| folder.join("src/lib.rs"));
        if library.exists() {
            packages.push(Package { name: name.clone(), root: library });
        }
        let programs = manifest.get("bin").and_then(|bins| bins.as_array()).into_iter().flatten();
        for root in programs.filter_map(given) {
            packages.push(Package { name: format!("program {}", root.display()), root });
        }
    }
    packages
}

#[test]
fn imports_point_one_way_and_never_in_a_circle() {
    let (graph, faults) = faults(home(), Path::new("src"), &packages());
    let (files, edges) = (graph.files.len(), graph.edges.len());
    assert!(files > 150 && edges > 600, "{edges} uses in {files} files: this test reads the sources wrongly");
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}
