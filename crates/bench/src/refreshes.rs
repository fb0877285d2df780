//! What the section `stores` repeats: refreshes, bare requests, and durable writes.

mod writes;

use std::sync::Arc;

use llm_auth_core::provider::Form;
use llm_auth_core::{
    AuthManager, HttpClient, OAuthToken, SecureUrl, SessionKey, Sessions, TokenStore,
};
use llm_auth_qwen::QwenProvider;
use tokio::task::JoinSet;

use crate::Result;
use crate::peers::ours;
use crate::tokens::{self, Expiry};

pub use writes::{FileWrites, PostgresWrites, RedisWrites};

/// How many tasks repeat it at once.
pub const TASKS: u64 = 16;
/// How many sessions each task has for itself.
pub const SESSIONS_OF_TASK: u64 = 16;

/// One task's work.
#[derive(Debug)]
pub enum Work {
    Request(Request),
    Refresh(Refresh),
    File(FileWrites),
    Redis(RedisWrites),
    Postgres(PostgresWrites),
}

impl Work {
    pub async fn once(&mut self) -> Result<()> {
        match self {
            Self::Request(request) => request.once().await,
            Self::Refresh(refresh) => refresh.once().await,
            Self::File(writes) => writes.once().await,
            Self::Redis(writes) => writes.once().await,
            Self::Postgres(writes) => writes.once().await,
        }
    }

    /// Whether each turn is a request to the token server.
    pub fn sends(&self) -> bool {
        matches!(self, Self::Request(_) | Self::Refresh(_))
    }
}

/// The POST of a refresh, and nothing around it.
#[derive(Debug)]
pub struct Request {
    http: HttpClient,
    endpoint: SecureUrl,
    family: u64,
    generation: u64,
}

impl Request {
    /// For all tasks, with refresh tokens of their own from this one on.
    pub fn all(http: &HttpClient, token_url: &str, first_family: u64) -> Result<Vec<Work>> {
        let endpoint = SecureUrl::new(token_url)?;
        let request = |task| Self {
            http: http.clone(),
            endpoint: endpoint.clone(),
            family: first_family + task,
            generation: 0,
        };
        Ok((0..TASKS).map(request).map(Work::Request).collect())
    }

    async fn once(&mut self) -> Result<()> {
        let refresh = tokens::refresh(self.family, self.generation);
        let form = Form::new()
            .text("grant_type", "refresh_token")
            .text("client_id", "f0304373b74a44d2b584a3fb70ca9e56")
            .secret("refresh_token", &refresh.into());
        let response = self.http.post_form(&self.endpoint, &form, &[]).await?;
        if response.status() != 200 {
            return Err(format!("the token server returned {}", response.status()).into());
        }
        // What the server has issued in its place.
        self.generation += 1;
        Ok(())
    }
}

/// Sessions whose access tokens are refused, one after another.
#[derive(Debug)]
pub struct Refresh {
    sessions: Vec<(AuthManager, Arc<OAuthToken>)>,
    next: usize,
}

impl Refresh {
    /// For all tasks; the sessions are in this store, with refresh tokens from this one on.
    pub async fn all(
        provider: QwenProvider,
        store: Arc<dyn TokenStore>,
        first_family: u64,
    ) -> Result<Vec<Work>> {
        let sessions = Sessions::builder()
            .provider(provider)
            .store(Arc::clone(&store))
            .build()?;
        let mut running = JoinSet::new();
        for task in 0..TASKS {
            let (sessions, store) = (sessions.clone(), Arc::clone(&store));
            let first = task * SESSIONS_OF_TASK;
            running.spawn(async move {
                let mut own = Vec::new();
                for number in first..first + SESSIONS_OF_TASK {
                    let key = SessionKey::new("qwen", format!("account{number}"));
                    let mut guard = store.lock(&key).await?;
                    let session = ours::session(first_family + number, Expiry::Valid)?;
                    guard.finish(&session).await?;
                    guard.release().await;
                    let manager = sessions.get(&key)?;
                    let token = manager.token().await?;
                    own.push((manager, token));
                }
                Result::Ok(Work::Refresh(Self {
                    sessions: own,
                    next: 0,
                }))
            });
        }
        let mut all = Vec::new();
        while let Some(made) = running.join_next().await {
            all.push(made??);
        }
        Ok(all)
    }

    async fn once(&mut self) -> Result<()> {
        let (manager, token) = &mut self.sessions[self.next];
        *token = manager.invalidate(token).await?;
        self.next = (self.next + 1) % self.sessions.len();
        Ok(())
    }
}
