//! `llm-auth keep`: a file with a fresh access token, for programs that read it again and again.

mod anthropic;
mod content;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};
use llm_auth_core::{Clock as _, Secret, SystemClock, Timestamp, files};

use self::content::Content;
use super::token::Wanted;
use super::tools::{Names, Variables, check_tool};
use crate::error::{Failure, SIGN_IN, TEMPORARY};
use crate::providers::api_base;
use crate::report::advice_without_api;
use crate::session::claim::{Claim, Purpose};
use crate::session::runtime::Pauses;
use crate::system::files::check_written_path;
use crate::time::rfc3339;
use crate::ui::streams::say;
use crate::ui::symbols::arrow;

/// How often the session is looked at; another process may have refreshed it.
const PACE: Duration = Duration::from_secs(1);

/// How long to wait after a temporary failure, of which the manager has its own cool-down too.
const AFTER_FAILURE: Duration = Duration::from_secs(10);

/// How long the token in the file is valid at least, unless the provider's live shorter.
const MIN_VALIDITY: Duration = Duration::from_secs(300);

#[derive(Args, Debug)]
#[command(
    mut_arg("min_validity", |flag| {
        flag.help("How long the token in the file remains valid at least [default: 300]")
    }),
    // It is for one call.
    mut_arg("force_refresh", |flag| flag.hide(true))
)]
pub(crate) struct KeepArgs {
    #[command(flatten)]
    pub(crate) wanted: Wanted,

    /// The file, which is replaced as a whole and readable by its user only. What another program
    /// has written there is not replaced.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Option<PathBuf>,

    /// What the file holds.
    #[arg(long = "as", value_enum, value_name = "CONTENT", default_value = "raw")]
    content: Content,

    /// The name of Anthropic's profile or of Envoy's secret [default: the provider].
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    #[command(flatten)]
    names: Names,

    /// Write the file once, and end.
    #[arg(long)]
    once: bool,
}

pub(crate) fn run(args: &KeepArgs) -> Result<(), Failure> {
    args.check()?;
    let wanted = args.wanted.kept(MIN_VALIDITY)?;
    let mut keeper = Keeper {
        args,
        wanted,
        claim: args.claim()?,
        last: None,
        trouble: None,
    };
    keeper.keep().map_err(|failure| match failure {
        Failure::Signal { code, message } => Failure::Signal {
            code,
            message: format!("{message}; {}", keeper.rest()),
        },
        failure if failure.code() == SIGN_IN => {
            keeper.remove();
            failure
        }
        failure => {
            if keeper.last.is_some() {
                say(&format!("llm-auth: {}", keeper.rest()));
            }
            failure
        }
    })
}

/// A file that is kept.
struct Keeper<'a> {
    args: &'a KeepArgs,
    wanted: Wanted,
    claim: Claim,
    last: Option<Kept>,
    /// What failed last, and was printed.
    trouble: Option<String>,
}

/// What was written last.
struct Kept {
    content: Secret,
    expires_at: Option<Timestamp>,
}

/// Why the file was not written.
enum Stop {
    Token(Failure),
    Write(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Token(failure)
    }
}

impl KeepArgs {
    fn check(&self) -> Result<(), Failure> {
        match self.content {
            Content::Env => self.variables().check(self.wanted.session.provider),
            Content::AnthropicProfile => {
                check_tool("anthropic", self.wanted.session.provider, [])?;
                self.variables().check_unused("--as env")
            }
            _ => self.variables().check_unused("--as env"),
        }
    }

    fn variables(&self) -> Variables {
        self.names.clone().into()
    }

    fn name(&self) -> &str {
        let provider = self.wanted.session.provider.name();
        self.name.as_deref().unwrap_or(provider)
    }

    fn claim(&self) -> Result<Claim, Failure> {
        match (&self.file, self.content) {
            (Some(file), _) => {
                check_written_path("--file", file, "`llm-auth token` prints the token")?;
                Claim::take(file, Purpose::Token, "name another file with --file")
            }
            (None, Content::AnthropicProfile) => Claim::take(
                &anthropic::credentials(self.name())?,
                Purpose::Token,
                "choose another profile with --name",
            ),
            (None, _) => Err(Failure::Usage("name the file with --file".into())),
        }
    }
}

impl Keeper<'_> {
    fn keep(&mut self) -> Result<(), Failure> {
        let mut pauses = Pauses::listen()?;
        loop {
            let is_first = self.last.is_none();
            let is_once = self.args.once;
            let pace = match self.step() {
                Ok(()) if is_once => return Ok(()),
                Ok(()) => {
                    self.trouble = None;
                    PACE
                }
                // The disk may have room again, say.
                Err(Stop::Write(failure)) if !is_first => self.again(&failure),
                Err(Stop::Token(failure)) if failure.code() == TEMPORARY && !is_once => {
                    self.again(&failure)
                }
                Err(Stop::Write(failure) | Stop::Token(failure)) => return Err(failure),
            };
            pauses.pause(pace, "stopped")?;
        }
    }

    /// Prints why the file is not written, once until that changes, and how long to wait.
    fn again(&mut self, failure: &Failure) -> Duration {
        let message = failure.message();
        if self.trouble.as_ref() != Some(&message) {
            say(&format!("llm-auth: {message}; trying again"));
            if let Failure::Config { advice, .. } = failure {
                say(&format!("  {} {advice}", arrow()));
            }
            self.trouble = Some(message);
        }
        AFTER_FAILURE
    }

    /// Looks at the session once, and writes the file if it has changed.
    fn step(&mut self) -> Result<(), Stop> {
        let args = self.args;
        let (key, token) = self.wanted.get(None)?;
        // Another account may become the current one.
        self.wanted.session.selector.account = Some(key.account().to_owned());
        let provider = self.wanted.session.provider;
        let configured = provider.configure_offline(&self.wanted.provider_args, Some(&token))?;
        let content = match args.content {
            Content::Env => content::variables(&args.variables(), &configured, &token)?,
            content => content.of(args.name(), &key, &token, &configured)?,
        };
        // Another program may have changed or removed it.
        let is_last = |kept: &Kept| kept.content == content;
        if self.last.as_ref().is_some_and(is_last) && self.holds(&content) {
            return Ok(());
        }
        let file = self.claim.file();
        // A path that is mistyped must not become one.
        if args.content == Content::AnthropicProfile && args.file.is_none() {
            let made = file.parent().map_or(Ok(()), files::make_directories);
            made.map_err(|error| {
                Stop::Write(Failure::Config {
                    message: format!("cannot write {}: {error}", file.display()),
                    advice: "check the directory and its permissions".into(),
                })
            })?;
            // Without it, the SDKs would send the token to Anthropic.
            let base = api_base(&configured, &token).ok_or_else(|| Failure::Config {
                message: format!("{key}: the API of this session is unknown"),
                advice: format!(
                    "{}; or name the file with --file",
                    advice_without_api(provider, &key, &self.wanted.session.selector)
                ),
            })?;
            anthropic::write_profile(args.name(), &base)?;
        }
        let written = self.claim.replace(content.expose().as_bytes());
        written.map_err(Stop::Write)?;
        let file = self.claim.file().display();
        match self.last.is_none() {
            true => say(&format!("llm-auth: {file} holds the token of {key}")),
            false => tracing::info!("{file} holds another token of {key}"),
        }
        self.last = Some(Kept {
            content,
            expires_at: token.expires_at,
        });
        Ok(())
    }

    /// The session has ended: its token must not stay where programs find it.
    fn remove(&self) {
        let Some(kept) = &self.last else {
            return;
        };
        let file = self.claim.file().display();
        match self.claim.remove(kept.content.expose().as_bytes()) {
            Ok(true) => say(&format!("llm-auth: the session has ended; removed {file}")),
            // It is another program's.
            Ok(false) => {}
            Err(error) => say(&format!(
                "llm-auth: the session has ended; cannot remove {file}: {error}"
            )),
        }
    }

    /// What is left of the file, in words.
    fn rest(&self) -> String {
        let file = self.claim.file().display();
        let Some(kept) = &self.last else {
            return format!("{file} was not written");
        };
        if !self.holds(&kept.content) {
            return format!("{file} no longer holds what was written");
        }
        let validity = match kept.expires_at {
            None => "does not expire".to_owned(),
            Some(at) => {
                let is = if at > SystemClock.now() { "is" } else { "was" };
                let at = rfc3339(at).unwrap_or_else(|| "an out-of-range date".into());
                format!("{is} valid until {at}")
            }
        };
        format!("{file} stays, with a token that {validity}")
    }

    fn holds(&self, content: &Secret) -> bool {
        self.claim.holds(content.expose().as_bytes())
    }
}
