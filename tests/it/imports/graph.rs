//! Which file uses which: read from the sources, name by name, as the compiler resolves them.
//!
//! An edge goes from the file that names something to the file that defines it, and also to each file on the way that
//! hands it on by `use`. `mod` is no edge, and neither is a path that ends at a module: only what is taken out of it
//! counts. Paths are read wherever they stand: in `use`, types, expressions, patterns, attributes, and in the words of
//! macros, as far as these spell paths out. What the compiler finds without a path (a method of a value) is not seen.

use super::words::{Words, attributes, defined, exported, is_test};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use syn::ext::IdentExt as _;
use syn::visit::Visit as _;

/// A library or a program: the name by which others call it, and its root file.
pub struct Package {
    pub name: String,
    pub root: PathBuf,
}

/// Files, and what each uses of others, with the path that says so.
#[derive(Default)]
pub struct Graph {
    /// Relative to the folder that was read, in order.
    pub files: Vec<PathBuf>,
    /// From, to: the path as written.
    pub edges: BTreeMap<(usize, usize), String>,
    /// Files that tests alone consist of.
    pub tests: BTreeSet<PathBuf>,
}

type ModuleId = usize;
type FileId = usize;

/// What a name in a module stands for.
enum Named {
    Module(ModuleId),
    Item(FileId),
    Import(Vec<String>),
}

impl Named {
    fn module(&self) -> Option<ModuleId> {
        if let Self::Module(id) = self { Some(*id) } else { None }
    }

    fn is_module(&self) -> bool {
        self.module().is_some()
    }
}

struct Module {
    root: ModuleId,
    parent: Option<ModuleId>,
    file: FileId,
    names: HashMap<String, Vec<Named>>,
    globs: Vec<Vec<String>>,
    /// All paths that its code spells out.
    paths: BTreeSet<Vec<String>>,
}

struct Reader<'a> {
    base: &'a Path,
    files: Vec<PathBuf>,
    tests: BTreeSet<PathBuf>,
    modules: Vec<Module>,
    packages: HashMap<String, ModuleId>,
    /// Of the package that is being read.
    root: ModuleId,
}

impl Graph {
    /// Reads packages whose files lie below `base`.
    pub fn read(base: &Path, packages: &[Package]) -> Self {
        let mut reader = Reader {
            base,
            files: Vec::new(),
            tests: BTreeSet::new(),
            modules: Vec::new(),
            packages: HashMap::new(),
            root: 0,
        };
        for package in packages {
            reader.root = reader.modules.len();
            let root = reader.file(&package.root, None, package.root.parent().unwrap());
            reader.packages.insert(package.name.clone(), root);
        }
        reader.name_packages();
        let mut edges = BTreeMap::new();
        for (id, module) in reader.modules.iter().enumerate() {
            for path in &module.paths {
                let mut found = BTreeSet::new();
                reader.resolve(id, path, &mut found, &mut HashSet::new());
                for file in found.into_iter().filter(|file| *file != module.file) {
                    edges.entry((module.file, file)).or_insert_with(|| path.join("::"));
                }
            }
        }
        let tests = reader.tests.difference(&reader.files.iter().cloned().collect()).cloned().collect();
        Self { files: reader.files, edges, tests }
    }

    /// Sets of files that use each other in a circle, each with one way round.
    pub fn circles(&self) -> Vec<Circle> {
        let mut uses = vec![Vec::new(); self.files.len()];
        self.edges.keys().for_each(|(from, to)| uses[*from].push(*to));
        let reach: Vec<BTreeSet<usize>> = (0..uses.len()).map(|from| reachable(&uses, from)).collect();
        let (mut seen, mut circles) = (BTreeSet::new(), Vec::new());
        for file in 0..uses.len() {
            if !reach[file].contains(&file) || !seen.insert(file) {
                continue;
            }
            let all: BTreeSet<usize> =
                reach[file].iter().copied().filter(|other| reach[*other].contains(&file)).collect();
            seen.extend(&all);
            let round = all.iter().map(|start| way_round(&uses, *start)).min_by_key(Vec::len).unwrap();
            let steps = round.windows(2).map(|pair| self.step(pair[0], pair[1])).collect();
            circles.push(Circle { files: all.iter().map(|file| self.files[*file].clone()).collect(), steps });
        }
        circles
    }

    pub fn step(&self, from: usize, to: usize) -> String {
        let path = &self.edges[&(from, to)];
        format!("{} -> {} ({path})", self.files[from].display(), self.files[to].display())
    }
}

/// Files that use each other, and one way from one of them back to it.
pub struct Circle {
    pub files: Vec<PathBuf>,
    pub steps: Vec<String>,
}

fn reachable(uses: &[Vec<usize>], from: usize) -> BTreeSet<usize> {
    let (mut reached, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(file) = next.pop() {
        next.extend(uses[file].iter().copied().filter(|other| reached.insert(*other)));
    }
    reached
}

/// The shortest way from a file back to itself.
fn way_round(uses: &[Vec<usize>], start: usize) -> Vec<usize> {
    let (mut ways, mut seen) = (vec![vec![start]], BTreeSet::new());
    loop {
        let mut longer = Vec::new();
        for way in ways {
            for next in &uses[*way.last().unwrap()] {
                let on: Vec<_> = way.iter().copied().chain([*next]).collect();
                if *next == start {
                    return on;
                }
                if seen.insert(*next) {
                    longer.push(on);
                }
            }
        }
        ways = longer;
    }
}

impl Reader<'_> {
    /// Reads a file as a module. Its children lie in `dir`, unless they say where.
    fn file(&mut self, path: &Path, parent: Option<ModuleId>, dir: &Path) -> ModuleId {
        let text =
            std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let file = self.files.len();
        self.files.push(path.strip_prefix(self.base).unwrap().to_owned());
        self.module(file, parent, &parsed.items, path.parent().unwrap(), dir)
    }

    /// `beside` is where the file lies, which is what `#[path]` is relative to; `dir` is where children lie.
    fn module(
        &mut self,
        file: FileId,
        parent: Option<ModuleId>,
        items: &[syn::Item],
        beside: &Path,
        dir: &Path,
    ) -> ModuleId {
        let id = self.modules.len();
        self.modules.push(Module {
            root: self.root,
            parent,
            file,
            names: HashMap::new(),
            globs: Vec::new(),
            paths: BTreeSet::new(),
        });
        let mut words = Words::default();
        for item in items {
            match item {
                syn::Item::Mod(module) => self.child(id, module, beside, dir),
                item if is_test(attributes(item)) => {}
                item => {
                    words.visit_item(item);
                    if let Some(name) = defined(item) {
                        let at = if exported(item) { self.root } else { id };
                        self.modules[at].names.entry(name).or_default().push(Named::Item(file));
                    }
                }
            }
        }
        let module = &mut self.modules[id];
        for (name, path) in words.imports {
            module.names.entry(name).or_default().push(Named::Import(path));
        }
        module.globs = words.globs;
        module.paths = words.paths;
        id
    }

    fn child(&mut self, id: ModuleId, module: &syn::ItemMod, beside: &Path, dir: &Path) {
        let name = module.ident.unraw().to_string();
        if is_test(&module.attrs) {
            if module.content.is_none() {
                self.test_file(&place(&module.attrs, &name, beside, dir).0);
            }
            return;
        }
        let child = match &module.content {
            Some((_, items)) => {
                let file = self.modules[id].file;
                self.module(file, Some(id), items, &dir.join(&name), &dir.join(&name))
            }
            None => {
                let (path, dir) = place(&module.attrs, &name, beside, dir);
                self.file(&path, Some(id), &dir)
            }
        };
        self.modules[id].names.entry(name).or_default().push(Named::Module(child));
    }

    /// Notes a file of tests, and those below it.
    fn test_file(&mut self, path: &Path) {
        self.tests.insert(path.strip_prefix(self.base).unwrap().to_owned());
        let parsed = syn::parse_file(&std::fs::read_to_string(path).unwrap()).unwrap();
        let stem = path.file_stem().unwrap();
        let beside = path.parent().unwrap();
        let dir = if stem == "mod" { beside.to_owned() } else { beside.join(stem) };
        for item in &parsed.items {
            if let syn::Item::Mod(module) = item
                && module.content.is_none()
            {
                let name = module.ident.unraw().to_string();
                self.test_file(&place(&module.attrs, &name, beside, &dir).0);
            }
        }
    }

    /// `pub use other_package as name` stands where `pub mod name` would: it is a module, not an import.
    fn name_packages(&mut self) {
        for module in &mut self.modules {
            for named in module.names.values_mut().flatten() {
                if let Named::Import(path) = named
                    && let [package] = &path[..]
                    && let Some(root) = self.packages.get(package)
                {
                    *named = Named::Module(*root);
                }
            }
        }
    }

    /// Adds the files that a path leads to, seen from a module. False if it leads out of these packages.
    fn resolve(
        &self,
        at: ModuleId,
        path: &[String],
        found: &mut BTreeSet<FileId>,
        seen: &mut HashSet<(ModuleId, Vec<String>)>,
    ) -> bool {
        if !seen.insert((at, path.to_vec())) {
            return false;
        }
        let (mut module, mut rest) = (at, path);
        while let [first, after @ ..] = rest {
            match first.as_str() {
                "crate" => module = self.modules[module].root,
                "self" => {}
                "super" => match self.modules[module].parent {
                    Some(parent) => module = parent,
                    None => return false,
                },
                _ => break,
            }
            rest = after;
        }
        // Only the first name of a path may be that of a package; one that the module itself gives goes before.
        if let [first, after @ ..] = rest
            && rest.len() == path.len()
            && !self.modules[module].names.contains_key(first)
            && let Some(root) = self.packages.get(first)
        {
            return self.descend(*root, after, found, seen);
        }
        self.descend(module, rest, found, seen)
    }

    fn descend(
        &self,
        module: ModuleId,
        path: &[String],
        found: &mut BTreeSet<FileId>,
        seen: &mut HashSet<(ModuleId, Vec<String>)>,
    ) -> bool {
        let Some((name, rest)) = path.split_first() else { return true };
        if name == "*" {
            found.insert(self.modules[module].file);
            return true;
        }
        let here = &self.modules[module];
        let mut known = false;
        for named in here.names.get(name).into_iter().flatten() {
            match named {
                Named::Module(child) => known |= self.descend(*child, rest, found, seen),
                // A function of a module's name is not what a longer path means.
                Named::Item(file) if rest.is_empty() || !here.names[name].iter().any(Named::is_module) => {
                    found.insert(*file);
                    known = true;
                }
                Named::Item(_) => {}
                // `use name::name`: of a package, or of the module beside it; never of itself.
                Named::Import(import) if import[0] == *name => {
                    let whole: Vec<_> = import[1..].iter().chain(rest).cloned().collect();
                    let beside = here.names[name].iter().find_map(Named::module);
                    if let Some(root) = beside.or_else(|| self.packages.get(name).copied()) {
                        known |= self.descend(root, &whole, found, seen);
                    }
                }
                Named::Import(import) => {
                    let whole: Vec<_> = import.iter().chain(rest).cloned().collect();
                    let mut behind = BTreeSet::new();
                    if self.resolve(module, &whole, &mut behind, seen) {
                        found.insert(here.file);
                        found.append(&mut behind);
                        known = true;
                    }
                }
            }
        }
        if known {
            return true;
        }
        for glob in &here.globs {
            let whole: Vec<_> = glob.iter().chain(path).cloned().collect();
            let mut behind = BTreeSet::new();
            if self.resolve(module, &whole, &mut behind, seen) && !behind.is_empty() {
                found.insert(here.file);
                found.append(&mut behind);
                return true;
            }
        }
        false
    }
}

/// Where a module's file is, and where its children are.
fn place(attributes: &[syn::Attribute], name: &str, beside: &Path, dir: &Path) -> (PathBuf, PathBuf) {
    let given = attributes.iter().find(|attribute| attribute.path().is_ident("path"));
    if let Some(attribute) = given
        && let syn::Meta::NameValue(pair) = &attribute.meta
        && let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(path), .. }) = &pair.value
    {
        let path = beside.join(path.value());
        let dir = path.parent().unwrap().to_owned();
        return (path, dir);
    }
    let (flat, folder) = (dir.join(format!("{name}.rs")), dir.join(name));
    if flat.exists() { (flat, folder) } else { (folder.join("mod.rs"), folder) }
}
