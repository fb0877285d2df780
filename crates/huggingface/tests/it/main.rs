//! Hugging Face against the table of responses and a strict simulated server.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use llm_auth_huggingface::{
    AuthProvider as _, FlowKind, HuggingFace, HuggingFaceProvider, ProviderSpec as _, Silent,
};
use llm_auth_testkit::{
    Approval, Conformance, Failures, StandardProvider, Testkit, immediate_polls,
};

#[tokio::test]
async fn hugging_face_conforms() -> Result<(), Failures> {
    let conformance = Conformance::of(HuggingFaceProvider::builder());
    conformance.wire_cases(11).check().await
}

#[tokio::test]
async fn a_device_sign_in_with_the_scope_email_records_the_address() {
    let user = r#"{"email":"user@example.com","email_verified":true}"#;
    let server = StandardProvider::new("my-app")
        .device_authorization_path("/oauth/device")
        .token_path("/oauth/token")
        .user_info_path("/oauth/userinfo")
        .user(user.parse().unwrap());
    let kit = Testkit::builder()
        .approval(Approval::Auto)
        .interval(Duration::ZERO)
        .standard(server);
    let kit = kit.start().await.unwrap();
    let provider = HuggingFace::with_client("my-app")
        .builder()
        .base_url(kit.base_url())
        .unwrap()
        .scope("openid email")
        .schedule(immediate_polls())
        .build();
    assert_eq!(provider.config().flows[0].kind(), FlowKind::Device);
    let session = provider.authenticate(&Silent).await.unwrap();
    let identity = session.metadata.identity.as_deref();
    assert_eq!(identity, Some("user@example.com"));
}
