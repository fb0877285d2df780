//! Hugging Face against a strict simulated server.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use llm_auth_huggingface::{AuthProvider as _, HuggingFace, OAuthToken, ProviderSpec as _};

#[tokio::test]
async fn it_needs_a_client_of_the_user_s_own_and_records_it() {
    let provider = HuggingFace::default().provider();
    let error = provider.authenticate(&llm_auth_huggingface::Silent).await;
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("OAuth app of your own")
    );
    let session = OAuthToken::new("made-up".into(), None);
    let own = HuggingFace::with_client("made-up-id").provider();
    let imported = own.import_session(session).unwrap();
    assert_eq!(imported.metadata.provider_data["client_id"], "made-up-id");
    assert!(imported.is_valid_for(
        Duration::from_secs(60),
        llm_auth_huggingface::Timestamp::default()
    ));
}
