//! The arguments of `doctor`.

use std::time::Duration;

use clap::Args;

use crate::providers::{ProviderArgs, ProviderName};
use crate::session::selector::SessionSelector;
use crate::time;

#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    /// Only this vendor.
    #[arg(value_enum, ignore_case = true, value_name = "VENDOR")]
    pub(super) provider: Option<ProviderName>,

    #[command(flatten)]
    pub(super) selector: SessionSelector,

    #[command(flatten)]
    pub(super) provider_args: ProviderArgs,

    /// Send nothing.
    #[arg(long)]
    pub(super) offline: bool,

    /// How long an endpoint may take to answer [default: 10].
    #[arg(long, value_name = "SECONDS", value_parser = time::seconds)]
    pub(super) timeout: Option<Duration>,

    /// Write one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}
