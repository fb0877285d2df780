//! A response in events, and what interrupts it.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::provider::Provider;

/// How events become bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Framing {
    /// Server-sent events that are named by the `type` of their data.
    Typed,
    /// The same; each event also has a `sequence_number`.
    Numbered,
    /// Server-sent events without names.
    Data,
    /// The same; the last one is `[DONE]`.
    DataUntilDone,
    /// The elements of one JSON array.
    Array,
}

/// A response in events. The text of the model comes in `pieces`.
#[derive(Clone, Debug)]
pub(crate) struct EventStream {
    pub(crate) provider: Provider,
    pub(crate) framing: Framing,
    /// What precedes the text.
    pub(crate) opening: Vec<Value>,
    pub(crate) pieces: Vec<Value>,
    /// What follows the text.
    pub(crate) closing: Vec<Value>,
    /// Takes the place of everything that is missing if the API fails.
    pub(crate) failure: Vec<Value>,
    pub(crate) interruption: Option<Interruption>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Interruption {
    pub(crate) kind: Interrupt,
    /// How many pieces of the text precede it.
    pub(crate) after: usize,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Interrupt {
    /// The stream waits until it is released.
    Hold,
    /// The connection is closed.
    Cut,
    /// The API reports an error, and the stream ends in order.
    Error,
}

/// A step of sending a stream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Part {
    /// One event: one chunk of the body.
    Chunk(Bytes),
    Hold,
    Cut,
    /// All of the reply has been sent.
    Done,
}

impl EventStream {
    pub(crate) fn content_type(&self) -> &'static str {
        match self.framing {
            Framing::Array => "application/json; charset=utf-8",
            Framing::Typed | Framing::Numbered | Framing::Data | Framing::DataUntilDone => {
                "text/event-stream; charset=utf-8"
            }
        }
    }

    pub(crate) fn parts(&self) -> Vec<Part> {
        let mut writer = Writer::new(self.framing);
        let after = self.interruption.map_or(usize::MAX, |found| found.after);
        let (before, rest) = self.pieces.split_at(after.min(self.pieces.len()));
        writer.events(&self.opening);
        writer.events(before);
        match self.interruption.map(|found| found.kind) {
            Some(Interrupt::Cut) => {
                writer.parts.push(Part::Cut);
                return writer.parts;
            }
            Some(Interrupt::Error) => {
                writer.events(&self.failure);
                writer.end_array();
                return writer.parts;
            }
            Some(Interrupt::Hold) => writer.parts.push(Part::Hold),
            None => {}
        }
        writer.events(rest);
        writer.events(&self.closing);
        writer.end_array();
        if self.framing == Framing::DataUntilDone {
            writer.chunk("data: [DONE]\n\n".to_owned());
        }
        writer.parts.push(Part::Done);
        writer.parts
    }

    pub(super) fn bytes(&self) -> Bytes {
        let chunk = |part| match part {
            Part::Chunk(bytes) => Some(bytes),
            Part::Hold | Part::Cut | Part::Done => None,
        };
        let chunks: Vec<Bytes> = self.parts().into_iter().filter_map(chunk).collect();
        chunks.concat().into()
    }
}

struct Writer {
    framing: Framing,
    /// How many events there are.
    written: usize,
    parts: Vec<Part>,
}

impl Writer {
    fn new(framing: Framing) -> Self {
        Self {
            framing,
            written: 0,
            parts: Vec::new(),
        }
    }

    fn events<'a>(&mut self, events: impl IntoIterator<Item = &'a Value>) {
        for event in events {
            let text = self.event(event);
            self.chunk(text);
            self.written += 1;
        }
    }

    fn event(&self, event: &Value) -> String {
        let name = || event["type"].as_str().unwrap_or_default();
        match self.framing {
            Framing::Typed => format!("event: {}\ndata: {event}\n\n", name()),
            Framing::Numbered => {
                let mut numbered = event.clone();
                numbered["sequence_number"] = json!(self.written);
                format!("event: {}\ndata: {numbered}\n\n", name())
            }
            Framing::Data | Framing::DataUntilDone => format!("data: {event}\n\n"),
            Framing::Array if self.written == 0 => format!("[{event}"),
            Framing::Array => format!(",\n{event}"),
        }
    }

    fn end_array(&mut self) {
        if self.framing == Framing::Array {
            let end = if self.written == 0 { "[]" } else { "]" };
            self.chunk(end.to_owned());
        }
    }

    fn chunk(&mut self, text: String) {
        self.parts.push(Part::Chunk(text.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(framing: Framing, interruption: Option<Interruption>) -> EventStream {
        let event = |name: &str| json!({"type": name});
        EventStream {
            provider: Provider::Standard,
            framing,
            opening: vec![event("open")],
            pieces: vec![event("a"), event("b")],
            closing: vec![event("close")],
            failure: vec![event("error")],
            interruption,
        }
    }

    fn text(framing: Framing, interruption: Option<Interruption>) -> String {
        let bytes = stream(framing, interruption).bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn an_array_is_json_whole_and_after_an_error() {
        for (after, elements) in [(None, 4), (Some(0), 2), (Some(1), 3), (Some(9), 4)] {
            let kind = Interrupt::Error;
            let text = text(
                Framing::Array,
                after.map(|after| Interruption { kind, after }),
            );
            let parsed: Vec<Value> = serde_json::from_str(&text).unwrap();
            assert_eq!(parsed.len(), elements, "{after:?}");
        }
    }

    #[test]
    fn events_are_named_and_numbered_by_their_data() {
        let text = text(Framing::Numbered, None);
        let second = "event: a\ndata: {\"sequence_number\":1,\"type\":\"a\"}";
        assert_eq!(text.split("\n\n").nth(1), Some(second));
    }

    #[test]
    fn an_interruption_stands_after_as_many_pieces_as_it_names() {
        for (kind, part) in [(Interrupt::Hold, Part::Hold), (Interrupt::Cut, Part::Cut)] {
            for after in 0..4 {
                let interruption = Some(Interruption { kind, after });
                let parts = stream(Framing::Data, interruption).parts();
                let at = parts.iter().position(|found| *found == part);
                assert_eq!(at, Some(1 + after.min(2)), "{kind:?} {after}");
                let done = parts.last() == Some(&Part::Done);
                assert_eq!(done, kind == Interrupt::Hold);
            }
        }
    }
}
