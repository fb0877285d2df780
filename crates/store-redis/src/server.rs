//! What a server promises by its settings, and whether that is enough.

use std::fmt;

use llm_auth_core::store::ServerFault;
use llm_auth_core::{Result, printable};
use redis::{Cmd, FromRedisValue as _, ServerErrorKind, Value};

use crate::connection::Wire;
use crate::site::{self, Site};

/// The first version with flags of scripts.
const OLDEST: (u32, u32) = (7, 0);

/// What a saved session survives, as far as the server's settings decide it. A failover may lose it
/// nevertheless.
///
/// # Examples
///
/// ```
/// use llm_auth_store_redis::Durability;
///
/// assert!(Durability::PowerCut > Durability::ProcessCrash);
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Durability {
    /// Nothing, or what a snapshot happens to hold: `appendonly no`.
    Memory,
    /// The end of the server's process; a power cut loses the last second or more: `appendonly yes` with
    /// `appendfsync everysec` or `no`, or a server that does not tell (`CONFIG GET` is not permitted).
    ProcessCrash,
    /// A power cut too: `appendonly yes` and `appendfsync always`.
    PowerCut,
}

/// What a server reports of itself; of a cluster, the weakest of its primaries.
///
/// # Examples
///
/// ```no_run
/// # async fn run() -> llm_auth_store_redis::Result<()> {
/// use llm_auth_store_redis::RedisStore;
///
/// let store = RedisStore::builder("redis://127.0.0.1:6379").connect().await?;
/// println!("{}", store.server().await?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerReport {
    /// The version of Redis, or the one that a compatible server stands for.
    pub version: String,
    /// What a saved session survives.
    pub durability: Durability,
    /// `maxmemory-policy`.
    pub eviction: String,
    /// How many replicas are connected.
    pub replicas: u32,
    is_primary: bool,
    is_cluster: bool,
}

impl ServerReport {
    pub(crate) async fn of(wire: &mut Wire, site: &Site) -> Result<Self> {
        let failed = |error| site.unreachable(error);
        let mut info = Cmd::new();
        info.arg("INFO");
        let infos = wire.send_to_all(&info).await.map_err(failed)?;
        let mut config = Cmd::new();
        let settings = &["appendfsync", "no-appendfsync-on-rewrite"];
        config.arg("CONFIG").arg("GET").arg(settings);
        let configs = match wire.send_to_all(&config).await {
            Ok(configs) => configs,
            // Many hosted servers do not permit it.
            Err(error) if error.is_io_error() => return Err(failed(error)),
            Err(error) if error.kind() == ServerErrorKind::BusyLoading.into() => {
                return Err(failed(error));
            }
            Err(_) => Vec::new(),
        };
        let mut weakest: Option<Self> = None;
        for (address, info) in infos {
            let config = configs.iter().find(|(of, _)| *of == address);
            let report = Self::read(info, config.map(|(_, config)| config));
            let report = report.ok_or_else(|| {
                site.refused(ServerFault::Other, "sends no INFO; is it Redis?", "")
            })?;
            let is_weaker = weakest
                .as_ref()
                .is_none_or(|weakest| report.is_weaker(weakest));
            if is_weaker {
                weakest = Some(report);
            }
        }
        weakest.ok_or_else(|| site.refused(ServerFault::Busy, "has no primary", "start one"))
    }

    fn read(info: Value, config: Option<&Value>) -> Option<Self> {
        let info = String::from_redis_value(info).ok()?;
        let field = |name: &str| {
            let value = info
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            value.map(|value| value.trim().to_owned())
        };
        let config: Vec<(String, String)> = config
            .and_then(|config| Vec::from_redis_value_ref(config).ok())
            .unwrap_or_default();
        let is_set = |name: &str, to: &str| {
            let value = config.iter().find(|(of, _)| of == name);
            value.is_some_and(|(_, value)| value == to)
        };
        let durability = match field("aof_enabled").as_deref() {
            Some("1") if is_set("appendfsync", "always") && is_set(REWRITE, "no") => {
                Durability::PowerCut
            }
            Some("1") => Durability::ProcessCrash,
            _ => Durability::Memory,
        };
        Some(Self {
            version: printable(&field("redis_version")?),
            durability,
            eviction: printable(&field("maxmemory_policy")?),
            replicas: field("connected_slaves")
                .and_then(|count| count.parse().ok())
                .unwrap_or(0),
            is_primary: field("role")? == "master",
            is_cluster: field("cluster_enabled").as_deref() == Some("1"),
        })
    }

    fn is_weaker(&self, other: &Self) -> bool {
        let rank = |report: &Self| (report.is_primary, !report.evicts(), report.durability);
        rank(self) < rank(other)
    }

    /// Whether it removes keys without an expiry when its memory is full.
    fn evicts(&self) -> bool {
        // Sessions have no expiry, so that `volatile-*` spares them.
        self.eviction != "noeviction" && !self.eviction.starts_with("volatile-")
    }

    /// # Errors
    ///
    /// A server that would lose sessions, or cannot store them.
    pub(crate) fn check(&self, needed: Durability, as_cluster: bool, site: &Site) -> Result<()> {
        let mut version = self.version.split('.').map_while(|part| part.parse().ok());
        let version = (version.next().unwrap_or(0), version.next().unwrap_or(0));
        if version < OLDEST {
            let (major, minor) = OLDEST;
            let what = format!("has version {}; update it to {major}.{minor}", self.version);
            return Err(site.refused(ServerFault::Other, what, ""));
        }
        if self.is_cluster != as_cluster {
            return Err(match as_cluster {
                true => site.refused(
                    ServerFault::Other,
                    "is no cluster",
                    "build the store without `cluster`",
                ),
                false => site.known(site::CLUSTER),
            });
        }
        if !self.is_primary {
            return Err(site.known(site::READ_ONLY));
        }
        if self.evicts() {
            let what = format!(
                "removes sessions when its memory is full (maxmemory-policy {})",
                self.eviction
            );
            let advice = "set noeviction, or use a server for sessions alone";
            return Err(site.refused(ServerFault::Evicts, what, advice));
        }
        if self.durability < needed {
            let advice = "set `appendonly yes` and `appendfsync always`, or accept the loss by building \
                          the store with `accept`";
            return Err(site.refused(ServerFault::NotDurable, self.durability, advice));
        }
        Ok(())
    }
}

const REWRITE: &str = "no-appendfsync-on-rewrite";

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "loses sessions when it stops (appendonly no)",
            Self::ProcessCrash => {
                "may lose the last saved sessions in a power cut (appendfsync is not always, or unknown)"
            }
            Self::PowerCut => "keeps saved sessions in a power cut (appendfsync always)",
        })
    }
}

impl fmt::Display for ServerReport {
    /// One sentence without its subject.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Redis {}, {} replicas, maxmemory-policy {}: it {}, and a failover may lose the last ones",
            self.version, self.replicas, self.eviction, self.durability
        )
    }
}
