//! One connection to a server, which the task of its request drives itself: a task of its own would
//! have to wake that one up for every message, and be woken up by it.

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{Connection, SendRequest};
use hyper::{Request, Response};
use tokio::task::unconstrained;

use super::connect::{self, http1};
use super::failure::Cause;
use super::origin::Origin;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A body of any kind, as a connection sends it.
trait Pieces: Send + Sync {
    fn poll_piece(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>>;

    fn is_over(&self) -> bool;

    fn length(&self) -> SizeHint;
}

impl<B> Pieces for B
where
    B: Body + Send + Sync,
    B::Data: Into<Bytes>,
    B::Error: Into<BoxError>,
{
    fn poll_piece(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = self.poll_frame(context).map_err(Into::into);
        polled.map_ok(|frame| frame.map_data(Into::into))
    }

    fn is_over(&self) -> bool {
        self.is_end_stream()
    }

    fn length(&self) -> SizeHint {
        self.size_hint()
    }
}

/// The body of a request.
pub(super) struct Upload {
    body: Pin<Box<dyn Pieces>>,
    /// Of the connection that sends it, until the last of it has been sent.
    sending: Option<Arc<()>>,
}

impl Upload {
    pub(super) fn new<B>(body: B) -> Self
    where
        B: Body + Send + Sync + 'static,
        B::Data: Into<Bytes>,
        B::Error: Into<BoxError>,
    {
        Self {
            body: Box::pin(body),
            sending: None,
        }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.body.as_mut().poll_piece(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_over()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.length()
    }
}

pub(super) struct Wire {
    pub(super) origin: Arc<Origin>,
    /// Whether it has had a request.
    pub(super) is_used: bool,
    /// `None` once the connection has ended.
    driver: Option<Connection<connect::Connection, Upload>>,
    sender: SendRequest<Upload>,
    sending: Arc<()>,
}

impl Wire {
    pub(super) async fn new(
        origin: Arc<Origin>,
        connection: connect::Connection,
    ) -> Result<Self, Cause> {
        let (sender, driver) = http1().handshake(connection).await?;
        Ok(Self {
            origin,
            is_used: false,
            driver: Some(driver),
            sender,
            sending: Arc::default(),
        })
    }

    /// Reads and writes what can be read and written now.
    fn drive(&mut self, context: &mut Context<'_>) {
        let driver = self.driver.as_mut().map(Pin::new);
        // Why it ended is in the response, or in its body.
        if driver.is_some_and(|driver| driver.poll(context).is_ready()) {
            self.driver = None;
        }
    }

    /// Whether it can take a request: the last response has been read, and the server keeps it open
    /// and has sent nothing since.
    pub(super) fn is_ready(&mut self, context: &mut Context<'_>) -> bool {
        self.drive(context);
        self.driver.is_some() && self.sender.is_ready()
    }

    /// The response, as soon as its headers are there.
    pub(super) async fn send(
        &mut self,
        mut request: Request<Upload>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Upload>>> {
        self.is_used = true;
        request.body_mut().sending = Some(Arc::clone(&self.sending));
        // Only driving the connection brings the response nearer, so no other waker is needed; and
        // a turn that is used up must not end it, because then one would be.
        let mut response = pin!(unconstrained(self.sender.try_send_request(request)));
        poll_fn(|context| {
            self.drive(context);
            response
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
        })
        .await
    }

    /// A piece of the body of the response.
    pub(super) fn poll_frame(
        &mut self,
        mut body: Pin<&mut Incoming>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = body.as_mut().poll_frame(context);
        if polled.is_ready() {
            return polled;
        }
        self.drive(context);
        body.poll_frame(context)
    }

    /// Whether the server responds before it has the whole body of the request.
    pub(super) fn is_sending(&self) -> bool {
        Arc::strong_count(&self.sending) > 1
    }

    /// Drives the connection in a task of its own until the exchange ends. Its body can be read
    /// without it.
    pub(super) fn leave(self) {
        if let Some(driver) = self.driver {
            // Why it ended is in the body of the response.
            tokio::spawn(async move { drop(driver.await) });
        }
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Wire");
        shown.field("origin", &self.origin).finish_non_exhaustive()
    }
}
