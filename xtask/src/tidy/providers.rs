//! Provider crates: each has the same files, and is named everywhere that it has to be.

use std::fs;
use std::path::Path;

use super::{Findings, sources};

/// The files of each provider crate, below its directory.
const FILES: [&str; 6] = [
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "src/lib.rs",
    "tests/it/main.rs",
];

/// Names of source files that have another name in all provider crates, and that name.
const NAMES: [(&str, &str); 5] = [
    ("endpoints.rs", "config.rs"),
    ("errors.rs", "responses.rs"),
    ("provider.rs", "lib.rs"),
    ("spec.rs", "lib.rs"),
    ("wire.rs", "responses.rs"),
];

/// The files that name each provider, and how.
const MENTIONS: [(&str, &str); 9] = [
    ("Cargo.toml", "llm-auth-NAME = { path = \"crates/NAME\""),
    ("README.md", "docs/providers/NAME.md"),
    ("crates/cli/src/providers/table.rs", "name: \"NAME\""),
    ("crates/cli/src/providers/table.rs", "&UPPER"),
    (
        "crates/llm-auth/Cargo.toml",
        "NAME = [\"dep:llm-auth-NAME\"]",
    ),
    ("crates/llm-auth/Cargo.toml", "\"llm-auth-NAME?/ring\""),
    ("crates/llm-auth/Cargo.toml", "\"llm-auth-NAME?/aws-lc-rs\""),
    (
        "crates/llm-auth/src/lib.rs",
        "pub use llm_auth_NAME as NAME;",
    ),
    (WIRE_CASES, "\"vendor\": \"NAME\""),
];

/// The responses that providers have been seen to send, one on a line.
const WIRE_CASES: &str = "crates/testkit/wire-cases.jsonl";

/// How a provider's source names the path of its redirect URI, which is no other provider's (RFC
/// 8252 section 8.10).
const CALLBACK: &str = "CodeFlow::new(\"";

pub(super) fn check(root: &Path) -> Result<Findings, String> {
    let mut findings = Findings::new();
    let mut callbacks: Vec<(String, String)> = Vec::new();
    let table = sources::read(&root.join(WIRE_CASES))?;
    for name in names(root)? {
        let paths = callback_paths(&root.join("crates").join(&name))?;
        if !paths.is_empty() && !has_callback(&table, &name) {
            findings.push(format!(
                "{WIRE_CASES}: {name} signs in in the browser; add a line of the step `callback`"
            ));
        }
        for path in paths {
            if let Some((_, other)) = callbacks.iter().find(|(known, _)| *known == path) {
                findings.push(format!(
                    "crates/{name}: the callback path {path} is that of {other}; choose another"
                ));
            }
            callbacks.push((path, name.clone()));
        }
        let directory = root.join("crates").join(&name);
        for file in FILES {
            if !directory.join(file).is_file() {
                findings.push(format!("crates/{name}/{file}: there is none; write one"));
            }
        }
        for (other, usual) in NAMES {
            if directory.join("src").join(other).exists() {
                findings.push(format!("crates/{name}/src/{other}: name it {usual}"));
            }
        }
        let page = format!("docs/providers/{name}.md");
        if !root.join(&page).is_file() {
            findings.push(format!(
                "{page}: there is none; write the facts of the provider"
            ));
        }
        for (file, mention) in MENTIONS {
            let mention = mention
                .replace("NAME", &name)
                .replace("UPPER", &name.to_ascii_uppercase());
            if !sources::read(&root.join(file))?.contains(&mention) {
                findings.push(format!("{file}: `{mention}` is missing"));
            }
        }
    }
    Ok(findings)
}

/// Whether the table has the response of this provider's page, which the simulated server would not
/// know better than the configuration.
fn has_callback(table: &str, name: &str) -> bool {
    let begin = format!("{{\"vendor\": \"{name}\", \"step\": \"callback\"");
    table.lines().any(|line| line.starts_with(&begin))
}

/// The paths of the redirect URIs in the source of a crate.
fn callback_paths(directory: &Path) -> Result<Vec<String>, String> {
    let mut paths = Vec::new();
    for file in sources::rust_below(&directory.join("src"))? {
        let text = sources::read(&file)?;
        let after = text.split(CALLBACK).skip(1);
        paths.extend(after.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
    }
    Ok(paths)
}

/// The crates that hold a provider.
fn names(root: &Path) -> Result<Vec<String>, String> {
    let failed = |error: std::io::Error| format!("cannot read crates: {error}");
    let mut names = Vec::new();
    for entry in fs::read_dir(root.join("crates")).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let library = fs::read_to_string(entry.path().join("src/lib.rs")).unwrap_or_default();
        if library.contains("\nimpl ProviderSpec for ") {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_provider_crates_are_found_and_the_core_is_none() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let names = names(&root).unwrap();
        assert!(names.contains(&"qwen".to_owned()), "{names:?}");
        assert!(!names.contains(&"auth-core".to_owned()), "{names:?}");
    }

    #[test]
    fn the_callback_of_another_provider_or_another_step_is_not_enough() {
        let line = |name, step| format!("{{\"vendor\": \"{name}\", \"step\": \"{step}\", ..}}\n");
        let table = line("acme", "poll") + &line("other", "callback");
        assert!(!has_callback(&table, "acme"));
        assert!(has_callback(&table, "other"));
    }
}
