//! Where the sessions are: one server, the primary that sentinels name, or a cluster.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use llm_auth_core::store::check_server_url;
use llm_auth_core::{Error, ErrorKind, Result};
use redis::cluster::ClusterClient;
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _,
    RedisError, TlsCertificates, TlsMode,
};
use rustls::crypto::CryptoProvider;

use super::wire::{Shown, Wire};

/// What the addresses are of.
#[derive(Clone, Debug, Default)]
pub(crate) enum Kind {
    #[default]
    Server,
    /// Sentinels, and the name of the primary.
    Sentinel(String),
    Cluster,
}

#[derive(Clone)]
pub(crate) struct Target {
    kind: Kind,
    nodes: Vec<ConnectionInfo>,
    certificates: Option<TlsCertificates>,
    timeout: Duration,
    concurrency: usize,
}

impl Target {
    /// # Errors
    ///
    /// An address that is none; the error does not repeat it, because it may hold a password.
    pub(crate) fn new(
        kind: Kind,
        urls: &[String],
        root_certificate: Option<Vec<u8>>,
        timeout: Duration,
        concurrency: usize,
    ) -> Result<Self> {
        for url in urls {
            check_server_url(url)?;
            check_parameters(url)?;
        }
        let nodes: std::result::Result<Vec<_>, _> = urls
            .iter()
            .map(|url| url.as_str().into_connection_info())
            .collect();
        let nodes = nodes.map_err(|_quotes_it| {
            let message = "the address of the Redis server cannot be read; write \
                `redis://host:6379/0` or `rediss://user:password@host:6379/0`";
            Error::new(ErrorKind::Config, message)
        })?;
        let certificates = root_certificate.map(|pem| TlsCertificates {
            client_tls: None,
            root_cert: Some(pem),
        });
        if nodes.iter().any(|node| is_tls(node.addr())) {
            install_tls()?;
        }
        Ok(Self {
            kind,
            nodes,
            certificates,
            timeout,
            concurrency,
        })
    }

    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self.kind, Kind::Cluster)
    }

    /// Whether no other computer can read what is sent.
    pub(crate) fn is_private(&self) -> bool {
        let is_here = |host: &str| {
            let address = host.parse::<IpAddr>();
            host == "localhost" || address.is_ok_and(|address| address.is_loopback())
        };
        self.nodes.iter().all(|node| match node.addr() {
            ConnectionAddr::Tcp(host, _) => is_here(host),
            ConnectionAddr::TcpTls { insecure, .. } => !insecure,
            ConnectionAddr::Unix(_) => true,
            _ => false,
        })
    }

    /// The addresses, for messages.
    pub(crate) fn words(&self) -> String {
        let addresses: Vec<String> = self
            .nodes
            .iter()
            .map(|node| match (&self.kind, node.redis_settings().db()) {
                (Kind::Server, db) if db != 0 => format!("{} (database {db})", node.addr()),
                _ => node.addr().to_string(),
            })
            .collect();
        let addresses = addresses.join(", ");
        match &self.kind {
            Kind::Server => format!("server {addresses}"),
            Kind::Sentinel(name) => format!("primary {name} (sentinels {addresses})"),
            Kind::Cluster => format!("cluster {addresses}"),
        }
    }

    /// In twice the time limit: sentinels and nodes are asked before the primary.
    pub(super) async fn connect(&self) -> std::result::Result<Wire, RedisError> {
        let connected = tokio::time::timeout(self.timeout * 2, self.connect_in_time()).await;
        connected.unwrap_or_else(|_elapsed| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
    }

    async fn connect_in_time(&self) -> std::result::Result<Wire, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(self.timeout))
            .set_concurrency_limit(self.concurrency);
        let client = match &self.kind {
            Kind::Server => self.client()?,
            Kind::Sentinel(name) => {
                let mut sentinel = self.sentinel(name)?.build()?;
                sentinel.async_get_client().await?
            }
            Kind::Cluster => {
                let cluster = self.cluster()?.get_async_connection().await?;
                return Ok(Wire::Cluster(Shown(cluster)));
            }
        };
        let connected = client.get_multiplexed_async_connection_with_config(&config);
        connected.await.map(Wire::One)
    }

    fn client(&self) -> std::result::Result<Client, RedisError> {
        let node = self.first()?.clone();
        match &self.certificates {
            Some(certificates) => Client::build_with_tls(node, certificates.clone()),
            None => Client::open(node),
        }
    }

    /// The user, the password and the database of the first address are those of the primary.
    fn sentinel(&self, name: &str) -> std::result::Result<SentinelClientBuilder, RedisError> {
        let addresses = self.nodes.iter().map(|node| node.addr().clone());
        let first = self.first()?;
        let (settings, tls) = (first.redis_settings(), is_tls(first.addr()));
        let mut builder = SentinelClientBuilder::new(addresses, name, SentinelServerType::Master)?
            .set_client_to_redis_db(settings.db());
        if tls {
            builder = builder
                .set_client_to_redis_tls_mode(TlsMode::Secure)
                .set_client_to_sentinel_tls_mode(TlsMode::Secure);
        }
        if let Some(certificates) = &self.certificates {
            builder = builder
                .set_client_to_redis_certificates(certificates.clone())
                .set_client_to_sentinel_certificates(certificates.clone());
        }
        if let Some(user) = settings.username() {
            builder = builder.set_client_to_redis_username(user);
        }
        if let Some(password) = settings.password() {
            builder = builder.set_client_to_redis_password(password);
        }
        Ok(builder)
    }

    fn cluster(&self) -> std::result::Result<ClusterClient, RedisError> {
        let mut builder = ClusterClient::builder(self.nodes.clone())
            .connection_timeout(self.timeout)
            // With all its retries.
            .response_timeout(self.timeout)
            .min_retry_wait(50)
            .max_retry_wait(500)
            .connection_concurrency_limit(self.concurrency);
        if let Some(certificates) = &self.certificates {
            builder = builder.certs(certificates.clone());
        }
        builder.build()
    }

    fn first(&self) -> std::result::Result<&ConnectionInfo, RedisError> {
        let none = || RedisError::from((redis::ErrorKind::InvalidClientConfig, "no address"));
        self.nodes.first().ok_or_else(none)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Target").field(&self.words()).finish()
    }
}

fn is_tls(address: &ConnectionAddr) -> bool {
    matches!(address, ConnectionAddr::TcpTls { .. })
}

/// The client ignores parameters that it does not know, so that a misspelt one would do nothing. Their
/// text is not repeated: it may be a password.
fn check_parameters(url: &str) -> Result<()> {
    let known: &[&str] = match url.split("://").next() {
        Some("unix" | "redis+unix" | "valkey+unix") => &["db", "pass", "protocol", "user"],
        _ => &["protocol"],
    };
    let (_, parameters) = url.split_once('?').unwrap_or_default();
    let parameters = parameters.split('#').next().unwrap_or_default();
    let name = |parameter: &str| parameter.split('=').next().unwrap_or_default().to_owned();
    let mut names = parameters.split('&').map(name);
    if names.all(|name| name.is_empty() || known.contains(&name.as_str())) {
        return Ok(());
    }
    let message = format!(
        "the address of the Redis server has an unknown parameter; known ones are `{}`",
        known.join("`, `")
    );
    Err(Error::new(ErrorKind::Config, message))
}

/// The Redis client uses the process's provider of rustls, and panics without one if rustls has none or
/// two to choose from. A provider that is installed already stays.
fn install_tls() -> Result<()> {
    #[cfg(feature = "aws-lc-rs")]
    let provider = Some(rustls::crypto::aws_lc_rs::default_provider());
    #[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
    let provider = Some(rustls::crypto::ring::default_provider());
    #[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
    let provider: Option<CryptoProvider> = None;
    if let Some(provider) = provider {
        let _already_there = provider.install_default();
    }
    match CryptoProvider::get_default() {
        Some(_) => Ok(()),
        None => Err(Error::new(
            ErrorKind::Config,
            "a server with TLS needs a TLS back end; enable the feature `ring` or `aws-lc-rs`, or install a \
             default provider of rustls first",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Result<Target> {
        let urls = [url.to_owned()];
        Target::new(Kind::Server, &urls, None, Duration::from_secs(1), 1)
    }

    #[test]
    fn an_address_with_two_readings_or_an_unknown_parameter_is_refused_and_not_quoted() {
        for url in [
            "redis://:12#made-up@h/0",
            "redis://:p@made-up@h/0",
            "redis://:12/made-up@h/0",
            "redis://h?acept=made-up",
            "redis://h?made-up",
            "redis://h?protocol=resp3&user=made-up",
            "redis://h?protocol=made-up",
            "unix:///made-up?acept=made-up",
        ] {
            let error = target(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{url}");
            assert!(
                !format!("{error:?}").contains("made-up"),
                "{url}: {error:?}"
            );
        }
        let error = target("redis://h?acept=memory").unwrap_err();
        assert!(error.to_string().contains("`protocol`"), "{error}");
    }

    #[test]
    fn a_password_is_the_one_that_the_url_has() {
        let target = target("redis://ann:made%40up%2F:@h:7/1?protocol=resp3").unwrap();
        let settings = target.nodes[0].redis_settings();
        assert_eq!(settings.password(), Some("made@up/:"));
        assert_eq!(target.words(), "server h:7 (database 1)");
    }
}
