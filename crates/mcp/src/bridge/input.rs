//! The lines of the agent, each of limited length.

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::mpsc;

use super::LONGEST;

/// A line without its end.
#[derive(Debug)]
pub(super) enum Line {
    Whole(Vec<u8>),
    /// More than [`LONGEST`]; its bytes are gone.
    TooLong,
}

/// Reads lines until the input ends or `lines` has no receiver.
pub(super) async fn read(mut input: impl AsyncRead + Unpin, lines: mpsc::Sender<Line>) {
    let mut line = Vec::new();
    let mut is_too_long = false;
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
            take(&mut line, &mut is_too_long, &rest[..at]);
            rest = &rest[at + 1..];
            let whole = std::mem::take(&mut line);
            if !send(&lines, whole, std::mem::take(&mut is_too_long)).await {
                return;
            }
        }
        take(&mut line, &mut is_too_long, rest);
    }
    // The last line may lack its end.
    send(&lines, line, is_too_long).await;
}

fn take(line: &mut Vec<u8>, is_too_long: &mut bool, piece: &[u8]) {
    if *is_too_long {
        return;
    }
    if line.len() + piece.len() > LONGEST {
        *is_too_long = true;
        *line = Vec::new();
    } else {
        line.extend_from_slice(piece);
    }
}

/// Returns false if there is no receiver.
async fn send(lines: &mpsc::Sender<Line>, line: Vec<u8>, is_too_long: bool) -> bool {
    let line = if is_too_long {
        Line::TooLong
    } else if line.trim_ascii().is_empty() {
        return true;
    } else {
        Line::Whole(line)
    };
    lines.send(line).await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(input: &[u8]) -> Vec<String> {
        let (sender, mut receiver) = mpsc::channel(16);
        read(input, sender).await;
        let mut found = Vec::new();
        while let Some(line) = receiver.recv().await {
            found.push(match line {
                Line::Whole(line) => String::from_utf8(line).unwrap(),
                Line::TooLong => "too long".into(),
            });
        }
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
        assert_eq!(&found[1..], ["too long", "z"]);
    }
}
