//! azure_identity with a client secret. It asks for HTTPS, so its transport is in memory: no
//! sockets, no server process, the same latency and the same answers.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::{Secret, TokenCredential as _};
use azure_core::http::headers::Headers;
use azure_core::http::{
    AsyncRawResponse, ClientOptions, HttpClient, Request, StatusCode, Transport,
};
use azure_identity::{ClientSecretCredential, ClientSecretCredentialOptions};
use serde_json::json;

use super::SCOPE;
use crate::Result;
use crate::peer::{Ended, Peer};
use crate::tokens;

pub struct Azure {
    credential: Arc<ClientSecretCredential>,
    pub transport: Arc<InMemory>,
}

#[derive(Debug)]
pub struct InMemory {
    latency: Duration,
    pub requests: AtomicU64,
    pub lifetime: AtomicU32,
    pub status: AtomicU16,
}

impl Peer for Azure {
    async fn token(&self) -> Ended {
        match self.credential.get_token(&[SCOPE], None).await {
            Ok(token) => {
                black_box(token.token.secret());
                Ended::Token
            }
            Err(_) => Ended::Failed,
        }
    }
}

#[async_trait]
impl HttpClient for InMemory {
    async fn execute_request(&self, _request: &Request) -> azure_core::Result<AsyncRawResponse> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let status = self.status.load(Ordering::SeqCst);
        let body = if status == 200 {
            json!({
                "token_type": "Bearer",
                "expires_in": self.lifetime.load(Ordering::SeqCst),
                "ext_expires_in": self.lifetime.load(Ordering::SeqCst),
                "access_token": tokens::access("azure"),
            })
        } else {
            json!({ "error": "invalid_grant", "error_description": "made up", "error_codes": [] })
        };
        if !self.latency.is_zero() {
            tokio::time::sleep(self.latency).await;
        }
        let status = StatusCode::from(status);
        Ok(AsyncRawResponse::from_bytes(
            status,
            Headers::default(),
            body.to_string(),
        ))
    }
}

pub fn first_token(latency: Duration) -> Result<Azure> {
    let transport = Arc::new(InMemory {
        latency,
        requests: AtomicU64::new(0),
        lifetime: AtomicU32::new(3600),
        status: AtomicU16::new(200),
    });
    let client: Arc<dyn HttpClient> = transport.clone();
    let options = ClientSecretCredentialOptions {
        client_options: ClientOptions {
            transport: Some(Transport::new(client)),
            ..ClientOptions::default()
        },
    };
    let secret = Secret::new("made-up");
    let credential = ClientSecretCredential::new("tenant", "bench".into(), secret, Some(options))?;
    Ok(Azure {
        credential,
        transport,
    })
}
