//! What a server says of itself, over the wire.

use llm_auth_oidc::provider::ClientAuth;
use llm_auth_oidc::{
    ErrorKind, HttpClient, Preset, Registration, SecureUrl, Server, discover, register,
};
use llm_auth_testkit::{ScriptedResponse, ScriptedServer};

const METADATA: &str = r#"{"issuer": "{ORIGIN}/tenant", "token_endpoint": "{ORIGIN}/token",
    "authorization_endpoint": "{ORIGIN}/authorize", "registration_endpoint": "{ORIGIN}/register",
    "authorization_response_iss_parameter_supported": true,
    "scopes_supported": ["openid", "models"]}"#;

fn not_found() -> ScriptedResponse {
    ScriptedResponse::json(404, "{}")
}

#[tokio::test]
async fn the_places_of_the_metadata_are_tried_in_order_until_one_has_them() {
    let script = [
        not_found(),
        not_found(),
        ScriptedResponse::json(200, METADATA),
    ];
    let server = ScriptedServer::start(script).await.unwrap();
    let issuer = format!("{}/tenant", server.base_url());
    let metadata = discover(&HttpClient::default(), &issuer).await.unwrap();
    let requests = server.requests();
    let asked: Vec<_> = requests
        .iter()
        .map(|request| request.target.as_str())
        .collect();
    let expected = [
        "/.well-known/oauth-authorization-server/tenant",
        "/.well-known/openid-configuration/tenant",
        "/tenant/.well-known/openid-configuration",
    ];
    assert_eq!(asked, expected);
    assert!(metadata.returns_issuer);
    assert_eq!(metadata.scopes, ["openid", "models"]);
    let server = Server::discovered("company", &metadata);
    assert_eq!(server.issuer.as_deref(), Some(issuer.as_str()));
    assert!(server.registration.is_some() && server.requires_issuer);
}

#[tokio::test]
async fn an_issuer_that_differs_from_its_document_is_an_error_that_names_both() {
    let script = [
        ScriptedResponse::json(200, METADATA),
        not_found(),
        not_found(),
    ];
    let server = ScriptedServer::start(script).await.unwrap();
    let issuer = format!("{}/tenant/", server.base_url());
    let error = discover(&HttpClient::default(), &issuer).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    let text = error.to_string();
    assert!(text.contains(&issuer), "{text}");
    assert!(text.contains("exactly"), "{text}");
}

#[tokio::test]
async fn a_page_a_failure_and_a_redirect_are_no_metadata() {
    let page =
        || ScriptedResponse::json(200, "<html>Sign in</html>").header("content-type", "text/html");
    let elsewhere =
        || ScriptedResponse::json(302, "").header("location", "https://other.example/metadata");
    let moved =
        || ScriptedResponse::json(308, "").header("location", "https://other.example/metadata");
    for (script, kind) in [
        ([page(), not_found()], ErrorKind::Transient),
        ([not_found(), not_found()], ErrorKind::Protocol),
        (
            [ScriptedResponse::json(503, "{}"), not_found()],
            ErrorKind::Transient,
        ),
        ([elsewhere(), not_found()], ErrorKind::Transient),
        ([moved(), not_found()], ErrorKind::Redirected),
    ] {
        let server = ScriptedServer::start(script).await.unwrap();
        let error = discover(&HttpClient::default(), server.base_url())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(server.requests().len(), 2);
    }
}

#[tokio::test]
async fn an_issuer_on_plain_http_or_with_a_query_is_asked_nothing() {
    let server = ScriptedServer::start([]).await.unwrap();
    for issuer in [
        "http://auth.example".to_owned(),
        "auth.example".to_owned(),
        format!("{}/?tenant=1", server.base_url()),
        format!("{}/#top", server.base_url()),
    ] {
        let error = discover(&HttpClient::default(), &issuer).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{issuer}");
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_client_registers_itself_as_native_and_takes_the_response_as_it_is() {
    let script = [
        ScriptedResponse::json(
            201,
            r#"{"client_id": "made-up-id", "client_secret": "made-up-secret", "client_secret_expires_at": 0}"#,
        ),
        ScriptedResponse::json(
            403,
            r#"{"error": "access_denied", "error_description": "not listed"}"#,
        ),
        ScriptedResponse::json(200, "<html>Sign in</html>").header("content-type", "text/html"),
    ];
    let server = ScriptedServer::start(script).await.unwrap();
    let endpoint = SecureUrl::new(&format!("{}/register", server.base_url())).unwrap();
    let mut registration = Registration::new("made-up-app", "http://127.0.0.1:7777/callback");
    registration.scope = Some("openid".into());
    let http = HttpClient::default();
    let token = "made-up-initial-token".into();
    let registered = register(&http, &endpoint, &registration, Some(&token))
        .await
        .unwrap();
    assert_eq!(registered.id, "made-up-id");
    assert_eq!(registered.auth, ClientAuth::Basic);
    assert!(registered.is_registered);
    let rejected = register(&http, &endpoint, &registration, None)
        .await
        .unwrap_err();
    assert_eq!(rejected.kind(), ErrorKind::Config);
    assert!(
        rejected.to_string().contains("access_denied (not listed)"),
        "{rejected}"
    );
    let page = register(&http, &endpoint, &registration, None)
        .await
        .unwrap_err();
    assert_eq!(page.kind(), ErrorKind::Protocol);
    let requests = server.requests();
    let sent: serde_json::Value = serde_json::from_str(&requests[0].body).unwrap();
    let expected = serde_json::json!({
        "client_name": "made-up-app",
        "redirect_uris": ["http://127.0.0.1:7777/callback"],
        "application_type": "native",
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "scope": "openid",
    });
    assert_eq!(sent, expected);
    let authorization = |at: usize| requests[at].headers.get("authorization");
    assert_eq!(authorization(0).unwrap(), "Bearer made-up-initial-token");
    assert_eq!(authorization(1), None);
}

#[tokio::test]
async fn a_preset_with_an_issuer_becomes_a_server_that_is_written_and_read_back() {
    let server = ScriptedServer::start([ScriptedResponse::json(
        200,
        r#"{"issuer": "{ORIGIN}", "token_endpoint": "{ORIGIN}/token", "authorization_endpoint": "{ORIGIN}/a"}"#,
    )])
    .await
    .unwrap();
    let file = format!(
        r#"{{"name": "acme", "title": "Acme", "issuer": "{}", "client": {{"id": "made-up-id"}},
            "scope": "models", "api_base": "https://api.acme.example/v1",
            "redirect": {{"path": "/cb", "host": "localhost", "ports": [8020]}}}}"#,
        server.base_url()
    );
    let preset = Preset::from_json(file.as_bytes()).unwrap();
    let server = preset.server(&HttpClient::default(), "work").await.unwrap();
    assert_eq!(
        (server.name.as_str(), server.title.as_str()),
        ("work", "Acme")
    );
    let api_base = server.endpoints.api_base.as_ref().unwrap();
    assert_eq!(api_base.host(), "api.acme.example");
    let written = serde_json::to_string(&server).unwrap();
    assert_eq!(serde_json::from_str::<Server>(&written).unwrap(), server);
}
