//! The same sign-in and refresh on another runtime than tokio. The library's work runs on its own
//! threads, so any executor can wait for it.
//!
//! `cargo run -p llm-auth-examples --example without_tokio`
//!
//! Against the simulated vendors: `cargo run -p llm-auth-testkit -- --approve auto` in another
//! terminal, and its base URL as the argument.
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "an example")]

use llm_auth_qwen::{AuthManager, FileTokenStore, LoginEvent, QwenProvider, Result};

fn main() -> Result<()> {
    smol::block_on(async {
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
        println!("a token of {} characters", token.access.expose().len());
        let token = manager.refresh().await?;
        println!("a new one of {} characters", token.access.expose().len());
        Ok(())
    })
}
