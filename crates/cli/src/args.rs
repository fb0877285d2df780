//! Arguments that several commands have.

use clap::Args;

use crate::providers::Vendor;
use crate::session::selector::SessionSelector;

/// Which session a command is about.
#[derive(Args, Clone, Debug)]
pub(crate) struct SessionArgs {
    /// The vendor.
    #[arg(value_enum, ignore_case = true)]
    pub(crate) vendor: Vendor,

    #[command(flatten)]
    pub(crate) selector: SessionSelector,
}
