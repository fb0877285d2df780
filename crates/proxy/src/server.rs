//! The connections of a proxy, and their end.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

use crate::handler::Handler;
use crate::listener::{Listener, Stream};

/// How long a client may take to send the headers of a request, and to send the next request.
const HEADERS: Duration = Duration::from_secs(10);

/// How long a connection without an open request may take to end.
const LAST_BYTES: Duration = Duration::from_secs(1);

/// How many connections there are at once. A further one ends the oldest without a key, or waits.
const MOST: usize = 1024;

/// How long accepting pauses when the system has no descriptor for a connection.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections until `stop` ends, then waits for the requests that have begun.
pub(crate) async fn serve(handler: Handler, listener: Listener, stop: impl Future<Output = ()>) {
    let handler = Arc::new(handler);
    let (stopping, stopped) = watch::channel(false);
    let room = Arc::new(Semaphore::new(MOST));
    // Dropped with this future: then all of them end at once.
    let mut connections = JoinSet::new();
    let mut clients = Clients::default();
    let mut stop = pin!(stop);
    loop {
        let next = async {
            let accepted = listener.accept().await;
            if room.available_permits() == 0 {
                clients.drop_a_stranger();
            }
            (accepted, Arc::clone(&room).acquire_owned().await)
        };
        let (accepted, permit) = tokio::select! {
            biased;
            () = &mut stop => break,
            next = next => next,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok(stream) => {
                let (handler, stopped) = (Arc::clone(&handler), stopped.clone());
                let client = Arc::new(Client::default());
                let served = Arc::clone(&client);
                let task = connections.spawn(async move {
                    match stream {
                        Stream::Tcp(stream) => connection(stream, handler, &served, stopped).await,
                        #[cfg(unix)]
                        Stream::Unix(stream) => connection(stream, handler, &served, stopped).await,
                    }
                    drop(permit);
                });
                clients.add(client, task);
            }
            Err(error) => {
                tracing::warn!("cannot accept a connection: {error}");
                sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    // Without a connection, nothing hears it.
    let _no_connection = stopping.send(true);
    while connections.join_next().await.is_some() {}
}

/// The other side of a connection.
#[derive(Debug, Default)]
pub(crate) struct Client {
    /// Whether it has shown a key.
    is_known: AtomicBool,
    /// Held by each request until its response has been read.
    open: Arc<()>,
}

impl Client {
    pub(crate) fn has_shown_a_key(&self) {
        self.is_known.store(true, Ordering::Relaxed);
    }
}

/// The connections, the oldest first.
#[derive(Default)]
struct Clients(VecDeque<(Arc<Client>, AbortHandle)>);

impl Clients {
    fn add(&mut self, client: Arc<Client>, task: AbortHandle) {
        self.0.retain(|(_, task)| !task.is_finished());
        self.0.push_back((client, task));
    }

    /// Ends the oldest connection without a key: programs of other users must not keep those with one
    /// out.
    fn drop_a_stranger(&mut self) {
        let is_stranger = |(client, task): &(Arc<Client>, AbortHandle)| {
            !client.is_known.load(Ordering::Relaxed) && !task.is_finished()
        };
        let stranger = self.0.iter().position(is_stranger);
        if let Some((_, task)) = stranger.and_then(|at| self.0.remove(at)) {
            task.abort();
        }
    }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    handler: Arc<Handler>,
    client: &Arc<Client>,
    mut stopped: watch::Receiver<bool>,
) {
    let service = service_fn(|request| {
        let (handler, client) = (Arc::clone(&handler), Arc::clone(client));
        async move {
            let open = Arc::clone(&client.open);
            // Its memory is free again when the response has begun: hyper keeps that of this future
            // as long as the connection.
            let response = Box::pin(handler.handle(request, &client)).await;
            Ok::<_, Infallible>(response.map(|body| body.holding(open)))
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    let mut served = pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = async { drop(stopped.wait_for(|stopped| *stopped).await) } => {
            served.as_mut().graceful_shutdown();
            match Arc::strong_count(&client.open) {
                // Half a request, or the last bytes of a response.
                1 => timeout(LAST_BYTES, served).await.unwrap_or(Ok(())),
                _ => served.await,
            }
        }
    };
    if let Err(error) = ended {
        // A client that goes away in the middle is no fault.
        tracing::debug!("a connection ended early: {error}");
    }
}
