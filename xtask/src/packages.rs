//! The packages of this workspace, as their manifests have them.

use serde_json::Value;

use crate::run::{cargo, cargo_output};

/// The TLS back ends, and the default that chooses one: features that no set is made of here.
const BACK_ENDS: [&str; 3] = ["aws-lc-rs", "default", "ring"];

/// The package that has a feature for each provider.
pub(crate) const UMBRELLA: &str = "llm-auth";

pub(crate) struct Package {
    pub(crate) name: String,
    /// Whether a registry is to have it: examples and checks are not built by themselves elsewhere.
    pub(crate) is_published: bool,
    features: Vec<String>,
}

/// The version of the command, which all packages of the workspace have.
pub(crate) fn version() -> Result<String, String> {
    let url = cargo_output(&["pkgid", "-p", "llm-auth-cli"])?;
    let version = url.trim_end().rsplit(['@', '#']).next();
    Ok(version.unwrap_or_default().to_owned())
}

/// All packages of the workspace, in the order of their names.
pub(crate) fn all() -> Result<Vec<Package>, String> {
    let text = cargo_output(&["metadata", "--no-deps", "--format-version", "1"])?;
    let metadata: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let packages = metadata["packages"].as_array();
    let packages = packages.ok_or("cargo metadata shows no packages")?;
    let mut packages: Vec<Package> = packages.iter().map(Package::read).collect();
    packages.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(packages)
}

/// Builds all tests with all features, and the programs beside them: what `cargo xtask test-all` runs.
pub(crate) fn build_all() -> Result<(), String> {
    let flags = together(&all()?);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    cargo(&[&["test", "--no-run"], &*flags].concat(), &[])
}

/// The flags for all packages at once, each with all features but for the back ends.
pub(crate) fn together(packages: &[Package]) -> [String; 3] {
    let features = packages.iter().flat_map(Package::qualified);
    let features: Vec<_> = features.collect();
    ["--workspace", "--features", &features.join(",")].map(str::to_owned)
}

impl Package {
    /// Its features, as a call for several packages names them.
    fn qualified(&self) -> impl Iterator<Item = String> {
        let own = self.features.iter();
        let own = own.filter(|feature| !BACK_ENDS.contains(&feature.as_str()));
        own.map(|feature| format!("{}/{feature}", self.name))
    }

    fn read(package: &Value) -> Self {
        let features = package["features"].as_object().into_iter().flatten();
        Self {
            name: package["name"].as_str().unwrap_or_default().to_owned(),
            // An empty list of registries.
            is_published: package["publish"].is_null(),
            features: features.map(|(name, _)| name.clone()).collect(),
        }
    }

    /// Whether it compiles without any of its features, so without a TLS back end of its own too.
    pub(crate) fn has_back_ends(&self) -> bool {
        self.features.iter().any(|feature| feature == "aws-lc-rs")
    }

    /// The sets of features that it is documented with: of the umbrella, none and all.
    pub(crate) fn extremes(&self) -> Vec<String> {
        let mut sets = self.sets();
        if self.name == UMBRELLA {
            sets.retain(|set| set.is_empty() || set == "full");
        }
        sets
    }

    /// The sets of features that it is linted with: all that docs.rs shows,
    /// but for the back ends; for the umbrella none, each provider's and all.
    pub(crate) fn sets(&self) -> Vec<String> {
        let own = self.features.iter();
        let own = own.filter(|feature| !BACK_ENDS.contains(&feature.as_str()));
        let own: Vec<_> = own.cloned().collect();
        if self.name != UMBRELLA {
            return vec![own.join(",")];
        }
        std::iter::once(String::new()).chain(own).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_umbrella_is_tried_with_each_provider_and_the_others_with_what_docs_rs_shows() {
        let package = |name: &str, features: &[&str]| Package {
            name: name.into(),
            is_published: true,
            features: features.iter().map(|name| (*name).into()).collect(),
        };
        let umbrella = package(
            "llm-auth",
            &["aws-lc-rs", "default", "full", "qwen", "ring"],
        );
        assert_eq!(umbrella.sets(), ["", "full", "qwen"]);
        assert_eq!(umbrella.extremes(), ["", "full"]);
        assert!(umbrella.has_back_ends());
        let core = package("llm-auth-core", &["default", "loopback", "ring"]);
        assert_eq!(core.sets(), ["loopback"]);
        assert_eq!(
            together(&[core, package("xtask", &[])]),
            ["--workspace", "--features", "llm-auth-core/loopback"]
        );
        assert!(!package("xtask", &[]).has_back_ends());
        assert_eq!(package("xtask", &[]).sets(), [""]);
    }
}
