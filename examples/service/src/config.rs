//! What the environment and the mounted files say.

use std::env;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use llm_auth_core::SecureUrl;
use llm_auth_core::provider::OAuthConfig;
use zeroize::Zeroizing;

use crate::keys::Keys;

/// A message for the log, without secrets.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

pub(crate) struct Config {
    /// Where the pages are.
    pub(crate) listen: SocketAddr,
    /// Where health and metrics are, which the public must not reach.
    pub(crate) admin_listen: SocketAddr,
    /// How browsers reach this service: a scheme, a host and nothing after it.
    pub(crate) public_url: SecureUrl,
    pub(crate) database_url: Zeroizing<String>,
    pub(crate) database_ca: Option<Vec<u8>>,
    pub(crate) keys: Keys,
    pub(crate) provider: OAuthConfig,
    pub(crate) model: String,
    pub(crate) max_connections: usize,
    /// At once, and as many requests.
    pub(crate) max_clients: usize,
    /// For the head of a request, for its body, and for a pause of a client that reads a response.
    pub(crate) reading: Duration,
    /// From SIGTERM to the end of the listener, while load balancers still send requests here.
    pub(crate) drain: Duration,
    /// From there to the end, for streams and refreshes in progress.
    pub(crate) shutdown: Duration,
}

impl Config {
    pub(crate) fn from_env() -> Result<Self, Failure> {
        let provider = file("PROVIDER_FILE")?;
        let provider: OAuthConfig = serde_json::from_slice(&provider).map_err(|error| {
            // The parser may quote the client's secret, and otherwise only the name of a member.
            let text = error.to_string();
            let missing = text
                .split('`')
                .nth(1)
                .filter(|_| text.starts_with("missing field"));
            let (line, column) = (error.line(), error.column());
            match missing {
                Some(member) => {
                    format!("PROVIDER_FILE is not a provider: add its member `{member}`")
                }
                None => {
                    format!("PROVIDER_FILE is not a provider: correct line {line}, column {column}")
                }
            }
        })?;
        let public_url = SecureUrl::new(&required("PUBLIC_URL")?)
            .map_err(|error| format!("PUBLIC_URL cannot be used: {error}"))?;
        if public_url.as_str().trim_end_matches('/') != public_url.base() {
            return Err("PUBLIC_URL has a path: name the scheme and the host alone".into());
        }
        Ok(Self {
            listen: parsed("LISTEN", "127.0.0.1:8080")?,
            admin_listen: parsed("ADMIN_LISTEN", "127.0.0.1:9090")?,
            public_url,
            database_url: text(file("DATABASE_URL_FILE")?, "DATABASE_URL_FILE")?,
            database_ca: match env::var_os("DATABASE_CA_FILE") {
                Some(_) => Some(file("DATABASE_CA_FILE")?.to_vec()),
                None => None,
            },
            keys: Keys::new(
                &file("ENCRYPTION_KEY_FILE")?,
                match env::var_os("PREVIOUS_ENCRYPTION_KEY_FILE") {
                    Some(_) => Some(file("PREVIOUS_ENCRYPTION_KEY_FILE")?),
                    None => None,
                },
            )?,
            provider,
            model: required("MODEL")?,
            max_connections: parsed("DATABASE_CONNECTIONS", "16")?,
            max_clients: parsed("MAX_CLIENTS", "4096")?,
            reading: Duration::from_secs(parsed("REQUEST_SECONDS", "20")?),
            drain: Duration::from_secs(parsed("DRAIN_SECONDS", "5")?),
            shutdown: Duration::from_secs(parsed("SHUTDOWN_SECONDS", "45")?),
        })
    }
}

fn required(name: &str) -> Result<String, Failure> {
    match env::var(name) {
        Ok(value) if value.trim().is_empty() => Err(format!("{name} is empty: set it").into()),
        Ok(value) => Ok(value),
        Err(_unset) => Err(format!("{name} is not set: set it").into()),
    }
}

fn parsed<T: std::str::FromStr>(name: &str, default: &str) -> Result<T, Failure> {
    let value = env::var(name).unwrap_or_else(|_unset| default.to_owned());
    let unreadable = |_: T::Err| format!("{name} has a wrong value: a good one is {default}");
    Ok(value.parse().map_err(unreadable)?)
}

/// The content of the file that a variable names.
fn file(name: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let path = required(name)?;
    let read = std::fs::read(Path::new(&path)).map(Zeroizing::new);
    read.map_err(|error| format!("the file of {name} cannot be read: {error}").into())
}

fn text(bytes: Zeroizing<Vec<u8>>, name: &str) -> Result<Zeroizing<String>, Failure> {
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.trim().to_owned())),
        Err(_) => Err(format!("the file of {name} is not UTF-8").into()),
    }
}
