//! Made-up tokens, and the files that hold them.

use std::path::Path;
use std::{fs, io};

use serde_json::{Value, json};

/// Beyond any clock here, and before it.
const FAR_MS: i64 = 4_102_444_800_000;
const PAST_MS: i64 = 1_000_000_000_000;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Expiry {
    Valid,
    Expired,
}

/// 220 characters, as long as a real one.
pub fn access(name: &str) -> String {
    format!("{name:x<220}")
}

/// The refresh token of a family at the server, 64 characters.
pub fn refresh(family: u64, generation: u64) -> String {
    format!("{:x<64}", format!("{family}.{generation}."))
}

/// Which family and generation a refresh token is.
pub fn parse_refresh(token: &str) -> Option<(u64, u64)> {
    let mut parts = token.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

impl Expiry {
    pub fn unix_millis(self) -> i64 {
        match self {
            Self::Valid => FAR_MS,
            Self::Expired => PAST_MS,
        }
    }

    /// As the `time` crate writes an instant: year, day of the year, time of day, offset.
    fn as_time_crate(self) -> Value {
        match self {
            Self::Valid => json!([2100, 1, 0, 0, 0, 0, 0, 0, 0]),
            Self::Expired => json!([2001, 1, 0, 0, 0, 0, 0, 0, 0]),
        }
    }
}

/// Our token file.
pub fn our_file(family: u64, expiry: Expiry) -> Value {
    json!({
        "access": access("first"),
        "refresh": refresh(family, 0),
        "expires": expiry.unix_millis(),
        // What a sign-in records; account and server differ from measurement to measurement.
        "llm_auth": {
            "provider": "qwen",
            "identity": format!("person{family}@mail.example"),
            "context": { "client_id": "f0304373b74a44d2b584a3fb70ca9e56" },
            "signed_in_at": 1_795_772_037_775_i64,
        },
    })
}

/// yup-oauth2's token.
pub fn yup_token(family: u64, expiry: Expiry) -> Value {
    json!({
        "access_token": access("first"),
        "refresh_token": refresh(family, 0),
        "expires_at": expiry.as_time_crate(),
        "id_token": null,
    })
}

/// yup-oauth2's token file.
pub fn yup_file(family: u64, expiry: Expiry) -> Value {
    json!([{ "scopes": [crate::peers::SCOPE], "token": yup_token(family, expiry) }])
}

pub fn write(path: &Path, value: &Value) -> io::Result<()> {
    fs::write(path, value.to_string())
}

/// The refresh token in either file; `None` if the file is not whole.
pub fn stored_refresh(path: &Path) -> Option<String> {
    let value: Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    let token = value
        .get("refresh")
        .or_else(|| value.pointer("/0/token/refresh_token"))?;
    token.as_str().map(str::to_owned)
}

/// Lets the access token in either file expire; `false` if the file is not whole.
pub fn expire(path: &Path) -> bool {
    let read = fs::read(path).unwrap_or_default();
    let Ok(mut value) = serde_json::from_slice::<Value>(&read) else {
        return false;
    };
    if let Some(expires) = value.get_mut("expires") {
        *expires = PAST_MS.into();
    } else if let Some(expires) = value.pointer_mut("/0/token/expires_at") {
        *expires = Expiry::Expired.as_time_crate();
    } else {
        return false;
    }
    write(path, &value).is_ok()
}
