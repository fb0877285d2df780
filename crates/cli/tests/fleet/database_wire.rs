//! The only way of a host to its database. It can be cut; what was under way then never arrives
//! late.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::trigger::{Point, Trigger};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum State {
    Whole,
    /// Connections close at once.
    Closed,
    /// Nothing passes, and nothing says so.
    Silent,
}

#[derive(Debug)]
pub(crate) struct DatabaseWire {
    pub(crate) port: u16,
    state: watch::Sender<State>,
}

impl DatabaseWire {
    /// To the port that the database has at the time.
    pub(crate) async fn start(host: usize, server: Arc<AtomicU16>, trigger: Arc<Trigger>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (state, changes) = watch::channel(State::Whole);
        tokio::spawn(async move {
            let mut closed = changes.clone();
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    // The world has ended.
                    () = ended(&mut closed) => return,
                };
                let Ok((client, _)) = accepted else { return };
                let (changes, trigger) = (changes.clone(), Arc::clone(&trigger));
                let port = server.load(Ordering::SeqCst);
                tokio::spawn(connection(client, port, changes, host, trigger));
            }
        });
        Self { port, state }
    }

    pub(crate) fn set(&self, state: State) {
        self.state.send_replace(state);
    }
}

async fn ended(changes: &mut watch::Receiver<State>) {
    while changes.changed().await.is_ok() {}
}

async fn connection(
    client: TcpStream,
    port: u16,
    mut changes: watch::Receiver<State>,
    host: usize,
    trigger: Arc<Trigger>,
) {
    let state = *changes.borrow_and_update();
    if state == State::Whole {
        let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else {
            return;
        };
        let _unless_slow = (client.set_nodelay(true), server.set_nodelay(true));
        let ((from_client, to_client), (from_server, to_server)) =
            (client.into_split(), server.into_split());
        tokio::select! {
            biased;
            _ = changes.changed() => {
                if *changes.borrow() == State::Silent {
                    // Its ends stay open, unread.
                    let _healed = changes.changed().await;
                }
            }
            () = pump(from_client, to_server, Point::Statement, host, &trigger) => {}
            () = pump(from_server, to_client, Point::Result, host, &trigger) => {}
        }
    } else if state == State::Silent {
        let _healed = changes.changed().await;
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    point: Point,
    host: usize,
    trigger: &Trigger,
) {
    let mut bytes = vec![0; 16_384];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        trigger.pass(point, host).await;
        // A wire that was cut meanwhile is seen before this is written.
        tokio::task::yield_now().await;
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}
