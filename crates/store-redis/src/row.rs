//! What is stored of a session.

use llm_auth_core::{Error, ErrorKind, OAuthToken, Result, SessionKey};
use llm_auth_sealing::{Sealed, SealingKeys};
use redis::{Cmd, FromRedisValue as _, Value};

use crate::site::Site;

/// The version of the row's form. A row of another one is an error.
pub(crate) const FORMAT: &str = "1";

/// A row as it is stored; without data, the session is signed out or was never there.
pub(crate) struct Row {
    pub(crate) sealed: Option<Sealed>,
    /// Another one for each change of the tokens.
    pub(crate) revision: String,
}

impl Row {
    /// The id of the key is empty for data in clear text.
    pub(crate) fn new(data: Option<Vec<u8>>, key_id: Option<String>, revision: String) -> Self {
        let sealed = data.map(|data| Sealed {
            key: key_id.filter(|id| !id.is_empty()),
            bytes: data.into(),
        });
        Self { sealed, revision }
    }

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
        let (format, data, key_id, revision) = read.map_err(|_odd| site.odd_reply(key))?;
        match format {
            Some(format) if format != FORMAT => Err(site.later_format(key, &format)),
            _ => Ok(Self::new(data, key_id, revision.unwrap_or_default())),
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
        let Some(sealed) = &self.sealed else {
            return Ok(None);
        };
        let subject = format!("the value {key} of {site}");
        let json = sealed
            .open(keys, &binding(key), &subject)
            .map_err(|error| error.with_session(session))?;
        let token = OAuthToken::from_json(&json).map_err(|error| {
            let message = format!("{subject} is no session; sign in again, or restore it");
            Error::new(ErrorKind::Corrupt, message)
                .with_session(session)
                .with_source(error)
        })?;
        // As what is sealed cannot be opened below the key of another account.
        if token.check_owner(session, String::new).is_err() {
            let message = format!(
                "{subject} is the session of another account; sign in again, or restore it"
            );
            return Err(Error::new(ErrorKind::Corrupt, message).with_session(session));
        }
        Ok(Some(token))
    }
}

/// The stored form of a session.
pub(crate) fn data(token: &OAuthToken, keys: Option<&SealingKeys>, key: &str) -> Result<Sealed> {
    let json = token.to_json()?;
    Sealed::seal(keys, &binding(key), json.expose().as_bytes())
}

/// What a session is bound to, so that no value can be moved to another account.
fn binding(key: &str) -> [&str; 2] {
    ["llm-auth-store-redis", key]
}
