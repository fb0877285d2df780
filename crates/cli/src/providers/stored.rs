//! The stored session that a call means, judged before any of it is used.

use std::time::Duration;

use llm_auth_core::{AuthManagerBuilder, Error, ErrorKind, OAuthToken, SessionKey};

use super::args::ProviderArgs;
use super::name::ProviderName;
use super::provider::{Provider, manager};
use super::{reader, trust};
use crate::error::Failure;
use crate::session::runtime;
use crate::session::selector::SessionSelector;
use crate::session::stores::{self, SessionStore};

/// A stored session that may be used in this environment, or the place for one.
pub(crate) struct Stored {
    provider: ProviderName,
    timeout: Option<Duration>,
    pub(crate) store: SessionStore,
    pub(crate) key: SessionKey,
    pub(crate) session: Option<OAuthToken>,
}

impl Stored {
    /// Reads the session that the flags mean. One of another provider or account, one that the
    /// environment would lead elsewhere, and one that its server did not issue are errors.
    pub(crate) fn read(
        provider: ProviderName,
        selector: &SessionSelector,
        args: &ProviderArgs,
        timeout: Option<Duration>,
    ) -> Result<Self, Failure> {
        provider.check_flags(args)?;
        let mut store = stores::open(selector)?;
        let key = provider.accounts(&store).meant(selector)?;
        if let Some(timeout) = timeout {
            store = store.lock_wait(timeout)?;
        }
        let session = store.read(&key).map_err(|error| error.with_session(&key))?;
        if let Some(session) = &session {
            session.check_owner(&key, || store.place(&key))?;
            trust::check_session(provider, args, &key, session)?;
        }
        Ok(Self {
            provider,
            timeout,
            store,
            key,
            session,
        })
    }

    /// The session.
    ///
    /// # Errors
    ///
    /// There is none.
    pub(crate) fn session(&self) -> Result<&OAuthToken, Failure> {
        let none = || Error::new(ErrorKind::NotSignedIn, "not signed in").with_session(&self.key);
        Ok(self.session.as_ref().ok_or_else(none)?)
    }

    /// Its provider, for requests; refused if another computer could read them.
    pub(crate) fn configured(&self, args: &ProviderArgs) -> Result<Provider, Failure> {
        let session = self.session.as_ref();
        let configured = self
            .provider
            .configure_for_stored(args, session, self.timeout)?;
        if let Some(session) = session {
            reader::check_refresh(&configured, &args.trust, &self.key, session)?;
        }
        Ok(configured)
    }

    /// A manager for it.
    pub(crate) fn manager(&self, configured: Provider) -> AuthManagerBuilder {
        manager(configured)
            .store(self.store.shared())
            .account(self.key.account())
            .call_limit(runtime::call_limit(self.timeout))
    }
}
