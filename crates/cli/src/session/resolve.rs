//! The choice among several accounts at a provider.
//!
//! See decision 0028.

use llm_auth_core::{
    Clock as _, DEFAULT_ACCOUNT, ErrorKind, OAuthToken, SessionKey, SystemClock, printable,
};

use crate::error::Failure;
use crate::session::selector::SessionSelector;
use crate::session::settings::Settings;
use crate::session::state::state_of;
use crate::session::stores::SessionStore;
use crate::system::env::{Variables, not_valid};
use crate::text::not_a_name;

/// Where a session records the program that it was imported from.
pub(crate) const IMPORTED_FROM: &str = "imported_from";

/// More accounts of one name than any user has.
pub(crate) const MOST_NAMES: usize = 1000;

/// What names the account of a sign-in.
#[derive(Clone, Debug)]
pub(crate) enum Named {
    Nothing,
    /// A flag or the environment.
    Account(String),
    /// The store is one file, which has room for no other account.
    File,
}

impl Named {
    /// Whether the account itself was named, so that no other one will do. An account named by its
    /// e-mail address matches only that user.
    pub(crate) fn is_explicit(&self, stored: Option<&OAuthToken>) -> bool {
        let owner = stored.and_then(|session| session.metadata.identity.as_deref());
        match self {
            Self::Nothing => false,
            Self::Account(name) => owner.is_none_or(|owner| !owner.eq_ignore_ascii_case(name)),
            Self::File => true,
        }
    }
}

/// The accounts of one provider in a store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accounts<'a> {
    /// The name of the provider, as sessions are stored under it.
    provider: &'static str,
    /// Its name as a user knows it.
    title: &'static str,
    store: &'a SessionStore,
}

impl<'a> Accounts<'a> {
    pub(crate) fn new(
        provider: &'static str,
        title: &'static str,
        store: &'a SessionStore,
    ) -> Self {
        Self {
            provider,
            title,
            store,
        }
    }

    /// The session that the flags, the environment or, if neither names one, the settings mean.
    pub(crate) fn meant(self, selector: &SessionSelector) -> Result<SessionKey, Failure> {
        let SessionSelector {
            account,
            store: file,
        } = selector;
        match (account, file) {
            // A file holds one session: that of the account which it names, if none is named here.
            (account, Some(_)) => {
                let named = match account {
                    Some(name) => Some(name.clone()),
                    None => self.of_environment()?,
                };
                let noted = || {
                    let stored = self.store.read(&self.key(DEFAULT_ACCOUNT)).ok().flatten()?;
                    stored.metadata.account
                };
                let account = named.or_else(noted);
                Ok(self.key(account.as_deref().unwrap_or(DEFAULT_ACCOUNT)))
            }
            (Some(name), None) => self.by_name(name),
            (None, None) => self.current(),
        }
    }

    /// The same for a sign-in: an account that happens to be the only one is meant only if its
    /// session is over, because the sign-in may belong to another user.
    pub(crate) fn meant_for_login(self, selector: &SessionSelector) -> Result<SessionKey, Failure> {
        let meant = match self.meant(selector) {
            // None of them, then.
            Err(Failure::AmbiguousAccount(_)) => self.key(DEFAULT_ACCOUNT),
            meant => meant?,
        };
        let SessionSelector {
            account,
            store: file,
        } = selector;
        let default = self.key(DEFAULT_ACCOUNT);
        let is_chosen = account.is_some() || file.is_some() || self.is_chosen()?;
        if is_chosen || meant == default || self.is_over(&meant) {
            return Ok(meant);
        }
        Ok(default)
    }

    /// What names the account of a sign-in.
    pub(crate) fn named(self, selector: &SessionSelector) -> Result<Named, Failure> {
        let SessionSelector { account, store } = selector;
        let name = match account {
            Some(name) => Some(name.clone()),
            None => self.of_environment()?,
        };
        Ok(match (store, name) {
            (Some(_), _) => Named::File,
            (None, Some(name)) => Named::Account(name),
            (None, None) => Named::Nothing,
        })
    }

    /// The account that belongs to this user already, other than that one; otherwise a new one.
    pub(crate) fn of_user(self, identity: Option<&str>, other_than: &SessionKey) -> SessionKey {
        // A directory that cannot be listed is no reason to lose a session: a free name is found.
        let mut stored = self.stored().unwrap_or_default();
        stored.retain(|key| key != other_than);
        let known = identity.and_then(|identity| of_identity(&stored, identity, self.store));
        known.unwrap_or_else(|| {
            self.free(&printable(identity.unwrap_or(DEFAULT_ACCOUNT)).to_lowercase())
        })
    }

    /// The account of that name, or of the first numbered one that is free.
    fn free(self, name: &str) -> SessionKey {
        let numbered = (2..MOST_NAMES).map(|number| self.key(&format!("{name}-{number}")));
        let mut keys = std::iter::once(self.key(name)).chain(numbered);
        keys.find(|key| !self.store.has(key))
            .unwrap_or_else(|| self.key(name))
    }

    /// The current account: the one that the environment names, or that `switch` or a sign-in made
    /// it; otherwise the default one, otherwise the only one.
    pub(crate) fn current(self) -> Result<SessionKey, Failure> {
        if let Some(name) = self.of_environment()? {
            return self.by_name(&name);
        }
        let settings = Settings::load();
        let chosen = settings.and_then(|settings| {
            let chosen = settings.current(self.provider)?;
            Ok(chosen.map(str::to_owned))
        });
        if let Ok(Some(account)) = &chosen {
            return Ok(self.key(account));
        }
        let default = self.key(DEFAULT_ACCOUNT);
        let mut stored = match self.stored() {
            Ok(stored) => stored,
            // Of a server that does not respond, nothing is known.
            Err(failure) if self.store.is_on_server() => return Err(failure),
            // A directory that cannot be listed has no account that could be meant instead.
            Err(_unlisted) => Vec::new(),
        };
        match (chosen, stored.len()) {
            (_, 0) => Ok(default),
            (_, 1) => Ok(stored.remove(0)),
            (Err(failure), _) => Err(failure),
            (Ok(_), _) if stored.contains(&default) => Ok(default),
            (Ok(_), _) => Err(Failure::AmbiguousAccount(self.ambiguous(&stored))),
        }
    }

    /// The account of that name, otherwise the one whose verified identity it is.
    pub(crate) fn by_name(self, name: &str) -> Result<SessionKey, Failure> {
        let by_name = self.key(name);
        if self.store.has(&by_name) {
            return Ok(by_name);
        }
        let stored = self.stored()?;
        let alike = stored
            .iter()
            .find(|key| key.account().eq_ignore_ascii_case(name));
        Ok(alike
            .cloned()
            .or_else(|| of_identity(&stored, name, self.store))
            .unwrap_or(by_name))
    }

    /// All stored accounts.
    pub(crate) fn stored(self) -> Result<Vec<SessionKey>, Failure> {
        Ok(self.store.sessions_of(self.provider)?)
    }

    pub(crate) fn key(self, account: &str) -> SessionKey {
        SessionKey::new(self.provider, account)
    }

    /// The message that asks the user to name one of these.
    pub(crate) fn ambiguous(self, stored: &[SessionKey]) -> String {
        let names: Vec<String> = stored.iter().map(|key| printable(key.account())).collect();
        format!(
            "name one of the {} accounts: {}",
            self.title,
            names.join(", ")
        )
    }

    /// Whether the environment or the settings say which account is meant.
    fn is_chosen(self) -> Result<bool, Failure> {
        if self.of_environment()?.is_some() {
            return Ok(true);
        }
        // Settings that cannot be read choose nothing.
        let settings = Settings::load().ok();
        Ok(settings
            .is_some_and(|settings| settings.current(self.provider).ok().flatten().is_some()))
    }

    fn is_over(self, key: &SessionKey) -> bool {
        match self.store.read(key) {
            Ok(Some(session)) => {
                ["expired", "refused"].contains(&state_of(&session, SystemClock.now()))
            }
            Ok(None) => false,
            Err(error) => error.kind() == ErrorKind::Corrupt,
        }
    }

    fn of_environment(self) -> Result<Option<String>, Failure> {
        let variables = Variables::of(self.provider);
        let name = variables.text("ACCOUNT")?;
        match name.as_deref().and_then(not_a_name) {
            Some(why) => Err(not_valid(&variables.name("ACCOUNT"), &format!("it {why}"))),
            None => Ok(name),
        }
    }
}

/// Whether it is the account of that name, or of the user of that identity.
pub(crate) fn is_called(key: &SessionKey, store: &SessionStore, name: &str) -> bool {
    key.account().eq_ignore_ascii_case(name)
        || of_identity(std::slice::from_ref(key), name, store).is_some()
}

/// The one of these accounts that belongs to this user.
pub(crate) fn of_identity(
    stored: &[SessionKey],
    identity: &str,
    store: &SessionStore,
) -> Option<SessionKey> {
    let mut found = stored.iter().filter(|key| {
        // An unreadable session belongs to no known user, and is no reason to stop.
        let session = store.read(key).ok().flatten();
        let owner = session.and_then(|token| token.metadata.identity);
        owner.is_some_and(|owner| owner.eq_ignore_ascii_case(identity))
    });
    match (found.next(), found.next()) {
        (Some(only), None) => Some(only.clone()),
        _ => None,
    }
}

/// Whether the name of an account is an e-mail address, and so says whose it is to be.
pub(crate) fn is_address(name: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && !part.contains(['@', ' ']);
    let is_host = |host: &str| is_part(host) && host.trim_matches('.').contains('.');
    matches!(name.split_once('@'), Some((person, host)) if is_part(person) && is_host(host))
}

/// The user that the account is named after is another one than this.
pub(crate) fn is_of_another(key: &SessionKey, identity: Option<&str>) -> bool {
    // Decision 0027 and decision 0047.
    let name = key.account();
    is_address(name) && identity.is_some_and(|identity| !identity.eq_ignore_ascii_case(name))
}
