//! The least of HTTP/1.1 that a browser and an API call on this computer need.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) location: Option<String>,
    pub(super) body: Vec<u8>,
}

pub(super) fn get(url: &str) -> io::Result<Response> {
    send("GET", url, &[], b"")
}

pub(super) fn post_json(
    url: &str,
    headers: &[(&str, String)],
    body: &[u8],
) -> io::Result<Response> {
    send("POST", url, headers, body)
}

fn send(method: &str, url: &str, headers: &[(&str, String)], body: &[u8]) -> io::Result<Response> {
    let (host, path) = url
        .strip_prefix("http://127.0.0.1:")
        .and_then(|rest| rest.split_once('/'))
        .map(|(port, path)| (format!("127.0.0.1:{port}"), path))
        .ok_or_else(|| io::Error::other("the demo calls this computer only"))?;
    let mut head = format!(
        "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         User-Agent: llm-auth-demo\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    read(&answer).ok_or_else(|| io::Error::other("the answer is not HTTP"))
}

fn read(answer: &[u8]) -> Option<Response> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let location = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("location")
            .then(|| value.trim().to_owned())
    });
    Some(Response {
        status,
        location,
        body: answer[end + 4..].to_vec(),
    })
}
