//! Where a token goes, and where it does not.

use llm_auth_rmcp::{AuthManager, FileTokenStore, ProviderSpec as _, SessionClient};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;

use super::world::{World, connect, texts};

#[tokio::test]
async fn a_token_goes_to_no_other_origin() {
    let (world, other) = (World::start().await, World::start().await);
    let client = SessionClient::new(world.signed_in().await);
    let error = connect(client, &other.url).await.unwrap_err();
    let texts = texts(&error);
    let origin = |url: &str| url.strip_suffix("/mcp").unwrap().to_owned();
    assert!(texts.contains(&origin(&world.url)), "{texts}");
    assert!(texts.contains(&origin(&other.url)), "{texts}");
    assert_eq!(other.seen(), []);
    assert_eq!(world.vendor.refreshes(), 0);
}

#[tokio::test]
async fn a_session_without_an_api_goes_nowhere() {
    let world = World::start().await;
    world.signed_in().await;
    let mut server = world.server();
    server.endpoints.api_base = None;
    let store = FileTokenStore::file(world.file());
    let manager = AuthManager::builder(server.provider()).store(store).build();
    let error = world
        .connect(SessionClient::new(manager))
        .await
        .unwrap_err();
    assert!(texts(&error).contains("set its API base"), "{error}");
    assert_eq!(world.seen(), []);
}

#[tokio::test]
async fn no_redirect_is_followed_not_even_to_the_same_server() {
    let elsewhere = World::start().await;
    for status in [301, 302, 303, 307, 308] {
        for same in [true, false] {
            let world = World::start().await;
            let client = SessionClient::new(world.signed_in().await);
            let target = match same {
                true => format!("{}?again", world.url),
                false => elsewhere.url.clone(),
            };
            let headers = vec![("location", target)];
            world.reply(move |_, _| Some((status, headers.clone(), String::new())));
            world.connect(client).await.unwrap_err();
            assert_eq!(world.seen().len(), 1, "{status}");
        }
    }
    assert_eq!(elsewhere.seen(), []);
}

#[tokio::test]
async fn a_transport_with_a_token_or_such_a_header_of_its_own_is_refused() {
    let world = World::start().await;
    let client = SessionClient::new(world.signed_in().await);
    let config = StreamableHttpClientTransportConfig::with_uri(&*world.url);
    let header = (
        http::header::AUTHORIZATION,
        "Basic made-up".parse().unwrap(),
    );
    let with_header = config.clone().custom_headers([header].into());
    for config in [config.auth_header("made-up-other"), with_header] {
        let transport = StreamableHttpClientTransport::with_client(client.clone(), config);
        let error = rmcp::serve_client((), transport).await.unwrap_err();
        let texts = texts(&error);
        assert!(texts.contains("'authorization' is reserved"), "{texts}");
        assert!(!texts.contains("made-up"), "{texts}");
    }
    assert_eq!(world.seen(), []);
}
