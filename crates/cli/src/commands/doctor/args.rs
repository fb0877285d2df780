//! The arguments of `doctor`.

use std::time::Duration;

use clap::Args;

use crate::providers::{ProviderArgs, ProviderName};
use crate::session::selector::SessionSelector;
use crate::time;

#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    /// Check only this provider [default: those with a session or a variable, or all if there are none].
    #[arg(ignore_case = true, value_name = "PROVIDER", value_parser = ProviderName::parser())]
    pub(super) provider: Option<ProviderName>,

    #[command(flatten)]
    pub(super) selector: SessionSelector,

    #[command(flatten)]
    pub(super) provider_args: ProviderArgs,

    /// Send no request.
    #[arg(long)]
    pub(super) offline: bool,

    /// The limit for the response of an endpoint [default: 10].
    #[arg(long, value_name = "SECONDS", value_parser = time::seconds, allow_negative_numbers = true)]
    pub(super) timeout: Option<Duration>,

    /// Print a JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}
