//! The packages for npm: one with the module, and one with the command for each platform.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::{Built, SOURCES, copied, emptied, skipped};
use crate::packages;
use crate::run::announced;

/// Each platform in the words of npm: the package, the system, the processor, the C library.
const PLATFORMS: [(&str, &str, &str, Option<&str>); 4] = [
    ("@llm-auth/cli-darwin-arm64", "darwin", "arm64", None),
    ("@llm-auth/cli-darwin-x64", "darwin", "x64", None),
    ("@llm-auth/cli-linux-arm64", "linux", "arm64", Some("glibc")),
    ("@llm-auth/cli-linux-x64", "linux", "x64", Some("glibc")),
];

/// What the tests need is installed in `node_modules`.
pub(super) struct Tools {
    modules: PathBuf,
}

impl Tools {
    pub(super) fn find(sources: &Path) -> Result<Option<Self>, String> {
        let modules = sources.join("tests/node/node_modules");
        // npm writes it last.
        match modules.join(".package-lock.json").exists() {
            true => Ok(Some(Self { modules })),
            false => skipped(
                "the packages for Node",
                &format!("what `npm ci --ignore-scripts` installs in {SOURCES}/tests/node"),
            ),
        }
    }

    pub(super) fn build_and_try(&self, built: &Built) -> Result<(), String> {
        let platform = staged(built)?;
        for package in [&platform, &built.sources.join("npm")] {
            let pack = ["pack", "--silent", "--pack-destination"];
            announced(Command::new("npm").args(pack).args([&built.out, package]))?;
        }
        let main = built.made(".tgz", &format!("llm-auth-cli-{}", built.version))?;
        let fresh = built.trial("node")?;
        let tests = built.sources.join("tests/node");
        for entry in fs::read_dir(&tests).map_err(|error| error.to_string())? {
            let file = entry.map_err(|error| error.to_string())?.path();
            if file.is_file() {
                copied(&file, &fresh.join(file.file_name().unwrap_or_default()))?;
            }
        }
        // The SDKs are installed once, not in each trial.
        announced(Command::new("cp").arg("-R").args([&self.modules, &fresh]))?;
        let install = ["install", "--offline", "--no-save", "--ignore-scripts"];
        let quiet = ["--no-audit", "--no-fund", "--loglevel=error"];
        let platform = built.made(".tgz", "llm-auth-cli-linux")?;
        announced(
            Command::new("npm")
                .current_dir(&fresh)
                .args(install)
                .args(quiet)
                .args([main, platform]),
        )?;
        built.tries(Command::new("node").current_dir(&fresh).arg("--test"))
    }
}

/// The directory of the package for this platform, with the command in it.
fn staged(built: &Built) -> Result<PathBuf, String> {
    let (os, cpu) = match (std::env::consts::OS, std::env::consts::ARCH) {
        ("macos", "aarch64") => ("darwin", "arm64"),
        ("macos", _) => ("darwin", "x64"),
        ("linux", "aarch64") => ("linux", "arm64"),
        _ => ("linux", "x64"),
    };
    let of_this = |(_, its_os, its_cpu, _): &&(_, _, _, _)| (*its_os, *its_cpu) == (os, cpu);
    let platform = PLATFORMS.iter().find(of_this);
    let (name, _, _, libc) = platform.ok_or("there is no package for this platform")?;
    let directory = built.trial("npm-platform")?;
    emptied(&directory.join("bin"))?;
    copied(&built.command, &directory.join("bin/llm-auth"))?;
    for license in ["LICENSE-APACHE", "LICENSE-MIT"] {
        copied(Path::new(license), &directory.join(license))?;
    }
    let main = manifest()?;
    let mut platform = json!({
        "name": name,
        "version": built.version,
        "description": format!("The command llm-auth for {os} on {cpu}; install llm-auth-cli"),
        "license": main["license"],
        "repository": main["repository"],
        "os": [os],
        "cpu": [cpu],
        "files": ["bin", "LICENSE-APACHE", "LICENSE-MIT"],
        "preferUnplugged": true,
    });
    if let Some(libc) = libc {
        platform["libc"] = json!([libc]);
    }
    let file = directory.join("package.json");
    fs::write(&file, format!("{platform:#}\n")).map_err(|error| error.to_string())?;
    Ok(directory)
}

/// Checks that `package.json` has the version of the workspace, and requires it of each platform.
pub(crate) fn check_versions() -> Result<(), String> {
    let expected = packages::version()?;
    wrong_version(&manifest()?, &expected).map_or(Ok(()), Err)
}

fn wrong_version(manifest: &Value, expected: &str) -> Option<String> {
    let dependencies = &manifest["optionalDependencies"];
    let names = PLATFORMS.iter().map(|(name, ..)| *name);
    let mut versions = names.map(|name| (name, &dependencies[name]));
    let all = std::iter::once(("version", &manifest["version"])).chain(&mut versions);
    let mut wrong = all.filter(|(_, version)| version.as_str() != Some(expected));
    let (name, version) = wrong.next()?;
    Some(format!(
        "{SOURCES}/npm/package.json: {name} is {version}, not {expected}"
    ))
}

fn manifest() -> Result<Value, String> {
    let file = Path::new(SOURCES).join("npm/package.json");
    let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_of_another_version_is_found() {
        let mut manifest = json!({"version": "1.2.3", "optionalDependencies": {}});
        for (name, ..) in PLATFORMS {
            manifest["optionalDependencies"][name] = json!("1.2.3");
        }
        assert_eq!(wrong_version(&manifest, "1.2.3"), None);
        manifest["optionalDependencies"]["@llm-auth/cli-linux-x64"] = json!("1.2.2");
        let found = wrong_version(&manifest, "1.2.3").unwrap();
        assert!(found.contains("cli-linux-x64"), "{found}");
    }
}
