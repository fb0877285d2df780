//! The arguments before they are parsed.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use crate::session::directories;

const HOME: &str = "--home";

/// The arguments of this call. `--home` counts from here on, since the names of servers are in that
/// directory; `token mcp NAME` is `token NAME`.
pub(crate) fn arguments() -> Vec<OsString> {
    let mut arguments: Vec<OsString> = std::env::args_os().collect();
    if let Some(home) = home(&arguments) {
        directories::name_home(home);
    }
    if let Some(at) = mcp_before_a_name(&arguments) {
        arguments.remove(at);
    }
    arguments
}

/// The value of `--home`, which is not that of a program for `exec`.
fn home(arguments: &[OsString]) -> Option<PathBuf> {
    let mut own = arguments.iter().take_while(|argument| *argument != "--");
    while let Some(argument) = own.next() {
        if argument == HOME {
            return own.next().map(PathBuf::from);
        }
        let value = argument
            .to_str()
            .and_then(|text| text.strip_prefix(HOME)?.strip_prefix('='));
        if let Some(value) = value {
            return Some(PathBuf::from(value));
        }
    }
    None
}

/// Where the word `mcp` is between a command about sessions and the name of a server.
fn mcp_before_a_name(arguments: &[OsString]) -> Option<usize> {
    let is_about_sessions = |word: &OsString| {
        let word = word.to_str();
        matches!(
            word,
            Some("token" | "exec" | "logout" | "doctor" | "status")
        )
    };
    let at = arguments.iter().position(is_about_sessions)? + 1;
    let has_name = arguments.get(at + 1).is_some_and(|next| !is_flag(next));
    (arguments.get(at).is_some_and(|word| word == "mcp") && has_name).then_some(at)
}

fn is_flag(word: &OsStr) -> bool {
    word.to_string_lossy().starts_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn the_home_is_a_flag_of_this_command_and_not_of_the_program_that_it_runs() {
        for (line, found) in [
            ("llm-auth token x --home /a", Some("/a")),
            ("llm-auth --home=/a token x", Some("/a")),
            ("llm-auth exec x -- tool --home /a", None),
            ("llm-auth token x --home", None),
            ("llm-auth token x --homes /a", None),
        ] {
            assert_eq!(home(&words(line)), found.map(PathBuf::from), "{line}");
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
            ("llm-auth exec work -- token mcp x", None),
        ] {
            assert_eq!(mcp_before_a_name(&words(line)), at, "{line}");
        }
    }
}
