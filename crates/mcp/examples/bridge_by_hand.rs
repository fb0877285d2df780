//! A bridge to try by hand, with a made-up token that is never refreshed:
//! `cargo run -p llm-auth-mcp --features bridge --example bridge_by_hand -- http://127.0.0.1:3000/mcp`
//!
//! With a file as the second argument, the token is that of the session in the file.

use llm_auth_mcp::provider::OAuthConfig;
use llm_auth_mcp::{
    AuthManager, Bridge, Error, ErrorKind, FileTokenStore, OAuthToken, ProviderSpec as _, Result,
    SecureUrl,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = || Error::new(ErrorKind::Config, "no URL: give that of an MCP server");
    let url = SecureUrl::new(&arguments.next().ok_or_else(usage)?)?;
    let provider = OAuthConfig::new("made-up", url.clone()).provider();
    let manager = match arguments.next() {
        Some(file) => AuthManager::builder(provider)
            .store(FileTokenStore::file(file))
            .build(),
        None => {
            let manager = AuthManager::builder(provider).build();
            manager
                .insert_session(OAuthToken::new("made-up-token".into(), None))
                .await?;
            manager
        }
    };
    Bridge::new(manager, url, "llm-auth login mcp made-up")
        .run(tokio::io::stdin(), tokio::io::stdout())
        .await
}
