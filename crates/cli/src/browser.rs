//! Opening a page in the person's browser: a convenience that may fail.

use std::process::{Command, Stdio};

use llm_auth_core::Endpoint;

/// Those that fight for the terminal and run none of the scripts of a sign-in page, and what is
/// no browser at all.
const TEXT_BROWSERS: [&str; 13] = [
    "browsh",
    "carbonyl",
    "curl",
    "elinks",
    "eww",
    "links",
    "links2",
    "lynx",
    "netrik",
    "retawq",
    "w3m",
    "wget",
    "www-browser",
];

/// Asks for it in a thread of its own, because a launcher may hang; `failed` is called there if
/// none takes the page. `wanted` is the text of the variable `BROWSER`: programs with their
/// arguments, separated by colons, the best first.
///
/// Only `https` and loopback pages: a server named it. No shell is involved.
pub(crate) fn open(url: &str, wanted: Option<&str>, failed: impl FnOnce() + Send + 'static) {
    let bare = url.split('#').next().unwrap_or_default();
    if Endpoint::new(bare).is_err() {
        return failed();
    }
    let launchers = match wanted {
        Some(wanted) => programs(wanted)
            .filter(|program| !is_text_browser(program))
            .map(|program| command(program, url))
            .collect(),
        None => open::commands(url),
    };
    std::thread::spawn(move || {
        if !launchers.into_iter().any(has_taken_it) {
            failed();
        }
    });
}

/// Whether `BROWSER` names nothing that could show such a page.
pub(crate) fn are_text_browsers(wanted: &str) -> bool {
    programs(wanted).all(is_text_browser)
}

fn programs(wanted: &str) -> impl Iterator<Item = &str> {
    let separator = if cfg!(windows) { ';' } else { ':' };
    wanted
        .split(separator)
        .map(str::trim)
        .filter(|program| !program.is_empty())
}

fn is_text_browser(program: &str) -> bool {
    let first = program.split_ascii_whitespace().next().unwrap_or_default();
    let name = first.rsplit('/').next().unwrap_or_default();
    TEXT_BROWSERS.contains(&name)
}

/// `%s` is where the page stands, else it comes last.
fn command(program: &str, url: &str) -> Command {
    let mut words = program.split_ascii_whitespace();
    let mut command = Command::new(words.next().unwrap_or_default());
    let mut has_url = false;
    for word in words {
        has_url |= word.contains("%s");
        command.arg(word.replace("%s", url));
    }
    if !has_url {
        command.arg(url);
    }
    command
}

/// It gets nothing of this terminal: neither its input nor its Ctrl-C, and it writes nothing.
fn has_taken_it(mut launcher: Command) -> bool {
    launcher
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut launcher, 0);
    // Windows' Explorer ends with a failure when all is well.
    launcher
        .status()
        .is_ok_and(|status| status.success() || cfg!(windows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_one_argument_whatever_is_in_it() {
        let url = "https://vendor.example/?a=$(b)&c='d'%s";
        let words = |program| {
            let command = command(program, url);
            let arguments = command.get_args().map(|word| word.to_str().unwrap());
            arguments.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(words("firefox -P work"), ["-P", "work", url]);
        assert_eq!(
            words("app --url=%s --new"),
            [format!("--url={url}"), "--new".to_owned()]
        );
    }

    #[test]
    fn a_text_browser_is_known_wherever_it_stands() {
        for wanted in ["w3m", "/usr/bin/lynx -nopause", "netrik:w3m %s"] {
            assert!(are_text_browsers(wanted), "{wanted}");
        }
        for wanted in ["firefox", "w3m:firefox", "/opt/links-of-mine/open"] {
            assert!(!are_text_browsers(wanted), "{wanted}");
        }
    }
}
