//! Whose a name is.

use llm_auth::oidc::Server;
use llm_auth_core::{SessionKey, printable};

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

/// A name belongs to one server until the user forgets that: sessions of it may be in any file. A
/// server at the same URL that names other endpoints than before is what an attack looks like.
pub(super) fn taken(before: &Server, now: &Server) -> Failure {
    let forget = command_line(
        "logout",
        Some(&before.name),
        &SessionSelector::default(),
        &["--forget-server"],
    );
    let at = |server: &Server| {
        let issuer = server.issuer.as_deref().map(printable);
        let token = server.endpoints.token.host();
        match issuer {
            Some(issuer) => format!("{issuer} (token endpoint at {token})"),
            None => format!("the token endpoint at {token}"),
        }
    };
    let is_elsewhere =
        now.issuer != before.issuer || now.endpoints.token.base() != before.endpoints.token.base();
    let is_same_api = now.is_mcp && now.endpoints.api_base == before.endpoints.api_base;
    let is_same_issuer = now.issuer.is_some() && now.issuer == before.issuer;
    match is_elsewhere && (is_same_api || is_same_issuer) {
        true => Failure::Config {
            message: format!(
                "{}: this sign-in would be at {}, and the server that is remembered signs in at {}: \
                 nothing was sent there",
                before.name,
                at(now),
                at(before)
            ),
            advice: format!(
                "make sure that its operator has moved it, because this is also what an attack looks \
                 like; then run `{forget}` and sign in again"
            ),
        },
        false => Failure::Config {
            message: format!(
                "the name {} belongs to {}",
                before.name,
                description(before)
            ),
            advice: format!("choose another name with --name, or run `{forget}` first"),
        },
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
