//! The tools, from their registries, in directories of their own that later runs use again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::emptied;
use super::recipe::Recipe;

/// The longest time for one registry, in seconds.
const LIMIT: &str = "400";

/// The environment of `cargo xtask packages`.
const PACKAGES: &str = "crates/cli/packages/tests/python/.venv";

/// Where a tool is.
pub(super) struct Installed {
    pub(super) directory: PathBuf,
    /// For `PATH`.
    pub(super) programs: Vec<PathBuf>,
}

/// Installs what is not there yet, if it may; an error says what is missing.
pub(super) fn find(recipe: &Recipe, out: &Path, may_install: bool) -> Result<Installed, String> {
    let registries = [("npm", &recipe.npm), ("python3", &recipe.pip)];
    let registries = registries.iter().filter(|(_, list)| !list.is_empty());
    let needs = recipe.needs.iter().map(String::as_str);
    let always = ["bash", "curl", "python3", "timeout"].into_iter();
    let missing = |program: &&str| !is_there(program);
    let mut all = always.chain(needs).chain(registries.map(|(name, _)| *name));
    if let Some(missing) = all.find(missing) {
        return Err(format!("{missing} is not installed"));
    }
    let directory = out.join("installed").join(&recipe.name);
    if let Some(lent) = lent(recipe) {
        let programs = vec![lent];
        return Ok(Installed {
            directory,
            programs,
        });
    }
    let marker = directory.join(".installed");
    let wanted = format!("{recipe}\n");
    if !fs::read_to_string(&marker).is_ok_and(|text| text == wanted) {
        let is_from_registry = !recipe.npm.is_empty() || !recipe.pip.is_empty();
        if is_from_registry && !may_install {
            return Err("it is not installed (.ci/run installs it)".to_owned());
        }
        emptied(&directory)?;
        from_npm(&recipe.npm, &directory)?;
        from_pypi(&recipe.pip, &directory)?;
        fs::write(&marker, wanted).map_err(|error| error.to_string())?;
    }
    let programs = vec![
        directory.join("node_modules/.bin"),
        directory.join("python/bin"),
    ];
    Ok(Installed {
        directory,
        programs,
    })
}

/// The programs of the environment for the tests of our packages, if it has all that is wanted.
fn lent(recipe: &Recipe) -> Option<PathBuf> {
    let environment = std::path::absolute(PACKAGES).ok()?;
    let installed = fs::read_to_string(environment.join(".installed")).ok()?;
    let is_there = |package: &String| installed.lines().any(|line| line == package);
    let has_all = !recipe.pip.is_empty() && recipe.npm.is_empty();
    (has_all && recipe.pip.iter().all(is_there)).then(|| environment.join("bin"))
}

/// With scripts: Claude Code's puts its program in place.
fn from_npm(packages: &[String], directory: &Path) -> Result<(), String> {
    if packages.is_empty() {
        return Ok(());
    }
    fs::write(directory.join("package.json"), "{\"private\":true}\n")
        .map_err(|error| error.to_string())?;
    let install = [
        "npm",
        "install",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
    ];
    quiet(limited(&install).current_dir(directory).args(packages))
}

fn from_pypi(packages: &[String], directory: &Path) -> Result<(), String> {
    if packages.is_empty() {
        return Ok(());
    }
    let environment = directory.join("python");
    quiet(limited(&["python3", "-m", "venv"]).arg(&environment))?;
    let python = environment.join("bin/python").display().to_string();
    let install = [&python, "-m", "pip", "install", "--quiet"];
    quiet(limited(&install).args(packages))
}

fn limited(words: &[&str]) -> Command {
    let mut command = Command::new("timeout");
    command.arg(LIMIT).args(words);
    command
}

fn quiet(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let printed = String::from_utf8_lossy(&output.stderr);
    let last = printed.lines().next_back().unwrap_or_default();
    Err(format!("{command:?}: {}: {last}", output.status))
}

fn is_there(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
}
