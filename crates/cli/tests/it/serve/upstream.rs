//! An API that shows what it received.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, mpsc};

use crate::support::user::User;
use crate::support::wait::PATIENCE;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// The request line and the headers, in lower case but for the values.
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Seen {
    pub(super) fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1);
        lines.find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

pub(super) struct Upstream {
    pub(super) base: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Upstream {
    /// Sends this response to each request, once it has the whole of it.
    pub(super) fn start(response: &str) -> Self {
        let response = response.to_owned();
        Self::with(move |seen, mut stream| {
            // A proxy that has ended reads nothing.
            let _gone = stream.write_all(response.replace("{TARGET}", seen.target()).as_bytes());
        })
    }

    /// Hands each connection on after its one request.
    pub(super) fn with(answer: impl Fn(&Seen, TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (answer, all) = (Arc::new(answer), Arc::clone(&seen));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (answer, all) = (Arc::clone(&answer), Arc::clone(&all));
                let stream = stream.unwrap();
                std::thread::spawn(move || {
                    let Some(seen) = read(&stream) else { return };
                    all.lock().unwrap().push(seen.clone());
                    answer(&seen, stream);
                });
            }
        });
        Self { base, seen }
    }

    /// Reports how much of a chunked upload has arrived, as it arrives, and responds with its length.
    pub(super) fn streaming(report: impl Fn(usize) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                reader.read_line(&mut head).unwrap();
            }
            let mut total = 0;
            while let Some(length) = chunk(&mut reader).map(|chunk| chunk.len()) {
                if length == 0 {
                    break;
                }
                total += length;
                report(total);
            }
            stream.write_all(ok(&total.to_string()).as_bytes()).unwrap();
        });
        Self {
            base,
            seen: Arc::default(),
        }
    }

    pub(super) fn requests(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// A user whose session at Qwen names this as its API, below `/v1`.
    pub(super) fn user(&self) -> User {
        let user = User::new();
        user.trust(&[user.kit.base_url(), &self.base]);
        user.kit
            .qwen()
            .set_resource_url(Some(format!("{}/v1", self.base)));
        user.sign_in(&["qwen"]);
        user
    }
}

fn read(stream: &TcpStream) -> Option<Seen> {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let mut seen = Seen {
        head,
        body: Vec::new(),
    };
    if seen.header("transfer-encoding").is_some() {
        loop {
            let piece = chunk(&mut reader)?;
            if piece.is_empty() {
                return Some(seen);
            }
            seen.body.extend(piece);
        }
    }
    let length = seen.header("content-length");
    seen.body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut seen.body).ok()?;
    Some(seen)
}

/// The next chunk of a body; empty at the end.
fn chunk(reader: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let length = usize::from_str_radix(line.trim_end(), 16).ok()?;
    let mut chunk = vec![0; length + 2];
    reader.read_exact(&mut chunk).ok()?;
    chunk.truncate(length);
    Some(chunk)
}

/// A response with a body in JSON.
pub(super) fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// An upstream that sends its response in two parts, the second when it is released.
pub(super) fn in_two_parts(
    first: &'static str,
    second: &'static str,
) -> (Upstream, mpsc::Sender<()>) {
    let (release, released) = mpsc::channel();
    let released = Mutex::new(released);
    let upstream = Upstream::with(move |_, mut stream| {
        stream.write_all(first.as_bytes()).unwrap();
        released.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        stream.write_all(second.as_bytes()).unwrap();
    });
    (upstream, release)
}
