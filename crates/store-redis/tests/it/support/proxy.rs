//! A wire between a store and its server that sees each command, and can hold one.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

type Strike = Box<dyn FnMut(&str, usize, Side) -> bool + Send>;

/// When something happens to a command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    /// It has arrived, and the server does not know it.
    Before,
    /// The server has replied, and the store does not know it.
    After,
}

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// The names of the commands for sessions, in order, and the holders that call scripts.
    commands: Mutex<Vec<(String, String)>>,
    /// Called for each of them with its name and number; if it returns true, the connection ends.
    strike: Mutex<Option<Strike>>,
}

impl Proxy {
    pub(crate) async fn start(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let of_wires = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = Arc::clone(&of_wires);
                tokio::spawn(async move {
                    // The server may be down.
                    if let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await {
                        wire(client, server, shared).await;
                    }
                });
            }
        });
        Self { address, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// From now on; the commands so far are forgotten.
    pub(crate) fn strike(&self, strike: impl FnMut(&str, usize, Side) -> bool + Send + 'static) {
        self.forget();
        *self.shared.strike.lock().unwrap() = Some(Box::new(strike));
    }

    pub(crate) fn pass(&self) {
        *self.shared.strike.lock().unwrap() = None;
    }

    pub(crate) fn forget(&self) {
        self.shared.commands.lock().unwrap().clear();
    }

    pub(crate) fn commands(&self) -> Vec<String> {
        let commands = self.shared.commands.lock().unwrap();
        commands.iter().map(|(name, _)| name.clone()).collect()
    }

    /// Who called scripts.
    pub(crate) fn holders(&self) -> Vec<String> {
        let commands = self.shared.commands.lock().unwrap();
        commands.iter().map(|(_, holder)| holder.clone()).collect()
    }
}

impl Shared {
    fn strikes(&self, name: &str, number: usize, side: Side) -> bool {
        let mut strike = self.strike.lock().unwrap();
        strike
            .as_mut()
            .is_some_and(|strike| strike(name, number, side))
    }

    /// The number of the command; `None` for one that is about no session.
    fn count(&self, name: &str, holder: String) -> Option<usize> {
        if ["HELLO", "CLIENT", "INFO", "CONFIG", "AUTH", "SELECT"].contains(&name) {
            return None;
        }
        let mut commands = self.commands.lock().unwrap();
        commands.push((name.to_owned(), holder));
        Some(commands.len() - 1)
    }
}

/// One command after the other, so that each reply belongs to the command before it.
async fn wire(client: TcpStream, server: TcpStream, shared: Arc<Shared>) {
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let mut pending = Vec::new();
    while let Some(command) = command(&mut from_client, &mut pending).await {
        let name = word(&command, 0).to_uppercase();
        let number = shared.count(&name, word(&command, 4));
        let strikes = |side| number.is_some_and(|number| shared.strikes(&name, number, side));
        if strikes(Side::Before) {
            return;
        }
        if !forward(&command, &mut to_server).await {
            return;
        }
        let Some(reply) = reply(&mut from_server).await else {
            return;
        };
        if strikes(Side::After) || !forward(&reply, &mut to_client).await {
            return;
        }
    }
}

async fn forward(bytes: &[u8], to: &mut OwnedWriteHalf) -> bool {
    to.write_all(bytes).await.is_ok()
}

/// The next whole command: an array of strings.
async fn command(from: &mut OwnedReadHalf, pending: &mut Vec<u8>) -> Option<Vec<u8>> {
    loop {
        if let Some(length) = length(pending) {
            return Some(pending.drain(..length).collect());
        }
        let mut bytes = vec![0; 65_536];
        match from.read(&mut bytes).await {
            Ok(read @ 1..) => pending.extend_from_slice(&bytes[..read]),
            _ => return None,
        }
    }
}

/// The whole next value of the server.
async fn reply(from: &mut OwnedReadHalf) -> Option<Vec<u8>> {
    let mut pending = Vec::new();
    command(from, &mut pending).await
}

/// The length of the value at the start, if it is there as a whole.
fn length(bytes: &[u8]) -> Option<usize> {
    let line = bytes.windows(2).position(|end| end == b"\r\n")?;
    let after = line + 2;
    let count = || {
        std::str::from_utf8(&bytes[1..line])
            .ok()?
            .parse::<i64>()
            .ok()
    };
    match bytes[0] {
        b'$' => {
            let end = after + usize::try_from(count()?).map_or(0, |length| length + 2);
            (bytes.len() >= end).then_some(end)
        }
        kind @ (b'*' | b'%') => {
            let values = count()? * if kind == b'%' { 2 } else { 1 };
            let mut end = after;
            for _ in 0..values {
                end += length(&bytes[end..])?;
            }
            Some(end)
        }
        _ => Some(after),
    }
}

/// A word of a command, which lies between the lengths of words.
fn word(command: &[u8], number: usize) -> String {
    let text = String::from_utf8_lossy(command);
    let word = text.split("\r\n").nth(2 * number + 2);
    word.unwrap_or_default().to_owned()
}
