//! What would be left after an undo, with which the tool does not work: a member that was added to
//! what `setup` wrote, or one that names it.

use serde_json::Value;

use super::document::at;
use super::recipes::Tool;
use super::record::Entry;
use crate::error::Failure;

/// Checks that nothing would be left of the settings of these providers, and nothing that names
/// them, but what the original has too.
pub(super) fn check(
    tool: &Tool,
    entry: &Entry,
    original: &Value,
    without: &Value,
    is_meant: &dyn Fn(&str) -> bool,
) -> Result<(), Failure> {
    let mut left: Vec<Vec<String>> = Vec::new();
    for ours in entry.leaves.iter().filter(|ours| is_meant(&ours.provider)) {
        // The object that has the name of the provider was made by `setup` as a whole.
        let Some(depth) = ours.path.iter().position(|name| *name == ours.provider) else {
            continue;
        };
        let Some(unit) = ours.path.get(..=depth) else {
            continue;
        };
        if at(original, unit).is_some() {
            continue;
        }
        match at(without, unit) {
            Some(found) => leaves(found, &mut unit.to_vec(), &mut left),
            // Those of an MCP server are named by no default.
            None if is_of_model(tool, entry, &ours.path) => {
                left.extend(named_by(tool, &ours.provider, original, without));
            }
            None => {}
        }
    }
    left.sort();
    left.dedup();
    if left.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = left.iter().map(|path| path.join(".")).collect();
    let (names, file) = (names.join(", "), entry.file.display());
    let them = if left.len() == 1 { "it" } else { "them" };
    Err(Failure::Config {
        message: format!(
            "{file} also has {names}, with which {} does not work once the settings are taken out; \
             nothing was taken out",
            tool.title
        ),
        advice: format!("remove {names} from {file}, or change {them}; then run it again"),
    })
}

/// Whether a setting is one for the API of a provider.
fn is_of_model(tool: &Tool, entry: &Entry, path: &[String]) -> bool {
    let recipe = tool.model.as_ref();
    recipe.is_some_and(|recipe| recipe.format == entry.format && recipe.begins(path))
}

/// The members that name a provider whose settings are gone.
fn named_by(tool: &Tool, provider: &str, original: &Value, without: &Value) -> Vec<Vec<String>> {
    let recipe = tool.model.as_ref();
    let members = recipe.map_or(&[][..], |recipe| recipe.named_by.as_slice());
    let paths = members
        .iter()
        .map(|member| member.split('.').map(str::to_owned).collect::<Vec<_>>());
    let names_it = |path: &Vec<String>| {
        let found = at(without, path);
        let is_it = found.and_then(Value::as_str).is_some_and(|value| {
            // As in `provider/model`.
            value.split('/').next() == Some(provider)
        });
        is_it && at(original, path) != found
    };
    paths.filter(names_it).collect()
}

fn leaves(value: &Value, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    match value.as_object() {
        Some(members) => {
            for (name, below) in members {
                path.push(name.clone());
                leaves(below, path, found);
                path.pop();
            }
        }
        None => found.push(path.clone()),
    }
}
