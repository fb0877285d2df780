//! Records of files that are not those of this call: the tool's settings were in another directory.

use std::path::{Path, PathBuf};

use super::plan::Plan;
use super::recipes::{Recipe, Tool};
use super::record::Entry;
use crate::commands::tools::HOME;
use crate::error::Failure;
use crate::session::directories;
use crate::shell_quote::quoted;
use crate::system::env;

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
    let moved = Some((variable, directory));
    Ok(Some(line(tool, moved, provider, home.as_deref())))
}

/// The command that takes back what this call has written, also in a shell without the variable that
/// moves the settings.
pub(super) fn undo_line(plan: &Plan) -> String {
    let moved = plan.recipe.file.moved_to(&plan.file);
    let moved = moved.filter(|(variable, _)| *variable != HOME && env::value(variable).is_some());
    let provider = Some(plan.provider.name());
    // The record of what was written is there.
    line(plan.tool, moved, provider, directories::named_home())
}

fn line(
    tool: &Tool,
    moved: Option<(&str, &Path)>,
    provider: Option<&str>,
    home: Option<&Path>,
) -> String {
    let shown = |path: &Path| quoted(&path.to_string_lossy());
    let mut command = String::new();
    if let Some((variable, directory)) = moved {
        command.push_str(&format!("{variable}={} ", shown(directory)));
    }
    command.push_str(&format!("llm-auth setup {}", tool.name));
    if let Some(provider) = provider {
        command.push_str(&format!(" {provider}"));
    }
    command.push_str(" --undo");
    if let Some(home) = home {
        command.push_str(&format!(" --home {}", shown(home)));
    }
    command
}

fn recipes(tool: &Tool) -> impl Iterator<Item = &Recipe> {
    tool.model.iter().chain(&tool.mcp)
}
