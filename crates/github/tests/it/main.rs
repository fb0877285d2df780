//! GitHub against the table of responses and a strict simulated server.

use llm_auth_github::GitHubProvider;
use llm_auth_testkit::{Conformance, Failures};

#[tokio::test]
async fn github_conforms() -> Result<(), Failures> {
    let conformance = Conformance::of(GitHubProvider::builder());
    conformance.wire_cases(23).check().await
}
