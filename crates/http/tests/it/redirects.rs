//! No redirect takes the credential to another server.

use llm_auth_http::{RequestBuilderExt as _, same_origin_redirects};
use llm_auth_testkit::{ScriptedResponse, ScriptedServer};
use reqwest::redirect::Policy;

use crate::support::{PATH, VENDOR, Vendor, bearer, client, credentials, http};

const STATUSES: [u16; 5] = [301, 302, 303, 307, 308];

fn moved(status: u16, to: &str) -> ScriptedResponse {
    ScriptedResponse::json(status, "{}").header("location", to)
}

/// A server that redirects the first request.
async fn redirecting(status: u16, to: &str) -> ScriptedServer {
    let script = [moved(status, to), ScriptedResponse::json(200, "{}")];
    ScriptedServer::start(script).await.unwrap()
}

async fn post(server: &ScriptedServer) -> u16 {
    let client = client(&Vendor::at(server).manager().await);
    let request = client.post(format!("{}{PATH}", server.base_url()));
    let response = request.body("made-up body").send().await.unwrap();
    response.status().as_u16()
}

#[tokio::test]
async fn a_redirect_to_another_port_or_name_of_the_host_is_returned() {
    for status in STATUSES {
        let other = ScriptedServer::json([(200, "{}")]).await.unwrap();
        let port = other.base_url().rsplit(':').next().unwrap();
        for to in [other.base_url(), &format!("http://localhost:{port}/")] {
            let server = redirecting(status, to).await;
            assert_eq!(post(&server).await, status);
            assert_eq!(credentials(&server), [bearer(1)]);
        }
        assert_eq!(other.requests().len(), 0, "{status}");
    }
}

#[tokio::test]
async fn the_settings_cannot_change_that() {
    let other = ScriptedServer::json([(200, "{}")]).await.unwrap();
    let server = redirecting(307, other.base_url()).await;
    let manager = Vendor::at(&server).manager().await;
    let settings = http().redirect(Policy::limited(5));
    let client = llm_auth_http::SessionClient::new(manager)
        .build(settings)
        .unwrap();
    let url = format!("{}{PATH}", server.base_url());
    assert_eq!(client.get(url).send().await.unwrap().status(), 307);
    assert_eq!(other.requests().len(), 0);
}

#[tokio::test]
async fn a_redirect_within_the_api_keeps_the_credential_and_a_loop_ends() {
    for status in STATUSES {
        let server = redirecting(status, "/v2/models").await;
        assert_eq!(post(&server).await, 200);
        assert_eq!(credentials(&server), [bearer(1), bearer(1)]);
    }
    let server = ScriptedServer::start([moved(307, "/again")]).await.unwrap();
    let client = client(&Vendor::at(&server).manager().await);
    let url = format!("{}{PATH}", server.base_url());
    assert!(client.get(url).send().await.unwrap_err().is_redirect());
    assert_eq!(server.requests().len(), 11);
}

/// Why a client with reqwest's own policy must not have the session. If this fails, reqwest has
/// changed.
#[tokio::test]
async fn the_default_policy_of_reqwest_gives_the_credential_away_at_the_second_redirect() {
    for (policy, leaks) in [(Policy::default(), true), (same_origin_redirects(), false)] {
        let other = redirecting(307, "/here").await;
        let server = redirecting(307, other.base_url()).await;
        let manager = Vendor::at(&server).manager().await;
        let token = manager.token().await.unwrap();
        let client = http().redirect(policy).build().unwrap();
        let request = client.get(format!("{}{PATH}", server.base_url()));
        let request = request.session(&manager, &token).unwrap();
        request.send().await.unwrap();
        match leaks {
            true => assert_eq!(credentials(&other), [None, bearer(1)]),
            false => assert_eq!(other.requests().len(), 0),
        }
        for request in other.requests() {
            assert!(request.headers.contains_key(VENDOR));
        }
    }
}
