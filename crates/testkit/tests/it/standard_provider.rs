//! The standard provider, as clients of the RFCs use it.

use std::time::Duration;

use llm_auth_testkit::{Approval, StandardProvider, Testkit};
use reqwest::{Method, Response, Url};
use serde_json::{Value, json};

use crate::client::{
    CHALLENGE, VERIFIER, ask, automatic, header, hidden, post, request, send, text,
};

const CLIENT: &str = "testkit-client";
const DEVICE: &str = "/standard/device/code";
const TOKEN: &str = "/standard/token";
const REDIRECT: &str = "http://127.0.0.1:4321/callback";
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

pub(crate) async fn standard(provider: StandardProvider) -> Testkit {
    let builder = Testkit::builder().approval(Approval::Auto);
    let builder = builder.interval(Duration::ZERO).standard(provider);
    builder.start().await.unwrap()
}

async fn device_login(kit: &Testkit) -> Value {
    let (status, device) = ask(kit, DEVICE, &[("client_id", CLIENT), ("scope", "a b")]).await;
    assert_eq!(status, 200, "{device}");
    let poll = [
        ("client_id", CLIENT),
        ("grant_type", DEVICE_CODE),
        ("device_code", device["device_code"].as_str().unwrap()),
    ];
    let (status, tokens) = ask(kit, TOKEN, &poll).await;
    assert_eq!(status, 200, "{tokens}");
    tokens
}

/// A live access token.
pub(crate) async fn access_token(kit: &Testkit) -> String {
    text(&device_login(kit).await, "access_token")
}

async fn refresh(kit: &Testkit, token: &str) -> (u16, Value) {
    let form = [
        ("client_id", CLIENT),
        ("grant_type", "refresh_token"),
        ("refresh_token", token),
    ];
    ask(kit, TOKEN, &form).await
}

async fn user_info(kit: &Testkit, token: &str) -> (u16, Value) {
    send(request(kit, Method::GET, "/standard/userinfo").bearer_auth(token)).await
}

async fn get(kit: &Testkit, path: &str, parameters: &[(&str, &str)]) -> Response {
    let url = Url::parse_with_params("http://any.example", parameters).unwrap();
    let path = format!("{path}?{}", url.query().unwrap());
    request(kit, Method::GET, &path).send().await.unwrap()
}

/// The `Location` of an authorization request.
async fn authorize(kit: &Testkit, path: &str, parameters: &[(&str, &str)]) -> Url {
    let response = get(kit, path, parameters).await;
    assert_eq!(response.status(), 302);
    header(&response, "location").parse().unwrap()
}

fn parameter(url: &Url, name: &str) -> String {
    let mut pairs = url.query_pairs();
    let found = pairs.find(|(seen, _)| seen == name);
    found.map_or_else(String::new, |(_, value)| value.into_owned())
}

#[tokio::test]
async fn a_device_login_a_refresh_and_a_revocation_leave_no_violation() {
    let kit = automatic().await;
    let tokens = device_login(&kit).await;
    assert_eq!(tokens["scope"], "a b");
    let (status, user) = user_info(&kit, &text(&tokens, "access_token")).await;
    assert_eq!((status, &user["sub"]), (200, &json!("testkit-user")));

    let (status, fresh) = refresh(&kit, &text(&tokens, "refresh_token")).await;
    assert_eq!(status, 200, "{fresh}");
    assert_ne!(fresh["refresh_token"], tokens["refresh_token"]);
    let chat = request(&kit, Method::POST, "/standard/v1/chat/completions")
        .bearer_auth(text(&fresh, "access_token"))
        .json(&json!({"model": "m", "messages": [{"role": "user", "content": "hello"}]}));
    let (status, reply) = send(chat).await;
    let content = &reply["choices"][0]["message"]["content"];
    let expected = "The simulated standard heard: hello";
    assert_eq!((status, content), (200, &json!(expected)));

    let token = text(&fresh, "refresh_token");
    let form = [("client_id", CLIENT), ("token", token.as_str())];
    assert_eq!(ask(&kit, "/standard/revoke", &form).await.0, 200);
    let (status, _) = user_info(&kit, &text(&fresh, "access_token")).await;
    assert_eq!(status, 401);
    assert_eq!(kit.standard().violations(), Vec::<String>::new());
    assert_eq!(kit.standard().counters().families_live, 0);
}

#[tokio::test]
async fn a_spent_refresh_token_revokes_its_family() {
    let kit = automatic().await;
    let tokens = device_login(&kit).await;
    let first = text(&tokens, "refresh_token");
    let (_, fresh) = refresh(&kit, &first).await;
    let (status, error) = refresh(&kit, &first).await;
    assert_eq!((status, &error["error"]), (400, &json!("invalid_grant")));
    let (status, _) = user_info(&kit, &text(&fresh, "access_token")).await;
    assert_eq!(status, 401);
    assert_eq!(kit.standard().counters().reuse, 1);
}

#[tokio::test]
async fn a_device_flow_that_began_with_pkce_needs_its_verifier() {
    let kit = automatic().await;
    for (challenge, verifier, expected) in [
        (Some(CHALLENGE), None, 400),
        (None, Some(VERIFIER), 400),
        (Some(CHALLENGE), Some(VERIFIER), 200),
    ] {
        let mut form = vec![("client_id", CLIENT)];
        let pkce = challenge.map(|c| [("code_challenge", c), ("code_challenge_method", "S256")]);
        form.extend(pkce.into_iter().flatten());
        let (_, device) = ask(&kit, DEVICE, &form).await;
        let code = text(&device, "device_code");
        let mut poll = vec![
            ("client_id", CLIENT),
            ("grant_type", DEVICE_CODE),
            ("device_code", code.as_str()),
        ];
        poll.extend(verifier.map(|verifier| ("code_verifier", verifier)));
        let (status, body) = ask(&kit, TOKEN, &poll).await;
        assert_eq!(status, expected, "{body}");
    }
}

#[tokio::test]
async fn a_configured_code_flow_with_a_secret_and_an_audience() {
    let provider = StandardProvider::new("acme")
        .client_secret("s3cret")
        .authorization_path("/oauth/authorize")
        .token_path("/oauth/token")
        .redirect_uri("http://localhost:1455/auth/callback")
        .scopes(["openid", "inference"])
        .parameter("audience", "api");
    let kit = standard(provider).await;
    let redirect = "http://localhost:1455/auth/callback";
    let request = [
        ("client_id", "acme"),
        ("redirect_uri", redirect),
        ("response_type", "code"),
        ("state", "s1"),
        ("audience", "api"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let back = authorize(&kit, "/oauth/authorize", &request).await;
    assert_eq!(parameter(&back, "state"), "s1");
    let code = parameter(&back, "code");
    let exchange = [
        ("client_id", "acme"),
        ("client_secret", "s3cret"),
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", redirect),
        ("code_verifier", VERIFIER),
    ];
    // The path is also one of MiniMax's.
    let (status, tokens) = ask(&kit, "/oauth/token", &exchange).await;
    assert_eq!(status, 200, "{tokens}");
    assert_eq!(tokens["scope"], "openid inference");
    assert!(tokens["refresh_token"].is_string());

    let without_secret = [exchange[0], exchange[2], exchange[3]];
    let (status, _) = ask(&kit, "/oauth/token", &without_secret).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn an_invalid_authorization_request_is_redirected_only_to_a_valid_address() {
    let provider = StandardProvider::default().scopes(["openid"]);
    let kit = standard(provider).await;
    let parameters = [
        ("client_id", CLIENT),
        ("redirect_uri", REDIRECT),
        ("response_type", "code"),
        ("state", "s1"),
        ("scope", "admin"),
    ];
    let back = authorize(&kit, "/standard/authorize", &parameters).await;
    assert_eq!(parameter(&back, "error"), "invalid_scope");
    assert_eq!(parameter(&back, "state"), "s1");

    let mut elsewhere = parameters;
    elsewhere[1].1 = "https://evil.example/";
    let response = get(&kit, "/standard/authorize", &elsewhere).await;
    assert_eq!(response.status(), 400);
    assert_eq!(header(&response, "location"), "");
    assert_eq!(kit.standard().violations().len(), 2);
}

#[tokio::test]
async fn the_user_approves_on_the_configured_page() {
    let provider = StandardProvider::default().verification_path("/device");
    let kit = standard(provider).await;
    kit.standard().set_approval(Approval::Manual);
    let (_, device) = ask(&kit, DEVICE, &[("client_id", CLIENT)]).await;
    let page = format!("{}/device", kit.base_url());
    assert_eq!(device["verification_uri"], page);
    let code = text(&device, "device_code");
    let poll = [
        ("client_id", CLIENT),
        ("grant_type", DEVICE_CODE),
        ("device_code", code.as_str()),
    ];
    let (status, pending) = ask(&kit, TOKEN, &poll).await;
    let expected = json!("authorization_pending");
    assert_eq!((status, &pending["error"]), (400, &expected));

    let user_code = text(&device, "user_code");
    let shown = get(&kit, "/device", &[("user_code", &user_code)]).await;
    let csrf = hidden(&shown.text().await.unwrap(), "csrf");
    let decision = [
        ("user_code", user_code.as_str()),
        ("csrf", &csrf),
        ("decision", "approve"),
    ];
    let decided = post(&kit, "/device", &decision).send().await.unwrap();
    assert_eq!(decided.status(), 200);
    assert_eq!(ask(&kit, TOKEN, &poll).await.0, 200);
}

#[tokio::test]
async fn a_first_sign_in_is_issued_a_client_that_alone_redeems_the_code_for_an_id_token() {
    let provider = StandardProvider::new(CLIENT)
        .issues_clients("issued-")
        .id_tokens("https://issuer.example");
    let kit = standard(provider).await;
    let request = [
        ("client_id", CLIENT),
        ("response_type", "code"),
        ("redirect_uri", REDIRECT),
        ("state", "made-up"),
        ("nonce", "made-up-nonce"),
        ("scope", "openid"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let callback = authorize(&kit, "/standard/authorize", &request).await;
    let issued = parameter(&callback, "client_id");
    assert!(issued.starts_with("issued-"), "{callback}");
    let code = parameter(&callback, "code");
    let exchange = async |client: &str| {
        let form = [
            ("client_id", client),
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        ask(&kit, TOKEN, &form).await
    };
    let (status, error) = exchange(CLIENT).await;
    assert_eq!((status, &error["error"]), (401, &json!("invalid_client")));
    let (status, tokens) = exchange(&issued).await;
    assert_eq!(status, 200, "{tokens}");
    assert_eq!(text(&tokens, "id_token").split('.').count(), 3);

    let document = "/standard/.well-known/openid-configuration";
    let (_, document) = send(crate::client::request(&kit, Method::GET, document)).await;
    assert_eq!(document["issuer"], "https://issuer.example");
    let keys = text(&document, "jwks_uri");
    let path = keys.strip_prefix(kit.base_url()).unwrap();
    let (_, keys) = send(crate::client::request(&kit, Method::GET, path)).await;
    assert_eq!(keys["keys"][0]["alg"], "RS256");
}
