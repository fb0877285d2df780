//! The subcommands, one file each.

mod accounts;
mod arguments;
#[cfg(feature = "demo")]
mod demo;
mod doctor;
mod examples;
mod exec;
mod import;
mod keep;
mod login;
mod logout;
mod mcp;
mod migrate;
mod serve;
mod served;
mod setup;
pub(crate) mod shell;
pub(crate) mod status;
mod token;
mod tools;

use std::path::PathBuf;

use clap::{CommandFactory as _, Parser, Subcommand, ValueHint};

pub(crate) use self::arguments::arguments;
use crate::args::SessionArgs;
use crate::error::{self, Failure};
use crate::logging;
use crate::report::Reporter;
use crate::session::directories;
use crate::session::selector::SessionSelector;
use crate::system::core_dumps;

#[cfg(feature = "demo")]
const BEGIN: &str = "\
Start with `llm-auth login`, or with `llm-auth demo` to see everything without an account.
If something does not work, run `llm-auth doctor`.";

#[cfg(not(feature = "demo"))]
const BEGIN: &str =
    "Start with `llm-auth login`. If something does not work, run `llm-auth doctor`.";

const EXIT_CODES: &str = "\
Exit codes: 0 success, 1 other failure, 2 usage, 3 sign in (again), 4 temporary, try again,
5 denied or the code expired, 126/127 exec cannot run or find the command,
129/130/131/143 hung up, interrupted, quit, terminated.

Only results go to standard output. LLM_AUTH_HOME sets the directory of the sessions,
LLM_AUTH_STORE their store (files, keyring, encrypted, or a database that the settings name).";

/// Sign in to AI providers, and print access tokens for scripts.
#[derive(Debug, Parser)]
#[command(name = "llm-auth", version, after_help = format!("{BEGIN}\n\n{EXIT_CODES}"))]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,

    /// Log each step to standard error, never a secret; -vv logs more. LLM_AUTH_LOG takes
    /// directives such as `llm_auth_core=trace`.
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    verbose: u8,

    /// The directory of the sessions, in place of LLM_AUTH_HOME; for programs that clear the
    /// environment.
    // It is read before the others, because it knows the servers that may be named.
    #[arg(long, global = true, value_name = "DIRECTORY", value_hint = ValueHint::DirPath)]
    #[allow(dead_code, reason = "`arguments` has read it")]
    home: Option<PathBuf>,

    /// The directory whose `settings.json` names trusted servers, in place of the one below the
    /// home directory of the user.
    #[arg(long, hide = true, value_name = "DIRECTORY")]
    trusted_settings: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Sign in to a provider and store the session.
    #[command(after_help = examples::LOGIN)]
    Login(login::LoginArgs),
    /// Print a valid access token, refreshing it if necessary.
    #[command(after_help = examples::TOKEN)]
    Token(token::TokenArgs),
    /// Run a program with a valid access token in its environment.
    #[command(after_help = examples::EXEC)]
    Exec(exec::ExecArgs),
    /// Keep a file fresh that holds the access token for programs that read it again and again.
    #[command(after_help = examples::KEEP)]
    Keep(keep::KeepArgs),
    /// Run a proxy for programs that know only a base URL and a key.
    #[command(after_help = examples::SERVE)]
    Serve(serve::ServeArgs),
    /// Show the stored sessions. Sends no request.
    Status(status::StatusArgs),
    /// List the accounts and mark the current one of each provider.
    Accounts(accounts::AccountsArgs),
    /// Choose the current account, which commands use without --account.
    Switch(accounts::SwitchArgs),
    /// Revoke the session, if the provider supports that, and remove it.
    Logout(logout::LogoutArgs),
    /// Move all sessions to another store, and use that from then on.
    Migrate(migrate::MigrateArgs),
    /// Check the network, the endpoints, the clock and the store. Uses no credential.
    Doctor(doctor::DoctorArgs),
    /// Inspect the session of another program, and start a new one or import it.
    #[command(after_help = examples::IMPORT)]
    Import(import::ImportArgs),
    /// Connect agents to MCP servers that `llm-auth login mcp URL` has signed in to.
    Mcp(mcp::McpArgs),
    /// Print or merge the settings of a tool, so that it uses the session.
    #[command(after_help = examples::SETUP)]
    Setup(setup::SetupArgs),
    /// Print a shell completion script.
    Completions(shell::CompletionsArgs),
    /// Print the manual page, or write the pages of all commands.
    Man(shell::ManArgs),
    /// Show everything with simulated providers on this computer. Uses no real session.
    #[cfg(feature = "demo")]
    Demo(demo::DemoArgs),
}

impl Cli {
    /// Does what was asked; the exit code.
    pub(crate) fn run(self) -> u8 {
        core_dumps::not_dumpable_unless_descriptors_are_read();
        if let Some(directory) = self.trusted_settings {
            directories::name_trusted_home(directory);
        }
        let reporter = self.command.reporter().of(self.command.name());
        if self.home.is_some() && self.home.as_deref() != directories::named_home() {
            // The names of servers were read in another directory: see `arguments`.
            let why = "--home is not understood there: write it right after `llm-auth`".to_owned();
            return reporter.report(&Failure::Usage(why));
        }
        let done = logging::start(self.verbose).and_then(|()| match self.command {
            Command::Login(args) => login::run(&args),
            Command::Token(args) => token::run(&args),
            Command::Status(args) => status::run(&args),
            Command::Accounts(args) => accounts::run(&args),
            Command::Switch(args) => accounts::switch(&args),
            Command::Logout(args) => logout::run(&args),
            Command::Migrate(args) => migrate::run(&args),
            Command::Exec(args) => exec::run(&args),
            Command::Keep(args) => keep::run(&args),
            Command::Serve(args) => serve::run(&args),
            Command::Import(args) => import::run(&args),
            Command::Mcp(args) => mcp::run(&args),
            Command::Setup(args) => setup::run(&args),
            Command::Completions(args) => shell::completions(&args),
            Command::Man(args) => shell::man(&args, Self::command()),
            Command::Doctor(args) => doctor::run(&args),
            #[cfg(feature = "demo")]
            Command::Demo(args) => demo::run(&args),
        });
        match done {
            Ok(()) => error::DONE,
            Err(failure) => reporter.report(&failure),
        }
    }
}

impl Command {
    /// As it is typed.
    fn name(&self) -> &'static str {
        match self {
            Self::Login(_) => "login",
            Self::Token(_) => "token",
            Self::Exec(_) => "exec",
            Self::Keep(_) => "keep",
            Self::Serve(_) => "serve",
            Self::Status(_) => "status",
            Self::Accounts(_) => "accounts",
            Self::Switch(_) => "switch",
            Self::Logout(_) => "logout",
            Self::Migrate(_) => "migrate",
            Self::Doctor(_) => "doctor",
            Self::Import(_) => "import",
            Self::Mcp(_) => "mcp bridge",
            Self::Setup(_) => "setup",
            Self::Completions(_) => "completions",
            Self::Man(_) => "man",
            #[cfg(feature = "demo")]
            Self::Demo(_) => "demo",
        }
    }

    fn reporter(&self) -> Reporter {
        match self {
            Self::Login(args) => {
                let provider = args.provider.and_then(login::Target::provider);
                Reporter::for_login(args.json, provider, &args.selector)
                    .with(args.provider_args())
                    .first(args.provider.is_some() && provider.is_none())
            }
            Self::Token(args) => Reporter::for_answer(
                args.prints_json(),
                args.wanted.session.provider,
                &args.wanted.session.selector,
            )
            .with(args.wanted.provider_args.clone()),
            Self::Exec(args) => Reporter::for_answer(
                args.json,
                args.wanted.session.provider,
                &args.wanted.session.selector,
            )
            .with(args.wanted.provider_args.clone()),
            Self::Keep(args) => Reporter::for_answer(
                false,
                args.wanted.session.provider,
                &args.wanted.session.selector,
            )
            .with(args.wanted.provider_args.clone()),
            Self::Serve(args) => match (args.providers.as_slice(), args.selectors().as_slice()) {
                ([provider], [selector]) => Reporter::for_answer(args.json, *provider, selector)
                    .with(args.provider_args.clone()),
                _several => Reporter::for_answer_about_several(args.json),
            },
            Self::Logout(args) => {
                Reporter::for_events(args.json, args.session.provider, &args.session.selector)
                    .with(args.provider_args.clone())
            }
            Self::Mcp(args) => {
                let SessionArgs { provider, selector } = args.session();
                Reporter::for_events(false, *provider, selector)
            }
            Self::Setup(args) => Reporter::for_login(args.json, args.provider, &args.selector),
            Self::Status(args) => Reporter::for_login(args.json, args.provider, &args.selector),
            Self::Import(args) => Reporter::without_session(args.json),
            Self::Accounts(args) => Reporter::without_session(args.json),
            Self::Switch(args) => {
                Reporter::for_events(args.json, args.provider, &SessionSelector::default())
            }
            Self::Completions(_) | Self::Man(_) => Reporter::without_session(false),
            Self::Migrate(args) => Reporter::without_session(args.json),
            Self::Doctor(args) => Reporter::without_session(args.json),
            #[cfg(feature = "demo")]
            Self::Demo(args) => Reporter::without_session(args.json),
        }
    }
}
