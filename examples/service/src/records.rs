//! The statements on the service's own tables.

use std::time::Duration;

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::config::Failure;
use crate::database::{Database, Value};

/// How long a browser stays signed in to this service without a sign-in.
const BROWSER_LIFETIME: f64 = 30.0 * 86_400.0;

/// Between two polls, whatever the server asks.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

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

/// What a sign-in ends with: for whom, and what was kept of it.
pub(crate) struct Kept {
    pub(crate) user: String,
    pub(crate) account: String,
    pub(crate) sealed: Vec<u8>,
}

impl Kept {
    fn of(row: &Row) -> Self {
        Self {
            user: row.get("user_id"),
            account: row.get("account"),
            sealed: row.get("sealed"),
        }
    }
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
    /// The user of a browser, if it has begun a sign-in before. The first request with a cookie ends
    /// the older ones, whose sign-ins go on under this one: until then it is not certain that the
    /// browser has got it.
    pub(crate) async fn user(&self, browser: &[u8]) -> Result<Option<String>, Failure> {
        let sql = "SELECT user_id, is_used FROM service.browsers WHERE id = $1 AND expires > now()";
        let rows = self.query(sql, &[bytes(&browser)]).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        if !row.get::<_, bool>("is_used") {
            let sql = "
                WITH used AS (
                    UPDATE service.browsers SET is_used = true WHERE id = $1 AND NOT is_used
                    RETURNING user_id, number
                ), older AS (
                    SELECT id FROM service.browsers JOIN used USING (user_id)
                    WHERE browsers.number < used.number
                ), moved AS (
                    UPDATE service.sign_ins SET browser = $1 WHERE browser IN (SELECT id FROM older)
                )
                DELETE FROM service.browsers WHERE id IN (SELECT id FROM older)";
            self.query(sql, &[bytes(&browser)]).await?;
        }
        Ok(Some(row.get("user_id")))
    }

    /// Keeps a sign-in, and the browser if it is new. One whose time is over is new again: its next
    /// user is another one.
    pub(crate) async fn begin(&self, new_user: &str, begun: &Begun<'_>) -> Result<(), Failure> {
        let sql = "
            INSERT INTO service.browsers (id, user_id, is_used, expires)
            VALUES ($1, $2, true, now() + make_interval(secs => $3))
            ON CONFLICT (id) DO UPDATE SET expires = excluded.expires, user_id = CASE
                WHEN browsers.expires > now() THEN browsers.user_id ELSE excluded.user_id END";
        let values = [
            bytes(&begun.browser),
            text(&new_user),
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

    /// Takes a sign-in of this browser, so that nothing can use it a second time. Another browser
    /// takes nothing.
    pub(crate) async fn take(&self, id: &[u8], browser: &[u8]) -> Result<Option<Kept>, Failure> {
        let sql = "DELETE FROM service.sign_ins USING service.browsers
            WHERE sign_ins.id = $1 AND browser = $2 AND browser = browsers.id
                AND sign_ins.expires > now() AND browsers.expires > now()
            RETURNING user_id, account, sealed";
        let values = [bytes(&id), bytes(&browser)];
        Ok(self.query(sql, &values).await?.first().map(Kept::of))
    }

    /// What was kept of a sign-in, and whether it is time for a poll, which is then the caller's: a
    /// reload of the page, or another process, gets the next one.
    pub(crate) async fn poll_turn(
        &self,
        id: &[u8],
        browser: &[u8],
    ) -> Result<Option<(Kept, bool)>, Failure> {
        let sql = "
            WITH due AS (
                UPDATE service.sign_ins SET poll_at = now() + make_interval(secs => pause)
                WHERE id = $1 AND browser = $2 AND poll_at <= now() RETURNING id
            )
            SELECT user_id, account, sealed, EXISTS (SELECT FROM due) AS is_due
            FROM service.sign_ins JOIN service.browsers ON browser = browsers.id
            WHERE sign_ins.id = $1 AND browser = $2
                AND sign_ins.expires > now() AND browsers.expires > now()";
        let values = [bytes(&id), bytes(&browser)];
        let rows = self.query(sql, &values).await?;
        Ok(rows.first().map(|row| (Kept::of(row), row.get("is_due"))))
    }

    /// Ends a device sign-in, whichever cookie its browser has now.
    pub(crate) async fn end(&self, id: &[u8]) -> Result<(), Failure> {
        let sql = "DELETE FROM service.sign_ins WHERE id = $1";
        self.query(sql, &[bytes(&id)]).await?;
        Ok(())
    }

    /// The server wants fewer polls from now on: RFC 8628 section 3.5.
    pub(crate) async fn slow_down(
        &self,
        id: &[u8],
        named: Option<Duration>,
    ) -> Result<(), Failure> {
        let named = named.map(|pause| pause.min(LONGEST_PAUSE).as_secs_f64());
        // It ignores NULL.
        let sql = "UPDATE service.sign_ins SET pause = greatest($2, pause + 5),
            poll_at = now() + make_interval(secs => greatest($2, pause + 5)) WHERE id = $1";
        let values = [bytes(&id), (&named, Type::FLOAT8)];
        self.query(sql, &values).await?;
        Ok(())
    }

    /// A poll has failed: the next one takes twice the pause, and as long as the server asks.
    pub(crate) async fn back_off(&self, id: &[u8], asked: Option<Duration>) -> Result<(), Failure> {
        let asked = asked.map(|wait| wait.min(LONGEST_PAUSE).as_secs_f64());
        let longest = LONGEST_PAUSE.as_secs_f64();
        let sql = "UPDATE service.sign_ins SET poll_at = now()
            + make_interval(secs => greatest($2, pause, least(pause * 2, $3))) WHERE id = $1";
        let values = [bytes(&id), (&asked, Type::FLOAT8), seconds(&longest)];
        self.query(sql, &values).await?;
        Ok(())
    }

    /// Gives a user a session, and the browser a new cookie beside the one that it has, which ends
    /// when the new one is used: one that was planted before the sign-in is worth nothing then, and
    /// if the response never arrives, the browser still has a cookie of its sessions. `false` if that
    /// cookie has ended meanwhile: the browser gets no new one.
    pub(crate) async fn signed_in(
        &self,
        browser: &[u8],
        new: &[u8],
        kept: &Kept,
    ) -> Result<bool, Failure> {
        let sql = "
            WITH listed AS (INSERT INTO service.accounts (account, user_id) VALUES ($3, $4)),
                one AS (
                    SELECT user_id FROM service.browsers
                    WHERE id = $1 AND user_id = $4 AND expires > now() FOR SHARE
                )
            INSERT INTO service.browsers (id, user_id, is_used, expires)
            SELECT $2, user_id, false, now() + make_interval(secs => $5) FROM one RETURNING id";
        let (account, user) = (&*kept.account, &*kept.user);
        let values = [
            bytes(&browser),
            bytes(&new),
            text(&account),
            text(&user),
            seconds(&BROWSER_LIFETIME),
        ];
        Ok(!self.query(sql, &values).await?.is_empty())
    }

    /// The sessions of a user, the oldest first.
    pub(crate) async fn accounts(&self, user: &str) -> Result<Vec<String>, Failure> {
        let sql =
            "SELECT account FROM service.accounts WHERE user_id = $1 ORDER BY since LIMIT 100";
        let rows = self.query(sql, &[text(&user)]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    pub(crate) async fn owns(&self, user: &str, account: &str) -> Result<bool, Failure> {
        let sql = "SELECT 1 FROM service.accounts WHERE account = $1 AND user_id = $2";
        let values = [text(&account), text(&user)];
        Ok(!self.query(sql, &values).await?.is_empty())
    }

    pub(crate) async fn forget(&self, account: &str) -> Result<(), Failure> {
        let sql = "DELETE FROM service.accounts WHERE account = $1";
        self.query(sql, &[text(&account)]).await?;
        Ok(())
    }
}
