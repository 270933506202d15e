//! What a piece of code names: the names that its items give, and the paths that it spells out, wherever they stand.

use proc_macro2::{TokenStream, TokenTree};
use std::collections::BTreeSet;
use syn::ext::IdentExt as _;
use syn::visit::{self, Visit};

/// Whether something is there for tests alone.
pub fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::List(list) if list.path.is_ident("cfg") => {
            let said = list.tokens.to_string().replace(' ', "");
            said == "test" || said.starts_with("all(test,")
        }
        _ => false,
    })
}

/// Whether a macro is put at the root of its package.
pub fn exported(item: &syn::Item) -> bool {
    attributes(item).iter().any(|attribute| attribute.path().is_ident("macro_export"))
}

pub fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    use syn::Item;
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// The name that an item gives to something.
pub fn defined(item: &syn::Item) -> Option<String> {
    use syn::Item;
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(ident.unraw().to_string())
}

/// The paths that a piece of code spells out.
#[derive(Default)]
pub struct Words {
    pub paths: BTreeSet<Vec<String>>,
    pub imports: Vec<(String, Vec<String>)>,
    pub globs: Vec<Vec<String>>,
}

impl Words {
    fn import(&mut self, before: &[String], tree: &syn::UseTree) {
        let with = |name: &syn::Ident| -> Vec<String> {
            let name = name.unraw().to_string();
            before.iter().cloned().chain((name != "self" || before.is_empty()).then_some(name)).collect()
        };
        match tree {
            syn::UseTree::Path(path) => self.import(&with(&path.ident), &path.tree),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.import(before, tree)),
            syn::UseTree::Name(name) => {
                let path = with(&name.ident);
                if let Some(last) = path.last() {
                    self.imports.push((last.clone(), path.clone()));
                }
                self.paths.insert(path);
            }
            syn::UseTree::Rename(rename) => {
                let path = with(&rename.ident);
                self.imports.push((rename.rename.unraw().to_string(), path.clone()));
                self.paths.insert(path);
            }
            syn::UseTree::Glob(_) => {
                self.globs.push(before.to_vec());
                self.paths.insert(before.iter().cloned().chain(["*".to_owned()]).collect());
            }
        }
    }

    /// Paths in the words of a macro or an attribute.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        // Colons since the last name, and dots before it: after one it is a field or a method.
        let (mut colons, mut dots) = (0, 0);
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.end(&mut path);
                    }
                    if dots != 1 {
                        path.push(ident.unraw().to_string());
                    }
                    (colons, dots) = (0, 0);
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    self.end(&mut path);
                    colons = 0;
                    let dot = matches!(&other, TokenTree::Punct(punct) if punct.as_char() == '.');
                    dots = if dot { dots + 1 } else { 0 };
                    match other {
                        TokenTree::Group(group) => self.tokens(group.stream()),
                        TokenTree::Literal(literal) => self.literal(&literal.to_string()),
                        _ => {}
                    }
                }
            }
        }
        self.end(&mut path);
    }

    fn end(&mut self, path: &mut Vec<String>) {
        if !path.is_empty() {
            self.paths.insert(std::mem::take(path));
        }
    }

    /// A path in quotes, as `serde(with = "crate::somewhere")` has it. If that is a module, all of it is meant.
    fn literal(&mut self, text: &str) {
        let path = text.trim_matches('"');
        if path.contains("::") && path.chars().all(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            self.paths.insert(path.split("::").chain(["*"]).map(str::to_owned).collect());
        }
    }
}

impl<'ast> Visit<'ast> for Words {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_test(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if !is_test(&function.attrs) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    /// One inside a function is taken as if it stood at the head of the module.
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.import(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.paths.insert(path.segments.iter().map(|segment| segment.ident.unraw().to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        self.visit_path(&called.path);
        self.tokens(called.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if let syn::Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone());
        }
    }
}
