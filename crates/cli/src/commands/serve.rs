//! `llm-auth serve`: a proxy for programs that know only a base URL and a key.

mod key_file;

use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use clap::{Args, ValueHint};
use llm_auth_core::{Error, Secret};
use llm_auth_proxy::{Listener, Proxy};
use serde::Serialize;
use tokio::sync::oneshot;

use self::key_file::KeyFile;
use super::served::{ProxyLimits, Served};
use crate::error::{Failure, chain};
use crate::providers::{ProviderArgs, ProviderName};
use crate::session::claim::{self, Claim, Purpose};
use crate::session::runtime;
use crate::session::selector::{SessionSelector, StoreFlags, account_name};
use crate::system::signals::Signals;
use crate::system::{files, open_files};
use crate::text;
use crate::time;
use crate::ui::streams::{self, VERSION};

/// How long open requests may take to end before anything is printed about them.
const SOON: Duration = Duration::from_millis(100);

#[derive(Args, Debug)]
pub(crate) struct ServeArgs {
    /// The providers, each at the path of its name.
    #[arg(ignore_case = true, required = true, value_name = "PROVIDER", value_parser = ProviderName::parser())]
    pub(crate) providers: Vec<ProviderName>,

    /// The account, by name or by the verified e-mail address of its user [default: the current
    /// account]. Repeatable for one provider: each then is at the path PROVIDER-ACCOUNT.
    #[arg(long, value_name = "NAME", value_parser = account_name)]
    account: Vec<String>,

    #[command(flatten)]
    store: StoreFlags,

    #[command(flatten)]
    pub(crate) provider_args: ProviderArgs,

    /// Listen on this port of 127.0.0.1 [default: a free one].
    #[arg(long, value_name = "PORT", value_parser = text::port, allow_negative_numbers = true)]
    port: Option<u16>,

    /// Listen on this unix socket, which only this user may connect to.
    #[arg(long, value_name = "PATH", conflicts_with = "port", value_hint = ValueHint::FilePath)]
    socket: Option<PathBuf>,

    /// Write the key to this file, for this user only, instead of printing it. What another program
    /// has written there is not replaced. Repeatable: each file gets a key of its own, for one
    /// client.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    write_key: Vec<PathBuf>,

    #[command(flatten)]
    limits: ProxyLimits,

    /// Show counters for Prometheus at /metrics; they need the key too.
    #[arg(long)]
    metrics: bool,

    /// The limit for each request to the provider, and for the refresh of another process
    /// [default: 20 and 60].
    #[arg(long, value_name = "SECONDS", value_parser = time::seconds, allow_negative_numbers = true)]
    timeout: Option<Duration>,

    /// Print one line of JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

impl ServeArgs {
    /// The sessions of each provider.
    pub(crate) fn selectors(&self) -> Vec<SessionSelector> {
        let of = |account| self.store.session(account);
        match self.account.as_slice() {
            [] => vec![of(None)],
            accounts => accounts.iter().cloned().map(Some).map(of).collect(),
        }
    }

    fn check(&self) -> Result<(), Failure> {
        let usage = |why: &str| Err(Failure::Usage(why.into()));
        if self.providers.len() > 1 && (!self.account.is_empty() || self.store.file().is_some()) {
            return usage(
                "--account and --store are for one provider: choose the accounts with `llm-auth \
                 switch`, or start a proxy for each",
            );
        }
        if self.account.len() > 1 && self.store.file().is_some() {
            return usage("--store holds one session: name one account, or omit --store");
        }
        if let Some(path) = &self.socket {
            files::check_path("--socket", path)?;
        }
        let mut seen = Vec::new();
        for path in &self.write_key {
            files::check_written_path("--write-key", path, "without the flag, the key is printed")?;
            let path = claim::identity(path).unwrap_or_else(|_| path.clone());
            if seen.contains(&path) {
                return usage("two keys cannot be in one file: name another --write-key");
            }
            seen.push(path);
        }
        Ok(())
    }

    fn claim_key_files(&self) -> Result<Vec<Claim>, Failure> {
        let otherwise = "name another file with --write-key";
        let claim = |path: &PathBuf| Claim::take(path, Purpose::ProxyKey, otherwise);
        self.write_key.iter().map(claim).collect()
    }

    fn sessions(&self) -> Result<Vec<Served>, Failure> {
        let mut sessions: Vec<Served> = Vec::new();
        let is_one_each = self.account.len() < 2;
        for provider in &self.providers {
            for selector in self.selectors() {
                let path = selector.account.as_deref().filter(|_| !is_one_each);
                let path = path.map(|account| format!("{}-{}", provider.name(), segment(account)));
                let path = path.unwrap_or_else(|| provider.name().to_owned());
                let (args, timeout) = (&self.provider_args, self.timeout);
                let served = Served::new(*provider, path, &selector, args, timeout)?;
                if sessions.iter().any(|other| other.key == served.key) {
                    continue;
                }
                if sessions.iter().any(|other| other.path == served.path) {
                    let path = &served.path;
                    let why =
                        format!("two accounts would be at the path /{path}: serve one of them");
                    return Err(Failure::Usage(why));
                }
                sessions.push(served);
            }
        }
        Ok(sessions)
    }
}

/// The name of an account as a part of a path.
fn segment(account: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    account.replace(|letter| !is_plain(letter), "-")
}

pub(crate) fn run(args: &ServeArgs) -> Result<(), Failure> {
    args.check()?;
    open_files::allow_most();
    let sessions = args.sessions()?;
    let claims = args.claim_key_files()?;
    let managers: Vec<_> = sessions
        .iter()
        .map(|served| served.manager.clone())
        .collect();
    runtime::run_until_signal(&managers, async |signals| {
        serve(args, sessions, claims, signals).await
    })
}

async fn serve(
    args: &ServeArgs,
    sessions: Vec<Served>,
    claims: Vec<Claim>,
    signals: &mut Signals,
) -> Result<(), Failure> {
    let listener = listen(args).await?;
    let mut proxy = args.limits.proxy();
    let mut started = Started {
        v: VERSION,
        sessions: Vec::new(),
        socket: args.socket.as_deref(),
        key: None,
        key_files: &args.write_key,
    };
    let mut key_files = Vec::new();
    for claim in claims {
        let key = args.limits.key()?;
        key_files.push(KeyFile::write(claim, key.secret())?);
        proxy = proxy.key(key);
    }
    if key_files.is_empty() {
        let key = args.limits.key()?;
        started.key = Some(key.secret().clone());
        proxy = proxy.key(key);
    }
    for served in sessions {
        started.sessions.push(StartedSession {
            provider: served.key.provider().to_owned(),
            account: served.key.account().to_owned(),
            base_url: listener.base_url(&served.path),
        });
        proxy = proxy.session(served.session);
    }
    if args.metrics {
        proxy = proxy.metrics();
    }
    started.print(args.json)?;
    serve_until_signal(proxy, listener, signals).await
}

async fn listen(args: &ServeArgs) -> Result<Listener, Failure> {
    let listener = match &args.socket {
        Some(path) => socket(path)?,
        None => Listener::loopback(args.port.unwrap_or_default()).await,
    };
    listener.map_err(|error| Failure::Config {
        message: chain(&error),
        advice: match &args.socket {
            Some(path) => advice_on_socket(path, &error),
            None => "omit --port for a free one",
        }
        .into(),
    })
}

fn advice_on_socket(path: &Path, error: &Error) -> &'static str {
    let said = std::error::Error::source(error).and_then(|source| source.downcast_ref());
    match said.map(|said: &io::Error| said.kind()) {
        Some(io::ErrorKind::AddrInUse) => "end that proxy, or name another socket with --socket",
        Some(io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            "create that directory, or name a socket in another one with --socket"
        }
        // `sun_path` has 108 bytes on Linux and 104 on macOS.
        Some(io::ErrorKind::InvalidFilename) => {
            "name a socket with a path of at most 100 bytes with --socket"
        }
        None if path.is_file() => "move it away, or name another path with --socket",
        _ => "name a socket in a directory of your own with --socket",
    }
}

#[cfg(unix)]
fn socket(path: &Path) -> Result<Result<Listener, Error>, Failure> {
    Ok(Listener::unix(path))
}

#[cfg(not(unix))]
fn socket(_path: &Path) -> Result<Result<Listener, Error>, Failure> {
    let message = "this system has no unix sockets that are for one user: use --port";
    Err(Failure::Usage(message.into()))
}

/// After the first signal, requests that have begun may end; the second ends them.
async fn serve_until_signal(
    proxy: Proxy,
    listener: Listener,
    signals: &mut Signals,
) -> Result<(), Failure> {
    let (stop, stopped) = oneshot::channel();
    let mut serving = pin!(proxy.serve(listener, async { drop(stopped.await) }));
    let code = tokio::select! {
        ended = &mut serving => return Ok(ended?),
        code = signals.next() => code,
    };
    // It listens until it has ended.
    let _has_ended = stop.send(());
    let message = if tokio::time::timeout(SOON, &mut serving).await.is_ok() {
        "stopped; no request was open"
    } else {
        streams::say(
            "llm-auth: finishing the open requests; a second signal stops them immediately",
        );
        tokio::select! {
            _ended = &mut serving => "stopped; the open requests have ended",
            _ = signals.next() => "interrupted twice: stopped immediately",
        }
    };
    Err(Failure::Signal {
        code,
        message: message.into(),
    })
}

/// What is printed once the proxy listens.
#[derive(Serialize)]
struct Started<'a> {
    v: u32,
    sessions: Vec<StartedSession>,
    #[serde(skip_serializing_if = "Option::is_none")]
    socket: Option<&'a Path>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Secret>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    key_files: &'a [PathBuf],
}

#[derive(Serialize)]
struct StartedSession {
    #[serde(rename = "vendor")]
    provider: String,
    account: String,
    base_url: String,
}

impl Started<'_> {
    fn print(&self, as_json: bool) -> Result<(), Failure> {
        if as_json {
            return streams::json(self);
        }
        let sessions = self.sessions.iter();
        let sessions = sessions.map(|session| format!("{} {}", session.provider, session.base_url));
        let socket = self.socket.map(|path| format!("socket {}", path.display()));
        let key = self.key.as_ref().map(|key| format!("key {}", key.expose()));
        let files = self.key_files.iter();
        let files = files.map(|path| format!("key file {}", path.display()));
        let lines = sessions.chain(socket).chain(key).chain(files);
        lines
            .collect::<Vec<_>>()
            .iter()
            .try_for_each(|line| streams::answer(line))
    }
}
