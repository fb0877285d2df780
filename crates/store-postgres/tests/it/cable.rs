//! The way to the server: it counts what is sent, and breaks where a test says.

use std::collections::HashMap;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// Where the connection breaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Break {
    /// Before the statement is sent.
    Before,
    /// After it is executed, so that its response is lost.
    After,
}

#[derive(Clone, Debug)]
pub(crate) struct Cable {
    pub(crate) port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// How many statements were sent, which is how many round trips there were.
    statements: usize,
    breaks: HashMap<usize, Break>,
}

impl Cable {
    pub(crate) fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State::default()));
        let cable = Self {
            port,
            state: Arc::clone(&state),
        };
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                // Without a server the connection closes at once.
                if let Ok(server) = TcpStream::connect(("127.0.0.1", server)) {
                    connect(client, server, &state);
                }
            }
        });
        cable
    }

    pub(crate) fn statements(&self) -> usize {
        self.state.lock().unwrap().statements
    }

    /// The statement breaks that comes after so many others from now on.
    pub(crate) fn break_after(&self, others: usize, how: Break) {
        let mut state = self.state.lock().unwrap();
        let number = state.statements + others + 1;
        state.breaks.insert(number, how);
    }

    /// How many of the breaks have not come yet.
    pub(crate) fn breaks_left(&self) -> usize {
        self.state.lock().unwrap().breaks.len()
    }
}

fn connect(client: TcpStream, server: TcpStream, state: &Arc<Mutex<State>>) {
    let is_lost = Arc::new(AtomicBool::new(false));
    let ends = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let (state, lost) = (Arc::clone(state), Arc::clone(&is_lost));
    thread::spawn(move || {
        drop(requests(client, &server, &state, &lost));
        drop(server.shutdown(Shutdown::Both));
    });
    thread::spawn(move || {
        let (client, server) = ends;
        drop(responses(server, &client, &is_lost));
        drop(client.shutdown(Shutdown::Both));
    });
}

/// From the client: whole statements, which end with `Sync`.
fn requests(
    mut client: TcpStream,
    mut server: &TcpStream,
    state: &Mutex<State>,
    is_lost: &AtomicBool,
) -> io::Result<()> {
    let mut batch = Vec::new();
    // The first message has no type.
    message(&mut client, &mut batch)?;
    loop {
        server.write_all(&batch)?;
        batch.clear();
        loop {
            let kind = typed(&mut client, &mut batch)?;
            if kind == b'S' || kind == b'Q' {
                break;
            }
            if kind == b'X' {
                return server.write_all(&batch);
            }
        }
        let found = {
            let mut state = state.lock().unwrap();
            state.statements += 1;
            let number = state.statements;
            state.breaks.remove(&number)
        };
        match found {
            None => {}
            Some(Break::Before) => return Ok(()),
            Some(Break::After) => is_lost.store(true, Ordering::SeqCst),
        }
    }
}

/// From the server: whole messages, unless the response is lost.
fn responses(
    mut server: TcpStream,
    mut client: &TcpStream,
    is_lost: &AtomicBool,
) -> io::Result<()> {
    loop {
        let mut bytes = Vec::new();
        let kind = typed(&mut server, &mut bytes)?;
        if !is_lost.load(Ordering::SeqCst) {
            client.write_all(&bytes)?;
        } else if kind == b'Z' {
            // The statement is executed.
            return server.shutdown(Shutdown::Both);
        }
    }
}

fn typed(from: &mut TcpStream, into: &mut Vec<u8>) -> io::Result<u8> {
    let mut kind = [0];
    from.read_exact(&mut kind)?;
    into.extend(kind);
    message(from, into)?;
    Ok(kind[0])
}

fn message(from: &mut TcpStream, into: &mut Vec<u8>) -> io::Result<()> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    into.extend(length);
    let begin = into.len();
    into.resize(begin + u32::from_be_bytes(length) as usize - 4, 0);
    from.read_exact(&mut into[begin..])
}
