//! The state of a stored session.

use llm_auth_core::{DEFAULT_EXPIRY_MARGIN, OAuthToken, Timestamp};

/// The state of a session in one word.
pub(crate) fn state_of(token: &OAuthToken, now: Timestamp) -> &'static str {
    if token.is_fresh_for(DEFAULT_EXPIRY_MARGIN, now) {
        "valid"
    } else if token.is_rejected() {
        "refused"
    } else if token.refresh_token().is_ok() {
        "renewable"
    } else {
        "expired"
    }
}
