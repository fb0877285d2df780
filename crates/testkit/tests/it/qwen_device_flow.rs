//! Qwen: what it gives, and what it refuses.

use std::time::Duration;

use llm_auth_testkit::{Approval, Rotation, Testkit};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{
    CHALLENGE, Fields, VERIFIER, ask, automatic, hidden, post, request, send, text, with,
};

const DEVICE: &str = "/api/v1/oauth2/device/code";
const TOKEN: &str = "/api/v1/oauth2/token";
const CLIENT: &str = "f0304373b74a44d2b584a3fb70ca9e56";

fn device_form() -> Fields<'static> {
    vec![
        ("client_id", CLIENT),
        ("scope", "openid profile email model.completion"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]
}

fn poll_form(device_code: &str) -> Fields<'_> {
    vec![
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("client_id", CLIENT),
        ("device_code", device_code),
        ("code_verifier", VERIFIER),
    ]
}

fn refresh_form(token: &str) -> Fields<'_> {
    vec![
        ("grant_type", "refresh_token"),
        ("client_id", CLIENT),
        ("refresh_token", token),
    ]
}

async fn start_device(kit: &Testkit) -> String {
    let (status, body) = ask(kit, DEVICE, &device_form()).await;
    assert_eq!(status, 200, "{body}");
    text(&body, "device_code")
}

pub(crate) async fn login(kit: &Testkit) -> Value {
    let code = start_device(kit).await;
    let (status, body) = ask(kit, TOKEN, &poll_form(&code)).await;
    assert_eq!(status, 200, "{body}");
    body
}

async fn refresh(kit: &Testkit, token: &str) -> (u16, Value) {
    ask(kit, TOKEN, &refresh_form(token)).await
}

async fn chat(kit: &Testkit, token: &str) -> (u16, Value) {
    let request = request(kit, Method::POST, "/v1/chat/completions").bearer_auth(token);
    send(request.json(&json!({"model": "m", "messages": [{"role": "user", "content": "hello"}]})))
        .await
}

#[tokio::test]
async fn a_login_a_call_and_a_refresh_leave_no_violation() {
    let kit = automatic().await;
    let tokens = login(&kit).await;
    assert_eq!(tokens["resource_url"], kit.base_url());
    assert_eq!(tokens["expires_in"], 3600);
    let (status, body) = chat(&kit, &text(&tokens, "access_token")).await;
    assert_eq!(status, 200);
    let said = body.pointer("/choices/0/message/content").unwrap();
    assert_eq!(said, "The simulated qwen heard: hello");

    let first = text(&tokens, "refresh_token");
    assert!(first.ends_with("+/=&%"));
    let (status, refreshed) = refresh(&kit, &first).await;
    assert_eq!(status, 200);
    assert_ne!(text(&refreshed, "refresh_token"), first);

    let seen = kit.qwen().counters();
    assert_eq!(seen.violations, Vec::<String>::new());
    assert_eq!(
        (seen.device_requests, seen.polls, seen.logins_ok),
        (1, 1, 1)
    );
    assert_eq!((seen.refreshes, seen.refresh_ok, seen.reuse), (1, 1, 0));
    assert_eq!((seen.chats_ok, seen.families_live), (1, 1));
}

#[tokio::test]
async fn a_person_approves_on_the_page() {
    let kit = Testkit::start().await.unwrap();
    kit.qwen().set_interval(Duration::ZERO);
    let (_, body) = ask(&kit, DEVICE, &device_form()).await;
    let code = text(&body, "device_code");
    let (status, pending) = ask(&kit, TOKEN, &poll_form(&code)).await;
    assert_eq!(
        (status, &pending["error"]),
        (400, &json!("authorization_pending"))
    );

    let url = text(&body, "verification_uri_complete");
    let path = url.strip_prefix(kit.base_url()).unwrap();
    let response = request(&kit, Method::GET, path).send().await.unwrap();
    let policy = response.headers()["content-security-policy"]
        .to_str()
        .unwrap();
    assert!(policy.starts_with("default-src 'none'"));
    let page = response.text().await.unwrap();
    let user_code = text(&body, "user_code");
    assert!(page.contains(&user_code));

    let forged = [
        ("user_code", &*user_code),
        ("csrf", "x"),
        ("decision", "approve"),
    ];
    assert_eq!(ask(&kit, "/authorize", &forged).await.0, 403);
    let csrf = hidden(&page, "csrf");
    let form = [
        ("user_code", &*user_code),
        ("csrf", &csrf),
        ("decision", "approve"),
    ];
    assert_eq!(ask(&kit, "/authorize", &form).await.0, 200);
    assert_eq!(ask(&kit, TOKEN, &poll_form(&code)).await.0, 200);
}

#[tokio::test]
async fn a_denied_login_and_an_expired_code_are_told_apart() {
    let kit = automatic().await;
    kit.qwen().set_approval(Approval::Deny);
    let code = start_device(&kit).await;
    let (status, body) = ask(&kit, TOKEN, &poll_form(&code)).await;
    assert_eq!((status, &body["error"]), (400, &json!("access_denied")));

    kit.qwen().set_code_lifetime(Duration::ZERO);
    let code = start_device(&kit).await;
    let (status, body) = ask(&kit, TOKEN, &poll_form(&code)).await;
    assert_eq!((status, &body["error"]), (401, &json!("expired_token")));
    assert_eq!(kit.qwen().violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_device_request_must_be_complete() {
    let kit = automatic().await;
    let form = device_form();
    for bad in [
        with(&form, "client_id", None),
        with(&form, "client_id", Some("another")),
        with(&form, "scope", None),
        with(&form, "scope", Some("openid everything")),
        with(&form, "code_challenge", None),
        with(&form, "code_challenge", Some("short")),
        with(&form, "code_challenge_method", None),
        with(&form, "code_challenge_method", Some("plain")),
    ] {
        let (status, body) = ask(&kit, DEVICE, &bad).await;
        assert!(matches!(status, 400 | 401), "{bad:?} gave {body}");
        assert!(body["error"].is_string());
    }
    assert_eq!(kit.qwen().violations().len(), 8);
}

#[tokio::test]
async fn a_poll_needs_the_verifier_and_the_client_of_its_code() {
    let kit = automatic().await;
    kit.qwen().allow_client("another");
    let code = start_device(&kit).await;
    let form = poll_form(&code);
    let other = "x".repeat(43);
    for bad in [
        with(&form, "code_verifier", None),
        with(&form, "code_verifier", Some("short")),
        with(&form, "code_verifier", Some(&other)),
        with(&form, "client_id", Some("another")),
        with(&form, "device_code", Some("guessed")),
        with(&form, "device_code", None),
        with(&form, "grant_type", Some("password")),
        with(&form, "grant_type", None),
    ] {
        assert_eq!(ask(&kit, TOKEN, &bad).await.0, 400, "{bad:?}");
    }
    assert_eq!(kit.qwen().violations().len(), 8);
    assert_eq!(ask(&kit, TOKEN, &form).await.0, 200);
    assert_eq!(ask(&kit, TOKEN, &form).await.0, 400, "the code was used");
}

#[tokio::test]
async fn polling_too_fast_is_told_counted_and_makes_the_interval_longer() {
    let kit = Testkit::builder()
        .interval(Duration::from_secs(600))
        .start()
        .await
        .unwrap();
    let code = start_device(&kit).await;
    let (status, body) = ask(&kit, TOKEN, &poll_form(&code)).await;
    assert_eq!(
        (status, &body["error"]),
        (400, &json!("authorization_pending"))
    );
    let (status, body) = ask(&kit, TOKEN, &poll_form(&code)).await;
    assert_eq!((status, &body["error"]), (429, &json!("slow_down")));
    let seen = kit.qwen().counters();
    assert_eq!((seen.polls, seen.too_fast), (2, 1));
    assert_eq!(
        seen.violations,
        ["poll: came sooner than the interval allows"]
    );
}

#[tokio::test]
async fn intervals_below_a_second_are_announced_as_fractions() {
    let kit = automatic().await;
    for (millis, announced) in [(50, json!(0.05)), (2000, json!(2))] {
        kit.qwen().set_interval(Duration::from_millis(millis));
        let (_, body) = ask(&kit, DEVICE, &device_form()).await;
        assert_eq!(body["interval"], announced);
    }
}

#[tokio::test]
async fn without_a_user_agent_there_is_a_page_instead_of_a_response_in_json() {
    let kit = automatic().await;
    let client = crate::client::http().build().unwrap();
    let url = format!("{}{DEVICE}", kit.base_url());
    let response = client.post(url).form(&device_form()).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(
        response
            .text()
            .await
            .unwrap()
            .starts_with("<!doctype html>")
    );
    assert_eq!(
        kit.qwen().violations(),
        ["device authorization: no User-Agent header"]
    );
}

#[tokio::test]
async fn what_is_not_a_strict_form_is_refused() {
    let kit = automatic().await;
    let twice = [device_form(), vec![("scope", "openid")]].concat();
    assert_eq!(ask(&kit, DEVICE, &twice).await.0, 400);
    let json = request(&kit, Method::POST, DEVICE).json(&json!({"client_id": CLIENT}));
    assert_eq!(send(json).await.0, 400);
    assert_eq!(send(request(&kit, Method::GET, DEVICE)).await.0, 405);
    let in_url = post(&kit, &format!("{TOKEN}?x=1"), &refresh_form("t"));
    assert_eq!(send(in_url).await.0, 400);
    assert_eq!(
        kit.qwen().violations(),
        [
            "device authorization: parameter scope is given twice",
            "device authorization: Content-Type is not application/x-www-form-urlencoded",
            "device authorization: method GET is not allowed",
            "refresh: parameters in the URL of a credential request",
        ]
    );
}

#[tokio::test]
async fn a_refresh_token_that_was_not_escaped_is_refused() {
    let kit = automatic().await;
    let token = text(&login(&kit).await, "refresh_token");
    let raw = format!("grant_type=refresh_token&client_id={CLIENT}&refresh_token={token}");
    let request = request(&kit, Method::POST, TOKEN)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(raw);
    assert_eq!(send(request).await.0, 400);
    assert_eq!(kit.qwen().counters().refreshes, 1);
    assert_eq!(kit.qwen().violations().len(), 1);
    assert_eq!(refresh(&kit, &token).await.0, 200);
}

#[tokio::test]
async fn reuse_of_a_spent_refresh_token_kills_the_family() {
    let kit = automatic().await;
    let other = login(&kit).await;
    let first = text(&login(&kit).await, "refresh_token");
    let (_, second) = refresh(&kit, &first).await;
    let (status, body) = refresh(&kit, &first).await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_request")));
    assert_eq!(chat(&kit, &text(&second, "access_token")).await.0, 401);
    assert_eq!(refresh(&kit, &text(&second, "refresh_token")).await.0, 400);
    assert_eq!(chat(&kit, &text(&other, "access_token")).await.0, 200);
    let seen = kit.qwen().counters();
    assert_eq!(
        (seen.reuse, seen.families_revoked, seen.families_live),
        (1, 1, 1)
    );
    assert_eq!(
        seen.violations,
        ["refresh: the refresh token was spent before"]
    );
}

#[tokio::test]
async fn within_the_grace_window_reuse_is_forgiven() {
    let kit = automatic().await;
    kit.qwen().set_grace(Duration::from_secs(600));
    let first = text(&login(&kit).await, "refresh_token");
    let (_, one) = refresh(&kit, &first).await;
    let (status, two) = refresh(&kit, &first).await;
    assert_eq!(status, 200);
    assert_eq!(one["refresh_token"], two["refresh_token"]);
    let seen = kit.qwen().counters();
    assert_eq!(
        (seen.reuse, seen.refresh_ok, seen.refresh_in_grace),
        (0, 2, 1)
    );
}

#[tokio::test]
async fn the_refresh_token_may_be_kept_or_left_out() {
    let kit = automatic().await;
    let token = text(&login(&kit).await, "refresh_token");
    kit.qwen().set_rotation(Rotation::Omit);
    assert_eq!(refresh(&kit, &token).await.1["refresh_token"], Value::Null);
    kit.qwen().set_rotation(Rotation::Keep);
    assert_eq!(refresh(&kit, &token).await.1["refresh_token"], *token);
}

#[tokio::test]
async fn dead_tokens_are_refused_at_the_chat() {
    let kit = automatic().await;
    let tokens = login(&kit).await;
    let access = text(&tokens, "access_token");
    assert!(kit.qwen().is_live_access(&access));
    kit.qwen().expire_access_tokens();
    let (status, body) = chat(&kit, &access).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (401, &json!("invalid_api_key"))
    );
    assert_eq!(chat(&kit, "made-up").await.0, 401);
    kit.qwen().set_access_lifetime(Duration::ZERO);
    let (_, short) = refresh(&kit, &text(&tokens, "refresh_token")).await;
    assert_eq!(short["expires_in"], 1);
    assert_eq!(chat(&kit, &text(&short, "access_token")).await.0, 401);
    assert_eq!(kit.qwen().counters().chats_refused, 3);
}
