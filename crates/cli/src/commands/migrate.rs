//! `llm-auth migrate`.

mod origin;
mod transfer;

use clap::Args;
use clap::builder::{StringValueParser, TypedValueParser as _};
use llm_auth_core::{SessionKey, printable};
use serde::Serialize;

use self::origin::origin;
use self::transfer::Transfer;
use crate::error::{Failure, chain};
use crate::session::runtime;
use crate::session::settings::Settings;
use crate::session::store_name::{self, KeySource, StoreName};
use crate::session::stores::{self, SessionStore};
use crate::shell_quote::quoted;
use crate::system::env;
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

    /// Leave the settings as they are: other commands find the sessions only if they name the store.
    #[arg(long)]
    keep_settings: bool,

    /// Print a JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Serialize)]
struct Report {
    v: u32,
    store: String,
    #[serde(flatten)]
    sessions: Sessions,
}

#[derive(Default, Serialize)]
struct Sessions {
    moved: Vec<Session>,
    failed: Vec<Session>,
    /// They may not leave this computer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kept: Vec<Session>,
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
    store_name::name(None, key);
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
    let sealed_by = stores::key_source(&to)?;
    let is_chosen = !args.keep_settings && is_used(used.as_ref(), &from)?;
    if is_chosen {
        stores::check_choice(&to, &sealed_by)?;
    }
    let source = stores::open_named(&from)?;
    let target = stores::open_named(&to)?;
    stores::check_named(&to)?;
    let report = Report {
        v: VERSION,
        store: to.to_string(),
        sessions: transferred(&source, &target, &from)?,
    };
    if report.sessions.failed.is_empty() && is_chosen {
        // Other commands find the sessions there without a flag, and with the key that sealed them.
        stores::choose(&to, &sealed_by)?;
    }
    conclude(args, &report, &from, &to, &sealed_by)
}

/// Whether other commands look there now, however it is named. Settings that a variable brought name
/// it without being believed; those are the ones that are written again.
fn is_used(used: Option<&StoreName>, from: &StoreName) -> Result<bool, Failure> {
    let in_settings = match used {
        Some(used) => Some(used.clone()),
        None => Settings::load()?.store()?,
    };
    match in_settings {
        Some(used) => Ok(stores::identity(&used)? == stores::identity(from)?),
        None => Ok(false),
    }
}

/// Moves all sessions that may move.
fn transferred(
    source: &SessionStore,
    target: &SessionStore,
    from: &StoreName,
) -> Result<Sessions, Failure> {
    let mut sessions = Sessions::default();
    let from = origin(from)?;
    let transfer = Transfer::new(source, target, &from);
    let interrupted =
        || "interrupted; every session is in one of the stores: run the same again".to_owned();
    let work = async {
        for key in transfer.keys()? {
            if let Some(why) = transfer.must_stay(&key) {
                sessions.kept.push(session(&key, Some(why)));
                continue;
            }
            match transfer.of(&key).await {
                Ok(true) => sessions.moved.push(session(&key, None)),
                Ok(false) => {}
                Err(error) => sessions.failed.push(session(&key, Some(chain(&error)))),
            }
        }
        Ok(())
    };
    runtime::run(Vec::new, work, interrupted)?;
    Ok(sessions)
}

fn session(key: &SessionKey, error: Option<String>) -> Session {
    Session {
        vendor: printable(key.provider()),
        account: printable(key.account()),
        error: error.map(|error| printable(&error)),
    }
}

/// Where other commands look for sessions now.
fn whereabouts(to: &StoreName, sealed_by: &KeySource) -> Result<String, Failure> {
    let flags: Vec<String> = store_name::flags(Some(to), sealed_by)
        .iter()
        .map(|(flag, value)| format!("{flag} {}", quoted(&printable(value))))
        .collect();
    let flags = flags.join(" ");
    let Ok(used) = stores::current() else {
        // Settings that a variable brings cannot send sessions to a server.
        return Ok(format!(
            "Other commands do not use the store that the settings name: use {flags}."
        ));
    };
    if stores::identity(&used)? == stores::identity(to)? {
        return Ok(format!("Sessions are now kept in {}.", to.title()));
    }
    Ok(match env::value(stores::STORE) {
        Some(_old) => format!(
            "{} still names {used}, where other commands look for sessions: unset it, or set it to \
             {to}.",
            stores::STORE
        ),
        None => format!(
            "Other commands still look for sessions in {used}, as the settings say: use {flags}."
        ),
    })
}

fn conclude(
    args: &MigrateArgs,
    report: &Report,
    from: &StoreName,
    to: &StoreName,
    sealed_by: &KeySource,
) -> Result<(), Failure> {
    let Sessions {
        moved,
        failed,
        kept,
    } = &report.sessions;
    for session in moved {
        say(&format!(
            "Moved {} ({}) to {}.",
            session.vendor,
            session.account,
            to.title()
        ));
    }
    for session in kept {
        let why = session.error.as_deref().unwrap_or_default();
        say(&format!(
            "{} ({}) stays in {}, because it may not leave this computer: {why}. Name that store with \
             --store {from}.",
            session.vendor,
            session.account,
            from.title()
        ));
    }
    for session in failed {
        let why = session.error.as_deref().unwrap_or_default();
        say(&format!(
            "{} ({}) could not be moved: {why}",
            session.vendor, session.account
        ));
    }
    if moved.is_empty() && kept.is_empty() && failed.is_empty() {
        say(&format!(
            "There was no session to move in {}.",
            from.title()
        ));
    }
    if args.json {
        streams::json(report)?;
    }
    if failed.is_empty() {
        if let StoreName::Server(name) = to
            && name.has_secret()
        {
            say(
                "The settings have the URL with its password; `--to @FILE` keeps it in a file of yours.",
            );
        }
        if matches!(to, StoreName::Server(_)) && !sealed_by.is_some() {
            say(
                "The database has the sessions in clear text; --key-file or --key-command seals them.",
            );
        }
        say(&whereabouts(to, sealed_by)?);
        return Ok(());
    }
    Err(Failure::NotFound {
        message: format!("{} of the sessions could not be moved", failed.len()),
        advice: match (from, to) {
            // The key that was named is that of both.
            (StoreName::Server(_), StoreName::Encrypted(_) | StoreName::Server(_))
                if sealed_by.is_some() =>
            {
                "correct what each line names, then run the same again; if the two stores have \
                 different keys, or one has none, move them to `files` first"
            }
            _ => "correct what each line names, then run the same again",
        }
        .into(),
    })
}
