//! Poe against the table of responses and a strict simulated server.

use llm_auth_poe::PoeProvider;
use llm_auth_testkit::{Conformance, Failures};

#[tokio::test]
async fn poe_conforms() -> Result<(), Failures> {
    let conformance = Conformance::of(PoeProvider::builder());
    conformance
        .without_refresh_tokens()
        .wire_cases(12)
        .check()
        .await
}
