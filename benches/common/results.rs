//! `benches/RESULTS.md`: the latest figures of each benchmark, with the machine and the date.

use crate::common::machine::Machine;
use anyhow::{Context, Result};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// What stands above all sections.
const PREFACE: &str = "# Results\n\nThe latest figures of each benchmark. `make bench` prints and replaces them; `make bench FULL=1` takes the large \
sizes.\nFigures of one section are of one run on one machine; what counts are the ratios within it.\n";

/// Puts a benchmark's section in the place of its last one, or at the end.
pub fn keep(path: &Path, bench: &str, machine: &Machine, body: &str) -> Result<()> {
    let old = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => PREFACE.to_owned(),
        Err(error) => return Err(error).with_context(|| path.display().to_string()),
    };
    let command = command(bench, std::env::args().skip(1));
    let section =
        format!("## {bench}\n\n```text\n{}command      {command}\n\n{}\n```\n", machine.lines(), body.trim());
    fs::write(path, replaced(&old, bench, &section)).with_context(|| path.display().to_string())
}

/// How to measure it again: the arguments, less where the figures go and what `cargo bench` puts in.
fn command(bench: &str, mut arguments: impl Iterator<Item = String>) -> String {
    let mut command = format!("cargo bench --bench {bench} --");
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--bench" => {}
            "--results" => drop(arguments.next()),
            _ if argument.starts_with("--results=") => {}
            _ => command.extend([" ", argument.as_str()]),
        }
    }
    command.trim_end_matches(" --").to_owned()
}

fn replaced(old: &str, bench: &str, section: &str) -> String {
    let heading = format!("## {bench}");
    let mut parts: Vec<String> = Vec::new();
    for line in old.lines() {
        match parts.last_mut() {
            Some(part) if !line.starts_with("## ") => part.push_str(&format!("{line}\n")),
            _ => parts.push(format!("{line}\n")),
        }
    }
    match parts.iter_mut().find(|part| part.lines().next() == Some(heading.as_str())) {
        Some(part) => *part = section.to_owned(),
        None => parts.push(section.to_owned()),
    }
    parts.iter().map(|part| part.trim_end()).collect::<Vec<_>>().join("\n\n") + "\n"
}
