//! `llm-auth import`: the sessions of other programs, and why not to share them.

mod args;
mod foreign;
mod formats;
mod report;
mod source;
mod take_over;

use std::io::{self, IsTerminal as _};

use clap::ValueEnum as _;
use llm_auth_core::OAuthToken;

pub(crate) use self::args::ImportArgs;
pub(super) use self::source::Source;
use self::take_over::{session, take_over};
use super::login::{self, LoginArgs};
use crate::error::Failure;
use crate::providers::{ProviderArgs, ProviderName};
use crate::session::resolve::IMPORTED_FROM;
use crate::ui::streams::say;

/// What the user wants.
enum Choice {
    Leave,
    SignIn,
    TakeOver,
}

pub(crate) fn run(args: &ImportArgs) -> Result<(), Failure> {
    let Some(source) = args.source else {
        return look_everywhere(args);
    };
    let found = || formats::find(source, args.file.as_deref(), args.provider);
    let choice = match (args.take_over, args.sign_in) {
        (true, _) => Choice::TakeOver,
        (_, true) => Choice::SignIn,
        _ => {
            let found = found()?;
            report::tell(args, source, &found)?;
            ask()
        }
    };
    match choice {
        Choice::Leave => Ok(()),
        Choice::SignIn => {
            let found = found()?;
            let provider_args = ProviderArgs {
                region: args.provider_args.region.or(found.region),
                ..args.provider_args.clone()
            };
            login::run(&LoginArgs::new(
                session(args, &found),
                provider_args,
                args.json,
            ))
        }
        // What was read before the user thought about it may be spent already.
        Choice::TakeOver => take_over(args, source, found()?),
    }
}

/// One line for each session of a program that keeps it in a known place.
fn look_everywhere(args: &ImportArgs) -> Result<(), Failure> {
    let mut found_any = false;
    for source in Source::value_variants() {
        if *source == Source::Gochat {
            continue;
        }
        match formats::find(*source, None, None) {
            Ok(found) => {
                found_any = true;
                report::line(args, *source, &found)?;
            }
            Err(Failure::NotFound { .. }) => {}
            Err(failure) => say(&format!("{}: {}", source.name(), failure.message())),
        }
    }
    if !found_any {
        say("no session of another program found in the known locations");
    }
    Ok(())
}

/// Only where a user sits; a script says what it wants.
fn ask() -> Choice {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Choice::Leave;
    }
    say("Start a new session [s], import this one [t], or leave it as it is [Enter]?");
    let mut answer = String::new();
    // Standard input that has ended says nothing.
    let _ended = io::stdin().read_line(&mut answer);
    match answer.trim() {
        "s" | "S" => Choice::SignIn,
        "t" | "T" => Choice::TakeOver,
        _ => Choice::Leave,
    }
}

/// The program that keeps using the grant of a session that was imported from it.
pub(super) fn shares_its_grant(token: &OAuthToken) -> Option<Source> {
    let name = token.metadata.provider_data.get(IMPORTED_FROM)?;
    let provider = token.metadata.provider.as_deref();
    let provider = provider.and_then(ProviderName::from_name)?;
    let is_shared = !provider.rotates_refresh_tokens();
    is_shared.then(|| Source::from_name(name)).flatten()
}
