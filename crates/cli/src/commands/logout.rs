//! `llm-auth logout`.

use std::time::Duration;

use clap::Args;
use llm_auth_core::{Logout, Revocation};
use serde_json::json;

use super::{PlaceArgs, SessionArgs};
use crate::exit::{Failure, chain};
use crate::output::{self, VERSION, say};
use crate::settings::Settings;
use crate::vendor::ProviderArgs;
use crate::{accounts, signals, store, time};

#[derive(Args, Debug)]
pub(crate) struct LogoutArgs {
    #[command(flatten)]
    pub(crate) session: SessionArgs,

    #[command(flatten)]
    provider: ProviderArgs,

    /// Write one JSON object to standard output.
    #[arg(long)]
    pub(crate) json: bool,

    /// The longest time for the request to the vendor.
    #[arg(long, value_name = "SECONDS", value_parser = time::seconds)]
    timeout: Option<Duration>,
}

pub(crate) fn run(args: &LogoutArgs) -> Result<(), Failure> {
    let vendor = args.session.vendor;
    let store = store::open(&args.session.place)?;
    let key = accounts::meant(&args.session, &store)?;
    let manager = vendor
        .provider(&args.provider, args.timeout, None)?
        .manager()
        .store(store)
        .account(key.account())
        .build();
    let interrupted = || "interrupted; look at `llm-auth status`".to_owned();
    let work = async { Ok(manager.logout().await?) };
    let Logout {
        was_signed_in,
        revocation,
        ..
    } = signals::run(|| vec![manager.clone()], work, interrupted)?;

    let PlaceArgs { account, store } = &args.session.place;
    if account.is_none() && store.is_none() {
        // Nobody is left there.
        Settings::set_current(vendor.name(), None)?;
    }
    let (word, message) = match (&revocation, was_signed_in) {
        (_, false) => (
            "none",
            format!("{key}: nobody was signed in; nothing to forget"),
        ),
        (None, true) => (
            "none",
            format!("{key}: forgotten here; the vendor had ended the session already"),
        ),
        (Some(Ok(Revocation::Confirmed)), true) => (
            "confirmed",
            format!("{key}: signed out, and {} confirmed it", vendor.title()),
        ),
        (Some(Ok(_)), true) => (
            "not_supported",
            format!(
                "{key}: forgotten here. {} has no way to be told, so whoever has a copy of the \
                 tokens can use them until they expire",
                vendor.title()
            ),
        ),
        (Some(Err(error)), true) => (
            "not_confirmed",
            format!(
                "{key}: forgotten here, but {} did not confirm that the session is over: {}",
                vendor.title(),
                chain(error)
            ),
        ),
    };
    say(&message);
    if !args.json {
        return Ok(());
    }
    output::json(&json!({
        "v": VERSION,
        "event": "signed_out",
        "vendor": key.provider(),
        "account": key.account(),
        "was_signed_in": was_signed_in,
        "revocation": word,
        "message": message,
    }))
}
