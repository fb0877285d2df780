//! Settings of a provider.

use std::sync::Arc;

use llm_auth_core::{Clock, HttpClient, SystemClock, TrustedHost};

use super::MiniMaxProvider;
use crate::dialect::{Dialect, Region};
use crate::endpoints::MiniMaxEndpoints;

/// Settings of a [`MiniMaxProvider`].
#[derive(Clone, Debug)]
#[must_use]
pub struct MiniMaxProviderBuilder {
    region: Region,
    dialect: Dialect,
    endpoints: Option<MiniMaxEndpoints>,
    trusted: Vec<TrustedHost>,
    http: HttpClient,
    clock: Arc<dyn Clock>,
}

impl MiniMaxProviderBuilder {
    pub(super) fn new() -> Self {
        Self {
            region: Region::default(),
            dialect: Dialect::default(),
            endpoints: None,
            trusted: Vec::new(),
            http: HttpClient::default(),
            clock: Arc::new(SystemClock),
        }
    }

    /// The region to sign in to; [`Region::Global`] by default.
    pub fn region(mut self, region: Region) -> Self {
        self.region = region;
        self
    }

    /// The client to identify as; [`Dialect::OpenClaw`] by default.
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Endpoints in place of those of the region and the dialect.
    ///
    /// New sign-ins use them. A stored session goes only to the server that issued it; see
    /// [`trust_endpoint`](Self::trust_endpoint).
    pub fn endpoints(mut self, endpoints: MiniMaxEndpoints) -> Self {
        self.endpoints = Some(endpoints);
        self
    }

    /// A server that may receive stored sessions although another issued them, and that they may
    /// name as their API. None by default.
    pub fn trust_endpoint(mut self, host: TrustedHost) -> Self {
        self.trusted.push(host);
        self
    }

    /// The HTTP client; a plain [`HttpClient`] by default.
    pub fn http(mut self, http: HttpClient) -> Self {
        self.http = http;
        self
    }

    /// The clock for expiry; the computer's own by default.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The provider.
    #[must_use]
    pub fn build(self) -> MiniMaxProvider {
        let endpoints = self
            .endpoints
            .unwrap_or_else(|| MiniMaxEndpoints::new(self.region, self.dialect));
        MiniMaxProvider {
            endpoints,
            trusted: self.trusted,
            http: self.http,
            clock: self.clock,
        }
    }
}
