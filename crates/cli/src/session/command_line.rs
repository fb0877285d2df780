//! A command that a message names: about the session, the store and the home directory of this call.
//!
//! Messages take commands from here alone. One without `--store` or `--home` is about other sessions
//! than the message, and a user who follows it loses those.

use std::path::Path;

use llm_auth_core::{SessionKey, printable};

use super::directories;
use super::selector::SessionSelector;
use super::store_name;
use crate::shell_quote::quoted;

/// `llm-auth VERB PROVIDER`, with the flags of the selector and these, fit for a shell.
pub(crate) fn command_line(
    verb: &str,
    provider: Option<&str>,
    selector: &SessionSelector,
    flags: &[&str],
) -> String {
    let mut command = format!("llm-auth {verb}");
    if let Some(provider) = provider {
        command.push_str(&format!(" {provider}"));
    }
    let SessionSelector { account, store } = selector;
    if let Some(account) = account {
        let account = printable(account);
        // A name may begin as a flag does.
        let between = if account.starts_with('-') { "=" } else { " " };
        command.push_str(&format!(" --account{between}{}", quoted(&account)));
    }
    if let Some(store) = store {
        command.push_str(&format!(" --store {}", quoted_path(store)));
    }
    for (flag, value) in store_name::named() {
        command.push_str(&format!(" {flag} {}", quoted(&printable(&value))));
    }
    for flag in flags {
        command.push_str(&format!(" {flag}"));
    }
    if let Some(home) = directories::named_home() {
        command.push_str(&format!(" --home {}", quoted_path(home)));
    }
    command
}

/// The same about one session in the directory of all.
pub(crate) fn command_about(verb: &str, key: &SessionKey, flags: &[&str]) -> String {
    let selector = SessionSelector {
        account: Some(key.account().to_owned()),
        store: None,
    };
    command_line(verb, Some(key.provider()), &selector, flags)
}

fn quoted_path(path: &Path) -> String {
    quoted(&path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_names_the_session_that_the_call_was_about() {
        let selector = SessionSelector {
            account: Some("-odd name".into()),
            store: Some("my file.json".into()),
        };
        assert_eq!(
            command_line("logout", Some("work"), &selector, &["--local"]),
            "llm-auth logout work --account='-odd name' --store 'my file.json' --local"
        );
        assert_eq!(
            command_about("token", &SessionKey::new("qwen", "-x"), &[]),
            "llm-auth token qwen --account=-x"
        );
    }
}
