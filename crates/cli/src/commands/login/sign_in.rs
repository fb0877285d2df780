//! A sign-in under way, and the account that it is stored under.
//!
//! See decision 0027.

use std::sync::{Arc, Mutex, PoisonError};

use llm_auth_core::{
    AuthManager, Insertion, OAuthToken, PendingLogin, RefusedSession, SessionKey, StoredSession,
    printable,
};

use super::commit::Commit;
use super::policy::{Policy, Verdict, may_replace};
use crate::error::Failure;
use crate::providers::{self, Provider, ProviderName};
use crate::session::command_line::switch_line;
use crate::session::resolve::MOST_NAMES;
use crate::session::settings::Settings;
use crate::session::stores::SessionStore;
use crate::ui::login_prompt::LoginPrompt;

pub(super) struct Login {
    pub(super) provider: ProviderName,
    pub(super) configured: Provider,
    pub(super) store: SessionStore,
    pub(super) policy: Policy,
    /// Those that may be storing something, one for an account.
    pub(super) managers: Mutex<Vec<AuthManager>>,
    pub(super) commit: Arc<Commit>,
}

/// What came of it.
pub(super) struct SignedIn {
    pub(super) manager: AuthManager,
    pub(super) stored: StoredSession,
}

impl Login {
    /// Checks that the session can be stored, before the user is asked for anything.
    pub(super) async fn begin(&self) -> Result<PendingLogin, Failure> {
        Ok(self.manager(&self.policy.key).begin_login().await?)
    }

    pub(super) async fn finish(
        &self,
        pending: PendingLogin,
        prompt: &LoginPrompt,
    ) -> Result<SignedIn, Failure> {
        let (policy, commit) = (self.policy.clone(), Arc::clone(&self.commit));
        let fits = move |new: &OAuthToken, stored: Option<&OAuthToken>| {
            policy.judge(new, stored) == Verdict::Fits && commit.remember(new)
        };
        let token = pending.ask(prompt).await?;
        self.commit.lock().await?;
        let manager = self.manager(&self.policy.key);
        let inserted = manager.insert_session_if(token, fits).await;
        let is_stored = matches!(inserted, Ok(Insertion::Stored(_)));
        self.commit.end(is_stored)?;
        match inserted? {
            Insertion::Stored(stored) => Ok(SignedIn { manager, stored }),
            Insertion::Refused(refused) => self.store_elsewhere(*refused, prompt).await,
        }
    }

    /// Stores a session that the account that is meant may not have: under its user's account.
    async fn store_elsewhere(
        &self,
        refused: RefusedSession,
        prompt: &LoginPrompt,
    ) -> Result<SignedIn, Failure> {
        let RefusedSession {
            new: mut token,
            stored: kept,
            ..
        } = refused;
        let accounts = self.provider.accounts(&self.store);
        let identity = token.metadata.identity.clone();
        let mut key = accounts.of_user(identity.as_deref(), &self.policy.key);
        let verdict = self.policy.judge(&token, kept.as_ref());
        let title = self.provider.title();
        prompt.say(
            &self
                .policy
                .why_elsewhere(verdict, &token, kept.as_ref(), &key, title)?,
        );
        // Another process may take an account's name at the same moment.
        for _ in 0..MOST_NAMES {
            let manager = self.manager(&key);
            let commit = Arc::clone(&self.commit);
            let fits = move |new: &OAuthToken, stored: Option<&OAuthToken>| {
                may_replace(new, stored) && commit.remember(new)
            };
            let inserted = manager.insert_session_if(token, fits).await;
            let is_stored = matches!(inserted, Ok(Insertion::Stored(_)));
            self.commit.end(is_stored)?;
            match inserted? {
                Insertion::Stored(stored) => {
                    if self.policy.makes_current(verdict, kept.as_ref()) {
                        self.make_current(&key, prompt);
                    }
                    return Ok(SignedIn { manager, stored });
                }
                Insertion::Refused(refused) => token = refused.new,
            }
            key = accounts.of_user(identity.as_deref(), &self.policy.key);
        }
        Err(Failure::Config {
            message: format!("{}: no free name for the new account", self.policy.key),
            advice: "sign in again and name the account with --account".into(),
        })
    }

    fn make_current(&self, key: &SessionKey, prompt: &LoginPrompt) {
        let account = printable(key.account());
        let before = &self.policy.key;
        // The sign-in itself is done and stored.
        prompt.say(
            &match Settings::set_current(self.provider.name(), key.account()) {
                Ok(()) if !self.store.has(before) => {
                    format!("The current account is now {account}.")
                }
                Ok(()) => format!(
                    "The current account is now {account}; run `{}` to go back.",
                    switch_line(before)
                ),
                Err(failure) => format!(
                    "{}; select it with --account {account}.",
                    printable(&failure.message())
                ),
            },
        );
    }

    fn manager(&self, key: &SessionKey) -> AuthManager {
        let mut managers = self.managers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(manager) = managers.iter().find(|manager| manager.key() == key) {
            return manager.clone();
        }
        let builder = providers::manager(self.configured.clone());
        let builder = builder.store(self.store.shared()).account(key.account());
        let manager = builder.build();
        managers.push(manager.clone());
        manager
    }

    pub(super) fn managers(&self) -> Vec<AuthManager> {
        let managers = self.managers.lock().unwrap_or_else(PoisonError::into_inner);
        managers.clone()
    }

    /// The place of the session of this sign-in; another one may have stored its own.
    pub(super) fn stored_in(&self) -> Option<String> {
        let managers = self.managers();
        let mut files = managers.iter().filter(|manager| {
            let stored = self.store.read(manager.key()).ok().flatten();
            stored.is_some_and(|stored| self.commit.is_of(&stored))
        });
        files.next().map(|manager| self.store.place(manager.key()))
    }

    pub(super) fn after_interruption(&self) -> String {
        if let Some(file) = self.stored_in() {
            return format!("interrupted, but signed in: the session is stored in {file}");
        }
        match self.provider.server() {
            None => "interrupted; nothing was changed",
            // Its server, and a client that was registered, are remembered.
            Some(_) => "interrupted; no session was changed",
        }
        .to_owned()
    }
}
