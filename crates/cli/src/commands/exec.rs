//! `llm-auth exec`: a program with the access token in its environment.

mod proxied;

use std::ffi::OsString;
use std::io;
use std::process::Command;

use clap::{Args, ValueHint};
use llm_auth_core::Api;

use super::served::ProxyLimits;
use super::setup::check_environment;
use super::token::Wanted;
use super::tools::{VARIABLE, Variables};
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

    /// Give the program a key and the URL of a proxy in place of the token and the URL of the API.
    /// The proxy refreshes the token while the program runs, and ends with it.
    #[arg(long)]
    proxy: bool,

    #[command(flatten)]
    limits: ProxyLimits,

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
    check_environment(args.variables.tool())?;
    let mut command = args.program()?;
    without_secrets(&mut command);
    // One that this program inherited.
    command.env_remove(VARIABLE);
    for name in args.variables.unset() {
        command.env_remove(name);
    }
    if args.proxy {
        args.variables.check_base()?;
        let status = proxied::run(command, &args.wanted, &args.variables, &args.limits)?;
        return proxied::ended(status.map_err(|source| cannot_run(args, &source))?);
    }
    if !args.limits.is_empty() {
        return Err(Failure::Usage(
            "--expires, --max-requests, --allow-path and --response-timeout require --proxy: add it".into(),
        ));
    }
    let wanted = &args.wanted;
    let (_key, token) = wanted.get(None)?;
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
    command.envs(args.variables.values(&api, token.access.expose())?);
    start(command).map_err(|source| cannot_run(args, &source))?
}

impl ExecArgs {
    /// The program, with its arguments and the environment of this one.
    fn program(&self) -> Result<Command, Failure> {
        let [program, arguments @ ..] = self.command.as_slice() else {
            return Err(Failure::Usage("no command to run".into()));
        };
        if program.to_string_lossy().starts_with('-') {
            // The parser takes an option that it does not know for the command.
            return Err(Failure::Usage(format!(
                "{} is no option of exec, and no command: run a program of that name by its path",
                program.display()
            )));
        }
        let mut command = Command::new(program);
        command.args(arguments);
        Ok(command)
    }
}

fn cannot_run(args: &ExecArgs, source: &io::Error) -> Failure {
    let program = args.command.first().map(|program| program.display());
    let program = program.map(|program| program.to_string());
    Failure::Command {
        code: if source.kind() == io::ErrorKind::NotFound {
            127
        } else {
            126
        },
        message: Some(format!(
            "cannot run {}: {source}",
            program.unwrap_or_default()
        )),
    }
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
