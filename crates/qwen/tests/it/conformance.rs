//! Qwen is a provider as every other.

use llm_auth_qwen::QwenProvider;
use llm_auth_testkit::{Conformance, Failures};

#[tokio::test]
async fn the_provider_conforms() -> Result<(), Failures> {
    let conformance = Conformance::of(QwenProvider::builder());
    conformance.wire_cases(24).check().await
}
