//! A sign-in by either flow.

use llm_auth_core::{AuthProvider, OAuthToken, ProviderSpec};

use super::subject::{Server, Subject, expect};
use crate::client::Browser;

/// A session by the provider's first flow.
pub(super) async fn signed_in<S: ProviderSpec + ?Sized>(
    subject: &Subject<S>,
    server: &Server,
) -> Result<OAuthToken, String> {
    let provider = subject.at(server.base_url())?.build();
    let session = provider.authenticate(&Browser).await;
    let session = expect("the sign-in", session).map_err(|why| {
        let violations = server.check_violations().err();
        [Some(why), violations]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("; ")
    })?;
    Ok(session)
}
