//! gcp_auth with a service account (its user accounts have a fixed URL). Each request costs it
//! an RSA signature. Its tokens expire by asking the server for a short life first.

use std::hint::black_box;
use std::sync::OnceLock;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gcp_auth::{CustomServiceAccount, TokenProvider as _};
use serde_json::json;

use super::SCOPE;
use crate::Result;
use crate::peer::{Ended, Peer};

pub struct Gcp(CustomServiceAccount);

impl Peer for Gcp {
    async fn token(&self) -> Ended {
        match self.0.token(&[SCOPE]).await {
            Ok(token) => {
                black_box(token.as_str());
                Ended::Token
            }
            Err(_) => Ended::Failed,
        }
    }
}

pub fn first_token(token_url: &str) -> Result<Gcp> {
    let account = json!({
        "type": "service_account",
        "project_id": "bench",
        "private_key_id": "bench",
        "private_key": private_key()?,
        "client_email": "bench@example.com",
        "client_id": "bench",
        "token_uri": token_url,
    });
    Ok(Gcp(CustomServiceAccount::from_json(&account.to_string())?))
}

/// A new key, one for the whole run.
fn private_key() -> Result<&'static str> {
    static KEY: OnceLock<String> = OnceLock::new();
    if let Some(key) = KEY.get() {
        return Ok(key);
    }
    let pair = KeyPair::generate(KeySize::Rsa2048)?;
    let der: Pkcs8V1Der<'_> = pair.as_der()?;
    let label = "PRIVATE KEY";
    let body = STANDARD.encode(der.as_ref());
    Ok(KEY.get_or_init(|| format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")))
}
