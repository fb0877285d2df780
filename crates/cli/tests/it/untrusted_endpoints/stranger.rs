//! A stranger's server, and the variables that point to it.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::thread::JoinHandle;

/// The server of a stranger: it rejects every request, and keeps every byte that it is sent.
pub(super) struct Stranger {
    pub(super) host: String,
    listening: JoinHandle<String>,
}

const END: &str = "the end of the test";

impl Stranger {
    pub(super) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let listening = std::thread::spawn(move || {
            let mut seen = String::new();
            for stream in listener.incoming() {
                let request = receive(&mut stream.unwrap());
                if request == END {
                    break;
                }
                seen.push_str(&request);
            }
            seen
        });
        Self { host, listening }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host)
    }

    /// Everything that it was sent.
    pub(super) fn seen(self) -> String {
        let mut stream = TcpStream::connect(&self.host).unwrap();
        stream.write_all(END.as_bytes()).unwrap();
        drop(stream);
        self.listening.join().unwrap()
    }
}

/// One request, or what there is of it.
fn receive(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count) = stream.read(&mut buffer) {
        if count == 0 {
            break;
        }
        request.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&request).to_ascii_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.split("content-length: ").nth(1);
            let length = length.and_then(|rest| rest.lines().next()?.trim().parse().ok());
            if body.len() >= length.unwrap_or(0) {
                let rejection = "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n\
                               Content-Length: 27\r\nConnection: close\r\n\r\n\
                               {\"error\":\"invalid_request\"}\n";
                let _gone = stream.write_all(rejection.as_bytes());
                break;
            }
        }
    }
    String::from_utf8_lossy(&request).into_owned()
}

pub(super) fn variable(provider: &str, last: &str) -> String {
    format!("LLM_AUTH_{}_{last}", provider.to_ascii_uppercase())
}

pub(super) fn set(command: &mut Command, provider: &str, names: &[&str], stranger: &Stranger) {
    for last in names {
        let path = if *last == "BASE_URL" { "" } else { "/x" };
        command.env(variable(provider, last), stranger.url(path));
    }
}
