//! `llm-auth status`.

mod providers;
mod remembered;
mod row;

use clap::Args;
use llm_auth_core::{Clock as _, Error, ErrorKind, SessionKey, SystemClock, printable};
use serde::Serialize;

use self::providers::Providers;
use self::remembered::Remembered;
use self::row::Row;
use crate::error::Failure;
use crate::providers::ProviderName;
use crate::providers::TrustArgs;
use crate::session::command_line::{command_about_all, command_line};
use crate::session::resolve::is_called;
use crate::session::selector::SessionSelector;
use crate::session::stores::{self, SessionStore};
use crate::ui::streams::{self, VERSION, say};

#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    /// Show only sessions of this provider.
    #[arg(ignore_case = true, value_name = "PROVIDER", value_parser = ProviderName::parser())]
    pub(crate) provider: Option<ProviderName>,

    #[command(flatten)]
    pub(crate) selector: SessionSelector,

    #[command(flatten)]
    trust: TrustArgs,

    /// Exit with code 3 unless every session shown is usable without a new sign-in.
    #[arg(long)]
    check: bool,

    /// Print a JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    v: u32,
    sessions: &'a [Row],
    /// The servers of the user's own without a session.
    servers: &'a [Remembered],
}

pub(crate) fn run(args: &StatusArgs) -> Result<(), Failure> {
    let store = stores::open(&args.selector)?;
    let rows = rows(args, &store)?;
    // A file and an account are about sessions alone.
    let servers = match args.selector.store.is_some() || args.selector.account.is_some() {
        true => Vec::new(),
        false => Remembered::all(args.provider, &store),
    };
    if args.json {
        streams::json(&Report {
            v: VERSION,
            sessions: &rows,
            servers: &servers,
        })?;
    } else {
        show(args, &store, &rows, &servers)?;
    }
    if args.check {
        checked(args, &rows)
    } else {
        Ok(())
    }
}

fn show(
    args: &StatusArgs,
    store: &SessionStore,
    rows: &[Row],
    servers: &[Remembered],
) -> Result<(), Failure> {
    // A server says how to sign in.
    if rows.is_empty() && servers.is_empty() {
        let is_part = args.provider.is_some() || args.selector.account.is_some();
        let others = is_part && store.providers().is_ok_and(|found| !found.is_empty());
        say(&if others {
            format!(
                "not signed in; run `{}` to list all sessions",
                command_about_all("status")
            )
        } else {
            format!("not signed in; run `{}`", command_about_all("login"))
        });
    }
    let rows = rows.iter().map(Row::lines);
    let servers = servers.iter().map(|server| server.lines().to_vec());
    for (at, lines) in rows.chain(servers).enumerate() {
        if at > 0 {
            streams::answer("")?;
        }
        for line in lines {
            streams::answer(&printable(&line))?;
        }
    }
    Ok(())
}

/// For scripts: whether everything that was shown can be used.
fn checked(args: &StatusArgs, rows: &[Row]) -> Result<(), Failure> {
    let is_good =
        |row: &Row| ["renewable", "valid"].contains(&row.state) && row.why_unusable().is_none();
    let lacks = |row: &&Row| !is_good(row);
    if rows.is_empty() {
        return Err(Error::new(ErrorKind::NotSignedIn, "not signed in").into());
    }
    let Some(row) = rows.iter().find(lacks) else {
        return Ok(());
    };
    let advice = row.advice.clone();
    let name = row.provider.as_deref().unwrap_or("the session");
    Err(Failure::NotUsable {
        message: match row.why_unusable() {
            Some(why) => format!("{name} ({}) is not used: {why}", row.account),
            None => format!("{name} ({}) is {}", row.account, row.state),
        },
        advice: advice.unwrap_or_else(|| {
            let provider = args
                .provider
                .map(ProviderName::name)
                .or(row.provider.as_deref());
            let login = command_line("login", provider, &args.selector, &[]);
            format!("correct that, or sign in with `{login}`")
        }),
    })
}

/// The sessions to look at: those of the directory, or the one of the file.
fn rows(args: &StatusArgs, store: &SessionStore) -> Result<Vec<Row>, Failure> {
    let now = SystemClock.now();
    let wanted = args.selector.account.as_deref();
    let providers = Providers::new(store, &args.trust);
    if args.selector.store.is_some() {
        let provider = args.provider.map_or("", ProviderName::name);
        let key = SessionKey::new(provider, wanted.unwrap_or_default());
        let row = Row::of(&args.selector, store, &providers, &key, now);
        return Ok(row.into_iter().collect());
    }
    let mut rows = Vec::new();
    for provider in store.providers()? {
        if args
            .provider
            .is_some_and(|wanted| wanted.name() != provider)
        {
            continue;
        }
        match store.sessions_of(&provider) {
            Ok(keys) => rows.extend(
                keys.iter()
                    .filter(|key| wanted.is_none_or(|name| is_called(key, store, name)))
                    .filter_map(|key| Row::of(&args.selector, store, &providers, key, now)),
            ),
            // The other providers' sessions are not affected.
            Err(error) => rows.push(Row::of_unreadable_provider(&provider, &error)),
        }
    }
    Ok(rows)
}
