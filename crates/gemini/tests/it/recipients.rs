//! The credentials that each of Google's hosts receives, and what a response may repeat of them.

use llm_auth_gemini::{
    AuthProvider as _, EndpointRole, Gemini, GeminiProvider, OAuthClient, OAuthToken,
    ProviderSpec as _, SCOPE_EMAIL, SecureUrl, Timestamp,
};
use llm_auth_testkit::{PendingSignIn, ScriptedServer, provider_at};

const APIS: [&str; 3] = [
    "https://www.googleapis.com/upload/x",
    "https://generativelanguage.googleapis.com/x",
    "https://accounts.google.com/x",
];

fn client() -> Gemini {
    Gemini::with_client(OAuthClient::new("id", Some("GOCSPX-made-up-secret".into())))
}

fn session() -> OAuthToken {
    let mut session = OAuthToken::new("made-up-access".into(), Timestamp::default());
    session.refresh = Some("1//made-up-refresh-token".into());
    session.metadata.client_secret = Some("GOCSPX-made-up-secret".into());
    session
}

#[tokio::test]
async fn a_refresh_token_goes_to_no_host_of_google_s_other_apis() {
    for elsewhere in APIS {
        for server in [None, Some("https://oauth2.googleapis.com")] {
            let mut session = session();
            session.metadata.server = server.map(Into::into);
            let elsewhere = SecureUrl::new(elsewhere).unwrap();
            let provider = client()
                .builder()
                .endpoint(EndpointRole::Token, elsewhere.clone())
                .endpoint(EndpointRole::Revocation, elsewhere)
                .build();
            for error in [
                provider.refresh(&session).await.unwrap_err(),
                provider.revoke(&session).await.unwrap_err(),
                provider.check_session(&session).unwrap_err(),
            ] {
                assert!(error.to_string().contains("it was not sent"), "{error}");
            }
        }
    }
    let google = GeminiProvider::new();
    google.check_session(&session()).unwrap();
}

#[tokio::test]
async fn no_secret_of_the_session_comes_back_as_its_owner_s_name() {
    let token = r#"{"access_token":"made-up-access","refresh_token":"1//made-up-refresh-token"}"#;
    for (repeated, identity) in [
        ("1//made-up-refresh-token", None),
        ("GOCSPX-made-up-secret", None),
        ("made-up-access", None),
        ("user@example.com", Some("user@example.com")),
    ] {
        let user = format!(r#"{{"email":"{repeated}","id":"1","verified_email":true}}"#);
        let server = ScriptedServer::json([(200, token), (200, &user)]);
        let server = server.await.unwrap();
        let provider = provider_at(&server, client().builder().scope(SCOPE_EMAIL)).unwrap();
        let sign_in = PendingSignIn::begin(provider).await.unwrap();
        let page = sign_in.callback("/oauth2callback?code=made-up&state={STATE}");
        let session = sign_in.session().await.unwrap();
        assert_eq!(page.await.unwrap().unwrap(), 200);
        assert_eq!(server.requests().len(), 2);
        assert_eq!(session.metadata.identity.as_deref(), identity);
    }
}
