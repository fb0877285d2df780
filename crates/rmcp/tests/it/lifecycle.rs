//! The revisions of MCP, and the server's own stream.

use llm_auth_rmcp::SessionClient;
use rmcp::model::ProtocolVersion;
use rmcp::service::{ClientLifecycleMode, ClientServiceExt as _};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::{
    StreamableHttpClient as _, StreamableHttpClientTransportConfig, StreamableHttpError,
};

use super::world::World;

/// Lists the tools with the revision that both sides know, and returns the methods of HTTP.
async fn methods_of_automatic(world: &World) -> Vec<String> {
    let client = SessionClient::new(world.signed_in().await);
    let config = StreamableHttpClientTransportConfig::with_uri(&*world.url);
    let transport = StreamableHttpClientTransport::with_client(client, config);
    let mode = ClientLifecycleMode::Auto {
        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
        legacy_version: None,
    };
    let client = ().serve_with_lifecycle(transport, mode).await.unwrap();
    world.vendor.revoke_access();
    assert_eq!(client.list_all_tools().await.unwrap().len(), 1);
    assert_eq!(world.vendor.refreshes(), 1);
    client.cancel().await.unwrap();
    world
        .seen()
        .into_iter()
        .map(|(method, ..)| method)
        .collect()
}

#[tokio::test]
async fn a_server_of_the_newest_revision_needs_no_session() {
    let world = World::start().await;
    let methods = methods_of_automatic(&world).await;
    assert!(!methods.contains(&"DELETE".to_owned()), "{methods:?}");
}

#[tokio::test]
async fn a_server_that_knows_no_discovery_gets_a_session() {
    for (status, kind, body) in [
        (404, "text/plain", "not found"),
        (400, "text/html", "<html>"),
        (
            400,
            "application/json",
            r#"{"jsonrpc": "2.0", "id": "server-error", "error": {"code": -32600, "message": "no"}}"#,
        ),
    ] {
        let world = World::start().await;
        world.reply(move |_, message| {
            let headers = || vec![("content-type", kind.to_owned())];
            let reply = || (status, headers(), body.to_owned());
            message.contains("server/discover").then(reply)
        });
        let methods = methods_of_automatic(&world).await;
        assert!(methods.contains(&"DELETE".to_owned()), "{methods:?}");
    }
}

#[tokio::test]
async fn a_stream_that_is_refused_is_not_opened_again() {
    let world = World::start().await;
    let client = SessionClient::new(world.signed_in().await);
    world.vendor.refuse_for_ever();
    let url = world.url.as_str().into();
    let opened = client.get_stream(url, None, None, None, [].into());
    // rmcp repeats every other error.
    let Err(StreamableHttpError::AuthRequired(_)) = opened.await else {
        panic!("rmcp would open the stream again");
    };
    assert_eq!(world.count("GET", 401), 2);
    assert_eq!(world.vendor.refreshes(), 1);
}
