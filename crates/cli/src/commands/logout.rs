//! `llm-auth logout`.

use std::time::Duration;

use clap::Args;
use llm_auth_core::{
    AuthManager, ErrorKind, FileTokenStore, Logout, Revocation, SessionKey, printable,
};
use serde_json::json;

use super::SessionArgs;
use super::import::{Source, shares_its_grant};
use crate::exit::{Failure, chain};
use crate::output::{self, VERSION, say};
use crate::settings::Settings;
use crate::vendor::{ProviderArgs, Vendor, reader, trust};
use crate::{accounts, signals, store, time};

#[derive(Args, Debug)]
pub(crate) struct LogoutArgs {
    #[command(flatten)]
    pub(crate) session: SessionArgs,

    #[command(flatten)]
    provider: ProviderArgs,

    /// Forget it here only, and tell the vendor nothing.
    #[arg(long)]
    local: bool,

    /// Write one JSON object to standard output.
    #[arg(long)]
    pub(crate) json: bool,

    /// The longest time for the request to the vendor, and for another process's refresh [default:
    /// 20 and 60].
    #[arg(long, value_name = "SECONDS", value_parser = time::seconds)]
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
    let vendor = args.session.vendor;
    let mut store = store::open(&args.session.place)?;
    if let Some(timeout) = args.timeout {
        store = store.lock_wait(timeout);
    }
    let key = accounts::meant(&args.session, &store)?;
    let was_current = accounts::current(vendor, &store).is_ok_and(|current| current == key);
    let before = store.read(&key);
    let was_corrupt = matches!(&before, Err(error) if error.kind() == ErrorKind::Corrupt);
    let before = before.ok().flatten();
    let sharer = before.as_ref().and_then(shares_its_grant);
    let provider = vendor.provider_for_stored(&args.provider, args.timeout)?;
    if let Some(session) = &before
        && !args.local
        && sharer.is_none()
    {
        trust::check_session(vendor, &args.provider, &key, session)?;
        reader::check_revocation(&provider, &args.provider.trust, &key, session)?;
    }
    let manager = provider
        .manager()
        .store(store.clone())
        .account(key.account())
        .call_limit(signals::call_limit(args.timeout))
        .build();
    let interrupted = || "interrupted; look at `llm-auth status`".to_owned();
    let work = async { Ok(forget(&manager, vendor, args.local, sharer).await?) };
    let outcome = signals::run(|| vec![manager.clone()], work, interrupted)?;
    let kept_aside = was_corrupt
        .then(|| store::kept_aside(&store.path(&key)))
        .flatten();
    say(&outcome.message);
    if let Some(aside) = &kept_aside {
        say(&format!(
            "What was in its file could not be read, and is kept in {}; delete that if it is of no \
             use, for it may hold tokens.",
            aside.display()
        ));
    }
    let current = match args.session.place.store {
        Some(_) => None,
        None => current_now(vendor, &key, &store).filter(|_| was_current),
    };
    if let Some(account) = &current {
        say(&format!(
            "Where no account of {} is named, {account} is meant now.",
            vendor.title()
        ));
    }
    if !args.json {
        return Ok(());
    }
    output::json(&json!({
        "v": VERSION,
        "event": "signed_out",
        "vendor": key.provider(),
        "account": key.account(),
        "was_signed_in": outcome.was_signed_in,
        "revocation": outcome.revocation,
        "message": outcome.message,
        "kept_aside": kept_aside.map(|path| path.display().to_string()),
        "current": current,
    }))
}

async fn forget(
    manager: &AuthManager,
    vendor: Vendor,
    local: bool,
    sharer: Option<Source>,
) -> Result<Outcome, llm_auth_core::Error> {
    let key = manager.key();
    let outcome = |was_signed_in, revocation, message| Outcome {
        was_signed_in,
        revocation,
        message: format!("{key}: {message}"),
    };
    let nobody = || {
        outcome(
            false,
            "none",
            "nobody was signed in; nothing to forget".to_owned(),
        )
    };
    if local || sharer.is_some() {
        if !manager.forget().await? {
            return Ok(nobody());
        }
        let message = match sharer {
            Some(program) => format!(
                "forgotten here; {} has the same grant and keeps it, so the vendor was told nothing",
                program.title()
            ),
            None => "forgotten here; the vendor was told nothing".to_owned(),
        };
        return Ok(outcome(true, "withheld", message));
    }
    let Logout {
        was_signed_in,
        revocation,
        ..
    } = manager.logout().await?;
    if !was_signed_in {
        return Ok(nobody());
    }
    let (word, message) = match revocation {
        None => (
            "none",
            "forgotten here; the vendor had ended the session already".to_owned(),
        ),
        Some(Ok(Revocation::Confirmed)) => (
            "confirmed",
            format!("signed out, and {} confirmed it", vendor.title()),
        ),
        Some(Ok(_)) => (
            "not_supported",
            format!(
                "forgotten here. {} has no way to be told, so whoever has a copy of the tokens can \
                 use them until they expire",
                vendor.title()
            ),
        ),
        Some(Err(error)) => (
            "not_confirmed",
            format!(
                "forgotten here, but {} did not confirm that the session is over: {}",
                vendor.title(),
                chain(&error)
            ),
        ),
    };
    Ok(outcome(true, word, message))
}

/// The account that is meant from now on where none is named.
fn current_now(vendor: Vendor, key: &SessionKey, store: &FileTokenStore) -> Option<String> {
    // The sign-out itself is done.
    if let Err(failure) = Settings::forget_current(vendor.name(), key.account()) {
        say(&failure.message());
    }
    let current = accounts::current(vendor, store).ok()?;
    let is_other = current != *key && store.path(&current).exists();
    is_other.then(|| printable(current.account()))
}
