//! Gemini is a provider as every other.

use llm_auth_gemini::GeminiProvider;
use llm_auth_testkit::{Conformance, Failures};

#[tokio::test]
async fn the_provider_conforms() -> Result<(), Failures> {
    let conformance = Conformance::of(GeminiProvider::builder());
    conformance.wire_cases(27).check().await
}
