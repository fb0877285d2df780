//! Whose a name is.

use llm_auth::oidc::Server;
use llm_auth_core::SessionKey;

use crate::error::Failure;
use crate::providers::servers::{self, description};
use crate::session::command_line::{command_about, command_line};
use crate::session::selector::SessionSelector;

/// The server that is remembered under a name.
pub(super) fn load(name: &str) -> Result<Option<Server>, Failure> {
    servers::load(name).map_err(|why| Failure::Config {
        message: format!("{name}: {why}"),
        advice: "delete that file, or choose another name with --name".into(),
    })
}

/// A name belongs to one server until the user forgets that: sessions of it may be in any file.
pub(super) fn taken(before: &Server) -> Failure {
    Failure::Config {
        message: format!(
            "the name {} belongs to {}",
            before.name,
            description(before)
        ),
        advice: format!(
            "choose another name with --name, or run `{}` first",
            command_line(
                "logout",
                Some(&before.name),
                &SessionSelector::default(),
                &["--forget-server"]
            )
        ),
    }
}

/// The error if another sign-in was first.
pub(super) fn taken_by_another(now: &Server) -> Failure {
    Failure::Config {
        message: format!(
            "another sign-in has meanwhile given the name {} to {}: nothing is stored",
            now.name,
            description(now)
        ),
        advice: "sign in again with another name: --name".into(),
    }
}

/// The commands that end these sessions.
pub(super) fn sign_outs(keys: &[SessionKey]) -> Vec<String> {
    let lines = keys.iter();
    lines
        .map(|key| format!("`{}`", command_about("logout", key, &[])))
        .collect()
}
