//! Server-sent events, piece by piece, as the HTML standard has them.

use std::time::Duration;

use super::LONGEST;

/// Reads the events of a stream.
#[derive(Debug, Default)]
pub(super) struct Events {
    /// The line that has begun.
    line: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    /// The `id` of the event that has begun; it counts when the event ends.
    id: Option<String>,
    last_id: Option<String>,
    retry: Option<Duration>,
    /// The last byte was a carriage return, so a line feed that follows belongs to it.
    after_return: bool,
    begun: bool,
}

/// An event is longer than [`LONGEST`].
#[derive(Debug)]
pub(super) struct TooLong;

impl Events {
    /// Reads a piece of the stream, and returns the data of the events that it completes.
    pub(super) fn push(&mut self, mut piece: &[u8]) -> Result<Vec<Vec<u8>>, TooLong> {
        let mut complete = Vec::new();
        while let Some(first) = piece.first() {
            if std::mem::take(&mut self.after_return) && *first == b'\n' {
                piece = &piece[1..];
                continue;
            }
            let end = piece.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
            let until = end.unwrap_or(piece.len());
            self.line.extend_from_slice(&piece[..until]);
            if self.begun() > LONGEST {
                return Err(TooLong);
            }
            let Some(end) = end else { break };
            self.after_return = piece[end] == b'\r';
            piece = &piece[end + 1..];
            let line = std::mem::take(&mut self.line);
            complete.extend(self.take(&line));
        }
        Ok(complete)
    }

    /// The event that the end of the stream leaves without its last, blank line. Servers forget that
    /// line; whether the event is whole, its JSON shows.
    pub(super) fn finish(&mut self) -> Option<Vec<u8>> {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            self.take(&line);
        }
        self.take(b"")
    }

    /// How many bytes the event has that has begun.
    pub(super) fn begun(&self) -> usize {
        self.line.len() + self.data.len()
    }

    /// The id of the last event that had one, to go on from.
    pub(super) fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    /// How long the server asks to wait before the next connection.
    pub(super) fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// Reads a line, and returns the event that it ends.
    fn take(&mut self, line: &[u8]) -> Option<Vec<u8>> {
        let line = match std::mem::replace(&mut self.begun, true) {
            false => line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line),
            true => line,
        };
        if line.is_empty() {
            if let Some(id) = self.id.take() {
                self.last_id = Some(id).filter(|id| !id.is_empty());
            }
            let data = std::mem::take(&mut self.data);
            return std::mem::take(&mut self.has_data).then_some(data);
        }
        let at = line.iter().position(|byte| *byte == b':');
        let (field, value) = line.split_at(at.unwrap_or(line.len()));
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
            }
            b"id" if !value.contains(&0) => {
                self.id = String::from_utf8(value.to_vec()).ok();
            }
            b"retry" => {
                let digits = std::str::from_utf8(value).ok();
                let digits = digits.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
                let millis = digits.and_then(|text| text.parse().ok());
                self.retry = millis.map(Duration::from_millis).or(self.retry);
            }
            // Comments, names and fields of the future.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]]) -> (Vec<String>, Events) {
        let mut events = Events::default();
        let mut found = Vec::new();
        for piece in pieces {
            for data in events.push(piece).unwrap() {
                found.push(String::from_utf8(data).unwrap());
            }
        }
        (found, events)
    }

    #[test]
    fn an_event_is_the_same_however_it_is_cut_and_whatever_ends_its_lines() {
        for end in ["\n", "\r", "\r\n"] {
            let stream =
                "\u{feff}: ping|event: message|id: 7|retry: 250|data: {\"a\":|data:1}||data: é||";
            let stream = stream.replace('|', end).into_bytes();
            for cut in 0..=stream.len() {
                let (first, second) = stream.split_at(cut);
                let (found, events) = read(&[first, second]);
                assert_eq!(found, ["{\"a\":\n1}", "é"], "{end:?} {cut}");
                assert_eq!(events.last_id(), Some("7"));
                assert_eq!(events.retry(), Some(Duration::from_millis(250)));
            }
        }
    }

    #[test]
    fn an_event_without_data_is_none_but_its_id_counts() {
        let (found, events) = read(&[b"id: 1\ndata\n\nid: 2\n\nid: a\0b\nretry: 1s\nid\n"]);
        assert_eq!(found, [""]);
        assert_eq!(events.last_id(), Some("2"));
        assert_eq!(events.retry(), None);
    }

    #[test]
    fn the_last_event_may_lack_its_blank_line() {
        let (found, mut events) = read(&[b"data: 1\n\ndata: 2"]);
        assert_eq!(found, ["1"]);
        assert_eq!(events.finish().as_deref(), Some(&b"2"[..]));
        assert_eq!(events.finish(), None);
    }
}
