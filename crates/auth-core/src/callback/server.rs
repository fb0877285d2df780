//! The HTTP server behind the redirect URI.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};
use tokio::time::timeout;

use super::page::{Language, Page};
use super::request::{self, Request, Unread};
use super::response::{self, Response};
use super::validator::{CallbackValidator, Grant, Verdict};
use crate::error::Result;

// See decision 0043.
const CONNECTIONS: usize = 32;
/// How long a browser waits for its page while the code is exchanged.
const CONNECTION_TIME: Duration = Duration::from_secs(90);

/// The response that reached the redirect URI, and the browser that waits for its page.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) outcome: Result<Grant>,
    pub(super) reply: oneshot::Sender<Page>,
}

/// A server that runs until it is dropped.
#[derive(Debug)]
pub(super) struct Server {
    tasks: Vec<JoinHandle<()>>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    validator: CallbackValidator,
    /// Taken by the one response: a code is redeemed once, and a reload brings nothing new.
    sender: Mutex<Option<oneshot::Sender<Received>>>,
    delivered: Notify,
    ignored: mpsc::Sender<&'static str>,
}

impl Server {
    pub(super) fn start(
        listeners: Vec<TcpListener>,
        validator: CallbackValidator,
        sender: oneshot::Sender<Received>,
        ignored: mpsc::Sender<&'static str>,
    ) -> Self {
        let shared = Arc::new(Shared {
            validator,
            sender: Mutex::new(Some(sender)),
            delivered: Notify::new(),
            ignored,
        });
        Self {
            tasks: listeners
                .into_iter()
                .map(|listener| tokio::spawn(accept(listener, Arc::clone(&shared))))
                .collect(),
            shared,
        }
    }

    /// Waits until the browser has received the page for the response.
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

/// An open connection.
struct Open {
    task: AbortHandle,
    progress: Arc<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    /// Whether it has sent a part of a request.
    has_begun: AtomicBool,
    /// Whether it brought the response, and waits for its page.
    is_the_response: AtomicBool,
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut open: VecDeque<Open> = VecDeque::new();
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
        open.retain(|connection| !connection.task.is_finished());
        if open.len() >= CONNECTIONS {
            // Data that has already arrived is read first: it may be the response.
            tokio::task::yield_now().await;
            make_room(&mut open);
        }
        let progress = Arc::new(Progress::default());
        let (shared, own) = (Arc::clone(&shared), Arc::clone(&progress));
        let task = connections.spawn(async move {
            let _ended = timeout(CONNECTION_TIME, serve(stream, &shared, &own)).await;
        });
        open.push_back(Open { task, progress });
    }
}

/// Closes the oldest connection that has sent nothing, otherwise the oldest that has not brought
/// the response: a browser sends its request at once, though not always in one piece.
fn make_room(open: &mut VecDeque<Open>) {
    let is_silent = |connection: &Open| !connection.progress.has_begun.load(Ordering::SeqCst);
    let is_idle = |connection: &Open| !connection.progress.is_the_response.load(Ordering::SeqCst);
    let oldest = open
        .iter()
        .position(is_silent)
        .or_else(|| open.iter().position(is_idle));
    if let Some(idle) = oldest.and_then(|at| open.remove(at)) {
        tracing::debug!("too many connections to the redirect URI; the oldest idle one ends");
        idle.task.abort();
    }
}

async fn serve(mut stream: TcpStream, shared: &Shared, progress: &Progress) {
    let is_the_response = &progress.is_the_response;
    let response = match request::read(&mut stream, &progress.has_begun).await {
        Ok(request) => respond(&request, shared, is_the_response).await,
        Err(Unread::Silent) => return,
        Err(Unread::Bad { status, why }) => {
            shared.ignore(why);
            Response {
                status,
                page: Page::Failed,
                language: Language::best(None),
                is_bare: false,
            }
        }
    };
    if let Err(error) = response.send(&mut stream).await {
        tracing::trace!(%error, "a connection to the redirect URI ended early");
    }
    if is_the_response.load(Ordering::SeqCst) {
        shared.delivered.notify_one();
    }
    response::drain(&mut stream).await;
}

async fn respond(request: &Request, shared: &Shared, is_the_response: &AtomicBool) -> Response {
    let language = Language::best(request.accept_language.as_deref());
    let response = |status, page| Response {
        status,
        page,
        language,
        is_bare: request.method == "HEAD",
    };
    let outcome = match shared.validator.validate(request) {
        Verdict::Code(grant) => Ok(grant),
        Verdict::Refused(error) => Err(error),
        Verdict::Ignored { status, why } => {
            shared.ignore(why);
            return response(status, Page::Nothing);
        }
    };
    let Some(sender) = shared.sender() else {
        return response(410, Page::Nothing);
    };
    is_the_response.store(true, Ordering::SeqCst);
    let (reply, page) = oneshot::channel();
    if sender.send(Received { outcome, reply }).is_err() {
        return response(410, Page::Nothing);
    }
    response(200, page.await.unwrap_or(Page::Failed))
}

impl Shared {
    fn ignore(&self, why: &'static str) {
        // Without a receiver the reason is dropped.
        let _unheard = self.ignored.try_send(why);
    }

    fn sender(&self) -> Option<oneshot::Sender<Received>> {
        let mut sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        sender.take()
    }
}
