//! Requests as tasks. A client that hangs up must not end a sign-in whose code is spent, so its work
//! goes on without the connection; its number is bounded, and the end waits for it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::pages::Problem;

/// A message to the model is the longest thing that is sent here.
const LONGEST_BODY: usize = 64 * 1024;

pub(crate) struct Work {
    places: Arc<Semaphore>,
    tasks: TaskTracker,
    /// For a body.
    reading: Duration,
}

impl Work {
    pub(crate) fn new(at_once: usize, reading: Duration) -> Self {
        Self {
            places: Arc::new(Semaphore::new(at_once)),
            tasks: TaskTracker::new(),
            reading,
        }
    }

    /// Reads the body, while the request still ends with its connection: a task that waited for a slow
    /// sender would keep the connection.
    pub(crate) async fn read(&self, request: Request) -> Result<Request, Problem> {
        let (head, body) = request.into_parts();
        let whole = Limited::new(body, LONGEST_BODY).collect();
        match timeout(self.reading, whole).await {
            Ok(Ok(body)) => Ok(Request::from_parts(head, Body::from(body.to_bytes()))),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "This is too long. Send less.",
            )),
            Ok(Err(_broken)) => Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "The request is incomplete. Send it again.",
            )),
            Err(_elapsed) => Err(Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "The request takes too long. Send it again.",
            )),
        }
    }

    /// Spawns the work of a request, unless too much is in progress.
    pub(crate) fn spawn<F>(&self, work: F) -> Result<JoinHandle<F::Output>, Problem>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return Err(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "The service has too much to do. Try again in a moment.",
            ));
        };
        Ok(self.tasks.spawn(async move {
            let _place = place;
            work.await
        }))
    }

    /// Waits for the work in progress, once no connection can begin more.
    pub(crate) async fn finished(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}
