//! Refreshing and revoking a session: what is sent, what is kept, and what ends it.

use std::time::Duration;

use llm_auth_minimax::{AuthProvider as _, Dialect, OAuthToken};
use llm_auth_testkit::{NOW, ScriptedServer, parameters};

use crate::common::{TestResult, at, rows};

const RENEWED: &str = r#"{"status":"success","access_token":"made-up-second","expired_in":60}"#;

#[tokio::test]
async fn each_dialect_renews_in_its_own_words() -> TestResult {
    let token = "refresh_token=a%2Bb%2Fc%3Dd%26e%25f+g";
    for (dialect, body) in [
        (
            Dialect::OpenClaw,
            format!(
                "grant_type=refresh_token&client_id=78257093-7e40-4613-99e0-527b14b39113&{token}"
            ),
        ),
        (
            Dialect::Mmx,
            format!(
                "grant_type=refresh_token&client_id=659cf4c1-615c-45f6-a5f6-4bf15eb476e5&{token}"
            ),
        ),
        (
            Dialect::MiniMaxCode,
            format!(
                "grant_type=refresh_token&client_id=mcode-public&{token}&scope=agent.default&audience=agent-backend"
            ),
        ),
    ] {
        let server = ScriptedServer::json([(200, RENEWED)]).await?;
        at(&server, dialect)?
            .refresh(&session("a+b/c=d&e%f g"))
            .await?;
        assert_eq!(server.requests()[0].target, "/oauth2/token");
        let sent = &server.requests()[0].body;
        assert_eq!(parameters(sent), parameters(&body));
    }
    Ok(())
}

#[tokio::test]
async fn the_first_refresh_of_a_plain_session_records_where_and_as_what_it_was() -> TestResult {
    let server = ScriptedServer::json([(200, RENEWED), (200, RENEWED)]).await?;
    let plain = session("made-up");
    let renewed = at(&server, Dialect::OpenClaw)?.refresh(&plain).await?;
    let data = &renewed.metadata.provider_data;
    assert_eq!((&data["region"], &data["dialect"]), ("global", "openclaw"));
    let renewed = renewed.inheriting(&plain);
    let again = at(&server, Dialect::MiniMaxCode)?.refresh(&renewed).await?;
    assert_eq!(again.metadata.provider_data, renewed.metadata.provider_data);
    let requests = server.requests();
    let [first, second] = requests.as_slice() else {
        return Err("not two requests".into());
    };
    assert_eq!(parameters(&second.body), parameters(&first.body));
    Ok(())
}

#[tokio::test]
async fn an_expiry_that_cannot_be_read_does_not_lose_the_next_refresh_token() -> TestResult {
    for expiry in ["\"expired_in\":\"3600s\"", "\"x\":1", "\"expired_in\":0"] {
        let body = format!(r#"{{"access_token":"x","refresh_token":"made-up-next",{expiry}}}"#);
        let server = ScriptedServer::json([(200, &body)]).await?;
        let refreshed = at(&server, Dialect::OpenClaw)?
            .refresh(&session("made-up"))
            .await?;
        assert_eq!(refreshed.refresh, Some("made-up-next".into()), "{expiry}");
        assert_eq!(
            refreshed.expires_at,
            Some(NOW.after(Duration::from_secs(3600)))
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_narrower_scope_does_not_lose_the_next_refresh_token() -> TestResult {
    let body = r#"{"access_token":"x","refresh_token":"made-up-next","expires_in":60,"scope":"o"}"#;
    let server = ScriptedServer::json([(200, body)]).await?;
    let refreshed = at(&server, Dialect::MiniMaxCode)?
        .refresh(&session("made-up"))
        .await?;
    assert_eq!(refreshed.refresh, Some("made-up-next".into()));
    assert_eq!(refreshed.scope.as_deref(), Some("o"));
    Ok(())
}

/// A verdict is a reason in the words of OAuth; any other rejection may be temporary.
const REFRESHES: &str = r#"
verdict 200 {"base_resp":{"status_code":40004}}
verdict 400 {"error":"invalid_grant"}
verdict 200 {"status":"error","base_resp":{"status_code":5,"status_msg":"refresh_token_reused"}}
RefreshRejected 200 {"status":"error"}
RefreshRejected 200 {"base_resp":{"status_code":1004}}
RefreshRejected 401 {"base_resp":{"status_code":2049}}
RefreshRejected 200 {"base_resp":{"status_code":2049}}
RefreshRejected 401 {"error":"Unauthorized"}
RefreshRejected 400 invalid_grant
RefreshRejected 401
verdict 400 {"error":"invalid_grant","error_description":"x"}
verdict 400 {"base_resp":{"status_code":1,"status_msg":"invalid_grant: x"}}
verdict 200 {"status":"error","base_resp":{"status_code":5,"status_msg":"invalid_refresh_token"}}
RefreshRejected 200 {"base_resp":{"status_code":1004,"status_msg":"not login"}}
RefreshRejected 401 {"base_resp":{"status_code":"1004"}}
RefreshRejected 200 {"status":"error","base_resp":{"status_code":2049,"status_msg":"invalid api key"}}
RefreshRejected 401 Unauthorized
RefreshRejected 400 <html>
Config 401 {"error":"invalid_client"}
Protocol 200 {"base_resp":{"status_code":9,"status_msg":"no"}}
Protocol 200 {"error":"invalid_request","base_resp":{"status_code":1004}}
Protocol 200 {"status":"pending"}
Protocol 200 {"status":"success","access_token":""}
Protocol 200 {}
Protocol 400 {"error":"invalid_request"}
RateLimited 429 {"base_resp":{"status_code":1002,"status_msg":"rate limit"}}
Transient 503 {"base_resp":{"status_code":1004}}
Transient 403 <html>
Transient 200 ok
Transient 500 {"error":"invalid_grant"}
Transient 0
"#;

#[tokio::test]
async fn what_kills_a_refresh_token_and_what_does_not() -> TestResult {
    for (expected, status, body) in rows(REFRESHES) {
        let server = ScriptedServer::json([(status, body)]).await?;
        let provider = at(&server, Dialect::OpenClaw)?;
        let error = provider.refresh(&session("made-up")).await.unwrap_err();
        let kind = match error.is_verdict() {
            true => "verdict".into(),
            false => format!("{:?}", error.kind()),
        };
        assert_eq!(kind, expected, "{status} {body}");
    }
    Ok(())
}

#[tokio::test]
async fn an_error_repeats_no_secret_that_was_sent() -> TestResult {
    let body =
        r#"{"base_resp":{"status_code":9,"status_msg":"made-up-refresh \u001b[31mis dead"}}"#;
    let server = ScriptedServer::json([(400, body)]).await?;
    let provider = at(&server, Dialect::OpenClaw)?;
    let error = provider
        .refresh(&session("made-up-refresh"))
        .await
        .unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("made-up-refresh"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "{shown}");
    assert!(shown.contains("status code 9"), "{shown}");
    assert!(!shown.contains("is dead"), "{shown}");
    assert!(shown.contains("not shown"), "{shown}");
    Ok(())
}

const REVOCATIONS: &str = r#"
Transient 503
Transient 200 <html>captcha</html>
Config 200 {"error":"invalid_client"}
Protocol 200 {"base_resp":{"status_code":7,"status_msg":"no"}}
Protocol 400 {"error":"unsupported_token_type"}
"#;

#[tokio::test]
async fn a_revocation_that_is_not_confirmed_is_an_error() -> TestResult {
    for (kind, status, body) in rows(REVOCATIONS) {
        let server = ScriptedServer::json([(status, body)]).await?;
        let provider = at(&server, Dialect::MiniMaxCode)?;
        let error = provider.revoke(&session("made-up")).await.unwrap_err();
        assert_eq!(format!("{:?}", error.kind()), kind, "{status} {body}");
    }
    Ok(())
}

fn session(refresh: &str) -> OAuthToken {
    let mut token = OAuthToken::new("made-up-access".into(), NOW);
    token.refresh = Some(refresh.into());
    token
}
