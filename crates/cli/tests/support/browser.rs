//! What a browser does: it follows a page to where that leads.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Child;

use serde_json::Value;

use super::done::Done;

/// Does with the first event of `login gemini --json` what a browser does, and waits for the end.
pub(crate) fn with_browser(mut child: Child, visit: impl FnOnce(&Value)) -> Done {
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut seen = String::new();
    // The command may print first that the servers are not the provider's own.
    for _ in 0..2 {
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        let is_first = !line.contains("foreign_endpoints");
        seen.push_str(&line);
        if is_first {
            if let Ok(event) = serde_json::from_str(&line) {
                visit(&event);
            }
            break;
        }
    }
    lines.read_to_string(&mut seen).unwrap();
    let done = Done::from(child.wait_with_output().unwrap());
    Done { out: seen, ..done }
}

/// Follows a page to where it leads, as a browser does.
pub(crate) fn browse(url: &str) {
    let mut url = url.to_owned();
    for _ in 0..5 {
        match location(&url) {
            Some(next) => url = next,
            None => return,
        }
    }
}

/// Where the provider sends the browser in the end, which does not get there.
pub(crate) fn final_url(url: &str) -> String {
    location(url).unwrap()
}

/// The status of a chat request with this token.
pub(crate) fn chat(url: &str, token: &str) -> u16 {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let body = r#"{"model":"any","messages":[{"role":"user","content":"hello"}]}"#;
    let request = format!(
        "POST /{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(host).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response.split(' ').nth(1).unwrap().parse().unwrap()
}

/// The value of a parameter of an address, as it stands there.
pub(crate) fn parameter(url: &str, name: &str) -> String {
    let start = format!("{name}=");
    let mut parts = url.split(['?', '&']);
    let value = parts.find_map(|part| part.strip_prefix(&start));
    value.unwrap().to_owned()
}

/// Where the response to a request of this page leads, if anywhere.
fn location(url: &str) -> Option<String> {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    let mut head = response.lines().take_while(|line| !line.is_empty());
    let line = head.find(|line| line.to_ascii_lowercase().starts_with("location:"))?;
    Some(line["location:".len()..].trim().to_owned())
}
