//! The instructions of a device sign-in: its page and its code.

use llm_auth_core::provider::DeviceAuthorization;

use crate::ui::login_prompt::qr;
use crate::ui::login_prompt::size::Size;
use crate::ui::width::{columns, wrapped};

/// Columns between a QR code and the words beside it.
const GAP: usize = 3;
/// The narrowest column of words beside a QR code.
const NARROWEST: usize = 28;
/// Rows of the user code and the words on it, where it stands below a QR code.
const ROWS_OF_CODE: usize = 5;

/// Page, code, and a QR code of the page where it fits. The page stands on a line of its own,
/// whole, at any width: a terminal folds it and still copies it in one piece.
pub(crate) fn device(
    device: &DeviceAuthorization,
    size: Size,
    strong: impl Fn(&str) -> String,
) -> Vec<String> {
    let (code, plain) = (&device.user_code, &device.verification_uri);
    let complete = device.verification_uri_complete.is_some();
    let compare = if complete {
        "Approve only if it shows this code:"
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
        if columns(&one_line) < size.width {
            end.push(one_line);
        } else {
            end.extend(["Or enter it at".to_owned(), plain.clone()]);
        }
    }
    end.push(String::new());
    let mut lines = vec![String::new()];
    lines.extend(wrapped("Open this page in a browser:", size.width));
    lines.extend([String::new(), page.to_owned()]);
    match picture(page, size, end.len()) {
        Some(Picture::Beside { width, lines: rows }) => {
            let beside = size.width - width - GAP;
            words.extend(wrapped("Or scan this with a phone.", beside));
            words.push(String::new());
            words.extend(wrapped(compare, beside));
            words.extend([String::new(), code_line]);
            lines.extend(side_by_side(&rows, &words));
        }
        Some(Picture::Above { lines: rows }) => {
            lines.extend(rows);
            lines.extend(wrapped(compare, size.width));
            lines.extend([String::new(), code_line, String::new()]);
        }
        None => {
            lines.push(String::new());
            lines.extend(wrapped(compare, size.width));
            lines.extend([String::new(), code_line]);
            if complete {
                lines.push(String::new());
            }
        }
    }
    lines.extend(end);
    lines
}

/// A QR code where it fits, with the page and the user code in sight.
enum Picture {
    Above { lines: Vec<String> },
    Beside { width: usize, lines: Vec<String> },
}

/// `below` is how many lines come after it.
fn picture(uri: &str, size: Size, below: usize) -> Option<Picture> {
    if !size.blocks {
        return None;
    }
    let width = columns(qr::lines(uri, false)?.first()?);
    let lines = qr::lines(uri, size.colour)?;
    let page = columns(uri).div_ceil(size.width.max(1));
    // The line that changes stands last.
    let height = page + lines.len() + below + 1;
    if width + GAP + NARROWEST <= size.width && height <= size.height {
        return Some(Picture::Beside { width, lines });
    }
    let fits = width < size.width && height + ROWS_OF_CODE <= size.height;
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

#[cfg(test)]
mod tests {
    use super::*;

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
