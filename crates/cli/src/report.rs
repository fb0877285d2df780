//! Reports of failures: the message, what to do about it, and the same as JSON.

mod advice;
mod page;
pub(crate) mod usage;

use llm_auth_core::{DEFAULT_ACCOUNT, Error, ErrorKind, FlowKind, SessionKey, printable};

use self::advice::{Settings, config_advice, server_of, store_advice};
pub(crate) use self::advice::{advice_for_unreadable, is_about_protection, proxy_advice};
use crate::error::Failure;
use crate::providers::{ProviderArgs, ProviderName};
use crate::session::command_line::{command_about, command_line};
use crate::session::selector::SessionSelector;
use crate::session::server_name::Engine;
use crate::system::certificates;
use crate::time;
use crate::ui::events::{ErrorReport, Event};
use crate::ui::streams;
use crate::ui::symbols::arrow;

/// Reports a failure in the form that the command writes.
#[derive(Debug)]
pub(crate) struct Reporter {
    json: Form,
    /// The session that the command is about, if it is about one.
    provider: Option<ProviderName>,
    selector: SessionSelector,
    /// How the call says to sign in, which a sign-in that is advised repeats.
    args: ProviderArgs,
    /// The command has the flag --timeout for its requests.
    has_timeout: bool,
    /// The command is the first sign-in to a server of the user's own.
    is_first: bool,
    /// The subcommand, as it is typed.
    command: &'static str,
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
        Self::for_login(json, Some(provider), selector)
    }

    /// For a command whose answer is one object: `{"error": {..}}` stands in its place.
    pub(crate) fn for_answer(
        json: bool,
        provider: ProviderName,
        selector: &SessionSelector,
    ) -> Self {
        Self {
            json: if json { Form::Answer } else { Form::None },
            has_timeout: true,
            ..Self::for_login(json, Some(provider), selector)
        }
    }

    /// For a sign-in, which may ask for its provider.
    pub(crate) fn for_login(
        json: bool,
        provider: Option<ProviderName>,
        selector: &SessionSelector,
    ) -> Self {
        Self {
            provider,
            selector: selector.clone(),
            ..Self::without_session(json)
        }
    }

    /// For a command that is about no session in particular.
    pub(crate) fn without_session(json: bool) -> Self {
        Self {
            json: if json { Form::Event } else { Form::None },
            provider: None,
            selector: SessionSelector::default(),
            args: ProviderArgs::default(),
            has_timeout: false,
            is_first: false,
            command: "",
        }
    }

    /// For a command whose answer is one object, about several sessions.
    pub(crate) fn for_answer_about_several(json: bool) -> Self {
        Self {
            json: if json { Form::Answer } else { Form::None },
            ..Self::without_session(json)
        }
    }

    /// For a call with wrong arguments.
    pub(crate) fn for_usage(is_answer: bool) -> Self {
        Self {
            json: if is_answer { Form::Answer } else { Form::Event },
            ..Self::without_session(true)
        }
    }

    /// The same for a call with these flags.
    pub(crate) fn with(self, args: ProviderArgs) -> Self {
        Self { args, ..self }
    }

    /// The same for the first sign-in to a server of the user's own, if it is one.
    pub(crate) fn first(self, is_first: bool) -> Self {
        Self { is_first, ..self }
    }

    /// The same for this subcommand, whose help is then named.
    pub(crate) fn of(self, command: &'static str) -> Self {
        Self { command, ..self }
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
        if let Some(page) = page::of(failure, self.is_first) {
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
            provider: self.provider.map(ProviderName::name),
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
            | Failure::Mismatch { advice, .. }
            | Failure::NotFound { advice, .. }
            | Failure::NotUsable { advice, .. } => Some(advice.clone()),
            Failure::AmbiguousSwitch(_) => Some("name the account after the provider".into()),
            Failure::Usage(_) => Some(match self.command {
                "" => "see `llm-auth --help`".into(),
                command => format!("see `llm-auth {command} --help`"),
            }),
            Failure::AmbiguousAccount(_) => Some(
                "add --account NAME, or choose the current account with `llm-auth switch PROVIDER NAME`"
                    .into(),
            ),
            Failure::Checks(_) | Failure::Output(_) | Failure::Signal { .. } => None,
            #[cfg(feature = "demo")]
            Failure::Demo(_) => None,
            Failure::Session(error) => Some(self.advice_for(error)),
        }
    }

    /// The command that signs in to the very account that failed, as a sentence names it.
    fn login(&self, error: &Error) -> String {
        if self.is_first {
            return "the same command".into();
        }
        let mut selector = self.selector.clone();
        if let (None, None, Some(key)) = (&selector.account, &selector.store, error.session())
            && key.account() != DEFAULT_ACCOUNT
        {
            selector.account = Some(printable(key.account()));
        }
        format!("`{}`", login_command(self.provider, &selector, &self.args))
    }

    fn is_own_server(&self) -> bool {
        let server = self.provider.and_then(ProviderName::server);
        server.is_some()
    }

    /// The server that has the sessions, if one has.
    fn server(&self) -> Option<Engine> {
        server_of(&self.selector)
    }

    fn store_advice(&self, error: &Error) -> String {
        store_advice(error, self.selector.store.is_some()).into()
    }

    fn advice_for(&self, error: &Error) -> String {
        let login = self.login(error);
        let provider = self.provider;
        let variables = provider
            .map_or("*", ProviderName::name)
            .to_ascii_uppercase();
        match error.kind() {
            ErrorKind::NotSignedIn => format!("sign in with {login}"),
            ErrorKind::RefreshRejected => format!("sign in again with {login}"),
            ErrorKind::Denied => format!("if this was a mistake, run {login} again"),
            ErrorKind::Expired => {
                // A provider's code has an end of its own, which no flag moves.
                let first = self.is_first.then_some(FlowKind::Code);
                let flow = provider.map_or(first, |provider| provider.flow(&self.args));
                let flow = self.args.flow.or(flow);
                let longer = match flow {
                    Some(FlowKind::Code) => "; --timeout SECONDS allows more time",
                    Some(_) => {
                        ", before the provider's code expires (or --timeout, if given, ends)"
                    }
                    None => "",
                };
                let in_browser = match flow {
                    Some(FlowKind::Code) => {
                        ". If the browser showed an error, check the client id and the redirect URI"
                    }
                    _ => "",
                };
                format!("run {login} again, and approve it in time{longer}{in_browser}")
            }
            ErrorKind::Corrupt if self.server().is_some() => {
                format!(
                    "restore it from a backup, or run {login}, which keeps a copy of it in the database \
                     and signs in again"
                )
            }
            ErrorKind::Corrupt => {
                format!(
                    "inspect the file, or run {login}, which keeps a copy of it and signs in \
                     again"
                )
            }
            ErrorKind::Store if error.is_about_copy() => {
                format!("run the same `llm-auth migrate` again, which ends the move, or {login}")
            }
            ErrorKind::Store => self.store_advice(error),
            ErrorKind::LeaseLost => {
                "try again: another computer refreshes this session, or this one slept".into()
            }
            ErrorKind::StoreBusy if self.server().is_some() => {
                "another process, perhaps on another computer, is refreshing this session: try again; \
                 if that process is gone, its lease ends by itself"
                    .into()
            }
            ErrorKind::StoreBusy => {
                "another process is refreshing this session: try again; if this persists, \
                 `llm-auth doctor` shows which process holds the lock"
                    .into()
            }
            ErrorKind::RateLimited | ErrorKind::Transient => match error.retry_after() {
                Some(wait) => format!("try again in {}", time::length(wait)),
                // `doctor` knows no server before it is remembered.
                None if self.is_first && error.status().is_none() => {
                    "check the host and the port in the URL, and the network connection; then run the \
                     same command again"
                        .into()
                }
                None if self.is_first => "try again later; nothing is stored".into(),
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
                let settings = match self.is_first {
                    true => Settings::Flags,
                    false if self.is_own_server() => Settings::Remembered,
                    false => Settings::Variables(&variables),
                };
                config_advice(error, settings, &self.selector, &login)
            }
            ErrorKind::Redirected if self.is_first || self.is_own_server() => {
                "correct the URL of that endpoint, or look for a newer llm-auth".into()
            }
            ErrorKind::Redirected => format!(
                "set the variable of that endpoint (LLM_AUTH_{variables}_..._ENDPOINT) to the new \
                 URL, or look for a newer llm-auth"
            ),
            ErrorKind::PolicyDenied => "the provider closed this account, plan or client: contact \
                                        the provider"
                .into(),
            ErrorKind::Callback => "allow this program to listen on a loopback port; if another program uses the one \
                 that is required, end it, or register another one with --redirect-port at a server of \
                 your own"
                    .into(),
            ErrorKind::StateMismatch => format!(
                "the response belongs to another sign-in: run {login} again, and do not trust \
                 this network if it happens twice"
            ),
            _ => "run again with -vv for details; if it looks like a bug, please report it".into(),
        }
    }
}

/// The command that signs in to this session as these flags say, fit for a shell.
pub(crate) fn login_command(
    provider: Option<ProviderName>,
    selector: &SessionSelector,
    args: &ProviderArgs,
) -> String {
    let flags = args.flags();
    let flags: Vec<&str> = flags.iter().map(AsRef::as_ref).collect();
    command_line("login", provider.map(ProviderName::name), selector, &flags)
}

/// What to do about a session whose API is unknown. A name keeps its API while a session of it is
/// stored.
pub(crate) fn advice_without_api(
    provider: ProviderName,
    key: &SessionKey,
    selector: &SessionSelector,
) -> String {
    let token = command_line("token", Some(provider.name()), selector, &[]);
    if provider.server().is_none() {
        return format!("use the token itself, with `{token}`");
    }
    let login = login_command(Some(provider), selector, &ProviderArgs::default());
    let login = format!("`{login} --api-base URL`");
    match selector.store {
        Some(_) => format!("name the API: sign in again with {login}"),
        None => format!(
            "name the API: sign out with `{}`, then sign in with {login}; or use the token itself, \
             with `{token}`",
            command_about("logout", key, &[])
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_followed_is_not_advised() {
        let expired = Failure::from(Error::new(ErrorKind::Expired, "x"));
        let advice = |provider, flow| {
            let selector = SessionSelector::default();
            let args = ProviderArgs {
                flow,
                ..ProviderArgs::default()
            };
            let reporter = Reporter::for_login(false, provider, &selector).with(args);
            reporter.advice(&expired).unwrap()
        };
        let (browser, device) = (Some(FlowKind::Code), Some(FlowKind::Device));
        let huggingface = ProviderName::from_name("huggingface");
        for (provider, flow, is_extended) in [
            (Some(ProviderName::GEMINI), None, true),
            (Some(ProviderName::QWEN), None, false),
            (huggingface, None, false),
            (huggingface, browser, true),
            (huggingface, device, false),
            (None, browser, true),
            (None, device, false),
        ] {
            let advice = advice(provider, flow);
            let says = advice.contains("--timeout SECONDS allows more time");
            assert_eq!(says, is_extended, "{provider:?} {flow:?}: {advice}");
        }

        let trouble = Failure::from(Error::new(ErrorKind::Transient, "x"));
        let advice = Reporter::without_session(false).advice(&trouble).unwrap();
        assert!(advice.contains("`llm-auth doctor`"), "{advice}");
    }
}
