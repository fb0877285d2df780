//! The session that the flags name.

use std::path::PathBuf;

use clap::Args;

use crate::text::not_a_name;

/// Where sessions are kept, and which of them is meant.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct SessionSelector {
    /// The account, by name or by the verified e-mail address of its user [default: the current
    /// account].
    #[arg(long, value_name = "NAME", value_parser = account_name)]
    pub(crate) account: Option<String>,

    /// Store the session in this JSON file, which gochat can share.
    #[arg(long, value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,
}

/// A name of an account on the command line; the reason why it is none.
pub(crate) fn account_name(name: &str) -> Result<String, String> {
    match not_a_name(name) {
        Some(why) => Err(format!("the name {why}")),
        None => Ok(name.to_owned()),
    }
}
