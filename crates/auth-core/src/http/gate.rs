//! The last look at the lease before a body leaves: a holder that was paused sends nothing.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use crate::error::{Error, ErrorKind};
use crate::secure_url::SecureUrl;
use crate::store::lease::Lease;

/// The lease of a request.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    lease: Lease,
    /// The time limit of the request: another holder must not send before it is over.
    needed: Duration,
    is_shut: Arc<AtomicBool>,
}

/// A body whose first byte needs the lease. The HTTP client asks for it once it is connected.
struct Gated {
    gate: Gate,
    bytes: Option<Bytes>,
}

impl Gate {
    /// The gate of a request that takes this long at most; `None` without a lease.
    pub(super) fn current(needed: Duration) -> Option<Self> {
        let lease = Lease::current()?;
        Some(Self {
            lease,
            needed,
            is_shut: Arc::default(),
        })
    }

    /// Puts the gate before a body.
    pub(super) fn before(&self, body: Bytes) -> reqwest::Body {
        reqwest::Body::wrap(Gated {
            gate: self.clone(),
            bytes: Some(body),
        })
    }

    /// The error of a request that did not pass; `None` if it failed for another reason.
    pub(super) fn error(&self, endpoint: &SecureUrl) -> Option<Error> {
        let is_shut = self.is_shut.load(Ordering::Acquire);
        is_shut.then(|| {
            Error::new(
                ErrorKind::LeaseLost,
                format!(
                    "nothing was sent to {}: the lock of the session ends in {:.1} s, and the request \
                     may take {:.1} s",
                    endpoint.host(),
                    self.lease.remaining().as_secs_f64(),
                    self.needed.as_secs_f64()
                ),
            )
        })
    }
}

impl Body for Gated {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let Some(bytes) = self.bytes.take() else {
            return Poll::Ready(None);
        };
        if self.gate.lease.remaining() < self.gate.needed {
            self.gate.is_shut.store(true, Ordering::Release);
            return Poll::Ready(Some(Err(std::io::Error::other("the lease is over"))));
        }
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}
