//! One session from one store to another.
//!
//! The copy is proven before the original goes, and both are locked. A process that is killed leaves
//! the original, with a copy that says whose copy it is: until that mark is taken off, no process
//! refreshes the copy, so that the two never spend one refresh token. See decision 0069.

use llm_auth_core::store::StoreGuard;
use llm_auth_core::{Error, ErrorKind, OAuthToken, Result, SessionKey, TokenStore};
use serde_json::Value;

use crate::providers::ProviderName;
use crate::report::is_about_protection;
use crate::session::stores::SessionStore;

pub(super) struct Transfer<'a> {
    source: &'a SessionStore,
    target: &'a SessionStore,
    from: &'a str,
}

impl<'a> Transfer<'a> {
    pub(super) fn new(source: &'a SessionStore, target: &'a SessionStore, from: &'a str) -> Self {
        Self {
            source,
            target,
            from,
        }
    }

    /// The sessions of the source, and those of which a killed process may have left a mark.
    pub(super) fn keys(&self) -> Result<Vec<SessionKey>> {
        let mut keys = self.source.sessions()?;
        keys.extend(self.target.sessions()?);
        keys.sort();
        keys.dedup();
        Ok(keys)
    }

    /// Why the session must stay in the source, if it must: some providers' terms forbid a store that is
    /// not on this computer. A sign-in there is refused too.
    pub(super) fn must_stay(&self, key: &SessionKey) -> Option<String> {
        let why = ProviderName::from_name(key.provider())?.local_only()?;
        let leaves = !self.target.shared().is_local() && self.source.has(key);
        leaves.then_some(why)
    }

    /// Moves a session; whether there was one to move.
    pub(super) async fn of(&self, key: &SessionKey) -> Result<bool> {
        let mut source = self.source.shared().lock(key).await?;
        let moved = match source.load().await {
            Ok(original) => self.locked(key, &mut source, original.as_ref()).await,
            Err(error) => Err(error),
        };
        source.release().await;
        moved
    }

    async fn locked(
        &self,
        key: &SessionKey,
        source: &mut Box<dyn StoreGuard>,
        original: Option<&OAuthToken>,
    ) -> Result<bool> {
        // One that is there alone, and is no copy from here, is none of ours.
        if original.is_none() {
            match self.target.shared().load(key).await {
                Ok(Some(there)) if self.is_from_here(&there) => {}
                Ok(_) => return Ok(false),
                Err(error) if is_about_protection(&error) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        let mut target = self.target.shared().lock(key).await?;
        let done = self.both_locked(key, source, &mut target, original).await;
        target.release().await;
        done
    }

    async fn both_locked(
        &self,
        key: &SessionKey,
        source: &mut Box<dyn StoreGuard>,
        target: &mut Box<dyn StoreGuard>,
        original: Option<&OAuthToken>,
    ) -> Result<bool> {
        let there = target.load().await?;
        let copy = match (original, there) {
            (None, Some(copy)) if self.is_from_here(&copy) => copy,
            (None, _) => return Ok(false),
            (Some(original), there) => {
                let copy = self.copied(key, original, there.as_ref())?;
                if there.as_ref().map(form) != Some(form(&copy)) {
                    target.prepare(there.as_ref()).await?;
                    target.save(&copy).await?;
                }
                // As another process would read it.
                let read = self.target.shared().load(key).await?;
                if read.as_ref().map(form) != Some(form(&copy)) {
                    let why = "the session is not read back as it was stored; the original stays";
                    return Err(Error::new(ErrorKind::Store, why).with_session(key));
                }
                // The target may have taken its time: another host must not have begun a refresh.
                source.extend().await?;
                source.remove().await?;
                copy
            }
        };
        unmarked(target, copy).await.map_err(|error| {
            let why = "it was moved, and is not refreshed there before that is confirmed";
            Error::new(error.kind(), why)
                .with_source(error)
                .with_session(key)
        })?;
        Ok(true)
    }

    /// Whether a session is a copy that this user's directory has made of this source.
    fn is_from_here(&self, there: &OAuthToken) -> bool {
        there.metadata.copied_from.as_deref() == Some(self.from)
    }

    /// What belongs into the target.
    fn copied(
        &self,
        key: &SessionKey,
        original: &OAuthToken,
        there: Option<&OAuthToken>,
    ) -> Result<OAuthToken> {
        if original.metadata.copied_from.is_some() {
            let why = "this session is itself a copy: finish the move that it comes from first";
            return Err(Error::new(ErrorKind::Store, why).with_session(key));
        }
        let mut copy = original.clone();
        copy.metadata.copied_from = Some(self.from.to_owned());
        // A copy is never refreshed, so the original is newer, or the same. Another computer may have
        // copied a session of its own that has this name.
        let gives_way = |there: &OAuthToken| {
            let (there_is, original_is) = (&there.metadata, &original.metadata);
            let is_copy = there_is.copied_from.is_some()
                && there_is.signed_in_at.is_some()
                && there_is.signed_in_at == original_is.signed_in_at;
            is_copy || self.is_from_here(there) || there.has_same_tokens(original)
        };
        match there.is_none_or(gives_way) {
            true => Ok(copy),
            false => {
                let why = "both stores have a session of this account: sign out of one of them";
                Err(Error::new(ErrorKind::Store, why).with_session(key))
            }
        }
    }
}

async fn unmarked(target: &mut Box<dyn StoreGuard>, mut copy: OAuthToken) -> Result<()> {
    copy.metadata.copied_from = None;
    target.prepare(Some(&copy)).await?;
    target.save(&copy).await
}

/// With its secrets, to compare it by.
fn form(token: &OAuthToken) -> Value {
    // It was read from JSON, or is about to be written as such.
    serde_json::to_value(token).unwrap_or_default()
}
