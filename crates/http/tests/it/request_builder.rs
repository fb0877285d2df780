//! The session on a request that is built by hand.

use llm_auth_core::ErrorKind;
use llm_auth_http::RequestBuilderExt as _;
use llm_auth_testkit::ScriptedServer;

use crate::support::{PATH, VENDOR, Vendor, bearer, credentials, http};

#[tokio::test]
async fn a_request_to_the_api_gets_the_session_and_its_debug_shows_no_token() {
    let server = ScriptedServer::json([(200, "{}")]).await.unwrap();
    let manager = Vendor::at(&server).manager().await;
    let token = manager.token().await.unwrap();
    let request = http()
        .build()
        .unwrap()
        .get(format!("{}{PATH}", server.base_url()));
    let request = request
        .bearer_auth("placeholder")
        .session(&manager, &token)
        .unwrap();
    assert!(!format!("{request:?}").contains("access-1"));
    assert_eq!(request.send().await.unwrap().status(), 200);
    assert_eq!(credentials(&server), [bearer(1)]);
    assert_eq!(server.requests()[0].headers[VENDOR], "made-up");
}

#[tokio::test]
async fn a_request_elsewhere_is_refused() {
    let server = ScriptedServer::json([(200, "{}")]).await.unwrap();
    let manager = Vendor::at(&server).manager().await;
    let token = manager.token().await.unwrap();
    let client = http().build().unwrap();
    for url in ["https://other.example/", "not a URL"] {
        let error = client.get(url).session(&manager, &token).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
    }
}
