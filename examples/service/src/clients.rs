//! The middleware of each session, over one pool of connections to the model API.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use llm_auth_core::AuthManager;
use llm_auth_http::{SessionLayer, SessionService, same_origin_redirects};
use reqwest::{Client, Request};
use tower_layer::Layer as _;

use crate::config::Failure;

/// How long a session that is not used keeps its middleware, and with it its place in memory.
const IDLE: Duration = Duration::from_secs(600);

pub(crate) type SessionClient = SessionService<Client, Request>;

/// The middleware remembers which tokens the API refused, so a session keeps its own.
pub(crate) struct Clients {
    client: Client,
    known: Mutex<Known>,
}

struct Known {
    layers: HashMap<String, (SessionLayer<Request>, Instant)>,
    swept: Instant,
}

impl Clients {
    pub(crate) fn new() -> Result<Self, Failure> {
        // A stream may last; it must not stand still.
        let client = Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(Duration::from_secs(60))
            .redirect(same_origin_redirects())
            .build()?;
        Ok(Self {
            client,
            known: Mutex::new(Known {
                layers: HashMap::new(),
                swept: Instant::now(),
            }),
        })
    }

    /// A client whose requests carry the session of this manager.
    pub(crate) fn of(&self, manager: &AuthManager) -> SessionClient {
        let now = Instant::now();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(known.swept) > IDLE / 10 {
            known.swept = now;
            known
                .layers
                .retain(|_, (_, used)| now.duration_since(*used) < IDLE);
        }
        let account = manager.key().account().to_owned();
        let layer = || SessionLayer::new(manager.clone());
        let (layer, used) = known
            .layers
            .entry(account)
            .or_insert_with(|| (layer(), now));
        *used = now;
        layer.layer(self.client.clone())
    }

    pub(crate) fn forget(&self, account: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.layers.remove(account);
    }
}
