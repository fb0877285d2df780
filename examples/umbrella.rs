//! Every vendor behind one type: the current sign-ins, from the store that the `llm-auth` command
//! uses if its directory is given.
//!
//! `cargo run -p llm-auth-examples --example umbrella -- ~/.local/share/llm-auth/sessions`
#![allow(clippy::print_stdout, reason = "an example")]

use std::sync::Arc;

use llm_auth::gemini::GeminiProvider;
use llm_auth::minimax::MiniMaxProvider;
use llm_auth::qwen::QwenProvider;
use llm_auth::{AuthManager, FileTokenStore, Result, TokenStore};

#[tokio::main]
async fn main() -> Result<()> {
    let directory = std::env::args().nth(1).unwrap_or_else(|| "sessions".into());
    let store: Arc<dyn TokenStore> = Arc::new(FileTokenStore::directory(directory));
    let managers = [
        AuthManager::builder(GeminiProvider::new()),
        AuthManager::builder(MiniMaxProvider::new()),
        AuthManager::builder(QwenProvider::new()),
    ]
    .map(|builder| builder.store(Arc::clone(&store)).build());
    for manager in managers {
        match manager.load().await? {
            None => println!("{}: no account is signed in", manager.key()),
            Some(token) => println!(
                "{}: expires at {:?}, API {}",
                manager.key(),
                token.expires_at,
                manager.provider().api(&token)?.base.unwrap_or_default()
            ),
        }
    }
    Ok(())
}
