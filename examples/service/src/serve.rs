//! The listener: bounded in connections and in the time of a head, and ended in order.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;

#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    /// Connections at once; more wait in the queue of the listener.
    pub(crate) clients: usize,
    /// For the head of a request, also on a connection that is kept alive.
    pub(crate) head: Duration,
    /// For a client that reads nothing of its response.
    pub(crate) unread: Duration,
}

/// Serves until `end` is true, and then finishes the requests in progress, for at most `limit`.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    mut end: watch::Receiver<bool>,
    limit: Duration,
    bounds: Bounds,
) {
    let connections = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(bounds.clients));
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head);
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            next = next => next,
            _ = end.wait_for(|ended| *ended) => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Of a connection that is gone already, or of a lack of descriptors, which passes.
                tracing::warn!(%error, "a connection was not accepted");
                sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(router.clone());
        // A response that the client does not read would keep its place, and a stream of the vendor.
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(bounds.unread));
        let connection = server.serve_connection(TokioIo::new(Box::pin(stream)), service);
        let watched = connections.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = watched.await {
                tracing::debug!(%error, "a connection has broken");
            }
            drop(place);
        });
    }
    drop(listener);
    if timeout(limit, connections.shutdown()).await.is_err() {
        tracing::warn!("streams are cut: the time for the end is over");
    }
}
