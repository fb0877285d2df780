//! The arguments before they are parsed.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::builder::ValueParser;
use clap::{Arg, Command};

use crate::providers::servers;
use crate::session::directories;

const HOME: &str = "--home";

/// The arguments of this call. `--home` counts from here on, since the names of servers are in that
/// directory; `token mcp NAME` is `token NAME`, and so is `login mcp NAME` if a server of that name is
/// remembered.
pub(crate) fn arguments(command: fn() -> Command) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = std::env::args_os().collect();
    // What `login` is to sign in to is known only below the directory.
    if let Some(at) = mcp_before_a_name(&arguments, |_name| false) {
        arguments.remove(at);
    }
    if let Some(home) = home(&arguments, command) {
        directories::name_home(home);
    }
    let is_remembered = |name: &str| {
        let server = servers::load(&name.to_ascii_lowercase());
        server.ok().flatten().is_some_and(|server| server.is_mcp)
    };
    if let Some(at) = mcp_before_a_name(&arguments, is_remembered) {
        arguments.remove(at);
    }
    arguments
}

/// The value of `--home`. A program that `exec` runs may have a flag of that name, so this reads the
/// call as it is read later, but for values of which nothing is known yet.
fn home(arguments: &[OsString], command: fn() -> Command) -> Option<PathBuf> {
    let is_it = |argument: &OsString| argument.to_string_lossy().starts_with(HOME);
    if !arguments.iter().any(is_it) {
        return None;
    }
    let call = unchecked(command()).try_get_matches_from(arguments).ok()?;
    let mut home = None;
    let mut at = Some(&call);
    while let Some(matches) = at {
        let named = matches.try_get_one::<OsString>("home").ok().flatten();
        home = named.map(PathBuf::from).or(home);
        at = matches.subcommand().map(|(_, matches)| matches);
    }
    home
}

/// The command without any check of a value.
fn unchecked(command: Command) -> Command {
    let takes_value = |arg: &Arg| arg.get_action().takes_values();
    command
        .ignore_errors(true)
        .mut_args(move |arg| match takes_value(&arg) {
            true => arg.value_parser(ValueParser::os_string()),
            false => arg,
        })
        .mut_subcommands(unchecked)
}

/// Where the word `mcp` is between a command about sessions and the name of a server. After `login`
/// a URL may stand there, too.
fn mcp_before_a_name(
    arguments: &[OsString],
    is_remembered: impl Fn(&str) -> bool,
) -> Option<usize> {
    let is_about_sessions = |word: &OsString| {
        let word = word.to_str();
        matches!(
            word,
            Some("token" | "exec" | "login" | "logout" | "doctor" | "status")
        )
    };
    let at = arguments.iter().position(is_about_sessions)? + 1;
    let is_login = arguments[at - 1] == "login";
    let is_name = |next: &OsString| match is_login {
        true => next.to_str().is_some_and(&is_remembered),
        false => !is_flag(next),
    };
    let has_name = arguments.get(at + 1).is_some_and(is_name);
    (arguments.get(at).is_some_and(|word| word == "mcp") && has_name).then_some(at)
}

fn is_flag(word: &OsStr) -> bool {
    word.to_string_lossy().starts_with('-')
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::super::Cli;
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn the_home_is_a_flag_of_this_command_and_not_of_the_program_that_it_runs() {
        for (line, found) in [
            ("llm-auth token x --home /a", Some("/a")),
            ("llm-auth --home=/a token x", Some("/a")),
            ("llm-auth exec unknown --home /a -- tool", Some("/a")),
            ("llm-auth exec unknown --env X --home /a tool", Some("/a")),
            ("llm-auth exec unknown -- tool --home /a", None),
            ("llm-auth exec unknown tool --home /a", None),
            ("llm-auth exec unknown --env X tool --home=/a", None),
            ("llm-auth mcp bridge unknown --home /a", Some("/a")),
            ("llm-auth token x --home", None),
            ("llm-auth token x --homes /a", None),
        ] {
            assert_eq!(
                home(&words(line), Cli::command),
                found.map(PathBuf::from),
                "{line}"
            );
        }
    }

    #[test]
    fn the_word_mcp_may_stand_before_the_name_of_a_server() {
        for (line, at) in [
            ("llm-auth token mcp work", Some(2)),
            ("llm-auth --home /a -v token mcp work", Some(5)),
            ("llm-auth token mcp", None),
            ("llm-auth token mcp --json", None),
            ("llm-auth login mcp https://a.example", None),
            ("llm-auth login mcp work", Some(2)),
            ("llm-auth login mcp other", None),
            ("llm-auth login mcp --name work", None),
            ("llm-auth exec work -- token mcp x", None),
        ] {
            let found = mcp_before_a_name(&words(line), |name| name == "work");
            assert_eq!(found, at, "{line}");
        }
    }
}
