//! google-cloud-auth with a user account. There is no way to hand it an expired token, so its
//! storms are about the first one. It refreshes in a task of its own, ahead of time.

use std::hint::black_box;

use google_cloud_auth::credentials::AccessTokenCredentials;
use google_cloud_auth::credentials::user_account::Builder;
use serde_json::json;

use super::SCOPE;
use crate::Result;
use crate::peer::{Ended, Peer};
use crate::tokens;

pub struct Google(AccessTokenCredentials);

impl Peer for Google {
    async fn token(&self) -> Ended {
        match self.0.access_token().await {
            Ok(token) => {
                black_box(&token.token);
                Ended::Token
            }
            Err(error) if error.is_transient() => Ended::Later,
            Err(_) => Ended::Failed,
        }
    }
}

/// Must be called in a runtime, which then has the task that refreshes.
pub fn first_token(token_url: &str, family: u64) -> Result<Google> {
    let user = json!({
        "type": "authorized_user",
        "client_id": "bench",
        "client_secret": "made-up",
        "refresh_token": tokens::refresh(family, 0),
    });
    let builder = Builder::new(user)
        .with_token_uri(token_url)
        .with_scopes([SCOPE]);
    Ok(Google(builder.build_access_token_credentials()?))
}
