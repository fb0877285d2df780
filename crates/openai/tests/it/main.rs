//! "Sign in with ChatGPT" against the table of responses and a strict simulated server.

mod registration;

use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};

use llm_auth_openai::{FIRST_CLIENT, OpenAi, ProviderSpec as _};
use llm_auth_testkit::Conformance;

#[tokio::test]
async fn openai_conforms() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let place = directory.path().to_owned();
    let count = AtomicUsize::new(0);
    let conformance = Conformance::of_new(move || {
        // Each is another installation.
        let number = count.fetch_add(1, Ordering::Relaxed);
        OpenAi::new("Example Agent", place.join(format!("{number}.json"))).builder()
    });
    let conformance = conformance.first_client(FIRST_CLIENT);
    Ok(conformance.wire_cases(6).check().await?)
}
