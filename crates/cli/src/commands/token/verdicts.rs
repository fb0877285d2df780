//! What APIs said of tokens a moment ago, for every process: helpers run one after another, and many
//! at once.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use llm_auth_core::{Clock as _, Secret, SystemClock, Timestamp, files};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use crate::session::directories;
use crate::session::settings::{Held, try_hold};

/// The file holds some fingerprints.
const LARGEST: u64 = 64 * 1024;

/// How long another process may take to ask: longer than one request to the API may take (10 s). One
/// that was stopped in the middle must not stop this one.
const TURN: Duration = Duration::from_secs(12);

/// Between two looks at the lock.
const PAUSE: Duration = Duration::from_millis(10);

/// What the API said of a token.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    Accepted,
    Refused,
    /// It refuses a token that was refreshed a moment ago: another refresh would not help.
    RefusedFresh,
    /// Nothing that counts.
    Unknown,
}

impl Verdict {
    /// For how long it counts.
    fn time(self) -> Duration {
        match self {
            // Callers that are refused come again within seconds.
            Self::Accepted | Self::Refused | Self::Unknown => Duration::from_secs(3),
            Self::RefusedFresh => Duration::from_secs(60),
        }
    }

    /// Whether the token is handed out as it is.
    pub(super) fn is_settled(self) -> bool {
        self != Self::Refused
    }
}

/// By fingerprints of access tokens, with the instant in milliseconds since the Unix epoch.
type Entries = BTreeMap<String, (Verdict, i64)>;

/// The verdicts of one provider's API.
pub(super) struct Verdicts {
    /// `None` if there is no directory for it.
    directory: Option<PathBuf>,
    provider: String,
}

impl Verdicts {
    pub(super) fn of(provider: &str) -> Self {
        Self {
            directory: directories::home().ok().map(|home| home.join("verified")),
            provider: provider.to_owned(),
        }
    }

    /// What the API has said of the token within the last seconds.
    pub(super) fn recent(&self, access: &Secret) -> Option<Verdict> {
        let entries = self.read(SystemClock.now());
        entries
            .get(&access.fingerprint())
            .map(|(verdict, _)| *verdict)
    }

    /// Whether the API said within the last seconds what settles it.
    pub(super) fn are_settled(&self, access: &Secret) -> bool {
        self.recent(access).is_some_and(Verdict::is_settled)
    }

    /// Waits until no other process asks the API. Without a lock it may be asked more often than
    /// necessary, which is no reason to fail.
    pub(super) async fn turn(&self) -> Option<Held> {
        let deadline = Instant::now() + TURN;
        let mut is_waiting = false;
        loop {
            match self.lock() {
                Ok(held) => return Some(held),
                Err(error)
                    if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < deadline =>
                {
                    if !is_waiting {
                        tracing::debug!("another process asks the API about a token; waiting");
                    }
                    is_waiting = true;
                }
                Err(error) => {
                    tracing::debug!(%error, "the API is asked without a lock");
                    return None;
                }
            }
            sleep(PAUSE).await;
        }
    }

    /// Remembers a verdict. That it cannot be remembered costs only a further request.
    pub(super) fn remember(&self, access: &Secret, verdict: Verdict) {
        let now = SystemClock.now();
        let mut entries = self.read(now);
        entries.insert(access.fingerprint(), (verdict, now.as_unix_millis()));
        let Some(file) = self.file("json") else {
            return;
        };
        let written = serde_json::to_vec(&entries).map_err(Into::into);
        if let Err(error) = written.and_then(|content| files::replace(&file, &content)) {
            tracing::debug!(%error, "the verdict of the API is not remembered");
        }
    }

    fn lock(&self) -> io::Result<Held> {
        let directory = self.directory.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let lock = self.file("lock").ok_or(io::ErrorKind::NotFound)?;
        files::make_directories(directory)?;
        try_hold(files::open_or_create(&lock)?)
    }

    fn read(&self, now: Timestamp) -> Entries {
        let read = self.file("json");
        let read = read.and_then(|file| files::read(&file, LARGEST).ok());
        let read = read.and_then(|content| serde_json::from_slice(&content).ok());
        let mut entries: Entries = read.unwrap_or_default();
        // An instant in the future is that of a clock which was wrong.
        let counts = |(verdict, at): (Verdict, i64)| {
            let at = Timestamp::from_unix_millis(at);
            at <= now && now.since(at) < verdict.time()
        };
        entries.retain(|_, entry| counts(*entry));
        entries
    }

    fn file(&self, extension: &str) -> Option<PathBuf> {
        let directory = self.directory.as_ref()?;
        Some(directory.join(format!("{}.{extension}", self.provider)))
    }
}
