//! `llm-auth setup`: the settings of another program, so that it uses a session.

mod args;
mod document;
mod elsewhere;
mod files;
mod leftovers;
mod own;
mod plan;
mod program;
mod recipes;
mod record;
mod report;
mod rivals;
mod setting;
mod tree;
mod undo;
mod write;

pub(crate) use self::args::SetupArgs;
use self::document::Document;
use self::plan::plan;
use self::recipes::Named;
pub(super) use self::rivals::check_environment;
use crate::error::Failure;
use crate::providers::ProviderName;
use crate::ui::streams::say;
use crate::ui::symbols::arrow;

pub(crate) fn run(args: &SetupArgs) -> Result<(), Failure> {
    let Named(tool) = args.tool;
    let provider = match (args.undo, args.provider) {
        (true, provider) => {
            let outcome = undo::undo(tool, provider.map(ProviderName::name))?;
            return report::undone(args, tool, &outcome);
        }
        (false, Some(provider)) => provider,
        (false, None) => return Err(plan::unnamed(tool)),
    };
    let plan = plan(args, tool, provider)?;
    rivals::warn_of_variables(&plan);
    if args.write {
        let done = write::write(&plan, args.replace)?;
        return report::written(args, &plan, &done);
    }
    let settings = Document::new(plan.recipe.format).with(&plan.leaves);
    let settings = settings.map_err(|wrong| Failure::Usage(wrong.to_string()))?;
    report::printed(args, &plan, &settings)?;
    // What `--write` would refuse.
    if let Err(refused) = write::refused(&plan) {
        say(&format!("llm-auth: warning: {}", refused.message()));
        if let Failure::Config { advice, .. } = &refused {
            say(&format!("  {} {advice}", arrow()));
        }
    }
    Ok(())
}
