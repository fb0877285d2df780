//! Each recipe of `docs/tools/README.md`, with the real program from its registry, against the
//! simulated providers.

mod install;
mod recipe;
mod simulated;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::packages;
use crate::run::cargo;

use install::Installed;
use recipe::Recipe;
use simulated::Simulated;

/// Where the recipes are: a shell script for each, and `tools.json`.
const RECIPES: &str = "crates/cli/tests/tools";

/// The longest time for one recipe, in seconds. `timeout` ends the program and its children.
const LIMIT: &str = "240";

/// What `cargo xtask test-all` runs: no registry is asked, and the tools are there for its other tests.
const QUICK: [&str; 2] = ["curl", "openai-python"];

/// What all recipes share.
struct Bench {
    recipes: PathBuf,
    /// Where `llm-auth` and `llm-auth-testkit` are.
    binaries: PathBuf,
    /// Where tools are installed, and where the homes are.
    out: PathBuf,
    /// How many clients come at once.
    clients: &'static str,
}

/// Runs the named recipes, or all. `--binaries DIRECTORY` takes the command from there instead of
/// building it.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let (names, binaries) = read(arguments)?;
    let recipes = recipe::all(Path::new(RECIPES))?;
    let known = |name: &String| recipes.iter().any(|recipe| recipe.name == *name);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        return Err(format!("no recipe {unknown:?} in {RECIPES}/tools.json"));
    }
    let is_chosen = |recipe: &&Recipe| names.is_empty() || names.contains(&recipe.name);
    let chosen = recipes.iter().filter(is_chosen);
    let bench = Bench::new(binaries, "200")?;
    let skipped = bench.try_all(chosen, true)?;
    if !skipped.is_empty() {
        println!("\nSKIPPED, not tried: {}", skipped.join(", "));
    }
    Ok(())
}

/// Runs those that need little time; with `CI` set, one that is left out is an error.
pub(crate) fn quick() -> Result<(), String> {
    let recipes = recipe::all(Path::new(RECIPES))?;
    let is_quick = |recipe: &&Recipe| QUICK.contains(&recipe.name.as_str());
    packages::build_all()?;
    let bench = Bench::new(Some(built()?), "20")?;
    let skipped = bench.try_all(recipes.iter().filter(is_quick), false)?;
    if skipped.is_empty() || std::env::var_os("CI").is_none() {
        return Ok(());
    }
    Err(format!("skipped: {}", skipped.join(", ")))
}

/// The names, and the directory of `--binaries`.
fn read(arguments: &[String]) -> Result<(Vec<String>, Option<PathBuf>), String> {
    let (mut names, mut binaries) = (Vec::new(), None);
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--binaries" => {
                let directory = words.next().ok_or("--binaries needs a directory")?;
                binaries = Some(PathBuf::from(directory));
            }
            flag if flag.starts_with('-') => return Err(format!("no flag {flag}")),
            name => names.push(name.to_owned()),
        }
    }
    Ok((names, binaries))
}

impl Bench {
    fn new(binaries: Option<PathBuf>, clients: &'static str) -> Result<Self, String> {
        let binaries = match binaries {
            Some(directory) => absolute(&directory)?,
            None => {
                let build = ["build", "-p", "llm-auth-cli", "-p", "llm-auth-testkit"];
                cargo(&build, &[])?;
                built()?
            }
        };
        Ok(Self {
            recipes: absolute(Path::new(RECIPES))?,
            binaries,
            out: target()?.join("tools"),
            clients,
        })
    }

    /// Returns which were skipped; an error names those that failed.
    fn try_all<'a>(
        &self,
        recipes: impl Iterator<Item = &'a Recipe>,
        may_install: bool,
    ) -> Result<Vec<&'a str>, String> {
        let (mut skipped, mut failed) = (Vec::new(), Vec::new());
        for recipe in recipes {
            println!("\n=== {recipe}");
            match install::find(recipe, &self.out, may_install) {
                Err(why) => {
                    println!("SKIPPED: {}: {why}", recipe.name);
                    skipped.push(recipe.name.as_str());
                }
                Ok(tool) => match self.tries(recipe, &tool) {
                    Ok(()) => println!("=== {} works", recipe.name),
                    Err(why) => {
                        println!("=== {} FAILED: {why}", recipe.name);
                        failed.push(recipe.name.as_str());
                    }
                },
            }
        }
        match failed.is_empty() {
            true => Ok(skipped),
            false => Err(format!("failed: {}", failed.join(", "))),
        }
    }

    /// A server and a home of its own; only what is set here is in the environment.
    fn tries(&self, recipe: &Recipe, tool: &Installed) -> Result<(), String> {
        let home = self.out.join("home").join(&recipe.name);
        emptied(&home)?;
        let kit = Simulated::start(&self.binaries.join("llm-auth-testkit"))?;
        let path = std::env::var("PATH").unwrap_or_default();
        let own = tool.programs.iter().chain([&self.binaries]);
        let own = own.map(|directory| directory.display().to_string());
        let path: Vec<_> = own.chain([path]).collect();
        let mut command = Command::new("timeout");
        command
            .args(["--kill-after=5", LIMIT, "bash"])
            .arg(self.recipes.join(format!("{}.sh", recipe.name)))
            .current_dir(&home)
            .stdin(std::process::Stdio::null())
            .env_clear()
            .env("PATH", path.join(":"))
            .env("HOME", &home)
            .env("LLM_AUTH_HOME", home.join("llm-auth"))
            .env("LANG", "C.UTF-8")
            .env("NO_PROXY", "127.0.0.1,localhost")
            .env("CLIENTS", self.clients)
            .env("RECIPES", &self.recipes)
            .env("TOOL", &tool.directory)
            .env("TESTKIT", &kit.url)
            .envs(kit.environment()?);
        let status = command.status().map_err(|error| error.to_string())?;
        if !status.success() {
            return Err(format!("the script: {status}; see {}", home.display()));
        }
        recipe.judge(&kit.state()?)
    }
}

fn target() -> Result<PathBuf, String> {
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_unset| "target".into());
    absolute(Path::new(&target))
}

/// Where the programs are that a build without `--release` makes.
fn built() -> Result<PathBuf, String> {
    Ok(target()?.join("debug"))
}

fn absolute(path: &Path) -> Result<PathBuf, String> {
    std::path::absolute(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn emptied(directory: &Path) -> Result<(), String> {
    let _not_there = fs::remove_dir_all(directory);
    fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))
}
