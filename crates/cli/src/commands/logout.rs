//! `llm-auth logout`.

use std::time::Duration;

use clap::Args;
use llm_auth_core::{
    AuthManager, ErrorKind, Logout, Revocation, SessionKey, TokenStore as _, printable,
};

use super::import::{Source, shares_its_grant};
use crate::args::SessionArgs;
use crate::error::{Failure, chain};
use crate::providers::{self, ProviderArgs, ProviderName, reader, servers, trust};
use crate::session::command_line::{command_about, command_about_all};
use crate::session::runtime;
use crate::session::selector::SessionSelector;
use crate::session::settings::Settings;
use crate::session::stores::{self, SessionStore};
use crate::time;
use crate::ui::events::Event;
use crate::ui::streams::say;

#[derive(Args, Debug)]
pub(crate) struct LogoutArgs {
    #[command(flatten)]
    pub(crate) session: SessionArgs,

    #[command(flatten)]
    pub(crate) provider_args: ProviderArgs,

    /// Remove the session here without revoking it.
    #[arg(long)]
    local: bool,

    /// Also forget the server and the client that is registered there (`llm-auth login oidc`).
    #[arg(long = "forget-server")]
    forget_server: bool,

    /// Print a JSON object.
    #[arg(long)]
    pub(crate) json: bool,

    /// The limit for the request to the provider, and for the refresh of another process [default:
    /// 20 and 60].
    #[arg(long, value_name = "SECONDS", value_parser = time::seconds, allow_negative_numbers = true)]
    timeout: Option<Duration>,
}

/// What became of the session.
struct Outcome {
    was_signed_in: bool,
    /// In one word, for programs.
    revocation: &'static str,
    message: String,
}

pub(crate) fn run(args: &LogoutArgs) -> Result<(), Failure> {
    let provider = args.session.provider;
    if args.forget_server && provider.server().is_none() {
        let why = format!(
            "--forget-server: {} is no server of your own",
            provider.title()
        );
        return Err(Failure::Usage(why));
    }
    let mut store = stores::open(&args.session.selector)?;
    if let Some(timeout) = args.timeout {
        store = store.lock_wait(timeout)?;
    }
    let key = args
        .session
        .provider
        .accounts(&store)
        .meant(&args.session.selector)?;
    let was_current = provider
        .accounts(&store)
        .current()
        .is_ok_and(|current| current == key);
    let before = store.read(&key);
    let was_corrupt = matches!(&before, Err(error) if error.kind() == ErrorKind::Corrupt);
    let before = before.ok().flatten();
    let sharer = before.as_ref().and_then(shares_its_grant);
    let configured =
        provider.configure_for_stored(&args.provider_args, before.as_ref(), args.timeout)?;
    if let Some(session) = &before
        && !args.local
        && sharer.is_none()
    {
        let selector = &args.session.selector;
        trust::check_revocation(provider, &args.provider_args, selector, &key, session)?;
        reader::check_revocation(&configured, &args.provider_args.trust, &key, session)?;
    }
    let manager = providers::manager(configured)
        .store(store.shared())
        .account(key.account())
        .call_limit(runtime::call_limit(args.timeout))
        .build();
    let interrupted = || format!("interrupted; check `{}`", command_about_all("status"));
    // Other computers have lost it too.
    let removed = match store.is_on_server() {
        true => format!("removed from {}", store.place(&key)),
        false => "removed from this computer".to_owned(),
    };
    let work = async { Ok(forget(&manager, provider, args.local, sharer, &removed).await?) };
    let outcome = runtime::run(|| vec![manager.clone()], work, interrupted)?;
    let kept_aside = was_corrupt.then(|| store.kept_aside(&key)).flatten();
    say(&outcome.message);
    if let Some(aside) = &kept_aside {
        let what = match store.is_on_server() {
            true => "What was stored could not be read, so nothing was revoked. It",
            false => "Its file could not be read and",
        };
        say(&format!(
            "{what} is kept in {aside}; it may contain tokens, so delete it if you do not need it."
        ));
    }
    let current = match args.session.selector.store {
        Some(_) => None,
        None => current_now(provider, &key, &store).filter(|_| was_current),
    };
    if let Some(account) = &current {
        say(&format!(
            "The current {} account is now {account}.",
            provider.title()
        ));
    }
    if args.forget_server {
        let after = || "interrupted; signed out, but the server is still remembered".to_owned();
        say(&runtime::run(Vec::new, forget_server(provider), after)?);
    }
    if !args.json {
        return Ok(());
    }
    Event::SignedOut {
        provider: key.provider(),
        account: key.account(),
        was_signed_in: outcome.was_signed_in,
        revocation: outcome.revocation,
        message: &outcome.message,
        kept_aside,
        current: current.as_deref(),
    }
    .print()
}

/// Forgets a server that no session needs any more, and says so.
async fn forget_server(provider: ProviderName) -> Result<String, Failure> {
    let name = provider.name();
    let store = stores::open(&SessionSelector::default())?;
    // A sign-in must not store a session in between.
    let _held = servers::hold(name).await?;
    let others = provider.accounts(&store).stored()?;
    if let Some(other) = others.first() {
        return Ok(format!(
            "The server {name} is still remembered: its account {} is signed in. To end that too: `{}`",
            printable(other.account()),
            command_about("logout", other, &["--forget-server"])
        ));
    }
    // What a killed process left holds the tokens of this server.
    for key in store.unfinished_of(name)? {
        let mut guard = store.shared().lock(&key).await?;
        let removed = guard.remove().await;
        guard.release().await;
        removed?;
    }
    servers::forget(name)?;
    Ok(format!("The server {name} and its client are forgotten."))
}

async fn forget(
    manager: &AuthManager,
    provider: ProviderName,
    local: bool,
    sharer: Option<Source>,
    removed: &str,
) -> Result<Outcome, llm_auth_core::Error> {
    let key = manager.key();
    let outcome = |was_signed_in, revocation, message| Outcome {
        was_signed_in,
        revocation,
        message: format!("{key}: {message}"),
    };
    let not_signed_in = || outcome(false, "none", "not signed in; nothing to remove".to_owned());
    if local || sharer.is_some() {
        if !manager.forget().await? {
            return Ok(not_signed_in());
        }
        let message = match sharer {
            Some(program) => format!(
                "{removed}; {} uses the same grant, so the provider was not \
                 contacted",
                program.title()
            ),
            None => format!("{removed}; the provider was not contacted"),
        };
        return Ok(outcome(true, "withheld", message));
    }
    let Logout {
        was_signed_in,
        revocation,
        ..
    } = manager.logout().await?;
    if !was_signed_in {
        return Ok(not_signed_in());
    }
    let (word, message) = match revocation {
        None => (
            "none",
            format!("{removed}; the provider had already ended the session"),
        ),
        Some(Ok(Revocation::Confirmed)) => (
            "confirmed",
            format!("signed out; {} confirmed the revocation", provider.title()),
        ),
        Some(Ok(_)) => (
            "not_supported",
            format!(
                "{removed}. {} does not support revocation: copies of the tokens \
                 stay valid until {}",
                provider.title(),
                provider.tokens_end()
            ),
        ),
        Some(Err(error)) => (
            "not_confirmed",
            format!(
                "{removed}, but {} did not confirm the revocation: {}",
                provider.title(),
                chain(&error)
            ),
        ),
    };
    Ok(outcome(true, word, message))
}

/// The account that is meant from now on if none is named.
fn current_now(provider: ProviderName, key: &SessionKey, store: &SessionStore) -> Option<String> {
    // The sign-out itself is done.
    if let Err(failure) = Settings::forget_current(provider.name(), key.account()) {
        say(&failure.message());
    }
    let current = provider.accounts(store).current().ok()?;
    let is_other = current != *key && store.has(&current);
    is_other.then(|| printable(current.account()))
}
