//! Variables of a stranger (a project's `.env`) take no credential of the user elsewhere.

mod servers;
mod settings;
mod sign_ins;
mod stored_sessions;
mod stranger;

use std::path::Path;

use crate::support::session_file::read;
use crate::support::user::User;

const PROVIDERS: [&str; 3] = ["qwen", "minimax", "gemini"];

/// Endpoints that receive a stored session.
const FOR_SESSIONS: [&str; 5] = [
    "BASE_URL",
    "TOKEN_ENDPOINT",
    "REVOCATION_ENDPOINT",
    "USERINFO_ENDPOINT",
    "API_BASE",
];

/// Endpoints that only a sign-in uses.
const FOR_SIGN_INS: [&str; 2] = ["AUTHORIZATION_ENDPOINT", "DEVICE_AUTHORIZATION_ENDPOINT"];

/// What a session and its user have that is private.
fn secrets(user: &User, file: &Path) -> Vec<String> {
    let stored = read(file);
    let mut secrets = vec![user.kit.client_secret().to_owned()];
    for member in ["access", "refresh"] {
        secrets.push(stored[member].as_str().unwrap().to_owned());
    }
    secrets
}

fn assert_holds_no_secret(printed: &str, secrets: &[String]) {
    for secret in secrets {
        assert!(
            !printed.contains(secret.as_str()),
            "{secret} is in {printed}"
        );
    }
}
