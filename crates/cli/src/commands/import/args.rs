//! The arguments of `import`.

use std::path::PathBuf;

use clap::Args;

use super::source::Source;
use crate::providers::{ProviderArgs, ProviderName};
use crate::session::selector::SessionSelector;

#[derive(Args, Debug)]
pub(crate) struct ImportArgs {
    /// The program that owns the session; without it, the command looks for all known programs.
    #[arg(value_enum)]
    pub(super) source: Option<Source>,

    /// The session file, if it is not in the program's default location (required for gochat).
    #[arg(long, value_name = "FILE", requires = "source")]
    pub(super) file: Option<PathBuf>,

    /// The provider, if the file does not record it (gochat).
    #[arg(
        long = "vendor",
        value_parser = ProviderName::parser(),
        ignore_case = true,
        value_name = "PROVIDER"
    )]
    pub(super) provider: Option<ProviderName>,

    #[command(flatten)]
    pub(super) selector: SessionSelector,

    #[command(flatten)]
    pub(super) provider_args: ProviderArgs,

    /// Import a copy of the session; from then on only llm-auth may use it.
    #[arg(long, conflicts_with = "sign_in", requires = "source")]
    pub(super) take_over: bool,

    /// Leave the session alone and sign in again (recommended).
    #[arg(long, requires = "source")]
    pub(super) sign_in: bool,

    /// Print JSON to standard output.
    #[arg(long)]
    pub(crate) json: bool,
}
