//! The response to a browser: one page, and the connection ends.

use std::time::Duration;

use tokio::io::{self, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::page::{Language, Page, SECURITY_POLICY};

/// How long data after the head of a request is read and dropped: closing a connection with unread
/// data resets it, and that may lose the page.
const REST_TIME: Duration = Duration::from_secs(1);
const MOST_OF_REST: u64 = 1024 * 1024;

#[derive(Clone, Copy, Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) page: Page,
    pub(super) language: Language,
    /// For `HEAD`, which gets everything but the page.
    pub(super) is_bare: bool,
}

impl Response {
    pub(super) async fn send(self, stream: &mut TcpStream) -> io::Result<()> {
        stream.write_all(self.text().as_bytes()).await?;
        stream.shutdown().await
    }

    fn text(self) -> String {
        let page = self.page.html(self.language);
        let allow = match self.status {
            405 => "allow: GET\r\n",
            _ => "",
        };
        format!(
            "HTTP/1.1 {status} {reason}\r\n\
             content-type: text/html; charset=utf-8\r\n\
             content-language: {language}\r\n\
             vary: accept-language\r\n\
             cache-control: no-store\r\n\
             referrer-policy: no-referrer\r\n\
             x-content-type-options: nosniff\r\n\
             cross-origin-resource-policy: same-origin\r\n\
             content-security-policy: {policy}\r\n\
             {allow}content-length: {length}\r\n\
             connection: close\r\n\r\n{body}",
            status = self.status,
            reason = reason(self.status),
            language = self.language.tag(),
            policy = SECURITY_POLICY.as_str(),
            length = page.len(),
            body = if self.is_bare { "" } else { &page },
        )
    }
}

/// Reads and drops the remaining data of the client.
pub(super) async fn drain(stream: &mut TcpStream) {
    let mut rest = stream.take(MOST_OF_REST);
    let mut nowhere = io::sink();
    let _cut_off = timeout(REST_TIME, io::copy(&mut rest, &mut nowhere)).await;
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        410 => "Gone",
        421 => "Misdirected Request",
        431 => "Request Header Fields Too Large",
        _ => "Bad Request",
    }
}
