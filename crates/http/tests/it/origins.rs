//! The credential goes to the API of the session, and to no other server.

use llm_auth_core::{
    AuthManager, AuthProvider, ErrorKind, OAuthToken, Result, UserPrompt, async_trait,
};
use llm_auth_http::{SessionClient, SessionLayer};
use llm_auth_testkit::ScriptedServer;

use crate::support::{PATH, VENDOR, Vendor, bearer, client, credentials, http, of_session};

async fn ok() -> ScriptedServer {
    ScriptedServer::json([(200, "{}")]).await.unwrap()
}

#[tokio::test]
async fn a_request_to_the_api_has_the_credential_and_the_headers_of_the_vendor() {
    let server = ok().await;
    let client = client(&Vendor::at(&server).manager().await);
    let url = format!("{}{PATH}?made=up", server.base_url());
    let request = client.get(&url).bearer_auth("placeholder");
    request.send().await.unwrap();
    let request = client.get(&url).header(VENDOR, "of the caller");
    request.send().await.unwrap();
    assert_eq!(credentials(&server), [bearer(1), bearer(1)]);
    let vendor = server.requests().into_iter();
    let vendor: Vec<_> = vendor.map(|mut seen| seen.headers.remove(VENDOR)).collect();
    assert_eq!(
        vendor,
        [Some("made-up".into()), Some("of the caller".into())]
    );
}

#[tokio::test]
async fn a_request_to_another_origin_is_an_error_and_is_not_sent() {
    let (server, other) = (ok().await, ok().await);
    let client = client(&Vendor::at(&server).manager().await);
    let port = server.base_url().rsplit(':').next().unwrap();
    for url in [
        format!("{}{PATH}", other.base_url()),
        format!("http://localhost:{port}{PATH}"),
        format!("https://127.0.0.1:{port}{PATH}"),
        "https://made-up.example/made-up-path".to_owned(),
    ] {
        let error = client.get(&url).send().await.unwrap_err();
        assert_eq!(of_session(&error).kind(), ErrorKind::Config);
        let text = format!("{error:?}");
        assert!(text.contains(server.base_url()), "{text}");
        assert!(text.contains("was not sent"), "{text}");
        assert!(!text.contains("made-up-"), "{text}");
    }
    assert_eq!((server.requests().len(), other.requests().len()), (0, 0));
}

#[tokio::test]
async fn other_origins_may_be_allowed_and_receive_nothing_of_the_session() {
    let (server, other) = (ok().await, ok().await);
    let refusing = ScriptedServer::json([(401, "{}")]).await.unwrap();
    let vendor = Vendor::at(&server);
    let client = SessionClient::new(vendor.manager().await).pass_other_origins();
    let client = client.build(http()).unwrap();
    for (server, status) in [(&server, 200), (&other, 200), (&refusing, 401)] {
        let url = format!("{}{PATH}", server.base_url());
        let response = client.get(url).bearer_auth("made-up-own").send().await;
        assert_eq!(response.unwrap().status(), status);
    }
    let own = Some("Bearer made-up-own".to_owned());
    assert_eq!(credentials(&server), [bearer(1)]);
    assert_eq!(credentials(&other)[0], own);
    // Its refusal is not about the session.
    assert_eq!(credentials(&refusing), [own]);
    assert_eq!(vendor.refreshes(), 0);
    assert!(!other.requests()[0].headers.contains_key(VENDOR));
}

/// Names no API.
#[derive(Debug)]
struct Nowhere;

#[async_trait]
impl AuthProvider for Nowhere {
    fn name(&self) -> &str {
        "nowhere"
    }

    async fn authenticate(&self, _prompt: &dyn UserPrompt) -> Result<OAuthToken> {
        Ok(OAuthToken::new("made-up-access".into(), None))
    }

    async fn refresh(&self, current: &OAuthToken) -> Result<OAuthToken> {
        Ok(current.clone())
    }
}

#[tokio::test]
async fn a_session_without_an_api_goes_nowhere() {
    let server = ok().await;
    let manager = AuthManager::builder(Nowhere).build();
    let token = OAuthToken::new("made-up-access".into(), None);
    manager.insert_session(token).await.unwrap();
    let client = client(&manager);
    let error = client.get(server.base_url()).send().await.unwrap_err();
    assert_eq!(of_session(&error).kind(), ErrorKind::Config);
    assert!(
        error
            .to_string()
            .starts_with("nowhere: the API of the session")
    );
    assert_eq!(server.requests().len(), 0);
}

#[tokio::test]
async fn debug_shows_no_token() {
    let server = ok().await;
    let manager = Vendor::at(&server).manager().await;
    let session = SessionClient::new(manager.clone());
    let client = session.clone().build(http()).unwrap();
    client
        .get(format!("{}{PATH}", server.base_url()))
        .send()
        .await
        .unwrap();
    let layer = SessionLayer::<reqwest::Request>::new(manager);
    let service = tower_layer::Layer::layer(&layer, ());
    let shown = format!("{session:?} {client:?} {layer:?} {service:?}");
    assert!(shown.contains("AuthManager"), "{shown}");
    assert!(!shown.contains("made-up-access"), "{shown}");
    assert!(!shown.contains("made-up-refresh"), "{shown}");
}
