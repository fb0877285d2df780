//! The least that prints a stored token: read, parse, compare the expiry. No runtime, no HTTP.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;

#[derive(Deserialize)]
struct Token {
    access: String,
    expires: u64,
}

#[expect(clippy::disallowed_methods, reason = "it has no clock of ours")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("no file given")?;
    let token: Token = serde_json::from_slice(&std::fs::read(path)?)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    if u128::from(token.expires) <= now.as_millis() {
        return Err("expired".into());
    }
    println!("{}", token.access);
    Ok(())
}
