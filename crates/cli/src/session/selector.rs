//! The session that the flags name.

use std::path::PathBuf;

use clap::Args;

use crate::text::not_a_name;

/// Where sessions are kept, and which of them is meant.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct SessionSelector {
    /// Which of several accounts at the vendor, by name or by its owner's verified identity
    /// [default: the current one].
    #[arg(long, value_name = "NAME", value_parser = account_name)]
    pub(crate) account: Option<String>,

    /// Keep the session in this one JSON file (which gochat can share).
    #[arg(long, value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,
}

fn account_name(name: &str) -> Result<String, String> {
    match not_a_name(name) {
        Some(why) => Err(format!("the name {why}")),
        None => Ok(name.to_owned()),
    }
}
