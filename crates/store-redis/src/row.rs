//! What is stored of a session.

use llm_auth_core::{Error, ErrorKind, OAuthToken, Result, SessionKey};
use redis::{Cmd, FromRedisValue as _, Value};

use crate::scripts::Data;
use crate::seal::{self, SealingKeys};
use crate::site::Site;

/// The version of the row's form. A row of another one is an error.
pub(crate) const FORMAT: &str = "1";

/// A row as it is stored; without data, the session is signed out or was never there. It has no form
/// for logs, as data may be in clear text.
pub(crate) struct Row {
    pub(crate) data: Option<Vec<u8>>,
    /// The id of the key; empty for data in clear text.
    pub(crate) sealed_with: Option<String>,
    /// Another one for each change of the tokens.
    pub(crate) revision: String,
}

impl Row {
    /// Reads a row without a script.
    pub(crate) fn command(key: &str) -> Cmd {
        let mut command = Cmd::new();
        let fields = &["format", "data", "key", "revision"];
        command.arg("HMGET").arg(key).arg(fields);
        command
    }

    pub(crate) fn read(value: Value, site: &Site, key: &str) -> Result<Self> {
        type Parts = (
            Option<String>,
            Option<Vec<u8>>,
            Option<String>,
            Option<String>,
        );
        let read = Parts::from_redis_value(value);
        let (format, data, sealed_with, revision) = read.map_err(|_odd| site.odd_reply(key))?;
        match format {
            Some(format) if format != FORMAT => Err(site.later_format(key, &format)),
            _ => Ok(Self {
                data,
                sealed_with,
                revision: revision.unwrap_or_default(),
            }),
        }
    }

    /// The session in it.
    pub(crate) fn session(
        &self,
        keys: Option<&SealingKeys>,
        session: &SessionKey,
        site: &Site,
        key: &str,
    ) -> Result<Option<OAuthToken>> {
        let Some(data) = &self.data else {
            return Ok(None);
        };
        let sealed_with = self.sealed_with.as_deref().unwrap_or_default();
        let opened = seal::open(keys, sealed_with, &context(key), data);
        let failed = |kind, why: &str| {
            Error::new(kind, format!("the value {key} of {site} {why}")).with_session(session)
        };
        let json = opened.map_err(|unopened| failed(unopened.kind(), &unopened.to_string()))?;
        OAuthToken::from_json(&json).map(Some).map_err(|error| {
            failed(
                ErrorKind::Corrupt,
                "is no session; sign in again, or restore it",
            )
            .with_source(error)
        })
    }
}

/// The stored form of a session.
pub(crate) fn data(token: &OAuthToken, keys: Option<&SealingKeys>, key: &str) -> Result<Data> {
    let json = token.to_json()?;
    seal::seal(keys, &context(key), json.expose().as_bytes())
}

/// Sealed data cannot be moved to another session.
fn context(key: &str) -> Vec<u8> {
    format!("llm-auth-store-redis\0{FORMAT}\0{key}").into_bytes()
}
