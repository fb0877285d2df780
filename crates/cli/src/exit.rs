//! What went wrong, which exit code that is, and what to do about it.

mod advice;

use std::io;
use std::path::Path;

use llm_auth_core::{DEFAULT_ACCOUNT, Error, ErrorKind, printable};
use serde_json::json;

pub(crate) use self::advice::{advice_for_unreadable, proxy_advice};
use self::advice::{config_advice, store_advice};
use crate::commands::{PlaceArgs, SessionArgs};
use crate::output::{self, VERSION};
use crate::screen::arrow;
use crate::time;
use crate::trust;
use crate::vendor::Vendor;

pub(crate) const DONE: u8 = 0;
const OTHER: u8 = 1;
pub(crate) const USAGE: u8 = 2;
const SIGN_IN: u8 = 3;
const TEMPORARY: u8 = 4;
const NOT_APPROVED: u8 = 5;

/// Why a command did not do what was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The libraries say so.
    Session(Error),
    /// The environment, a flag's file or the machine is not as it must be.
    Config { message: String, advice: String },
    /// What was looked for is not there.
    NotFound { message: String, advice: String },
    /// The program for `exec` could not be run, or ended so; without a message it said all itself.
    Command { code: u8, message: Option<String> },
    /// Checks of `doctor` failed; the report says which.
    Checks(usize),
    /// The demo did not prove what it set out to prove.
    Demo(String),
    /// Standard output could not be written.
    Output(io::Error),
    /// The person or the system wants it to end; `code` is 128 and the signal's number.
    Signal { code: u8, message: String },
    /// It was called in a way that makes no sense.
    Usage(String),
    /// Of several accounts none was named.
    Which(String),
    /// The same where the name is no flag.
    WhichToSwitch(String),
    /// Something that was asked about cannot be used without a sign-in, or not at all.
    NotUsable { message: String, advice: String },
}

/// Tells of a failure in the form that the command was asked to speak.
#[derive(Debug)]
pub(crate) struct Reporter {
    json: Form,
    session: Option<SessionArgs>,
    /// The command has the flag --timeout for its requests.
    has_timeout: bool,
}

#[derive(Debug)]
enum Form {
    None,
    Event,
    Answer,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Session(error)
    }
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Self::Checks(_)
            | Self::Config { .. }
            | Self::Demo(_)
            | Self::NotFound { .. }
            | Self::Output(_) => OTHER,
            Self::Usage(_) | Self::Which(_) | Self::WhichToSwitch(_) => USAGE,
            Self::NotUsable { .. } => SIGN_IN,
            Self::Command { code, .. } | Self::Signal { code, .. } => *code,
            // It does not pass by itself.
            Self::Session(error) if trust::is_broken(error) => OTHER,
            Self::Session(error) => match error.kind() {
                ErrorKind::NotSignedIn | ErrorKind::RefreshRejected => SIGN_IN,
                ErrorKind::Denied | ErrorKind::Expired => NOT_APPROVED,
                _ if error.is_transient() => TEMPORARY,
                _ => OTHER,
            },
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Command { .. } => "command",
            Self::Checks(_) => "checks",
            Self::Config { .. } => "config",
            Self::Demo(_) => "demo",
            Self::NotFound { .. } => "not_found",
            Self::Output(_) => "output",
            Self::Signal { .. } => "interrupted",
            Self::NotUsable { .. } => kind_name(ErrorKind::NotSignedIn),
            Self::Usage(_) | Self::Which(_) | Self::WhichToSwitch(_) => "usage",
            Self::Session(error) if trust::is_broken(error) => kind_name(ErrorKind::Config),
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
            | Self::Demo(message)
            | Self::Signal { message, .. }
            | Self::Usage(message)
            | Self::Which(message)
            | Self::WhichToSwitch(message) => message.clone(),
            Self::Output(error) => format!("cannot write to standard output: {error}"),
            Self::Session(error) => chain(error) + &trust::words(error).unwrap_or_default(),
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

/// An error and its causes on one line.
pub(crate) fn chain(error: &Error) -> String {
    printable(&format!("{error:#}"))
}

impl Reporter {
    /// For a command that writes events or one object: errors are events too.
    pub(crate) fn for_events(json: bool, session: &SessionArgs) -> Self {
        Self {
            json: if json { Form::Event } else { Form::None },
            session: Some(session.clone()),
            has_timeout: false,
        }
    }

    /// For a command whose answer is one object: `{"error": {..}}` stands in its place.
    pub(crate) fn for_answer(json: bool, session: &SessionArgs) -> Self {
        Self {
            json: if json { Form::Answer } else { Form::None },
            session: Some(session.clone()),
            has_timeout: true,
        }
    }

    /// For a command that is about no session in particular.
    pub(crate) fn without_session(json: bool) -> Self {
        Self {
            json: if json { Form::Event } else { Form::None },
            session: None,
            has_timeout: false,
        }
    }

    /// For a program that called a command in a way that makes no sense.
    pub(crate) fn for_usage(is_answer: bool) -> Self {
        Self {
            json: if is_answer { Form::Answer } else { Form::Event },
            session: None,
            has_timeout: false,
        }
    }

    /// Says it; the exit code.
    pub(crate) fn report(&self, failure: &Failure) -> u8 {
        if let Failure::Command {
            code,
            message: None,
        } = failure
        {
            return *code;
        }
        let (message, advice) = (printable(&failure.message()), self.advice(failure));
        let advice = advice.as_deref().map(printable);
        output::say(&format!("llm-auth: {message}"));
        if let Some(advice) = &advice {
            output::say(&format!("  {} {advice}", arrow()));
        }
        self.tell_program(failure, &message, advice.as_deref());
        failure.code()
    }

    pub(crate) fn tell_program(&self, failure: &Failure, message: &str, advice: Option<&str>) {
        if let Failure::Checks(_) = failure {
            // The report has told them.
            return;
        }
        let mut fields = json!({
            "v": VERSION,
            "kind": failure.kind(),
            "message": message,
            "advice": advice,
            "exit_code": failure.code(),
        });
        if let Some(session) = &self.session {
            fields["vendor"] = session.vendor.name().into();
        }
        // Standard output may be what failed; the exit code says the rest.
        let _unheard = match self.json {
            Form::None => Ok(()),
            Form::Answer => output::json(&json!({"v": VERSION, "error": fields})),
            Form::Event => {
                fields["event"] = "error".into();
                output::json(&fields)
            }
        };
    }

    fn advice(&self, failure: &Failure) -> Option<String> {
        match failure {
            Failure::Command { .. } => {
                Some("is the command spelled right, installed, and in PATH?".into())
            }
            Failure::Config { advice, .. }
            | Failure::NotFound { advice, .. }
            | Failure::NotUsable { advice, .. } => Some(advice.clone()),
            Failure::WhichToSwitch(_) => Some("name it behind the vendor".into()),
            Failure::Usage(_) => Some("see `llm-auth help`".into()),
            Failure::Which(_) => Some(
                "with --account NAME, or make it the current one with `llm-auth switch`".into(),
            ),
            Failure::Checks(_) | Failure::Demo(_) | Failure::Output(_) | Failure::Signal { .. } => {
                None
            }
            Failure::Session(error) => {
                trust::advice(error).or_else(|| Some(self.advice_for(error)))
            }
        }
    }

    /// The command that signs in to the very account that failed.
    fn login(&self, error: &Error) -> String {
        let Some(session) = &self.session else {
            return "llm-auth login".to_owned();
        };
        let mut session = session.clone();
        let PlaceArgs { account, store } = &mut session.place;
        if let (None, None, Some(key)) = (&account, store, error.session())
            && key.account() != DEFAULT_ACCOUNT
        {
            *account = Some(printable(key.account()));
        }
        login_command(&session)
    }

    fn store_advice(&self, error: &Error) -> String {
        let place = self.session.as_ref().map(|session| &session.place);
        let is_file = place.is_some_and(|place| place.store.is_some());
        store_advice(error, is_file).into()
    }

    fn advice_for(&self, error: &Error) -> String {
        let login = self.login(error);
        let vendor = self.session.as_ref().map(|session| session.vendor);
        let variables = vendor.map_or("*", Vendor::name).to_ascii_uppercase();
        match error.kind() {
            ErrorKind::NotSignedIn => format!("sign in with `{login}`"),
            ErrorKind::RefreshRejected => format!("sign in again with `{login}`"),
            ErrorKind::Denied => format!("if that was a mistake, run `{login}` again"),
            ErrorKind::Expired => {
                // A vendor's code has an end of its own, which no flag moves.
                let longer = match vendor {
                    Some(Vendor::Gemini) => "; --timeout SECONDS waits longer",
                    Some(Vendor::Qwen | Vendor::MiniMax) => {
                        ", before the vendor's code ends (or the time of --timeout, if it was given)"
                    }
                    None => "",
                };
                format!("run `{login}` again, and approve it in time{longer}")
            }
            ErrorKind::Corrupt => {
                format!("look at the file, or run `{login}`, which keeps it aside and starts anew")
            }
            ErrorKind::Store => self.store_advice(error),
            ErrorKind::StoreBusy => {
                "another program is renewing this session: try again; if it stays \
                                     so, `llm-auth doctor` shows which process holds the lock"
                    .into()
            }
            ErrorKind::RateLimited | ErrorKind::Transient => match error.retry_after() {
                Some(wait) => format!("try again in {}", time::length(wait)),
                None => {
                    let vendor = vendor.map(|vendor| format!(" {}", vendor.name()));
                    format!(
                        "try again later{}; nothing that is stored was changed. `llm-auth doctor{}` \
                         finds what stands in the way",
                        if self.has_timeout && error.message().contains("did not answer in time") {
                            ", or wait longer with --timeout SECONDS"
                        } else {
                            ""
                        },
                        vendor.unwrap_or_default()
                    )
                }
            },
            ErrorKind::Config => {
                let place = self.session.as_ref().map(|session| &session.place);
                config_advice(error, &variables, place)
            }
            ErrorKind::Redirected => format!(
                "set the variable of that endpoint (LLM_AUTH_{variables}_..._ENDPOINT) to the new \
                 place, or look for a newer llm-auth"
            ),
            ErrorKind::PolicyDenied => "the vendor closed this account, plan or client: ask it \
                                        why"
            .into(),
            ErrorKind::Callback => "allow this program to listen on a loopback port".into(),
            ErrorKind::StateMismatch => format!(
                "the answer belongs to another sign-in: run `{login}` again, and do not trust \
                 this network if it happens twice"
            ),
            _ => "if that does not help you: -vv tells more, and a report helps us".into(),
        }
    }
}

/// The command that signs in to this session, fit for a shell.
pub(crate) fn login_command(session: &SessionArgs) -> String {
    let mut command = format!("llm-auth login {}", session.vendor.name());
    let PlaceArgs { account, store } = &session.place;
    if let Some(account) = account {
        command.push_str(&format!(" --account {}", quoted(account)));
    }
    if let Some(store) = store {
        command.push_str(&format!(" --store {}", quoted(&path_text(store))));
    }
    command
}

fn path_text(path: &Path) -> String {
    path.display().to_string()
}

/// Fit for a POSIX shell.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./@:+=,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_and_its_causes_stand_on_one_line_once() {
        let error = Error::new(ErrorKind::Store, "cannot write the token file x")
            .with_source(io::Error::other("disk\nfull"));
        assert_eq!(chain(&error), "cannot write the token file x: disk full");
    }

    #[test]
    fn what_cannot_be_followed_is_not_advised() {
        let expired = Failure::from(Error::new(ErrorKind::Expired, "x"));
        let advice = |vendor| {
            let place = PlaceArgs::default();
            let reporter = Reporter::for_events(false, &SessionArgs { vendor, place });
            reporter.advice(&expired).unwrap()
        };
        assert!(advice(Vendor::Gemini).contains("--timeout SECONDS waits longer"));
        assert!(!advice(Vendor::Qwen).contains("waits longer"));

        let trouble = Failure::from(Error::new(ErrorKind::Transient, "x"));
        let advice = Reporter::without_session(false).advice(&trouble).unwrap();
        assert!(advice.contains("`llm-auth doctor`"), "{advice}");
    }

    #[test]
    fn exit_codes_follow_the_kind() {
        for (kind, code) in [
            (ErrorKind::NotSignedIn, 3),
            (ErrorKind::RefreshRejected, 3),
            (ErrorKind::Transient, 4),
            (ErrorKind::RateLimited, 4),
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

    #[test]
    fn a_command_to_copy_is_quoted_for_the_shell() {
        assert_eq!(quoted("a/b.json"), "a/b.json");
        assert_eq!(quoted("it's $(x)"), r"'it'\''s $(x)'");
    }
}
