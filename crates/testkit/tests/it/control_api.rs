//! The control API, as another process uses it.

use llm_auth_testkit::Testkit;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{CHALLENGE, Fields, ask, automatic, request, send, text};
use crate::qwen_device_flow::login;

fn device_form() -> Fields<'static> {
    vec![
        ("client_id", "f0304373b74a44d2b584a3fb70ca9e56"),
        ("scope", "openid"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]
}

async fn order(kit: &Testkit, path: &str, body: Value) -> (u16, Value) {
    send(request(kit, Method::POST, path).json(&body)).await
}

async fn state(kit: &Testkit) -> Value {
    send(request(kit, Method::GET, "/testkit/state")).await.1
}

#[tokio::test]
async fn pending_logins_are_listed_and_decided() {
    let kit = Testkit::start().await.unwrap();
    let (_, one) = ask(&kit, "/api/v1/oauth2/device/code", &device_form()).await;
    let one = text(&one, "user_code");
    assert_eq!(state(&kit).await["qwen"]["pending"], json!([one]));
    let deny = json!({"user_code": one, "deny": true});
    assert_eq!(
        order(&kit, "/testkit/approve", deny.clone()).await.1["decided"],
        1
    );
    assert_eq!(order(&kit, "/testkit/approve", deny).await.0, 400);
    ask(&kit, "/api/v1/oauth2/device/code", &device_form()).await;
    let empty = request(&kit, Method::POST, "/testkit/approve");
    assert_eq!(send(empty).await.1["decided"], 1);
    assert_eq!(state(&kit).await["qwen"]["pending"], json!([]));
}

#[tokio::test]
async fn the_state_shows_counters_and_fingerprints_but_no_token() {
    let kit = automatic().await;
    let tokens = login(&kit).await;
    request(&kit, Method::GET, "/nowhere?secret=1")
        .send()
        .await
        .unwrap();
    let state = state(&kit).await;
    assert_eq!(state["qwen"]["counters"]["logins_ok"], 1);
    assert_eq!(state["qwen"]["families"].as_array().unwrap().len(), 1);
    assert_eq!(state["unknown_paths"], json!(["GET /nowhere"]));
    let shown = state.to_string();
    for field in ["access_token", "refresh_token"] {
        assert!(!shown.contains(&text(&tokens, field)));
    }
}

#[tokio::test]
async fn tokens_die_and_counters_reset_on_order() {
    let kit = automatic().await;
    let access = text(&login(&kit).await, "access_token");
    order(&kit, "/testkit/expire", json!({"vendor": "minimax"})).await;
    assert!(kit.qwen().is_live_access(&access));
    order(&kit, "/testkit/expire", json!({})).await;
    assert!(!kit.qwen().is_live_access(&access));
    let (_, revoked) = order(&kit, "/testkit/revoke", json!({"vendor": "qwen"})).await;
    assert_eq!(revoked["revoked"], 1);
    assert_eq!(kit.qwen().live_refresh_tokens(), Vec::<String>::new());
    order(&kit, "/testkit/reset", json!({})).await;
    assert_eq!(kit.qwen().counters().polls, 0);
}

#[tokio::test]
async fn settings_and_faults_are_taken_as_json() {
    let kit = Testkit::start().await.unwrap();
    let settings = json!({
        "vendor": "qwen", "approval": {"auto_after_polls": 0}, "interval_seconds": 0.25,
        "access_lifetime_seconds": 7, "rotation": "keep", "grace_seconds": 1,
        "resource_url": "", "date_offset_seconds": 0,
    });
    let (status, body) = order(&kit, "/testkit/settings", settings).await;
    assert_eq!(status, 200, "{body}");
    let tokens = login(&kit).await;
    assert_eq!(tokens["expires_in"], 7);
    assert_eq!(tokens["resource_url"], Value::Null);
    let fault = json!({
        "vendor": "qwen", "endpoint": "device_authorization", "times": 2,
        "fault": {"kind": "answer", "status": 502, "body": "<html>"},
    });
    let (_, left) = order(&kit, "/testkit/faults", fault).await;
    assert_eq!(left["faults_left"], 1);
    for expected in [502, 502, 200] {
        let (status, _) = ask(&kit, "/api/v1/oauth2/device/code", &device_form()).await;
        assert_eq!(status, expected);
    }
    for (path, bad) in [
        ("/testkit/settings", json!({"intervall": 1})),
        ("/testkit/faults", json!({"vendor": "qwen"})),
        ("/testkit/nothing", json!({})),
    ] {
        assert_eq!(order(&kit, path, bad).await.0, 400, "{path}");
    }
}

#[tokio::test]
async fn a_foreign_page_cannot_give_orders() {
    let kit = automatic().await;
    let rebound = request(&kit, Method::GET, "/testkit/state").header("host", "evil.example");
    assert_eq!(send(rebound).await.0, 421);
    for origin in ["https://evil.example", "null"] {
        let order = request(&kit, Method::POST, "/testkit/revoke").body("{}");
        assert_eq!(send(order.header("origin", origin)).await.0, 400);
    }
    let own = request(&kit, Method::POST, "/testkit/revoke").header("origin", kit.base_url());
    assert_eq!(send(own).await.0, 200);
}

#[tokio::test]
async fn the_index_tells_how_to_point_a_client_here() {
    let kit = automatic().await;
    let page = request(&kit, Method::GET, "/testkit").send().await.unwrap();
    let page = page.text().await.unwrap();
    assert!(page.contains("LLM_AUTH_QWEN_BASE_URL") && page.contains("/testkit/approve"));
}
