//! From the URL of an MCP server to the server that signs its users in.

use crate::challenge::Challenge;
use crate::provider::Endpoints;
use crate::resource::{Resource, find, named_by};
use crate::{
    Error, ErrorKind, HttpClient, Metadata, Result, SecureUrl, Server, discover_as, find_metadata,
    printable,
};

/// A request that every MCP server with sign-in rejects without a token.
const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"llm-auth","version":"1"}}}"#;

/// Where the users of an MCP server sign in.
///
/// # Examples
///
/// ```no_run
/// use llm_auth_mcp::{HttpClient, McpDiscovery, SecureUrl};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> llm_auth_mcp::Result<()> {
/// // Sends requests.
/// let url = SecureUrl::new("https://mcp.example/mcp")?;
/// let found = McpDiscovery::new(url).run(&HttpClient::default()).await?;
/// let server = found.server("work");
/// println!("{} signs in at {}", server.name, server.endpoints.token.host());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct McpDiscovery {
    url: SecureUrl,
    issuer: Option<String>,
    accepted_issuer: Option<String>,
}

/// What an MCP server and its authorization server say.
///
/// # Examples
///
/// ```no_run
/// # async fn run(http: llm_auth_mcp::HttpClient, url: llm_auth_mcp::SecureUrl) -> llm_auth_mcp::Result<()> {
/// use llm_auth_mcp::McpDiscovery;
///
/// // Sends requests.
/// let found = McpDiscovery::new(url).run(&http).await?;
/// println!("{:?}", found.scope);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct McpSignIn {
    /// The URL of the MCP server, with its query.
    pub url: SecureUrl,
    /// The resource that tokens are requested for, as the server spells it.
    pub resource: String,
    /// The scopes of the challenge, otherwise all that the server lists, separated by spaces; `None`
    /// if it names none.
    pub scope: Option<String>,
    /// The authorization server as it describes itself; `None` for a server of the revision 2025-03-26
    /// that does not, whose issuer cannot be checked.
    pub metadata: Option<Metadata>,
}

impl McpDiscovery {
    /// The sign-in of the MCP server at this URL, query included.
    pub fn new(url: SecureUrl) -> Self {
        Self {
            url,
            issuer: None,
            accepted_issuer: None,
        }
    }

    /// Chooses one of several authorization servers that the MCP server names; the first by default.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Accepts metadata that name this issuer instead of the one that they were found at: an exception
    /// for one server, whose user has compared the two.
    pub fn accept_issuer(mut self, named: impl Into<String>) -> Self {
        self.accepted_issuer = Some(named.into());
        self
    }

    /// Asks the MCP server and its authorization server.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if there is no MCP server, or if it wants no sign-in or names no such
    /// issuer as was chosen;
    /// [`ErrorKind::Protocol`] if it names another server's resource, or if the authorization server
    /// is not who it should be or does not support PKCE; [`ErrorKind::Transient`] if one of them cannot
    /// be reached.
    pub async fn run(&self, http: &HttpClient) -> Result<McpSignIn> {
        let (challenge, status) = self.challenge(http).await?;
        let resource = find(http, &self.url, &challenge).await?;
        // With a resource, the status hides what is there from those who are not signed in.
        if resource.is_none() && matches!(status, 404 | 405 | 410) {
            let hint = match status {
                // The transport of the revision 2024-11-05 takes no request at its URL.
                405 => " (a server that speaks only HTTP+SSE is not supported)",
                _ => "",
            };
            return Err(self.is_no_server(&format!("status {status}{hint}")));
        }
        let metadata = match &resource {
            Some(resource) => Some(self.metadata(http, resource).await?),
            None => self.of_origin(http).await?,
        };
        metadata.as_ref().map_or(Ok(()), check_pkce)?;
        let of_challenge = challenge.parameter("scope").map(str::to_owned);
        let listed = resource.as_ref().map(|resource| resource.scopes.join(" "));
        let scope = of_challenge.or(listed).filter(|scope| !scope.is_empty());
        Ok(McpSignIn {
            url: self.url.clone(),
            resource: resource.map_or_else(|| canonical(&self.url), |resource| resource.resource),
            scope,
            metadata,
        })
    }

    fn is_no_server(&self, response: &str) -> Error {
        let message = format!(
            "no MCP server is at this URL: {} returned {response}; check the path",
            self.url.host()
        );
        Error::new(ErrorKind::Config, message)
    }

    /// The challenge of the server to a request without a token, and its status.
    async fn challenge(&self, http: &HttpClient) -> Result<(Challenge, u16)> {
        let request = INITIALIZE.as_bytes().to_vec();
        let accept = [("accept", "application/json, text/event-stream".to_owned())];
        let response = http.post_json(&self.url, request, &accept, None).await?;
        if response.is_success() && response.is_web_page() {
            return Err(self.is_no_server("a web page"));
        }
        if response.is_success() {
            return Err(Error::new(
                ErrorKind::Config,
                format!("{} wants no sign-in: use it without one", self.url.host()),
            ));
        }
        if response.status() >= 500 {
            return Err(Error::new(
                ErrorKind::Transient,
                format!(
                    "{} failed with status {}",
                    self.url.host(),
                    response.status()
                ),
            ));
        }
        let challenges = response
            .challenges()
            .iter()
            .flat_map(|header| Challenge::read(header));
        let mut bearer = challenges.filter(|challenge| challenge.scheme == "bearer");
        let mut chosen = bearer.next().unwrap_or_default();
        // Several bearer challenges: the one that names the metadata.
        if chosen.parameter("resource_metadata").is_none()
            && let Some(better) = bearer.find(|one| one.parameter("resource_metadata").is_some())
        {
            chosen = better;
        }
        Ok((chosen, response.status()))
    }

    /// The metadata of the authorization server that the resource names.
    async fn metadata(&self, http: &HttpClient, resource: &Resource) -> Result<Metadata> {
        let servers = &resource.authorization_servers;
        let issuer = match &self.issuer {
            None => servers.first(),
            Some(chosen) => servers.iter().find(|issuer| *issuer == chosen),
        };
        let Some(issuer) = issuer else {
            let named: Vec<_> = servers.iter().map(|issuer| printable(issuer)).collect();
            return Err(Error::new(
                ErrorKind::Config,
                format!(
                    "{} does not name that issuer: use one of {}",
                    self.url.host(),
                    named.join(", ")
                ),
            ));
        };
        named_by(&self.url, "an issuer", issuer)?;
        let named = self.accepted_issuer.as_deref().unwrap_or(issuer);
        discover_as(http, issuer, named).await
    }

    /// The metadata at the origin of a server of the revision 2025-03-26; `None` if there are none.
    async fn of_origin(&self, http: &HttpClient) -> Result<Option<Metadata>> {
        let origin = self.url.base();
        let named = self.accepted_issuer.as_deref().unwrap_or(&origin);
        find_metadata(http, &origin, named).await
    }
}

impl McpSignIn {
    /// The server under this name, without a client. Its API is the MCP server.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fn run(found: llm_auth_mcp::McpSignIn) {
    /// use llm_auth_mcp::ServerClient;
    ///
    /// let mut server = found.server("work");
    /// server.client = Some(ServerClient::new("my-app"));
    /// # }
    /// ```
    #[must_use]
    pub fn server(&self, name: impl Into<String>) -> Server {
        let mut server = match &self.metadata {
            Some(metadata) => Server::discovered(name, metadata),
            None => self.at_defaults(name),
        };
        server.resource = Some(self.resource.clone());
        server.scope = self.scope.clone().unwrap_or_default();
        let lists_offline =
            |metadata: &Metadata| metadata.scopes.iter().any(|name| name == "offline_access");
        let has_it = server
            .scope
            .split_whitespace()
            .any(|name| name == "offline_access");
        if !has_it && self.metadata.as_ref().is_some_and(lists_offline) {
            let separator = if server.scope.is_empty() { "" } else { " " };
            server.scope.push_str(separator);
            server.scope.push_str("offline_access");
        }
        server.endpoints.api_base = Some(self.url.clone());
        server.is_mcp = true;
        server
    }

    /// The endpoints that the revision 2025-03-26 has for servers that do not describe themselves.
    fn at_defaults(&self, name: impl Into<String>) -> Server {
        let base = self.url.base();
        let at = |path: &str| SecureUrl::new(&format!("{base}{path}"));
        // The base is one already.
        let token = at("/token").unwrap_or_else(|_| self.url.clone());
        let mut endpoints = Endpoints::new(token);
        endpoints.authorization = at("/authorize").ok();
        let mut server = Server::new(name, endpoints);
        server.registration = at("/register").ok();
        server
    }
}

/// MCP requires more than RFC 8414: a server that does not say so may ignore the challenge.
fn check_pkce(metadata: &Metadata) -> Result<()> {
    match metadata.challenge_methods.is_some() {
        true => Ok(()),
        false => Err(Error::new(
            ErrorKind::Protocol,
            format!(
                "{} does not declare that it supports PKCE, which MCP requires: the sign-in would not \
                 be protected",
                printable(&metadata.issuer)
            ),
        )),
    }
}

/// RFC 8707 section 2: without a fragment; MCP: without a slash at the end.
fn canonical(url: &SecureUrl) -> String {
    let whole = url.as_str().split('?').next().unwrap_or_default();
    whole.trim_end_matches('/').to_owned()
}
