//! Failures of a command, with their messages, kinds and exit codes.

use std::error::Error as StdError;
use std::io;

use llm_auth_core::store::{ServerError, ServerFault};
use llm_auth_core::{Error, ErrorKind, printable};

pub(crate) const DONE: u8 = 0;
const OTHER: u8 = 1;
pub(crate) const USAGE: u8 = 2;
pub(crate) const SIGN_IN: u8 = 3;
pub(crate) const TEMPORARY: u8 = 4;
const NOT_APPROVED: u8 = 5;

/// Why a command did not do what was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The libraries returned it.
    Session(Error),
    /// The environment, a flag's file or the machine is not as it must be.
    Config { message: String, advice: String },
    /// What was looked for is not there.
    NotFound { message: String, advice: String },
    /// The program for `exec` could not be run, or ended so; without a message it said all itself.
    Command { code: u8, message: Option<String> },
    /// Checks of `doctor` failed; the report says which.
    Checks(usize),
    /// A check of the demo did not hold.
    #[cfg(feature = "demo")]
    Demo(String),
    /// Standard output could not be written.
    Output(io::Error),
    /// The user or the system ends it; `code` is 128 and the signal's number.
    Signal { code: u8, message: String },
    /// The arguments make no sense.
    Usage(String),
    /// The arguments do not go with one another; the advice names some that do.
    Mismatch { message: String, advice: String },
    /// Several accounts match, and none was named.
    AmbiguousAccount(String),
    /// The same if the name is no flag.
    AmbiguousSwitch(String),
    /// Something that was asked about cannot be used without a sign-in, or not at all.
    NotUsable { message: String, advice: String },
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Session(error)
    }
}

impl Failure {
    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Checks(_) | Self::Config { .. } | Self::NotFound { .. } | Self::Output(_) => {
                OTHER
            }
            #[cfg(feature = "demo")]
            Self::Demo(_) => OTHER,
            Self::Usage(_)
            | Self::Mismatch { .. }
            | Self::AmbiguousAccount(_)
            | Self::AmbiguousSwitch(_) => USAGE,
            Self::NotUsable { .. } => SIGN_IN,
            Self::Command { code, .. } | Self::Signal { code, .. } => *code,
            Self::Session(error) => match error.kind() {
                ErrorKind::NotSignedIn | ErrorKind::RefreshRejected => SIGN_IN,
                ErrorKind::Denied | ErrorKind::Expired => NOT_APPROVED,
                _ if error.is_transient() => TEMPORARY,
                // A database that is away may be there again for the same call.
                _ if server_fault(error).is_some_and(ServerFault::is_temporary) => TEMPORARY,
                // A corrupt file too; see decision 0015.
                _ => OTHER,
            },
        }
    }

    /// The kind in JSON.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Command { .. } => "command",
            Self::Checks(_) => "checks",
            Self::Config { .. } => "config",
            #[cfg(feature = "demo")]
            Self::Demo(_) => "demo",
            Self::NotFound { .. } => "not_found",
            Self::Output(_) => "output",
            Self::Signal { .. } => "interrupted",
            Self::NotUsable { .. } => kind_name(ErrorKind::NotSignedIn),
            Self::Usage(_)
            | Self::Mismatch { .. }
            | Self::AmbiguousAccount(_)
            | Self::AmbiguousSwitch(_) => "usage",
            Self::Session(error) => kind_name(error.kind()),
        }
    }

    pub(crate) fn message(&self) -> String {
        match self {
            Self::Checks(1) => "1 check failed".to_owned(),
            Self::Checks(count) => format!("{count} checks failed"),
            Self::Command { message, .. } => message.clone().unwrap_or_default(),
            Self::Config { message, .. }
            | Self::NotFound { message, .. }
            | Self::NotUsable { message, .. }
            | Self::Mismatch { message, .. }
            | Self::Signal { message, .. }
            | Self::Usage(message)
            | Self::AmbiguousAccount(message)
            | Self::AmbiguousSwitch(message) => message.clone(),
            #[cfg(feature = "demo")]
            Self::Demo(message) => message.clone(),
            Self::Output(error) => format!("cannot write to standard output: {error}"),
            Self::Session(error) => chain(error),
        }
    }
}

/// The name of an error's kind in JSON.
pub(crate) fn kind_name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Callback => "callback",
        ErrorKind::Config => "config",
        ErrorKind::Corrupt => "corrupt",
        ErrorKind::Denied => "denied",
        ErrorKind::Expired => "expired",
        ErrorKind::LeaseLost => "lease_lost",
        ErrorKind::NotSignedIn => "not_signed_in",
        ErrorKind::PolicyDenied => "policy_denied",
        ErrorKind::Protocol => "protocol",
        ErrorKind::RateLimited => "rate_limited",
        ErrorKind::Redirected => "redirected",
        ErrorKind::RefreshRejected => "refresh_rejected",
        ErrorKind::StateMismatch => "state_mismatch",
        ErrorKind::Store => "store",
        ErrorKind::StoreBusy => "store_busy",
        ErrorKind::System => "system",
        ErrorKind::Transient => "transient",
        _ => "other",
    }
}

/// Why the server that has the sessions could not be used, if that is what failed.
pub(crate) fn server_fault(error: &Error) -> Option<ServerFault> {
    causes(error).find_map(|cause| Some(cause.downcast_ref::<ServerError>()?.fault()))
}

/// The error itself and its causes.
fn causes<'a>(error: &'a Error) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    let first: &'a (dyn StdError + 'static) = error;
    std::iter::successors(Some(first), |cause| (*cause).source())
}

/// An error and its causes on one line. What a store on a server advises is left out: it names the
/// methods of a library, and the command has advice of its own.
pub(crate) fn chain(error: &Error) -> String {
    let mut text = format!("{error:#}");
    for cause in causes(error).filter_map(|cause| cause.downcast_ref::<Error>()) {
        let found = cause
            .source()
            .and_then(|found| found.downcast_ref::<ServerError>());
        if let Some(found) = found {
            let mut whole = cause.to_string();
            if let Some(session) = cause.session() {
                whole = whole.replacen(&format!("{session}: "), "", 1);
            }
            text = text.replace(&whole, &found.to_string());
        }
    }
    printable(&text)
}

#[cfg(test)]
mod tests {
    use llm_auth_core::SessionKey;

    use super::*;

    #[test]
    fn an_error_and_its_causes_stand_on_one_line_once() {
        let error = Error::new(ErrorKind::Store, "cannot write the token file x")
            .with_source(io::Error::other("disk\nfull"));
        assert_eq!(chain(&error), "cannot write the token file x: disk full");
    }

    #[test]
    fn what_a_store_advises_the_authors_of_programs_is_left_out() {
        let what = "the server h: its certificate is not trusted";
        let found = ServerError::new(ServerFault::Certificate, what);
        let error = found.into_error("add its CA with `root_certificates`");
        let session = SessionKey::new("qwen", "work");
        let error = error.with_session(&session);
        assert_eq!(chain(&error), format!("qwen (work): {what}"));
        let outer = Error::new(ErrorKind::Store, "not stored").with_source(error);
        assert_eq!(chain(&outer), format!("not stored: qwen (work): {what}"));
    }

    #[test]
    fn a_server_that_may_be_there_again_is_a_temporary_failure() {
        for (fault, code) in [
            (ServerFault::Unreachable, 4),
            (ServerFault::NoResponse, 4),
            (ServerFault::Busy, 4),
            (ServerFault::Credentials, 1),
            (ServerFault::NotDurable, 1),
        ] {
            let error = ServerError::new(fault, "x").into_error("y");
            let outer = Error::new(ErrorKind::Store, "x").with_source(error.clone());
            for error in [error, outer] {
                assert_eq!(Failure::from(error).code(), code, "{fault:?}");
            }
        }
    }

    #[test]
    fn exit_codes_follow_the_kind() {
        for (kind, code) in [
            (ErrorKind::NotSignedIn, 3),
            (ErrorKind::RefreshRejected, 3),
            (ErrorKind::Transient, 4),
            (ErrorKind::RateLimited, 4),
            (ErrorKind::LeaseLost, 4),
            (ErrorKind::StoreBusy, 4),
            (ErrorKind::Denied, 5),
            (ErrorKind::Expired, 5),
            (ErrorKind::StateMismatch, 1),
            (ErrorKind::Config, 1),
            (ErrorKind::Corrupt, 1),
            (ErrorKind::PolicyDenied, 1),
            (ErrorKind::Protocol, 1),
            (ErrorKind::Redirected, 1),
        ] {
            assert_eq!(
                Failure::from(Error::new(kind, "x")).code(),
                code,
                "{kind:?}"
            );
        }
    }
}
