//! Errors of the database in the words of this library. The library of the database is no source of
//! them: the detail of its errors may quote a whole row.

use std::error::Error as _;
use std::io;

use deadpool_postgres::PoolError;
use deadpool_postgres::TimeoutType;
use llm_auth_core::{Error, ErrorKind};
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

pub(crate) fn of_database(error: &tokio_postgres::Error, place: &str) -> Failure {
    let Some(database) = error.as_db_error() else {
        return of_connection(error, place);
    };
    let code = database.code();
    let what = match code.code() {
        "42703" => format!(
            "a table of the sessions lacks a column ({}): it was changed by hand; restore it",
            shown(database.message())
        ),
        "42P01" | "3F000" => format!(
            "the tables of the sessions are missing ({}): restore them, or let \
             `PostgresStore::migrate` make them",
            shown(database.message())
        ),
        "42501" => format!(
            "the user of the database lacks a permission ({}): grant it",
            shown(database.message())
        ),
        "25006" => "the server is a standby or read-only: connect to the primary".to_owned(),
        "28P01" | "28000" => {
            "the server rejects the user or the password: correct the URL".to_owned()
        }
        "3D000" => "the database does not exist: correct the URL, or create it".to_owned(),
        "53100" => "the disk of the server is full: make room".to_owned(),
        "53300" => "the server accepts no more connections: lower `max_connections` of the \
                    programs, or use a pooler"
            .to_owned(),
        // The text of any other error may quote a value.
        code => format!("the server refuses the statement (SQLSTATE {code}): see its log"),
    };
    Failure {
        error: Error::new(ErrorKind::Store, format!("{place}: {what}")),
        may_repeat: PASSING.contains(code) || code.code().starts_with("08"),
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
    let what = match (&tls, io) {
        (Some(tls), _) => format!(
            "the certificate or the TLS of the server is not accepted ({tls}): add its CA with \
             `root_certificates`"
        ),
        (None, Some(io)) => format!(
            "the server cannot be reached ({}): start it, or correct the URL",
            shown(&io.kind().to_string())
        ),
        (None, None) if error.is_closed() => "the connection to the server broke".to_owned(),
        (None, None) => format!(
            "no connection to the server ({})",
            shown(&error.to_string())
        ),
    };
    Failure {
        error: Error::new(ErrorKind::Store, format!("{place}: {what}")),
        may_repeat: tls.is_none(),
        code: None,
    }
}

pub(crate) fn of_pool(error: &PoolError, place: &str, limit: std::time::Duration) -> Failure {
    let seconds = limit.as_secs();
    let what = match error {
        PoolError::Backend(error) => return of_database(error, place),
        PoolError::Timeout(TimeoutType::Wait) => format!(
            "all connections of the pool were in use for {seconds} s: raise `max_connections`"
        ),
        PoolError::Timeout(_) => format!("no connection to the server within {seconds} s"),
        _ => "the pool of connections is closed".to_owned(),
    };
    Failure {
        error: Error::new(ErrorKind::Store, format!("{place}: {what}")),
        may_repeat: false,
        code: None,
    }
}

/// The statement may be executed nevertheless.
pub(crate) fn too_late(place: &str, limit: std::time::Duration) -> Failure {
    let seconds = limit.as_secs();
    let what = format!("the server did not respond within {seconds} s; try again later");
    Failure {
        error: Error::new(ErrorKind::Store, format!("{place}: {what}")),
        may_repeat: false,
        code: None,
    }
}

/// Text of the server as part of a message.
pub(crate) fn shown(text: &str) -> String {
    let text = text.chars().take(200);
    text.map(|c| if c.is_control() { ' ' } else { c }).collect()
}
