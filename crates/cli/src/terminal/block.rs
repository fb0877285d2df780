//! What stands in the terminal while a person signs in, as lines.

use std::net::SocketAddr;

use llm_auth_core::DeviceAuthorization;

use super::qr;
use crate::place::{Place, Ssh};
use crate::screen::Screen;

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
/// Rows of the user code and the words on it, where it stands below a QR code.
const ROWS_OF_CODE: usize = 5;

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
    let mut words = Vec::new();
    let page = device.best_uri();
    let mut end = Vec::new();
    if complete {
        let one_line = format!("Or enter it at {plain}");
        if columns(&one_line) < room.width {
            end.push(one_line);
        } else {
            end.extend(["Or enter it at".to_owned(), plain.clone()]);
        }
    }
    end.push(String::new());
    let mut lines = vec![String::new()];
    lines.extend(wrapped("Open this page in a browser:", room.width));
    lines.extend([String::new(), page.to_owned()]);
    match picture(page, room, end.len()) {
        Some(Picture::Beside { width, lines: rows }) => {
            let beside = room.width - width - GAP;
            words.extend(wrapped("Or scan this with a phone.", beside));
            words.push(String::new());
            words.extend(wrapped(compare, beside));
            words.extend([String::new(), code_line]);
            lines.extend(side_by_side(&rows, &words));
        }
        Some(Picture::Above { lines: rows }) => {
            lines.extend(rows);
            lines.extend(wrapped(compare, room.width));
            lines.extend([String::new(), code_line, String::new()]);
        }
        None => {
            lines.push(String::new());
            lines.extend(wrapped(compare, room.width));
            lines.extend([String::new(), code_line]);
            if complete {
                lines.push(String::new());
            }
        }
    }
    lines.extend(end);
    lines
}

/// What else can be done where the browser does not reach this computer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WaysBack<'a> {
    pub(crate) place: &'a Place,
    pub(crate) redirect_uri: &'a str,
    pub(crate) paste: Paste,
}

/// Whether the answer can be given by standard input.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Paste {
    ByHand { unseen: bool },
    FromPipe,
    Never,
}

pub(crate) fn authorization(url: &str, back: WaysBack<'_>, room: Room) -> Vec<String> {
    let mut lines = vec![String::new()];
    let say = |lines: &mut Vec<String>, text: &str| lines.extend(wrapped(text, room.width));
    say(&mut lines, "Open this page in a browser:");
    lines.extend([String::new(), url.to_owned(), String::new()]);
    if back.place.is_remote() {
        from_afar(&mut lines, back, room);
    } else {
        say(
            &mut lines,
            &format!("The answer comes back to {}.", back.redirect_uri),
        );
        if let Paste::ByHand { .. } = back.paste {
            say(
                &mut lines,
                "Should the browser end on a page that cannot be reached, paste the address of that \
                 page here and press Enter.",
            );
        }
    }
    lines.push(String::new());
    lines
}

fn from_afar(lines: &mut Vec<String>, back: WaysBack<'_>, room: Room) {
    let mut say = |text: &str| lines.extend(wrapped(text, room.width));
    let (uri, by_paste) = (back.redirect_uri, back.paste != Paste::Never);
    let finish = if by_paste {
        " Finish in one of two ways:"
    } else {
        ""
    };
    say(&format!(
        "In the end the browser goes to {uri}, which means this computer: on yours, that page does \
         not load.{finish}"
    ));
    match back.paste {
        Paste::ByHand { unseen } => say(&format!(
            "1. Copy its address all the same, paste it here and press Enter{}. The code in it alone \
             will do too.",
            if unseen { " (it is not shown)" } else { "" }
        )),
        Paste::FromPipe => say("1. Send its address to the standard input of this program."),
        Paste::Never => {}
    }
    let number = if by_paste { "2. Or, before" } else { "Before" };
    let Some(address) = address_of(uri) else {
        return;
    };
    match back.place.ssh.as_ref().map(|ssh: &Ssh| ssh.tunnel(address)) {
        Some(tunnel) => {
            say(&format!(
                "{number} you open the page, run this on your own computer, with the name by which \
                 you reach this one:"
            ));
            lines.extend([String::new(), tunnel]);
        }
        None => say(&format!(
            "{number} you open the page, forward port {} of your own computer to here.",
            address.port()
        )),
    }
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

/// A QR code where it fits, with the page and the user code in sight.
enum Picture {
    Above { lines: Vec<String> },
    Beside { width: usize, lines: Vec<String> },
}

/// `below` is how many lines come after it.
fn picture(uri: &str, room: Room, below: usize) -> Option<Picture> {
    if !room.blocks {
        return None;
    }
    let width = columns(qr::lines(uri, false)?.first()?);
    let lines = qr::lines(uri, room.colour)?;
    let page = columns(uri).div_ceil(room.width.max(1));
    // The line that changes stands last.
    let height = page + lines.len() + below + 1;
    if width + GAP + NARROWEST <= room.width && height <= room.height {
        return Some(Picture::Beside { width, lines });
    }
    let fits = width < room.width && height + ROWS_OF_CODE <= room.height;
    fits.then_some(Picture::Above { lines })
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

/// The loopback address in a redirect URI.
fn address_of(redirect_uri: &str) -> Option<SocketAddr> {
    let rest = redirect_uri.strip_prefix("http://")?;
    rest.split('/').next()?.parse().ok()
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
            paste: Paste::ByHand { unseen: true },
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
        assert!(text.contains("paste") && text.contains("forward port 4711"));
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
