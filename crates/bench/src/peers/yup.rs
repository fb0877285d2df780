//! yup-oauth2 with the flow for installed programs. The person who would have to sign in
//! again refuses, so that a call which asks for one can end.

use std::hint::black_box;
use std::path::Path;
use std::pin::Pin;

use async_trait::async_trait;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::sync::Mutex;
use yup_oauth2::authenticator::Authenticator;
use yup_oauth2::authenticator_delegate::InstalledFlowDelegate;
use yup_oauth2::storage::{TokenInfo, TokenStorage, TokenStorageError};
use yup_oauth2::{
    ApplicationSecret, CustomHyperClientBuilder, Error, InstalledFlowAuthenticator,
    InstalledFlowReturnMethod,
};

use super::SCOPE;
use crate::Result;
use crate::peer::{Ended, Peer};
use crate::tokens::{self, Expiry};

pub struct Yup(pub Authenticator<HttpConnector>);
pub type PlainClient = Client<HttpConnector, String>;

impl Peer for Yup {
    async fn token(&self) -> Ended {
        match self.0.token(&[SCOPE]).await {
            Ok(token) => {
                black_box(token.token());
                Ended::Token
            }
            // The person who refuses: the call had fallen back to an interactive login.
            Err(Error::UserError(_)) => Ended::Login,
            Err(_) => Ended::Failed,
        }
    }
}

/// Refuses every sign-in.
struct Refusing;

impl InstalledFlowDelegate for Refusing {
    fn present_user_url<'a>(
        &'a self,
        _url: &'a str,
        _need_code: bool,
    ) -> Pin<Box<dyn Future<Output = std::result::Result<String, String>> + Send + 'a>> {
        Box::pin(async { Err("a person would have to sign in".into()) })
    }
}

/// One token in memory. The built-in memory storage cannot be filled from outside.
struct OneToken(Mutex<TokenInfo>);

#[async_trait]
impl TokenStorage for OneToken {
    async fn set(
        &self,
        _scopes: &[&str],
        token: TokenInfo,
    ) -> std::result::Result<(), TokenStorageError> {
        *self.0.lock().await = token;
        Ok(())
    }

    async fn get(&self, _scopes: &[&str]) -> Option<TokenInfo> {
        Some(self.0.lock().await.clone())
    }
}

pub fn plain_client() -> PlainClient {
    Client::builder(TokioExecutor::new()).build_http()
}

pub async fn in_memory(
    token_url: &str,
    family: u64,
    expiry: Expiry,
    client: PlainClient,
) -> Result<Yup> {
    let token = serde_json::from_value(tokens::yup_token(family, expiry))?;
    let builder = InstalledFlowAuthenticator::with_client(
        secret(token_url),
        InstalledFlowReturnMethod::Interactive,
        CustomHyperClientBuilder::from(client),
    );
    let builder = builder.with_storage(Box::new(OneToken(Mutex::new(token))));
    Ok(Yup(builder
        .flow_delegate(Box::new(Refusing))
        .build()
        .await?))
}

pub async fn on_disk(token_url: &str, path: &Path) -> Result<Yup> {
    let builder = InstalledFlowAuthenticator::with_client(
        secret(token_url),
        InstalledFlowReturnMethod::Interactive,
        CustomHyperClientBuilder::from(plain_client()),
    );
    let builder = builder.persist_tokens_to_disk(path);
    Ok(Yup(builder
        .flow_delegate(Box::new(Refusing))
        .build()
        .await?))
}

fn secret(token_url: &str) -> ApplicationSecret {
    ApplicationSecret {
        client_id: "bench".into(),
        client_secret: "made-up".into(),
        token_uri: token_url.into(),
        auth_uri: "http://127.0.0.1:9/auth".into(),
        redirect_uris: vec!["http://127.0.0.1".into()],
        ..ApplicationSecret::default()
    }
}
