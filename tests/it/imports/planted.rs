//! Small trees of sources with one fault each: what is asked of the real one is found in these, wherever it hides.

use super::graph::Package;
use std::path::Path;

/// A tree without a fault, in which each way of naming something occurs. Others are this one with files put over it.
const GOOD: &[(&str, &str)] = &[
    (
        "lib.rs",
        "pub mod api;\npub mod log;\npub mod spec;\nmod sync;\n#[cfg(test)] mod told { use crate::api::Shown; }",
    ),
    ("sync.rs", "pub use std::sync::Mutex;\npub struct Seam;"),
    ("spec/mod.rs", "//! Formats.\npub mod entry;\npub mod words;\npub use entry::Entry;\npub use words::*;"),
    ("spec/entry.rs", "use super::words::WORD;\npub struct Entry(pub [u8; WORD]);\npub fn read() {}"),
    ("spec/words.rs", "pub const WORD: usize = 4;\npub enum Kind { A, B }"),
    ("log/mod.rs", "pub mod store;\npub mod append;\npub use store::Store;"),
    (
        "log/store.rs",
        "use crate::spec::{Entry, entry::{self, read}};\nuse crate::sync::Seam;\n\
         pub struct Store(pub Entry, Seam);\npub fn open() { entry::read(); read(); self::close() }\nfn close() {}",
    ),
    ("log/append.rs", "pub fn append(to: &super::store::Store) { let _ = to; }"),
    ("api/mod.rs", "mod show;\npub use show::Shown;"),
    (
        "api/show.rs",
        "use crate::log;\nuse crate::spec::Kind::{self, *};\npub struct Shown(log::Store);\n\
         pub fn show(kind: Kind) { match kind { A => log::append::append(todo!()), B => {} } }\n\
         #[cfg(test)] mod tests { use crate::log::store::open; }\n\
         // crate::cli::run() in a comment is none, and neither is \"crate::cli::run\" in a text.",
    ),
    ("lib/unused.txt", "not Rust"),
];

/// What is found in the good tree with these files put over it.
fn found(over: &[(&str, &str)]) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in GOOD.iter().chain(over) {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let packages = [Package { name: "planted".into(), root: dir.path().join("lib.rs") }];
    super::faults(dir.path(), Path::new(""), &packages, &super::Exceptions::default()).1
}

/// That exactly one fault is found, and that it says this.
fn finds(says: &str, over: &[(&str, &str)]) {
    let found = found(over);
    assert!(found.len() == 1 && found[0].contains(says), "{says}: {found:#?}");
}

/// The file of `log` that looks up to `api`, with this in it.
fn looks_up(code: &str) {
    let text = format!("pub struct Store;\npub fn open() {{}}\n{code}");
    finds(
        "log may not use api: log/store.rs -> api/show.rs",
        &[
            ("log/store.rs", &text),
            // So that there is no circle besides.
            (
                "api/show.rs",
                "pub struct Shown;\npub mod deep { pub trait Seen {} pub const SEEN: u8 = 1; pub fn see() {} }",
            ),
            ("api/mod.rs", "pub mod show;"),
        ],
    );
}

#[test]
fn a_good_tree_has_no_fault() {
    assert_eq!(found(&[]), Vec::<String>::new());
}

#[test]
fn an_import_upwards_is_found_wherever_a_path_may_stand() {
    looks_up("use crate::api::show::Shown;");
    looks_up("use crate::{spec::Entry, api::{show::{deep::see as saw, Shown as _}}};");
    looks_up("use crate::api::show::*;");
    looks_up("use super::super::api::show::Shown;");
    looks_up("fn f() -> u8 { crate::api::show::deep::SEEN }");
    looks_up("fn f() { super::super::api::show::deep::see() }");
    looks_up("fn f() { use crate::api::show; show::deep::see() }");
    looks_up("fn f(it: Option<&crate::api::show::Shown>) {}");
    looks_up("struct S<T: crate::api::show::deep::Seen>(T);");
    looks_up("impl crate::api::show::deep::Seen for Store {}");
    looks_up("fn f(n: u8) -> bool { matches!(n, crate::api::show::deep::SEEN) }");
    looks_up("fn f(n: u8) { match n { crate::api::show::deep::SEEN => {} _ => {} } }");
    looks_up("macro_rules! m { () => { $crate::api::show::deep::see() } }");
    looks_up("fn f() { println!(\"{}\", crate::api::show::deep::SEEN); }");
    looks_up(
        "#[derive(Debug)] struct S { #[serde(with = \"crate::api::show::deep\")] a: u8 } fn f() { vec![[super::super::api::show::deep::SEEN]]; }",
    );
    looks_up("mod inner { pub fn f() { super::super::super::api::show::deep::see() } }");
    looks_up("use crate as whole; fn f() { whole::api::show::deep::see() }");
}

#[test]
fn a_re_export_hides_nothing() {
    // `log` hands something of `api` on: it uses it, and so does whoever takes it from there.
    let found = found(&[
        (
            "log/mod.rs",
            "pub mod store;\npub mod append;\npub use store::Store;\npub use crate::api::show::Shown;",
        ),
        ("log/append.rs", "fn f(it: super::Shown) {}"),
        ("log/store.rs", "pub struct Store;\npub fn open() {}"),
        ("api/mod.rs", "pub mod show;"),
        ("api/show.rs", "pub struct Shown;"),
    ]);
    let said = [
        "log/append.rs -> api/show.rs (super::Shown)",
        "log/mod.rs -> api/show.rs (crate::api::show::Shown)",
    ];
    assert_eq!(found.len(), said.len(), "{found:#?}");
    for said in said {
        assert!(found.iter().any(|fault| fault.contains(said)), "{said}: {found:#?}");
    }
}

#[test]
fn two_files_that_use_each_other_are_a_circle() {
    finds(
        "2 files in a circle: spec/entry.rs, spec/words.rs; one way round",
        &[(
            "spec/words.rs",
            "pub const WORD: usize = 4;\npub enum Kind { A, B }\npub fn all() { super::entry::read() }",
        )],
    );
}

#[test]
fn a_longer_circle_through_a_macro_is_one_too() {
    finds(
        "3 files in a circle: spec/entry.rs, spec/more.rs, spec/words.rs",
        &[
            (
                "spec/mod.rs",
                "pub mod entry;\npub mod more;\npub mod words;\npub use entry::Entry;\npub use words::*;",
            ),
            ("spec/words.rs", "pub const WORD: usize = super::more::MORE;\npub enum Kind { A, B }"),
            ("spec/more.rs", "pub const MORE: usize = 1;\nfn f() { assert!(super::entry::read() == ()); }"),
        ],
    );
}

#[test]
fn a_parent_and_a_child_that_use_each_other_are_a_circle() {
    // The parent hands the child's name on, the child takes a name of the parent.
    finds(
        "2 files in a circle: log/mod.rs, log/store.rs",
        &[
            ("log/mod.rs", "pub mod store;\npub mod append;\npub use store::Store;\npub const MOST: u8 = 1;"),
            ("log/store.rs", "pub struct Store;\npub fn open() { super::MOST; }"),
        ],
    );
}

#[test]
fn a_file_with_a_path_of_its_own_is_read_and_one_of_no_module_is_named() {
    finds(
        "log may not use api: log/apart.rs -> api/show.rs",
        &[
            (
                "log/mod.rs",
                "pub mod store;\npub mod append;\npub use store::Store;\n#[path = \"apart.rs\"] mod elsewhere;",
            ),
            ("log/apart.rs", "fn f() { crate::api::show::see() }"),
            ("log/store.rs", "pub struct Store;\npub fn open() {}"),
            ("api/mod.rs", "pub mod show;"),
            ("api/show.rs", "pub fn see() {}"),
        ],
    );
    finds("log/lost.rs belongs to no module", &[("log/lost.rs", "fn f() {}")]);
}

#[test]
fn a_room_without_a_place_and_a_long_file_are_named() {
    finds(
        "attic may not use spec",
        &[
            ("lib.rs", "pub mod api;\npub mod attic;\npub mod log;\npub mod spec;\nmod sync;"),
            ("attic.rs", "use crate::spec::entry::Entry;"),
        ],
    );
    let long = "// line\n".repeat(super::MAX_LINES) + "pub fn append(_: &super::store::Store) {}\n";
    finds("log/append.rs has 401 lines", &[("log/append.rs", &long)]);
    let tests = "#[cfg(test)]\nmod tests {\n".to_owned() + &"// line\n".repeat(super::MAX_LINES) + "}\n";
    assert_eq!(found(&[("log/append.rs", &tests)]), Vec::<String>::new());
}
