//! The instructions of a sign-in in the browser: its page, and how the response comes back.

use std::net::{Ipv4Addr, SocketAddr};

use crate::system::location::Location;
use crate::ui::login_prompt::size::Size;
use crate::ui::width::wrapped;

/// What else can be done where the browser does not reach this computer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallbackHelp<'a> {
    pub(crate) location: &'a Location,
    pub(crate) redirect_uri: &'a str,
    pub(crate) paste: Paste,
}

/// Whether the answer can be given by standard input.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Paste {
    ByHand { hidden: bool },
    FromPipe,
    Never,
}

pub(crate) fn authorization(url: &str, help: CallbackHelp<'_>, size: Size) -> Vec<String> {
    let mut lines = vec![String::new()];
    let say = |lines: &mut Vec<String>, text: &str| lines.extend(wrapped(text, size.width));
    say(&mut lines, "Open this page in a browser:");
    lines.extend([String::new(), url.to_owned(), String::new()]);
    if help.location.is_remote() {
        from_afar(&mut lines, help, size);
    } else {
        say(
            &mut lines,
            &format!(
                "After you approve, your browser is redirected to {}.",
                help.redirect_uri
            ),
        );
        if let Paste::ByHand { .. } = help.paste {
            say(
                &mut lines,
                "If the browser ends on a page that cannot be reached, paste the address of that \
                 page here and press Enter.",
            );
        }
    }
    lines.push(String::new());
    lines
}

/// One way for the answer, and the command that it takes.
struct Way {
    words: String,
    command: Option<String>,
}

fn from_afar(lines: &mut Vec<String>, help: CallbackHelp<'_>, size: Size) {
    let ways = ways(help);
    let many = ways.len() > 1;
    let text = format!(
        "After you approve, your browser is redirected to {}, an address on this computer, so the \
         page will not load on yours.{}",
        help.redirect_uri,
        if many {
            " Finish in one of two ways:"
        } else {
            ""
        }
    );
    lines.extend(wrapped(&text, size.width));
    lines.push(String::new());
    for (at, way) in ways.iter().enumerate() {
        let mark = if many {
            format!("{}. ", at + 1)
        } else {
            String::new()
        };
        let indent = mark.len();
        let words = wrapped(&way.words, size.width.saturating_sub(indent));
        for (row, line) in words.iter().enumerate() {
            let mark = if row == 0 { mark.as_str() } else { "" };
            lines.push(format!("{mark:indent$}{line}"));
        }
        // It stands whole on a line of its own, as a page does.
        if let Some(command) = &way.command {
            lines.extend([String::new(), command.clone()]);
        }
    }
}

fn ways(help: CallbackHelp<'_>) -> Vec<Way> {
    let mut ways = Vec::new();
    let mut add = |words, command| ways.push(Way { words, command });
    match help.paste {
        Paste::ByHand { hidden } => add(
            format!(
                "Copy that page's address anyway, paste it here and press Enter{}. The code alone \
                 is enough.",
                if hidden { " (input is hidden)" } else { "" }
            ),
            None,
        ),
        Paste::FromPipe => add(
            "Send its address to the standard input of this program.".to_owned(),
            None,
        ),
        Paste::Never => {}
    }
    let before = match help.paste {
        Paste::Never => "Before",
        _ => "Or, before",
    };
    let Some(address) = address_of(help.redirect_uri) else {
        return ways;
    };
    let port = address.port();
    ways.push(match &help.location.ssh {
        Some(ssh) => Way {
            words: format!(
                "{before} you open the page, run this on your own computer, with the host name \
                 that you use for this one:"
            ),
            command: Some(ssh.tunnel(address)),
        },
        None => Way {
            words: format!(
                "{before} you open the page, forward port {port} of your own computer to this one."
            ),
            command: None,
        },
    });
    ways
}

/// The loopback address in a redirect URI. By the name `localhost`, IPv4 listens at least.
fn address_of(redirect_uri: &str) -> Option<SocketAddr> {
    let rest = redirect_uri.strip_prefix("http://")?;
    let authority = rest.split(['/', '?']).next()?;
    match authority.strip_prefix("localhost:") {
        Some(port) => Some((Ipv4Addr::LOCALHOST, port.parse().ok()?).into()),
        None => authority.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::location::Ssh;
    use crate::ui::width::columns;

    const URL: &str = "https://accounts.example.com/o/oauth2/v2/auth?response_type=code&client_id=made-up&state=made-up-state&code_challenge=made-up-challenge";

    fn size(width: usize, height: usize) -> Size {
        Size {
            width,
            height,
            blocks: false,
            colour: false,
        }
    }

    fn help(location: &Location) -> CallbackHelp<'_> {
        CallbackHelp {
            location,
            redirect_uri: "http://127.0.0.1:4711/oauth2callback",
            paste: Paste::ByHand { hidden: true },
        }
    }

    #[test]
    fn the_url_stands_whole_on_its_line_in_any_width() {
        let location = Location::default();
        for width in [20, 40, 80, usize::MAX] {
            let lines = authorization(URL, help(&location), size(width, 24));
            assert_eq!(lines.iter().filter(|line| *line == URL).count(), 1);
            for line in lines.iter().filter(|line| line.contains(' ')) {
                assert!(line.starts_with("ssh ") || columns(line) < width, "{line}");
            }
        }
    }

    #[test]
    fn from_afar_both_ways_back_are_told() {
        let mut location = Location {
            ssh: Some(Ssh::default()),
            ..Location::default()
        };
        let text = authorization(URL, help(&location), size(80, 24)).join("\n");
        assert!(text.contains("paste") && text.contains("ssh -N -L 4711:127.0.0.1:4711"));
        location.ssh = None;
        let text = authorization(URL, help(&location), size(80, 24)).join("\n");
        assert!(text.contains("paste") && text.contains("forward port 4711"));
    }

    #[test]
    fn at_a_desk_the_tunnel_is_no_topic() {
        let location = Location {
            display: true,
            ..Location::default()
        };
        let text = authorization(URL, help(&location), size(80, 24)).join("\n");
        assert!(!text.contains("ssh") && text.contains("paste"));
    }
}
