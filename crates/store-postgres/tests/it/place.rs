//! The tables of one test, and what is done to them by other means than the store.

use llm_auth_store_postgres::{PostgresStore, PostgresStoreBuilder};
use tokio_postgres::{NoTls, SimpleQueryMessage};

use super::cluster::Place;

impl Place {
    pub(crate) fn builder(&self) -> PostgresStoreBuilder {
        PostgresStore::builder(&self.url()).schema(&self.schema)
    }

    pub(crate) fn store(&self) -> PostgresStore {
        self.builder().build().unwrap()
    }

    /// The same tables by another way.
    pub(crate) fn at(&self, port: u16) -> Self {
        Self {
            port,
            schema: self.schema.clone(),
        }
    }

    /// Executes SQL in which `{}` stands for the schema, and returns the values of its rows.
    pub(crate) fn sql(&self, sql: &str) -> Vec<String> {
        let (url, sql) = (self.url(), sql.replace("{}", &self.schema));
        let work = async move {
            let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
            let connection = tokio::spawn(connection);
            let found = client.simple_query(&sql).await;
            drop(client);
            drop(connection.await);
            let rows = found
                .unwrap()
                .into_iter()
                .filter_map(|message| match message {
                    SimpleQueryMessage::Row(row) => Some(row),
                    _ => None,
                });
            rows.flat_map(|row| {
                let column = |number| row.get(number).unwrap_or("null").to_owned();
                (0..row.len()).map(column).collect::<Vec<_>>()
            })
            .collect()
        };
        // Of its own, because tests call this inside of theirs.
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = { runtime }.enable_all().build().unwrap();
            runtime.block_on(work)
        });
        thread.join().unwrap()
    }

    /// The lease of each session ends, as if its holder had slept for that long.
    pub(crate) fn end_leases(&self) {
        self.sql(
            "UPDATE {}.sessions SET lease_until = now() - interval '1 second' \
                  WHERE lease_until IS NOT NULL",
        );
    }
}
