//! The server in words, and the errors that name it. No text of the server is repeated in them: it may
//! quote what was sent.

use std::fmt;
use std::time::Duration;

use llm_auth_core::{Error, ErrorKind, printable};
use redis::{ErrorKind as RedisKind, RedisError, ServerErrorKind};

use crate::row::FORMAT;

/// The server's address, without a user or a password.
#[derive(Clone, Debug)]
pub(crate) struct Site(String);

impl Site {
    pub(crate) fn new(words: String) -> Self {
        Self(words)
    }

    pub(crate) fn refused(&self, why: impl fmt::Display) -> Error {
        Error::new(ErrorKind::Store, format!("{self} {why}"))
    }

    pub(crate) fn later_format(&self, key: &str, format: &str) -> Error {
        let format = printable(format);
        self.refused(format_args!(
            "holds {key} in the format {format}, and this version knows format {FORMAT}; update \
             llm-auth"
        ))
    }

    pub(crate) fn odd_reply(&self, key: &str) -> Error {
        let message =
            format!("the value {key} of {self} is no row of a session; restore or delete it");
        Error::new(ErrorKind::Corrupt, message)
    }

    pub(crate) fn busy(&self, key: &str, wait: Duration, left: Duration) -> Error {
        let (wait, left) = (wait.as_secs_f32(), left.as_secs_f32());
        Error::new(
            ErrorKind::StoreBusy,
            format!(
                "another process has held {key} of {self} for {wait:.0} s, and its lease lasts {left:.0} s \
                 more; try again later"
            ),
        )
    }

    pub(crate) fn lost(&self, key: &str) -> Error {
        Error::new(
            ErrorKind::LeaseLost,
            format!(
                "the lease of {key} at {self} is over or has another holder; read the session again"
            ),
        )
    }

    /// A call that failed.
    pub(crate) fn failed(&self, key: &str, error: RedisError) -> Error {
        if error.code() == Some("WRONGTYPE") {
            return self.odd_reply(key);
        }
        self.unreachable(error)
    }

    /// A connection or a call that failed.
    pub(crate) fn unreachable(&self, error: RedisError) -> Error {
        let Some(why) = of_server(&error) else {
            let why = match error.is_timeout() {
                true => "does not respond in time; check its load and the network",
                false => "cannot be reached; check that it runs, and the address",
            };
            let failed = self.refused(why);
            // An error of the system quotes nothing.
            return match error.is_io_error() {
                true => failed.with_source(error),
                false => failed,
            };
        };
        self.refused(why)
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the Redis {}", self.0)
    }
}

/// What a server that responded complains of; `None` without a response.
fn of_server(error: &RedisError) -> Option<String> {
    let known = match error.kind() {
        RedisKind::AuthenticationFailed => REJECTED,
        RedisKind::MasterNameNotFoundBySentinel => {
            "is not up, or the sentinels do not know the name; wait for the failover, or check the name"
        }
        RedisKind::Server(ServerErrorKind::ReadOnly) => READ_ONLY,
        RedisKind::Server(ServerErrorKind::NoPerm) => {
            "permits this user too little; grant it `+eval +evalsha +hmget +hset +hdel +hexists +time \
             +scan +info +config|get` and the keys of the prefix"
        }
        RedisKind::Server(ServerErrorKind::BusyLoading) => {
            "is still loading its data; try again in a moment"
        }
        RedisKind::Server(ServerErrorKind::MasterDown | ServerErrorKind::ClusterDown) => {
            "has no primary for this session now; try again when it has failed over"
        }
        RedisKind::Server(ServerErrorKind::Moved | ServerErrorKind::CrossSlot) => CLUSTER,
        _ => match error.code()? {
            "WRONGPASS" | "NOAUTH" => REJECTED,
            "OOM" => "has no memory left (`maxmemory`); give it more, or remove other data",
            "MISCONF" => "cannot write to its disk; see its log, and make room",
            "NOREPLICAS" => "has too few replicas to write (`min-replicas-to-write`); start them",
            "LOADING" => "is still loading its data; try again in a moment",
            code => {
                return Some(format!(
                    "returned the error {}; see its log",
                    printable(code)
                ));
            }
        },
    };
    Some(known.to_owned())
}

const REJECTED: &str = "rejects the user or the password; check both";
pub(crate) const READ_ONLY: &str = "is a read-only replica; give the address of the primary";
pub(crate) const CLUSTER: &str = "is a node of a cluster; build the store with `cluster`";
