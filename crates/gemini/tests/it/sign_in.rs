//! Sign-in, refresh and revocation against a strict server.

use crate::common::{begin, provider_at};
use llm_auth_gemini::provider::Operation;
use llm_auth_gemini::{
    AuthManager, AuthProvider as _, ErrorKind, Gemini, GeminiProvider, MemoryTokenStore,
    OAuthClient, OAuthToken, ProviderSpec as _, Silent, Timestamp,
};
use llm_auth_testkit::{Approval, Testkit};

async fn kit() -> Testkit {
    Testkit::builder()
        .approval(Approval::Auto)
        .start()
        .await
        .unwrap()
}

fn provider(kit: &Testkit) -> GeminiProvider {
    provider_at(kit.base_url(), kit.client_id(), kit.client_secret()).build()
}

async fn signed_in(kit: &Testkit) -> OAuthToken {
    let sign_in = begin(&provider(kit)).await;
    let page = sign_in.browse();
    let token = sign_in.task.await.unwrap().unwrap();
    assert_eq!(page.await.unwrap(), 200);
    token
}

#[tokio::test]
async fn the_authorization_request_has_everything_and_no_secret() {
    let provider = provider_at("http://127.0.0.1:9", "my-id", "made-up-secret").build();
    let sign_in = begin(&provider).await;
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "my-id"),
        ("code_challenge_method", "S256"),
        ("access_type", "offline"),
        ("prompt", "consent"),
        (
            "scope",
            "https://www.googleapis.com/auth/cloud-platform https://www.googleapis.com/auth/generative-language.retriever",
        ),
    ] {
        assert_eq!(sign_in.parameter(name), value);
    }
    assert_eq!(sign_in.parameter("state").len(), 43);
    assert_eq!(sign_in.parameter("code_challenge").len(), 43);
    assert!(
        sign_in
            .parameter("redirect_uri")
            .ends_with("/oauth2callback")
    );
    assert!(!sign_in.url.as_str().contains("made-up-secret"));
    let second = begin(&provider).await;
    assert_ne!(second.parameter("state"), sign_in.parameter("state"));
    assert_ne!(
        second.parameter("code_challenge"),
        sign_in.parameter("code_challenge")
    );
    sign_in.task.abort();
    second.task.abort();
}

#[tokio::test]
async fn a_strict_server_finds_nothing_to_complain_about() {
    let kit = kit().await;
    let token = signed_in(&kit).await;
    assert!(kit.gemini().is_live_access(token.access.expose()));
    assert!(token.refresh.is_some());
    let refreshed = provider(&kit).refresh(&token).await.unwrap();
    assert_ne!(refreshed.access, token.access);
    let refreshed = refreshed.inheriting(&token);
    assert_eq!(refreshed.refresh, token.refresh);
    assert_eq!(kit.gemini().violations(), Vec::<String>::new());
    assert_eq!(kit.gemini().counters().refresh_ok, 1);
}

#[tokio::test]
async fn a_session_is_renewed_with_the_client_that_it_was_made_with() {
    let kit = kit().await;
    let token = signed_in(&kit).await;
    let at_kit = |spec: Gemini| spec.builder().base_url(kit.base_url()).unwrap().build();
    let without = at_kit(Gemini::default());
    assert!(without.refresh(&token).await.is_ok());
    let another = at_kit(Gemini::with_client(OAuthClient::new("another", None)));
    assert!(another.refresh(&token).await.is_ok());
    assert_eq!(kit.gemini().violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_denial_in_the_browser_ends_the_sign_in() {
    let kit = Testkit::builder()
        .approval(Approval::Deny)
        .start()
        .await
        .unwrap();
    let sign_in = begin(&provider(&kit)).await;
    let page = sign_in.browse();
    assert_eq!(
        sign_in.task.await.unwrap().unwrap_err().kind(),
        ErrorKind::Denied
    );
    assert_eq!(page.await.unwrap(), 200);
    assert_eq!(kit.gemini().counters().exchanges, 0);
}

#[tokio::test]
async fn a_revoked_session_is_dead_at_the_server() {
    let kit = kit().await;
    let token = signed_in(&kit).await;
    provider(&kit).revoke(&token).await.unwrap();
    assert!(!kit.gemini().is_live_access(token.access.expose()));
    let error = provider(&kit).refresh(&token).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RefreshRejected);
}

#[tokio::test]
async fn without_a_client_nothing_is_opened() {
    let provider = GeminiProvider::builder().build();
    let error = provider.authenticate(&Silent).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let manager = AuthManager::builder(provider)
        .store(MemoryTokenStore::new())
        .build();
    assert_eq!(
        manager.token().await.unwrap_err().kind(),
        ErrorKind::NotSignedIn
    );
}

#[tokio::test]
async fn the_quota_project_comes_from_the_client_file_and_stays_with_the_session() {
    let kit = kit().await;
    let client = OAuthClient::from_json(kit.client_secret_json().as_bytes()).unwrap();
    let project = client.project_id().unwrap().to_owned();
    let at_kit = |spec: Gemini| spec.builder().base_url(kit.base_url()).unwrap().build();
    let provider = at_kit(Gemini::with_client(client));
    let sign_in = begin(&provider).await;
    let page = sign_in.browse();
    let token = sign_in.task.await.unwrap().unwrap();
    assert_eq!(page.await.unwrap(), 200);
    let later = at_kit(Gemini::default());
    let headers = later.api(&token).unwrap().headers;
    assert_eq!(headers, [("x-goog-user-project".to_owned(), project)]);
    // A file may hold anything.
    for odd in [
        "made\r\nX-Up: 1",
        "made\0up",
        "mäde",
        "made-\u{200b}up",
        " made-up",
    ] {
        let mut token = token.clone();
        let context = &mut token.metadata.provider_data;
        context.insert("quota_project".into(), odd.into());
        let error = later.api(&token).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("quota project"), "{error}");
    }
}

#[tokio::test]
async fn a_session_goes_to_no_other_server_than_the_one_that_issued_it() {
    let kit = kit().await;
    let client = OAuthClient::new("my-id", Some("made-up-secret".into()));
    let provider = Gemini::with_client(client)
        .builder()
        .base_url(kit.base_url())
        .unwrap()
        .build();
    for elsewhere in [
        None,
        Some("oauth2.googleapis.com"),
        Some("http://127.0.0.1:1"),
        Some("https://relay.example"),
    ] {
        let mut session = OAuthToken::new("made-up".into(), Timestamp::default());
        session.refresh = Some("made-up-refresh".into());
        session.metadata.server = elsewhere.map(Into::into);
        for error in [
            provider.refresh(&session).await.unwrap_err(),
            provider.revoke(&session).await.unwrap_err(),
            provider
                .recipient(Operation::UserInfo, &session)
                .unwrap_err(),
            provider.check_session(&session).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(kit.base_url()), "{error}");
        }
        assert_eq!(provider.api(&session).unwrap().base, None);
    }
    // A session that claims to be from here, and names no client, does not get this one.
    let mut session = OAuthToken::new("made-up".into(), Timestamp::default());
    session.refresh = Some("made-up-refresh".into());
    session.metadata.server = Some(kit.base_url().into());
    let error = provider.refresh(&session).await.unwrap_err();
    assert!(error.to_string().contains("was not sent"), "{error}");
    assert!(provider.import_session(session.clone()).is_err());
    assert_eq!(kit.gemini().counters().refreshes, 0);
    session.metadata.server = None;
    let taken = provider.import_session(session).unwrap();
    let server = taken.metadata.server.as_deref();
    assert_eq!(server, Some("https://oauth2.googleapis.com"));
    assert!(taken.metadata.client_secret.is_some());
}
