//! `llm-auth login`.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use llm_auth_core::{
    AuthManager, Clock as _, ErrorKind, FileTokenStore, OAuthToken, SessionKey, SystemClock,
    Timestamp, printable,
};
use serde_json::json;

use super::{PlaceArgs, SessionArgs};
use crate::exit::Failure;
use crate::output::{self, VERSION, say};
use crate::place::Place;
use crate::settings::Settings;
use crate::terminal::Terminal;
use crate::time::rfc3339;
use crate::vendor::{Provider, ProviderArgs, Vendor};
use crate::{accounts, signals, store, time};

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

impl LoginArgs {
    /// A sign-in as another command begins it.
    pub(crate) fn new(session: SessionArgs, provider: ProviderArgs, json: bool) -> Self {
        Self {
            session,
            provider,
            json,
            browser: false,
            no_browser: false,
            timeout: None,
        }
    }
}

pub(crate) fn run(args: &LoginArgs) -> Result<(), Failure> {
    let vendor = args.session.vendor;
    let store = store::open(&args.session.place)?;
    let key = accounts::meant(&args.session, &store)?;
    let provider = vendor.provider(&args.provider, None, args.timeout)?;
    vendor.check_login(&args.provider)?;
    let PlaceArgs {
        account,
        store: file,
    } = &args.session.place;
    let replaced = store.read(&key);
    let was_corrupt = matches!(&replaced, Err(error) if error.kind() == ErrorKind::Corrupt);
    let login = Login {
        vendor,
        provider,
        key,
        store,
        account_is_free: account.is_none() && file.is_none(),
        managers: Mutex::default(),
    };

    let wish = (args.browser || args.no_browser).then_some(args.browser);
    let terminal = Terminal::new(args.json, Place::detect(), wish);
    terminal.say(&format!(
        "Sign in to {}. {}",
        vendor.title(),
        vendor.state_of_affairs()
    ));
    let began = SystemClock.now();
    let interrupted = || {
        terminal.clear();
        login.after_interruption(began)
    };
    let work = async {
        tokio::select! {
            biased;
            signed_in = login.sign_in(&terminal) => signed_in,
            failure = terminal.cut_off() => Err(failure),
            never = terminal.count_down() => match never {},
        }
    };
    let signed_in = signals::run(|| login.managers(), work, interrupted);
    terminal.clear();
    let (manager, token) = signed_in?;
    conclude(
        args.json,
        vendor,
        &manager,
        &login.store,
        was_corrupt,
        &token,
    )
}

/// A sign-in under way.
struct Login {
    vendor: Vendor,
    provider: Provider,
    /// The account that is meant.
    key: SessionKey,
    store: FileTokenStore,
    /// Nobody named the account, so that another person need not replace this one.
    account_is_free: bool,
    /// Those that may be storing something.
    managers: Mutex<Vec<AuthManager>>,
}

impl Login {
    async fn sign_in(&self, terminal: &Terminal) -> Result<(AuthManager, OAuthToken), Failure> {
        let mut manager = self.manager(&self.key);
        manager.check_store().await?;
        let signed_in = manager.provider().authenticate(terminal).await;
        let token = signed_in.map_err(|error| error.with_session(&self.key))?;
        let key = self.account_for(&token)?;
        if key != self.key {
            manager = self.manager(&key);
        }
        let token = manager.adopt(token).await?;
        if key != self.key {
            self.make_current(&key);
        }
        Ok((manager, (*token).clone()))
    }

    /// The account to store it under: where another person is signed in and no account was
    /// named, one of its own, so that nobody's session is thrown away by accident.
    fn account_for(&self, token: &OAuthToken) -> Result<SessionKey, Failure> {
        let before = self.store.read(&self.key).ok().flatten();
        let owner = before.and_then(|session| session.notes.identity);
        let (Some(owner), Some(new)) = (owner, &token.notes.identity) else {
            return Ok(self.key.clone());
        };
        if owner.eq_ignore_ascii_case(new) {
            return Ok(self.key.clone());
        }
        let (owner, account) = (printable(&owner), printable(self.key.account()));
        if !self.account_is_free {
            say(&format!(
                "This replaces the session of {owner} in account {account}."
            ));
            return Ok(self.key.clone());
        }
        say(&format!(
            "Account {account} belongs to {owner}, whose session is kept; this one gets an account \
             of its own."
        ));
        let known = accounts::of_identity(self.vendor, new, &self.store)?;
        let own_name = || SessionKey::new(self.vendor.name(), printable(new).to_lowercase());
        Ok(known.unwrap_or_else(own_name))
    }

    fn make_current(&self, key: &SessionKey) {
        let account = printable(key.account());
        // The sign-in itself is done and stored.
        match Settings::set_current(self.vendor.name(), Some(key.account())) {
            Ok(()) => say(&format!(
                "The current account is now {account}; `llm-auth switch {}` goes back.",
                self.vendor.name()
            )),
            Err(failure) => say(&format!(
                "{}; use it with --account {account}.",
                printable(&failure.message())
            )),
        }
    }

    fn manager(&self, key: &SessionKey) -> AuthManager {
        let builder = self.provider.clone().manager();
        let manager = builder
            .store(self.store.clone())
            .account(key.account())
            .build();
        let mut managers = self.managers.lock().unwrap_or_else(PoisonError::into_inner);
        managers.push(manager.clone());
        manager
    }

    fn managers(&self) -> Vec<AuthManager> {
        let managers = self.managers.lock().unwrap_or_else(PoisonError::into_inner);
        managers.clone()
    }

    fn after_interruption(&self, began: Timestamp) -> String {
        for manager in self.managers() {
            let stored = self.store.read(manager.key()).ok().flatten();
            let at = stored.and_then(|session| session.notes.signed_in_at);
            if at.is_some_and(|at| at >= began) {
                return format!(
                    "interrupted, but signed in: the session is stored in {}",
                    file(&self.store, manager.key())
                );
            }
        }
        "interrupted; nothing was changed".to_owned()
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
