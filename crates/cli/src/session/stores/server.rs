//! Stores on servers.

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
mod spec;

use std::sync::Arc;
use std::time::Duration;

use llm_auth_core::{ErrorKind, Result, SessionKey, TokenStore};

use self::spec::{Connection, Key, Spec, Work};
use super::blocking;
use crate::error::Failure;
use crate::session::server_name::{Engine, ServerName};

/// A store on a server, which is connected to at its first use.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    connection: Arc<dyn Connection>,
    spec: Spec,
}

impl Server {
    /// The store of this name. Nothing is sent yet.
    pub(super) fn open(
        name: &ServerName,
        key: Option<&[u8]>,
    ) -> std::result::Result<Self, Failure> {
        let spec = Spec {
            name: name.clone(),
            engine: name.engine()?,
            key: key.map(Key::of).transpose()?,
            wait: None,
        };
        let server = Self {
            connection: connection(&spec)?,
            spec,
        };
        match server.connection.is_private() {
            true => Ok(server),
            false => Err(Failure::Config {
                message: format!(
                    "{name}: sessions would be sent to another computer in clear text"
                ),
                advice: match server.spec.engine {
                    Engine::Postgres => "use TLS: remove `sslmode=disable` from the URL",
                    Engine::Redis => "use TLS: write `rediss://`",
                }
                .into(),
            }),
        }
    }

    /// The server and the database, whatever the user.
    pub(super) fn place(&self) -> String {
        self.connection.place()
    }

    /// Where copies are of what was damaged when it was replaced or removed.
    pub(super) fn location_of_copies(&self, key: &SessionKey) -> String {
        self.connection.location_of_copies(key)
    }

    pub(super) fn store(&self) -> Arc<dyn TokenStore> {
        self.connection.store()
    }

    pub(super) fn accounts(&self) -> Work<Vec<SessionKey>> {
        self.connection.accounts()
    }

    /// The server and what it promises.
    pub(crate) fn description(&self) -> Result<String> {
        blocking::run(self.connection.description())
    }

    pub(super) fn lock_wait(mut self, wait: Duration) -> Result<Self> {
        self.spec.wait = Some(wait);
        let connection = connection(&self.spec);
        let again = connection
            .map_err(|failure| llm_auth_core::Error::new(ErrorKind::Store, failure.message()))?;
        self.connection = again;
        Ok(self)
    }
}

fn connection(spec: &Spec) -> std::result::Result<Arc<dyn Connection>, Failure> {
    match spec.engine {
        #[cfg(feature = "postgres")]
        Engine::Postgres => {
            let opened = postgres::open(&spec.name.url()?, spec);
            opened.map_err(|error| not_opened(spec, &error))
        }
        #[cfg(feature = "redis")]
        Engine::Redis => {
            let opened = redis::open(&spec.name.url()?, spec)?;
            opened.map_err(|error| not_opened(spec, &error))
        }
        #[cfg(not(all(feature = "postgres", feature = "redis")))]
        engine => {
            let word = engine.word();
            Err(Failure::Config {
                message: format!(
                    "{}: this llm-auth was built without the feature `{word}`",
                    spec.name
                ),
                advice: format!(
                    "install one with it (`cargo install llm-auth-cli --features {word}`), or name \
                     another store"
                ),
            })
        }
    }
}

#[cfg(any(feature = "postgres", feature = "redis"))]
fn not_opened(spec: &Spec, error: &llm_auth_core::Error) -> Failure {
    Failure::Config {
        message: format!("{}: {}", spec.name, crate::error::chain(error)),
        advice: "correct the URL of the store".into(),
    }
}
