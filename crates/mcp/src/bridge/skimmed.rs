//! The id of a request that is too long to be kept.

use super::id::Id;

/// The longest id that is kept.
const LONGEST: usize = 1024;

/// Reads a message byte by byte, and keeps only what tells whether it is a request, and which. It is
/// only asked about text that is thrown away, so a malformed message may give anything.
#[derive(Debug, Default)]
pub(super) struct Skimmed {
    depth: usize,
    in_string: bool,
    is_escaped: bool,
    /// The current name or value at the top level.
    text: Vec<u8>,
    name: Vec<u8>,
    id: Option<Vec<u8>>,
    has_method: bool,
}

impl Skimmed {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.take(*byte);
        }
    }

    /// The id, if the text was a request.
    pub(super) fn request(self) -> Option<Id> {
        let id = self.id.filter(|_| self.has_method)?;
        Id::read(std::str::from_utf8(&id).ok()?)
    }

    fn take(&mut self, byte: u8) {
        if self.in_string {
            self.keep(byte);
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return;
        }
        match byte {
            b'"' => {
                self.in_string = true;
                self.keep(byte);
            }
            b'{' | b'[' => self.depth += 1,
            b':' if self.depth == 1 => self.name = std::mem::take(&mut self.text),
            b',' | b'}' | b']' => {
                if self.depth == 1 {
                    self.end_member();
                }
                if byte != b',' {
                    self.depth = self.depth.saturating_sub(1);
                }
            }
            b' ' | b'\t' | b'\r' => {}
            _ => self.keep(byte),
        }
    }

    fn keep(&mut self, byte: u8) {
        if self.depth == 1 && self.text.len() < LONGEST {
            self.text.push(byte);
        }
    }

    fn end_member(&mut self) {
        let value = std::mem::take(&mut self.text);
        match std::mem::take(&mut self.name).as_slice() {
            b"\"id\"" => self.id = Some(value),
            b"\"method\"" => self.has_method = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Option<String> {
        let mut skimmed = Skimmed::default();
        for byte in text.as_bytes() {
            skimmed.push(&[*byte]);
        }
        skimmed.request().map(|id| id.to_string())
    }

    #[test]
    fn the_id_of_a_request_is_found_wherever_it_stands() {
        for (text, found) in [
            (r#"{"id":7,"method":"x","params":{"id":8}}"#, Some("7")),
            (
                r#"{"params":{"id":8,"a":[{"id":9}]}, "method" : "x" , "id" : -7 }"#,
                Some("-7"),
            ),
            (
                r#"{"params":"\",\"id\":9,\"","id":"a\"}","method":"x"}"#,
                Some(r#""a\"}""#),
            ),
            (r#"{"id":7,"result":{"method":"x"}}"#, None),
            (r#"{"method":"x","params":{"id":1}}"#, None),
            (r#"{"method":"x","id":{}}"#, None),
            ("nonsense}}]],{\"", None),
        ] {
            assert_eq!(id(text).as_deref(), found, "{text}");
        }
    }
}
