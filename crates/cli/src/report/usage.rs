//! The report of a call with wrong arguments, and the output of `--help` and `--version`.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use llm_auth_core::printable;

use crate::error::{Failure, USAGE};
use crate::providers::ProviderName;
use crate::report::Reporter;
use crate::ui::streams::{self, say};

/// Prints the error and returns the exit code; `command` is what was called. With `--json` it
/// prints JSON too, since programs read it.
pub(crate) fn report(mut error: clap::Error, command: clap::Command) -> u8 {
    if !error.use_stderr() {
        // Help or a version, for a reader that may have gone away.
        return u8::from(
            error
                .print()
                .is_err_and(|error| !streams::is_closed(&error)),
        );
    }
    drop_useless_tips(&mut error);
    hide_secrets_of_urls(&mut error);
    // It repeats what stood in the call.
    say(error.to_string().trim_end());
    if is_about_provider(&error) {
        say(
            "A server of your own is known by its name after `llm-auth login oidc --issuer URL --name \
             NAME`, and an MCP server after `llm-auth login mcp URL`.",
        );
    }
    let code = u8::try_from(error.exit_code()).unwrap_or(USAGE);
    if let Some((reporter, command)) = reporter(command) {
        let what = words(&error);
        let advice = format!("see `llm-auth {command} --help`");
        reporter.tell_program(&Failure::Usage(what.clone()), &what, Some(&advice));
    }
    code
}

/// A URL that is wrong may still have a password or a key in it.
fn hide_secrets_of_urls(error: &mut clap::Error) {
    for kind in [ContextKind::InvalidValue, ContextKind::InvalidArg] {
        if let Some(ContextValue::String(value)) = error.get(kind)
            && let Some(shown) = without_secrets(value)
        {
            error.insert(kind, ContextValue::String(shown));
        }
    }
}

/// The URL without what stands before its host and after its path; `None` if it has neither.
fn without_secrets(value: &str) -> Option<String> {
    let (before, rest) = value.split_once("://")?;
    let (rest, query) = match rest.find(['?', '#']) {
        Some(at) => (rest.get(..at)?, "?..."),
        None => (rest, ""),
    };
    // A password may have a slash that should have been encoded.
    let (user, rest) = match rest.rsplit_once('@') {
        Some((_, host)) => ("...@", host),
        None => ("", rest),
    };
    let is_changed = !user.is_empty() || !query.is_empty();
    is_changed.then(|| format!("{before}://{user}{rest}{query}"))
}

/// Drops the tips that lead to the next error.
fn drop_useless_tips(error: &mut clap::Error) {
    if let Some(ContextValue::StyledStrs(mut tips)) = error.remove(ContextKind::Suggested) {
        // A flag that does not exist is seldom meant as a value.
        tips.retain(|tip| !tip.to_string().starts_with("to pass "));
        if !tips.is_empty() {
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
        }
    }
    // What is like a typing error, and no command accepts.
    let refused = |name: &String| {
        let provider = ProviderName::from_name(name);
        provider.is_some_and(|provider| provider.check_hand_out().is_err())
    };
    if let Some(ContextValue::String(name)) = error.get(ContextKind::SuggestedValue)
        && refused(name)
    {
        error.remove(ContextKind::SuggestedValue);
    }
}

fn is_about_provider(error: &clap::Error) -> bool {
    let argument = error.get(ContextKind::InvalidArg);
    let argument = argument.map(ToString::to_string).unwrap_or_default();
    let names = ["PROVIDER", "SERVER"];
    error.kind() == ErrorKind::InvalidValue && names.iter().any(|name| argument.contains(name))
}

/// With the name of the command; `None` without `--json`, as far as the call can be understood.
fn reporter(command: clap::Command) -> Option<(Reporter, String)> {
    let call = command.ignore_errors(true);
    let call = call.try_get_matches_from(std::env::args_os()).ok()?;
    let (command, call) = call.subcommand()?;
    let mut asks = call.try_get_one("json").ok().flatten() == Some(&true);
    // It is understood up to the error only. What `exec` starts has flags of its own.
    if command != "exec" {
        let mut words = std::env::args_os().take_while(|word| word != "--");
        asks |= words.any(|word| word == "--json");
    }
    let is_answer = ["exec", "serve", "token"].contains(&command);
    asks.then(|| (Reporter::for_usage(is_answer), command.to_owned()))
}

/// The error without the usage and the hints that follow it, on one line.
fn words(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "no command given".to_owned();
    }
    let text = error.to_string();
    let lines = text.lines().map(str::trim).take_while(|line| {
        let ends = ["Usage:", "For more", "tip:"];
        !ends.iter().any(|end| line.starts_with(end))
    });
    let words: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    printable(words.join(" ").trim_start_matches("error: "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_what_may_be_secret_in_it() {
        for (value, shown) in [
            (
                "https://me:made-up@a.example/x",
                Some("https://...@a.example/x"),
            ),
            (
                "https://me:made/up@a.example",
                Some("https://...@a.example"),
            ),
            (
                "http://a.example/x?key=made-up",
                Some("http://a.example/x?..."),
            ),
            ("https://a.example/#made-up", Some("https://a.example/?...")),
            ("https://a.example/x", None),
            ("me@a.example", None),
        ] {
            assert_eq!(without_secrets(value).as_deref(), shown, "{value}");
        }
    }
}
