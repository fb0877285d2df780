//! MiniMax: three dialects, and what each refuses.

use std::time::Duration;

use llm_auth_testkit::{ExpiryUnit, RejectionForm, Testkit};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{
    CHALLENGE, Fields, VERIFIER, ask, automatic, header, post, request, send, text, with,
};

const DEVICE: &str = "/oauth2/device/code";
const TOKEN: &str = "/oauth2/token";
const PORTAL: &str = "78257093-7e40-4613-99e0-527b14b39113";
const MMX: &str = "659cf4c1-615c-45f6-a5f6-4bf15eb476e5";
const USER_CODE: &str = "urn:ietf:params:oauth:grant-type:user_code";
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

fn device_form(client: &str) -> Fields<'_> {
    vec![
        ("client_id", client),
        ("scope", "group_id profile model.completion"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("state", "an-unguessable-state"),
    ]
}

fn code_form() -> Fields<'static> {
    vec![
        ("client_id", "mcode-public"),
        ("scope", "agent.default"),
        ("audience", "agent-backend"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]
}

fn poll_form<'a>(client: &'a str, grant: &'a str, user_code: &'a str) -> Fields<'a> {
    vec![
        ("grant_type", grant),
        ("client_id", client),
        ("user_code", user_code),
        ("code_verifier", VERIFIER),
    ]
}

pub(crate) async fn login(kit: &Testkit) -> Value {
    let (_, body) = ask(kit, DEVICE, &device_form(PORTAL)).await;
    let code = text(&body, "user_code");
    let (status, tokens) = ask(kit, TOKEN, &poll_form(PORTAL, USER_CODE, &code)).await;
    assert_eq!((status, &tokens["status"]), (200, &json!("success")));
    tokens
}

async fn refresh(kit: &Testkit, token: &str) -> (u16, Value) {
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", PORTAL),
        ("refresh_token", token),
    ];
    ask(kit, TOKEN, &form).await
}

#[tokio::test]
async fn the_portal_speaks_of_states_and_milliseconds() {
    let kit = automatic().await;
    kit.minimax().set_interval(Duration::from_millis(40));
    let (status, body) = ask(&kit, DEVICE, &device_form(PORTAL)).await;
    assert_eq!(
        (status, &body["state"]),
        (200, &json!("an-unguessable-state"))
    );
    assert_eq!(body["interval"], 40);
    assert!(body["expired_in"].as_i64().unwrap() > 1_700_000_000_000);
    assert_eq!(body["base_resp"]["status_code"], 0);

    let tokens = login(&kit).await;
    assert!(tokens["expired_in"].as_i64().unwrap() > 1_700_000_000_000);
    let url = format!("{}/anthropic", kit.base_url());
    assert_eq!(tokens["resource_url"], url);
    let access = text(&tokens, "access_token");
    let message = json!({"role": "user", "content": [{"type": "text", "text": "hi"}]});
    let body = json!({"model": "m", "max_tokens": 9, "messages": [message]});
    let path = "/anthropic/v1/messages";
    for call in [
        request(&kit, Method::POST, path).bearer_auth(&access),
        request(&kit, Method::POST, path).header("x-api-key", &access),
    ] {
        let (_, said) = send(call.json(&body)).await;
        let said = said.pointer("/content/0/text").unwrap();
        assert_eq!(said, "The simulated minimax heard: hi");
    }
    assert_eq!(kit.minimax().violations(), Vec::<String>::new());
}

#[tokio::test]
async fn the_other_units_of_expired_in_can_be_had() {
    let kit = automatic().await;
    for (unit, range) in [
        (ExpiryUnit::RelativeSeconds, 3600..3601),
        (ExpiryUnit::EpochSeconds, 1_700_000_000..10_000_000_000_i64),
    ] {
        kit.minimax().set_expiry_unit(unit);
        let expires = login(&kit).await["expired_in"].as_i64().unwrap();
        assert!(range.contains(&expires), "{unit:?}: {expires}");
    }
}

#[tokio::test]
async fn mmx_polls_with_the_device_grant_and_the_user_code() {
    let kit = automatic().await;
    let (_, body) = ask(&kit, DEVICE, &device_form(MMX)).await;
    let code = text(&body, "user_code");
    let wrong = poll_form(MMX, USER_CODE, &code);
    assert_eq!(ask(&kit, TOKEN, &wrong).await.0, 400);
    let right = poll_form(MMX, DEVICE_CODE, &code);
    assert_eq!(ask(&kit, TOKEN, &right).await.1["status"], "success");
}

#[tokio::test]
async fn minimax_code_speaks_rfc_8628_and_can_revoke() {
    let kit = automatic().await;
    let form = code_form();
    for bad in ["scope", "audience", "code_challenge"] {
        let form = with(&form, bad, Some("other"));
        assert_eq!(ask(&kit, DEVICE, &form).await.0, 400, "{bad}");
    }
    let (status, body) = ask(&kit, DEVICE, &form).await;
    assert_eq!((status, &body["expires_in"]), (200, &json!(600)));
    let code = text(&body, "device_code");
    let poll = [
        ("grant_type", DEVICE_CODE),
        ("client_id", "mcode-public"),
        ("device_code", &*code),
        ("code_verifier", VERIFIER),
    ];
    let (_, tokens) = ask(&kit, TOKEN, &poll).await;
    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!(tokens["scope"], "agent.default");

    let token = text(&tokens, "refresh_token");
    let revoke = [("client_id", "mcode-public"), ("token", &*token)];
    assert_eq!(ask(&kit, "/oauth2/revoke", &revoke).await.0, 200);
    assert_eq!(ask(&kit, "/oauth2/revoke", &revoke).await.0, 200);
    let seen = kit.minimax().counters();
    assert_eq!((seen.revocations, seen.families_revoked), (2, 1));
    assert_eq!(seen.families_live, 0);
}

#[tokio::test]
async fn a_device_request_without_state_is_refused() {
    let kit = automatic().await;
    let form = with(&device_form(PORTAL), "state", None);
    let (status, body) = ask(&kit, DEVICE, &form).await;
    assert_eq!(status, 400);
    assert_eq!(body["base_resp"]["status_msg"], "state is required");
}

#[tokio::test]
async fn the_former_paths_point_to_the_new_ones() {
    let kit = automatic().await;
    for (old, new) in [("/oauth/code", DEVICE), ("/oauth/token", TOKEN)] {
        let request = post(&kit, old, &device_form(PORTAL));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 307);
        let target = format!("{}{new}", kit.base_url());
        assert_eq!(header(&response, "location"), target);
    }
    assert_eq!(kit.minimax().counters().device_requests, 0);
}

#[tokio::test]
async fn pending_slow_down_denied_and_expired_are_states_with_status_200() {
    let kit = Testkit::start().await.unwrap();
    let (_, body) = ask(&kit, DEVICE, &device_form(PORTAL)).await;
    let code = text(&body, "user_code");
    let form = poll_form(PORTAL, USER_CODE, &code);
    let mut states = Vec::new();
    for _ in 0..2 {
        let (status, body) = ask(&kit, TOKEN, &form).await;
        assert_eq!(status, 200);
        states.push(text(&body, "status"));
    }
    kit.minimax().set_interval(Duration::ZERO);
    let (_, body) = ask(&kit, DEVICE, &device_form(PORTAL)).await;
    let code = text(&body, "user_code");
    assert!(kit.minimax().deny(&code));
    let form = poll_form(PORTAL, USER_CODE, &code);
    states.push(text(&ask(&kit, TOKEN, &form).await.1, "status"));
    kit.minimax().set_code_lifetime(Duration::ZERO);
    let (_, body) = ask(&kit, DEVICE, &device_form(PORTAL)).await;
    let code = text(&body, "user_code");
    let form = poll_form(PORTAL, USER_CODE, &code);
    states.push(text(&ask(&kit, TOKEN, &form).await.1, "status"));
    assert_eq!(states, ["pending", "slow_down", "denied", "expired"]);
    assert_eq!(kit.minimax().counters().too_fast, 1);
}

#[tokio::test]
async fn a_spent_refresh_token_is_refused_in_each_of_three_ways() {
    let kit = automatic().await;
    for (form, status, at, word) in [
        (RejectionForm::OauthError, 400, "/error", "invalid_grant"),
        (
            RejectionForm::BaseResp,
            400,
            "/base_resp/status_msg",
            "invalid_grant",
        ),
        (
            RejectionForm::StatusError,
            200,
            "/base_resp/status_msg",
            "refresh_token_reused",
        ),
    ] {
        kit.minimax().set_rejection_form(form);
        let first = text(&login(&kit).await, "refresh_token");
        assert_eq!(refresh(&kit, &first).await.0, 200);
        let (seen, body) = refresh(&kit, &first).await;
        assert_eq!((seen, body.pointer(at)), (status, Some(&json!(word))));
    }
    assert_eq!(kit.minimax().counters().reuse, 3);
    assert_eq!(kit.minimax().counters().families_live, 0);
}

#[tokio::test]
async fn a_dead_token_gets_status_200_and_a_code() {
    let kit = automatic().await;
    let access = text(&login(&kit).await, "access_token");
    kit.expire_everything();
    let call = request(&kit, Method::POST, "/anthropic/v1/messages").bearer_auth(access);
    let (status, body) = send(call.json(&json!({"messages": []}))).await;
    assert_eq!(
        (status, &body["base_resp"]["status_code"]),
        (200, &json!(1004))
    );
}
