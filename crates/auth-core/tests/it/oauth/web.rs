//! Code flows whose response comes to a page of a web service.

use std::collections::BTreeMap;

use llm_auth_core::provider::{
    Client, CodeFlow, CodeSignIn, Flow, IdTokenRules, OAuthConfig, Pkce,
};
use llm_auth_core::{ErrorKind, OAuthProvider, ProviderSpec as _, SecureUrl};

use crate::support::script::Script;

const GRANT: &str = r#"{"access_token":"made-up-access","refresh_token":"made-up-refresh"}"#;

fn config() -> OAuthConfig {
    let mut config = super::config("web");
    config.endpoints.authorization = Some(SecureUrl::known("https://vendor.example/auth"));
    config.client = Client::known("app");
    let mut flow = CodeFlow::new("/callback");
    flow.issuer = Some("https://vendor.example".into());
    config.flows = vec![Flow::Code(flow)];
    config
}

fn at(script: &Script, config: OAuthConfig) -> OAuthProvider<OAuthConfig> {
    config.builder().base_url(&script.base).unwrap().build()
}

fn callback() -> SecureUrl {
    SecureUrl::known("https://app.example/callback")
}

async fn begin(provider: &OAuthProvider<OAuthConfig>) -> (CodeSignIn, BTreeMap<String, String>) {
    let sign_in = provider.begin_code_sign_in(&callback()).await.unwrap();
    let query = sign_in.url().split_once('?').unwrap().1;
    let request = form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    (sign_in, request)
}

#[tokio::test]
async fn a_code_is_redeemed_with_what_was_kept_of_the_request() {
    let script = Script::start(&[(200, GRANT)]).await;
    let provider = at(&script, config());
    let (sign_in, request) = begin(&provider).await;
    assert_eq!(request["redirect_uri"], "https://app.example/callback");
    assert_eq!(request["code_challenge_method"], "S256");
    assert_eq!(sign_in.state().expose(), request["state"]);
    // As another process does, which has only what was kept.
    let kept = sign_in.to_secret();
    assert!(!kept.expose().contains("https://vendor.example/auth"));
    let sign_in = CodeSignIn::from_secret(&kept).unwrap();
    let shown = format!("{sign_in:?}");
    assert!(!shown.contains(&request["state"]), "{shown}");
    let state = &request["state"];
    let query = format!("code=made-up-code&state={state}&iss=https%3A%2F%2Fvendor.example");
    let session = provider
        .finish_code_sign_in(sign_in, &callback(), &query)
        .await
        .unwrap();
    assert_eq!(session.access.expose(), "made-up-access");
    assert!(session.metadata.server.is_some());
    let sent = &script.sent()[0];
    assert_eq!(sent.parameter("code"), Some("made-up-code"));
    let redirect_uri = sent.parameter("redirect_uri");
    assert_eq!(redirect_uri, Some("https%3A%2F%2Fapp.example%2Fcallback"));
    let verifier = sent.parameter("code_verifier").unwrap();
    let pkce = Pkce::from_verifier(verifier.into()).unwrap();
    assert_eq!(pkce.challenge(), request["code_challenge"]);
}

#[tokio::test]
async fn a_response_to_another_sign_in_is_not_redeemed() {
    let script = Script::start(&[(200, GRANT)]).await;
    let provider = at(&script, config());
    for query in [
        "code=made-up-code&state=made-up-other",
        "code=made-up-code",
        "",
        "code=made-up-code&state={state}&state=made-up-other",
        "code=made-up-code&state={state}&iss=https%3A%2F%2Fother.example",
    ] {
        let (sign_in, request) = begin(&provider).await;
        let query = query.replace("{state}", &request["state"]);
        let outcome = provider
            .finish_code_sign_in(sign_in, &callback(), &query)
            .await;
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StateMismatch, "{query}: {error}");
    }
    let (sign_in, request) = begin(&provider).await;
    let query = format!("error=access_denied&state={}", request["state"]);
    let outcome = provider
        .finish_code_sign_in(sign_in, &callback(), &query)
        .await;
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Denied);
    assert!(script.sent().is_empty());
}

#[tokio::test]
async fn a_code_goes_only_to_the_server_whose_response_came_to_the_redirect_uri() {
    let script = Script::start(&[(200, GRANT)]).await;
    let other = Script::start(&[(200, GRANT)]).await;
    let mut renamed = config();
    renamed.name = "renamed".into();
    for finishing in [at(&other, config()), at(&script, renamed)] {
        let (sign_in, request) = begin(&at(&script, config())).await;
        let sign_in = CodeSignIn::from_secret(&sign_in.to_secret()).unwrap();
        let query = format!("code=made-up-code&state={}", request["state"]);
        let callback = callback();
        let finished = finishing.finish_code_sign_in(sign_in, &callback, &query);
        let error = finished.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    }
    let provider = at(&script, config());
    let (sign_in, request) = begin(&provider).await;
    let query = format!("code=made-up-code&state={}", request["state"]);
    let elsewhere = SecureUrl::known("https://app.example/other/callback");
    let finished = provider.finish_code_sign_in(sign_in, &elsewhere, &query);
    let error = finished.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StateMismatch, "{error}");
    assert!(script.sent().is_empty() && other.sent().is_empty());
}

#[test]
fn a_sign_in_needs_no_runtime_of_its_caller() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let script = runtime.block_on(Script::start(&[(200, GRANT)]));
    let provider = at(&script, config());
    let (sign_in, request) = crate::runtimes::block_on(begin(&provider));
    let query = format!("code=made-up-code&state={}", request["state"]);
    let callback = callback();
    let finished = provider.finish_code_sign_in(sign_in, &callback, &query);
    let session = crate::runtimes::block_on(finished).unwrap();
    assert_eq!(session.access.expose(), "made-up-access");
}

#[tokio::test]
async fn the_nonce_of_the_request_is_that_of_the_check() {
    let script = Script::start(&[(200, GRANT)]).await;
    let mut config = config();
    let mut rules = IdTokenRules::claims(None);
    rules.is_required = true;
    config.id_token = Some(rules);
    let provider = at(&script, config);
    let (sign_in, request) = begin(&provider).await;
    assert!(sign_in.to_secret().expose().contains(&request["nonce"]));
    let query = format!("code=made-up-code&state={}", request["state"]);
    // A response without an ID token is refused: the check is made here too.
    let error = provider
        .finish_code_sign_in(sign_in, &callback(), &query)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
}

#[tokio::test]
async fn a_provider_whose_responses_have_no_state_is_refused() {
    let script = Script::start(&[]).await;
    let mut config = config();
    let mut flow = CodeFlow::new("/callback");
    flow.secret_path = true;
    config.flows = vec![Flow::Code(flow)];
    let callback = callback();
    let outcome = at(&script, config).begin_code_sign_in(&callback).await;
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Config);
    let config = super::config("without");
    let outcome = at(&script, config).begin_code_sign_in(&callback).await;
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Config);
}
