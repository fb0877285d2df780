//! What APIs said of tokens a moment ago, for every process: helpers run one after another.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use llm_auth_core::{Clock as _, Secret, SystemClock, Timestamp, files};
use serde::{Deserialize, Serialize};

use crate::session::directories;

/// The file holds some fingerprints.
const LARGEST: u64 = 64 * 1024;

/// What the API said of a token.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    Accepted,
    /// Remembered of a token that was refreshed a moment ago: another refresh would not help.
    Refused,
    /// Nothing that counts.
    Unknown,
}

impl Verdict {
    /// For how long it counts.
    fn time(self) -> Duration {
        match self {
            // Callers that are refused come again within seconds.
            Self::Accepted | Self::Unknown => Duration::from_secs(3),
            Self::Refused => Duration::from_secs(60),
        }
    }
}

/// By fingerprints of access tokens, with the instant in milliseconds since the Unix epoch.
type Verdicts = BTreeMap<String, (Verdict, i64)>;

/// What the API has said of the token within the last seconds.
pub(super) fn recent(access: &Secret) -> Option<Verdict> {
    let verdicts = read(SystemClock.now());
    verdicts
        .get(&access.fingerprint())
        .map(|(verdict, _)| *verdict)
}

/// Remembers a verdict. That it cannot be remembered costs only a further request.
pub(super) fn remember(access: &Secret, verdict: Verdict) {
    let now = SystemClock.now();
    let mut verdicts = read(now);
    verdicts.insert(access.fingerprint(), (verdict, now.as_unix_millis()));
    let Some(file) = file() else {
        return;
    };
    let written = serde_json::to_vec(&verdicts).map_err(Into::into);
    if let Err(error) = written.and_then(|content| files::replace(&file, &content)) {
        tracing::debug!(%error, "the verdict of the API is not remembered");
    }
}

fn read(now: Timestamp) -> Verdicts {
    let read = file().and_then(|file| files::read(&file, LARGEST).ok());
    let read = read.and_then(|content| serde_json::from_slice(&content).ok());
    let mut verdicts: Verdicts = read.unwrap_or_default();
    // An instant in the future is that of a clock which was wrong.
    let counts = |(verdict, at): (Verdict, i64)| {
        let at = Timestamp::from_unix_millis(at);
        at <= now && now.since(at) < verdict.time()
    };
    verdicts.retain(|_, entry| counts(*entry));
    verdicts
}

fn file() -> Option<PathBuf> {
    Some(directories::home().ok()?.join("verified.json"))
}
