//! Which settings go where: a recipe, with what it needs of the call and the session.

use std::path::PathBuf;

use llm_auth_core::SecureUrl;

use super::args::SetupArgs;
use super::program;
use super::recipes::{self, Meaning, Recipe, Tool};
use super::setting::Leaf;
use crate::commands::tools::{check_tool, providers_for};
use crate::error::{Failure, SIGN_IN};
use crate::providers::{ProviderArgs, ProviderName, Stored, api_base, ignored_api};
use crate::report::advice_without_api;
use crate::shell_quote::quoted;

/// What is to be written where.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) tool: &'static Tool,
    pub(super) recipe: &'static Recipe,
    pub(super) provider: ProviderName,
    pub(super) file: PathBuf,
    pub(super) leaves: Vec<Leaf>,
    /// Members beside these that would go to the same API, or lead the token elsewhere.
    pub(super) rivals: Vec<Vec<String>>,
    /// Whether they are for the API of a provider.
    pub(super) is_model: bool,
    /// Who gets the token: the host of the API, if it is known.
    pub(super) recipient: String,
    /// The line that starts the tool then.
    pub(super) run: String,
}

/// What the call asks for.
pub(super) fn plan(
    args: &SetupArgs,
    tool: &'static Tool,
    provider: ProviderName,
) -> Result<Plan, Failure> {
    let recipe = recipe(args, tool, provider)?;
    let mut recipient = provider.title().to_owned();
    let mut texts = vec![
        ("{provider}", provider.name().to_owned()),
        ("{title}", provider.title().to_owned()),
    ];
    match (&args.model, recipe.needs("{model}")) {
        (Some(model), true) => texts.push(("{model}", model.clone())),
        (None, true) => {
            return Err(Failure::Usage(format!(
                "{} needs the name of a model: add --model MODEL",
                tool.title
            )));
        }
        (Some(_), false) => {
            return Err(Failure::Usage(format!("{} needs no --model", tool.title)));
        }
        (None, false) => {}
    }
    let is_model = !is_mcp(provider);
    if is_model {
        match api(args, tool, provider) {
            Ok(api) => {
                let api = api?;
                if let Ok(url) = SecureUrl::new(&api) {
                    recipient = url.host();
                }
                texts.push(("{api}", api));
            }
            // What the line starts may need it, too. Without a session, there may be one.
            Err(failure) if failure.code() == SIGN_IN && !recipe.needs("{api}") => {}
            Err(failure) => return Err(failure),
        }
    }
    let mut meaning = Meaning {
        texts,
        ..Meaning::default()
    };
    meaning.words = words(args, recipe, &meaning)?;
    let quoted: Vec<String> = meaning.words.iter().map(|word| quoted(word)).collect();
    meaning.line = quoted.join(" ");
    Ok(Plan {
        tool,
        recipe,
        provider,
        file: recipe.file.file()?,
        leaves: recipe.leaves(&meaning),
        rivals: recipe.rivals(&meaning),
        is_model,
        recipient,
        run: recipe.run(&meaning),
    })
}

/// The error of a call that names no provider: it names those that the tool works with.
pub(super) fn unnamed(tool: &Tool) -> Failure {
    let mut ways = Vec::new();
    if tool.model.is_some() {
        let providers = providers_for(&tool.name).join(", ");
        ways.push(format!("for the API of a provider: {providers}"));
    }
    let servers = ProviderName::all().iter().filter(|name| is_mcp(**name));
    let servers: Vec<&str> = servers.map(|name| name.name()).collect();
    ways.push(match servers.is_empty() {
        true => "for an MCP server: the name of one of `llm-auth login mcp URL`".to_owned(),
        false => format!("for an MCP server: {}", servers.join(", ")),
    });
    Failure::Mismatch {
        message: format!("name what {} is to use", tool.title),
        advice: ways.join("; "),
    }
}

/// The call of this command, in which flags precede what `exec` starts.
fn words(args: &SetupArgs, recipe: &Recipe, meaning: &Meaning) -> Result<Vec<String>, Failure> {
    let mut words = vec![program::program()?];
    words.extend(recipe.call.iter().map(|word| meaning.text(word)));
    let end = words.iter().position(|word| word == "--");
    let end = end.unwrap_or(words.len());
    let flags = program::flags(&args.selector)?;
    words.splice(end..end, flags.into_iter().chain(args.trust.words()));
    Ok(words)
}

impl Plan {
    /// Whether a member is written.
    pub(super) fn has(&self, path: &[String]) -> bool {
        self.leaves.iter().any(|leaf| leaf.path == path)
    }

    /// Whether a variable is among the members.
    pub(super) fn sets(&self, name: &str) -> bool {
        let mut leaves = self.leaves.iter();
        leaves.any(|leaf| leaf.path.last().is_some_and(|last| last == name))
    }
}

fn is_mcp(provider: ProviderName) -> bool {
    provider.server().is_some_and(|server| server.is_mcp)
}

/// The recipe for an MCP server, or for the API of a provider.
fn recipe(
    args: &SetupArgs,
    tool: &'static Tool,
    provider: ProviderName,
) -> Result<&'static Recipe, Failure> {
    provider.check_hand_out()?;
    let recipe = match is_mcp(provider) {
        true => &tool.mcp,
        false => &tool.model,
    };
    let Some(recipe) = recipe else {
        return Err(Failure::Config {
            message: format!(
                "the settings of {} cannot name a command that prints a token, and {} is no MCP \
                 server",
                tool.title,
                provider.name()
            ),
            advice: instead(args, tool, provider)?,
        });
    };
    if !is_mcp(provider) {
        check_tool(&tool.name, provider, recipes::for_models())?;
    }
    Ok(recipe)
}

/// What does work with the provider, if the settings of the tool cannot.
fn instead(args: &SetupArgs, tool: &Tool, provider: ProviderName) -> Result<String, Failure> {
    let fits = |name: &str| check_tool(name, provider, []).is_ok();
    // Without an API, neither a call nor settings of any tool would do.
    if let Ok(Err(Failure::Config { advice, .. })) = api(args, tool, provider) {
        return Ok(advice);
    }
    if let Some(line) = tool.instead.as_ref().filter(|_| fits(&tool.name)) {
        let flags = program::flags(&args.selector)?.into_iter();
        let flags: String = flags
            .chain(args.trust.words())
            .map(|word| format!(" {}", quoted(&word)))
            .collect();
        let line = line.replace("{provider}", provider.name());
        let line = line.replacen(" -- ", &format!("{flags} -- "), 1);
        return Ok(format!("run `{line}`"));
    }
    let mcp = "name an MCP server of `llm-auth login mcp URL`";
    let others: Vec<&str> = recipes::for_models().filter(|name| fits(name)).collect();
    Ok(match others.is_empty() {
        true => mcp.into(),
        false => format!("for {}: {}; or {mcp}", provider.name(), others.join(", ")),
    })
}

/// The base URL of the session's API, or why the session has none.
fn api(
    args: &SetupArgs,
    tool: &Tool,
    provider: ProviderName,
) -> Result<Result<String, Failure>, Failure> {
    let selector = &args.selector;
    let provider_args = ProviderArgs {
        trust: args.trust.clone(),
        ..ProviderArgs::default()
    };
    let stored = Stored::read(provider, selector, &provider_args, None)?;
    let (key, session) = (&stored.key, stored.session()?);
    let configured = provider.configure_offline(&provider_args, Some(session))?;
    Ok(api_base(&configured, session).ok_or_else(|| {
        let ignored = ignored_api(provider, &configured, session);
        match ignored {
            Some(ignored) => Failure::Config {
                message: format!("{key}: {ignored}"),
                advice: format!("write the settings of {} yourself", tool.title),
            },
            None => Failure::Config {
                message: format!(
                    "{key}: the session names no API, which {} needs",
                    tool.title
                ),
                advice: advice_without_api(provider, key, selector),
            },
        }
    }))
}
