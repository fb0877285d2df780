//! What stands in the terminal while a person signs in, as lines.

use llm_auth_core::DeviceAuthorization;

use super::qr;
use super::screen::Screen;
use crate::place::{Place, Ssh};

/// How much room there is for lines, and of which kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) blocks: bool,
    pub(crate) colour: bool,
}

/// Columns between a QR code and the words beside it.
const GAP: usize = 3;
/// The narrowest column of words beside a QR code.
const NARROWEST: usize = 28;
/// Rows that a code must leave: the page, the plain page, the line that changes, and space.
const ROWS_BESIDE: usize = 4;

impl Room {
    pub(crate) fn of(screen: &Screen) -> Self {
        let (width, height) = screen.size().unwrap_or((usize::MAX, 0));
        Self {
            width,
            height,
            blocks: screen.has_blocks(),
            colour: screen.has_colour(),
        }
    }
}

/// Page, code, and a QR code of the page where it fits. The page stands on a line of its own,
/// whole, whatever the width: a terminal folds it and still copies it in one piece.
pub(crate) fn device(
    device: &DeviceAuthorization,
    room: Room,
    strong: impl Fn(&str) -> String,
) -> Vec<String> {
    let (code, plain) = (&device.user_code, &device.verification_uri);
    let complete = device.verification_uri_complete.is_some();
    let compare = if complete {
        "It must show this code; approve it only then:"
    } else {
        "Enter or compare this code there:"
    };
    let code_line = match grouped(code) {
        Some(groups) => format!("    {}   ({groups})", strong(code)),
        None => format!("    {}", strong(code)),
    };
    let mut lines = wrapped("Open this page in a browser:", room.width);
    lines.extend([String::new(), device.best_uri().to_owned()]);
    match picture(device.best_uri(), room) {
        Some((width, picture)) => {
            let beside = room.width - width - GAP;
            let mut words = wrapped("Or scan this with a phone.", beside);
            words.push(String::new());
            words.extend(wrapped(compare, beside));
            words.extend([String::new(), code_line]);
            lines.extend(side_by_side(&picture, &words));
        }
        None => {
            lines.push(String::new());
            lines.extend(wrapped(compare, room.width));
            lines.extend([String::new(), code_line, String::new()]);
        }
    }
    if complete {
        let one_line = format!("Or enter it at {plain}");
        if columns(&one_line) < room.width {
            lines.push(one_line);
        } else {
            lines.extend(["Or enter it at".to_owned(), plain.clone()]);
        }
    }
    lines.push(String::new());
    lines
}

/// What else can be done where the browser does not reach this computer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WaysBack<'a> {
    pub(crate) place: &'a Place,
    pub(crate) redirect_uri: &'a str,
    /// Standard input is a terminal, so that a person can paste.
    pub(crate) paste: bool,
}

pub(crate) fn authorization(url: &str, back: WaysBack<'_>, room: Room) -> Vec<String> {
    let mut lines = wrapped("Open this page in a browser:", room.width);
    lines.extend([String::new(), url.to_owned(), String::new()]);
    let say = |lines: &mut Vec<String>, text: &str| lines.extend(wrapped(text, room.width));
    if !back.place.is_remote() {
        say(
            &mut lines,
            &format!("The answer comes back to {}.", back.redirect_uri),
        );
        if back.paste {
            say(
                &mut lines,
                "Should the browser end on a page that cannot be reached: paste the address of \
                 that page here and press Enter.",
            );
        }
        lines.push(String::new());
        return lines;
    }
    say(
        &mut lines,
        &format!(
            "In the end the browser goes to {}, which is this computer, not the one before you. \
             So either",
            back.redirect_uri
        ),
    );
    lines.push(String::new());
    say(
        &mut lines,
        "* paste the address of the page that it ends on (or the code alone) here, and press \
         Enter; what you paste is not shown. That the page cannot be reached does not matter.",
    );
    if let Some(port) = port_of(back.redirect_uri) {
        let tunnel = back.place.ssh.as_ref().map(|ssh: &Ssh| ssh.tunnel(port));
        match tunnel {
            Some(tunnel) => {
                say(
                    &mut lines,
                    "* or first let it through, by this command before you:",
                );
                lines.extend([String::new(), tunnel]);
            }
            None => say(
                &mut lines,
                &format!("* or let port {port} through to here first."),
            ),
        }
    }
    lines.push(String::new());
    lines
}

/// Words on lines that are no longer than the width, unless a word is.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if columns(line) + 1 + columns(word) < width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The code's width and lines, if it fits beside the words and leaves the page in sight.
fn picture(uri: &str, room: Room) -> Option<(usize, Vec<String>)> {
    if !room.blocks {
        return None;
    }
    let width = columns(qr::lines(uri, false)?.first()?);
    let lines = qr::lines(uri, room.colour)?;
    let fits = width + GAP + NARROWEST <= room.width && lines.len() + ROWS_BESIDE <= room.height;
    fits.then_some((width, lines))
}

fn side_by_side(picture: &[String], words: &[String]) -> Vec<String> {
    let above = picture.len().saturating_sub(words.len()) / 2;
    let beside = |row: usize| row.checked_sub(above).and_then(|at| words.get(at));
    picture
        .iter()
        .enumerate()
        .map(|(row, line)| match beside(row) {
            Some(word) if !word.is_empty() => format!("{line}{:GAP$}{word}", ""),
            _ => line.clone(),
        })
        .collect()
}

/// A long code without groups of its own in groups of four, for reading aloud.
fn grouped(code: &str) -> Option<String> {
    let plain = code.len() >= 8 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    plain.then(|| {
        let groups: Vec<&str> = (0..code.len())
            .step_by(4)
            .map(|at| &code[at..code.len().min(at + 4)])
            .collect();
        groups.join(" ")
    })
}

fn columns(text: &str) -> usize {
    console::measure_text_width(text)
}

/// The port of a loopback address.
fn port_of(redirect_uri: &str) -> Option<u16> {
    let rest = redirect_uri.strip_prefix("http://")?;
    let authority = rest.split('/').next()?;
    authority.rsplit(':').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://accounts.example.com/o/oauth2/v2/auth?response_type=code&client_id=made-up&state=made-up-state&code_challenge=made-up-challenge";

    fn room(width: usize, height: usize) -> Room {
        Room {
            width,
            height,
            blocks: false,
            colour: false,
        }
    }

    fn back(place: &Place) -> WaysBack<'_> {
        WaysBack {
            place,
            redirect_uri: "http://127.0.0.1:4711/oauth2callback",
            paste: true,
        }
    }

    #[test]
    fn the_url_stands_whole_on_its_line_in_any_width() {
        let place = Place::default();
        for width in [20, 40, 80, usize::MAX] {
            let lines = authorization(URL, back(&place), room(width, 24));
            assert_eq!(lines.iter().filter(|line| *line == URL).count(), 1);
            for line in lines.iter().filter(|line| line.contains(' ')) {
                assert!(line.starts_with("ssh ") || columns(line) < width, "{line}");
            }
        }
    }

    #[test]
    fn from_afar_both_ways_back_are_told() {
        let mut place = Place {
            ssh: Some(Ssh::default()),
            ..Place::default()
        };
        let text = authorization(URL, back(&place), room(80, 24)).join("\n");
        assert!(text.contains("paste") && text.contains("ssh -N -L 4711:127.0.0.1:4711"));
        place.ssh = None;
        let text = authorization(URL, back(&place), room(80, 24)).join("\n");
        assert!(text.contains("paste") && text.contains("let port 4711 through"));
    }

    #[test]
    fn at_a_desk_the_tunnel_is_no_topic() {
        let place = Place {
            display: true,
            ..Place::default()
        };
        let text = authorization(URL, back(&place), room(80, 24)).join("\n");
        assert!(!text.contains("ssh") && text.contains("paste"));
    }

    #[test]
    fn a_code_without_groups_is_shown_for_copying_and_for_reading() {
        assert_eq!(grouped("MADEUPCODE").as_deref(), Some("MADE UPCO DE"));
        assert_eq!(grouped("MADE-UP"), None);
        assert_eq!(grouped("SHORT"), None);
    }

    #[test]
    fn words_beside_a_picture_are_centred() {
        let picture: Vec<String> = (0..5).map(|row| format!("[{row}]")).collect();
        let lines = side_by_side(&picture, &["a".into(), "b".into()]);
        assert_eq!(lines, ["[0]", "[1]   a", "[2]   b", "[3]", "[4]"]);
    }
}
