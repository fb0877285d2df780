//! What is no error of the session reaches the program as rmcp's own clients report it.

use std::error::Error;

use llm_auth_rmcp::SessionClient;
use rmcp::service::ServiceError;
use rmcp::transport::streamable_http_client::{InsufficientScopeError, StreamableHttpError};

use super::world::{World, texts};

/// The error of this type in a chain.
fn find<'a, E: Error + 'static>(error: &'a ServiceError) -> Option<&'a E> {
    let mut next: Option<&'a (dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

async fn refused(
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: &'static str,
) -> (World, ServiceError) {
    let world = World::start().await;
    let client = SessionClient::new(world.signed_in().await);
    let client = world.connect(client).await.unwrap();
    world.reply(move |_, message| {
        let reply = || (status, headers.clone(), body.to_owned());
        message.contains("tools/list").then(reply)
    });
    let error = client.list_all_tools().await.unwrap_err();
    (world, error)
}

#[tokio::test]
async fn missing_scopes_are_passed_on_and_nothing_is_refreshed() {
    let challenge = r#"Bearer error="insufficient_scope", scope="files:write mail""#;
    let headers = vec![("www-authenticate", challenge.to_owned())];
    let (world, error) = refused(403, headers, "").await;
    assert_eq!(error.auth_challenge(), Some(challenge));
    let error: &InsufficientScopeError = find(&error).unwrap();
    assert_eq!(error.get_required_scope(), Some("files:write mail"));
    assert_eq!(world.count("POST", 403), 1);
    assert_eq!(world.vendor.refreshes(), 0);
}

#[tokio::test]
async fn a_denial_without_a_challenge_names_the_server() {
    let (world, error) = refused(403, Vec::new(), "no").await;
    assert!(texts(&error).contains("denies access"), "{error}");
    assert_eq!(world.vendor.refreshes(), 0);
}

#[tokio::test]
async fn a_server_that_is_busy_says_how_long() {
    for status in [429, 503] {
        let headers = vec![("retry-after", "7".to_owned())];
        let (_world, error) = refused(status, headers, "").await;
        let Some(StreamableHttpError::<llm_auth_rmcp::Error>::HttpStatus(error)) = find(&error)
        else {
            panic!("{error}");
        };
        assert_eq!(error.status, status);
        assert_eq!(error.retry_after.as_deref(), Some("7"));
    }
}

#[tokio::test]
async fn an_error_of_the_server_passes_without_its_id_too() {
    let headers = vec![("content-type", "Application/JSON; charset=utf-8".to_owned())];
    let body = r#"{"jsonrpc": "2.0", "id": null, "error": {"code": -32020, "message": "made up"}}"#;
    for status in [400, 500] {
        let (_world, error) = refused(status, headers.clone(), body).await;
        let ServiceError::McpError(error) = error else {
            panic!("{error}");
        };
        assert_eq!((error.code.0, &*error.message), (-32020, "made up"));
    }
}

#[tokio::test]
async fn a_response_that_is_too_long_or_no_message_is_an_error() {
    let json = vec![("content-type", "application/json".to_owned())];
    let (_world, error) = refused(200, json.clone(), r#"{"made": "up"}"#).await;
    assert!(texts(&error).contains("no JSON-RPC message"), "{error}");
    let (_world, error) = refused(200, Vec::new(), "").await;
    assert!(texts(&error).contains("content type"), "{error}");
    let long: &str = Box::leak(" ".repeat(17 * 1024 * 1024).into());
    let (_world, error) = refused(200, json, long).await;
    assert!(texts(&error).contains("16777216"), "{error}");
    let events = vec![("content-type", "text/event-stream".to_owned())];
    let (_world, error) = refused(200, events, long).await;
    assert!(!texts(&error).is_empty());
}
