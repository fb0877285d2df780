//! `llm-auth keep`: a file with a fresh access token, for programs that read it again and again.

mod anthropic;
mod content;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueHint};
use llm_auth_core::{Secret, files};

use self::content::Content;
use super::token::Wanted;
use super::tools::{Names, Variables, check_tool};
use crate::error::{Failure, SIGN_IN, TEMPORARY};
use crate::providers::api_base;
use crate::session::{directories, runtime};
use crate::system::files::check_path;
use crate::ui::streams::say;

/// How often the session is looked at; another process may have refreshed it.
const PACE: Duration = Duration::from_secs(1);

/// How long to wait after a temporary failure, of which the manager has its own cool-down too.
const AFTER_FAILURE: Duration = Duration::from_secs(10);

/// How long the token in the file is valid at least, unless the provider's live shorter.
const MIN_VALIDITY: Duration = Duration::from_secs(300);

#[derive(Args, Debug)]
pub(crate) struct KeepArgs {
    #[command(flatten)]
    pub(crate) wanted: Wanted,

    /// The file, which is replaced as a whole and readable by its user only.
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
    let mut wanted = args.wanted.kept(MIN_VALIDITY)?;
    let file = args.file()?;
    let mut last = None;
    loop {
        let is_first = last.is_none();
        let pace = match step(args, &mut wanted, &file, &mut last) {
            Ok(()) if args.once => return Ok(()),
            Ok(()) => PACE,
            // The disk may have room again, say.
            Err(Stop::Write(failure)) if !is_first => again(&failure),
            Err(Stop::Write(failure)) => return Err(failure),
            Err(Stop::Token(failure)) if failure.code() == TEMPORARY && !args.once => {
                again(&failure)
            }
            Err(Stop::Token(failure)) => {
                if failure.code() == SIGN_IN {
                    remove(&file, last.as_ref());
                }
                return Err(failure);
            }
        };
        let pause = async {
            tokio::time::sleep(pace).await;
            Ok(())
        };
        runtime::run(Vec::new, pause, || {
            format!("stopped; {} is not kept any more", file.display())
        })?;
    }
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

fn again(failure: &Failure) -> Duration {
    say(&format!("llm-auth: {}; trying again", failure.message()));
    AFTER_FAILURE
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

    fn file(&self) -> Result<PathBuf, Failure> {
        match (&self.file, self.content) {
            (Some(file), _) => {
                check_path("--file", file)?;
                check_not_ours(file)?;
                Ok(file.clone())
            }
            (None, Content::AnthropicProfile) => anthropic::credentials(self.name()),
            (None, _) => Err(Failure::Usage("name the file with --file".into())),
        }
    }
}

/// Looks at the session once, and writes the file if it has changed.
fn step(
    args: &KeepArgs,
    wanted: &mut Wanted,
    file: &Path,
    last: &mut Option<Secret>,
) -> Result<(), Stop> {
    let (key, token) = wanted.get(None)?;
    // Another account may become the current one.
    wanted.session.selector.account = Some(key.account().to_owned());
    let provider = wanted.session.provider;
    let configured = provider.configure_offline(&wanted.provider_args, Some(&token))?;
    let content = match args.content {
        Content::Env => content::variables(&args.variables(), &configured, &token)?,
        content => content.of(args.name(), &key, &token, &configured)?,
    };
    // Another program may have changed or removed it.
    if last.as_ref() == Some(&content) && holds(file, &content) {
        return Ok(());
    }
    let cannot = |error: std::io::Error| {
        Stop::Write(Failure::Config {
            message: format!("cannot write {}: {error}", file.display()),
            advice: "check the directory and its permissions".into(),
        })
    };
    // A path that is mistyped must not become one.
    if args.content == Content::AnthropicProfile && args.file.is_none() {
        file.parent()
            .map_or(Ok(()), files::make_directories)
            .map_err(cannot)?;
        // Without it, the SDKs would send the token to Anthropic.
        let base = api_base(&configured, &token).ok_or_else(|| Failure::Config {
            message: format!("{key}: the API of this session is unknown"),
            advice: "name the API where you sign in (--api-base), or the file with --file".into(),
        })?;
        anthropic::write_profile(args.name(), &base)?;
    }
    files::replace(file, content.expose().as_bytes()).map_err(cannot)?;
    let file = file.display();
    match last.is_none() {
        true => say(&format!("llm-auth: {file} holds the token of {key}")),
        false => tracing::info!("{file} holds another token of {key}"),
    }
    *last = Some(content);
    Ok(())
}

/// The session has ended: its token must not stay where programs find it.
fn remove(file: &Path, last: Option<&Secret>) {
    let Some(written) = last else {
        return;
    };
    if holds(file, written) && std::fs::remove_file(file).is_ok() {
        say(&format!(
            "llm-auth: the session has ended; removed {}",
            file.display()
        ));
    }
}

/// Whether a file has this content, for its user alone.
fn holds(file: &Path, content: &Secret) -> bool {
    let limit = content.expose().len() as u64;
    let read = files::read(file, limit);
    read.is_ok_and(|found| *found == *content.expose().as_bytes())
}

/// Refuses a file of this program: it would be overwritten.
fn check_not_ours(file: &Path) -> Result<(), Failure> {
    let parent = file.parent().filter(|parent| parent != &Path::new(""));
    let parent = parent.unwrap_or_else(|| Path::new(".")).canonicalize();
    let home = directories::home()?.canonicalize();
    match (parent, home) {
        (Ok(parent), Ok(home)) if parent.starts_with(&home) => Err(Failure::Usage(format!(
            "--file must not be below {}, where llm-auth keeps its own files",
            home.display()
        ))),
        _ => Ok(()),
    }
}
