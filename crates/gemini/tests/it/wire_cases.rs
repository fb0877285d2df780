//! This crate reads every response of Google in the table as the table demands.

use crate::common::{begin, provider_at};
use llm_auth_gemini::provider::{Call, Form, OAuthConfig, Operation, Poll};
use llm_auth_gemini::{
    ApiResponse, AuthProvider as _, EndpointRole, Error, GeminiProvider, HttpClient, OAuthToken,
    Result, SCOPE_EMAIL, SecureUrl, Timestamp,
};
use llm_auth_testkit::{ScriptedResponse, ScriptedServer, WireCase, label_of, wire_cases};

const TOKEN: &str = r#"{"access_token":"made-up","refresh_token":"made-up","expires_in":3600}"#;

#[tokio::test]
async fn every_line_of_the_table_means_what_it_says() {
    let cases = wire_cases("gemini");
    assert_eq!(cases.len(), 27);
    for case in &cases {
        assert_eq!(label(case).await, case.label(), "{case:?}");
    }
}

async fn label(case: &WireCase) -> String {
    match case.step.as_str() {
        "api" | "tokeninfo" => {
            let answer = ApiResponse::new(case.status, case.body.as_bytes());
            let verdict = GeminiProvider::builder()
                .build()
                .classify_api_response(&answer);
            label_of(&format!("{verdict:?}")).to_owned()
        }
        "authorize" => authorize().await,
        "callback" => callback(&case.body).await,
        "device_code" | "poll" => device(case).await,
        _ => named(at_provider(case).await),
    }
}

fn named(result: Result<&'static str>) -> String {
    result.map_or_else(|error| of_error(&error), str::to_owned)
}

fn of_error(error: &Error) -> String {
    label_of(&format!("{:?}", error.kind())).to_owned()
}

/// Google shows such an error in the browser, and nothing arrives here. This crate can only avoid
/// requesting what is blocked, and end in time.
async fn authorize() -> String {
    let provider = provider_at("http://127.0.0.1:9", "id", "made-up")
        .timeout(std::time::Duration::from_millis(20))
        .build();
    let sign_in = begin(&provider).await;
    assert!(
        sign_in
            .parameter("redirect_uri")
            .starts_with("http://127.0.0.1:")
    );
    assert_eq!(
        of_error(&sign_in.task.await.unwrap().unwrap_err()),
        "expired"
    );
    "config_error".into()
}

async fn callback(target: &str) -> String {
    let server = ScriptedServer::start([ScriptedResponse::json(200, TOKEN)])
        .await
        .unwrap();
    let sign_in = begin(&provider_at(server.base_url(), "id", "made-up").build()).await;
    let target = target.replace("{STATE}", &sign_in.parameter("state"));
    let page = sign_in.ask(&target);
    let ended = tokio::select! {
        status = page => {
            // It got a response while the sign-in went on: it did not count. The real response
            // still does.
            assert_eq!(status.unwrap(), 400, "{target}");
            None
        }
        ended = sign_in.task => Some(ended.unwrap()),
    };
    match ended {
        None if target.contains("state=wrong") => "state_mismatch".into(),
        None => "ignore_request".into(),
        Some(Ok(_)) => "ok".into(),
        Some(Err(error)) => {
            assert!(server.requests().is_empty(), "no code is redeemed");
            of_error(&error)
        }
    }
}

/// Google's device flow cannot serve Gemini (its scopes are not allowed there), so this crate has
/// none; the core reads its responses, as any server's.
async fn device(case: &WireCase) -> String {
    let server = ScriptedServer::start([ScriptedResponse::from(case)])
        .await
        .unwrap();
    let endpoint = SecureUrl::new(&format!("{}/device", server.base_url())).unwrap();
    let answer = HttpClient::default()
        .post_form(&endpoint, &Form::new().text("client_id", "id"), &[])
        .await
        .unwrap();
    let config = OAuthConfig::new("google", endpoint.clone());
    let call = |operation| Call::new(operation, &config, Timestamp::default(), &config);
    named(if case.step == "poll" {
        call(Operation::Poll).poll(&answer).map(|poll| match poll {
            Poll::Pending => "pending",
            Poll::SlowDown(_) => "slow_down",
            _ => "token",
        })
    } else {
        call(Operation::DeviceAuthorization)
            .device_authorization(&answer)
            .map(|_| "device_code")
    })
}

async fn at_provider(case: &WireCase) -> Result<&'static str> {
    let server = ScriptedServer::start([ScriptedResponse::from(case)])
        .await
        .unwrap();
    let provider = provider_at(server.base_url(), "id", "made-up").build();
    let mut token = OAuthToken::new("made-up-access".into(), Timestamp::from_unix_millis(1));
    token.refresh = Some("made-up-refresh".into());
    let done = match case.step.as_str() {
        "refresh" => provider.refresh(&token).await.map(|refreshed| {
            let merged = refreshed.inheriting(&token);
            assert_eq!(merged.refresh, token.refresh, "the old one is kept");
            "token"
        }),
        "exchange" => {
            let sign_in = begin(&provider).await;
            let _page = sign_in.ask(&format!(
                "/oauth2callback?code=made-up&state={}",
                sign_in.parameter("state")
            ));
            sign_in.task.await.unwrap().map(|_| "token")
        }
        "revoke" => provider.revoke(&token).await.map(|_| "ok"),
        "userinfo" => userinfo(&server).await,
        other => panic!("no such step: {other}"),
    };
    assert!(!server.requests().is_empty(), "{case:?}");
    done
}

/// A sign-in whose last request, for the identity, gets the scripted response.
async fn userinfo(server: &ScriptedServer) -> Result<&'static str> {
    let tokens = ScriptedServer::start([ScriptedResponse::json(200, TOKEN)])
        .await
        .unwrap();
    let token = SecureUrl::new(&format!("{}/token", tokens.base_url()))?;
    let provider = provider_at(server.base_url(), "id", "made-up")
        .endpoint(EndpointRole::Token, token)
        .scope(SCOPE_EMAIL)
        .build();
    let sign_in = begin(&provider).await;
    let _page = sign_in.ask(&format!(
        "/oauth2callback?code=made-up&state={}",
        sign_in.parameter("state")
    ));
    sign_in.task.await.unwrap().map(|token| {
        assert_eq!(token.metadata.identity, None);
        "ok"
    })
}
