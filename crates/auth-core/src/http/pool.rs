//! Connections that wait for their next request.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use reqwest::Url;
use tokio::time::sleep;

use super::builder::HttpClientBuilder;
use super::connect::Connector;
use super::failure::Cause;
use super::origin::Origin;
use super::wire::Wire;
use crate::error::Result;
use crate::secure_url::SecureUrl;

/// How long a connection waits, as the HTTP library has it: 90 s.
const LONGEST: Duration = Duration::from_secs(90);

/// How often those that the server has closed are closed here too.
const LOOK: Duration = Duration::from_secs(15);

/// Connections to the origins of one forwarder.
#[derive(Debug, Default)]
pub(super) struct Pool {
    connector: OnceLock<Connector>,
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// The longest first.
    wires: Vec<(Instant, Box<Wire>)>,
    /// Whether a task looks after them.
    is_watched: bool,
}

/// Where a connection waits for its next request.
#[derive(Clone, Debug)]
pub(super) struct Place(Arc<Mutex<Waiting>>);

impl Pool {
    pub(super) fn place(&self) -> Place {
        Place(Arc::clone(&self.waiting))
    }

    /// A connection that waits and is still open, the one that was used last.
    pub(super) async fn waiting(&self, url: &Url) -> Option<Box<Wire>> {
        poll_fn(|context| {
            loop {
                let mut waiting = lock(&self.waiting);
                let wires = &mut waiting.wires;
                let at = wires.iter().rposition(|(_, wire)| wire.origin.is_of(url));
                let Some((since, mut wire)) = at.map(|at| wires.remove(at)) else {
                    return Poll::Ready(None);
                };
                drop(waiting);
                if since.elapsed() < LONGEST && wire.is_ready(context) {
                    return Poll::Ready(Some(wire));
                }
            }
        })
        .await
    }

    pub(super) fn connector(&self, settings: &HttpClientBuilder) -> Result<Connector> {
        if let Some(connector) = self.connector.get() {
            return Ok(connector.clone());
        }
        let connector = Connector::new(settings)?;
        Ok(self.connector.get_or_init(|| connector).clone())
    }
}

/// A new connection to the server of an endpoint.
pub(super) async fn connect(
    connector: Connector,
    endpoint: &SecureUrl,
) -> std::result::Result<Box<Wire>, Cause> {
    let origin = Arc::new(Origin::of(endpoint)?);
    let connection = connector.connect(origin.uri.clone()).await?;
    Wire::new(origin, connection).await.map(Box::new)
}

impl Place {
    /// Keeps a connection whose response has been read, if its server does.
    pub(super) fn keep(&self, mut wire: Box<Wire>, context: &mut Context<'_>) {
        if !wire.is_ready(context) {
            return;
        }
        let mut waiting = lock(&self.0);
        waiting.wires.push((Instant::now(), wire));
        if !waiting.is_watched {
            waiting.is_watched = true;
            tokio::spawn(watch(Arc::downgrade(&self.0)));
        }
    }
}

/// Ends the connections that have waited too long, or that their server has closed, until there are
/// none.
async fn watch(waiting: Weak<Mutex<Waiting>>) {
    loop {
        sleep(LOOK).await;
        let is_over = poll_fn(|context| {
            let Some(waiting) = waiting.upgrade() else {
                return Poll::Ready(true);
            };
            let mut waiting = lock(&waiting);
            let wires = &mut waiting.wires;
            wires.retain_mut(|(since, wire)| since.elapsed() < LONGEST && wire.is_ready(context));
            waiting.is_watched = !waiting.wires.is_empty();
            Poll::Ready(!waiting.is_watched)
        });
        if is_over.await {
            return;
        }
    }
}

fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}
