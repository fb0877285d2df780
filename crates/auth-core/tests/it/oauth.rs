//! Providers that differ from the RFCs as living ones do, against a scripted server: what is sent,
//! and what becomes of the response.

#[cfg(feature = "loopback")]
mod code_flow;
mod device_flow;
mod id_token;
#[cfg(feature = "loopback")]
mod sign_in;
#[cfg(feature = "loopback")]
mod web;

use std::sync::Arc;

use llm_auth_core::provider::{Client, ClientAuth, OAuthConfig, Operation};
use llm_auth_core::{
    AuthManager, AuthProvider as _, ClientCredentials, ErrorKind, MemoryTokenStore, OAuthToken,
    ProviderSpec as _, SecureUrl, Silent, Timestamp,
};

use crate::support::Brittle;
use crate::support::script::Script;

fn config(name: &str) -> OAuthConfig {
    OAuthConfig::new(name, SecureUrl::known("https://vendor.example/oauth/token"))
}

fn session() -> OAuthToken {
    let mut session = OAuthToken::new("made-up-access".into(), Timestamp::default());
    session.refresh = Some("made-up-refresh".into());
    session
}

#[tokio::test]
async fn a_refresh_is_sent_as_the_client_that_the_session_records() {
    let script = Script::start(&[(200, r#"{"access_token":"made-up-second"}"#)]).await;
    let mut config = config("vendor");
    config.client = Client::known("configured");
    let provider = config.builder().base_url(&script.base).unwrap().build();
    let mut session = session().issued_by(&provider.config().endpoints.token);
    let data = &mut session.metadata.provider_data;
    data.insert("client_id", "recorded");
    session.metadata.client_secret = Some("made-up-secret".into());
    let refreshed = provider.refresh(&session).await.unwrap();
    let sent = script.sent();
    assert_eq!(sent[0].target, "/oauth/token");
    assert_eq!(sent[0].parameter("client_id"), Some("recorded"));
    assert_eq!(sent[0].parameter("client_secret"), Some("made-up-secret"));
    assert_eq!(&refreshed.metadata.provider_data["client_id"], "recorded");
    assert_eq!(
        refreshed.metadata.client_secret,
        session.metadata.client_secret
    );
    // The manager merges the rest.
    assert_eq!(refreshed.refresh, None);
}

#[tokio::test]
async fn a_client_authenticates_in_the_header_if_the_server_wants_that() {
    let body = r#"{"error":"invalid_client","error_description":"wrong: made up:secret%"}"#;
    let script = Script::start(&[
        (200, r#"{"access_token":"made-up-second"}"#),
        (401, body),
        (200, r#"{"access_token":"made-up-third"}"#),
    ])
    .await;
    let mut config = config("vendor");
    config.client_auth = ClientAuth::Basic;
    let provider = config.builder().base_url(&script.base).unwrap().build();
    let mut stored = session().issued_by(&provider.config().endpoints.token);
    let data = &mut stored.metadata.provider_data;
    data.insert("client_id", "my:app");
    stored.metadata.client_secret = Some("made up:secret%".into());
    provider.refresh(&stored).await.unwrap();
    let error = provider.refresh(&stored).await.unwrap_err();
    assert!(!error.to_string().contains("made up:secret%"), "{error}");
    // A public client has nothing to put there.
    stored.metadata.client_secret = None;
    provider.refresh(&stored).await.unwrap();
    let sent = script.sent();
    // RFC 6749 section 2.3.1: both parts are form-encoded first.
    let expected = "Basic bXklM0FhcHA6bWFkZSt1cCUzQXNlY3JldCUyNQ==";
    assert_eq!(sent[0].authorization.as_deref(), Some(expected));
    assert_eq!(sent[0].parameter("client_id"), None);
    assert_eq!(sent[0].parameter("client_secret"), None);
    assert_eq!(sent[2].authorization, None);
    assert_eq!(sent[2].parameter("client_id"), Some("my%3Aapp"));
}

#[tokio::test]
async fn the_error_of_a_refresh_does_not_repeat_the_access_token_that_was_not_sent() {
    let access = "Zq7vKd93LmXwTb5";
    let body = format!(r#"{{"error":"x","error_description":"{access}"}}"#);
    let script = Script::start(&[(400, &body)]).await;
    let provider = config("vendor").builder().base_url(&script.base).unwrap();
    let provider = provider.build();
    let mut session = session().issued_by(&provider.config().endpoints.token);
    session.access = access.into();
    let error = provider.refresh(&session).await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(access), "{shown}");
    assert!(shown.contains("not shown"), "{shown}");
}

#[tokio::test]
async fn a_session_without_a_client_does_not_lead_a_client_secret_elsewhere() {
    let mut config = config("vendor");
    let secret = Some("made-up-secret".into());
    config.client = Client::Known(ClientCredentials::new("id", secret));
    config.endpoints.revocation = Some(SecureUrl::known("https://vendor.example/revoke"));
    let script = Script::start(&[]).await;
    let provider = config.builder().base_url(&script.base).unwrap().build();
    let session = session().issued_by(&provider.config().endpoints.token);
    for error in [
        provider.refresh(&session).await.unwrap_err(),
        provider.revoke(&session).await.unwrap_err(),
    ] {
        assert!(error.to_string().contains("was not sent"), "{error}");
    }
    assert!(provider.import_session(session).is_err());
    assert!(script.sent().is_empty());
}

#[tokio::test]
async fn a_provider_without_a_way_to_sign_in_says_so() {
    let provider = config("vendor").provider();
    let error = provider.authenticate(&Silent).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(provider.request_device_code().await.is_err());
    let revoked = provider.recipient(Operation::Revocation, &session());
    assert_eq!(revoked.unwrap(), None);
}

#[test]
fn terms_that_forbid_the_hand_out_are_the_provider_s_to_report() {
    let mut config = config("vendor");
    assert_eq!(config.clone().provider().no_hand_out(), None);
    config.no_hand_out = Some("its terms".into());
    assert_eq!(config.provider().no_hand_out(), Some("its terms"));
}

#[test]
fn an_api_that_reports_errors_in_successes_is_known_as_such() {
    let mut config = config("vendor");
    assert!(!config.clone().provider().api_errors_in_success());
    config.api_errors_in_success = true;
    // A shared provider too.
    assert!(Arc::new(config.provider()).api_errors_in_success());
}

#[tokio::test]
async fn a_session_that_must_stay_on_this_computer_enters_no_store_that_may_be_elsewhere() {
    let mut config = config("vendor");
    config.local_only = Some("its terms".into());
    let manager = AuthManager::builder(config.clone().provider());
    let manager = manager.store(Brittle::default()).build();
    for error in [
        manager.insert_session(session()).await.unwrap_err(),
        manager.token().await.unwrap_err(),
        manager.login(&Silent).await.unwrap_err(),
        manager.logout().await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Config);
        let shown = error.to_string();
        assert!(shown.contains("its terms"), "{shown}");
        assert!(shown.contains("a brittle store"), "{shown}");
    }
    let manager = AuthManager::builder(config.provider()).store(MemoryTokenStore::new());
    assert!(manager.build().insert_session(session()).await.is_ok());
}

#[test]
fn an_api_header_that_cannot_be_sent_is_an_error() {
    for (name, value, good) in [
        ("X-Vendor", "made-up", true),
        ("X Vendor", "made-up", false),
        ("X-Vendor", "made\r\nup: x", false),
        ("", "made-up", false),
    ] {
        let mut config = config("vendor");
        config.api_headers.insert(name.into(), value.into());
        let api = config.provider().api(&session());
        assert_eq!(api.is_ok(), good, "{name:?} {value:?}");
    }
}
