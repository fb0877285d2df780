//! The time limit of a request and its response.

use std::pin::pin;
use std::time::Duration;

use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};

/// For what has arrived already: a process that was paused finds its time over and the response in
/// the socket, and that response may be the only one with a successor.
const LATE: Duration = Duration::from_millis(250);

/// The end of a request. Unlike the limit of the HTTP library, it looks at the response first.
#[derive(Debug)]
pub(super) struct Limit {
    end: Instant,
    is_over: bool,
}

impl Limit {
    pub(super) fn of(length: Duration) -> Self {
        Self {
            end: Instant::now() + length,
            is_over: false,
        }
    }

    /// The outcome of a part of the exchange, if it comes in time.
    pub(super) async fn within<T>(&mut self, part: impl Future<Output = T>) -> Result<T, Elapsed> {
        let mut part = pin!(part);
        match timeout_at(self.end, &mut part).await {
            Err(_over) if !self.is_over => {
                self.is_over = true;
                self.end = Instant::now() + LATE;
                timeout_at(self.end, part).await
            }
            outcome => outcome,
        }
    }
}
