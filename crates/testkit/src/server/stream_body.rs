//! A body that is sent event by event, and may be held or cut.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::vec;

use bytes::Bytes;
use hyper::body::Frame;
use tokio::sync::watch;

use super::closed::Closed;
use crate::http::{EventStream, Part};
use crate::provider::Provider;
use crate::provider_kit::ProviderKit;
use crate::shared::Shared;

type Hold = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Each event is a chunk, and is written before the next one is looked at.
pub(super) struct StreamBody {
    parts: vec::IntoIter<Part>,
    shared: Arc<Shared>,
    provider: Provider,
    released: watch::Receiver<()>,
    hold: Option<Hold>,
    /// Whether hyper had an opportunity to write the chunk before.
    flushed: bool,
}

impl StreamBody {
    pub(super) fn new(events: &EventStream, shared: Arc<Shared>) -> Self {
        let provider = events.provider;
        let kit = shared.provider(provider);
        kit.lock().counters.streams += 1;
        let released = kit.released();
        kit.wake_waiters();
        Self {
            parts: events.parts().into_iter(),
            shared,
            provider,
            released,
            hold: None,
            flushed: false,
        }
    }

    fn kit(&self) -> &ProviderKit {
        self.shared.provider(self.provider)
    }

    /// Waits for the next release of the streams of this provider.
    fn hold(&self) -> Hold {
        let held = Held::new(Arc::clone(&self.shared), self.provider);
        let mut released = self.released.clone();
        Box::pin(async move {
            // An error means that the server stops.
            drop(released.changed().await);
            drop(held);
        })
    }
}

impl hyper::body::Body for StreamBody {
    type Data = Bytes;
    type Error = Closed;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Closed>>> {
        loop {
            if let Some(hold) = &mut self.hold {
                ready!(hold.as_mut().poll(cx));
                self.hold = None;
            }
            if !self.flushed {
                self.flushed = true;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match self.parts.next() {
                Some(Part::Chunk(chunk)) => {
                    self.flushed = false;
                    return Poll::Ready(Some(Ok(Frame::data(chunk))));
                }
                Some(Part::Hold) => self.hold = Some(self.hold()),
                Some(Part::Cut) => return Poll::Ready(Some(Err(Closed))),
                Some(Part::Done) => {
                    let kit = self.kit();
                    kit.lock().counters.streams_done += 1;
                    kit.wake_waiters();
                }
                None => return Poll::Ready(None),
            }
        }
    }
}

/// Counts as one held stream until it is dropped: when the stream is released, or its client is
/// gone.
struct Held {
    shared: Arc<Shared>,
    provider: Provider,
}

impl Held {
    fn new(shared: Arc<Shared>, provider: Provider) -> Self {
        let held = Self { shared, provider };
        held.count(|held| held + 1);
        held
    }

    fn count(&self, change: impl FnOnce(u64) -> u64) {
        let kit = self.shared.provider(self.provider);
        {
            let mut state = kit.lock();
            state.streams_held = change(state.streams_held);
        }
        kit.wake_waiters();
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.count(|held| held.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use hyper::body::Body as _;
    use serde_json::json;

    use super::*;
    use crate::http::{Framing, Interrupt, Interruption};
    use crate::oauth::Client;
    use crate::providers::{Configuration, StandardProvider};
    use crate::settings::Change;

    fn shared() -> Arc<Shared> {
        let text = || "x".to_owned();
        let configuration = Configuration {
            google_client: Client {
                id: text(),
                secret: text(),
            },
            standard: StandardProvider::default(),
        };
        Arc::new(Shared::new(text(), configuration, &Change::default()))
    }

    /// A stream that is held between its two events.
    fn held(shared: &Arc<Shared>) -> StreamBody {
        let kind = Interrupt::Hold;
        let events = EventStream {
            provider: Provider::Standard,
            framing: Framing::Data,
            opening: Vec::new(),
            pieces: vec![json!(1), json!(2)],
            closing: Vec::new(),
            failure: Vec::new(),
            interruption: Some(Interruption { kind, after: 1 }),
        };
        StreamBody::new(&events, Arc::clone(shared))
    }

    /// How many events come without waiting for anything.
    fn ready(body: &mut StreamBody) -> usize {
        let mut cx = Context::from_waker(Waker::noop());
        let polls = (0..20).map(|_| Pin::new(&mut *body).poll_frame(&mut cx));
        polls
            .filter(|poll| matches!(poll, Poll::Ready(Some(Ok(_)))))
            .count()
    }

    #[test]
    fn a_release_frees_a_stream_that_has_begun_though_it_has_not_stopped_yet() {
        let shared = shared();
        let mut body = held(&shared);
        shared.provider(Provider::Standard).release_streams();
        assert_eq!(ready(&mut body), 2);
    }

    #[test]
    fn a_release_is_over_for_streams_that_begin_later() {
        let shared = shared();
        let kit = shared.provider(Provider::Standard);
        kit.release_streams();
        let mut body = held(&shared);
        assert_eq!((ready(&mut body), kit.counters().streams_held), (1, 1));
        drop(body);
        assert_eq!(kit.counters().streams_held, 0);
    }
}
