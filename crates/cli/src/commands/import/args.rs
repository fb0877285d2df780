//! The arguments of `import`.

use std::path::PathBuf;

use clap::Args;

use super::source::Source;
use crate::providers::{ProviderArgs, ProviderName};
use crate::session::selector::SessionSelector;

#[derive(Args, Debug)]
pub(crate) struct ImportArgs {
    /// The program whose session it is; all that are known are looked for if it is left out.
    #[arg(value_enum)]
    pub(super) source: Option<Source>,

    /// Its file, if it is not where that program keeps it (gochat: always needed).
    #[arg(long, value_name = "FILE", requires = "source")]
    pub(super) file: Option<PathBuf>,

    /// The vendor, where the file does not say it (gochat).
    #[arg(long = "vendor", value_enum, ignore_case = true, value_name = "VENDOR")]
    pub(super) provider: Option<ProviderName>,

    #[command(flatten)]
    pub(super) selector: SessionSelector,

    #[command(flatten)]
    pub(super) provider_args: ProviderArgs,

    /// Copy the session: from then on llm-auth is its one owner.
    #[arg(long, conflicts_with = "sign_in", requires = "source")]
    pub(super) take_over: bool,

    /// Leave it alone and start a new session (recommended).
    #[arg(long, requires = "source")]
    pub(super) sign_in: bool,

    /// Write JSON to standard output.
    #[arg(long)]
    pub(crate) json: bool,
}
