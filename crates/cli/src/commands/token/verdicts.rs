//! What APIs said of tokens a moment ago, for every process: helpers run one after another.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use llm_auth_core::{Clock as _, Secret, SystemClock, Timestamp, files};

use crate::session::directories;

/// For how long a response counts.
const TIME: Duration = Duration::from_secs(15);

/// The file holds some fingerprints.
const LARGEST: u64 = 64 * 1024;

/// Fingerprints of access tokens, and when they were accepted in milliseconds since the Unix epoch.
type Verdicts = BTreeMap<String, i64>;

/// Whether the API has accepted the token within the last seconds.
pub(super) fn is_good(access: &Secret) -> bool {
    let recent = recent(SystemClock.now());
    recent.contains_key(&access.fingerprint())
}

/// Remembers that a token is good. That it cannot be remembered costs only a further request.
pub(super) fn remember(access: &Secret) {
    let now = SystemClock.now();
    let mut verdicts = recent(now);
    verdicts.insert(access.fingerprint(), now.as_unix_millis());
    let Some(file) = file() else {
        return;
    };
    let written = serde_json::to_vec(&verdicts).map_err(Into::into);
    if let Err(error) = written.and_then(|content| files::replace(&file, &content)) {
        tracing::debug!(%error, "the verdict of the API is not remembered");
    }
}

fn recent(now: Timestamp) -> Verdicts {
    let read = file().and_then(|file| files::read(&file, LARGEST).ok());
    let read = read.and_then(|content| serde_json::from_slice(&content).ok());
    let mut verdicts: Verdicts = read.unwrap_or_default();
    // An instant in the future is that of a clock which was wrong.
    let is_recent = |at: i64| {
        let at = Timestamp::from_unix_millis(at);
        at <= now && now.since(at) < TIME
    };
    verdicts.retain(|_, at| is_recent(*at));
    verdicts
}

fn file() -> Option<PathBuf> {
    Some(directories::home().ok()?.join("verified.json"))
}
