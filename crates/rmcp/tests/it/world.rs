//! The servers of a test on real sockets: the token endpoint, and an MCP server that wants its tokens.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use llm_auth_rmcp::provider::Endpoints;
use llm_auth_rmcp::{
    AuthManager, Clock as _, FileTokenStore, OAuthToken, ProviderSpec as _, SecureUrl, Server,
    ServerClient, SessionClient, SystemClock,
};
use rmcp::ServiceExt as _;
use rmcp::service::{ClientInitializeError, RoleClient, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::mcp_server::{self, McpServer};
use super::vendor::Vendor;

/// What an MCP server of a test returns in place of its own response.
pub(crate) type Reply = (u16, Vec<(&'static str, String)>, String);

/// Gets the `Authorization` header and the message.
type Rule = Box<dyn Fn(&str, &str) -> Option<Reply> + Send + Sync>;

type Client = RunningService<RoleClient, ()>;

pub(crate) struct World {
    pub(crate) vendor: Arc<Vendor>,
    pub(crate) url: String,
    shared: Arc<Shared>,
    token_endpoint: SecureUrl,
    directory: TempDir,
    tasks: Vec<JoinHandle<()>>,
}

struct Shared {
    vendor: Arc<Vendor>,
    mcp: McpServer,
    rule: Mutex<Option<Rule>>,
    /// The method, the `Authorization` header and the status of each request to the MCP server.
    seen: Mutex<Vec<(String, String, u16)>>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl World {
    pub(crate) async fn start() -> Self {
        let vendor = Arc::new(Vendor::default());
        let shared = Arc::new(Shared {
            vendor: Arc::clone(&vendor),
            mcp: mcp_server::start(),
            rule: Mutex::default(),
            seen: Mutex::default(),
        });
        // Two origins: the token of one is for the other.
        let (auth, first) = listen(Arc::clone(&shared)).await;
        let (mcp, second) = listen(Arc::clone(&shared)).await;
        Self {
            vendor,
            url: format!("{mcp}/mcp"),
            shared,
            token_endpoint: SecureUrl::new(&format!("{auth}/token")).unwrap(),
            directory: TempDir::new().unwrap(),
            tasks: vec![first, second],
        }
    }

    /// The MCP server returns this wherever the rule says so.
    pub(crate) fn reply(&self, rule: impl Fn(&str, &str) -> Option<Reply> + Send + Sync + 'static) {
        *self.shared.rule.lock().unwrap() = Some(Box::new(rule));
    }

    pub(crate) fn server(&self) -> Server {
        let mut server = Server::new("work", Endpoints::new(self.token_endpoint.clone()));
        server.client = Some(ServerClient::new("made-up-client"));
        server.endpoints.api_base = Some(SecureUrl::new(&self.url).unwrap());
        server.issuer = Some("https://auth.example".to_owned());
        server
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.directory.path().join("session.json")
    }

    /// A manager as another process has it: only the file is shared.
    pub(crate) fn manager(&self) -> AuthManager {
        AuthManager::builder(self.server().provider())
            .store(FileTokenStore::file(self.file()))
            .build()
    }

    /// A manager, with a session in the file that lives for so long; not at all if that is zero.
    pub(crate) async fn signed_in_for(&self, life: Duration) -> AuthManager {
        let manager = self.manager();
        let mut session = OAuthToken::new("made-up-access-1".into(), SystemClock.now().after(life));
        session.refresh = Some("made-up-refresh-1".into());
        session.scope = Some("read write".into());
        manager.insert_session(session).await.unwrap();
        manager
    }

    pub(crate) async fn signed_in(&self) -> AuthManager {
        self.signed_in_for(Duration::from_secs(3600)).await
    }

    /// A client of rmcp that is connected to the MCP server.
    pub(crate) async fn connect(
        &self,
        client: SessionClient,
    ) -> Result<Client, ClientInitializeError> {
        connect(client, &self.url).await
    }

    /// How many requests had this method, or any if it is empty, and this status.
    pub(crate) fn count(&self, method: &str, status: u16) -> usize {
        let seen = self.shared.seen.lock().unwrap();
        let counted = seen
            .iter()
            .filter(|(one, _, found)| (method.is_empty() || one == method) && *found == status);
        counted.count()
    }

    pub(crate) fn seen(&self) -> Vec<(String, String, u16)> {
        self.shared.seen.lock().unwrap().clone()
    }
}

pub(crate) async fn connect(
    client: SessionClient,
    url: &str,
) -> Result<Client, ClientInitializeError> {
    let config = StreamableHttpClientTransportConfig::with_uri(url);
    ().serve(StreamableHttpClientTransport::with_client(client, config))
        .await
}

/// All that a program may print of an error.
pub(crate) fn texts(error: &(dyn std::error::Error + 'static)) -> String {
    let mut texts = format!("{error:?}");
    let mut next = Some(error);
    while let Some(error) = next {
        texts.push_str(&format!("\n{error}"));
        next = error.source();
    }
    texts
}

async fn listen(shared: Arc<Shared>) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let shared = Arc::clone(&shared);
            let service = hyper::service::service_fn(move |request| {
                let shared = Arc::clone(&shared);
                async move { Ok::<_, Infallible>(shared.respond(request).await) }
            });
            let serving = hyper::server::conn::http1::Builder::new()
                // Its clock would correct that of a test.
                .auto_date_header(false)
                .serve_connection(TokioIo::new(stream), service);
            tokio::spawn(serving);
        }
    });
    (origin, task)
}

impl Shared {
    async fn respond(&self, request: Request<Incoming>) -> Response<BoxBody<Bytes, Infallible>> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&body).into_owned();
        if parts.uri.path() == "/token" {
            let (status, body) = self.vendor.token(&text);
            let json = vec![("content-type", "application/json".to_owned())];
            return whole((status, json, body));
        }
        let authorization = parts.headers.get("authorization");
        let authorization = authorization.map_or("", |value| value.to_str().unwrap());
        let authorization = authorization.to_owned();
        let method = parts.method.to_string();
        let ruled = {
            let rule = self.rule.lock().unwrap();
            rule.as_ref().and_then(|rule| rule(&authorization, &text))
        };
        let response = if let Some(reply) = ruled {
            whole(reply)
        } else if self.vendor.accepts(&authorization) {
            let request = Request::from_parts(parts, Full::new(body));
            self.mcp.handle(request).await
        } else {
            let challenge = r#"Bearer error="invalid_token""#.to_owned();
            whole((401, vec![("www-authenticate", challenge)], String::new()))
        };
        let status = response.status().as_u16();
        let mut seen = self.seen.lock().unwrap();
        seen.push((method, authorization, status));
        response
    }
}

fn whole((status, headers, body): Reply) -> Response<BoxBody<Bytes, Infallible>> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(Full::from(body).boxed()).unwrap()
}
