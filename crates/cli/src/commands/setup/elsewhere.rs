//! Records of files that are not those of this call: the tool's settings were in another directory.

use std::path::{Path, PathBuf};

use super::recipes::{Recipe, Tool};
use super::record::Entry;
use crate::commands::tools::HOME;
use crate::error::Failure;
use crate::session::directories;
use crate::shell_quote::quoted;

/// A file that stays as it is.
#[derive(Debug)]
pub(super) struct Skipped {
    pub(super) file: PathBuf,
    /// The command that undoes it; `None` if it is no file of the tool.
    pub(super) command: Option<String>,
}

/// Whether a file is one of the tool, as the variables are now.
pub(super) fn is_of_call(tool: &Tool, file: &Path) -> Result<bool, Failure> {
    for recipe in recipes(tool) {
        let (first, other) = recipe.file.files()?;
        if first == file || other.is_some_and(|other| other == file) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What is to be said of an entry of another directory.
pub(super) fn skipped(
    tool: &Tool,
    entry: &Entry,
    provider: Option<&str>,
) -> Result<Skipped, Failure> {
    Ok(Skipped {
        file: entry.file.clone(),
        command: command(tool, &entry.file, provider)?,
    })
}

fn command(tool: &Tool, file: &Path, provider: Option<&str>) -> Result<Option<String>, Failure> {
    let moved = recipes(tool).find_map(|recipe| recipe.file.moved_to(file));
    let Some((variable, directory)) = moved else {
        return Ok(None);
    };
    let home = match directories::named_home() {
        Some(home) => Some(home.to_owned()),
        // That of another home directory has no record.
        None if variable == HOME => Some(directories::home()?),
        None => None,
    };
    let shown = |path: &Path| quoted(&path.to_string_lossy());
    let mut command = format!(
        "{variable}={} llm-auth setup {}",
        shown(directory),
        tool.name
    );
    if let Some(provider) = provider {
        command.push_str(&format!(" {provider}"));
    }
    command.push_str(" --undo");
    if let Some(home) = home {
        command.push_str(&format!(" --home {}", shown(&home)));
    }
    Ok(Some(command))
}

fn recipes(tool: &Tool) -> impl Iterator<Item = &Recipe> {
    tool.model.iter().chain(&tool.mcp)
}
