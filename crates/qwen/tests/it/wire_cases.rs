//! This crate reads every response of Qwen in the table as the table demands.

use std::error::Error as StdError;

use llm_auth_core::provider::Poll;
use llm_auth_core::{ApiResponse, Timestamp};
use llm_auth_qwen::{AuthProvider as _, Error, OAuthToken, QwenProvider};
use llm_auth_testkit::{ScriptedResponse, ScriptedServer, WireCase, label_of, wire_cases};

#[tokio::test]
async fn every_line_of_the_table_means_what_it_says() -> Result<(), Box<dyn StdError>> {
    let cases = wire_cases("qwen");
    assert_eq!(cases.len(), 24);
    for case in &cases {
        assert_eq!(label(case).await?, case.label(), "{case:?}");
    }
    Ok(())
}

/// How this crate reads a case.
async fn label(case: &WireCase) -> Result<String, Box<dyn StdError>> {
    if case.step == "api" {
        let answer = ApiResponse::new(case.status, case.body.as_bytes());
        let verdict = QwenProvider::new().classify_api_response(&answer);
        return Ok(label_of(&format!("{verdict:?}")).to_owned());
    }
    // A poll needs a device code first, and a server that issues one.
    let codes = ScriptedServer::start([ScriptedResponse::json(200, DEVICE)]).await?;
    let (device, pkce) = at(codes.base_url())?.request_device_code().await?;
    let server = ScriptedServer::start([ScriptedResponse::from(case)]).await?;
    let provider = at(server.base_url())?;
    let done = match case.step.as_str() {
        "device_code" => provider.request_device_code().await.map(|_| "device_code"),
        "poll" => provider
            .poll_for_token(&device, &pkce)
            .await
            .map(|poll| match poll {
                Poll::Pending => "pending",
                Poll::SlowDown(_) => "slow_down",
                Poll::Ready(_) => "token",
                _ => "unknown",
            }),
        "refresh" => provider.refresh(&old_session()).await.map(|_| "token"),
        other => return Err(format!("no such step: {other}").into()),
    };
    assert_eq!(server.requests().len(), 1, "{case:?}");
    Ok(done.map_or_else(|error| of_error(&error), str::to_owned))
}

fn of_error(error: &Error) -> String {
    label_of(&format!("{:?}", error.kind())).to_owned()
}

fn at(base: &str) -> Result<QwenProvider, Error> {
    Ok(QwenProvider::builder()
        .base_url(base)?
        .trust_endpoint(base.parse()?)
        .build())
}

fn old_session() -> OAuthToken {
    let mut token = OAuthToken::new("made-up-access".into(), Timestamp::from_unix_millis(1));
    token.refresh = Some("made-up-refresh".into());
    token
}

const DEVICE: &str = r#"{"device_code":"made-up","user_code":"TEST123","verification_uri":"https://chat.qwen.ai/device"}"#;
