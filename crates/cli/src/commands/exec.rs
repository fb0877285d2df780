//! `llm-auth exec`: a program with the access token in its environment.

use std::ffi::OsString;
use std::io;
use std::process::Command;

use clap::{Args, ValueHint};
use llm_auth_core::Api;

use super::token::Wanted;
use super::tools::Variables;
use crate::error::Failure;
use crate::providers::ignored_api;
use crate::system::env::without_secrets;
use crate::ui::streams::say;

#[derive(Args, Debug)]
pub(crate) struct ExecArgs {
    #[command(flatten)]
    pub(crate) wanted: Wanted,

    #[command(flatten)]
    variables: Variables,

    /// Print an error as JSON to standard output, which otherwise belongs to the program.
    #[arg(long)]
    pub(crate) json: bool,

    /// The program and its arguments. Put options of llm-auth before it.
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        required = true,
        value_name = "COMMAND",
        value_hint = ValueHint::CommandWithArguments
    )]
    command: Vec<OsString>,
}

pub(crate) fn run(args: &ExecArgs) -> Result<(), Failure> {
    args.variables.check(args.wanted.session.provider)?;
    let wanted = &args.wanted;
    let (_key, token) = wanted.get(None)?;
    let [program, arguments @ ..] = args.command.as_slice() else {
        return Err(Failure::Usage("no command to run".into()));
    };
    let mut command = Command::new(program);
    command.args(arguments);
    without_secrets(&mut command);
    let api = match args.variables.need_api() {
        true => {
            let name = wanted.session.provider;
            let provider = name.configure_offline(&wanted.provider_args, Some(&token))?;
            if let Some(ignored) = ignored_api(name, &provider, &token) {
                say(&format!("llm-auth: {ignored}"));
            }
            args.variables.api(&provider, &token)?
        }
        false => Api::default(),
    };
    command.envs(args.variables.values(&api, &token)?);
    for name in args.variables.unset() {
        command.env_remove(name);
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
    crate::system::core_dumps::restore();
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
