//! The requests of a browser and of an API call, to this computer alone. The client of the core has
//! no JSON bodies and hides where a redirect leads.

use std::io;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, LOCATION, USER_AGENT};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

const TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) location: Option<String>,
    pub(super) body: Bytes,
}

pub(super) async fn get(url: &str) -> io::Result<Response> {
    timeout(TIMEOUT, send(Method::GET, url, &[], Bytes::new())).await?
}

pub(super) async fn post_json(
    url: &str,
    headers: &[(String, String)],
    body: String,
) -> io::Result<Response> {
    timeout(TIMEOUT, send(Method::POST, url, headers, body.into())).await?
}

async fn send(
    method: Method,
    url: &str,
    headers: &[(String, String)],
    body: Bytes,
) -> io::Result<Response> {
    let url: Uri = url.parse().map_err(io::Error::other)?;
    let server = url
        .authority()
        .filter(|server| server.host() == "127.0.0.1" && url.scheme_str() == Some("http"))
        .ok_or_else(|| io::Error::other("the demo only calls this computer"))?;
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, server.as_str())
        .header(USER_AGENT, "llm-auth-demo")
        .header(CONTENT_TYPE, "application/json");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let request = request.body(Full::new(body)).map_err(io::Error::other)?;
    let stream = TcpStream::connect(server.as_str()).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    // It ends when `sender` is dropped.
    let _connection = tokio::spawn(connection);
    let response = sender
        .send_request(request)
        .await
        .map_err(io::Error::other)?;
    let (head, body) = response.into_parts();
    let location = head.headers.get(LOCATION);
    Ok(Response {
        status: head.status.as_u16(),
        location: location
            .and_then(|location| location.to_str().ok())
            .map(str::to_owned),
        body: body.collect().await.map_err(io::Error::other)?.to_bytes(),
    })
}
