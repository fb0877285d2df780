//! A session as its row has it.

use std::time::Duration;

use llm_auth_core::store::{ServerError, ServerFault};
use llm_auth_core::{Error, ErrorKind, OAuthToken, Result, SessionKey};
use llm_auth_sealing::{Sealed, SealingKeys};
use tokio_postgres::Row;
use zeroize::Zeroizing;

/// What the table has of one session. Without a row it is the default.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    sealed: Option<Sealed>,
    /// Another one after each change of the tokens.
    pub(crate) revision: i64,
    /// Grows with each lease.
    pub(crate) fence: i64,
    /// How long the lease of the present holder lasts by the clock of the database.
    pub(crate) lease: Duration,
}

impl Stored {
    /// Reads `sealed, key_id, revision, fence` and the seconds of the lease.
    pub(crate) fn read(row: &Row) -> Result<Self> {
        let unreadable = |_source| {
            let what = "a column of the sessions has another type: it was changed by hand";
            ServerError::new(ServerFault::Tables, what).into_error("restore it")
        };
        let sealed: Option<Vec<u8>> = row.try_get(0).map_err(unreadable)?;
        let key = row.try_get(1).map_err(unreadable)?;
        let seconds: f64 = row.try_get(4).map_err(unreadable)?;
        Ok(Self {
            sealed: sealed.map(|bytes| Sealed {
                key,
                bytes: Zeroizing::new(bytes),
            }),
            revision: row.try_get(2).map_err(unreadable)?,
            fence: row.try_get(3).map_err(unreadable)?,
            lease: Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX),
        })
    }

    /// The session, decrypted; `place` is that of the database, for errors.
    pub(crate) fn session(
        &self,
        keys: Option<&SealingKeys>,
        tenant: &str,
        key: &SessionKey,
        place: &str,
    ) -> Result<Option<OAuthToken>> {
        let Some(sealed) = &self.sealed else {
            return Ok(None);
        };
        let subject = format!("{place}: the stored session");
        let json = sealed.open(keys, &binding(tenant, key), &subject)?;
        let session = OAuthToken::from_json(&json).map_err(|error| {
            let message =
                format!("{subject} is damaged: restore it from a backup, or sign in again");
            Error::new(ErrorKind::Corrupt, message).with_source(error)
        })?;
        // As what is sealed cannot be opened in the row of another account.
        if session.check_owner(key, String::new).is_err() {
            let message = format!(
                "{subject} is that of another account, whose row it is not in: restore it from a \
                 backup, or sign in again"
            );
            return Err(Error::new(ErrorKind::Corrupt, message));
        }
        Ok(Some(session))
    }
}

/// A session to be stored.
pub(crate) fn sealed(
    session: &OAuthToken,
    keys: Option<&SealingKeys>,
    tenant: &str,
    key: &SessionKey,
) -> Result<Sealed> {
    let json = session.to_json()?;
    Sealed::seal(keys, &binding(tenant, key), json.expose().as_bytes())
}

/// What a session is bound to, so that no row can be moved to another account.
fn binding<'a>(tenant: &'a str, key: &'a SessionKey) -> [&'a str; 4] {
    let store = "llm-auth-store-postgres";
    [store, tenant, key.provider(), key.account()]
}
