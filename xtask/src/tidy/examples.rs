//! Public functions show in their documentation how they are called.
//!
//! The lint `unreachable_pub` makes this simple: a function that says `pub` is public.

use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Attribute, Expr, ImplItemFn, ItemFn, ItemMod, Lit, Meta, Visibility};

use super::sources;

/// The source whose public functions count.
const SOURCE: &str = "crates/auth-core/src";

/// The public functions, and those of them without an example, by path and name.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Examples {
    all: usize,
    pub(super) missing: Vec<String>,
}

pub(super) fn count(root: &Path) -> Result<Examples, String> {
    let mut found = Examples::default();
    for file in sources::rust_below(&root.join(SOURCE))? {
        found.read(&file.display().to_string(), &sources::read(&file)?)?;
    }
    Ok(found)
}

impl Examples {
    /// The share of the functions with an example, in whole percent.
    pub(super) fn percent(&self) -> usize {
        (100 * (self.all - self.missing.len()))
            .checked_div(self.all)
            .unwrap_or(100)
    }

    fn read(&mut self, file: &str, text: &str) -> Result<(), String> {
        let syntax = syn::parse_file(text).map_err(|error| format!("{file}: {error}"))?;
        let functions = &mut Functions { file, found: self };
        functions.visit_file(&syntax);
        Ok(())
    }
}

struct Functions<'a> {
    file: &'a str,
    found: &'a mut Examples,
}

impl Functions<'_> {
    fn take(&mut self, visibility: &Visibility, name: &syn::Ident, attributes: &[Attribute]) {
        if !matches!(visibility, Visibility::Public(_)) {
            return;
        }
        self.found.all += 1;
        if !attributes.iter().any(begins_examples) {
            self.found.missing.push(format!("{}: {name}", self.file));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.take(&function.vis, &function.sig.ident, &function.attrs);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        self.take(&function.vis, &function.sig.ident, &function.attrs);
    }

    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if module.ident != "tests" {
            visit::visit_item_mod(self, module);
        }
    }
}

/// Whether it is the heading of the examples.
fn begins_examples(attribute: &Attribute) -> bool {
    let Meta::NameValue(pair) = &attribute.meta else {
        return false;
    };
    let Expr::Lit(value) = &pair.value else {
        return false;
    };
    let Lit::Str(text) = &value.lit else {
        return false;
    };
    pair.path.is_ident("doc") && text.value().trim() == "# Examples"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_functions_count_and_only_a_heading_is_an_example() {
        let text = r"
            /// # Examples
            pub fn shown() {}
            /// Without examples.
            pub fn bare() {}
            pub(crate) fn hidden() {}
            impl A {
                /// Has one.
                ///
                /// # Examples
                #[must_use]
                pub const fn method() {}
                fn own() {}
            }
            mod tests {
                pub fn helper() {}
            }
        ";
        let mut found = Examples::default();
        found.read("a.rs", text).unwrap();
        assert_eq!(found.all, 3);
        assert_eq!(found.missing, ["a.rs: bare"]);
        assert_eq!(found.percent(), 66);
    }
}
