//! Reports of failures: the message, what to do about it, and the same as JSON.

mod advice;
mod page;
pub(crate) mod usage;

use std::path::Path;

use llm_auth_core::{DEFAULT_ACCOUNT, Error, ErrorKind, printable};

pub(crate) use self::advice::{advice_for_unreadable, proxy_advice};
use self::advice::{config_advice, store_advice};
use crate::error::Failure;
use crate::providers::ProviderName;
use crate::session::selector::SessionSelector;
use crate::shell_quote::quoted;
use crate::system::certificates;
use crate::time;
use crate::ui::events::{ErrorReport, Event};
use crate::ui::streams;
use crate::ui::symbols::arrow;

/// Reports a failure in the form that the command writes.
#[derive(Debug)]
pub(crate) struct Reporter {
    json: Form,
    /// The session that the command is about.
    session: Option<(ProviderName, SessionSelector)>,
    /// The command has the flag --timeout for its requests.
    has_timeout: bool,
}

#[derive(Debug)]
enum Form {
    None,
    Event,
    Answer,
}

impl Reporter {
    /// For a command that writes events or one object: errors are events too.
    pub(crate) fn for_events(
        json: bool,
        provider: ProviderName,
        selector: &SessionSelector,
    ) -> Self {
        Self {
            json: if json { Form::Event } else { Form::None },
            session: Some((provider, selector.clone())),
            has_timeout: false,
        }
    }

    /// For a command whose answer is one object: `{"error": {..}}` stands in its place.
    pub(crate) fn for_answer(
        json: bool,
        provider: ProviderName,
        selector: &SessionSelector,
    ) -> Self {
        Self {
            json: if json { Form::Answer } else { Form::None },
            session: Some((provider, selector.clone())),
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

    /// For a call with wrong arguments.
    pub(crate) fn for_usage(is_answer: bool) -> Self {
        Self {
            json: if is_answer { Form::Answer } else { Form::Event },
            session: None,
            has_timeout: false,
        }
    }

    /// Prints the failure and returns the exit code.
    pub(crate) fn report(&self, failure: &Failure) -> u8 {
        if let Failure::Command {
            code,
            message: None,
        } = failure
        {
            return *code;
        }
        let explained = match failure {
            Failure::Session(error) => certificates::explained(error),
            _ => None,
        };
        let failure = explained.as_ref().unwrap_or(failure);
        let (message, advice) = (printable(&failure.message()), self.advice(failure));
        let advice = advice.as_deref().map(printable);
        streams::say(&format!("llm-auth: {message}"));
        if let Some(advice) = &advice {
            streams::say(&format!("  {} {advice}", arrow()));
        }
        if let Some(page) = page::of(failure) {
            streams::say(&format!("  {} more: {page}", arrow()));
        }
        self.tell_program(failure, &message, advice.as_deref());
        failure.code()
    }

    pub(crate) fn tell_program(&self, failure: &Failure, message: &str, advice: Option<&str>) {
        if let Failure::Checks(_) = failure {
            // The report has told them.
            return;
        }
        let report = ErrorReport {
            kind: failure.kind(),
            message,
            advice,
            exit_code: failure.code(),
            provider: self.session.as_ref().map(|(provider, _)| provider.name()),
        };
        // Standard output may be what failed; the exit code says the rest.
        let _unheard = match self.json {
            Form::None => Ok(()),
            Form::Answer => report.print(),
            Form::Event => Event::Error(report).print(),
        };
    }

    fn advice(&self, failure: &Failure) -> Option<String> {
        match failure {
            Failure::Command { .. } => Some("check that the command exists and is in PATH".into()),
            Failure::Config { advice, .. }
            | Failure::NotFound { advice, .. }
            | Failure::NotUsable { advice, .. } => Some(advice.clone()),
            Failure::AmbiguousSwitch(_) => Some("name the account after the provider".into()),
            Failure::Usage(_) => Some("see `llm-auth help`".into()),
            Failure::AmbiguousAccount(_) => Some(
                "add --account NAME, or choose the current account with `llm-auth switch`".into(),
            ),
            Failure::Checks(_) | Failure::Output(_) | Failure::Signal { .. } => None,
            #[cfg(feature = "demo")]
            Failure::Demo(_) => None,
            Failure::Session(error) => Some(self.advice_for(error)),
        }
    }

    /// The command that signs in to the very account that failed.
    fn login(&self, error: &Error) -> String {
        let Some((provider, selector)) = &self.session else {
            return "llm-auth login".to_owned();
        };
        let mut selector = selector.clone();
        if let (None, None, Some(key)) = (&selector.account, &selector.store, error.session())
            && key.account() != DEFAULT_ACCOUNT
        {
            selector.account = Some(printable(key.account()));
        }
        login_command(*provider, &selector)
    }

    fn store_advice(&self, error: &Error) -> String {
        let selector = self.session.as_ref().map(|(_, selector)| selector);
        let is_file = selector.is_some_and(|selector| selector.store.is_some());
        store_advice(error, is_file).into()
    }

    fn advice_for(&self, error: &Error) -> String {
        let login = self.login(error);
        let provider = self.session.as_ref().map(|(provider, _)| *provider);
        let variables = provider
            .map_or("*", ProviderName::name)
            .to_ascii_uppercase();
        match error.kind() {
            ErrorKind::NotSignedIn => format!("sign in with `{login}`"),
            ErrorKind::RefreshRejected => format!("sign in again with `{login}`"),
            ErrorKind::Denied => format!("if this was a mistake, run `{login}` again"),
            ErrorKind::Expired => {
                // A provider's code has an end of its own, which no flag moves.
                let longer = match provider {
                    Some(provider) if provider.signs_in_by_browser() => {
                        "; --timeout SECONDS allows more time"
                    }
                    Some(_) => {
                        ", before the provider's code expires (or --timeout, if given, ends)"
                    }
                    None => "",
                };
                format!("run `{login}` again, and approve it in time{longer}")
            }
            ErrorKind::Corrupt => {
                format!(
                    "inspect the file, or run `{login}`, which keeps a copy of it and signs in \
                     again"
                )
            }
            ErrorKind::Store => self.store_advice(error),
            ErrorKind::StoreBusy => {
                "another process is refreshing this session: try again; if this persists, \
                 `llm-auth doctor` shows which process holds the lock"
                    .into()
            }
            ErrorKind::RateLimited | ErrorKind::Transient => match error.retry_after() {
                Some(wait) => format!("try again in {}", time::length(wait)),
                None => {
                    let provider = provider.map(|provider| format!(" {}", provider.name()));
                    format!(
                        "try again later{}; stored sessions are unchanged. Run `llm-auth doctor{}` \
                        to find the cause",
                        if self.has_timeout && error.is_timeout() {
                            ", or wait longer with --timeout SECONDS"
                        } else {
                            ""
                        },
                        provider.unwrap_or_default()
                    )
                }
            },
            ErrorKind::Config => {
                let selector = self.session.as_ref().map(|(_, selector)| selector);
                config_advice(error, &variables, selector)
            }
            ErrorKind::Redirected => format!(
                "set the variable of that endpoint (LLM_AUTH_{variables}_..._ENDPOINT) to the new \
                 URL, or look for a newer llm-auth"
            ),
            ErrorKind::PolicyDenied => "the provider closed this account, plan or client: contact \
                                        the provider"
                .into(),
            ErrorKind::Callback => "allow this program to listen on a loopback port".into(),
            ErrorKind::StateMismatch => format!(
                "the response belongs to another sign-in: run `{login}` again, and do not trust \
                 this network if it happens twice"
            ),
            _ => "run again with -vv for details; if it looks like a bug, please report it".into(),
        }
    }
}

/// The command that signs in to this session, fit for a shell.
pub(crate) fn login_command(provider: ProviderName, selector: &SessionSelector) -> String {
    let mut command = format!("llm-auth login {}", provider.name());
    let SessionSelector { account, store } = selector;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_followed_is_not_advised() {
        let expired = Failure::from(Error::new(ErrorKind::Expired, "x"));
        let advice = |provider| {
            let selector = SessionSelector::default();
            let reporter = Reporter::for_events(false, provider, &selector);
            reporter.advice(&expired).unwrap()
        };
        assert!(advice(ProviderName::GEMINI).contains("--timeout SECONDS allows more time"));
        assert!(!advice(ProviderName::QWEN).contains("allows more time"));

        let trouble = Failure::from(Error::new(ErrorKind::Transient, "x"));
        let advice = Reporter::without_session(false).advice(&trouble).unwrap();
        assert!(advice.contains("`llm-auth doctor`"), "{advice}");
    }
}
