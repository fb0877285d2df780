//! The statements on the service's own tables.

use std::time::Duration;

use tokio_postgres::types::Type;

use crate::config::Failure;
use crate::database::{Database, Value};

/// How long a browser stays signed in to this service without a sign-in.
const BROWSER_LIFETIME: f64 = 30.0 * 86_400.0;

/// A sign-in that has begun: its row, its browser, and what is kept of it.
pub(crate) struct Begun<'a> {
    pub(crate) id: &'a [u8],
    pub(crate) browser: &'a [u8],
    pub(crate) account: &'a str,
    pub(crate) sealed: &'a [u8],
    pub(crate) lifetime: Duration,
    /// Between the polls of a device sign-in.
    pub(crate) pause: Duration,
}

fn bytes<'a>(value: &'a &[u8]) -> Value<'a> {
    (value, Type::BYTEA)
}

fn text<'a>(value: &'a &str) -> Value<'a> {
    (value, Type::TEXT)
}

fn seconds(value: &f64) -> Value<'_> {
    (value, Type::FLOAT8)
}

impl Database {
    /// The user of a browser, if it has begun a sign-in before.
    pub(crate) async fn user(&self, browser: &[u8]) -> Result<Option<String>, Failure> {
        let sql = "SELECT user_id FROM service.browsers WHERE id = $1 AND expires > now()";
        let rows = self.query(sql, &[bytes(&browser)]).await?;
        Ok(rows.first().map(|row| row.get(0)))
    }

    /// Keeps a sign-in, and the browser if it is new.
    pub(crate) async fn begin(&self, user: &str, begun: &Begun<'_>) -> Result<(), Failure> {
        let sql = "
            INSERT INTO service.browsers VALUES ($1, $2, now() + make_interval(secs => $3))
            ON CONFLICT (id) DO UPDATE SET expires = excluded.expires";
        let values = [
            bytes(&begun.browser),
            text(&user),
            seconds(&BROWSER_LIFETIME),
        ];
        self.query(sql, &values).await?;
        let sql = "
            WITH old AS (DELETE FROM service.sign_ins WHERE expires < now()),
                gone AS (DELETE FROM service.browsers WHERE expires < now())
            INSERT INTO service.sign_ins (id, browser, account, sealed, poll_at, pause, expires)
            VALUES ($1, $2, $3, $4, now() + make_interval(secs => $5), $5,
                now() + make_interval(secs => $6))";
        self.query(
            sql,
            &[
                bytes(&begun.id),
                bytes(&begun.browser),
                text(&begun.account),
                bytes(&begun.sealed),
                seconds(&begun.pause.as_secs_f64()),
                seconds(&begun.lifetime.as_secs_f64()),
            ],
        )
        .await?;
        Ok(())
    }

    /// Takes a sign-in of this browser, so that nothing can use it a second time: its account, and
    /// what was kept. Another browser takes nothing.
    pub(crate) async fn take(
        &self,
        id: &[u8],
        browser: &[u8],
    ) -> Result<Option<(String, Vec<u8>)>, Failure> {
        let sql = "DELETE FROM service.sign_ins WHERE id = $1 AND browser = $2 AND expires > now()
            RETURNING account, sealed";
        let values = [bytes(&id), bytes(&browser)];
        let rows = self.query(sql, &values).await?;
        Ok(rows.first().map(|row| (row.get(0), row.get(1))))
    }

    /// What was kept of a sign-in, and whether it is time for a poll, which is then the caller's: a
    /// reload of the page, or another process, gets the next one.
    pub(crate) async fn poll_turn(
        &self,
        id: &[u8],
        browser: &[u8],
    ) -> Result<Option<(Vec<u8>, bool)>, Failure> {
        let sql = "
            WITH due AS (
                UPDATE service.sign_ins SET poll_at = now() + make_interval(secs => pause)
                WHERE id = $1 AND browser = $2 AND poll_at <= now() RETURNING id
            )
            SELECT sealed, EXISTS (SELECT FROM due) FROM service.sign_ins
            WHERE id = $1 AND browser = $2 AND expires > now()";
        let values = [bytes(&id), bytes(&browser)];
        let rows = self.query(sql, &values).await?;
        Ok(rows.first().map(|row| (row.get(0), row.get(1))))
    }

    /// The server wants fewer polls.
    pub(crate) async fn slow_down(
        &self,
        id: &[u8],
        pause: Option<Duration>,
    ) -> Result<(), Failure> {
        let named = pause.map(|pause| pause.as_secs_f64());
        let sql = "UPDATE service.sign_ins SET pause = coalesce($2, pause + 5),
            poll_at = now() + make_interval(secs => coalesce($2, pause + 5)) WHERE id = $1";
        let values = [bytes(&id), (&named, Type::FLOAT8)];
        self.query(sql, &values).await?;
        Ok(())
    }

    /// Gives the user of a browser a session, and the browser its new cookie: one that was planted
    /// before the sign-in is worth nothing after it.
    pub(crate) async fn signed_in(
        &self,
        browser: &[u8],
        new: &[u8],
        account: &str,
    ) -> Result<(), Failure> {
        let sql = "
            WITH one AS (
                UPDATE service.browsers SET id = $2, expires = now() + make_interval(secs => $4)
                WHERE id = $1 RETURNING user_id
            )
            INSERT INTO service.accounts (account, user_id) SELECT $3, user_id FROM one";
        let values = [
            bytes(&browser),
            bytes(&new),
            text(&account),
            seconds(&BROWSER_LIFETIME),
        ];
        self.query(sql, &values).await?;
        Ok(())
    }

    /// The sessions of a user, the oldest first.
    pub(crate) async fn accounts(&self, user: &str) -> Result<Vec<String>, Failure> {
        let sql =
            "SELECT account FROM service.accounts WHERE user_id = $1 ORDER BY since LIMIT 100";
        let rows = self.query(sql, &[text(&user)]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Whether a session is one of this browser's user.
    pub(crate) async fn owns(&self, browser: &[u8], account: &str) -> Result<bool, Failure> {
        let sql = "SELECT 1 FROM service.accounts JOIN service.browsers USING (user_id)
            WHERE account = $1 AND id = $2 AND expires > now()";
        let values = [text(&account), bytes(&browser)];
        Ok(!self.query(sql, &values).await?.is_empty())
    }

    pub(crate) async fn forget(&self, account: &str) -> Result<(), Failure> {
        let sql = "DELETE FROM service.accounts WHERE account = $1";
        self.query(sql, &[text(&account)]).await?;
        Ok(())
    }
}
