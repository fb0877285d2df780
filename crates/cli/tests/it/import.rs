//! The sessions of other programs: inspected, imported, or left alone.

mod inspection;
mod programs;
mod take_over;

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::user::User;

const FAR: i64 = 4_102_444_800_000;

/// Writes a file of another program below the home directory.
fn write(user: &User, file: &str, content: &Value) -> PathBuf {
    let file = user.directory.path().join(file);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, content.to_string()).unwrap();
    file
}

fn qwen_code(access: &str, refresh: &str, expiry: i64) -> Value {
    json!({
        "access_token": access,
        "refresh_token": refresh,
        "token_type": "Bearer",
        "resource_url": "portal.qwen.ai",
        "expiry_date": expiry,
    })
}

/// Qwen Code with a session that is valid for long; its file.
fn qwen_code_signed_in(user: &User) -> PathBuf {
    let tokens = qwen_code("made-up-access", "made-up-refresh", FAR);
    write(user, ".qwen/oauth_creds.json", &tokens)
}
