//! A session as its row has it.

use std::time::Duration;

use llm_auth_core::{Error, ErrorKind, OAuthToken, Result, SessionKey};
use tokio_postgres::Row;
use zeroize::Zeroizing;

use crate::encryption::Encryption;

/// What the table has of one session. Without a row it is the default.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    sealed: Option<Zeroizing<Vec<u8>>>,
    key_id: Option<String>,
    /// Another one after each change of the tokens.
    pub(crate) revision: i64,
    /// Grows with each lease.
    pub(crate) fence: i64,
    /// How long the lease of the present holder lasts by the clock of the database.
    pub(crate) lease: Duration,
}

/// A session to be stored.
pub(crate) struct Sealed {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    pub(crate) key_id: Option<String>,
}

impl Stored {
    /// Reads `sealed, key_id, revision, fence` and the seconds of the lease.
    pub(crate) fn read(row: &Row) -> Result<Self> {
        let unreadable = |_source| {
            let message = "a column of the sessions has another type: it was changed by hand; \
                           restore it";
            Error::new(ErrorKind::Store, message)
        };
        let sealed: Option<Vec<u8>> = row.try_get(0).map_err(unreadable)?;
        let seconds: f64 = row.try_get(4).map_err(unreadable)?;
        Ok(Self {
            sealed: sealed.map(Zeroizing::new),
            key_id: row.try_get(1).map_err(unreadable)?,
            revision: row.try_get(2).map_err(unreadable)?,
            fence: row.try_get(3).map_err(unreadable)?,
            lease: Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX),
        })
    }

    /// The session, decrypted.
    pub(crate) fn session(
        &self,
        encryption: Option<&Encryption>,
        tenant: &str,
        key: &SessionKey,
    ) -> Result<Option<OAuthToken>> {
        let Some(sealed) = &self.sealed else {
            return Ok(None);
        };
        match (&self.key_id, encryption) {
            (Some(id), Some(encryption)) => {
                parse(&encryption.open(id, tenant, key, sealed)?).map(Some)
            }
            (Some(_), None) => Err(Error::new(
                ErrorKind::Store,
                "the session is encrypted, and no key is given: give the store the key",
            )),
            (None, Some(encryption)) if !encryption.accepts_unencrypted() => Err(Error::new(
                ErrorKind::Store,
                "the session is not encrypted, and with a key only encrypted ones are read: encrypt \
                 it, or let the store accept it",
            )),
            (None, _) => parse(sealed).map(Some),
        }
    }
}

impl Sealed {
    pub(crate) fn of(
        session: &OAuthToken,
        encryption: Option<&Encryption>,
        tenant: &str,
        key: &SessionKey,
    ) -> Result<Self> {
        let plain = serde_json::to_vec(session).map_err(|source| {
            Error::new(ErrorKind::System, "cannot write the session as JSON").with_source(source)
        })?;
        let Some(encryption) = encryption else {
            return Ok(Self {
                bytes: Zeroizing::new(plain),
                key_id: None,
            });
        };
        Ok(Self {
            bytes: Zeroizing::new(encryption.seal(tenant, key, plain)?),
            key_id: encryption.current().map(str::to_owned),
        })
    }
}

fn parse(json: &[u8]) -> Result<OAuthToken> {
    serde_json::from_slice(json).map_err(|error| {
        // Its text may quote a secret.
        let message = format!(
            "the stored session is damaged (line {}, column {}): restore it from a backup, or sign \
             in again",
            error.line(),
            error.column()
        );
        Error::new(ErrorKind::Corrupt, message)
    })
}
