//! Arguments that several commands have.

use clap::Args;

use crate::providers::ProviderName;
use crate::session::selector::SessionSelector;

/// Which session a command is about.
#[derive(Args, Clone, Debug)]
pub(crate) struct SessionArgs {
    /// The provider.
    #[arg(ignore_case = true, value_name = "PROVIDER", value_parser = ProviderName::parser())]
    pub(crate) provider: ProviderName,

    #[command(flatten)]
    pub(crate) selector: SessionSelector,
}
