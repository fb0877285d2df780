//! Opening a page in the user's browser: a convenience that may fail.
//!
//! See decision 0025.

mod choice;
pub(crate) mod opening;
mod redirect;
mod words;

use std::process::{Command, Stdio};

use llm_auth_core::SecureUrl;

use self::choice::{is_file, is_text_browser};
pub(crate) use self::redirect::RedirectFile;
use self::words::{programs, words};
use crate::system::env::without_secrets;

/// Asks for it in a thread of its own, because a launcher may hang; `failed` is called there with
/// the reason if none takes the page. `wanted` is the text of the variable `BROWSER`: programs with their
/// arguments, separated by colons, the best first. `file` leads to the page; if it is given,
/// launchers get it in place of the page, since other users can read their arguments.
///
/// Only `https` and loopback pages: a server named it. No shell is involved.
pub(crate) fn open(
    url: &str,
    wanted: Option<&str>,
    file: Option<&RedirectFile>,
    failed: impl FnOnce(&str) + Send + 'static,
) {
    let bare = url.split('#').next().unwrap_or_default();
    if SecureUrl::new(bare).is_err() {
        return failed("the page is neither https nor on this computer");
    }
    let page = plain(&file.map_or_else(|| url.to_owned(), RedirectFile::url));
    let mut reason = "there is no program for it".to_owned();
    let launchers = match wanted {
        Some(wanted) => {
            let mut launchers = Vec::new();
            for program in programs(wanted, is_file) {
                match refused(&program, &page) {
                    Some(why) => reason = why,
                    None => launchers.push(command(&program, &page)),
                }
            }
            launchers
        }
        None => open::commands(&page),
    };
    std::thread::spawn(move || {
        for launcher in launchers {
            match try_it(launcher) {
                Ok(()) => return,
                Err(why) => reason = why,
            }
        }
        failed(&reason);
    });
}

/// Why a program is not started.
fn refused(program: &str, page: &str) -> Option<String> {
    if is_text_browser(program) {
        return Some(format!("{program} cannot display the sign-in page"));
    }
    let why = "the address of the page, which has an &, cannot be a part of its script";
    is_script_of(program, page).then(|| why.to_owned())
}

/// The address without a character that a shell would read as its own, since a launcher may be one
/// (`sh -c 'firefox %s'`). An `&` stays, for it separates the parameters of an address.
fn plain(url: &str) -> String {
    let host = url.find("://").map_or(0, |at| at + 3);
    let path = url[host..].find('/').map_or(url.len(), |at| host + at);
    let mut plain = url[..path].to_owned();
    for byte in url[path..].bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:/?#@&=+,%".contains(&byte) {
            plain.push(char::from(byte));
        } else {
            plain.push_str(&format!("%{byte:02X}"));
        }
    }
    plain
}

/// Whether the page would become a part of a script, in which an `&` ends a command.
fn is_script_of(program: &str, page: &str) -> bool {
    let is_script = |word: &String| word.contains("%s") && word.contains(char::is_whitespace);
    page.contains('&') && words(program, is_file).iter().any(is_script)
}

/// The page replaces `%s`, otherwise it is the last argument.
fn command(program: &str, url: &str) -> Command {
    let mut words = words(program, is_file).into_iter();
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
fn try_it(mut launcher: Command) -> Result<(), String> {
    launcher
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    without_secrets(&mut launcher);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut launcher, 0);
    let ended = launcher.status();
    let program = launcher.get_program().to_string_lossy();
    match ended {
        // Windows' Explorer ends with a failure when all is well.
        Ok(status) if status.success() || cfg!(windows) => Ok(()),
        Ok(status) => Err(format!("{program} ended with {status}")),
        Err(error) => Err(format!("cannot start {program}: {error}")),
    }
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
        assert_eq!(
            words("'/opt/My Browser/run' --profile \"my own\" '%s'"),
            ["--profile", "my own", url]
        );
        let program = command(r"/opt/My\ Browser/run", url);
        assert_eq!(program.get_program(), "/opt/My Browser/run");
    }

    #[test]
    fn nothing_of_an_address_is_a_word_of_a_shell() {
        let odd = "$`();'\"|<>\\{}![]* ^\t\n";
        let page = plain(&format!("https://vendor.example/?a={odd}&b=%24#c"));
        assert!(!page.contains(|c: char| odd.contains(c)), "{page}");
        assert!(
            page.starts_with("https://vendor.example/?a=%24%60%28"),
            "{page}"
        );
        assert!(page.ends_with("&b=%24#c"), "{page}");
        assert_eq!(plain("http://[::1]:80/a?b"), "http://[::1]:80/a?b");
        for (program, expected) in [
            ("sh -c 'echo %s'", true),
            ("firefox %s", false),
            ("app --url=%s", false),
            ("'/opt/my app' %s", false),
        ] {
            assert_eq!(is_script_of(program, "https://v.example/?a&b"), expected);
            assert!(!is_script_of(program, "https://v.example/?a"));
        }
    }
}
