//! The imports between the files of a crate, read from their syntax; tests may use anything.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::Visit;

use super::sources;

/// The path of a module below the root of its crate; empty for the root itself.
pub(super) type Module = Vec<String>;

/// For every module that has a file, the modules with files that it uses.
pub(super) type Graph = BTreeMap<Module, BTreeSet<Module>>;

/// Reads all files below `src`, whose root is `lib.rs` or `main.rs`.
pub(super) fn graph(src: &Path) -> Result<Graph, String> {
    let mut files = BTreeMap::new();
    for file in sources::rust_below(src)? {
        if let Some(module) = module_of(src, &file) {
            files.insert(module, file);
        }
    }
    let known: BTreeSet<Module> = files.keys().cloned().collect();
    let mut graph = Graph::new();
    for (module, file) in files {
        let text = sources::read(&file)?;
        let syntax =
            syn::parse_file(&text).map_err(|error| format!("{}: {error}", file.display()))?;
        let mut uses = Uses {
            at: module.clone(),
            known: &known,
            found: BTreeSet::new(),
        };
        uses.visit_file(&syntax);
        uses.found.remove(&module);
        graph.insert(module, uses.found);
    }
    Ok(graph)
}

/// Programs other than the main one are crates of their own.
fn module_of(src: &Path, file: &Path) -> Option<Module> {
    let path: PathBuf = file.strip_prefix(src).ok()?.with_extension("");
    let module: Module = path
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    match module.first().map(String::as_str) {
        Some("bin") => None,
        Some("lib" | "main") if module.len() == 1 => Some(Module::new()),
        _ => Some(module),
    }
}

struct Uses<'a> {
    /// The current module, with the modules inside its file.
    at: Module,
    known: &'a BTreeSet<Module>,
    found: BTreeSet<Module>,
}

impl Uses<'_> {
    /// Records the file that such a path leads to, if it is one of this crate.
    fn note(&mut self, path: &[String]) {
        let Some(mut full) = self.absolute(path) else {
            return;
        };
        while !self.known.contains(&full) {
            // The root is always known.
            full.pop();
        }
        // A declaration of the root is found by name, and belongs to no top-level module.
        if !full.is_empty() {
            self.found.insert(full);
        }
    }

    fn absolute(&self, path: &[String]) -> Option<Module> {
        let mut base = self.at.clone();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => {
                base.clear();
                rest = &path[1..];
            }
            "self" => rest = &path[1..],
            "super" => {
                while let Some((first, others)) = rest.split_first()
                    && first == "super"
                {
                    base.pop();
                    rest = others;
                }
            }
            // A module declared here, or a name from elsewhere.
            child => {
                let mut module = base.clone();
                module.push(child.to_owned());
                self.known.contains(&module).then_some(())?;
            }
        }
        base.extend(rest.iter().cloned());
        Some(base)
    }

    fn note_tree(&mut self, tree: &syn::UseTree, before: &mut Vec<String>) {
        match tree {
            syn::UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.note_tree(&path.tree, before);
                before.pop();
            }
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.note_tree(tree, before);
                }
            }
            syn::UseTree::Name(name) => self.note_end(before, &name.ident.to_string()),
            syn::UseTree::Rename(name) => self.note_end(before, &name.ident.to_string()),
            syn::UseTree::Glob(_) => self.note(before),
        }
    }

    fn note_end(&mut self, before: &[String], last: &str) {
        let mut path = before.to_vec();
        if last != "self" {
            path.push(last.to_owned());
        }
        self.note(&path);
    }

    /// Paths in the arguments of a macro, which the syntax does not show.
    fn note_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Ident(ident) if colons == 2 && !path.is_empty() => {
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Ident(ident) => {
                    self.note_long(&path);
                    path = vec![ident.to_string()];
                    colons = 0;
                }
                other => {
                    self.note_long(&path);
                    path.clear();
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.note_tokens(group.stream());
                    }
                }
            }
        }
        self.note_long(&path);
    }

    fn note_long(&mut self, path: &[String]) {
        if path.len() > 1 {
            self.note(path);
        }
    }
}

impl<'ast> Visit<'ast> for Uses<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if is_for_tests(&module.attrs) {
            return;
        }
        self.at.push(module.ident.to_string());
        syn::visit::visit_item_mod(self, module);
        self.at.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !is_for_tests(&item.attrs) {
            self.note_tree(&item.tree, &mut Vec::new());
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names = path.segments.iter().map(|part| part.ident.to_string());
        let names: Vec<String> = names.collect();
        self.note_long(&names);
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        self.note_tokens(called.tokens.clone());
    }

    /// A visibility names a module that may access the item, not an import.
    fn visit_visibility(&mut self, _visibility: &'ast syn::Visibility) {}
}

fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::List(list) => {
            list.path.is_ident("cfg")
                && list
                    .tokens
                    .to_string()
                    .split(' ')
                    .any(|word| word == "test")
        }
        _ => false,
    })
}
