//! Redis.

use std::sync::Arc;

use llm_auth_core::store::check_server_url;
use llm_auth_core::{Result, SessionKey, TokenStore};
use llm_auth_store_redis::{Durability, RedisStore, SealingKeys};
use zeroize::Zeroizing;

use super::spec::{Connection, Spec, Work};
use crate::error::Failure;

/// The parameter of the URL that accepts a server which may lose what it has confirmed.
const ACCEPT: &str = "accept=";

pub(super) fn open(
    url: &str,
    spec: &Spec,
) -> std::result::Result<Result<Arc<dyn Connection>>, Failure> {
    let (url, accepted) = accepted(url).map_err(|why| Failure::Config {
        message: format!("{}: {why}", spec.name),
        advice: "write `accept=everysec` or `accept=memory` (or `protocol=resp3`), and nothing else, after \
                 the `?`"
            .into(),
    })?;
    Ok(built(&url, spec, accepted))
}

fn built(url: &str, spec: &Spec, accepted: Durability) -> Result<Arc<dyn Connection>> {
    let mut builder = RedisStore::builder(url).accept(accepted);
    if let Some(key) = &spec.key {
        builder = builder.sealed_with(SealingKeys::new(&key.name, &key.bytes)?);
    }
    if let Some(wait) = spec.wait {
        builder = builder.lock_wait(wait);
    }
    Ok(Arc::new(builder.build()?))
}

/// The URL without our parameter, and what that accepts.
fn accepted(url: &str) -> std::result::Result<(Zeroizing<String>, Durability), &'static str> {
    if let Err(_ambiguous) = check_server_url(url) {
        // The store refuses it.
        return Ok((Zeroizing::new(url.to_owned()), Durability::PowerCut));
    }
    let (place, parameters) = url.split_once('?').unwrap_or((url, ""));
    let is_ours = |parameter: &&str| parameter.starts_with(ACCEPT);
    let (ours, others): (Vec<&str>, Vec<&str>) = parameters.split('&').partition(is_ours);
    let is_known = |other: &&str| other.is_empty() || other.starts_with("protocol=");
    if !others.iter().all(is_known) {
        return Err("the URL has an unknown parameter; known ones are `accept` and `protocol`");
    }
    let Some(ours) = ours.first() else {
        return Ok((Zeroizing::new(url.to_owned()), Durability::PowerCut));
    };
    let durability = match ours.strip_prefix(ACCEPT) {
        Some("everysec") => Durability::ProcessCrash,
        Some("memory") => Durability::Memory,
        _ => return Err("`accept` in the URL has a value that is unknown"),
    };
    let others = others.join("&");
    let mark = if others.is_empty() { "" } else { "?" };
    Ok((Zeroizing::new(format!("{place}{mark}{others}")), durability))
}

impl Connection for RedisStore {
    fn store(&self) -> Arc<dyn TokenStore> {
        Arc::new(self.clone())
    }

    fn accounts(&self) -> Work<Vec<SessionKey>> {
        let store = self.clone();
        Box::pin(async move { Self::accounts(&store).await })
    }

    fn description(&self) -> Work<String> {
        let store = self.clone();
        Box::pin(async move {
            let report = store.server().await?;
            Ok(format!("{}: {report}", store.describe()))
        })
    }

    fn place(&self) -> String {
        self.describe()
    }

    fn location_of_copies(&self, key: &SessionKey) -> String {
        Self::location_of_copies(self, key)
    }

    fn is_private(&self) -> bool {
        Self::is_private(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_accepted_is_taken_out_of_the_url() {
        for (url, rest, durability) in [
            ("redis://h/1", "redis://h/1", Durability::PowerCut),
            (
                "redis://h/1?accept=everysec",
                "redis://h/1",
                Durability::ProcessCrash,
            ),
            (
                "redis://h?protocol=resp3&accept=memory",
                "redis://h?protocol=resp3",
                Durability::Memory,
            ),
        ] {
            let (found, accepted) = accepted(url).unwrap();
            assert_eq!((found.as_str(), accepted), (rest, durability));
        }
        assert!(accepted("redis://h?accept=all").is_err());
        for url in [
            "redis://h?acept=memory",
            "redis://h?accept=memory&foo=x",
            "redis://h?foo",
        ] {
            assert!(accepted(url).unwrap_err().contains("known ones"), "{url}");
        }
    }
}
