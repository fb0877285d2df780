//! Errors of the database in the words of this library. The library of the database is no source of
//! them: the detail of its errors may quote a whole row.

use std::error::Error as _;
use std::io;

use deadpool_postgres::PoolError;
use deadpool_postgres::TimeoutType;
use llm_auth_core::Error;
use llm_auth_core::store::{ServerError, ServerFault};
use rustls::CertificateError;
use tokio_postgres::error::SqlState;

/// Why a statement failed, and whether another try may help at once.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    /// The connection broke, or the server gave way to another transaction. The statement may have
    /// been executed: all statements here may be repeated.
    pub(crate) may_repeat: bool,
    /// The error code of the server.
    pub(crate) code: Option<SqlState>,
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

/// The error codes that a restart, a failover or a pooler brings.
const PASSING: [SqlState; 8] = [
    SqlState::ADMIN_SHUTDOWN,
    SqlState::CRASH_SHUTDOWN,
    SqlState::CANNOT_CONNECT_NOW,
    SqlState::PROTOCOL_VIOLATION,
    SqlState::TOO_MANY_CONNECTIONS,
    SqlState::T_R_SERIALIZATION_FAILURE,
    SqlState::T_R_DEADLOCK_DETECTED,
    SqlState::IDLE_SESSION_TIMEOUT,
];

/// What is wrong, and what to do in the words of this library.
struct Wrong {
    fault: ServerFault,
    what: String,
    advice: &'static str,
}

impl Wrong {
    fn new(fault: ServerFault, what: impl Into<String>, advice: &'static str) -> Self {
        let what = what.into();
        Self {
            fault,
            what,
            advice,
        }
    }

    fn at(self, place: &str) -> Error {
        wrong(place, self.fault, &self.what, self.advice)
    }

    /// Of no statement that was executed.
    fn failure(self, place: &str) -> Failure {
        Failure {
            error: self.at(place),
            may_repeat: false,
            code: None,
        }
    }
}

/// An error about the server at this place.
pub(crate) fn wrong(place: &str, fault: ServerFault, what: &str, advice: &str) -> Error {
    ServerError::new(fault, format!("{place}: {what}")).into_error(advice)
}

pub(crate) fn of_database(error: &tokio_postgres::Error, place: &str) -> Failure {
    let Some(database) = error.as_db_error() else {
        return of_connection(error, place);
    };
    let code = database.code();
    let may_repeat = PASSING.contains(code) || code.code().starts_with("08");
    let said = shown(database.message());
    let wrong = match code.code() {
        "42703" => Wrong::new(
            ServerFault::Tables,
            format!("a table of the sessions lacks a column ({said}): it was changed by hand"),
            "restore it",
        ),
        "42P01" | "3F000" => Wrong::new(
            ServerFault::Tables,
            format!("the tables of the sessions are missing ({said})"),
            "restore them, or let `PostgresStore::migrate` make them",
        ),
        "42P07" => Wrong::new(
            ServerFault::Tables,
            format!("the tables are there, and the one with their version is not ({said})"),
            "restore the table `version`",
        ),
        "42501" => Wrong::new(
            ServerFault::Permission,
            format!("the user of the database lacks a permission ({said})"),
            "grant it",
        ),
        "25006" => Wrong::new(
            ServerFault::ReadOnly,
            "the server is a standby or read-only",
            "connect to the primary",
        ),
        "28P01" | "28000" => Wrong::new(
            ServerFault::Credentials,
            "the server rejects the user or the password",
            "correct the URL",
        ),
        "3D000" => Wrong::new(
            ServerFault::NoDatabase,
            "the database does not exist",
            "correct the URL, or create it",
        ),
        "53100" => Wrong::new(
            ServerFault::Full,
            "the disk of the server is full",
            "make room",
        ),
        "53300" => Wrong::new(
            ServerFault::Busy,
            "the server accepts no more connections",
            "lower `max_connections` of the programs, or use a pooler",
        ),
        "57P01" | "57P02" | "57P03" => Wrong::new(
            ServerFault::Busy,
            "the server starts or stops",
            "try again in a moment",
        ),
        // The text of any other error may quote a value.
        code => Wrong::new(
            match may_repeat {
                true => ServerFault::Busy,
                false => ServerFault::Other,
            },
            format!("the server refuses the statement (SQLSTATE {code})"),
            "see its log",
        ),
    };
    Failure {
        error: wrong.at(place),
        may_repeat,
        code: Some(code.clone()),
    }
}

fn of_connection(error: &tokio_postgres::Error, place: &str) -> Failure {
    let mut cause = error.source();
    let mut io = None;
    let mut tls = None;
    while let Some(found) = cause {
        if let Some(found) = found.downcast_ref::<io::Error>() {
            io = Some(found);
        }
        if let Some(found) = io.and_then(io::Error::get_ref)
            && let Some(found) = found.downcast_ref::<rustls::Error>()
        {
            tls = Some(found.clone());
        }
        cause = found.source();
    }
    let text = error.to_string();
    let wrong = match (&tls, io) {
        (Some(tls), _) => of_tls(tls),
        (None, Some(io)) => Wrong::new(
            ServerFault::Unreachable,
            match io.raw_os_error() {
                Some(_) => format!(
                    "the server cannot be reached ({})",
                    shown(&io.kind().to_string())
                ),
                // Names are looked up by the library of the system, which has no number for it.
                None => format!("the server cannot be reached ({})", shown(&io.to_string())),
            },
            "start it, or correct the URL",
        ),
        (None, None) if error.is_closed() => Wrong::new(
            ServerFault::Unreachable,
            "the connection to the server broke",
            "try again",
        ),
        (None, None) if text.starts_with("error performing TLS") => Wrong::new(
            ServerFault::Tls,
            "the server has no TLS",
            "turn it on there",
        ),
        (None, None) if cause_of(error).contains("password missing") => Wrong::new(
            ServerFault::Credentials,
            "the server requires a password, and the URL has none",
            "add it",
        ),
        (None, None) => Wrong::new(
            ServerFault::Unreachable,
            format!("no connection to the server ({})", shown(&text)),
            "check the server and the URL",
        ),
    };
    Failure {
        error: wrong.at(place),
        may_repeat: tls.is_none(),
        code: None,
    }
}

fn cause_of(error: &tokio_postgres::Error) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}

fn of_tls(error: &rustls::Error) -> Wrong {
    let (fault, what, advice) = match error {
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => (
            ServerFault::CertificateName,
            "the certificate of the server is for another host name",
            "connect to the name that it is for",
        ),
        rustls::Error::InvalidCertificate(_) => (
            ServerFault::Certificate,
            "the certificate of the server is not trusted",
            "add its CA with `root_certificates`",
        ),
        _ => (
            ServerFault::Tls,
            "TLS with the server failed",
            "see its log",
        ),
    };
    // The name for which it was checked, and those that it has, are in the text.
    let what = format!("{what} ({})", shown(&error.to_string()));
    Wrong::new(fault, what, advice)
}

pub(crate) fn of_pool(error: &PoolError, place: &str, limit: std::time::Duration) -> Failure {
    let seconds = limit.as_secs();
    let wrong = match error {
        PoolError::Backend(error) => return of_database(error, place),
        PoolError::Timeout(TimeoutType::Wait) => Wrong::new(
            ServerFault::Busy,
            format!("all connections of the pool were in use for {seconds} s"),
            "raise `max_connections`",
        ),
        PoolError::Timeout(_) => Wrong::new(
            ServerFault::NoResponse,
            format!("no connection to the server within {seconds} s"),
            "check its load and the network",
        ),
        _ => Wrong::new(
            ServerFault::Other,
            "the pool of connections is closed",
            "make another store",
        ),
    };
    wrong.failure(place)
}

/// The statement may be executed nevertheless.
pub(crate) fn too_late(place: &str, limit: std::time::Duration) -> Failure {
    let what = format!("the server did not respond within {} s", limit.as_secs());
    Wrong::new(ServerFault::NoResponse, what, "try again later").failure(place)
}

/// Text of the server as part of a message.
pub(crate) fn shown(text: &str) -> String {
    let text = text.chars().take(200);
    text.map(|c| if c.is_control() { ' ' } else { c }).collect()
}
