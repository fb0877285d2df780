//! Scripted faults, as a client meets them.

use std::error::Error;
use std::io;
use std::time::Duration;

use llm_auth_testkit::{Fault, Operation, Testkit};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Fields, ask, automatic, header, post, request, text};
use crate::qwen_device_flow::login;

const TOKEN: &str = "/api/v1/oauth2/token";

fn refresh_form(token: &str) -> Fields<'_> {
    vec![
        ("grant_type", "refresh_token"),
        ("client_id", "f0304373b74a44d2b584a3fb70ca9e56"),
        ("refresh_token", token),
    ]
}

async fn signed_in() -> (Testkit, String) {
    let kit = automatic().await;
    let token = text(&login(&kit).await, "refresh_token");
    (kit, token)
}

#[tokio::test]
async fn a_fixed_response_comes_as_often_as_asked_and_spends_nothing() {
    let (kit, token) = signed_in().await;
    let busy = Fault::response(503, "{\"at\":{NOW_MS+5},\"state\":\"{STATE}\"}");
    let busy = busy.header("Retry-After", "7").times(2);
    kit.qwen().fault(Operation::Refresh, busy);
    for _ in 0..2 {
        let request = post(&kit, TOKEN, &refresh_form(&token));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 503);
        assert_eq!(header(&response, "retry-after"), "7");
        let body: Value = response.json().await.unwrap();
        assert!(body["at"].as_i64().unwrap() > 1_700_000_000_000);
    }
    assert_eq!(ask(&kit, TOKEN, &refresh_form(&token)).await.0, 200);
    let seen = kit.qwen().counters();
    assert_eq!((seen.refreshes, seen.refresh_ok, seen.faults), (3, 1, 2));
}

#[tokio::test]
async fn a_response_lost_before_processing_spends_nothing_and_one_lost_after_does() {
    for fault in [Fault::drop_connection(), Fault::reset()] {
        let (kit, token) = signed_in().await;
        kit.qwen().fault(Operation::Refresh, fault.clone());
        let send = || post(&kit, TOKEN, &refresh_form(&token)).send();
        assert!(send().await.is_err());
        assert_eq!(kit.qwen().counters().refresh_ok, 0);
        kit.qwen().fault(Operation::Token, fault.after());
        assert!(send().await.is_err());
        assert_eq!(kit.qwen().counters().refresh_ok, 1);
        assert!(!kit.qwen().live_refresh_tokens().contains(&token));
        assert_eq!(ask(&kit, TOKEN, &refresh_form(&token)).await.0, 400);
        assert_eq!(kit.qwen().counters().reuse, 1);
    }
}

#[tokio::test]
async fn a_reset_connection_is_reset_and_a_dropped_one_closed() {
    let (kit, token) = signed_in().await;
    for (fault, reset) in [(Fault::reset(), true), (Fault::drop_connection(), false)] {
        kit.qwen().fault(Operation::Refresh, fault);
        let request = post(&kit, TOKEN, &refresh_form(&token));
        let error = request.send().await.unwrap_err();
        let mut cause: Option<&dyn Error> = Some(&error);
        let mut seen = false;
        while let Some(error) = cause {
            let io = error.downcast_ref::<io::Error>();
            seen |= io.is_some_and(|io| io.kind() == io::ErrorKind::ConnectionReset);
            cause = error.source();
        }
        assert_eq!(seen, reset, "{error:?}");
    }
}

#[tokio::test]
async fn damaged_bodies_are_damaged() {
    let (kit, _) = signed_in().await;
    let form = refresh_form("unknown");
    for fault in [Fault::truncated_body(), Fault::garbage_chunks()] {
        kit.qwen().fault(Operation::Token, fault);
        let response = post(&kit, TOKEN, &form).send().await.unwrap();
        assert!(!header(&response, "date").is_empty());
        assert!(response.bytes().await.is_err());
    }
    kit.qwen().fault(Operation::Token, Fault::huge_body());
    let response = post(&kit, TOKEN, &form).send().await.unwrap();
    assert!(response.bytes().await.unwrap().len() > 5_000_000);
    kit.qwen().fault(Operation::Token, Fault::html());
    let response = post(&kit, TOKEN, &form).send().await.unwrap();
    assert_eq!(
        header(&response, "content-type"),
        "text/html; charset=utf-8"
    );
    kit.qwen().fault(Operation::Token, Fault::false_gzip());
    let response = post(&kit, TOKEN, &form).send().await.unwrap();
    assert_eq!(header(&response, "content-encoding"), "gzip");
    assert_eq!(response.status(), 400);
}

#[tokio::test]
async fn endless_and_slow_bodies_come_in_pieces() {
    let (kit, token) = signed_in().await;
    kit.qwen().fault(Operation::Token, Fault::endless_body());
    let mut response = post(&kit, TOKEN, &refresh_form("x")).send().await.unwrap();
    let mut read = 0;
    while read < 3_000_000 {
        read += response.chunk().await.unwrap().unwrap().len();
    }
    drop(response);
    let slow = Fault::slow_body(Duration::from_millis(1));
    kit.qwen().fault(Operation::Token, slow);
    let response = post(&kit, TOKEN, &refresh_form(&token))
        .send()
        .await
        .unwrap();
    let body: Value = response.json().await.unwrap();
    assert!(body["access_token"].is_string());
}

#[tokio::test]
async fn a_hang_lasts_until_the_client_gives_up() {
    let (kit, token) = signed_in().await;
    kit.qwen().fault(Operation::Refresh, Fault::hang());
    let request = post(&kit, TOKEN, &refresh_form(&token));
    let waiting = tokio::spawn(request.send());
    kit.qwen().wait_for(|seen| seen.refreshes == 1).await;
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    let delay = Fault::delay(Duration::from_millis(1));
    kit.qwen().fault(Operation::Refresh, delay);
    assert_eq!(ask(&kit, TOKEN, &refresh_form(&token)).await.0, 200);
}

#[tokio::test]
async fn a_patch_makes_odd_fields_out_of_real_ones() {
    let (kit, token) = signed_in().await;
    let odd =
        json!({"expires_in": "5", "scope": null, "resource_url": "{STATE}", "x": "{NOW_MS-1}"});
    kit.qwen().fault(Operation::Refresh, Fault::patch(odd));
    let (status, body) = ask(&kit, TOKEN, &refresh_form(&token)).await;
    assert_eq!((status, &body["expires_in"]), (200, &json!("5")));
    assert_eq!((&body["scope"], body["x"].is_i64()), (&Value::Null, true));
    assert_eq!(kit.qwen().faults_left(), 0);
}

#[tokio::test]
async fn a_patch_waits_for_the_redirect_that_it_can_change() {
    let kit = automatic().await;
    let forged = Fault::patch(json!({"state": "forged", "iss": null}));
    kit.gemini().fault(Operation::Authorization, forged);
    let refused = request(&kit, Method::GET, "/o/oauth2/v2/auth").send();
    assert_eq!(refused.await.unwrap().status(), 400);
    assert_eq!(kit.gemini().faults_left(), 1);
    let query = "response_type=code&client_id=testkit.apps.googleusercontent.com\
        &redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2F&scope=openid&state=s\
        &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
    let path = format!("/o/oauth2/v2/auth?{query}");
    let response = request(&kit, Method::GET, &path).send().await.unwrap();
    let location = header(&response, "location");
    assert!(location.ends_with("&state=forged"), "{location}");
    assert!(!location.contains("iss="));
}

#[tokio::test]
async fn the_clock_of_the_server_can_be_wrong() {
    let kit = automatic().await;
    kit.set_date_offset(-10 * 365 * 86_400);
    let response = request(&kit, Method::GET, "/testkit/state").send().await;
    let date = header(&response.unwrap(), "date");
    let year: u32 = date.split(' ').nth(3).unwrap().parse().unwrap();
    assert!(year < 2020, "{date}");
}

#[tokio::test]
async fn a_dropped_kit_no_longer_listens() {
    let kit = automatic().await;
    let request = request(&kit, Method::GET, "/testkit/state");
    drop(kit);
    assert!(request.send().await.unwrap_err().is_connect());
}
