//! What `setup` prints.

use llm_auth_core::printable;
use serde_json::{Value, json};

use super::args::SetupArgs;
use super::document::Document;
use super::elsewhere;
use super::plan::Plan;
use super::recipes::Tool;
use super::undo::{How, Outcome};
use super::write::Done;
use crate::error::Failure;
use crate::session::directories;
use crate::system::env;
use crate::ui::streams::{self, VERSION, say};
use crate::ui::symbols::arrow;

/// The settings as they would be merged.
pub(super) fn printed(args: &SetupArgs, plan: &Plan, settings: &Document) -> Result<(), Failure> {
    if args.json {
        let mut object = object(plan);
        object["settings"] = settings.value().unwrap_or_default();
        return streams::json(&object);
    }
    let mut text = settings.text().trim_end().to_owned();
    text.push('\n');
    streams::document(text.as_bytes())?;
    say(&format!(
        "llm-auth: merge this into {}, or add --write; then run: {}",
        plan.file.display(),
        plan.run
    ));
    say_if_moved();
    Ok(())
}

/// What was merged.
pub(super) fn written(args: &SetupArgs, plan: &Plan, done: &Done) -> Result<(), Failure> {
    if args.json {
        let mut object = object(plan);
        object["changed"] = done.is_changed.into();
        object["backup"] = json!(done.backup);
        return streams::json(&object);
    }
    let file = plan.file.display();
    let title = &plan.tool.title;
    let mut name = plan.provider.name().to_owned();
    if let Some(account) = &args.selector.account {
        name.push_str(&format!(" ({})", printable(account)));
    }
    say(&match (done.is_changed, &done.backup) {
        (false, _) => format!("llm-auth: {file} already has these settings; nothing was changed"),
        (true, Some(backup)) => format!(
            "llm-auth: {file} now lets {title} use {name}; the original is kept in {}",
            backup.display()
        ),
        (true, None) if done.is_new => {
            format!("llm-auth: {file} is new, and lets {title} use {name}")
        }
        (true, None) => format!("llm-auth: {file} now lets {title} use {name}"),
    });
    let undo = elsewhere::undo_line(plan);
    say(&format!("run: {}    undo: {undo}", plan.run));
    say_if_moved();
    Ok(())
}

/// What was taken back.
pub(super) fn undone(args: &SetupArgs, tool: &Tool, outcome: &Outcome) -> Result<(), Failure> {
    let Outcome { undone, skipped } = outcome;
    if args.json {
        let skipped: Vec<Value> = skipped
            .iter()
            .map(|one| json!({"file": one.file, "command": one.command}))
            .collect();
        let files: Vec<Value> = undone
            .iter()
            .map(|one| json!({"file": one.file, "undone": word(one.how), "backup": one.backup}))
            .collect();
        return streams::json(&json!({
            "v": VERSION, "event": "setup_undone", "tool": tool.name, "files": files,
            "skipped": skipped,
        }));
    }
    if undone.is_empty() && skipped.is_empty() {
        say(&format!(
            "llm-auth: nothing to undo: no settings of {} were written",
            tool.title
        ));
    }
    for one in undone {
        let file = one.file.display();
        let mut text = match one.how {
            How::Restored => format!("llm-auth: {file} is as it was"),
            How::Removed => format!("llm-auth: {file} is removed; there was none before"),
            How::TakenOut => format!("llm-auth: the settings are taken out of {file}"),
            How::Nothing => format!("llm-auth: the settings are no longer in {file}"),
        };
        if let Some(backup) = &one.backup {
            let backup = backup.display();
            text.push_str(&format!("; the original is kept in {backup}"));
        }
        say(&text);
    }
    for one in skipped {
        let (file, title) = (one.file.display(), &tool.title);
        let (why, advice) = match &one.command {
            Some(command) => (
                format!("is in another directory than the settings of {title} are now"),
                format!("undo it with `{command}`"),
            ),
            None => (
                format!("is recorded as changed, and is no file of {title}"),
                "restore it yourself, and remove its entry from setup.json".into(),
            ),
        };
        say(&format!("llm-auth: {file} {why}: it stays as it is"));
        say(&format!("  {} {advice}", arrow()));
    }
    Ok(())
}

fn object(plan: &Plan) -> Value {
    json!({
        "v": VERSION,
        "event": "setup",
        "tool": plan.tool.name,
        "vendor": plan.provider.name(),
        "file": plan.file,
        "format": plan.recipe.format,
        "run": plan.run,
    })
}

fn word(how: How) -> &'static str {
    match how {
        How::Restored => "restored",
        How::Removed => "removed",
        How::TakenOut => "taken_out",
        How::Nothing => "nothing",
    }
}

/// A tool that is started elsewhere may not have the variable.
fn say_if_moved() {
    let home = directories::HOME;
    if directories::named_home().is_none() && env::value(home).is_some() {
        say(&format!(
            "llm-auth: {home} is set: name that directory with --home if the tool does not get the \
             variable"
        ));
    }
}
