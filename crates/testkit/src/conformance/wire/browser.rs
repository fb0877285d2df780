//! The responses of a code flow, and the requests that reach the redirect URI.

use std::time::Duration;

use llm_auth_core::{
    EndpointRole, FlowKind, OAuthProvider, OAuthToken, ProviderSpec, Result as Read, SecureUrl,
};

use super::super::subject::{Subject, check, expect, expect_error};
use super::scripted::{of_error, scripted};
use crate::client::PendingSignIn;
use crate::scripted::{ScriptedResponse, ScriptedServer};

/// No server listens there.
const NO_SERVER: &str = "http://127.0.0.1:9";

/// The query of a valid response.
const VALID: &str = "?code=made-up-valid&state={STATE}";

fn token() -> ScriptedResponse {
    // Keys as well: a provider reads what it knows.
    let body = r#"{"access_token":"made-up","refresh_token":"made-up","expires_in":3600,
        "id_token":"ID_TOKEN","key":"made-up","api_key":"made-up"}"#;
    ScriptedResponse::json(200, body)
}

/// The target of a valid response.
fn valid<S: ProviderSpec + ?Sized>(subject: &Subject<S>, sign_in: &PendingSignIn) -> String {
    let issued = match subject.issues_clients() {
        true => "&client_id=made-up-issued",
        false => "",
    };
    format!("{}{VALID}{issued}", sign_in.redirect_path())
}

/// The server shows such an error in the browser, and nothing arrives here. A provider can only
/// avoid the request that is blocked, and end in time.
pub(super) async fn authorize<S: ProviderSpec + ?Sized>(
    subject: &Subject<S>,
) -> Result<String, String> {
    let provider = subject.at(NO_SERVER)?.timeout(Duration::from_millis(20));
    let provider = provider.flow(FlowKind::Code).build();
    let sign_in = expect(
        "the start of the sign-in",
        PendingSignIn::begin(provider).await,
    )?;
    let uri = sign_in.redirect_uri();
    check(uri.starts_with("http://"), || {
        format!("the redirect URI {uri} is not on this computer")
    })?;
    let ended = sign_in.session().await;
    let error = expect_error("a sign-in without a response", ended)?;
    let label = of_error(&error);
    check(label == "expired", || {
        format!("a sign-in without a response is {label}: {error}")
    })?;
    Ok("config_error".into())
}

/// A request at the redirect URI. A valid one follows: it counts if the first one did not.
pub(super) async fn callback<S: ProviderSpec + ?Sized>(
    subject: &Subject<S>,
    target: &str,
) -> Result<String, String> {
    let server = scripted([token()]).await?;
    let provider = subject.at(server.base_url())?.flow(FlowKind::Code).build();
    let sign_in = begin(subject, provider, &server).await?;
    // The path of the sources, which is each program's own choice.
    let target = match target.strip_prefix("/callback?") {
        Some(query) => format!("{}?{query}", sign_in.redirect_path()),
        None => target.to_owned(),
    };
    let page = sign_in.callback(&target).await;
    let status = expect("the page", expect("the page", page)?)?;
    // Nothing listens any more if the first one counted.
    let _page = sign_in.callback(&valid(subject, &sign_in));
    let ended = sign_in.session().await;
    let requests = server.requests();
    if let Err(error) = ended {
        check(requests.is_empty(), || "a code was redeemed".into())?;
        return Ok(of_error(&error));
    }
    let code = requests
        .first()
        .and_then(|request| request.parameter("code"));
    if code.as_deref() != Some("made-up-valid") {
        return Ok("ok".into());
    }
    check(status >= 400, || {
        format!("the page has status {status} although the request does not count")
    })?;
    Ok(match target.contains("state=wrong") {
        true => "state_mismatch".into(),
        false => "ignore_request".into(),
    })
}

pub(super) async fn exchange<S: ProviderSpec + ?Sized>(
    subject: &Subject<S>,
    server: &ScriptedServer,
) -> Result<Read<&'static str>, String> {
    let provider = subject.at(server.base_url())?.flow(FlowKind::Code).build();
    Ok(signed_in(subject, provider, server).await?.map(|_| "token"))
}

/// A sign-in whose last request, for the identity, gets the scripted response.
pub(super) async fn userinfo<S: ProviderSpec + ?Sized>(
    subject: &Subject<S>,
    server: &ScriptedServer,
) -> Result<Read<&'static str>, String> {
    let scope = subject.config().identity_scopes.first();
    let scope = scope.ok_or("the configuration has no scope that gives the identity")?;
    let tokens = scripted([token()]).await?;
    let endpoint = SecureUrl::new(&format!("{}/token", tokens.base_url()));
    let provider = subject
        .trusting(server.base_url())?
        .endpoint(EndpointRole::Token, expect("the endpoint", endpoint)?)
        .scope(scope)
        .flow(FlowKind::Code);
    let read = signed_in(subject, provider.build(), &tokens).await?;
    Ok(read.map(|session| match session.metadata.identity {
        None => "ok",
        Some(_) => "identity",
    }))
}

/// The end of a sign-in whose browser comes back with a code, and whose tokens this server issues.
async fn signed_in<S: ProviderSpec + ?Sized>(
    subject: &Subject<S>,
    provider: OAuthProvider<S>,
    server: &ScriptedServer,
) -> Result<Read<OAuthToken>, String> {
    let sign_in = begin(subject, provider, server).await?;
    let _page = sign_in.callback(&valid(subject, &sign_in));
    Ok(sign_in.session().await)
}

async fn begin<S: ProviderSpec + ?Sized>(
    subject: &Subject<S>,
    provider: OAuthProvider<S>,
    server: &ScriptedServer,
) -> Result<PendingSignIn, String> {
    let begun = PendingSignIn::begin(provider).await;
    let sign_in = expect("the start of the sign-in", begun)?;
    if let Some(rules) = &subject.config().id_token {
        let issuer = rules.issuer.as_deref().unwrap_or_default();
        server.sign_id_tokens(issuer, sign_in.parameter("nonce"));
    }
    Ok(sign_in)
}
