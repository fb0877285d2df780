//! The connections of a proxy, and their end.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::handler::Handler;
use crate::listener::{Listener, Stream};

/// How long a client may take to send the headers of a request, and to send the next request.
const HEADERS: Duration = Duration::from_secs(10);

/// How many connections there are at once; further ones wait.
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
    let mut stop = pin!(stop);
    loop {
        let next = async {
            let permit = Arc::clone(&room).acquire_owned().await;
            (listener.accept().await, permit)
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
                connections.spawn(async move {
                    match stream {
                        Stream::Tcp(stream) => connection(stream, handler, stopped).await,
                        #[cfg(unix)]
                        Stream::Unix(stream) => connection(stream, handler, stopped).await,
                    }
                    drop(permit);
                });
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

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    handler: Arc<Handler>,
    mut stopped: watch::Receiver<bool>,
) {
    let service = service_fn(|request| {
        let handler = Arc::clone(&handler);
        async move { Ok::<_, Infallible>(handler.handle(request).await) }
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
            served.await
        }
    };
    if let Err(error) = ended {
        // A client that goes away in the middle is no fault.
        tracing::debug!("a connection ended early: {error}");
    }
}
