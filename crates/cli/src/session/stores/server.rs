//! Stores on servers.

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;

use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use llm_auth_core::{ErrorKind, Result, SessionKey, TokenStore};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::blocking;
use crate::error::Failure;
use crate::session::server_name::{Engine, ServerName};
use crate::system::files::digest;

/// Work that a thread of its own does.
pub(super) type Work<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

/// What the stores on servers have in common.
trait Connection: Debug + Send + Sync {
    fn store(&self) -> Arc<dyn TokenStore>;
    fn accounts(&self) -> Work<Vec<SessionKey>>;
    /// The server and what it promises, in one line.
    fn description(&self) -> Work<String>;
    /// The server and the database, without the user and the password.
    fn place(&self) -> String;
    /// Whether no other computer can read on the way.
    fn is_private(&self) -> bool;
}

/// A store on a server, which is connected to at its first use.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    connection: Arc<dyn Connection>,
    spec: Spec,
}

/// What a store is made of.
#[derive(Clone, Debug)]
pub(super) struct Spec {
    name: ServerName,
    engine: Engine,
    #[cfg_attr(not(any(feature = "postgres", feature = "redis")), expect(dead_code))]
    key: Option<Key>,
    wait: Option<Duration>,
}

/// A key for sessions on a server.
#[derive(Clone)]
struct Key {
    /// A name that shows which key it is, and nothing of it.
    #[cfg_attr(not(any(feature = "postgres", feature = "redis")), expect(dead_code))]
    name: String,
    #[cfg_attr(not(any(feature = "postgres", feature = "redis")), expect(dead_code))]
    bytes: Zeroizing<[u8; 32]>,
}

impl Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

/// The shortest key that is used.
const SHORTEST: usize = 32;

impl Key {
    fn of(secret: &[u8]) -> std::result::Result<Self, Failure> {
        if secret.len() < SHORTEST {
            return Err(Failure::Config {
                message: format!("the key of the sessions has {} bytes", secret.len()),
                advice: "use a key of 32 random bytes or more".into(),
            });
        }
        let part = |label: &str| {
            let hash = Sha256::new().chain_update(label).chain_update(secret);
            Zeroizing::new(<[u8; 32]>::from(hash.finalize()))
        };
        let name = digest(&*part("llm-auth name of a server's key 1\0"));
        Ok(Self {
            name: name[..16].to_owned(),
            bytes: part("llm-auth key of a server 1\0"),
        })
    }
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
