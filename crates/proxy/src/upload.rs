//! The body of a request, which passes piece by piece and, as long as it is small, can be sent once
//! more.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::Instant;

/// The longest body that is kept for a second attempt: 8 MiB.
pub(crate) const LONGEST: usize = 8 * 1024 * 1024;

/// What all requests together may keep: 64 MiB.
const ROOM: usize = 64 * 1024 * 1024;

/// The memory for copies of bodies, which all requests of a proxy share.
#[derive(Clone, Debug)]
pub(crate) struct Room(Arc<AtomicUsize>);

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(AtomicUsize::new(ROOM)))
    }
}

impl Room {
    fn take(&self, bytes: usize) -> bool {
        let left = |left: usize| left.checked_sub(bytes);
        let taken = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, left);
        taken.is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// The body of one request, over all attempts to send it.
pub(crate) struct Upload<B = Incoming>(Arc<Mutex<Source<B>>>);

struct Source<B> {
    /// What was read before an attempt asked for it.
    ahead: Option<Result<Bytes, NoMore>>,
    rest: B,
    /// What has been read so far; `None` if there will be no other attempt.
    kept: Option<BytesMut>,
    bytes: usize,
    room: Room,
    /// The attempt that reads; an earlier one gets nothing more.
    attempt: u32,
    /// When the client sent something last.
    moved: Instant,
    /// Whether the client ended it early, or sent what is no body.
    is_broken: bool,
}

impl<B> Upload<B> {
    pub(crate) fn new(body: B, room: &Room) -> Self {
        Self(Arc::new(Mutex::new(Source {
            ahead: None,
            rest: body,
            kept: Some(BytesMut::new()),
            bytes: 0,
            room: room.clone(),
            attempt: 0,
            moved: Instant::now(),
            is_broken: false,
        })))
    }

    /// The body from its beginning, for another attempt; `None` if its beginning has not been kept.
    /// The attempt before gets nothing more.
    pub(crate) fn attempt(&self) -> Option<Attempt<B>> {
        let mut source = lock(&self.0);
        let read = Bytes::copy_from_slice(source.kept.as_ref()?);
        source.attempt += 1;
        Some(Attempt {
            source: Arc::clone(&self.0),
            number: source.attempt,
            read,
        })
    }

    /// There will be no other attempt.
    pub(crate) fn forget(&self) {
        lock(&self.0).forget();
    }

    /// When the client sent a piece of it last.
    pub(crate) fn moved(&self) -> Instant {
        lock(&self.0).moved
    }

    /// Whether it is the client's fault that it did not arrive.
    pub(crate) fn is_broken(&self) -> bool {
        lock(&self.0).is_broken
    }
}

impl<B: Body<Data = Bytes> + Unpin> Upload<B> {
    /// Reads the first piece if it has come with the headers, so that the attempt sends both at
    /// once. Waits for no client.
    pub(crate) async fn read_ahead(&self) {
        // What the connection has received it hands on in its next turn.
        let mut turns = 2;
        poll_fn(|context| {
            let mut source = lock(&self.0);
            turns -= 1;
            match source.next(context) {
                Poll::Ready(piece) => source.ahead = piece,
                Poll::Pending if turns > 0 => {
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Pending => {}
            }
            Poll::Ready(())
        })
        .await;
    }
}

impl<B: Body<Data = Bytes> + Unpin> Source<B> {
    fn next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, NoMore>>> {
        if let Some(piece) = self.ahead.take() {
            return Poll::Ready(Some(piece));
        }
        if self.is_broken {
            // It would look like the end.
            return Poll::Ready(Some(Err(NoMore)));
        }
        loop {
            let Some(frame) = ready!(Pin::new(&mut self.rest).poll_frame(context)) else {
                return Poll::Ready(None);
            };
            self.moved = Instant::now();
            match frame.map(Frame::into_data) {
                Ok(Ok(piece)) => return Poll::Ready(Some(Ok(piece))),
                // Trailers are for this connection.
                Ok(Err(_trailers)) => {}
                Err(_client_is_gone_or_wrong) => {
                    self.is_broken = true;
                    return Poll::Ready(Some(Err(NoMore)));
                }
            }
        }
    }
}

impl<B> Source<B> {
    fn forget(&mut self) {
        self.kept = None;
        self.room.give_back(std::mem::take(&mut self.bytes));
    }

    fn keep(&mut self, piece: &Bytes) {
        let Some(kept) = &mut self.kept else { return };
        if self.bytes + piece.len() <= LONGEST && self.room.take(piece.len()) {
            self.bytes += piece.len();
            // Copied, because a piece keeps the whole buffer that it was read into.
            kept.extend_from_slice(piece);
        } else {
            self.forget();
        }
    }
}

impl<B> Drop for Source<B> {
    fn drop(&mut self) {
        self.forget();
    }
}

fn lock<B>(source: &Mutex<Source<B>>) -> MutexGuard<'_, Source<B>> {
    source.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The body for one attempt: what an earlier one has read, then the rest.
pub(crate) struct Attempt<B = Incoming> {
    source: Arc<Mutex<Source<B>>>,
    number: u32,
    read: Bytes,
}

/// The body was needed for another attempt, or its client is gone.
#[derive(Debug)]
pub(crate) struct NoMore;

impl fmt::Display for NoMore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body of the request was interrupted")
    }
}

impl std::error::Error for NoMore {}

impl<B: Body<Data = Bytes> + Unpin> Body for Attempt<B> {
    type Data = Bytes;
    type Error = NoMore;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, NoMore>>> {
        if !self.read.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.read)))));
        }
        let mut source = lock(&self.source);
        if source.attempt != self.number {
            return Poll::Ready(Some(Err(NoMore)));
        }
        let piece = ready!(source.next(context));
        if let Some(Ok(piece)) = &piece {
            source.keep(piece);
        }
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        let source = lock(&self.source);
        self.read.is_empty() && source.ahead.is_none() && source.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let source = lock(&self.source);
        let ahead = source.ahead.as_ref().and_then(|piece| piece.as_ref().ok());
        let read = self.read.len() + ahead.map_or(0, Bytes::len);
        let read = u64::try_from(read).unwrap_or(u64::MAX);
        let rest = source.rest.size_hint();
        let mut hint = SizeHint::new();
        if let Some(upper) = rest.upper() {
            hint.set_upper(read.saturating_add(upper));
        }
        hint.set_lower(read.saturating_add(rest.lower()));
        hint
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt as _, Channel, Full};

    use super::*;

    fn upload(bytes: usize, room: &Room) -> Upload<Full<Bytes>> {
        Upload::new(Full::new(vec![b'x'; bytes].into()), room)
    }

    async fn length(attempt: Attempt<Full<Bytes>>) -> usize {
        attempt.collect().await.unwrap().to_bytes().len()
    }

    #[tokio::test]
    async fn a_small_body_can_be_sent_again_from_its_beginning() {
        let upload = upload(LONGEST, &Room::default());
        for _ in 0..2 {
            let attempt = upload.attempt().unwrap();
            assert_eq!(attempt.size_hint().exact(), Some(LONGEST as u64));
            assert_eq!(length(attempt).await, LONGEST);
        }
    }

    #[tokio::test]
    async fn a_body_that_has_not_been_read_has_no_limit() {
        let upload = upload(LONGEST + 1, &Room::default());
        let first = upload.attempt().unwrap();
        let second = upload.attempt().unwrap();
        assert!(first.collect().await.is_err());
        assert_eq!(length(second).await, LONGEST + 1);
        assert!(upload.attempt().is_none());
    }

    #[tokio::test]
    async fn a_piece_that_was_read_ahead_is_sent_once_and_counts() {
        let upload = upload(6, &Room(Arc::new(AtomicUsize::new(0))));
        upload.read_ahead().await;
        let attempt = upload.attempt().unwrap();
        assert_eq!(attempt.size_hint().exact(), Some(6));
        assert!(!attempt.is_end_stream());
        assert_eq!(length(attempt).await, 6);
        assert!(upload.attempt().is_none());
    }

    #[tokio::test]
    async fn what_was_broken_when_it_was_read_ahead_is_no_shorter_body() {
        let (sender, body) = Channel::<Bytes, NoMore>::new(1);
        sender.abort(NoMore);
        let upload = Upload::new(body, &Room::default());
        upload.read_ahead().await;
        assert!(upload.is_broken());
        assert!(upload.attempt().unwrap().collect().await.is_err());
    }

    #[tokio::test]
    async fn reading_ahead_does_not_wait_for_a_client() {
        let (_sender, body) = Channel::<Bytes, NoMore>::new(1);
        let upload = Upload::new(body, &Room::default());
        upload.read_ahead().await;
        assert!(upload.attempt().is_some());
    }

    #[tokio::test]
    async fn what_all_bodies_keep_is_bounded_and_given_back() {
        let room = Room(Arc::new(AtomicUsize::new(10)));
        let one = upload(6, &room);
        let other = upload(6, &room);
        length(one.attempt().unwrap()).await;
        length(other.attempt().unwrap()).await;
        assert!(one.attempt().is_some());
        assert!(other.attempt().is_none());
        one.forget();
        assert_eq!(room.0.load(Ordering::Relaxed), 10);
        let third = upload(6, &room);
        length(third.attempt().unwrap()).await;
        assert!(third.attempt().is_some());
        drop(third);
        assert_eq!(room.0.load(Ordering::Relaxed), 10);
    }
}
