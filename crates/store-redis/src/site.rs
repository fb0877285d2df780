//! The server in words, and the errors that name it. No text of the server is repeated in them: it may
//! quote what was sent.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use llm_auth_core::store::{ServerError, ServerFault};
use llm_auth_core::{Error, ErrorKind, printable};
use redis::{ErrorKind as RedisKind, RedisError, ServerErrorKind};
use rustls::CertificateError;

use crate::row::FORMAT;

/// The server's address, without a user or a password.
#[derive(Clone, Debug)]
pub(crate) struct Site(String);

impl Site {
    pub(crate) fn new(words: String) -> Self {
        Self(words)
    }

    /// An error about the server: what is wrong, and what to do in the words of this library.
    pub(crate) fn refused(
        &self,
        fault: ServerFault,
        what: impl fmt::Display,
        advice: &str,
    ) -> Error {
        ServerError::new(fault, format!("{self} {what}")).into_error(advice)
    }

    pub(crate) fn known(&self, (fault, what, advice): Known) -> Error {
        self.refused(fault, what, advice)
    }

    pub(crate) fn later_format(&self, key: &str, format: &str) -> Error {
        let format = printable(format);
        let what =
            format!("holds {key} in the format {format}, and this version knows format {FORMAT}");
        self.refused(ServerFault::NewerFormat, what, "update llm-auth")
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
        if let Some((fault, what, advice)) = of_server(&error) {
            return self.refused(fault, what, advice);
        }
        if let Some((fault, what, advice)) = of_tls(&error) {
            return self.refused(fault, what, advice);
        }
        if error.is_timeout() {
            return self.known(SLOW);
        }
        let (fault, what, advice) = AWAY;
        match error.is_io_error() {
            // An error of the system quotes nothing.
            true => self.refused(fault, format_args!("{what} ({error})"), advice),
            false => self.refused(fault, what, advice),
        }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the Redis {}", self.0)
    }
}

/// Why the server is refused, what it does, and what to do about it.
pub(crate) type Known = (ServerFault, &'static str, &'static str);

/// What a server that responded complains of; `None` without a response.
fn of_server(error: &RedisError) -> Option<(ServerFault, String, &'static str)> {
    let (fault, what, advice) = match error.kind() {
        RedisKind::AuthenticationFailed => REJECTED,
        RedisKind::MasterNameNotFoundBySentinel => (
            ServerFault::Busy,
            "is not up, or the sentinels do not know the name",
            "wait for the failover, or check the name",
        ),
        RedisKind::Server(ServerErrorKind::ReadOnly) => READ_ONLY,
        RedisKind::Server(ServerErrorKind::NoPerm) => (
            ServerFault::Permission,
            "permits this user too little; grant it `+eval +evalsha +hmget +hset +hdel +hexists +time \
             +scan +info +config|get` and the keys of the prefix",
            "",
        ),
        RedisKind::Server(ServerErrorKind::BusyLoading) => LOADING,
        RedisKind::Server(ServerErrorKind::MasterDown | ServerErrorKind::ClusterDown) => (
            ServerFault::Busy,
            "has no primary for this session now",
            "try again when it has failed over",
        ),
        RedisKind::Server(ServerErrorKind::Moved | ServerErrorKind::CrossSlot) => CLUSTER,
        _ => match error.code()? {
            "WRONGPASS" | "NOAUTH" => REJECTED,
            "OOM" => (
                ServerFault::Full,
                "has no memory left (`maxmemory`)",
                "give it more, or remove other data",
            ),
            "MISCONF" => (
                ServerFault::Full,
                "cannot write to its disk",
                "see its log, and make room",
            ),
            "NOREPLICAS" => (
                ServerFault::Busy,
                "has too few replicas to write (`min-replicas-to-write`)",
                "start them",
            ),
            "LOADING" => LOADING,
            code => {
                let what = format!("returned the error {}", printable(code));
                return Some((ServerFault::Other, what, "see its log"));
            }
        },
    };
    Some((fault, what.to_owned(), advice))
}

/// How the client keeps its causes.
type Pointer = Arc<dyn StdError + Send + Sync>;

/// What TLS complains of.
fn of_tls(error: &RedisError) -> Option<(ServerFault, String, &'static str)> {
    // The type of its source is that of the pointer.
    let pointer = error.source()?.downcast_ref::<Pointer>()?;
    let inner = pointer.downcast_ref::<io::Error>()?.get_ref()?;
    let tls = inner.downcast_ref::<rustls::Error>()?;
    let (fault, what, advice) = match tls {
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => (
            ServerFault::CertificateName,
            "has a certificate for another host name",
            "connect to the name that it is for",
        ),
        rustls::Error::InvalidCertificate(_) => (
            ServerFault::Certificate,
            "has a certificate that is not trusted",
            "add its CA with `root_certificate`",
        ),
        _ => (
            ServerFault::Tls,
            "does not speak TLS as it should",
            "see its log",
        ),
    };
    let what = format!("{what} ({})", printable(&tls.to_string()));
    Some((fault, what, advice))
}

const REJECTED: Known = (
    ServerFault::Credentials,
    "rejects the user or the password",
    "check both",
);
pub(crate) const READ_ONLY: Known = (
    ServerFault::ReadOnly,
    "is a read-only replica",
    "give the address of the primary",
);
pub(crate) const CLUSTER: Known = (
    ServerFault::Other,
    "is a node of a cluster",
    "build the store with `cluster`",
);
const LOADING: Known = (
    ServerFault::Busy,
    "is still loading its data",
    "try again in a moment",
);
const SLOW: Known = (
    ServerFault::NoResponse,
    "does not respond in time",
    "check its load and the network, and that a server with TLS is `rediss://` and one without it \
     `redis://`",
);
const AWAY: Known = (
    ServerFault::Unreachable,
    "cannot be reached",
    "check that it runs, and the address",
);
