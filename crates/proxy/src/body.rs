//! What a client receives.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use llm_auth_core::Error;
use llm_auth_core::http::ForwardedBody;

use crate::metrics::OpenStream;

/// The body of a response: what has been read of it already, then what still comes.
#[derive(Debug, Default)]
pub(crate) struct ProxyBody {
    read: VecDeque<Bytes>,
    rest: Option<ForwardedBody>,
    /// Why the rest ended early, until what came before it had an opportunity to be sent: hyper drops
    /// what it has not written when a body fails.
    cut: Option<Error>,
    /// Counted as open until it is dropped.
    _open: Option<OpenStream>,
    /// What the connection knows an open request by.
    _held: Option<Arc<()>>,
}

impl ProxyBody {
    /// A body of the proxy's own.
    pub(crate) fn of(text: impl Into<Bytes>) -> Self {
        Self {
            read: VecDeque::from([text.into()]),
            ..Self::default()
        }
    }

    /// A body of the API, of which these pieces have been read; `rest` is `None` if they are all.
    pub(crate) fn new(read: Vec<Bytes>, rest: Option<ForwardedBody>, open: OpenStream) -> Self {
        Self {
            read: read.into(),
            rest,
            _open: Some(open),
            ..Self::default()
        }
    }

    /// The same, with what is to be held until it is dropped.
    pub(crate) fn holding(self, held: Arc<()>) -> Self {
        Self {
            _held: Some(held),
            ..self
        }
    }
}

impl Body for ProxyBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(piece) = self.read.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        if let Some(error) = self.cut.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let Some(rest) = &mut self.rest else {
            return Poll::Ready(None);
        };
        match ready!(Pin::new(rest).poll_frame(context)) {
            Some(Err(error)) => {
                tracing::warn!("a response was cut off: {error:#}");
                self.rest = None;
                self.cut = Some(error);
                context.waker().wake_by_ref();
                Poll::Pending
            }
            frame => Poll::Ready(frame),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty()
            && self.cut.is_none()
            && self.rest.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let read: usize = self.read.iter().map(Bytes::len).sum();
        let read = u64::try_from(read).unwrap_or(u64::MAX);
        let rest = self.rest.as_ref().map(Body::size_hint);
        let rest = rest.unwrap_or_else(|| SizeHint::with_exact(0));
        let mut hint = SizeHint::new();
        hint.set_lower(read.saturating_add(rest.lower()));
        if let Some(upper) = rest.upper() {
            hint.set_upper(read.saturating_add(upper));
        }
        hint
    }
}
