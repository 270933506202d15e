//! Imports point one way (ARCHITECTURE.md), so that what is below can be read, built and trusted without what is above.

use std::path::{Path, PathBuf};

/// The modules from the bottom up. A module may use those of rows before its own, and what its own row says.
const LAYERS: [&[&str]; 6] = [
    &["spec"],
    &["verify"],
    &["vault", "log", "catalog"],
    &["identity", "intake", "views", "policy"],
    &["api", "console", "demo"],
    &["cli"],
];

/// Uses within a row: each is one way, and said so in the module's own head.
const BESIDE: [(&str, &str); 1] = [("intake", "identity")];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The code of a file without comments, and without the tests at its end: tests may look anywhere.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// The modules of this crate that a piece of code names, by path or in a braced list.
fn named(code: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut modules = Vec::new();
    for (at, found) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = &code[at + found.len()..];
        match rest.strip_prefix('{') {
            None => modules.push(word(rest)),
            Some(list) => {
                // Only the names at the top of the list are modules.
                let mut depth = 0;
                let mut start = true;
                for (place, c) in list.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        c if start && depth == 0 && !c.is_whitespace() => {
                            modules.push(word(&list[place..]));
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    modules
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

#[test]
fn imports_point_one_way() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut files, mut wrong, mut seen) = (Vec::new(), Vec::new(), 0);
    sources(&src, &mut files);
    for path in &files {
        let within = path.strip_prefix(&src).unwrap();
        let own = within.components().next().unwrap().as_os_str().to_str().unwrap();
        let is_test =
            within.to_str().unwrap().split(['/', '_', '.']).any(|part| {
                ["tests", "testing", "testkit", "conformance", "bitflips", "golden"].contains(&part)
            });
        if own.ends_with(".rs") || own == "bin" || is_test {
            continue;
        }
        let own_layer =
            layer(own).unwrap_or_else(|| panic!("src/{own} has no place in the order of modules"));
        for module in named(&code(path)) {
            let Some(other) = layer(&module) else { continue };
            seen += 1;
            let beside = own_layer == other && BESIDE.contains(&(own, module.as_str()));
            if module != own && other >= own_layer && !beside {
                wrong.push(format!("src/{} uses crate::{module}", within.display()));
            }
        }
    }
    assert!(seen > 300, "only {seen} uses were found: this test reads the sources wrongly");
    assert!(wrong.is_empty(), "imports that point up or sideways:\n{}", wrong.join("\n"));
}

#[test]
fn the_formats_know_no_disk_network_clock_or_chance() {
    let spec = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/spec");
    let mut files = Vec::new();
    sources(&spec, &mut files);
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
        let code = code(&path);
        for name in outside {
            assert!(!code.contains(name), "{}: {name} has no place in a format", path.display());
        }
    }
}
