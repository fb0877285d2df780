//! A response that is a stream of events.

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt as _, TryStreamExt as _, try_unfold};
use rmcp::transport::streamable_http_client::SseError;
use sse_stream::{Sse, SseStream};

use crate::http::StreamedResponse;
use crate::{Error, ErrorKind, Result};

/// The events of a response, each of at most this many bytes.
pub(super) fn of(
    response: StreamedResponse,
    longest: usize,
) -> BoxStream<'static, std::result::Result<Sse, SseError>> {
    let pieces = try_unfold((response, Size::new(longest)), next);
    SseStream::from_bytes_stream(pieces.into_stream()).boxed()
}

async fn next(
    (mut response, mut size): (StreamedResponse, Size),
) -> Result<Option<(Bytes, (StreamedResponse, Size))>> {
    let mut piece = Vec::new();
    if response.read(&mut piece).await? == 0 {
        return Ok(None);
    }
    size.add(&piece)?;
    Ok(Some((piece.into(), (response, size))))
}

/// Counts the bytes of the event that has begun.
#[derive(Debug)]
struct Size {
    longest: usize,
    event: usize,
    /// The line that has begun is empty so far.
    is_blank: bool,
    /// The last byte was a carriage return, so a line feed that follows belongs to it.
    after_return: bool,
}

impl Size {
    fn new(longest: usize) -> Self {
        Self {
            longest,
            event: 0,
            is_blank: true,
            after_return: false,
        }
    }

    fn add(&mut self, piece: &[u8]) -> Result<()> {
        for byte in piece {
            self.event += 1;
            match byte {
                b'\n' if self.after_return => {}
                b'\n' | b'\r' if self.is_blank => self.event = 0,
                b'\n' | b'\r' => self.is_blank = true,
                _ => self.is_blank = false,
            }
            self.after_return = *byte == b'\r';
            if self.event > self.longest {
                let message = format!("an event is longer than {} bytes", self.longest);
                return Err(Error::new(ErrorKind::Protocol, message));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_may_be_as_long_as_the_limit_however_its_lines_end_and_however_it_is_cut() {
        for end in ["\n", "\r", "\r\n"] {
            let event = format!("data: 12345{end}{end}");
            let three = event.repeat(3).into_bytes();
            for cut in 0..=three.len() {
                let (first, second) = three.split_at(cut);
                let mut size = Size::new(event.len());
                size.add(first).unwrap();
                size.add(second).unwrap();
            }
            let mut size = Size::new(event.len() - 2 * end.len() - 1);
            size.add(&three).unwrap_err();
        }
    }
}
