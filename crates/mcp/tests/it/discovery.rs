//! From an MCP server to the server that signs its users in.

use llm_auth_mcp::{Error, ErrorKind, HttpClient, McpDiscovery, McpSignIn, SecureUrl};
use llm_auth_testkit::{ScriptedResponse, ScriptedServer};

const RESOURCE: &str = r#"{"resource": "{ORIGIN}/mcp", "authorization_servers": ["{ORIGIN}/as"],
    "scopes_supported": ["mcp:read", "mcp:write"]}"#;
const METADATA: &str = r#"{"issuer": "{ORIGIN}/as", "token_endpoint": "{ORIGIN}/as/token",
    "authorization_endpoint": "{ORIGIN}/as/authorize", "registration_endpoint": "{ORIGIN}/as/register",
    "code_challenge_methods_supported": ["S256"], "scopes_supported": ["mcp:read", "offline_access"]}"#;

fn json(status: u16, body: &str) -> ScriptedResponse {
    ScriptedResponse::json(status, body)
}

fn challenge(header: &str) -> ScriptedResponse {
    json(401, "{}").header("www-authenticate", header)
}

fn page() -> ScriptedResponse {
    json(200, "<html>Sign in</html>").header("content-type", "text/html")
}

/// What is found at `/mcp` of a server with this script, and what was asked.
async fn found_by(
    script: impl IntoIterator<Item = ScriptedResponse>,
    adapt: impl FnOnce(McpDiscovery, &str) -> McpDiscovery,
) -> (Result<McpSignIn, Error>, Vec<String>) {
    let server = ScriptedServer::start(script).await.unwrap();
    let url = SecureUrl::new(&format!("{}/mcp?team=1", server.base_url())).unwrap();
    let discovery = adapt(McpDiscovery::new(url), server.base_url());
    let found = discovery.run(&HttpClient::default()).await;
    let requests = server.requests();
    let asked = requests.iter().map(|request| request.target.clone());
    (found, asked.collect())
}

async fn found(
    script: impl IntoIterator<Item = ScriptedResponse>,
) -> (Result<McpSignIn, Error>, Vec<String>) {
    found_by(script, |discovery, _| discovery).await
}

#[tokio::test]
async fn the_challenge_the_resource_and_its_issuer_lead_to_the_sign_in() {
    let script = [
        challenge(r#"Basic realm="x", Bearer resource_metadata="/relative", scope="mcp:read""#),
        json(200, RESOURCE),
        json(200, METADATA),
    ];
    // A relative URL is none.
    let (relative, _) = found(script).await;
    assert_eq!(relative.unwrap_err().kind(), ErrorKind::Protocol);

    let script = [
        challenge(r#"Bearer realm="mcp", scope="mcp:read""#),
        json(200, RESOURCE),
        json(200, METADATA),
    ];
    let (found, asked) = found(script).await;
    let found = found.unwrap();
    let expected = [
        "/mcp?team=1",
        "/.well-known/oauth-protected-resource/mcp?team=1",
        "/.well-known/oauth-authorization-server/as",
    ];
    assert_eq!(asked, expected);
    // The challenge knows better than the list.
    assert_eq!(found.scope.as_deref(), Some("mcp:read"));
    let server = found.server("work");
    assert_eq!(server.scope, "mcp:read offline_access");
    assert!(server.resource.unwrap().ends_with("/mcp"));
    assert!(server.registration.is_some());
    let api_base = server.endpoints.api_base.unwrap();
    assert!(api_base.as_str().ends_with("/mcp?team=1"));
}

#[tokio::test]
async fn what_is_no_metadata_counts_as_none_and_the_next_place_is_tried() {
    let script = [
        challenge("Bearer"),
        page(),
        json(200, RESOURCE),
        page(),
        json(200, r#"{"error": "not found"}"#),
        json(200, METADATA),
    ];
    let (found, asked) = found(script).await;
    assert_eq!(found.unwrap().scope.as_deref(), Some("mcp:read mcp:write"));
    assert_eq!(asked.len(), 6);
    assert_eq!(asked[2], "/.well-known/oauth-protected-resource");
}

#[tokio::test]
async fn the_resource_of_another_server_ends_it_before_anything_is_asked_of_its_issuer() {
    let other = RESOURCE.replace("{ORIGIN}/mcp", "https://mcp.example/mcp");
    let (found, asked) = found([challenge("Bearer"), json(200, &other)]).await;
    let error = found.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(
        error.to_string().contains("https://mcp.example/mcp"),
        "{error}"
    );
    assert_eq!(asked.len(), 2);
}

#[tokio::test]
async fn an_issuer_that_names_itself_otherwise_is_used_only_if_the_user_accepts_that_name() {
    let other = METADATA.replace(
        r#""issuer": "{ORIGIN}/as""#,
        r#""issuer": "https://as.example""#,
    );
    let script = || {
        [
            challenge("Bearer"),
            json(200, RESOURCE),
            json(200, &other),
            json(404, ""),
            json(404, ""),
        ]
    };
    let (refused, _) = found(script()).await;
    let error = refused.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.to_string().contains("https://as.example"), "{error}");
    let (accepted, _) = found_by(script(), |discovery, _| {
        discovery.accept_issuer("https://as.example")
    })
    .await;
    let server = accepted.unwrap().server("work");
    assert_eq!(server.issuer.as_deref(), Some("https://as.example"));
}

#[tokio::test]
async fn a_server_that_does_not_declare_pkce_is_refused() {
    let without = METADATA.replace(r#""code_challenge_methods_supported": ["S256"],"#, "");
    let (found, _) = found([
        challenge("Bearer"),
        json(200, RESOURCE),
        json(200, &without),
    ])
    .await;
    let error = found.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.to_string().contains("PKCE"), "{error}");
}

#[tokio::test]
async fn one_of_several_issuers_is_chosen_by_name_and_no_other_is_accepted() {
    let several = RESOURCE.replace(
        r#"["{ORIGIN}/as"]"#,
        r#"["https://first.example", "{ORIGIN}/as"]"#,
    );
    let script = || {
        [
            challenge("Bearer"),
            json(200, &several),
            json(200, METADATA),
        ]
    };
    let (chosen, _) = found_by(script(), |discovery, base| {
        discovery.issuer(format!("{base}/as"))
    })
    .await;
    assert!(chosen.is_ok());
    let (unknown, asked) = found_by(script(), |discovery, _| {
        discovery.issuer("https://other.example")
    })
    .await;
    let error = unknown.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(
        error.to_string().contains("https://first.example"),
        "{error}"
    );
    assert_eq!(asked.len(), 2);
}

#[tokio::test]
async fn a_server_of_the_first_revision_signs_in_at_its_own_origin() {
    let nowhere = || [challenge("Bearer"), json(404, ""), json(404, "")];
    let described = METADATA.replace("{ORIGIN}/as", "{ORIGIN}");
    let (found_there, _) = found(nowhere().into_iter().chain([json(200, &described)])).await;
    assert!(found_there.unwrap().metadata.is_some());
    // Without metadata, the defaults of that revision.
    let (bare, _) = found(nowhere()).await;
    let bare = bare.unwrap();
    assert_eq!(bare.metadata, None);
    assert!(bare.resource.ends_with("/mcp"));
    let server = bare.server("work");
    assert!(server.endpoints.token.as_str().ends_with("/token"));
    assert!(server.registration.unwrap().as_str().ends_with("/register"));
    // Metadata of another server are no reason to do without.
    let other = METADATA.replace("{ORIGIN}/as", "https://other.example");
    let (mismatch, _) = found(
        nowhere()
            .into_iter()
            .chain([json(200, &other), json(404, "")]),
    )
    .await;
    assert_eq!(mismatch.unwrap_err().kind(), ErrorKind::Protocol);
}

#[tokio::test]
async fn a_server_that_wants_no_sign_in_or_fails_is_told_apart() {
    let (open, _) = found([json(200, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#)]).await;
    let error = open.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("wants no sign-in"), "{error}");
    let (failed, _) = found([json(503, "")]).await;
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::Transient);
}

#[tokio::test]
async fn a_url_without_an_mcp_server_is_named_as_one() {
    let described = METADATA.replace("{ORIGIN}/as", "https://other.example");
    let missing = [
        json(404, ""),
        json(404, ""),
        json(404, ""),
        json(200, &described),
    ];
    for script in [missing.to_vec(), vec![page()]] {
        let (missing, _) = found(script).await;
        let error = missing.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("check the path"), "{error}");
    }
    // A server may hide what is there.
    let hidden = [json(404, ""), json(200, RESOURCE), json(200, METADATA)];
    let (hidden, _) = found(hidden).await;
    assert!(hidden.unwrap().metadata.is_some());
}

#[tokio::test]
async fn metadata_that_the_challenge_names_and_are_none_are_an_error() {
    let server = ScriptedServer::start([page()]).await.unwrap();
    let header = format!(r#"Bearer resource_metadata="{}/m""#, server.base_url());
    let (found, _) = found([challenge(&header), json(200, METADATA)]).await;
    let error = found.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(
        error.to_string().contains("metadata that is none"),
        "{error}"
    );
}
