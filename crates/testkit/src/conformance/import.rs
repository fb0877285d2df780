//! Sessions of another program.

use llm_auth_core::provider::Client;
use llm_auth_core::{AuthProvider as _, ErrorKind, OAuthToken, ProviderSpec, Silent, Timestamp};

use super::flows::signed_in;
use super::subject::{Subject, check as ensure, expect, expect_error, made_up};

pub(super) async fn check<S: ProviderSpec + ?Sized>(subject: &Subject<S>) -> Result<(), String> {
    without_a_client(subject).await?;
    let own = subject.builder().build();
    let imported = expect("the import", own.import_session(subject.made_up()))?;
    subject.check_records(&imported)?;
    let checked = own.check_session(&imported);
    expect("the check of the imported session", checked)?;
    let issuer = imported.clone().issued_by(&own.config().endpoints.token);
    let (found, expected) = (&imported.metadata.server, &issuer.metadata.server);
    ensure(found == expected, || {
        format!("the imported session records the server {found:?}, not {expected:?}")
    })?;
    match subject.refreshes {
        true => refreshed(subject).await,
        false => Ok(()),
    }
}

/// If each user brings a client, a sign-in and an import without one name what is missing.
async fn without_a_client<S: ProviderSpec + ?Sized>(subject: &Subject<S>) -> Result<(), String> {
    let given = subject.given();
    let Client::Required(help) = &given.config().client else {
        return Ok(());
    };
    let imported = given.import_session(made_up());
    let error = expect_error("an import without a client", imported)?;
    let names_it = error.to_string().contains("client");
    ensure(error.kind() == ErrorKind::Config && names_it, || {
        format!("an import without a client does not name what is missing: {error}")
    })?;
    if subject.issues_clients() {
        // A sign-in brings one.
        return Ok(());
    }
    let session = given.authenticate(&Silent).await;
    let error = expect_error("a sign-in without a client", session)?;
    ensure(error.to_string() == *help, || {
        format!("a sign-in without a client fails with {error:?}, not with {help:?}")
    })
}

/// The tokens of a real session, without its records, are refreshed.
async fn refreshed<S: ProviderSpec + ?Sized>(subject: &Subject<S>) -> Result<(), String> {
    let server = subject.server().await?;
    let session = signed_in(subject, &server).await?;
    let mut bare = OAuthToken::new(session.access.clone(), Timestamp::default());
    if subject.issues_clients()
        && let Some(id) = session.metadata.provider_data.get("client_id")
    {
        let data = &mut bare.metadata.provider_data;
        data.insert("client_id", id);
    }
    bare.refresh = session.refresh;
    bare.resource_url = session.resource_url;
    let provider = subject.trusting(server.base_url())?.build();
    let imported = expect("the import", provider.import_session(bare))?;
    let refreshed = provider.refresh(&imported).await;
    server.check_violations()?;
    let refreshed = expect("the refresh of the imported session", refreshed)?;
    let is_live = server.provider().is_live_access(refreshed.access.expose());
    ensure(is_live, || {
        "the access token after the refresh is not the server's".into()
    })
}
