//! A device flow as GitHub has it: errors inside 200, form parameters, codes of its own, and tokens
//! that do not expire.

use std::time::Duration;

use llm_auth_core::provider::{
    Call, Client, DeviceFlow, Flow, OAuthConfig, Poll, Response, TokenResponse,
};
use llm_auth_core::{
    AuthProvider as _, ClientCredentials, ErrorKind, OAuthProvider, PollSchedule, ProviderSpec,
    Result, SecureUrl, Silent,
};

use crate::support::script::Script;

const DEVICE: &str = "device_code=made-up&user_code=AB-CD&verification_uri=https://vendor.example/device&expires_in=900&interval=5";

#[derive(Debug, Default)]
struct Vendor;

impl ProviderSpec for Vendor {
    fn config(&self) -> OAuthConfig {
        let mut config = super::config("vendor");
        config.endpoints.device_authorization =
            Some(SecureUrl::known("https://vendor.example/device/code"));
        config.client = Client::known("made-up-id");
        config.required_scope = Some("chat".into());
        let meaning = ("bad_verification_code", "expired_token");
        config
            .error_codes
            .insert(meaning.0.into(), meaning.1.into());
        let mut flow = DeviceFlow::default();
        flow.pkce = true;
        config.flows = vec![Flow::Device(flow)];
        config
    }

    fn token(&self, call: &Call<'_>, response: &Response) -> Result<TokenResponse> {
        let mut token = call.token(response)?;
        if !call.read(response)?.has("expires_in") {
            token.expires_in = None;
        }
        Ok(token)
    }
}

fn provider(script: &Script) -> OAuthProvider<Vendor> {
    let blink = Duration::from_millis(1);
    let schedule = PollSchedule::new()
        .default_interval(blink)
        .minimum(blink)
        .cap(blink)
        .slow_down_step(blink);
    OAuthProvider::<Vendor>::builder()
        .base_url(&script.base)
        .unwrap()
        .schedule(schedule)
        .build()
}

#[tokio::test]
async fn a_poll_reads_errors_inside_200_and_form_parameters() {
    let script = Script::start(&[
        (200, DEVICE),
        (200, "error=authorization_pending"),
        (200, "error=slow_down&interval=10"),
        (200, "error=bad_verification_code&error_description=made+up"),
        (200, r#"{"access_token":"made-up-token","scope":"chat"}"#),
        (200, r#"{"access_token":"made-up-token","scope":"mail"}"#),
    ])
    .await;
    let provider = provider(&script);
    let (device, pkce) = provider.request_device_code().await.unwrap();
    assert_eq!(device.user_code, "AB-CD");
    let poll = async || provider.poll_for_token(&device, &pkce).await;
    assert!(matches!(poll().await, Ok(Poll::Pending)));
    let slower = poll().await.unwrap();
    let Poll::SlowDown(Some(interval)) = slower else {
        panic!("{slower:?}");
    };
    assert_eq!(interval, Duration::from_secs(10));
    let error = poll().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Expired);
    assert!(
        error.to_string().contains("bad_verification_code"),
        "{error}"
    );
    let Poll::Ready(granted) = poll().await.unwrap() else {
        panic!("no token");
    };
    let session = provider.session(granted);
    assert_eq!((session.expires_at, session.refresh.clone()), (None, None));
    assert_eq!(&session.metadata.provider_data["client_id"], "made-up-id");
    let error = poll().await.unwrap_err();
    assert!(
        error.to_string().contains("without chat"),
        "a scope that every call needs: {error}"
    );
    let sent = script.sent();
    assert!(sent[0].parameter("code_challenge").is_some());
    let verifier = pkce.verifier().expose();
    assert_eq!(sent[1].parameter("code_verifier"), Some(verifier));
}

#[tokio::test]
async fn a_state_that_does_not_come_back_ends_the_sign_in() {
    let script = Script::start(&[(200, DEVICE)]).await;
    let mut config = Vendor.config();
    let mut flow = DeviceFlow::default();
    flow.echoes_state = true;
    config.flows = vec![Flow::Device(flow)];
    let provider = config.builder().base_url(&script.base).unwrap().build();
    let error = provider.authenticate(&Silent).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StateMismatch);
    assert_eq!(script.sent().len(), 1);
}

#[tokio::test]
async fn a_client_with_a_secret_authenticates_at_both_endpoints() {
    let script = Script::start(&[(200, DEVICE), (400, "error=authorization_pending")]).await;
    let secret = Some("made-up-secret".into());
    let provider = OAuthProvider::<Vendor>::builder()
        .base_url(&script.base)
        .unwrap()
        .client(ClientCredentials::new("made-up-id", secret))
        .build();
    let (device, pkce) = provider.request_device_code().await.unwrap();
    provider.poll_for_token(&device, &pkce).await.unwrap();
    let sent = script.sent();
    for request in &sent {
        assert_eq!(request.parameter("client_id"), Some("made-up-id"));
        let secret = request.parameter("client_secret");
        assert_eq!(secret, Some("made-up-secret"));
    }
}
