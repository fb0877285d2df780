//! Why a request has no response of the server, and what its agent receives then.

use crate::Error;
use serde_json::{Value, json};

use super::id::Id;

/// The code of an error that the bridge itself reports: the first of those that JSON-RPC leaves to
/// servers.
const CODE: i64 = -32_000;

/// What stands in place of a response.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server's own JSON-RPC error, in one line, with the id of the request.
    Passed(String),
    /// An error that the bridge reports.
    Own {
        reason: Reason,
        message: String,
        status: Option<u16>,
    },
}

/// What a program can tell failures apart by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reason {
    /// Only a new sign-in helps.
    SignInRequired,
    /// Only a sign-in with more scopes helps.
    InsufficientScope,
    /// The request may have been carried out, and its response is lost.
    ResponseLost,
    /// The server refused the request.
    Refused,
    /// The request was not carried out; it may be sent again.
    Unreachable,
    /// The message is longer than the bridge passes on.
    TooLong,
    /// The message is none.
    Invalid,
}

impl Reason {
    const fn as_str(self) -> &'static str {
        match self {
            Self::SignInRequired => "sign_in_required",
            Self::InsufficientScope => "insufficient_scope",
            Self::ResponseLost => "response_lost",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::TooLong => "too_long",
            Self::Invalid => "invalid",
        }
    }
}

impl Failure {
    pub(super) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self::Own {
            reason,
            message: message.into(),
            status: None,
        }
    }

    pub(super) fn with_status(mut self, code: u16) -> Self {
        if let Self::Own { status, .. } = &mut self {
            *status = Some(code);
        }
        self
    }

    /// The failure of a call to the session's own library. `sign_in` is the command to run.
    pub(super) fn of_session(error: &Error, sign_in: &str) -> Self {
        if error.needs_login() {
            let message = format!("{error}: run `{sign_in}`");
            Self::new(Reason::SignInRequired, message)
        } else {
            let what = match error.is_transient() {
                true => "check the network",
                false => "correct that",
            };
            let message = format!("{error:#}: {what}, then send the request again");
            Self::new(Reason::Unreachable, message)
        }
    }

    /// The failure of a request to this host.
    pub(super) fn of_request(error: &Error, host: &str) -> Self {
        let failure = if error.response_lost() {
            Self::lost(host, &error.to_string())
        } else if error.is_transient() {
            let message = format!("{error:#}: check the network, then send the request again");
            Self::new(Reason::Unreachable, message)
        } else {
            Self::new(Reason::Refused, format!("{error:#}"))
        };
        match error.status() {
            Some(status) => failure.with_status(status),
            None => failure,
        }
    }

    pub(super) fn lost(host: &str, what: &str) -> Self {
        let message = format!(
            "{what}, and {host} may have carried out the request: check that before you send it again"
        );
        Self::new(Reason::ResponseLost, message)
    }

    /// The failure of a request that has not reached this host, or that it refused without a look.
    pub(super) fn unsent(host: &str) -> Self {
        let message = format!(
            "the bridge ended before {host} took the request: start it again, then send the request again"
        );
        Self::new(Reason::Unreachable, message)
    }

    /// The line for the agent.
    pub(super) fn line(&self, id: &Id) -> String {
        self.with_id(id.as_json())
    }

    /// The line for a message whose id is not known.
    pub(super) fn line_without_id(&self) -> String {
        self.with_id("null")
    }

    fn with_id(&self, id: &str) -> String {
        let (reason, message, status) = match self {
            Self::Passed(line) => return line.clone(),
            Self::Own {
                reason,
                message,
                status,
            } => (reason, message, status),
        };
        let mut data = json!({"reason": reason.as_str()});
        if let Some(status) = status {
            data["httpStatus"] = Value::from(*status);
        }
        let code = match reason {
            Reason::Invalid => -32_700,
            _ => CODE,
        };
        let error = json!({"code": code, "message": message, "data": data});
        format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#)
    }

    /// What is logged of a message that has no response.
    pub(super) fn log(&self, method: &str) {
        match self {
            Self::Passed(_) => tracing::warn!(method, "the server refused the message"),
            Self::Own { message, .. } => tracing::warn!(method, "{message}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::ErrorKind;

    use super::*;

    #[test]
    fn a_failure_is_a_json_rpc_error_with_the_id_as_it_came() {
        let failure = Failure::new(Reason::Refused, "x \"y\"\n").with_status(500);
        let line = failure.line(&Id::own("a\"b"));
        assert!(!line.contains('\n'), "{line}");
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["id"], "a\"b");
        assert_eq!(value["error"]["code"], CODE);
        assert_eq!(value["error"]["data"]["httpStatus"], 500);
    }

    #[test]
    fn a_session_that_is_over_names_the_command_and_another_failure_does_not() {
        let over = Error::new(ErrorKind::NotSignedIn, "not signed in");
        let line = Failure::of_session(&over, "llm-auth login x").line_without_id();
        assert!(
            line.contains("not signed in: run `llm-auth login x`"),
            "{line}"
        );
        let passing = Error::new(ErrorKind::Transient, "cannot connect to auth.example");
        let line = Failure::of_session(&passing, "llm-auth login x").line_without_id();
        assert!(!line.contains("llm-auth"), "{line}");
        let again =
            "cannot connect to auth.example: check the network, then send the request again";
        assert!(line.contains(again), "{line}");
    }
}
