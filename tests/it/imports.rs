//! Imports point one way (ARCHITECTURE.md), so that what is below can be read, built and trusted without what is above;
//! no files use each other in a circle, so that each can be read after those that it stands on.

mod graph;
mod planted;
mod words;

use graph::{Graph, Package};
use std::collections::BTreeSet;
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

/// Files beside the rooms that any may use, and that use `spec` alone.
const SEAMS: [&str; 2] = ["sync", "clock"];

/// Files above all rooms: the programs, and the library's root, which only names its rooms.
const ROOTS: [&str; 4] = ["lib", "main", "bin", "build"];

/// Lines that a file may have, without the tests at its end.
///
/// Reason: what is read in one sitting. Tests are a list of promises, of which one reads the one that one wants.
const MAX_LINES: usize = 400;

/// What is known and left. Whatever else is found is a fault, and so is what is named here and is no longer so.
#[derive(Default)]
struct Exceptions<'a> {
    /// Rooms in which files may still use each other in a circle.
    circles: &'a [&'a str],
    /// Longer files: how many lines they may have, and why they are not divided.
    longer: &'a [(&'a str, usize, &'a str)],
}

const EXCEPTIONS: Exceptions<'_> = Exceptions {
    circles: &[],
    longer: &[
        ("src/log/store.rs", 500, "all that is read of the log, behind one lock"),
        ("src/spec/json.rs", 500, "a reader of one language, in one pass over its bytes"),
    ],
};

/// What is wrong with a tree of sources, each in a line of its own; `rooms` is where the rooms' folders are.
fn faults(base: &Path, rooms: &Path, packages: &[Package], but: &Exceptions<'_>) -> (Graph, Vec<String>) {
    let graph = Graph::read(base, packages);
    let mut faults = directions(&graph, rooms);
    faults.extend(circles(&graph, rooms, but));
    let mut files = Vec::new();
    sources(&base.join(rooms), &mut files);
    for file in files {
        let name = file.strip_prefix(base).unwrap();
        if graph.files.iter().any(|file| file == name) {
            faults.extend(length(name.to_str().unwrap(), &file, but));
        } else if !graph.tests.contains(name) {
            faults.push(format!("{} belongs to no module", name.display()));
        }
    }
    (graph, faults)
}

fn directions(graph: &Graph, rooms: &Path) -> Vec<String> {
    let uses = graph.edges.keys().copied().map(|(from, to)| {
        let (user, used) = (room(&graph.files[from], rooms), room(&graph.files[to], rooms));
        (!may_use(&user, &used)).then(|| format!("{user} may not use {used}: {}", graph.step(from, to)))
    });
    uses.flatten().collect()
}

fn circles(graph: &Graph, rooms: &Path, but: &Exceptions<'_>) -> Vec<String> {
    let (mut faults, mut done) = (Vec::new(), but.circles.to_vec());
    for circle in graph.circles() {
        let own: BTreeSet<_> = circle.files.iter().map(|file| room(file, rooms)).collect();
        done.retain(|known| !own.contains(*known));
        if own.iter().all(|room| but.circles.contains(&room.as_str())) {
            continue;
        }
        let names: Vec<_> = circle.files.iter().map(|file| file.to_str().unwrap()).collect();
        let (files, steps) = (names.join(", "), circle.steps.join("\n    "));
        faults.push(format!("{} files in a circle: {files}; one way round:\n    {steps}", names.len()));
    }
    faults.extend(done.into_iter().map(|room| format!("there is no circle in {room} any more")));
    faults
}

fn length(name: &str, file: &Path, but: &Exceptions<'_>) -> Option<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let lines = text.split("#[cfg(test)]\nmod tests {").next().unwrap().lines().count();
    match but.longer.iter().find(|(longer, ..)| *longer == name) {
        Some((.., why)) if lines <= MAX_LINES => Some(format!("{name} is no longer long: {why}")),
        Some((_, most, _)) if lines <= *most => None,
        _ if lines <= MAX_LINES => None,
        _ => Some(format!("{name} has {lines} lines")),
    }
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
        (None, Some(_)) => SEAMS.contains(&user) && used == "spec",
        (None, None) => false,
    }
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        // A package's own tests and benchmarks use its library from outside.
        let outside =
            dir.join("Cargo.toml").exists() && ["tests", "benches"].iter().any(|name| path.ends_with(name));
        if path.is_dir() && !outside {
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
    let (graph, faults) = faults(home(), Path::new("src"), &packages(), &EXCEPTIONS);
    let (files, edges) = (graph.files.len(), graph.edges.len());
    assert!(files > 150 && edges > 600, "{edges} uses in {files} files: this test reads the sources wrongly");
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn the_formats_know_no_disk_network_clock_or_chance() {
    let mut files = Vec::new();
    sources(&home().join("src/spec"), &mut files);
    let outside = [
        "std::fs",
        "std::net",
        "std::io",
        "std::env",
        "std::thread",
        "std::process",
        "std::time",
        "SystemTime",
        "Instant",
        "tokio",
        "getrandom",
        "rand::",
        "println!",
        "tracing",
    ];
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let code: String = text.lines().flat_map(|line| [line.split("//").next().unwrap(), "\n"]).collect();
        for name in outside {
            assert!(!code.contains(name), "{}: {name} has no place in a format", path.display());
        }
    }
}
