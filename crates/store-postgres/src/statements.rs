//! The statements on the table of the sessions. Each is one transaction and one round trip, decides
//! alone by the clock of the database, and may be executed again if its response was lost.
//!
//! See decision 0062, and decision 0068 for copies of what is damaged.

use std::time::Duration;

use llm_auth_core::Result;
use llm_auth_sealing::Sealed;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::errors::Failure;
use crate::pool::{Database, Value};
use crate::row::Stored;

/// A commit waits for the disk, and for a synchronous standby if there is one, whatever the role or
/// the database is set to. A setting of the statement passes any pooler.
pub(crate) const DURABLE: &str = "WITH durable AS MATERIALIZED (SELECT set_config('synchronous_commit', \
     CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' \
     ELSE 'on' END, true) AS setting)";

/// Names the session, as the first three values.
const THIS: &str = "s.tenant = $1 AND s.provider = $2 AND s.account = $3";

/// Whether the lease is that of this holder. After a failover a fencing number may be given out
/// twice, so the holder's own number is compared too.
const MINE: &str = "s.fence = $4 AND s.holder = $5";

/// The name of other tokens than those before. Random, because a server that lost writes in a failover
/// would count them again.
const ANOTHER: &str = "('x' || md5(random()::text || clock_timestamp()::text))::bit(64)::bigint";

/// The fencing number of a guard without a lease: what it stores ends that of the holder.
pub(crate) const NO_FENCE: i64 = -1;

/// How long a lease lasts at most: as its holder has it, or the default for one that was edited by hand.
const MOST: &str = "CASE WHEN octet_length(s.holder) = 20 THEN \
     greatest(('x' || encode(substr(s.holder, 17), 'hex'))::bit(32)::int, 0) ELSE 30000 END \
     * interval '1 millisecond'";

/// How many copies of damaged sessions are kept for each account; the oldest go.
const COPIES: usize = 10;

pub(crate) struct Statements {
    read: String,
    take: String,
    look: String,
    extend: String,
    prepare: String,
    save: String,
    save_over_damage: String,
    remove: String,
    remove_damage: String,
    release: String,
}

/// Which session, and whose lease.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) database: &'a Database,
    pub(crate) tenant: &'a str,
    pub(crate) provider: &'a str,
    pub(crate) account: &'a str,
    pub(crate) fence: i64,
    pub(crate) holder: &'a [u8],
}

/// What a save does besides storing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Save {
    /// The tokens are others than those that they replace.
    pub(crate) is_new: bool,
    /// The lease is given back.
    pub(crate) is_last: bool,
    /// What they replace could not be read, and is copied.
    pub(crate) is_over_damage: bool,
}

impl Statements {
    pub(crate) fn new(schema: &str) -> Self {
        let (table, copies) = (format!("{schema}.sessions"), format!("{schema}.damaged"));
        // Without `least`, a time without an end could not be subtracted from.
        let lease_left = format!(
            "CASE WHEN s.lease_until > now() THEN \
             extract(epoch FROM least(s.lease_until, now() + {MOST}) - now()) ELSE 0 END::float8"
        );
        let columns = "s.sealed, s.key_id, s.revision, s.fence";
        let update = |set: &str, condition: &str| {
            format!(
                "{DURABLE} UPDATE {table} AS s SET {set} FROM durable \
                 WHERE durable.setting IS NOT NULL AND {THIS} AND {condition} RETURNING s.revision"
            )
        };
        // What is replaced is read under the lock of the row, so that it is that which is copied, and only
        // if it is what the holder has seen: a statement that is executed again copies nothing.
        let over_damage = |set: &str, condition: &str, revision: &str| {
            format!(
                "{DURABLE}, before AS MATERIALIZED (SELECT s.sealed, s.key_id, s.revision \
                 FROM {table} AS s WHERE {THIS} FOR UPDATE), \
                 changed AS (UPDATE {table} AS s SET {set} FROM durable, before \
                 WHERE durable.setting IS NOT NULL AND {THIS} AND {condition} RETURNING s.revision), \
                 kept AS (INSERT INTO {copies} (tenant, provider, account, sealed, key_id) \
                 SELECT $1, $2, $3, before.sealed, before.key_id FROM before, changed \
                 WHERE before.revision = {revision} AND before.sealed IS NOT NULL RETURNING 1), \
                 dropped AS (DELETE FROM {copies} WHERE EXISTS (SELECT FROM kept) AND tenant = $1 \
                 AND provider = $2 AND account = $3 AND number IN (SELECT s.number \
                 FROM {copies} AS s WHERE {THIS} ORDER BY s.number DESC OFFSET {COPIES} - 1)) \
                 SELECT revision FROM changed"
            )
        };
        let ends = |condition: &str| {
            format!(
                "holder = CASE WHEN {condition} THEN NULL ELSE s.holder END, \
                 lease_until = CASE WHEN {condition} THEN NULL ELSE s.lease_until END"
            )
        };
        let lasts = "lease_until = now() + $6 * interval '1 second', changed_at = now()";
        let still_mine = format!("{MINE} AND s.lease_until > now() AND s.revision = $7");
        let saves = format!(
            "sealed = $8, key_id = $9, changed_at = now(), \
             revision = CASE WHEN $6 THEN {ANOTHER} ELSE s.revision END, \
             {}",
            ends(&format!("($4 = {NO_FENCE} OR $10 AND {MINE})"))
        );
        // A successor whose lease is over is stored if no other one is; a record is not.
        let may_save = format!("(({still_mine}) OR ($6 AND (({MINE}) OR s.revision = $7)))");
        let removes = format!(
            "sealed = NULL, key_id = NULL, revision = {ANOTHER}, changed_at = now(), {}",
            ends(&format!("(({MINE}) IS NOT TRUE)"))
        );
        // A sign-out may take longer than a lease, and has none: what was seen is what is removed. A holder
        // whose lease another one has taken removes nothing: that one may have sent the refresh token.
        let may_remove = format!("s.revision = $6 AND ($4 = {NO_FENCE} OR ({MINE}) IS TRUE)");
        let free = "(s.lease_until IS NULL OR s.lease_until <= now() OR s.holder = $4)";
        Self {
            read: format!("SELECT {columns}, {lease_left} FROM {table} AS s WHERE {THIS}"),
            // A lease that the clock of the server, set back, or an edit has made longer than it was granted is
            // cut to that length, so that it ends.
            take: format!(
                "WITH taken AS (INSERT INTO {table} AS s \
                 (tenant, provider, account, revision, fence, holder, lease_until) \
                 VALUES ($1, $2, $3, {ANOTHER}, 1, $4, now() + $5 * interval '1 second') \
                 ON CONFLICT (tenant, provider, account) DO UPDATE SET \
                 fence = CASE WHEN {free} THEN s.fence + 1 ELSE s.fence END, \
                 holder = CASE WHEN {free} THEN $4 ELSE s.holder END, \
                 lease_until = now() + CASE WHEN {free} THEN $5 * interval '1 second' ELSE {MOST} END \
                 WHERE {free} OR s.lease_until > now() + {MOST} \
                 RETURNING {columns}, {lease_left} AS lease_left, s.holder = $4 AS is_mine) \
                 SELECT sealed, key_id, revision, fence, CASE WHEN is_mine THEN 0 ELSE lease_left END, \
                 coalesce(is_mine, false) FROM taken \
                 UNION ALL SELECT {columns}, {lease_left}, false FROM {table} AS s \
                 WHERE {THIS} AND NOT EXISTS (SELECT FROM taken)"
            ),
            // A row that was made meanwhile is in neither part.
            look: format!(
                "WITH made AS (INSERT INTO {table} AS s (tenant, provider, account, revision, fence) \
                 VALUES ($1, $2, $3, {ANOTHER}, 1) ON CONFLICT DO NOTHING RETURNING {columns}) \
                 SELECT sealed, key_id, revision, fence, 0::float8 FROM made \
                 UNION ALL SELECT {columns}, {lease_left} FROM {table} AS s WHERE {THIS}"
            ),
            extend: update(lasts, &still_mine),
            prepare: update(&format!("{lasts}, sealed = $8, key_id = $9"), &still_mine),
            save: update(&saves, &may_save),
            save_over_damage: over_damage(&saves, &may_save, "$7"),
            remove: update(&removes, &may_remove),
            remove_damage: over_damage(&removes, &may_remove, "$6"),
            release: format!(
                "UPDATE {table} AS s SET holder = NULL, lease_until = NULL WHERE {THIS} AND {MINE}"
            ),
        }
    }

    pub(crate) async fn read(&self, target: Target<'_>) -> Result<Stored> {
        let rows = target.database.query(&self.read, &target.name()).await?;
        rows.first()
            .map_or_else(|| Ok(Stored::default()), Stored::read)
    }

    /// What is stored, in a row that is made if there is none.
    pub(crate) async fn look(&self, target: Target<'_>) -> Result<Stored> {
        loop {
            let rows = target.database.query(&self.look, &target.name()).await?;
            if let Some(row) = rows.first() {
                return Stored::read(row);
            }
        }
    }

    /// Takes the lease if it is free. Returns what is stored, and whether it was taken.
    pub(crate) async fn take(
        &self,
        target: Target<'_>,
        length: Duration,
    ) -> Result<(Stored, bool)> {
        let [tenant, provider, account] = target.name();
        let seconds = length.as_secs_f64();
        let values = [
            tenant,
            provider,
            account,
            (&target.holder, Type::BYTEA),
            (&seconds, Type::FLOAT8),
        ];
        let rows = target.database.query(&self.take, &values).await?;
        let Some(row) = rows.first() else {
            // Another process has made the row, and taken it, since this statement began.
            return Ok((Stored::default(), false));
        };
        Ok((Stored::read(row)?, row.try_get(5).unwrap_or(false)))
    }

    /// Whether the lease now lasts for `length`.
    pub(crate) async fn extend(
        &self,
        target: Target<'_>,
        revision: i64,
        length: Duration,
    ) -> Result<bool> {
        let seconds = length.as_secs_f64();
        let [tenant, provider, account] = target.name();
        let [fence, holder] = target.lease();
        let values = [
            tenant,
            provider,
            account,
            fence,
            holder,
            (&seconds, Type::FLOAT8),
            (&revision, Type::INT8),
        ];
        let rows = target.database.query(&self.extend, &values).await?;
        Ok(!rows.is_empty())
    }

    /// As [`extend`](Self::extend), with a record in the session.
    pub(crate) async fn prepare(
        &self,
        target: Target<'_>,
        revision: i64,
        length: Duration,
        session: &Sealed,
    ) -> Result<bool> {
        let seconds = length.as_secs_f64();
        let [tenant, provider, account] = target.name();
        let [fence, holder] = target.lease();
        let bytes = session.bytes.as_slice();
        let values = [
            tenant,
            provider,
            account,
            fence,
            holder,
            (&seconds, Type::FLOAT8),
            (&revision, Type::INT8),
            (&bytes, Type::BYTEA),
            (&session.key, Type::TEXT),
        ];
        let rows = target.database.query(&self.prepare, &values).await?;
        Ok(!rows.is_empty())
    }

    /// The revision that is stored now; `None` if the session may not be replaced any more.
    pub(crate) async fn save(
        &self,
        target: Target<'_>,
        revision: i64,
        session: &Sealed,
        save: Save,
    ) -> Result<Option<i64>> {
        let [tenant, provider, account] = target.name();
        let [fence, holder] = target.lease();
        let bytes = session.bytes.as_slice();
        let values = [
            tenant,
            provider,
            account,
            fence,
            holder,
            (&save.is_new, Type::BOOL),
            (&revision, Type::INT8),
            (&bytes, Type::BYTEA),
            (&session.key, Type::TEXT),
            (&save.is_last, Type::BOOL),
        ];
        let sql = match save.is_over_damage {
            true => &self.save_over_damage,
            false => &self.save,
        };
        revision_of(target.database.query(sql, &values).await)
    }

    /// The revision that is stored now; `None` if another one was. What is damaged is copied.
    pub(crate) async fn remove(
        &self,
        target: Target<'_>,
        revision: i64,
        is_damaged: bool,
    ) -> Result<Option<i64>> {
        let [tenant, provider, account] = target.name();
        let [fence, holder] = target.lease();
        let revision = (&revision as _, Type::INT8);
        let values = [tenant, provider, account, fence, holder, revision];
        let sql = match is_damaged {
            true => &self.remove_damage,
            false => &self.remove,
        };
        revision_of(target.database.query(sql, &values).await)
    }

    pub(crate) async fn release(&self, target: Target<'_>) -> Result<()> {
        let [tenant, provider, account] = target.name();
        let [fence, holder] = target.lease();
        let values = [tenant, provider, account, fence, holder];
        let released = target.database.query(&self.release, &values).await;
        released.map(drop).map_err(Into::into)
    }
}

fn revision_of(rows: std::result::Result<Vec<Row>, Failure>) -> Result<Option<i64>> {
    Ok(rows?.first().and_then(|row| row.try_get(0).ok()))
}

impl Target<'_> {
    fn name(&self) -> [Value<'_>; 3] {
        [
            (&self.tenant, Type::TEXT),
            (&self.provider, Type::TEXT),
            (&self.account, Type::TEXT),
        ]
    }

    fn lease(&self) -> [Value<'_>; 2] {
        [(&self.fence, Type::INT8), (&self.holder, Type::BYTEA)]
    }
}
