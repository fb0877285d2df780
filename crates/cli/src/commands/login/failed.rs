//! What a sign-in that failed says about the client at a server of the user's own.

use llm_auth_core::ErrorKind;

use crate::error::{Failure, chain};
use crate::providers::ProviderName;
use crate::session::command_line::command_line;
use crate::session::selector::SessionSelector;
use crate::ui::streams::say;

/// A server that has lost the client that is remembered shows that in the browser alone.
pub(super) fn advise_registration(
    failure: &Failure,
    provider: ProviderName,
    selector: &SessionSelector,
) {
    let client = provider.server().and_then(|server| server.client.as_ref());
    let is_registered = client.is_some_and(|client| client.is_registered);
    let knows_client =
        matches!(failure, Failure::Session(error) if error.kind() == ErrorKind::Denied);
    if is_registered && !knows_client {
        say(&format!(
            "If the server no longer knows this client: {}",
            command_line("login", Some(provider.name()), selector, &["--register"])
        ));
    }
}

/// A server that refuses the client that it has just registered would refuse the next one too.
pub(super) fn of_new_client(failure: Failure) -> Failure {
    match failure {
        Failure::Session(error)
            if error.kind() == ErrorKind::Config && !error.is_about_proxy() =>
        {
            Failure::Config {
                message: chain(&error),
                advice: "register a client at the server yourself, and name it with --client-id \
                         (--client-secret-file, --client-auth); if the scope is wrong, name another \
                         with --scope"
                    .into(),
            }
        }
        failure => failure,
    }
}
