//! `llm-auth exec`: a program with the access token in its environment.

use std::ffi::OsString;
use std::io;
use std::process::Command;
use std::time::Duration;

use clap::Args;

use super::SessionArgs;
use super::token::Wanted;
use crate::exit::Failure;
use crate::time;
use crate::vendor::ProviderArgs;

/// The variable that holds the access token, if no other is named.
pub(crate) const VARIABLE: &str = "LLM_AUTH_ACCESS_TOKEN";

#[derive(Args, Debug)]
pub(crate) struct ExecArgs {
    #[command(flatten)]
    pub(crate) session: SessionArgs,

    #[command(flatten)]
    provider: ProviderArgs,

    /// The variable that holds the access token; may be given several times.
    #[arg(long, value_name = "NAME", default_value = VARIABLE, value_parser = variable)]
    env: Vec<String>,

    /// A variable for the base URL of the API, if the vendor names one.
    #[arg(long, value_name = "NAME", value_parser = variable)]
    api_base_env: Option<String>,

    /// How long the token must still be good at the start [default: 60].
    #[arg(long, value_name = "SECONDS", value_parser = time::seconds)]
    min_validity: Option<Duration>,

    /// The longest time for one request to the vendor, and for another process's renewal.
    #[arg(long, value_name = "SECONDS", value_parser = time::seconds)]
    timeout: Option<Duration>,

    /// The program and its arguments, after `--`.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

pub(crate) fn run(args: &ExecArgs) -> Result<(), Failure> {
    let (_key, token) = Wanted {
        session: &args.session,
        provider: &args.provider,
        min_validity: args.min_validity,
        force_refresh: false,
        timeout: args.timeout,
    }
    .get()?;
    let [program, arguments @ ..] = args.command.as_slice() else {
        return Err(Failure::Usage("there is no command to run".into()));
    };
    let mut command = Command::new(program);
    command.args(arguments);
    for name in &args.env {
        command.env(name, token.access.expose());
    }
    if let Some(name) = &args.api_base_env {
        let provider = args.session.vendor.provider(&args.provider, None, None)?;
        if let Some(base) = provider.api_base(&token) {
            command.env(name, base);
        }
    }
    start(command).map_err(|source| Failure::Command {
        code: if source.kind() == io::ErrorKind::NotFound {
            127
        } else {
            126
        },
        message: Some(format!("cannot run {}: {source}", program.display())),
    })?
}

/// This process becomes the program: signals, terminal and exit code are its own. Returns only
/// if that fails.
#[cfg(unix)]
fn start(mut command: Command) -> io::Result<Result<(), Failure>> {
    use std::os::unix::process::CommandExt as _;
    Err(command.exec())
}

/// Waits for the program and ends as it did.
#[cfg(not(unix))]
fn start(mut command: Command) -> io::Result<Result<(), Failure>> {
    let status = command.status()?;
    Ok(match status.code().map(u8::try_from) {
        Some(Ok(0)) => Ok(()),
        Some(Ok(code)) => Err(Failure::Command {
            code,
            message: None,
        }),
        _ => Err(Failure::Command {
            code: 1,
            message: None,
        }),
    })
}

/// A name that an environment can hold.
fn variable(name: &str) -> Result<String, String> {
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err("not the name of an environment variable".into());
    }
    Ok(name.to_owned())
}
