//! A command that a message names: about the session, the store and the home directory of this call.
//!
//! Messages take commands from here alone. One without `--store` or `--home` is about other sessions
//! than the message, and a user who follows it loses those.

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
        command.push_str(&flag("--account", &printable(account)));
    }
    if let Some(store) = store {
        command.push_str(&flag("--store", &store.display().to_string()));
    }
    for (flag, value) in store_name::named() {
        command.push_str(&format!(" {flag} {}", quoted(&printable(&value))));
    }
    for flag in flags {
        command.push_str(&format!(" {flag}"));
    }
    command.push_str(&home_flag());
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

/// The same for a command that names no session.
pub(crate) fn command_about_all(verb: &str) -> String {
    command_line(verb, None, &SessionSelector::default(), &[])
}

/// The command that makes an account the current one.
pub(crate) fn switch_line(key: &SessionKey) -> String {
    let provider = key.provider();
    let account = printable(key.account());
    // A name may begin as a flag does, and a flag cannot follow it then.
    let (home, between) = match account.starts_with('-') {
        true => (home_flag(), " -- "),
        false => (String::new(), " "),
    };
    let after = if home.is_empty() {
        home_flag()
    } else {
        String::new()
    };
    format!(
        "llm-auth switch{home}{between}{provider} {}{after}",
        quoted(&account)
    )
}

fn home_flag() -> String {
    let home = directories::named_home();
    home.map_or_else(String::new, |home| {
        flag("--home", &home.display().to_string())
    })
}

/// A flag with its value, which may begin as a flag does.
fn flag(name: &str, value: &str) -> String {
    let between = if value.starts_with('-') { "=" } else { " " };
    format!(" {name}{between}{}", quoted(value))
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
        let file = SessionSelector {
            account: None,
            store: Some("-s.json".into()),
        };
        assert_eq!(
            command_line("token", None, &file, &[]),
            "llm-auth token --store=-s.json"
        );
        let key = SessionKey::new("qwen", "-x");
        assert_eq!(switch_line(&key), "llm-auth switch -- qwen -x");
    }
}
