//! What can be asked of the command; one file for each.

mod accounts;
mod demo;
mod doctor;
mod examples;
pub(crate) mod exec;
mod import;
mod login;
mod logout;
pub(crate) mod shell;
pub(crate) mod status;
mod token;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::ArgValueCompleter;

use crate::exit::{self, Reporter};
use crate::logging;
use crate::store;
use crate::text::not_a_name;
use crate::vendor::Vendor;

const AFTER_HELP: &str = "\
Begin with `llm-auth login`, or `llm-auth demo` to see it all without any account; `llm-auth doctor`
finds what stands in the way.

Exit codes: 0 done, 1 other failure, 2 usage, 3 sign in (again), 4 temporary: try again,
5 denied or the code expired, 126/127 exec cannot run or find the command,
129/130/131/143 hung up, interrupted, quit, terminated.

Standard output carries only the answer; LLM_AUTH_HOME moves the folder of the sessions.";

/// Sign in to AI vendors and hand the access token to scripts.
#[derive(Debug, Parser)]
#[command(name = "llm-auth", version, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,

    /// Tell on standard error what is done, never a secret; -vv tells more. LLM_AUTH_LOG, with
    /// directives such as `llm_auth_core=trace`, does the same.
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    verbose: u8,

    /// The directory whose `settings.json` names trusted servers, in place of the one below the
    /// home directory of the user.
    #[arg(long, hide = true, value_name = "DIRECTORY")]
    trusted_settings: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Sign in at a vendor and keep the session.
    #[command(after_help = examples::LOGIN)]
    Login(login::LoginArgs),
    /// Print a valid access token, refreshed if need be.
    #[command(after_help = examples::TOKEN)]
    Token(token::TokenArgs),
    /// Run a program with a valid access token in its environment.
    #[command(after_help = examples::EXEC)]
    Exec(exec::ExecArgs),
    /// Show who is signed in; sends nothing.
    Status(status::StatusArgs),
    /// List the accounts, and which of each vendor is the current one.
    Accounts(accounts::AccountsArgs),
    /// Make another account the current one: the one meant where none is named.
    Switch(accounts::SwitchArgs),
    /// Tell the vendor that the session is over, where that is possible, and forget it.
    Logout(logout::LogoutArgs),
    /// Find what stands in the way: network, endpoints, clock, store. Touches no credential.
    Doctor(doctor::DoctorArgs),
    /// Look at the session of another program, and sign in afresh or take it over.
    #[command(after_help = examples::IMPORT)]
    Import(import::ImportArgs),
    /// Print the completions for a shell.
    Completions(shell::CompletionsArgs),
    /// Print the manual page, or write those of all commands.
    Man(shell::ManArgs),
    /// Show the whole job with simulated vendors on this computer; touches no real session.
    Demo(demo::DemoArgs),
}

/// Which session a command is about.
#[derive(Args, Clone, Debug)]
pub(crate) struct SessionArgs {
    /// The vendor.
    #[arg(value_enum, ignore_case = true)]
    pub(crate) vendor: Vendor,

    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

/// Where sessions are kept, and which of them is meant.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct PlaceArgs {
    /// Which of several accounts at the vendor, by name or by its owner's verified identity
    /// [default: the current one].
    #[arg(
        long,
        value_name = "NAME",
        value_parser = account_name,
        add = ArgValueCompleter::new(shell::accounts_like)
    )]
    pub(crate) account: Option<String>,

    /// Keep the session in this one JSON file (which gochat can share).
    #[arg(long, value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,
}

fn account_name(name: &str) -> Result<String, String> {
    match not_a_name(name) {
        Some(why) => Err(format!("the name {why}")),
        None => Ok(name.to_owned()),
    }
}

impl Cli {
    /// Does what was asked; the exit code.
    pub(crate) fn run(self) -> u8 {
        crate::limits::not_dumpable_unless_descriptors_are_read();
        if let Some(directory) = self.trusted_settings {
            store::name_trusted_home(directory);
        }
        let reporter = self.command.reporter();
        let done = logging::start(self.verbose).and_then(|()| match self.command {
            Command::Login(args) => login::run(&args),
            Command::Token(args) => token::run(&args),
            Command::Status(args) => status::run(&args),
            Command::Accounts(args) => accounts::run(&args),
            Command::Switch(args) => accounts::switch(&args),
            Command::Logout(args) => logout::run(&args),
            Command::Exec(args) => exec::run(&args),
            Command::Import(args) => import::run(&args),
            Command::Completions(args) => shell::completions(&args),
            Command::Man(args) => shell::man(&args),
            Command::Doctor(args) => doctor::run(&args),
            Command::Demo(args) => demo::run(&args),
        });
        match done {
            Ok(()) => exit::DONE,
            Err(failure) => reporter.report(&failure),
        }
    }
}

impl Command {
    fn reporter(&self) -> Reporter {
        match self {
            Self::Login(args) => match args.vendor {
                Some(vendor) => Reporter::for_events(
                    args.json,
                    &SessionArgs {
                        vendor,
                        place: args.place.clone(),
                    },
                ),
                None => Reporter::without_session(args.json),
            },
            Self::Token(args) => Reporter::for_answer(args.json, &args.wanted.session),
            Self::Exec(args) => Reporter::for_answer(args.json, &args.wanted.session),
            Self::Logout(args) => Reporter::for_events(args.json, &args.session),
            Self::Status(args) => Reporter::without_session(args.json),
            Self::Import(args) => Reporter::without_session(args.json),
            Self::Accounts(args) => Reporter::without_session(args.json),
            Self::Switch(args) => Reporter::for_events(args.json, &args.session()),
            Self::Completions(_) | Self::Man(_) => Reporter::without_session(false),
            Self::Doctor(args) => Reporter::without_session(args.json),
            Self::Demo(args) => Reporter::without_session(args.json),
        }
    }
}
