//! Asking for a user code and polling with it, as the other side of the socket sees it.

use std::time::Duration;

use llm_auth_minimax::{Dialect, MiniMaxProvider};
use llm_auth_testkit::{ScriptedServer, parameters};

use crate::common::{TestResult, at};

const OURS: &str = r#"{"user_code":"A+B&C","verification_uri":"https://platform.minimax.io/oauth-authorize?user_code=x","expired_in":1790000060000,"interval":3000,"state":"{STATE}"}"#;
const RFC: &str = r#"{"device_code":"made-up+/=&%","user_code":"UWBR-EFBT","verification_uri":"https://account.minimax.io/oauth-authorize","expires_in":300,"interval":3}"#;

#[tokio::test]
async fn each_dialect_asks_for_a_code_in_its_own_words() -> TestResult {
    let challenge = "code_challenge=X&code_challenge_method=S256";
    for (dialect, answer, body) in [
        (
            Dialect::OpenClaw,
            OURS,
            format!(
                "client_id=78257093-7e40-4613-99e0-527b14b39113&scope=group_id+profile+model.completion&{challenge}&response_type=code&state=X"
            ),
        ),
        (
            Dialect::Mmx,
            OURS,
            format!(
                "client_id=659cf4c1-615c-45f6-a5f6-4bf15eb476e5&scope=openid+profile+coding_plan&{challenge}&state=X"
            ),
        ),
        (
            Dialect::MiniMaxCode,
            RFC,
            format!(
                "client_id=mcode-public&scope=agent.default&{challenge}&audience=agent-backend"
            ),
        ),
    ] {
        let server = ScriptedServer::json([(200, answer)]).await?;
        let (_, pkce) = at(&server, dialect)?.request_device_code().await?;
        let request = &server.requests()[0];
        assert_eq!(request.target, "/oauth2/device/code");
        assert_eq!(request.headers["x-request-id"].len(), 36);
        let state = request.parameter("state").unwrap_or_else(|| "none".into());
        let sent = request.body.replace(pkce.challenge(), "X");
        let sent = sent.replace(&format!("state={state}"), "state=X");
        assert_eq!(parameters(&sent), parameters(&body));
    }
    Ok(())
}

#[tokio::test]
async fn each_dialect_polls_in_its_own_words() -> TestResult {
    let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3A";
    let without_device_code = RFC.replace("\"device_code\":\"made-up+/=&%\",", "");
    for (dialect, answer, body) in [
        (
            Dialect::OpenClaw,
            OURS,
            format!(
                "{grant}user_code&client_id=78257093-7e40-4613-99e0-527b14b39113&user_code=A%2BB%26C"
            ),
        ),
        (
            Dialect::Mmx,
            OURS,
            format!(
                "{grant}device_code&client_id=659cf4c1-615c-45f6-a5f6-4bf15eb476e5&user_code=A%2BB%26C"
            ),
        ),
        (
            Dialect::MiniMaxCode,
            RFC,
            format!("{grant}device_code&client_id=mcode-public&device_code=made-up%2B%2F%3D%26%25"),
        ),
        (
            Dialect::MiniMaxCode,
            &without_device_code,
            format!("{grant}device_code&client_id=mcode-public&user_code=UWBR-EFBT"),
        ),
    ] {
        let server =
            ScriptedServer::json([(200, answer), (200, r#"{"status":"pending"}"#)]).await?;
        let provider = at(&server, dialect)?;
        let (device, pkce) = provider.request_device_code().await?;
        provider.poll_for_token(&device, &pkce).await?;
        let request = &server.requests()[1];
        assert_eq!(request.target, "/oauth2/token");
        let verifier = pkce.verifier().expose();
        let body = format!("{body}&code_verifier={verifier}");
        assert_eq!(parameters(&request.body), parameters(&body));
    }
    Ok(())
}

#[tokio::test]
async fn the_unit_of_the_interval_goes_with_the_shape_of_the_answer() -> TestResult {
    let server = ScriptedServer::json([(200, OURS)]).await?;
    let (device, _) = at(&server, Dialect::OpenClaw)?
        .request_device_code()
        .await?;
    assert_eq!(device.interval, Some(Duration::from_secs(3)));
    assert_eq!(device.expires_in, Duration::from_secs(60));
    assert_eq!(device.verification_uri_complete, None);

    let server = ScriptedServer::json([(200, RFC)]).await?;
    let (device, _) = at(&server, Dialect::MiniMaxCode)?
        .request_device_code()
        .await?;
    assert_eq!(device.interval, Some(Duration::from_secs(3)));
    assert_eq!(device.expires_in, Duration::from_secs(300));
    let page = "https://account.minimax.io/oauth-authorize?user_code=UWBR-EFBT";
    assert_eq!(device.best_uri(), page);
    Ok(())
}

/// The kind of the error, words of its message, and what changes in [`OURS`].
const ODD: &str = r#"
Protocol | not a Unix time | 1790000060000 | 1790000060
Protocol | not a Unix time | 1790000060000 | 60
Protocol | not a positive | 1790000060000 | -5
Protocol | not a positive | 1790000060000 | 1.5
Protocol | not a number | 1790000060000 | "soon"
Expired | clock | 1790000060000 | 1789999999999
Protocol | the lifetime | "expired_in":1790000060000 | "x":1
StateMismatch | state | {STATE} | other
StateMismatch | state | "state":"{STATE}" | "x":1
Protocol | user code | "user_code":"A+B&C" | "x":1
Protocol | not https | https://platform | javascript://x
Protocol | not https | http | file
"#;

#[tokio::test]
async fn odd_device_responses_are_rejected_in_clear_words() -> TestResult {
    for row in ODD.lines().filter(|row| !row.is_empty()) {
        let [kind, words, from, to] = row.split(" | ").collect::<Vec<_>>()[..] else {
            return Err(format!("no row: {row}").into());
        };
        let server = ScriptedServer::json([(200, OURS.replace(from, to))]).await?;
        let requested = at(&server, Dialect::OpenClaw)?.request_device_code().await;
        let error = requested.unwrap_err();
        assert_eq!(format!("{:?}", error.kind()), kind, "{row}");
        assert!(error.message().contains(words), "{error}: {row}");
    }
    Ok(())
}

#[tokio::test]
async fn odd_intervals_count_as_not_named() -> TestResult {
    for odd in ["0", "-1", "\"soon\"", "null", "[]"] {
        let body = OURS.replace("3000", odd);
        let server = ScriptedServer::json([(200, &body)]).await?;
        let (device, _) = at(&server, Dialect::OpenClaw)?
            .request_device_code()
            .await?;
        assert_eq!(device.interval, None, "{odd}");
    }
    let provider = MiniMaxProvider::new();
    let flow = provider
        .config()
        .device_flow()
        .ok_or("does not support the device flow")?;
    assert_eq!(flow.schedule.first_wait(None), Duration::from_secs(2));
    Ok(())
}
