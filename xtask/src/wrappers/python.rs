//! The wheel: the command, and a module that calls it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Built, skipped};
use crate::run::announced;

/// What a Python of its own has installed: maturin, and the SDKs of the tests.
pub(super) struct Tools {
    environment: PathBuf,
}

impl Tools {
    pub(super) fn find(sources: &Path) -> Result<Option<Self>, String> {
        let environment = sources.join("tests/python/.venv");
        match environment.join(".installed").exists() {
            true => Ok(Some(Self { environment })),
            false => skipped("the package for Python", "its environment with maturin"),
        }
    }

    pub(super) fn build_and_try(&self, built: &Built) -> Result<(), String> {
        let package = built.sources.join("python");
        announced(
            Command::new(self.environment.join("bin/maturin"))
                .current_dir(&package)
                .args(["build", "--profile", built.profile, "--out"])
                .arg(&built.out),
        )?;
        let wheel = built.made(".whl", "llm_auth_cli-")?;
        let fresh = built.trial("python")?;
        let python = self.environment.join("bin/python");
        announced(Command::new(python).args(["-m", "venv"]).arg(&fresh))?;
        let pip = ["-m", "pip", "install", "--quiet", "--no-index"];
        let python = fresh.join("bin/python");
        announced(Command::new(&python).args(pip).arg(wheel))?;
        self.lend_sdks(&fresh)?;
        let tests = built.sources.join("tests/python");
        built.tries(
            Command::new(&python)
                .current_dir(tests)
                .env("PYTHONDONTWRITEBYTECODE", "1")
                .args(["-W", "error::SyntaxWarning", "-m", "unittest", "discover"]),
        )
    }

    /// The SDKs are installed once, not in each trial.
    fn lend_sdks(&self, fresh: &Path) -> Result<(), String> {
        let from = site_packages(&self.environment)?;
        let to = site_packages(fresh)?.join("sdks.pth");
        fs::write(&to, format!("{}\n", from.display()))
            .map_err(|error| format!("{}: {error}", to.display()))
    }
}

fn site_packages(environment: &Path) -> Result<PathBuf, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", environment.display());
    let mut versions = fs::read_dir(environment.join("lib")).map_err(failed)?;
    let version = versions.next().ok_or("the environment has no lib")?;
    Ok(version.map_err(failed)?.path().join("site-packages"))
}
