//! Counts of what a provider received.

use serde::Serialize;

/// What one provider received since the start or the last reset.
///
/// Requests are counted when they arrive, also when a scripted fault swallows them.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Counters {
    /// Device flows started.
    pub device_requests: u64,
    /// Requests to the approval page; an open page of the code flow reloads every few seconds.
    pub authorizations: u64,
    /// Polls of device flows.
    pub polls: u64,
    /// Polls that came sooner than the interval allowed.
    pub too_fast: u64,
    /// Authorization codes presented.
    pub exchanges: u64,
    /// Logins that ended with tokens.
    pub logins_ok: u64,
    /// Refresh requests seen.
    pub refreshes: u64,
    /// Refresh requests that got a token (from the server; a fault may have lost the response).
    pub refresh_ok: u64,
    /// Refresh requests that repeated a spent token within the grace window; part of `refresh_ok`.
    pub refresh_in_grace: u64,
    /// Spent refresh tokens presented outside the grace window.
    pub reuse: u64,
    /// Families revoked because of reuse, by a client's revocation, or by the control API.
    pub families_revoked: u64,
    /// Families that still hold a usable token; not reset.
    pub families_live: u64,
    /// Revocation requests seen.
    pub revocations: u64,
    /// API calls accepted.
    pub chats_ok: u64,
    /// API calls rejected.
    pub chats_refused: u64,
    /// Streamed replies begun; part of `chats_ok`.
    pub streams: u64,
    /// Streamed replies sent whole.
    pub streams_done: u64,
    /// Streamed replies that a fault holds now; not reset.
    pub streams_held: u64,
    /// Userinfo requests seen.
    pub userinfo: u64,
    /// Tokeninfo requests seen.
    pub tokeninfo: u64,
    /// Scripted faults that were applied.
    pub faults: u64,
    /// Everything a strict provider would reject, in words and without secrets.
    pub violations: Vec<String>,
}

impl Counters {
    pub(crate) fn violation(&mut self, words: String) {
        // A client in a loop must not fill the memory of the server.
        if self.violations.len() < 1000 {
            self.violations.push(words);
        }
    }
}
