//! A sign-in under way, and the account that it is stored under.

use std::sync::{Mutex, PoisonError};

use llm_auth_core::{
    AuthManager, Clock as _, DEFAULT_ACCOUNT, FileTokenStore, OAuthToken, SessionKey, SystemClock,
    Timestamp, printable,
};

use crate::error::Failure;
use crate::providers::{self, Provider, ProviderName};
use crate::session::resolve;
use crate::session::settings::Settings;
use crate::session::state::state_of;
use crate::shell_quote::quoted;
use crate::ui::login_prompt::LoginPrompt;

/// More accounts of one name than any user has.
const MOST_NAMES: usize = 1000;

pub(super) struct Login {
    provider: ProviderName,
    configured: Provider,
    /// The account that is meant.
    key: SessionKey,
    pub(super) store: FileTokenStore,
    /// The account was named, so that no other will do.
    is_explicit: bool,
    /// The store is one file, which has room for no other account.
    is_one_file: bool,
    /// What is stored there as it begins.
    before: Option<OAuthToken>,
    /// Those that may be storing something.
    managers: Mutex<Vec<AuthManager>>,
}

/// What came of it.
pub(super) struct SignedIn {
    pub(super) manager: AuthManager,
    pub(super) token: OAuthToken,
    /// Another session was stored there before.
    pub(super) replaced: bool,
}

impl Login {
    pub(super) fn new(
        provider: ProviderName,
        configured: Provider,
        key: SessionKey,
        store: FileTokenStore,
        is_explicit: bool,
        is_one_file: bool,
        before: Option<OAuthToken>,
    ) -> Self {
        Self {
            provider,
            configured,
            key,
            store,
            is_explicit,
            is_one_file,
            before,
            managers: Mutex::default(),
        }
    }

    /// What the person should know of the session that is there, before they go on.
    pub(super) fn notice(&self) -> Option<String> {
        let before = self.before.as_ref()?;
        // What is over can be replaced without a word.
        if !["valid", "renewable"].contains(&state_of(before, SystemClock.now())) {
            return None;
        }
        let account = printable(self.key.account());
        let owner = before.metadata.identity.as_deref().map(printable);
        let place = if account.is_empty() {
            "This store".to_owned()
        } else {
            format!("Account {account}")
        };
        Some(match owner {
            Some(owner) if self.is_explicit => {
                format!("{place} is signed in as {owner}; this sign-in replaces that session.")
            }
            Some(owner) => format!(
                "{place} is signed in as {owner}. The same person again replaces that session; \
                 anybody else gets an account of their own."
            ),
            None if self.is_explicit => {
                format!("{place} is signed in already; this sign-in replaces that session.")
            }
            None => format!(
                "{place} is signed in already; this sign-in replaces that session. To keep both, \
                 stop it and name a new account with --account NAME."
            ),
        })
    }

    /// Whether the session can be stored, before the user is asked for anything.
    pub(super) async fn check_store(&self) -> Result<(), Failure> {
        Ok(self.manager(&self.key).check_store().await?)
    }

    pub(super) async fn sign_in(&self, prompt: &LoginPrompt) -> Result<SignedIn, Failure> {
        let manager = self.manager(&self.key);
        let signed_in = manager.provider().authenticate(prompt).await;
        let token = signed_in.map_err(|error| error.with_session(&self.key))?;
        let mut key = self.key.clone();
        // Where the account is not named, what is stored there decides.
        let is_decided_by_name = self.is_explicit || self.before.is_none();
        let is_of_another =
            is_decided_by_name && resolve::is_of_another(&key, token.metadata.identity.as_deref());
        if is_of_another {
            key = self.true_account(&token)?;
            let account = printable(key.account());
            prompt.say(&format!(
                "You signed in as {}, not as {}: the session is stored as account {account}.",
                printable(token.metadata.identity.as_deref().unwrap_or_default()),
                printable(self.key.account()),
            ));
        }
        // Another process may take an account's name at the same moment.
        for _ in 0..MOST_NAMES {
            if let Some(signed_in) = self.stored(&key, &token).await? {
                // For one call another account was named: that says nothing of the next ones.
                if key != self.key && !(is_of_another && self.is_explicit) {
                    self.make_current(&key, prompt);
                }
                return Ok(signed_in);
            }
            if key == self.key {
                prompt.say(&self.why_not_there(&token));
            }
            key = self.account_of_its_own(&token);
        }
        Err(Failure::Config {
            message: format!("{}: there is no free name for the new account", self.key),
            advice: "sign in again and name the account with --account".into(),
        })
    }

    /// `None` if the account holds another person's session.
    async fn stored(
        &self,
        key: &SessionKey,
        token: &OAuthToken,
    ) -> Result<Option<SignedIn>, Failure> {
        let manager = self.manager(key);
        let replaced = self.store.read(key).is_ok_and(|stored| stored.is_some());
        let is_explicit = self.is_explicit && *key == self.key;
        let owner = token.metadata.identity.clone();
        let fits = move |stored: Option<&OAuthToken>| {
            is_explicit || stored.is_none_or(|stored| may_replace(stored, owner.as_deref()))
        };
        let token = manager.insert_session_if(token.clone(), fits).await?;
        Ok(token.map(|token| SignedIn {
            manager,
            token: (*token).clone(),
            replaced,
        }))
    }

    fn why_not_there(&self, token: &OAuthToken) -> String {
        let account = printable(self.key.account());
        let stored = self.store.read(&self.key).ok().flatten();
        let owner = stored.and_then(|stored| stored.metadata.identity);
        let owner = printable(owner.as_deref().unwrap_or("somebody else"));
        let who = match token.metadata.identity {
            Some(_) => String::new(),
            None => format!(
                ", and {} did not say who signed in now",
                self.provider.title()
            ),
        };
        format!(
            "Account {account} belongs to {owner}, whose session is kept{who}; this one gets an \
             account of its own."
        )
    }

    /// Where the session of a person goes who is not the one that the account is named after.
    fn true_account(&self, token: &OAuthToken) -> Result<SessionKey, Failure> {
        if !self.is_one_file {
            return Ok(self.account_of_its_own(token));
        }
        let name = printable(self.key.account());
        let owner = printable(token.metadata.identity.as_deref().unwrap_or_default());
        Err(Failure::Config {
            message: format!("you signed in as {owner}, not as {name}; nothing is stored"),
            advice: format!(
                "sign in again and choose {name} in the browser, or leave out --account"
            ),
        })
    }

    /// The one that belongs to this person already, else a new one.
    fn account_of_its_own(&self, token: &OAuthToken) -> SessionKey {
        // A directory that cannot be listed is no reason to lose a session: a free name is found.
        let accounts = self.provider.accounts(&self.store);
        let stored = accounts.stored().unwrap_or_default();
        let owner = token.metadata.identity.as_deref();
        let known = owner.and_then(|owner| resolve::of_identity(&stored, owner, &self.store));
        if let Some(known) = known.filter(|known| *known != self.key) {
            return known;
        }
        let name = printable(owner.unwrap_or(DEFAULT_ACCOUNT)).to_lowercase();
        let mut key = accounts.key(&name);
        for number in 2..MOST_NAMES {
            if !self.store.path(&key).exists() {
                break;
            }
            key = accounts.key(&format!("{name}-{number}"));
        }
        key
    }

    fn make_current(&self, key: &SessionKey, prompt: &LoginPrompt) {
        let account = printable(key.account());
        // The sign-in itself is done and stored.
        prompt.say(
            &match Settings::set_current(self.provider.name(), key.account()) {
                Ok(()) if !self.store.path(&self.key).exists() => {
                    format!("The current account is now {account}.")
                }
                Ok(()) => format!(
                    "The current account is now {account}; `llm-auth switch {} {}` goes back.",
                    self.provider.name(),
                    quoted(&printable(self.key.account()))
                ),
                Err(failure) => format!(
                    "{}; use it with --account {account}.",
                    printable(&failure.message())
                ),
            },
        );
    }

    fn manager(&self, key: &SessionKey) -> AuthManager {
        let builder = providers::manager(self.configured.clone());
        let manager = builder
            .store(self.store.clone())
            .account(key.account())
            .build();
        let mut managers = self.managers.lock().unwrap_or_else(PoisonError::into_inner);
        managers.push(manager.clone());
        manager
    }

    pub(super) fn managers(&self) -> Vec<AuthManager> {
        let managers = self.managers.lock().unwrap_or_else(PoisonError::into_inner);
        managers.clone()
    }

    pub(super) fn after_interruption(&self, began: Timestamp) -> String {
        for manager in self.managers() {
            let stored = self.store.read(manager.key()).ok().flatten();
            if stored.is_some_and(|session| signed_in_at(&session).is_some_and(|at| at >= began)) {
                return format!(
                    "interrupted, but signed in: the session is stored in {}",
                    self.store.path(manager.key()).display()
                );
            }
        }
        "interrupted; nothing was changed".to_owned()
    }
}

/// Whether a new session of this user may replace it. One of no known user may be replaced: of two
/// sign-ins the later one counts.
fn may_replace(stored: &OAuthToken, owner: Option<&str>) -> bool {
    let Some(before) = stored.metadata.identity.as_deref() else {
        return true;
    };
    owner.is_some_and(|owner| owner.eq_ignore_ascii_case(before))
}

fn signed_in_at(session: &OAuthToken) -> Option<Timestamp> {
    session.metadata.signed_in_at
}
