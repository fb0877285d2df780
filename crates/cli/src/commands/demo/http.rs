//! The requests of a browser and of an API call, to this computer alone. The client of the library
//! posts parameters, and does not follow or show redirects.

use std::time::Duration;

use reqwest::header::LOCATION;
use reqwest::redirect::Policy;
use reqwest::{Client, Result};
use serde_json::Value;

const TIMEOUT: Duration = Duration::from_secs(20);

fn client() -> Result<Client> {
    // Even for plain HTTP, the client needs a TLS provider, and the library installs none.
    let _other = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .user_agent("llm-auth-demo")
        .redirect(Policy::none())
        .timeout(TIMEOUT)
        .no_proxy()
        .build()
}

/// Requests a page, and returns the address that it redirects to.
pub(super) async fn get(url: &str) -> Result<Option<String>> {
    let response = client()?.get(url).send().await?;
    let location = response.headers().get(LOCATION);
    let location = location.and_then(|location| location.to_str().ok());
    Ok(location.map(str::to_owned))
}

/// Posts JSON, and returns the status and the JSON of the response.
pub(super) async fn post_json(
    url: &str,
    headers: &[(String, String)],
    body: &Value,
) -> Result<(u16, Value)> {
    let mut request = client()?.post(url).json(body);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let response = request.send().await?;
    let status = response.status().as_u16();
    Ok((status, response.json().await.unwrap_or_default()))
}
