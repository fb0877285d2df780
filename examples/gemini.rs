//! Signs in to Gemini with your own OAuth client (a Google `client_secret.json`).
//!
//! `cargo run -p llm-auth-examples --example gemini -- client_secret.json`
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "an example")]

use std::error::Error;

use llm_auth_gemini::{
    AuthManager, FileTokenStore, Gemini, LoginEvent, OAuthClient, ProviderSpec as _,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "client_secret.json".into());
    let client = OAuthClient::from_json(&std::fs::read(path)?)?;
    let manager = AuthManager::builder(Gemini::with_client(client).provider())
        .store(FileTokenStore::file("gemini-session.json"))
        .build();
    let token = manager
        .token_or_login(&|event: &LoginEvent<'_>| eprintln!("{event}"))
        .await?;
    println!(
        "Authorization: Bearer ({} characters)",
        token.access.expose().len()
    );
    for (name, value) in manager.provider().api(&token)?.headers {
        println!("{name}: {value}");
    }
    Ok(())
}
