//! A sign-in with the code flow, and its user.

use std::collections::BTreeMap;

use llm_auth_core::{
    AuthProvider as _, LoginEvent, OAuthProvider, OAuthToken, ProviderSpec, Result, Secret,
    UserPrompt, async_trait,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

/// A user who pastes what the test sends.
#[derive(Debug)]
struct Person {
    shown: mpsc::UnboundedSender<String>,
    ignored: mpsc::UnboundedSender<String>,
    pasted: Mutex<mpsc::UnboundedReceiver<String>>,
}

#[async_trait]
impl UserPrompt for Person {
    fn notify(&self, event: &LoginEvent<'_>) {
        let _gone = match event {
            LoginEvent::AuthorizationUrl { url, .. } => self.shown.send((*url).to_owned()),
            LoginEvent::Ignored { why, .. } => self.ignored.send((*why).to_owned()),
            LoginEvent::Retrying { error, .. } => self.ignored.send(error.to_string()),
            _ => Ok(()),
        };
    }

    async fn pasted(&self) -> Secret {
        match self.pasted.lock().await.recv().await {
            Some(text) => text.into(),
            None => std::future::pending().await,
        }
    }
}

/// A sign-in that waits for the browser.
pub(super) struct SignIn {
    /// The parameters of the authorization request, decoded.
    pub(super) request: BTreeMap<String, String>,
    pub(super) paste: mpsc::UnboundedSender<String>,
    pub(super) ignored: mpsc::UnboundedReceiver<String>,
    pub(super) task: JoinHandle<Result<OAuthToken>>,
}

impl SignIn {
    pub(super) async fn begin(spec: impl ProviderSpec, base: &str) -> Self {
        Self::at(spec.builder().base_url(base).unwrap().build()).await
    }

    pub(super) async fn at(provider: OAuthProvider<impl ProviderSpec>) -> Self {
        let (show, mut shown) = mpsc::unbounded_channel();
        let (ignore, ignored) = mpsc::unbounded_channel();
        let (paste, pasted) = mpsc::unbounded_channel();
        let person = Person {
            shown: show,
            ignored: ignore,
            pasted: Mutex::new(pasted),
        };
        let task = tokio::spawn(async move { provider.authenticate(&person).await });
        let url = shown.recv().await.unwrap();
        let query = url.split_once('?').unwrap().1;
        let request = form_urlencoded::parse(query.as_bytes()).into_owned();
        Self {
            request: request.collect(),
            paste,
            ignored,
            task,
        }
    }

    /// Ends the sign-in with a code, as the browser does.
    pub(super) async fn redeem(self) -> Result<OAuthToken> {
        let uri = &self.request["redirect_uri"];
        let path = uri.splitn(4, '/').nth(3).unwrap();
        let state = &self.request["state"];
        Self::browse(uri, &format!("/{path}?code=made-up&state={state}")).await;
        self.task.await.unwrap()
    }

    /// Requests a target at the redirect URI's host, and returns the status.
    pub(super) async fn browse(redirect_uri: &str, target: &str) -> u16 {
        let authority = redirect_uri.split('/').nth(2).unwrap();
        let port = authority.rsplit_once(':').unwrap().1;
        let stream = TcpStream::connect(format!("127.0.0.1:{port}")).await;
        let mut stream = stream.unwrap();
        let request = format!("GET {target} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).await.unwrap();
        String::from_utf8_lossy(&head[9..]).parse().unwrap()
    }
}
