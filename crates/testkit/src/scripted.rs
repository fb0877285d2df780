//! A server that sends the responses of a script.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::cases::WireCase;
use crate::clock::Clock;
use crate::http::Form;
use crate::oauth::{IdTokens, keys};

/// Sends the responses of a script, at any path; on a real loopback socket.
///
/// The responses come in order, then the last one repeats. Status 0 drops the connection.
/// In a body, `{ORIGIN}` becomes the base URL, `{STATE}` the `state` parameter of the request and
/// `{NOW_MS+n}` the instant `n` milliseconds from now. After
/// [`sign_id_tokens`](Self::sign_id_tokens), `ID_TOKEN` becomes an ID token. Must be started in a
/// tokio runtime; ends when dropped.
#[derive(Debug)]
pub struct ScriptedServer {
    base_url: String,
    seen: Arc<Mutex<Vec<ScriptedRequest>>>,
    signs: Signs,
    task: JoinHandle<()>,
}

/// The issuer of ID tokens, and the nonce in them.
type Signs = Arc<Mutex<Option<(IdTokens, String)>>>;

/// The paths of the documents about ID tokens.
const DISCOVERY: &str = "/.well-known/openid-configuration";
const KEYS: &str = "/testkit/keys";

/// One response of a [`ScriptedServer`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ScriptedResponse {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

/// One request that a [`ScriptedServer`] received.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ScriptedRequest {
    /// `POST`.
    pub method: String,
    /// The path with the query.
    pub target: String,
    /// The headers, with names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body as it came, not decoded.
    pub body: String,
}

impl ScriptedServer {
    /// Binds a free port and starts serving.
    ///
    /// # Errors
    ///
    /// If no loopback port can be bound.
    pub async fn start(responses: impl IntoIterator<Item = ScriptedResponse>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let seen = Arc::default();
        let script: Vec<_> = responses.into_iter().collect();
        let signs = Signs::default();
        let served = Served {
            base_url: base_url.clone(),
            seen: Arc::clone(&seen),
            signs: Arc::clone(&signs),
        };
        let task = tokio::spawn(serve(listener, script, served));
        Ok(Self {
            base_url,
            seen,
            signs,
            task,
        })
    }

    /// [`start`](Self::start) with responses in JSON: their statuses and bodies.
    ///
    /// # Errors
    ///
    /// If no loopback port can be bound.
    pub async fn json<B: Into<String>>(
        responses: impl IntoIterator<Item = (u16, B)>,
    ) -> io::Result<Self> {
        let responses = responses.into_iter();
        Self::start(responses.map(|(status, body)| ScriptedResponse::json(status, body))).await
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// From now on, `ID_TOKEN` in a body becomes a valid ID token of this issuer, for the `client_id`
    /// of the request and with this nonce, and requests for the discovery document and for the keys
    /// that it names are answered beside the script. They are not in [`requests`](Self::requests).
    pub fn sign_id_tokens(&self, issuer: impl Into<String>, nonce: impl Into<String>) {
        let user = json!({"sub": "testkit-user"});
        let issuer = issuer.into();
        let signs = Some((IdTokens { issuer, user }, nonce.into()));
        *self.signs.lock().unwrap_or_else(PoisonError::into_inner) = signs;
    }

    /// The requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<ScriptedRequest> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl ScriptedResponse {
    /// A response in JSON.
    pub fn json(status: u16, body: impl Into<String>) -> Self {
        let body = body.into();
        let json = ("content-type".to_owned(), "application/json".to_owned());
        Self {
            status,
            headers: BTreeMap::from([json]),
            body,
        }
    }

    /// Sets a header.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.insert(name.to_ascii_lowercase(), value.into());
        self
    }

    fn bytes(&self, request: &ScriptedRequest, signs: Option<&(IdTokens, String)>) -> Vec<u8> {
        let mut body = filled(&self.body, request);
        if let Some((tokens, nonce)) = signs {
            let client_id = request.parameter("client_id").unwrap_or_default();
            let token = tokens.issue(&client_id, Some(nonce), &Clock::default());
            body = body.replace("ID_TOKEN", &token);
        }
        let mut head = format!("HTTP/1.1 {} Scripted\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let length = body.len();
        head.push_str(&format!(
            "content-length: {length}\r\nconnection: close\r\n\r\n"
        ));
        head.push_str(&body);
        head.into_bytes()
    }
}

impl From<&WireCase> for ScriptedResponse {
    fn from(case: &WireCase) -> Self {
        let start = Self::json(case.status, &case.body);
        let headers = case.headers.iter();
        headers.fold(start, |response, (name, value)| {
            response.header(name, value)
        })
    }
}

impl ScriptedRequest {
    /// The parameters of a form body in their order, decoded.
    ///
    /// # Errors
    ///
    /// What is wrong with the body, such as a value that is not escaped.
    pub fn form(&self) -> Result<Vec<(String, String)>, String> {
        Form::parse(self.body.as_bytes()).map(Form::into_pairs)
    }

    /// One parameter of the body, a form or a JSON object, decoded.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        if let Ok(object) = serde_json::from_str::<Value>(&self.body) {
            return object[name].as_str().map(str::to_owned);
        }
        let form = Form::parse(self.body.as_bytes()).ok()?;
        form.get(name).map(str::to_owned)
    }
}

/// The parameters of a form body as they were sent, in the order of the alphabet: two bodies are
/// compared without their order.
#[must_use]
pub fn parameters(body: &str) -> Vec<&str> {
    let mut parameters: Vec<_> = body.split('&').collect();
    parameters.sort_unstable();
    parameters
}

/// What a server and its task share.
struct Served {
    base_url: String,
    seen: Arc<Mutex<Vec<ScriptedRequest>>>,
    signs: Signs,
}

impl Served {
    fn signs(&self) -> Option<(IdTokens, String)> {
        let signs = self.signs.lock().unwrap_or_else(PoisonError::into_inner);
        signs.clone()
    }

    fn record(&self, request: &ScriptedRequest) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(request.clone());
    }

    /// The response to a request for a document about ID tokens.
    fn document(&self, request: &ScriptedRequest, tokens: &IdTokens) -> Option<ScriptedResponse> {
        let body = match &*request.target {
            DISCOVERY => {
                serde_json::json!({"issuer": tokens.issuer, "jwks_uri": format!("{}{KEYS}", self.base_url)})
            }
            KEYS => keys(),
            _ => return None,
        };
        Some(ScriptedResponse::json(200, body.to_string()))
    }
}

async fn serve(listener: TcpListener, script: Vec<ScriptedResponse>, served: Served) {
    let mut script = script.iter().peekable();
    let mut last = None;
    while let Ok((mut stream, _)) = listener.accept().await {
        // Without a request the client has closed the connection.
        let Some(request) = read(&mut stream).await else {
            continue;
        };
        let signs = served.signs();
        let tokens = signs.as_ref().map(|(tokens, _)| tokens);
        let document = tokens.and_then(|tokens| served.document(&request, tokens));
        if document.is_none() {
            last = script.next().or(last);
            served.record(&request);
        }
        let response = document.as_ref().or(last);
        if let Some(response) = response.filter(|response| response.status != 0) {
            let bytes = response.bytes(&request, signs.as_ref());
            // The client may be gone.
            drop(stream.write_all(&bytes).await);
            drop(stream.shutdown().await);
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<ScriptedRequest> {
    let mut bytes = Vec::new();
    loop {
        if let Some(request) = parse(&bytes) {
            return Some(request);
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// The request, once it is complete.
fn parse(bytes: &[u8]) -> Option<ScriptedRequest> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let headers: BTreeMap<_, _> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let announced = headers
        .get("content-length")
        .map_or(Some(0), |n| n.parse().ok())?;
    (body.len() >= announced).then(|| ScriptedRequest {
        method: first.next().unwrap_or_default().to_owned(),
        target: first.next().unwrap_or_default().to_owned(),
        headers,
        body: body.to_owned(),
    })
}

fn filled(body: &str, request: &ScriptedRequest) -> String {
    let state = request.parameter("state").unwrap_or_default();
    let host = request.headers.get("host").map_or("", String::as_str);
    let body = body.replace("{ORIGIN}", &format!("http://{host}"));
    let mut body = body.replace("{STATE}", &state);
    while let Some((before, rest)) = body.split_once("{NOW_MS+")
        && let Some((offset, after)) = rest.split_once('}')
    {
        let instant = Clock::default().now_ms() + offset.parse().unwrap_or(0);
        body = format!("{before}{instant}{after}");
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(body: &str) -> ScriptedRequest {
        let head = format!(
            "POST /token?x=1 HTTP/1.1\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        parse(format!("{head}{body}").as_bytes()).unwrap()
    }

    #[test]
    fn a_request_is_whole_when_its_announced_body_is_there() {
        assert!(parse(b"POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\na=").is_none());
        let request = request("a=b");
        assert_eq!((&*request.method, &*request.target), ("POST", "/token?x=1"));
        assert_eq!(request.body, "a=b");
    }

    #[test]
    fn a_parameter_is_read_from_a_form_and_from_json() {
        for body in ["a=%2B&b=x", r#"{"a":"+","b":1}"#] {
            let request = request(body);
            assert_eq!(request.parameter("a").as_deref(), Some("+"));
            assert_eq!(request.parameter("c"), None);
        }
    }

    #[test]
    fn templates_are_filled_from_the_request_and_the_clock() {
        let filled = filled(
            r#"{"state":"{STATE}","expired_in":{NOW_MS+10000},"x":{}}"#,
            &request("state=a%2Bb"),
        );
        let value: Value = serde_json::from_str(&filled).unwrap();
        assert_eq!(value["state"], "a+b");
        assert!(value["expired_in"].as_i64().unwrap() > 1_767_225_600_000);
    }
}
