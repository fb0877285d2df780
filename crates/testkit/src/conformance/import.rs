//! Sessions of another program.

use llm_auth_core::{AuthProvider as _, Client, ErrorKind, OAuthToken, ProviderSpec, Timestamp};

use super::flows::signed_in;
use super::subject::{Subject, check as ensure, expect, expect_error};

pub(super) async fn check<S: ProviderSpec + ?Sized>(subject: &Subject<S>) -> Result<(), String> {
    without_a_client(subject)?;
    let own = subject.own();
    let foreign = foreign("made-up", Some("made-up-refresh"));
    let imported = expect("the import", own.import_session(foreign))?;
    subject.check_records(&imported)?;
    let checked = own.check_session(&imported);
    expect("the check of the imported session", checked)?;
    let issuer = imported.clone().issued_by(&own.config().endpoints.token);
    let (found, expected) = (&imported.metadata.server, &issuer.metadata.server);
    ensure(found == expected, || {
        format!("the imported session records the server {found:?}, not {expected:?}")
    })?;
    refreshed(subject).await
}

/// If each user brings a client, an import without one names what is missing.
fn without_a_client<S: ProviderSpec + ?Sized>(subject: &Subject<S>) -> Result<(), String> {
    let given = subject.given();
    if !matches!(given.config().client, Client::Required(_)) {
        return Ok(());
    }
    let imported = given.import_session(foreign("made-up", Some("made-up-refresh")));
    let error = expect_error("an import without a client", imported)?;
    let names_it = error.to_string().contains("client");
    ensure(error.kind() == ErrorKind::Config && names_it, || {
        format!("an import without a client does not name what is missing: {error}")
    })
}

/// The tokens of a real session, without its records, are refreshed.
async fn refreshed<S: ProviderSpec + ?Sized>(subject: &Subject<S>) -> Result<(), String> {
    let server = subject.server().await?;
    let session = signed_in(subject, &server).await?;
    let refresh = session.refresh.as_ref().map(|refresh| refresh.expose());
    let mut bare = foreign(session.access.expose(), refresh);
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

fn foreign(access: &str, refresh: Option<&str>) -> OAuthToken {
    let mut session = OAuthToken::new(access.into(), Timestamp::default());
    session.refresh = refresh.map(Into::into);
    session
}
