//! What keys and pastes send, put together to texts: the terminal itself would do that by lines of
//! 4,095 bytes at most.
//!
//! See decision 0045.

use llm_auth_core::Secret;

/// What no address comes near.
const LONGEST: usize = 64 * 1024;
const LONGEST_SEQUENCE: usize = 32;

const CTRL_D: u8 = 0x04;
const BACKSPACE: [u8; 2] = [0x08, 0x7f];
const CTRL_U: u8 = 0x15;
const CTRL_W: u8 = 0x17;
const ESCAPE: u8 = 0x1b;

/// A text that comes byte by byte.
#[derive(Debug, Default)]
pub(super) struct Typed {
    text: Vec<u8>,
    /// A sequence of a key, or the mark of a paste, from its escape on.
    sequence: Vec<u8>,
    is_paste: bool,
}

impl Typed {
    /// Takes a byte in; the text, if that ends it at once.
    pub(super) fn take(&mut self, byte: u8) -> Option<Secret> {
        if !self.sequence.is_empty() {
            self.go_on(byte);
            return None;
        }
        match byte {
            ESCAPE => self.sequence.push(byte),
            b'\r' | b'\n' => self.push(b'\n'),
            _ if self.is_paste => self.push(byte),
            // As a terminal has it: what is there counts, and of nothing nothing comes.
            CTRL_D if !self.text.is_empty() => return self.complete(),
            CTRL_U => self.text.clear(),
            CTRL_W => self.erase_while(|byte| !byte.is_ascii_whitespace()),
            _ if BACKSPACE.contains(&byte) => {
                // A letter of several bytes goes whole.
                self.erase_while(|byte| byte & 0b1100_0000 == 0b1000_0000);
                self.text.pop();
            }
            0..0x20 if byte != b'\t' => {}
            _ => self.push(byte),
        }
        None
    }

    /// Whether the text ends with a line, so that it is whole unless more comes at once.
    pub(super) fn may_be_complete(&self) -> bool {
        !self.is_paste && self.sequence.is_empty() && self.text.last() == Some(&b'\n')
    }

    /// The text, which begins again; `None` if there is nothing in it.
    pub(super) fn complete(&mut self) -> Option<Secret> {
        let text = std::mem::take(&mut self.text);
        let text = String::from_utf8_lossy(&text).trim().to_owned();
        (!text.is_empty()).then(|| Secret::from(text))
    }

    fn push(&mut self, byte: u8) {
        // The end of a line counts also where the line is too long.
        if self.text.len() < LONGEST || byte == b'\n' && self.text.last() != Some(&byte) {
            self.text.push(byte);
        }
    }

    fn erase_while(&mut self, is_part: fn(u8) -> bool) {
        while self.text.last().is_some_and(|byte| is_part(*byte)) {
            self.text.pop();
        }
    }

    /// Of sequences only the marks of a paste mean anything here.
    fn go_on(&mut self, byte: u8) {
        self.sequence.push(byte);
        let is_whole = match self.sequence.len() {
            2 => ![b'[', b'O'].contains(&byte),
            3.. => (0x40..0x7f).contains(&byte) || self.sequence.len() > LONGEST_SEQUENCE,
            _ => false,
        };
        if is_whole {
            match self.sequence.as_slice() {
                b"\x1b[200~" => self.is_paste = true,
                b"\x1b[201~" => self.is_paste = false,
                _ => {}
            }
            self.sequence.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &str) -> Typed {
        let mut typed = Typed::default();
        for byte in keys.bytes() {
            assert!(typed.take(byte).is_none(), "{keys:?}");
        }
        typed
    }

    fn text(keys: &str) -> Option<String> {
        let mut typed = typed(keys);
        assert!(typed.may_be_complete(), "{keys:?}");
        typed.complete().map(|text| text.expose().to_owned())
    }

    #[test]
    fn keys_that_edit_do_so() {
        for (keys, expected) in [
            ("abc\n", "abc"),
            ("abc\r", "abc"),
            ("abx\u{7f}c\n", "abc"),
            ("ab\u{fc}\u{7f}c\n", "abc"),
            ("abx\u{8}c\n", "abc"),
            ("\u{7f}abc\n", "abc"),
            ("nonsense\u{15}abc\n", "abc"),
            ("abc nonsense\u{17}\n", "abc"),
            ("ab\u{1b}[Dc\u{1b}OA\n", "abc"),
            ("ab\u{1b}[1;5Cc\n", "abc"),
            ("a\u{3}b\u{1}c\n", "abc"),
        ] {
            assert_eq!(text(keys).as_deref(), Some(expected), "{keys:?}");
        }
    }

    #[test]
    fn the_end_of_an_input_ends_a_text_and_of_nothing_it_ends_nothing() {
        let mut nothing = typed("\u{4}\u{4}");
        assert!(!nothing.may_be_complete() && nothing.complete().is_none());
        let mut some = typed("abc");
        assert_eq!(some.take(CTRL_D).unwrap().expose(), "abc");
        assert_eq!(text("\n"), None);
    }

    #[test]
    fn a_paste_is_whole_only_at_its_end() {
        let mut paste = typed("\u{1b}[200~one\rtwo\u{4}\r");
        assert!(!paste.may_be_complete());
        for byte in "\u{1b}[201~".bytes() {
            assert!(paste.take(byte).is_none());
        }
        assert!(paste.may_be_complete());
        assert_eq!(paste.complete().unwrap().expose(), "one\ntwo\u{4}");
        assert!(!typed("\u{1b}[200~one\u{1b}[201~").may_be_complete());
    }

    #[test]
    fn more_than_a_terminal_takes_by_lines_is_taken_and_not_all_that_ever_comes() {
        let long = "x".repeat(20_000);
        assert_eq!(text(&format!("{long}\n")), Some(long));
        let endless = typed(&format!("{}\n", "x".repeat(LONGEST * 2)));
        assert!(endless.may_be_complete() && endless.text.len() == LONGEST + 1);
    }
}
