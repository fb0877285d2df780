//! `llm-auth mcp`: MCP servers for agents that can only run a command.

use std::time::Duration;

use clap::{Args, Subcommand};
use llm_auth::mcp::Bridge;

use crate::args::SessionArgs;
use crate::error::Failure;
use crate::providers::{ProviderArgs, Stored, TrustArgs, careful_client};
use crate::report::login_command;
use crate::session::runtime;

#[derive(Args, Debug)]
pub(crate) struct McpArgs {
    #[command(subcommand)]
    command: McpCommand,
}

#[derive(Debug, Subcommand)]
enum McpCommand {
    /// Pass the messages of an agent on standard input to an MCP server, with the session's token.
    Bridge(BridgeArgs),
}

#[derive(Args, Debug)]
#[command(mut_arg("provider", |server| {
    let help = "The server, by the name that `llm-auth login mcp URL` printed";
    server.value_name("SERVER").help(help).hide_possible_values(true)
}))]
pub(crate) struct BridgeArgs {
    #[command(flatten)]
    pub(crate) session: SessionArgs,

    #[command(flatten)]
    trust: TrustArgs,

    /// The limit for connecting to a server [default: 20].
    #[arg(long, value_name = "SECONDS", value_parser = crate::time::seconds, allow_negative_numbers = true)]
    timeout: Option<Duration>,
}

impl McpArgs {
    /// What the bridge is for.
    pub(crate) fn session(&self) -> &SessionArgs {
        let McpCommand::Bridge(args) = &self.command;
        &args.session
    }
}

pub(crate) fn run(args: &McpArgs) -> Result<(), Failure> {
    let McpCommand::Bridge(args) = &args.command;
    bridge(args)
}

fn bridge(args: &BridgeArgs) -> Result<(), Failure> {
    let SessionArgs { provider, selector } = &args.session;
    let server = provider.server().filter(|server| server.is_mcp);
    let Some(url) = server.and_then(|server| server.endpoints.api_base.clone()) else {
        return Err(Failure::Usage(format!(
            "{} is no MCP server: name one of `llm-auth login mcp URL`",
            provider.name()
        )));
    };
    let provider_args = ProviderArgs {
        trust: args.trust.clone(),
        ..ProviderArgs::default()
    };
    let stored = Stored::read(*provider, selector, &provider_args, args.timeout)?;
    let configured = stored.configured(&provider_args)?;
    let manager = stored.manager(configured).build();
    let sign_in = login_command(Some(*provider), selector, &provider_args);
    let bridge =
        Bridge::new(manager.clone(), url, sign_in).http(careful_client(&args.trust, args.timeout)?);
    let interrupted = || "interrupted; the server ends the session by itself".to_owned();
    let work = async { Ok(bridge.run(tokio::io::stdin(), tokio::io::stdout()).await?) };
    runtime::run(|| vec![manager.clone()], work, interrupted)
}
