//! Hugging Face against the table of responses and a strict simulated server.

use llm_auth_huggingface::HuggingFaceProvider;
use llm_auth_testkit::{Conformance, Failures};

#[tokio::test]
async fn hugging_face_conforms() -> Result<(), Failures> {
    let conformance = Conformance::of(HuggingFaceProvider::builder());
    conformance.wire_cases(10).check().await
}
