//! What a tool would send or use beside the settings that are written, and in place of the
//! variables that `exec` sets.

use std::path::Path;

use super::document::{Document, at};
use super::own::{self, Own, is_same, is_set};
use super::plan::Plan;
use super::recipes;
use super::setting::Wrong;
use crate::commands::tools::{self, Tool};
use crate::error::Failure;
use crate::system::env;
use crate::ui::streams::say;

/// Checks that no settings of the user go beside those that are written: the tool would send
/// another vendor's key to this provider. No flag replaces them.
pub(super) fn check(plan: &Plan) -> Result<(), Failure> {
    let found = of_plan(plan)?;
    if found.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = found.iter().map(described).collect();
    Err(Failure::Config {
        message: format!(
            "{}, which {} would send to {} too, or use instead",
            lines.join("; "),
            plan.tool.title,
            plan.recipient
        ),
        advice: match found.as_slice() {
            [own] => format!("remove {} from {} first", own.names(), own.file.display()),
            _ => "remove these settings first".into(),
        },
    })
}

/// Prints what the tool would find in an environment like this.
pub(super) fn warn_of_variables(plan: &Plan) {
    let Some(tool) = tool_of(plan).filter(|tool| !tool.settings.is_empty()) else {
        return;
    };
    let is_there =
        |name: &&str| env::value(name).is_some_and(|it| is_set(&it.to_string_lossy().into()));
    let (title, recipient) = (&plan.tool.title, &plan.recipient);
    let keys: Vec<&str> = tool.credentials().collect();
    for name in keys.iter().filter(|name| is_there(name)) {
        say(&format!(
            "llm-auth: warning: unset {name} where {title} runs: it would send that key to \
             {recipient} too"
        ));
    }
    let others = tool.others().filter(|name| !keys.contains(name));
    let address = tool.variables.keys().map(String::as_str);
    let address = address.filter(|name| !keys.contains(name) && !plan.sets(name));
    for name in others.chain(address).filter(is_there) {
        say(&format!(
            "llm-auth: warning: unset {name} where {title} runs: it would use that instead"
        ));
    }
}

/// Checks that a tool uses the variables that it is started with.
pub(in crate::commands) fn check_environment(tool: Option<&Tool>) -> Result<(), Failure> {
    let Some(tool) = tool else {
        return Ok(());
    };
    let found = own::of_tool(tool)?;
    if found.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = found.iter().map(described).collect();
    let name = &tool.name;
    let one = found.iter().map(|own| own.paths.len()).sum::<usize>() == 1;
    let them = if one { "it" } else { "them" };
    let names = match found.as_slice() {
        [own] => format!("{} from {}", own.names(), own.file.display()),
        _ => "these settings".to_owned(),
    };
    let mut advice = format!("remove {names}, or run the tool without llm-auth");
    if recipes::writes_model(name) {
        advice = format!(
            "if `setup` wrote {them}, take {them} back with `llm-auth setup {name} --undo`, or run \
             the tool without exec; otherwise remove {names}"
        );
    }
    Err(Failure::Config {
        message: format!(
            "{}, which {} precedence over the environment of {}: {} could send the token or the key of this \
             call elsewhere",
            lines.join("; "),
            if one { "takes" } else { "take" },
            tool.title,
            if one { "it" } else { "they" },
        ),
        advice,
    })
}

fn described(own: &Own) -> String {
    format!("{} sets {}", own.file.display(), own.names())
}

fn tool_of(plan: &Plan) -> Option<&'static Tool> {
    tools::named(&plan.tool.name).filter(|_| plan.is_model)
}

fn of_plan(plan: &Plan) -> Result<Vec<Own>, Failure> {
    let mut found = match tool_of(plan) {
        Some(tool) => own::of_tool(tool)?,
        None => Vec::new(),
    };
    for own in &mut found {
        if is_same(&own.file, &plan.file) {
            own.paths.retain(|path| !plan.has(path));
        }
    }
    let paths = in_file(plan, &plan.file)?;
    if !paths.is_empty() {
        let file = plan.file.clone();
        found.push(Own { file, paths });
    }
    found.retain(|own| !own.paths.is_empty());
    Ok(found)
}

/// The members that the recipe names.
fn in_file(plan: &Plan, file: &Path) -> Result<Vec<Vec<String>>, Failure> {
    if plan.rivals.is_empty() {
        return Ok(Vec::new());
    }
    let unreadable = |why: String| Failure::Config {
        message: format!("cannot read the settings {}: {why}", file.display()),
        advice: "correct the file".into(),
    };
    let target = super::files::Target::of(file).map_err(|error| unreadable(error.to_string()))?;
    let content = target
        .read()
        .map_err(|error| unreadable(error.to_string()))?;
    let Some(content) = content else {
        return Ok(Vec::new());
    };
    let wrong = |wrong: Wrong| unreadable(wrong.to_string());
    let document = Document::parse(plan.recipe.format, &content.bytes).map_err(wrong)?;
    let value = document.value().map_err(wrong)?;
    let rivals = plan.rivals.iter();
    let rivals = rivals.filter(|path| at(&value, path).is_some_and(is_set));
    Ok(rivals.cloned().collect())
}
