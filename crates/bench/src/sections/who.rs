//! A storm: so many callers at once on a token that has just expired.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::task::JoinSet;

use crate::Result;
use crate::peer::{Ended, Peer};
use crate::peers::{azure, gcp, google, ours, yup};
use crate::scratch::Scratch;
use crate::server::Server;
use crate::tokens::{self, Expiry};

pub(super) const LATENCY: Duration = Duration::from_millis(50);
/// Sessions that were refreshed before through the same HTTP client: where an expired token can
/// only be had from the server, the client has made a call before, so every peer's has.
const OTHERS: u64 = 1_000_000;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Who {
    Ours,
    OursOnDisk,
    Yup,
    Google,
    Gcp,
    Azure,
}

/// What the server does with the refresh.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Response {
    Granted,
    Rotated,
    Refused,
    Down,
}

/// How a storm went.
#[derive(Debug, Default)]
pub(super) struct Storm {
    pub(super) requests: u64,
    pub(super) last: Duration,
    ended: Vec<Ended>,
    pub(super) unfinished: usize,
}

impl Who {
    pub(super) const ALL: [Self; 6] = [
        Self::Ours,
        Self::OursOnDisk,
        Self::Yup,
        Self::Google,
        Self::Gcp,
        Self::Azure,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ours => "**llm-auth**",
            Self::OursOnDisk => "**llm-auth**, file store",
            Self::Yup => "yup-oauth2 ¹",
            Self::Google => "google-cloud-auth ²",
            Self::Gcp => "gcp_auth",
            Self::Azure => "azure_identity ³",
        }
    }
}

impl Storm {
    pub(super) fn count(&self, what: Ended) -> usize {
        self.ended.iter().filter(|ended| **ended == what).count()
    }

    /// How the callers ended, in words.
    pub(super) fn endings(&self) -> String {
        let kinds = [
            (Ended::Token, "got a token"),
            (Ended::Login, "sent to a login"),
            (Ended::Later, "told that it may pass"),
            (Ended::Failed, "told that it failed"),
        ];
        let mut parts: Vec<String> = kinds
            .iter()
            .filter(|(kind, _)| self.count(*kind) > 0)
            .map(|(kind, words)| format!("{} {words}", self.count(*kind)))
            .collect();
        if self.unfinished > 0 {
            parts.push(format!("{} still waiting", self.unfinished));
        }
        parts.join(", ")
    }
}

/// One storm of a peer with a new session; callers that are not served at the cut-off are dropped.
pub(super) fn storm(
    who: Who,
    server: &mut Server,
    answer: Response,
    callers: usize,
    cutoff: Duration,
) -> Result<Storm> {
    static FAMILY: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1000);
    let family = FAMILY.fetch_add(1, Ordering::Relaxed);
    let (base, url) = (server.base_url.clone(), server.token_url());
    let expired = Expiry::Expired;
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    server.answer("ok")?;
    let storm = runtime.block_on(async {
        match who {
            Who::Ours => {
                let provider = ours::provider(&base)?;
                let other = ours::in_memory(provider.clone(), family + OTHERS, expired).await?;
                other.token().await;
                let peer = ours::in_memory(provider, family, expired).await?;
                set(server, answer)?;
                counted(peer, server, callers, cutoff).await
            }
            Who::OursOnDisk => {
                let scratch = Scratch::new()?;
                let (file, warm) = (scratch.path("session.json"), scratch.path("warm.json"));
                tokens::write(&file, &tokens::our_file(family, expired))?;
                tokens::write(&warm, &tokens::our_file(family + OTHERS, expired))?;
                let provider = ours::provider(&base)?;
                ours::in_file(provider.clone(), &warm).token().await;
                let peer = ours::in_file(provider, &file);
                set(server, answer)?;
                counted(peer, server, callers, cutoff).await
            }
            Who::Yup => {
                let client = yup::plain_client();
                let other = yup::in_memory(&url, family + OTHERS, expired, client.clone()).await?;
                other.token().await;
                let peer = yup::in_memory(&url, family, expired, client).await?;
                set(server, answer)?;
                counted(peer, server, callers, cutoff).await
            }
            Who::Google => {
                set(server, answer)?;
                counted(google::first_token(&url, family)?, server, callers, cutoff).await
            }
            Who::Gcp => {
                let peer = gcp::first_token(&url)?;
                server.lifetime(1)?;
                peer.token().await;
                server.lifetime(3600)?;
                set(server, answer)?;
                counted(peer, server, callers, cutoff).await
            }
            Who::Azure => {
                let peer = azure::first_token(LATENCY)?;
                let transport = Arc::clone(&peer.transport);
                transport.lifetime.store(1, Ordering::SeqCst);
                peer.token().await;
                transport.lifetime.store(3600, Ordering::SeqCst);
                let status = match answer {
                    Response::Granted | Response::Rotated => 200,
                    Response::Refused => 400,
                    Response::Down => 503,
                };
                transport.status.store(status, Ordering::SeqCst);
                let mut storm = counted(peer, server, callers, cutoff).await?;
                storm.requests = transport.requests.load(Ordering::SeqCst) - 1;
                Ok(storm)
            }
        }
    });
    runtime.shutdown_background();
    storm
}

fn set(server: &mut Server, answer: Response) -> Result<()> {
    server.rotate(answer == Response::Rotated)?;
    server.answer(match answer {
        Response::Granted | Response::Rotated => "ok",
        Response::Refused => "refused",
        Response::Down => "down",
    })?;
    server.reset()
}

async fn counted<P: Peer>(
    peer: P,
    server: &mut Server,
    callers: usize,
    cutoff: Duration,
) -> Result<Storm> {
    let peer = Arc::new(peer);
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for _ in 0..callers {
        let peer = Arc::clone(&peer);
        running.spawn(async move { (peer.token().await, Instant::now()) });
    }
    let mut storm = Storm::default();
    let deadline = tokio::time::Instant::from_std(begun + cutoff);
    while let Ok(Some(ended)) = tokio::time::timeout_at(deadline, running.join_next()).await {
        let (ended, at) = ended?;
        storm.ended.push(ended);
        storm.last = storm.last.max(at - begun);
    }
    storm.unfinished = running.len();
    storm.requests = server.requests()?;
    Ok(storm)
}
