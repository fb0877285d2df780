//! A public name of the core stands in one place: at the root, or in one module for authors.

use std::collections::BTreeMap;
use std::path::Path;

use syn::{Item, UseTree, Visibility};

use super::{Findings, sources};

/// The directory of the files that export names.
const SOURCE: &str = "crates/auth-core/src";

/// The root, and the modules beside it.
const FILES: [&str; 4] = ["http.rs", "lib.rs", "provider.rs", "store.rs"];

pub(super) fn check(root: &Path) -> Result<Findings, String> {
    let mut exports = BTreeMap::<String, Vec<&str>>::new();
    for file in FILES {
        let path = root.join(SOURCE).join(file);
        for name in exported(&sources::read(&path)?)
            .map_err(|error| format!("{}: {error}", path.display()))?
        {
            exports.entry(name).or_default().push(file);
        }
    }
    exports.retain(|_, files| files.len() > 1);
    let findings = exports.iter().map(|(name, files)| {
        let files = files.join(" and ");
        format!("{SOURCE}: `{name}` is exported by {files}; choose one")
    });
    Ok(findings.collect())
}

/// The names that `pub use` exports.
fn exported(text: &str) -> syn::Result<Vec<String>> {
    let mut names = Vec::new();
    for item in syn::parse_file(text)?.items {
        if let Item::Use(item) = item
            && matches!(item.vis, Visibility::Public(_))
        {
            leaves(&item.tree, &mut names);
        }
    }
    Ok(names)
}

fn leaves(tree: &UseTree, names: &mut Vec<String>) {
    match tree {
        UseTree::Path(path) => leaves(&path.tree, names),
        UseTree::Name(name) => names.push(name.ident.to_string()),
        UseTree::Rename(rename) => names.push(rename.rename.to_string()),
        UseTree::Glob(_) => names.push("*".to_owned()),
        UseTree::Group(group) => group.items.iter().for_each(|tree| leaves(tree, names)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exported_name_is_found_and_no_other() {
        let text = "
            pub use a::{B, c::D as E};
            pub(crate) use f::G;
            use h::I;
        ";
        assert_eq!(exported(text).unwrap(), ["B", "E"]);
    }
}
