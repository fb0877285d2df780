//! The HTTP server behind the redirect URI.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use super::gate::{Gate, Verdict};
use super::page::{Language, Page, SECURITY_POLICY};
use crate::error::Result;
use crate::secret::Secret;

const CROSS_ORIGIN_RESOURCE_POLICY: header::HeaderName =
    header::HeaderName::from_static("cross-origin-resource-policy");
const CONNECTIONS: usize = 32;
const HEADER_TIME: Duration = Duration::from_secs(10);
/// A browser waits this long for its page while the code is exchanged.
const CONNECTION_TIME: Duration = Duration::from_secs(90);

/// The answer that reached the redirect URI, and the browser that waits for its page.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) outcome: Result<Secret>,
    pub(super) reply: oneshot::Sender<Page>,
}

/// Serves until it is dropped.
#[derive(Debug)]
pub(super) struct Server {
    tasks: Vec<JoinHandle<()>>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    gate: Gate,
    /// Taken by the one answer: a code is redeemed once, and a reload brings nothing new.
    bring: Mutex<Option<oneshot::Sender<Answer>>>,
    delivered: Notify,
    strays: mpsc::Sender<&'static str>,
}

impl Server {
    pub(super) fn start(
        listeners: Vec<TcpListener>,
        gate: Gate,
        bring: oneshot::Sender<Answer>,
        strays: mpsc::Sender<&'static str>,
    ) -> Self {
        let shared = Arc::new(Shared {
            gate,
            bring: Mutex::new(Some(bring)),
            delivered: Notify::new(),
            strays,
        });
        Self {
            tasks: listeners
                .into_iter()
                .map(|listener| tokio::spawn(accept(listener, Arc::clone(&shared))))
                .collect(),
            shared,
        }
    }

    /// Waits until the browser has the page for the answer.
    pub(super) async fn delivered(&self) {
        self.shared.delivered.notified().await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            // Out of descriptors, or a connection that was reset before it was accepted.
            Err(error) => {
                tracing::debug!(%error, "the redirect listener cannot accept");
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            continue;
        };
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let _ended = timeout(CONNECTION_TIME, serve(stream, shared)).await;
            drop(place);
        });
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let is_the_answer = AtomicBool::new(false);
    let service = service_fn(|request| {
        let (shared, is_the_answer) = (&shared, &is_the_answer);
        async move { Ok::<_, Infallible>(answer(&request, shared, is_the_answer).await) }
    });
    let served = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(16 * 1024)
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::trace!(%error, "a connection to the redirect URI ended early");
    }
    if is_the_answer.into_inner() {
        shared.delivered.notify_one();
    }
}

async fn answer(
    request: &Request<Incoming>,
    shared: &Shared,
    is_the_answer: &AtomicBool,
) -> Response<Full<Bytes>> {
    let accepted = request.headers().get(header::ACCEPT_LANGUAGE);
    let language = Language::best(accepted.and_then(|value| value.to_str().ok()));
    let response = |status, page| response(status, page, language);
    let verdict = shared
        .gate
        .judge(request.method(), request.uri(), request.headers());
    let outcome = match verdict {
        Verdict::Code(code) => Ok(code),
        Verdict::Refused(error) => Err(error),
        Verdict::Ignored { status, why } => {
            // If nobody listens for the remark, it is lost.
            let _unheard = shared.strays.try_send(why);
            return response(status, Page::Nothing);
        }
    };
    let Some(bring) = shared.bring() else {
        return response(410, Page::Nothing);
    };
    is_the_answer.store(true, Ordering::SeqCst);
    let (reply, page) = oneshot::channel();
    if bring.send(Answer { outcome, reply }).is_err() {
        return response(410, Page::Nothing);
    }
    response(200, page.await.unwrap_or(Page::Failed))
}

impl Shared {
    fn bring(&self) -> Option<oneshot::Sender<Answer>> {
        let mut bring = self.bring.lock().unwrap_or_else(PoisonError::into_inner);
        bring.take()
    }
}

fn response(status: u16, page: Page, language: Language) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(page.html(language)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_LANGUAGE, language.tag()),
        (header::VARY, "accept-language"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
    ] {
        headers.insert(name, header::HeaderValue::from_static(value));
    }
    if let Ok(policy) = header::HeaderValue::from_str(&SECURITY_POLICY) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    if status == 405 {
        headers.insert(header::ALLOW, header::HeaderValue::from_static("GET"));
    }
    response
}
