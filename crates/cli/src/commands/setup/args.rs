//! The arguments of `setup`.

use clap::Args;

use super::recipes::{self, Named};
use crate::providers::{ProviderName, TrustArgs};
use crate::session::selector::SessionSelector;

#[derive(Args, Debug)]
pub(crate) struct SetupArgs {
    /// The tool.
    #[arg(value_name = "TOOL", value_parser = recipes::tool())]
    pub(super) tool: Named,

    /// The provider, or the name of an MCP server.
    #[arg(
        ignore_case = true,
        value_name = "PROVIDER",
        value_parser = ProviderName::parser()
    )]
    pub(crate) provider: Option<ProviderName>,

    #[command(flatten)]
    pub(crate) selector: SessionSelector,

    #[command(flatten)]
    pub(super) trust: TrustArgs,

    /// The model, for tools whose settings list the models of a provider (opencode).
    #[arg(long, value_name = "MODEL")]
    pub(super) model: Option<String>,

    /// Merge the settings into the tool's file, and keep a copy of it.
    #[arg(long)]
    pub(super) write: bool,

    /// With --write: replace settings of the user that have another value.
    #[arg(long, requires = "write")]
    pub(super) replace: bool,

    /// Take back what --write has written for the tool, or for this provider only.
    #[arg(long, conflicts_with = "write")]
    pub(super) undo: bool,

    /// Print a JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}
