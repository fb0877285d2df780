//! `llm-auth completions` and `llm-auth man`: what shells and `man` read.
//!
//! See decision 0031.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use clap_complete::env::Shells;
use clap_complete::{CompleteEnv, CompletionCandidate};
use clap_mangen::Man;

mod manual;

use crate::error::Failure;
use crate::providers::ProviderName;
use crate::session::stores;
use crate::system::files;
use crate::ui::streams;

/// How a shell asks this program for completions.
pub(crate) const COMPLETE: &str = "LLM_AUTH_COMPLETE";

/// The shell that asks; the variable is gone while it is responded to.
static ASKING: OnceLock<OsString> = OnceLock::new();

const SHELLS: [&str; 5] = ["bash", "elvish", "fish", "powershell", "zsh"];

const INSTALLATION: &str = "\
Load it when the shell starts:
  bash        source <(llm-auth completions bash)                  in ~/.bashrc
  zsh         source <(llm-auth completions zsh)                   in ~/.zshrc, after compinit
  fish        llm-auth completions fish | source                   in ~/.config/fish/config.fish
  elvish      eval (llm-auth completions elvish | slurp)           in ~/.elvish/rc.elv
  powershell  llm-auth completions powershell | Out-String | Invoke-Expression   in $PROFILE";

#[derive(Args, Debug)]
#[command(after_help = INSTALLATION)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    #[arg(value_parser = SHELLS)]
    shell: String,
}

#[derive(Args, Debug)]
pub(crate) struct ManArgs {
    /// Write a page for each command to this directory instead of printing the main page.
    #[arg(long, value_name = "DIRECTORY")]
    dir: Option<PathBuf>,
}

/// Answers the shell, if it is one that asks; then the process ends here. `command` is what is
/// completed.
pub(crate) fn answer_shell(command: fn() -> clap::Command) {
    // Most often no shell asks, and then it costs nothing.
    let Some(shell) = std::env::var_os(COMPLETE) else {
        return;
    };
    let _asked_once = ASKING.set(shell);
    CompleteEnv::with_factory(|| with_accounts(command()))
        .var(COMPLETE)
        .bin("llm-auth")
        .complete();
}

/// The command with the stored accounts as candidates wherever an account is named.
fn with_accounts(command: clap::Command) -> clap::Command {
    command.mut_subcommands(|part| {
        if part.get_arguments().all(|arg| arg.get_id() != "account") {
            return part;
        }
        part.mut_arg("account", |arg| {
            arg.add(ArgValueCompleter::new(accounts_like))
        })
    })
}

pub(crate) fn completions(args: &CompletionsArgs) -> Result<(), Failure> {
    let shells = Shells::builtins();
    let shell = shells
        .completer(&args.shell)
        .ok_or_else(|| Failure::Usage(format!("{} is not a supported shell", args.shell)))?;
    let mut script = Vec::new();
    shell
        .write_registration(COMPLETE, "llm_auth", "llm-auth", "llm-auth", &mut script)
        .map_err(Failure::Output)?;
    if args.shell == "bash" {
        script.extend_from_slice(FOR_BASH);
    }
    streams::document(&script)
}

/// Bash would take the address of an account's owner apart, and it inserts names as they are: with
/// blanks and quotes they need quoting, as far as the user has not begun with that.
const FOR_BASH: &[u8] = br#"COMP_WORDBREAKS=${COMP_WORDBREAKS//@/}
_llm_auth_completed() {
    local flags=$- at
    set -f
    _clap_complete_llm_auth "$@"
    [[ $flags == *f* ]] || set +f
    for at in "${!COMPREPLY[@]}"; do
        case ${COMP_WORDS[COMP_CWORD]} in
            \'*) COMPREPLY[at]=${COMPREPLY[at]//\'/"'\\''"} ;;
            \"*) COMPREPLY[at]=$(printf %s "${COMPREPLY[at]}" | sed 's/[\\"$`]/\\&/g') ;;
            *) printf -v "COMPREPLY[at]" %q "${COMPREPLY[at]}" ;;
        esac
    done
}
if complete -o nosort -F _llm_auth_completed llm-auth 2> /dev/null; then
    complete -o nospace -o bashdefault -o nosort -F _llm_auth_completed llm-auth
else
    complete -o nospace -o bashdefault -F _llm_auth_completed llm-auth
fi
"#;

/// The accounts that begin so, of all providers.
fn accounts_like(begun: &OsStr) -> Vec<CompletionCandidate> {
    let begun = unquoted(&begun.to_string_lossy());
    let quoted: fn(&str) -> String = match ASKING.get().and_then(|shell| shell.to_str()) {
        Some("powershell" | "pwsh") => quoted_for_powershell,
        // The others quote what they insert, bash by our script.
        _ => str::to_owned,
    };
    let Ok(Some(store)) = stores::names() else {
        return Vec::new();
    };
    let of = |provider: &ProviderName| {
        let keys = provider.accounts(&store).stored().unwrap_or_default();
        let names = keys.into_iter().map(|key| key.account().to_owned());
        names
            .map(|name| (name, provider.title()))
            .collect::<Vec<_>>()
    };
    // Providers may have accounts of the same name, which is offered once.
    let mut providers_of: Vec<(String, Vec<&str>)> = Vec::new();
    for (name, provider) in ProviderName::all().iter().flat_map(of) {
        match providers_of.iter_mut().find(|(known, _)| *known == name) {
            Some((_, providers)) => providers.push(provider),
            None => providers_of.push((name, vec![provider])),
        }
    }
    providers_of
        .into_iter()
        // Shells take them by lines.
        .filter(|(name, _)| name.starts_with(&begun) && !name.contains(char::is_control))
        .map(|(name, providers)| {
            let help = providers.join(", ");
            CompletionCandidate::new(quoted(&name)).help(Some(help.into()))
        })
        .collect()
}

/// A word as it is typed so far, without its quotes: some shells hand it over with them.
fn unquoted(word: &str) -> String {
    let open = word.chars().next().filter(|letter| "'\"".contains(*letter));
    let mut plain = String::with_capacity(word.len());
    let mut letters = word.chars().skip(usize::from(open.is_some()));
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if open != Some('\'') => plain.extend(letters.next()),
            _ if Some(letter) == open => {}
            _ => plain.push(letter),
        }
    }
    plain
}

fn quoted_for_powershell(name: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "-_./+@".contains(letter);
    if name.chars().all(is_plain) && !name.starts_with(['-', '@']) {
        name.to_owned()
    } else {
        format!("'{}'", name.replace('\'', "''"))
    }
}

/// Prints the page of `command`, or writes the pages of all its parts.
pub(crate) fn man(args: &ManArgs, command: clap::Command) -> Result<(), Failure> {
    // The page of a command says all that `help` would.
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let Some(directory) = &args.dir else {
        return streams::document(&page(command).map_err(Failure::Output)?);
    };
    files::check_path("--dir", directory)?;
    let written = write(&command, directory);
    written.map_err(|error| Failure::Config {
        message: format!("cannot write the pages to {}: {error}", directory.display()),
        advice: "name a writable directory".into(),
    })
}

fn write(command: &clap::Command, directory: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    std::fs::write(directory.join("llm-auth.1"), page(command.clone())?)?;
    for part in command.get_subcommands() {
        let name = format!("llm-auth-{}", part.get_name());
        let part = part.clone().display_name(&name);
        std::fs::write(directory.join(format!("{name}.1")), page(part)?)?;
    }
    Ok(())
}

fn page(command: clap::Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    page.extend_from_slice(manual::MORE);
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_read_as_the_shell_would() {
        for (word, plain) in [
            ("work", "work"),
            (r"my\ acc", "my acc"),
            ("'my acc", "my acc"),
            ("\"it's", "it's"),
            (r"'a\b", r"a\b"),
            (r"it\'s", "it's"),
            ("'whole'", "whole"),
            ("", ""),
        ] {
            assert_eq!(unquoted(word), plain, "{word}");
        }
    }

    #[test]
    fn powershell_gets_what_it_reads_as_one_word() {
        for (name, quoted) in [
            ("work", "work"),
            ("mia@example.com", "mia@example.com"),
            ("my account", "'my account'"),
            ("it's", "'it''s'"),
            ("$(x)", "'$(x)'"),
            ("@work", "'@work'"),
        ] {
            assert_eq!(quoted_for_powershell(name), quoted);
        }
    }
}
