//! `llm-auth import`: the sessions of other programs, and why not to share them.

mod foreign;
mod formats;

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use llm_auth_core::{ErrorKind, OAuthToken, SessionKey, printable};
use serde_json::{Value, json};

use self::foreign::Foreign;
use super::login::{self, LoginArgs};
use super::{PlaceArgs, SessionArgs};
use crate::accounts::{self, IMPORTED_FROM};
use crate::exit::{Failure, quoted};
use crate::output::{self, VERSION, say};
use crate::time::{self, rfc3339};
use crate::vendor::{ProviderArgs, Vendor};
use crate::{signals, store};

#[derive(Args, Debug)]
pub(crate) struct ImportArgs {
    /// The program whose session it is.
    #[arg(value_enum)]
    source: Source,

    /// Its file, if it is not where that program keeps it (gochat: always needed).
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// The vendor, where the file does not say it (gochat).
    #[arg(long, value_enum)]
    vendor: Option<Vendor>,

    #[command(flatten)]
    place: PlaceArgs,

    #[command(flatten)]
    provider: ProviderArgs,

    /// Copy the session: from then on llm-auth is its one owner.
    #[arg(long, conflicts_with = "sign_in")]
    take_over: bool,

    /// Leave it alone and sign in afresh (recommended).
    #[arg(long)]
    sign_in: bool,

    /// Write JSON to standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

/// A program that keeps sessions of the same vendors.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Source {
    /// gcloud's application default credentials.
    Gcloud,
    GeminiCli,
    /// A token file of the Go package `auth`.
    Gochat,
    Mmx,
    QwenCode,
}

/// What the person wants.
enum Choice {
    Leave,
    SignIn,
    TakeOver,
}

pub(crate) fn run(args: &ImportArgs) -> Result<(), Failure> {
    let found = formats::find(args.source, args.file.as_deref(), args.vendor)?;
    tell(args, &found)?;
    let choice = match (args.take_over, args.sign_in) {
        (true, _) => Choice::TakeOver,
        (_, true) => Choice::SignIn,
        _ => ask(),
    };
    match choice {
        Choice::Leave => Ok(()),
        Choice::SignIn => login::run(&LoginArgs::new(
            session(args, &found),
            args.provider.clone(),
            args.json,
        )),
        Choice::TakeOver => take_over(args, found),
    }
}

/// Whose it is, and what sharing it would mean. Nothing secret, and nothing is changed.
fn tell(args: &ImportArgs, found: &Foreign) -> Result<(), Failure> {
    let (title, vendor) = (args.source.title(), found.vendor);
    let expires_at = found.expiry().and_then(rfc3339);
    let mut line = format!("{title} has a session at {}", vendor.title());
    if let Some(identity) = &found.identity {
        line.push_str(&format!(" of {identity} (as it says)"));
    }
    say(&format!("{line}, in {}.", found.file.display()));
    match &expires_at {
        Some(at) => say(&format!("Its access token is good until {at}.")),
        None => say("It holds no access token; a renewal brings the first."),
    }
    if let Some(mode) = found.readable_by_others() {
        say(&format!(
            "Careful: others on this computer can read that file (mode {mode:o})."
        ));
    }
    match &found.refusal {
        Some(why) => say(&format!("It cannot be taken over: {why}.")),
        None if found.rotates => say(&format!(
            "Each renewal makes its refresh token worthless and brings a new one, so it must have \
             ONE owner: if llm-auth took it over and {title} went on with its copy, both would \
             lose it.",
        )),
        None => say("Its refresh token stays good at a renewal, so two programs may use it."),
    }
    let again = command(args, found);
    say(&format!(
        "Best sign in afresh, with a session of its own: {again} --sign-in"
    ));
    if found.refusal.is_none() {
        say(&format!(
            "Or take it over, and never use it with {title} again: {again} --take-over"
        ));
    }
    if !args.json {
        return Ok(());
    }
    output::json(&json!({
        "v": VERSION,
        "event": "found",
        "source": args.source.name(),
        "file": found.file.display().to_string(),
        "vendor": vendor.name(),
        "identity": found.identity,
        "expires_at": expires_at,
        "renewable": found.token.as_ref().is_some_and(|token| token.refresh.is_some()),
        "rotates": found.rotates,
        "can_be_taken_over": found.refusal.is_none(),
        "why_not": found.refusal,
    }))
}

/// Only where a person sits; a script says what it wants.
fn ask() -> Choice {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Choice::Leave;
    }
    say("Sign in afresh [s], take over [t], or leave it as it is [Enter]?");
    let mut answer = String::new();
    // Standard input that has ended says nothing.
    let _ended = io::stdin().read_line(&mut answer);
    match answer.trim() {
        "s" | "S" => Choice::SignIn,
        "t" | "T" => Choice::TakeOver,
        _ => Choice::Leave,
    }
}

fn take_over(args: &ImportArgs, found: Foreign) -> Result<(), Failure> {
    let title = args.source.title();
    let refused = |why: &str| Failure::Config {
        message: format!("the session of {title} cannot be taken over: {why}"),
        advice: format!("sign in afresh with `{} --sign-in`", command(args, &found)),
    };
    let token = match (&found.refusal, &found.token) {
        (None, Some(token)) => token.clone(),
        (Some(why), _) => return Err(refused(why)),
        (None, None) => return Err(refused("it holds no tokens")),
    };
    let session = session(args, &found);
    let store = store::open(&session.place)?;
    let key = accounts::meant(&session, &store)?;
    nothing_is_lost(&store, &key)?;
    let provider = found.vendor.provider(&found.provider(args), None, None)?;
    let mut token = provider.take_over(token)?;
    let name = args.source.name().to_owned();
    token.notes.context.insert(IMPORTED_FROM.to_owned(), name);
    let manager = provider
        .manager()
        .store(store.clone())
        .account(key.account())
        .build();
    let interrupted = || "interrupted; look at `llm-auth status`".to_owned();
    let work = async {
        manager.check_store().await?;
        Ok(manager.adopt(token).await?)
    };
    let token: std::sync::Arc<OAuthToken> =
        signals::run(|| vec![manager.clone()], work, interrupted)?;
    let file = store.path(&key).display().to_string();
    say(&format!("Taken over: the session is stored in {file}."));
    if found.rotates {
        say(&format!(
            "Sign out of {} in {title}, or never start it again with this account.",
            found.vendor.title()
        ));
    }
    if time::has_expired(&token) {
        say("Its access token is over; the next `llm-auth token` renews it.");
    }
    if !args.json {
        return Ok(());
    }
    output::json(&json!({
        "v": VERSION,
        "event": "imported",
        "source": args.source.name(),
        "vendor": key.provider(),
        "account": key.account(),
        "store": file,
        "expires_at": rfc3339(token.expires_at).map_or(Value::Null, Value::from),
    }))
}

/// A session that is stored is not replaced by a copy of somebody else's.
fn nothing_is_lost(store: &llm_auth_core::FileTokenStore, key: &SessionKey) -> Result<(), Failure> {
    let there = match store.read(key) {
        Ok(None) => return Ok(()),
        Ok(Some(_)) => "is a session already",
        Err(error) if error.kind() == ErrorKind::Corrupt => "is something that cannot be read",
        Err(error) => return Err(error.into()),
    };
    Err(Failure::Config {
        message: format!("{key}: there {there}, in {}", store.path(key).display()),
        advice: "name another account with --account, or sign out of that one first".into(),
    })
}

fn session(args: &ImportArgs, found: &Foreign) -> SessionArgs {
    SessionArgs {
        vendor: found.vendor,
        place: args.place.clone(),
    }
}

/// This very command again, fit for a shell.
fn command(args: &ImportArgs, found: &Foreign) -> String {
    let mut command = format!("llm-auth import {}", args.source.name());
    if let Some(file) = &args.file {
        command.push_str(&format!(" --file {}", quoted(&file.display().to_string())));
    }
    if args.vendor.is_some() {
        command.push_str(&format!(" --vendor {}", found.vendor.name()));
    }
    if let Some(account) = &args.place.account {
        command.push_str(&format!(" --account {}", quoted(&printable(account))));
    }
    command
}

impl Source {
    /// As it is typed.
    fn name(self) -> &'static str {
        match self {
            Self::Gcloud => "gcloud",
            Self::GeminiCli => "gemini-cli",
            Self::Gochat => "gochat",
            Self::Mmx => "mmx",
            Self::QwenCode => "qwen-code",
        }
    }

    /// As a person knows it.
    fn title(self) -> &'static str {
        match self {
            Self::Gcloud => "gcloud",
            Self::GeminiCli => "Gemini CLI",
            Self::Gochat => "the gochat program",
            Self::Mmx => "mmx",
            Self::QwenCode => "Qwen Code",
        }
    }
}
