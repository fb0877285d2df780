//! The time limit of a request and its response.

use std::pin::pin;
use std::time::Duration;

use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};

use crate::clock;

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
            end: clock::deadline(length),
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

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::{TcpListener, TcpStream};

    use tokio::io::AsyncReadExt as _;

    use super::*;

    /// A limit that has passed, as after a pause of the process.
    fn passed() -> Limit {
        Limit {
            end: Instant::now().checked_sub(Duration::from_secs(1)).unwrap(),
            is_over: false,
        }
    }

    /// Both ends of a connection; nothing is known yet of what the socket of the first one holds.
    fn connection() -> (tokio::net::TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        client.set_nonblocking(true).unwrap();
        (tokio::net::TcpStream::from_std(client).unwrap(), server)
    }

    #[tokio::test]
    async fn a_response_that_is_in_the_socket_when_the_limit_has_passed_is_read() {
        let (mut client, mut server) = connection();
        server.write_all(b"made-up").unwrap();
        let mut seen = [0; 7];
        let read = passed().within(client.read_exact(&mut seen)).await;
        assert_eq!((read.unwrap().unwrap(), &seen), (7, b"made-up"));
    }

    #[tokio::test]
    async fn a_response_that_is_not_there_when_the_limit_has_passed_is_a_timeout_at_any_part() {
        let (mut client, mut server) = connection();
        let (mut limit, mut seen) = (passed(), [0; 7]);
        assert!(limit.within(client.read_exact(&mut seen)).await.is_err());
        // What comes now is too late: the time was given once.
        server.write_all(b"made-up").unwrap();
        let end = limit.end;
        assert!(limit.within(std::future::pending::<()>()).await.is_err());
        assert_eq!(limit.end, end);
    }

    #[tokio::test]
    async fn a_limit_of_any_length_is_one() {
        let mut limit = Limit::of(Duration::MAX);
        assert!(limit.within(async {}).await.is_ok());
    }
}
