//! Where the settings of a tool are.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::Failure;
use crate::system::env;

/// The variable of the home directory.
pub(in crate::commands) const HOME: &str = if cfg!(windows) { "USERPROFILE" } else { "HOME" };

/// A file of the user.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::commands) struct Place {
    /// Below the home directory.
    path: String,
    macos: Option<String>,
    windows: Option<String>,
    /// A variable that names another directory, and the path below that.
    moved_by: Option<String>,
    moved: Option<String>,
    /// Another name of the file, if it exists and the first does not.
    or: Option<String>,
}

impl Place {
    /// The file, wherever the tool's variable moves it, and its other name.
    pub(in crate::commands) fn files(&self) -> Result<(PathBuf, Option<PathBuf>), Failure> {
        let of_system = self.of_system();
        let moved = match (&self.moved_by, &self.moved, of_system) {
            (Some(variable), Some(below), None) => {
                env::path(variable)?.map(|directory| directory.join(below))
            }
            _ => None,
        };
        let file = match moved {
            Some(file) => std::path::absolute(file).ok(),
            None => {
                let home = etcetera::home_dir().ok();
                home.map(|home| home.join(of_system.unwrap_or(&self.path)))
            }
        };
        let file = file.ok_or_else(|| Failure::Config {
            message: "cannot find a home directory for the settings".into(),
            advice: "set HOME to a directory".into(),
        })?;
        let other = self.or.as_ref().map(|name| file.with_file_name(name));
        Ok((file, other))
    }

    /// The path that only this system has.
    fn of_system(&self) -> Option<&String> {
        if cfg!(target_os = "macos") {
            self.macos.as_ref()
        } else if cfg!(windows) {
            self.windows.as_ref()
        } else {
            None
        }
    }

    /// The variable, and the directory in it, with which a file is this one.
    pub(in crate::commands) fn moved_to<'a>(
        &'a self,
        file: &'a Path,
    ) -> Option<(&'a str, &'a Path)> {
        let of_system = self.of_system();
        let (variable, below) = match (&self.moved_by, &self.moved, of_system) {
            (Some(variable), Some(below), None) => (variable.as_str(), below),
            _ => (HOME, of_system.unwrap_or(&self.path)),
        };
        let below = Path::new(below);
        let other = self.or.as_ref().map(|name| below.with_file_name(name));
        let is_it = file.ends_with(below) || other.is_some_and(|other| file.ends_with(other));
        let directory = file.ancestors().nth(below.components().count())?;
        (is_it && directory.is_absolute()).then_some((variable, directory))
    }

    /// The one that the tool reads.
    pub(in crate::commands) fn file(&self) -> Result<PathBuf, Failure> {
        let (file, other) = self.files()?;
        let is_other = |other: &PathBuf| other.exists() && !file.exists();
        Ok(other.filter(is_other).unwrap_or(file))
    }

    /// Whether both or neither of a variable and what is below its directory are named.
    #[cfg(test)]
    pub(in crate::commands) fn is_complete(&self) -> bool {
        self.moved_by.is_some() == self.moved.is_some()
    }
}
