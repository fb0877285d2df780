//! The lines of the agent, each of limited length.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::LONGEST;
use super::id::Id;
use super::skimmed::Skimmed;

/// What each line takes of the room for those that wait, beside its bytes.
const OVERHEAD: usize = 128;

/// A line, and its room among those that wait: [`LONGEST`] bytes in all. They are not counted in
/// lines, because the end of the input is only seen once all of them wait.
pub(super) type Waiting = (Line, OwnedSemaphorePermit);

/// A line without its end.
#[derive(Debug)]
pub(super) enum Line {
    Whole(Vec<u8>),
    /// More than [`LONGEST`]; its bytes are gone. The id, if it was a request.
    TooLong(Option<Id>),
}

/// Reads lines until the input ends or `lines` has no receiver.
pub(super) async fn read(mut input: impl AsyncRead + Unpin, lines: mpsc::UnboundedSender<Waiting>) {
    let room = Arc::new(Semaphore::new(LONGEST));
    let mut begun = Begun::default();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = match input.read(&mut buffer).await {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) => {
                tracing::warn!(%error, "cannot read the agent's messages");
                break;
            }
        };
        let mut rest = &buffer[..read];
        while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
            begun.push(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(line) = std::mem::take(&mut begun).end()
                && !send(line, &lines, &room).await
            {
                return;
            }
        }
        begun.push(rest);
    }
    // The last line may lack its end.
    if let Some(line) = begun.end() {
        // Without a receiver, the bridge is ending.
        let _ending = send(line, &lines, &room).await;
    }
}

/// Returns false if there is no receiver.
async fn send(line: Line, lines: &mpsc::UnboundedSender<Waiting>, room: &Arc<Semaphore>) -> bool {
    let bytes = match &line {
        Line::Whole(bytes) => bytes.len() + OVERHEAD,
        Line::TooLong(_) => OVERHEAD,
    };
    let bytes = u32::try_from(bytes.min(LONGEST)).unwrap_or(u32::MAX);
    match Arc::clone(room).acquire_many_owned(bytes).await {
        Ok(room) => lines.send((line, room)).is_ok(),
        Err(_closed) => false,
    }
}

/// A line that has begun.
#[derive(Debug)]
enum Begun {
    Kept(Vec<u8>),
    TooLong(Skimmed),
}

impl Default for Begun {
    fn default() -> Self {
        Self::Kept(Vec::new())
    }
}

impl Begun {
    fn push(&mut self, piece: &[u8]) {
        match self {
            Self::Kept(line) if line.len() + piece.len() > LONGEST => {
                let mut skimmed = Skimmed::default();
                skimmed.push(line);
                skimmed.push(piece);
                *self = Self::TooLong(skimmed);
            }
            Self::Kept(line) => line.extend_from_slice(piece),
            Self::TooLong(skimmed) => skimmed.push(piece),
        }
    }

    /// The line, unless it is blank.
    fn end(self) -> Option<Line> {
        match self {
            Self::Kept(line) if line.trim_ascii().is_empty() => None,
            Self::Kept(line) => Some(Line::Whole(line)),
            Self::TooLong(skimmed) => Some(Line::TooLong(skimmed.request())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(input: &[u8]) -> Vec<String> {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let mut found = Vec::new();
        let taking = async {
            while let Some((line, _room)) = receiver.recv().await {
                found.push(match line {
                    Line::Whole(line) => String::from_utf8(line).unwrap(),
                    Line::TooLong(id) => format!("too long {id:?}"),
                });
            }
        };
        tokio::join!(read(input, sender), taking);
        found
    }

    #[tokio::test]
    async fn lines_come_without_their_ends_and_blank_ones_are_skipped() {
        assert_eq!(lines(b"a\r\n\n  \nb\nc").await, ["a\r", "b", "c"]);
        assert!(lines(b"").await.is_empty());
    }

    #[tokio::test]
    async fn a_line_beyond_the_bound_is_dropped_and_the_next_one_is_read() {
        let mut input = vec![b'x'; LONGEST];
        input.extend_from_slice(b"\n");
        input.resize(2 * LONGEST + 2, b'y');
        input.extend_from_slice(b"\nz\n");
        let found = lines(&input).await;
        assert_eq!(found.len(), 3);
        assert_eq!(found[0].len(), LONGEST);
        assert_eq!(&found[1..], ["too long None", "z"]);
    }
}
