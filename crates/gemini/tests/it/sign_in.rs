//! What a sign-in at Google is besides that of every provider.

use llm_auth_gemini::{
    AuthProvider as _, ErrorKind, Gemini, GeminiProvider, OAuthClient, OAuthToken,
    ProviderSpec as _,
};
use llm_auth_testkit::{Approval, Browser, PendingSignIn, ScriptedServer, Testkit, provider_at};

fn at(base: &str, spec: Gemini) -> GeminiProvider {
    spec.builder().base_url(base).unwrap().build()
}

#[tokio::test]
async fn the_authorization_request_gets_a_refresh_token_of_google_at_each_sign_in() {
    let client = OAuthClient::new("my-id", Some("made-up-secret".into()));
    let provider = at("http://127.0.0.1:9", Gemini::with_client(client));
    let sign_in = PendingSignIn::begin(provider).await.unwrap();
    for (name, value) in [
        ("client_id", "my-id"),
        ("access_type", "offline"),
        ("prompt", "consent"),
        (
            "scope",
            "https://www.googleapis.com/auth/cloud-platform https://www.googleapis.com/auth/generative-language.retriever",
        ),
    ] {
        assert_eq!(sign_in.parameter(name), value);
    }
    assert_eq!(sign_in.redirect_path(), "/oauth2callback");
}

#[tokio::test]
async fn a_redirect_that_names_another_issuer_is_ignored() {
    let kit = Testkit::builder().approval(Approval::Auto);
    let kit = kit.start().await.unwrap();
    let client = OAuthClient::from_json(kit.client_secret_json().as_bytes()).unwrap();
    let provider = at(kit.base_url(), Gemini::with_client(client));
    let flow = provider.config().code_flow().unwrap().clone();
    let sign_in = PendingSignIn::begin(provider).await.unwrap();
    let evil = "/oauth2callback?code=made-up&state={STATE}&iss=https%3A%2F%2Fevil.example";
    assert_eq!(sign_in.callback(evil).await.unwrap().unwrap(), 400);
    assert_eq!(kit.gemini().counters().exchanges, 0);
    let page = sign_in.browse();
    sign_in.session().await.unwrap();
    assert_eq!(page.await.unwrap().unwrap(), 200);
    let issuer = flow.issuer.as_deref();
    assert_eq!(issuer, Some("https://accounts.google.com"));
}

#[tokio::test]
async fn a_client_that_google_cannot_determine_is_the_configuration_s_error() {
    let body = r#"{"error":"invalid_request","error_description":"Could not determine client ID from request."}"#;
    let server = ScriptedServer::json([(400, body)]).await.unwrap();
    let client = OAuthClient::new("my-id", Some("made-up-secret".into()));
    let provider = provider_at(&server, Gemini::with_client(client).builder()).unwrap();
    let mut session = OAuthToken::new("made-up".into(), None);
    session.refresh = Some("made-up-refresh".into());
    let error = provider.refresh(&session).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
}

#[test]
fn a_quota_project_that_is_set_goes_before_those_of_the_session_and_of_the_client_file() {
    let file = br#"{"installed":{"client_id":"my-id","project_id":"project-a"}}"#;
    let client = OAuthClient::from_json(file).unwrap();
    let provider = Gemini::with_client(client).quota_project("project-b");
    let provider = provider.provider();
    let mut session = OAuthToken::new("made-up".into(), None);
    let imported = provider.import_session(session.clone()).unwrap();
    let data = &imported.metadata.provider_data;
    assert_eq!(&data["quota_project"], "project-b");
    let data = &mut session.metadata.provider_data;
    data.insert("quota_project", "project-a");
    let headers = provider.api(&session).unwrap().headers;
    let expected = ("x-goog-user-project".to_owned(), "project-b".to_owned());
    assert_eq!(headers, [expected]);
}

#[test]
fn only_a_session_of_the_client_records_its_quota_project() {
    let client = OAuthClient::new("made-up-b.apps", Some("made-up-secret".into()));
    let provider = Gemini::with_client(client);
    let provider = provider.quota_project("made-up-project").provider();
    for (recorded, project) in [
        (None, Some("made-up-project")),
        (Some("made-up-b.apps"), Some("made-up-project")),
        (Some("made-up-a.apps"), None),
    ] {
        let mut session = OAuthToken::new("made-up".into(), None);
        let data = &mut session.metadata.provider_data;
        data.extend(recorded.map(|id| ("client_id".to_owned(), id.to_owned())));
        let session = provider.import_session(session).unwrap();
        let data = &session.metadata.provider_data;
        assert_eq!(data.get("quota_project"), project);
    }
}

#[tokio::test]
async fn the_quota_project_comes_from_the_client_file_and_stays_with_the_session() {
    let kit = Testkit::builder().approval(Approval::Auto);
    let kit = kit.start().await.unwrap();
    let client = OAuthClient::from_json(kit.client_secret_json().as_bytes()).unwrap();
    let project = client.project_id().unwrap().to_owned();
    let provider = at(kit.base_url(), Gemini::with_client(client));
    let session = provider.authenticate(&Browser).await.unwrap();
    let later = at(kit.base_url(), Gemini::default());
    let headers = later.api(&session).unwrap().headers;
    assert_eq!(headers, [("x-goog-user-project".to_owned(), project)]);
    assert!(later.refresh(&session).await.is_ok());
    // A file may hold anything.
    for odd in [
        "made\r\nX-Up: 1",
        "made\0up",
        "mäde",
        "made-\u{200b}up",
        " made-up",
    ] {
        let mut session = session.clone();
        let data = &mut session.metadata.provider_data;
        data.insert("quota_project", odd);
        let error = later.api(&session).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(
            error.to_string().contains("the stored quota project"),
            "{error}"
        );
        let configured = Gemini::default().quota_project(odd).provider();
        let error = configured.api(&session).unwrap_err();
        assert!(!error.to_string().contains("stored"), "{error}");
    }
}
