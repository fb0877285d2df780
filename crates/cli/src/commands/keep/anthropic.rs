//! The profiles of Anthropic's SDKs: a configuration without secrets, and credentials that another
//! program keeps fresh (`CredentialsFile` of anthropic-python 2.14.0: `user_oauth` without a
//! `client_id`).

use std::path::PathBuf;

use llm_auth_core::files;
use serde_json::json;

use crate::error::Failure;
use crate::system::env;
use crate::system::files::LARGEST;

/// The variable of the SDKs that moves the directory.
const DIRECTORY: &str = "ANTHROPIC_CONFIG_DIR";

/// The file of a profile's credentials.
pub(super) fn credentials(profile: &str) -> Result<PathBuf, Failure> {
    file("credentials", profile)
}

/// Writes the profile, if there is none of that name; a profile that says something else is the
/// user's.
pub(super) fn write_profile(profile: &str, api_base: &str) -> Result<(), Failure> {
    let file = file("configs", profile)?;
    let config = json!({"authentication": {"type": "user_oauth"}, "base_url": api_base});
    let cannot = |why: String| Failure::Config {
        message: format!("cannot write the profile {}: {why}", file.display()),
        advice: "choose another profile with --name, or remove the file".into(),
    };
    match files::read(&file, LARGEST) {
        Ok(content) => {
            let found: serde_json::Value = serde_json::from_slice(&content)
                .map_err(|_may_quote_it| cannot("it is no JSON".into()))?;
            if found["authentication"] != config["authentication"] {
                return Err(cannot("it authenticates in another way".into()));
            }
            // The SDKs send the token there.
            match found["base_url"] == config["base_url"] {
                true => Ok(()),
                false => Err(cannot("it is for another base URL".into())),
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let parent = file.parent().map_or(Ok(()), files::make_directories);
            let written =
                parent.and_then(|()| files::replace(&file, format!("{config}\n").as_bytes()));
            written.map_err(|error| cannot(error.to_string()))
        }
        Err(error) => Err(cannot(error.to_string())),
    }
}

fn file(kind: &str, profile: &str) -> Result<PathBuf, Failure> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if profile.is_empty() || profile.starts_with('.') || !profile.chars().all(is_plain) {
        return Err(Failure::Usage(
            "a profile is named by letters, digits and any of ._-".into(),
        ));
    }
    Ok(directory()?.join(kind).join(format!("{profile}.json")))
}

fn directory() -> Result<PathBuf, Failure> {
    if let Some(named) = env::value(DIRECTORY) {
        return Ok(named.into());
    }
    let home = if cfg!(windows) {
        env::value("APPDATA").map(|data| PathBuf::from(data).join("Anthropic"))
    } else {
        etcetera::home_dir()
            .ok()
            .map(|home| home.join(".config/anthropic"))
    };
    home.ok_or_else(|| Failure::Config {
        message: "cannot find a home directory for Anthropic's profile".into(),
        advice: format!("set {DIRECTORY} to a directory, or name a file with --file"),
    })
}
