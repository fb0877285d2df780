//! Signs in to MiniMax in the region of the account (`global` or `cn`).
//!
//! `cargo run -p llm-auth-examples --example minimax -- cn`
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "an example")]

use llm_auth_minimax::{
    AuthManager, FileTokenStore, LoginEvent, MiniMax, ProviderSpec as _, Result,
};

#[tokio::main]
async fn main() -> Result<()> {
    let region = std::env::args().nth(1).unwrap_or_else(|| "global".into());
    let provider = MiniMax::in_region(region.parse()?).provider();
    let manager = AuthManager::builder(provider)
        .store(FileTokenStore::file("minimax-session.json"))
        .account(region)
        .build();
    let token = manager
        .token_or_login(&|event: &LoginEvent<'_>| eprintln!("{event}"))
        .await?;
    if let Some(message) = &token.notification {
        println!("MiniMax says: {message:?}");
    }
    let api = manager.provider().api(&token)?;
    println!("call {}", api.base.unwrap_or_default());
    Ok(())
}
