//! A bridge between an agent that runs a command and a server that speaks streamable HTTP.

mod answer;
mod budget;
mod failure;
mod header_value;
mod id;
mod input;
mod listen;
mod message;
mod messages;
mod old_transport;
mod output;
mod pending;
mod post;
mod refusal;
mod relay;
mod replay;
mod schema;
mod scopes;
mod serve;
mod session;
mod skimmed;
mod sse;
mod tasks;
mod tools;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::{AuthManager, Error, ErrorKind, HttpClient, Result, SecureUrl};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use self::output::Output;
use self::relay::Relay;

/// The longest message in either direction: 64 MiB.
const LONGEST: usize = 64 * 1024 * 1024;

/// How long requests may take once the agent has closed the input.
const FINISH: Duration = Duration::from_millis(1_200);

/// How long the last lines may take to be written.
const LAST_LINES: Duration = Duration::from_millis(300);

/// Passes the messages of an agent that speaks MCP over standard input and output to a server that
/// speaks it over streamable HTTP, with the access token of a session.
///
/// It works with every revision since 2025-03-26; each message says itself whether it is one of
/// 2026-07-28. When the server refuses the token, the session is refreshed, once for all processes
/// that share it, and the request is sent once more. When only a new sign-in helps, the agent
/// receives an error that names the command to run; after that sign-in, the next request succeeds.
/// A bridge never opens a browser.
///
/// Every request gets one response. One that may have been carried out is never sent again. A request
/// may take as long as its server likes; it ends when its agent cancels it or closes the input, or
/// when the connection is dead. Messages have at most 64 MiB, and all requests together hold at most
/// 128 MiB.
///
/// # Examples
///
/// ```no_run
/// # async fn run(manager: llm_auth_mcp::AuthManager) -> llm_auth_mcp::Result<()> {
/// use llm_auth_mcp::{Bridge, SecureUrl};
///
/// let url = SecureUrl::new("https://mcp.example/mcp")?;
/// Bridge::new(manager, url, "llm-auth login mcp example")
///     .run(tokio::io::stdin(), tokio::io::stdout())
///     .await
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Bridge {
    manager: AuthManager,
    http: HttpClient,
    url: SecureUrl,
    sign_in: String,
}

impl Bridge {
    /// A bridge to the server at this URL. `sign_in` is the command that signs in again, for errors
    /// that the agent shows.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_mcp::{AuthManager, Bridge, ProviderSpec as _, SecureUrl};
    /// use llm_auth_mcp::provider::OAuthConfig;
    ///
    /// let token = SecureUrl::known("https://auth.example/token");
    /// let manager = AuthManager::builder(OAuthConfig::new("example", token).provider()).build();
    /// let url = SecureUrl::known("https://mcp.example/mcp");
    /// let bridge = Bridge::new(manager, url, "llm-auth login mcp example");
    /// ```
    pub fn new(manager: AuthManager, url: SecureUrl, sign_in: impl Into<String>) -> Self {
        Self {
            manager,
            http: HttpClient::default(),
            url,
            sign_in: sign_in.into(),
        }
    }

    /// The HTTP client for the server: its proxy, its certificates, its user agent. Its time limit
    /// applies to connecting only.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_mcp::{AuthManager, Bridge, ProviderSpec as _, SecureUrl};
    /// # use llm_auth_mcp::provider::OAuthConfig;
    /// use llm_auth_mcp::HttpClient;
    ///
    /// # let token = SecureUrl::known("https://auth.example/token");
    /// # let manager = AuthManager::builder(OAuthConfig::new("example", token).provider()).build();
    /// # let url = SecureUrl::known("https://mcp.example/mcp");
    /// let http = HttpClient::builder().proxy("http://proxy.example:8080", "").build()?;
    /// let bridge = Bridge::new(manager, url, "llm-auth login mcp example").http(http);
    /// # Ok::<(), llm_auth_mcp::Error>(())
    /// ```
    pub fn http(mut self, http: HttpClient) -> Self {
        self.http = http;
        self
    }

    /// Serves an agent until it closes `input`, then ends within two seconds: requests in progress
    /// may finish, and the server's session is ended. Nothing but messages is written to `output`;
    /// what else there is to report goes to `tracing`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::System`] if `output` cannot be written. An agent that reads no more is none.
    ///
    /// # Examples
    ///
    /// ```
    /// # use llm_auth_mcp::{AuthManager, Bridge, ProviderSpec as _, SecureUrl};
    /// # use llm_auth_mcp::provider::OAuthConfig;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> llm_auth_mcp::Result<()> {
    /// # let token = SecureUrl::known("https://auth.example/token");
    /// # let manager = AuthManager::builder(OAuthConfig::new("example", token).provider()).build();
    /// # let url = SecureUrl::known("https://mcp.example/mcp");
    /// let bridge = Bridge::new(manager, url, "llm-auth login mcp example");
    /// let request = br#"{"jsonrpc": "2.0", "id": 1, "method": "initialize"}"#;
    /// let mut output = Vec::new();
    /// bridge.run(&request[..], &mut output).await?;
    /// // There is no session yet.
    /// assert!(String::from_utf8_lossy(&output).contains("run `llm-auth login mcp example`"));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn run(
        self,
        input: impl AsyncRead + Unpin,
        output: impl AsyncWrite + Unpin,
    ) -> Result<()> {
        let (lines, mut waiting) = mpsc::unbounded_channel();
        let (ended, end) = oneshot::channel();
        let reading = async {
            input::read(input, lines).await;
            // Without a receiver, the bridge is ending.
            let _ending = ended.send(());
            std::future::pending::<()>().await;
        };
        let (to_agent, written) = Output::new();
        let writing = output::write(output, written);
        let relay = Relay::new(self.manager, self.http, self.url, self.sign_in, to_agent);
        let relay = AbortOnDrop(Arc::new(relay));
        let serving = async {
            tokio::select! {
                () = relay.0.serve(&mut waiting) => {}
                () = async { drop(end.await); sleep(FINISH).await } => {}
            }
            relay.0.take_rest(&mut waiting);
            relay.0.close().await;
        };
        tokio::pin!(writing);
        tokio::select! {
            () = serving => {}
            () = reading => {}
            written = &mut writing => {
                relay.0.close().await;
                return reported(written);
            }
        }
        // No task has it any more, so the lines end.
        drop(relay);
        // An agent that does not read cannot hold up the end.
        timeout(LAST_LINES, writing).await.map_or(Ok(()), reported)
    }
}

fn reported(written: io::Result<()>) -> Result<()> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let message = "cannot write to the agent: start the bridge again";
            Err(Error::new(ErrorKind::System, message).with_source(error))
        }
        // An agent that is gone needs nothing more.
        _ => Ok(()),
    }
}

/// Ends the tasks of a bridge whose future is dropped; they keep each other alive otherwise.
struct AbortOnDrop(Arc<Relay>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.tasks.abort();
    }
}
