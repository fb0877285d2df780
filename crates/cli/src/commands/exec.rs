//! `llm-auth exec`: a program with the access token in its environment.

mod proxied;

use std::ffi::OsString;
use std::io;
use std::process::Command;

use clap::{Args, ValueHint};

use self::proxied::Variables;
use super::served::KeyArgs;
use super::token::Wanted;
use crate::error::Failure;
use crate::providers::{api_base, ignored_api};
use crate::system::env::without_secrets;
use crate::ui::streams::say;

/// The variable that holds the access token, if no other is named.
pub(crate) const VARIABLE: &str = "LLM_AUTH_ACCESS_TOKEN";

#[derive(Args, Debug)]
pub(crate) struct ExecArgs {
    #[command(flatten)]
    pub(crate) wanted: Wanted,

    /// Set this variable to the access token. Repeatable.
    #[arg(long, value_name = "NAME", default_value = VARIABLE, value_parser = variable)]
    env: Vec<String>,

    /// Set this variable to the base URL of the API, if the provider has one.
    #[arg(long, value_name = "NAME", value_parser = variable)]
    api_base_env: Option<String>,

    /// Give the program a key and the URL of a proxy in place of the token and the URL of the API.
    /// The proxy refreshes the token while the program runs, and ends with it.
    #[arg(long)]
    proxy: bool,

    #[command(flatten)]
    key: KeyArgs,

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
    if let Some(name) = &args.api_base_env
        && args.env.contains(name)
    {
        return Err(Failure::Usage(format!(
            "{name} cannot hold both the access token and the base URL"
        )));
    }
    let mut command = args.program()?;
    without_secrets(&mut command);
    if args.proxy {
        let Some(url) = &args.api_base_env else {
            return Err(Failure::Usage(
                "--proxy requires --api-base-env NAME, where the program finds the proxy".into(),
            ));
        };
        let variables = Variables {
            keys: &args.env,
            url,
        };
        let status = proxied::run(command, &args.wanted, &variables, &args.key)?;
        return proxied::ended(status.map_err(|source| cannot_run(args, &source))?);
    }
    if !args.key.is_empty() {
        return Err(Failure::Usage(
            "--expires, --max-requests and --allow-path limit the key of --proxy: add it".into(),
        ));
    }
    let (_key, token) = args.wanted.get()?;
    for name in &args.env {
        command.env(name, token.access.expose());
    }
    let wanted = &args.wanted;
    if let Some(variable) = &args.api_base_env {
        let name = wanted.session.provider;
        let provider = name.configure_offline(&wanted.provider_args, Some(&token))?;
        if let Some(ignored) = ignored_api(name, &provider, &token) {
            say(&format!("llm-auth: {ignored}"));
        }
        match api_base(&provider, &token) {
            Some(base) => {
                command.env(variable, base);
            }
            None => say(&format!(
                "llm-auth: the API of this session is unknown, so {variable} is not set"
            )),
        }
    }
    start(command).map_err(|source| cannot_run(args, &source))?
}

impl ExecArgs {
    /// The program, with its arguments and the environment of this one.
    fn program(&self) -> Result<Command, Failure> {
        let [program, arguments @ ..] = self.command.as_slice() else {
            return Err(Failure::Usage("no command to run".into()));
        };
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

/// A name that programs and shells can read (POSIX, "Environment Variables").
fn variable(name: &str) -> Result<String, String> {
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let rest = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !starts_well || !name.chars().all(rest) {
        return Err("not the name of an environment variable".into());
    }
    if is_called(name, "PATH") {
        return Err("without it, the program would not be found".into());
    }
    let is_taken = |prefix: &&str| {
        let start = name.get(..prefix.len());
        start.is_some_and(|start| is_called(start, prefix))
    };
    if LOADED.iter().any(|other| is_called(name, other)) || LOADERS.iter().any(is_taken) {
        return Err("programs load or run what it names, and would print a token in errors".into());
    }
    Ok(name.to_owned())
}

/// The beginnings of the names by which the dynamic loaders and allocators are steered.
const LOADERS: [&str; 5] = ["LD_", "DYLD_", "_RLD", "GLIBC_", "MALLOC_"];

/// What shells and interpreters load or run before the program itself.
const LOADED: [&str; 29] = [
    "BASH_ENV",
    "BASHOPTS",
    "CLASSPATH",
    "ENV",
    "GCONV_PATH",
    "IFS",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "LIBPATH",
    "LOCPATH",
    "LUA_INIT",
    "NLSPATH",
    "NODE_OPTIONS",
    "NODE_PATH",
    "PERL5DB",
    "PERL5LIB",
    "PERL5OPT",
    "PERLLIB",
    "PROMPT_COMMAND",
    "PS4",
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "RUBYLIB",
    "RUBYOPT",
    "SHELLOPTS",
    "SHLIB_PATH",
    "ZDOTDIR",
    "_JAVA_OPTIONS",
];

/// The names of variables are of one case on Windows.
fn is_called(name: &str, other: &str) -> bool {
    name == other || (cfg!(windows) && name.eq_ignore_ascii_case(other))
}
