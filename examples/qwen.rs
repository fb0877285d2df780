//! Signs in to Qwen once, then only refreshes. One vendor crate is enough for it.
//!
//! `cargo run -p llm-auth-examples --example qwen`
//!
//! Against the simulated vendors: `cargo run -p llm-auth-testkit -- --approve auto` in another
//! terminal, and its base URL as the argument.
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "an example")]

use llm_auth_qwen::{AuthManager, FileTokenStore, LoginEvent, QwenProvider, Result};

#[tokio::main]
async fn main() -> Result<()> {
    let mut provider = QwenProvider::builder();
    if let Some(base) = std::env::args().nth(1) {
        provider = provider.base_url(&base)?;
    }
    let manager = AuthManager::builder(provider.build())
        .store(FileTokenStore::file("qwen-session.json"))
        .build();
    let token = manager
        .token_or_login(&|event: &LoginEvent<'_>| eprintln!("{event}"))
        .await?;
    let api = manager.provider().api(&token)?;
    println!("call {}", api.base.unwrap_or_default());
    println!(
        "with a token of {} characters, good until {}",
        token.access.expose().len(),
        token
            .expires_at
            .map_or_else(|| "further notice".to_owned(), |at| at.to_string())
    );
    Ok(())
}
