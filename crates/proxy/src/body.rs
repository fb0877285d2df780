//! What a client receives.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

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
            _held: None,
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
        let Some(rest) = &mut self.rest else {
            return Poll::Ready(None);
        };
        let polled = Pin::new(rest).poll_frame(context);
        if let Poll::Ready(Some(Err(error))) = &polled {
            tracing::warn!("a response was cut off: {error:#}");
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty() && self.rest.as_ref().is_none_or(Body::is_end_stream)
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
