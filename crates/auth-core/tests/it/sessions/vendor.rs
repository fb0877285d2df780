//! A vendor of many accounts, which counts what it receives from each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use llm_auth_core::provider::Operation;
use llm_auth_core::{
    AuthProvider, Clock as _, Error, ErrorKind, ManualClock, OAuthToken, Result, SecureUrl,
    Timestamp, UserPrompt, async_trait,
};
use tokio::sync::watch;

/// The clock of these tests begins here.
pub const START: Timestamp = Timestamp::from_unix_millis(1_800_000_000_000);
pub const HOUR: Duration = Duration::from_secs(3600);

/// What the vendor returns.
#[derive(Clone, Copy, Debug, Default)]
pub enum Answer {
    #[default]
    Rotate,
    Refuse,
    /// An error whose request is not repeated at once.
    Fail,
    /// 429 with `Retry-After` in seconds.
    Limited(u64),
}

/// What it has received.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// Requests by account.
    pub requests: HashMap<String, usize>,
    pub running: usize,
    pub most_running: usize,
}

impl Received {
    pub fn all(&self) -> usize {
        self.requests.values().sum()
    }

    pub fn of(&self, account: &str) -> usize {
        self.requests.get(account).copied().unwrap_or(0)
    }
}

#[derive(Clone, Debug)]
pub struct Vendor(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: &'static str,
    host: SecureUrl,
    clock: Arc<ManualClock>,
    answer: Mutex<Answer>,
    of_account: Mutex<HashMap<String, Answer>>,
    received: watch::Sender<Received>,
    held: watch::Sender<bool>,
}

impl Vendor {
    pub fn new(name: &'static str, host: &str, clock: &Arc<ManualClock>) -> Self {
        Self(Arc::new(Inner {
            name,
            host: SecureUrl::new(&format!("https://{host}/token")).unwrap(),
            clock: Arc::clone(clock),
            answer: Mutex::default(),
            of_account: Mutex::default(),
            received: watch::Sender::default(),
            held: watch::Sender::new(false),
        }))
    }

    pub fn answer(&self, answer: Answer) {
        *self.0.answer.lock().unwrap() = answer;
    }

    pub fn answer_to(&self, account: &str, answer: Answer) {
        let mut answers = self.0.of_account.lock().unwrap();
        answers.insert(account.to_owned(), answer);
    }

    pub fn received(&self) -> Received {
        self.0.received.borrow().clone()
    }

    /// Waits until the vendor has received this.
    pub async fn wait_for(&self, wanted: impl FnMut(&Received) -> bool) -> Received {
        let mut received = self.0.received.subscribe();
        received.wait_for(wanted).await.unwrap().clone()
    }

    /// Requests get no response from now on.
    pub fn hold(&self) {
        self.0.held.send_replace(true);
    }

    pub fn release(&self) {
        self.0.held.send_replace(false);
    }

    /// A session that expires after an hour.
    pub fn session(&self) -> OAuthToken {
        token(1, self.0.clock.now())
    }
}

fn token(generation: u32, now: Timestamp) -> OAuthToken {
    let access = format!("made-up-access-{generation}");
    let mut token = OAuthToken::new(access.as_str().into(), now.after(HOUR));
    token.refresh = Some(format!("made-up-refresh-{generation}").as_str().into());
    token
}

#[async_trait]
impl AuthProvider for Vendor {
    fn name(&self) -> &str {
        self.0.name
    }

    async fn authenticate(&self, _prompt: &dyn UserPrompt) -> Result<OAuthToken> {
        Ok(self.session())
    }

    async fn refresh(&self, current: &OAuthToken) -> Result<OAuthToken> {
        let account = current.metadata.account.clone().unwrap();
        self.0.received.send_modify(|received| {
            *received.requests.entry(account.clone()).or_default() += 1;
            received.running += 1;
            received.most_running = received.most_running.max(received.running);
        });
        let mut held = self.0.held.subscribe();
        held.wait_for(|held| !held).await.unwrap();
        self.0
            .received
            .send_modify(|received| received.running -= 1);
        let of_account = self.0.of_account.lock().unwrap().get(&account).copied();
        match of_account.unwrap_or_else(|| *self.0.answer.lock().unwrap()) {
            Answer::Rotate => {
                let (_, generation) = current.access.expose().rsplit_once('-').unwrap();
                let generation: u32 = generation.parse().unwrap();
                Ok(token(generation + 1, self.0.clock.now()))
            }
            Answer::Refuse => Err(Error::new(ErrorKind::RefreshRejected, "invalid_grant")),
            // After a success that cannot be read, no request is sent again.
            Answer::Fail => Err(Error::new(ErrorKind::Transient, "in trouble").with_status(200)),
            Answer::Limited(seconds) => {
                let wait = Some(Duration::from_secs(seconds));
                let error = Error::new(ErrorKind::RateLimited, "too many").with_status(429);
                Err(error.with_retry_after(wait))
            }
        }
    }

    fn recipient(&self, _operation: Operation, _token: &OAuthToken) -> Result<Option<SecureUrl>> {
        Ok(Some(self.0.host.clone()))
    }
}
