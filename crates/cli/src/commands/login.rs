//! `llm-auth login`.

use std::time::Duration;

use clap::Args;
use llm_auth_core::{
    AuthManager, Error, ErrorKind, FileTokenStore, OAuthToken, SessionKey, printable,
};
use serde_json::json;

use super::SessionArgs;
use crate::exit::Failure;
use crate::output::{self, VERSION, say};
use crate::place::Place;
use crate::store;
use crate::terminal::Terminal;
use crate::time::rfc3339;
use crate::vendor::{ProviderArgs, Vendor};
use crate::{signals, time};

#[derive(Args, Debug)]
pub(crate) struct LoginArgs {
    #[command(flatten)]
    pub(crate) session: SessionArgs,

    #[command(flatten)]
    provider: ProviderArgs,

    /// Write one JSON event a line to standard output.
    #[arg(long)]
    pub(crate) json: bool,

    /// Open a browser also where none is expected to be seen, such as over SSH.
    #[arg(long, conflicts_with = "no_browser")]
    browser: bool,

    /// Do not open a browser.
    #[arg(long)]
    no_browser: bool,

    /// Give up after this time [default: as long as the vendor waits].
    #[arg(long, value_name = "SECONDS", value_parser = time::seconds)]
    timeout: Option<Duration>,
}

pub(crate) fn run(args: &LoginArgs) -> Result<(), Failure> {
    let vendor = args.session.vendor;
    let (store, key) = (store::open(&args.session.place)?, store::key(&args.session));
    let provider = vendor.provider(&args.provider, None, args.timeout)?;
    vendor.check_login(&args.provider)?;
    let manager = provider
        .manager()
        .store(store.clone())
        .account(key.account())
        .build();
    let replaced = store.read(&key);
    let was_corrupt = matches!(&replaced, Err(error) if error.kind() == ErrorKind::Corrupt);
    let signed_in_before = signed_in_at(replaced);

    let wish = (args.browser || args.no_browser).then_some(args.browser);
    let terminal = Terminal::new(args.json, Place::detect(), wish);
    terminal.say(&format!(
        "Sign in to {}. {}",
        vendor.title(),
        vendor.state_of_affairs()
    ));
    let interrupted = || {
        terminal.clear();
        if signed_in_at(store.read(&key)) == signed_in_before {
            "interrupted; nothing was changed".to_owned()
        } else {
            format!(
                "interrupted, but signed in: the session is stored in {}",
                file(&store, &key)
            )
        }
    };
    let work = sign_in(&manager, &terminal);
    let token = signals::run(&[&manager], work, interrupted);
    terminal.clear();
    let token = token?;
    conclude(args.json, vendor, &manager, &store, was_corrupt, &token)
}

async fn sign_in(manager: &AuthManager, terminal: &Terminal) -> Result<OAuthToken, Failure> {
    tokio::select! {
        biased;
        signed_in = manager.login(terminal) => Ok((*signed_in?).clone()),
        failure = terminal.cut_off() => Err(failure),
        never = terminal.count_down() => match never {},
    }
}

/// Says who is signed in, where it is stored and until when; never a token.
fn conclude(
    json: bool,
    vendor: Vendor,
    manager: &AuthManager,
    store: &FileTokenStore,
    was_corrupt: bool,
    token: &OAuthToken,
) -> Result<(), Failure> {
    let key = manager.key();
    let file = file(store, key);
    let who = token.notes.identity.as_deref().map(printable);
    let expires_at = rfc3339(token.expires_at);
    let as_whom = who
        .as_ref()
        .map(|who| format!(" as {who}"))
        .unwrap_or_default();
    say(&format!(
        "Signed in to {}{as_whom}. The session is stored in {file}.",
        vendor.title()
    ));
    let until = expires_at.as_deref().unwrap_or("the end of all calendars");
    say(&match token.refresh {
        _ if time::has_expired(token) => time::expired_on_arrival(token),
        Some(_) => format!("The access token is good until {until} and is renewed by itself."),
        None => {
            format!("The access token is good until {until}; the vendor gave no way to renew it.")
        }
    });
    let kept_aside = was_corrupt
        .then(|| store::kept_aside(&store.path(key)))
        .flatten();
    if let Some(aside) = &kept_aside {
        say(&format!(
            "What was in the file before is kept in {}.",
            aside.display()
        ));
    }
    let notification = token.notification.as_deref().map(printable);
    if let Some(message) = &notification {
        say(&format!("{} says: {message}", vendor.title()));
    }
    if !json {
        return Ok(());
    }
    output::json(&json!({
        "v": VERSION,
        "event": "signed_in",
        "vendor": vendor.name(),
        "account": key.account(),
        "store": file,
        "identity": who,
        "expires_at": expires_at,
        "expires_at_ms": token.expires_at.as_unix_millis(),
        "scope": token.scope.as_deref().map(printable),
        "api_base": manager.provider().api_base(token),
        "notification": notification,
        "kept_aside": kept_aside.map(|path| path.display().to_string()),
    }))
}

fn file(store: &FileTokenStore, key: &SessionKey) -> String {
    store.path(key).display().to_string()
}

fn signed_in_at(read: Result<Option<OAuthToken>, Error>) -> Option<i64> {
    let at = read.ok().flatten()?.notes.signed_in_at?;
    Some(at.as_unix_millis())
}
