//! One session from one store to another.
//!
//! The copy is proven before the original goes, and both are locked. A process that is killed leaves
//! the original, with a copy that says whose copy it is; so the next one knows which of the two has
//! been used since.

use llm_auth_core::store::StoreGuard;
use llm_auth_core::{Error, ErrorKind, OAuthToken, Result, SessionKey, TokenStore};
use serde_json::{Value, json};

use crate::providers::ProviderName;
use crate::session::stores::SessionStore;

/// The member of a copy whose original may still be there.
const COPY: &str = "moving";

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
        // One that is there alone, and is no copy, is none of ours; its key may be another one.
        if original.is_none()
            && !matches!(self.target.shared().load(key).await, Ok(Some(copy)) if is_copy(&copy))
        {
            return Ok(false);
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
            (None, None) => return Ok(false),
            (None, Some(copy)) => copy,
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
                source.remove().await?;
                copy
            }
        };
        // The session is in the target alone, whatever becomes of its mark: it is used like any other,
        // and the next migration takes the mark off.
        if let Err(error) = unmarked(target, copy).await {
            tracing::debug!(%error, %key, "a session that was moved is still marked as a copy");
        }
        Ok(original.is_some())
    }

    /// What belongs into the target: the original, unless the copy has been used since.
    fn copied(
        &self,
        key: &SessionKey,
        original: &OAuthToken,
        there: Option<&OAuthToken>,
    ) -> Result<OAuthToken> {
        let fingerprint = original.access.fingerprint();
        let mut copy = original.clone();
        copy.extra.0.insert(
            COPY.to_owned(),
            json!({"from": self.from, "access": fingerprint}),
        );
        let Some(there) = there else {
            return Ok(copy);
        };
        let of = there.extra.0.get(COPY);
        let is_of_source = of.and_then(|of| of.get("from")?.as_str()) == Some(self.from);
        let copied = of.and_then(|of| of.get("access")?.as_str());
        let is_unused = copied == Some(there.access.fingerprint().as_str());
        match (is_of_source, is_unused) {
            _ if there.has_same_tokens(original) => Ok(copy),
            (true, true) => Ok(copy),
            (true, false) if copied == Some(fingerprint.as_str()) => Ok(there.clone()),
            _ => Err(Error::new(
                ErrorKind::Store,
                "both stores have a session of this account: sign out of one of them",
            )
            .with_session(key)),
        }
    }
}

async fn unmarked(target: &mut Box<dyn StoreGuard>, mut copy: OAuthToken) -> Result<()> {
    copy.extra.0.remove(COPY);
    target.prepare(Some(&copy)).await?;
    target.save(&copy).await
}

fn is_copy(token: &OAuthToken) -> bool {
    token.extra.0.contains_key(COPY)
}

/// With its secrets, to compare it by.
fn form(token: &OAuthToken) -> Value {
    // It was read from JSON, or is about to be written as such.
    serde_json::to_value(token).unwrap_or_default()
}
