//! `llm-auth migrate`.

mod transfer;

use clap::Args;
use clap::builder::{StringValueParser, TypedValueParser as _};
use llm_auth_core::{SessionKey, printable};
use serde::Serialize;

use self::transfer::Transfer;
use crate::error::{Failure, chain};
use crate::session::runtime;
use crate::session::settings::Settings;
use crate::session::store_name::{self, KeySource, StoreName};
use crate::session::stores::{self, SessionStore};
use crate::ui::streams::{self, VERSION, say};

#[derive(Args, Debug)]
pub(crate) struct MigrateArgs {
    /// The store to move from [default: the one that is used now].
    #[arg(long, value_name = "STORE", value_parser = StringValueParser::new().map(Named))]
    from: Option<Named>,

    /// The store to move to: `files`, `keyring`, `encrypted`, `encrypted:DIRECTORY`, a URL
    /// (`postgres://…`, `redis://…`, `rediss://…`), or `@FILE`, a file with the URL.
    #[arg(long, value_name = "STORE", value_parser = StringValueParser::new().map(Named))]
    to: Named,

    /// The file with the key of encrypted sessions, of 32 random bytes or more. It is remembered.
    #[arg(long, value_name = "FILE")]
    key_file: Option<std::path::PathBuf>,

    /// A command that prints that key. It is remembered.
    #[arg(long, value_name = "COMMAND", conflicts_with = "key_file")]
    key_command: Option<String>,

    /// Print a JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Serialize)]
struct Report {
    v: u32,
    store: String,
    moved: Vec<Session>,
    failed: Vec<Session>,
}

#[derive(Serialize)]
struct Session {
    vendor: String,
    account: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What stands for a store. It is read later, because a message about a value would repeat it, and
/// there may be a password in it.
#[derive(Clone)]
struct Named(String);

impl std::fmt::Debug for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Named")
    }
}

impl Named {
    fn store(&self, flag: &str) -> Result<StoreName, Failure> {
        let name = StoreName::of(&self.0);
        let name = name.map_err(|why| Failure::Usage(format!("{flag}: {why}")))?;
        Ok(name.absolute())
    }
}

pub(crate) fn run(args: &MigrateArgs) -> Result<(), Failure> {
    let file = args.key_file.as_ref();
    let key = KeySource {
        file: file.map(|file| std::path::absolute(file).unwrap_or_else(|_| file.clone())),
        command: args.key_command.clone(),
    };
    let used = match stores::current() {
        Ok(used) => Some(used.absolute()),
        // A store that the call names needs no other word.
        Err(_untrusted) if args.from.is_some() => None,
        Err(failure) => return Err(failure),
    };
    store_name::name(None, key.clone());
    let named = args.from.as_ref().map(|from| from.store("--from"));
    let named = named.transpose()?;
    // Without `--from`, the store that is used now was found.
    let from = named.or_else(|| used.clone()).unwrap_or(StoreName::Files);
    let to = args.to.store("--to")?;
    if stores::identity(&from)? == stores::identity(&to)? {
        return Err(Failure::Usage(format!(
            "the sessions are in {} already: name another store with --to",
            to.title()
        )));
    }
    let source = stores::open_named(&from)?;
    let target = stores::open_named(&to)?;
    stores::check_named(&to)?;
    let (moved, failed) = transferred(&source, &target, &from)?;
    let report = Report {
        v: VERSION,
        store: to.to_string(),
        moved,
        failed,
    };
    if report.failed.is_empty() && is_used(used.as_ref(), &from)? {
        remember(&to, key)?;
    }
    conclude(args, &report, &from, &to)
}

/// Whether other commands look there now. Settings that a variable brought name it without being
/// believed; those are the ones that are written again.
fn is_used(used: Option<&StoreName>, from: &StoreName) -> Result<bool, Failure> {
    let in_settings = match used {
        Some(used) => Some(used.clone()),
        None => Settings::load()?.store()?,
    };
    Ok(in_settings.is_some_and(|used| used == *from))
}

/// What was moved, and what was not.
fn transferred(
    source: &SessionStore,
    target: &SessionStore,
    from: &StoreName,
) -> Result<(Vec<Session>, Vec<Session>), Failure> {
    let (mut moved, mut failed) = (Vec::new(), Vec::new());
    let from = from.to_string();
    let transfer = Transfer::new(source, target, &from);
    let interrupted =
        || "interrupted; every session is in one of the stores: run the same again".to_owned();
    let work = async {
        for key in transfer.keys()? {
            match transfer.of(&key).await {
                Ok(true) => moved.push(session(&key, None)),
                Ok(false) => {}
                Err(failure) => failed.push(session(&key, Some(&failure))),
            }
        }
        Ok(())
    };
    runtime::run(Vec::new, work, interrupted)?;
    Ok((moved, failed))
}

fn session(key: &SessionKey, error: Option<&llm_auth_core::Error>) -> Session {
    Session {
        vendor: printable(key.provider()),
        account: printable(key.account()),
        error: error.map(|error| printable(&chain(error))),
    }
}

/// Other commands find the sessions there without a flag.
fn remember(to: &StoreName, key: KeySource) -> Result<(), Failure> {
    let key = match (to, key.is_some()) {
        (StoreName::Encrypted(_) | StoreName::Server(_), true) => key,
        // Where it was before.
        (StoreName::Encrypted(_), false) => Settings::load()?.key().unwrap_or_default(),
        _ => KeySource::default(),
    };
    stores::choose(to, &key)?;
    // It is there, but settings that a variable brings cannot send sessions to a server.
    if let Err(failure) = stores::current() {
        say(&failure.message());
    }
    Ok(())
}

fn conclude(
    args: &MigrateArgs,
    report: &Report,
    from: &StoreName,
    to: &StoreName,
) -> Result<(), Failure> {
    for session in &report.moved {
        say(&format!(
            "Moved {} ({}) to {}.",
            session.vendor,
            session.account,
            to.title()
        ));
    }
    for session in &report.failed {
        let why = session.error.as_deref().unwrap_or_default();
        say(&format!(
            "{} ({}) is still in {}: {why}",
            session.vendor,
            session.account,
            from.title()
        ));
    }
    if args.json {
        streams::json(report)?;
    }
    if report.failed.is_empty() {
        if let StoreName::Server(name) = to
            && name.has_secret()
        {
            say(
                "The settings have the URL with its password; `--to @FILE` keeps it in a file of yours.",
            );
        }
        say(&format!("Sessions are now kept in {}.", to.title()));
        return Ok(());
    }
    Err(Failure::NotFound {
        message: format!("{} of the sessions could not be moved", report.failed.len()),
        advice: "see to each as its line demands, then run the same again".into(),
    })
}
