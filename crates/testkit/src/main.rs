//! The simulated providers as a separate program.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing where the server is, is what this program is for"
)]

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use llm_auth_testkit::{Approval, Rotation, Testkit, TestkitBuilder};
use tokio::io::AsyncReadExt as _;

const HELP: &str = "Simulated authorization servers on 127.0.0.1: OpenRouter, Hugging Face, Poe, GitHub, Qwen, MiniMax
and Google

Usage: llm-auth-testkit [OPTIONS]

  --port N               the port (default: one that is free)
  --approve HOW          manual, auto or deny (default: manual)
  --interval S           polling interval in seconds (default: 2)
  --access-lifetime S    lifetime of access tokens in seconds (default: 3600)
  --grace S              how long a spent refresh token is forgiven (default: 0)
  --no-rotation          refresh tokens stay valid
  --client-id ID         Google's client id
  --client-secret TEXT   Google's client secret
  --until-stdin-closes   also stop when standard input is closed
  --help                 this text

Prints the base URL on standard output, then runs until it is interrupted.";

struct Options {
    builder: TestkitBuilder,
    until_stdin_closes: bool,
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            eprintln!("llm-auth-testkit: {why}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("llm-auth-testkit: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> io::Result<()> {
    let kit = options.builder.start_blocking()?;
    let mut out = io::stdout();
    writeln!(out, "{}", kit.base_url())?;
    out.flush()?;
    explain(&kit);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let ended = runtime.block_on(until_stopped(options.until_stdin_closes));
    // A read of standard input may still be blocked; the shutdown does not wait for it.
    runtime.shutdown_background();
    ended
}

fn explain(kit: &Testkit) {
    eprintln!("The simulated providers are running. Point llm-auth at them:\n");
    for (name, value) in kit.env() {
        eprintln!("  export {name}='{value}'");
    }
    let url = kit.base_url();
    eprintln!("\nor: eval \"$(curl -s {url}/testkit/env)\"");
    eprintln!(
        "\nTo approve a login, open the page that the login shows, or:\n\n  \
         curl -s -X POST {url}/testkit/approve\n\n\
         or start with --approve auto. Without a browser, `curl -sL 'PAGE'` opens the page of a sign-in\n\
         that waits for one. `llm-auth login gemini` takes --trust-endpoint {url},\n\
         since the secret of an OAuth client goes to no other server unasked.\n\n\
         A standard server is at {url}/standard (--client-id testkit-client --api-base {url}/standard/v1).\n\
         GitHub's API has no models: its tokens are good for {url}/v1. More at {url}/testkit"
    );
}

/// Waits for an interrupt, a request to terminate, or the end of standard input.
async fn until_stopped(until_stdin_closes: bool) -> io::Result<()> {
    let mut signal = std::pin::pin!(signalled());
    let mut closed = std::pin::pin!(stdin_closed());
    std::future::poll_fn(|cx| {
        if until_stdin_closes && closed.as_mut().poll(cx).is_ready() {
            return std::task::Poll::Ready(Ok(()));
        }
        signal.as_mut().poll(cx)
    })
    .await
}

async fn stdin_closed() {
    let mut stdin = tokio::io::stdin();
    let mut ignored = [0; 1024];
    while stdin.read(&mut ignored).await.is_ok_and(|read| read > 0) {}
}

#[cfg(unix)]
async fn signalled() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    std::future::poll_fn(|cx| {
        let arrived = terminate.poll_recv(cx).is_ready() || interrupt.poll_recv(cx).is_ready();
        if arrived {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    Ok(())
}

#[cfg(not(unix))]
async fn signalled() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}

/// Reads the flags; `None` asks for help.
fn options(mut flags: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut builder = Testkit::builder();
    let mut client = (None, None);
    let mut until_stdin_closes = false;
    while let Some(flag) = flags.next() {
        let (flag, inline) = match flag.split_once('=') {
            Some((flag, value)) => (flag.to_owned(), Some(value.to_owned())),
            None => (flag, None),
        };
        let mut value = || {
            let value = inline.clone().or_else(|| flags.next());
            value.ok_or_else(|| format!("{flag} needs a value"))
        };
        builder = match flag.as_str() {
            "--help" | "-h" => return Ok(None),
            "--until-stdin-closes" => {
                until_stdin_closes = true;
                builder
            }
            "--no-rotation" => builder.rotation(Rotation::Omit),
            "--port" => builder.port(value()?.parse().map_err(|e| format!("--port: {e}"))?),
            "--approve" => builder.approval(approval(&value()?)?),
            "--interval" => builder.interval(seconds(&value()?)?),
            "--access-lifetime" => builder.access_lifetime(seconds(&value()?)?),
            "--grace" => builder.grace(seconds(&value()?)?),
            "--client-id" => {
                client.0 = Some(value()?);
                builder
            }
            "--client-secret" => {
                client.1 = Some(value()?);
                builder
            }
            other => return Err(format!("unknown option {other}")),
        };
    }
    builder = match client {
        (None, None) => builder,
        (Some(id), Some(secret)) => builder.google_client(id, secret),
        _ => return Err("--client-id and --client-secret go together".to_owned()),
    };
    Ok(Some(Options {
        builder,
        until_stdin_closes,
    }))
}

fn approval(text: &str) -> Result<Approval, String> {
    match text {
        "manual" => Ok(Approval::Manual),
        "auto" => Ok(Approval::Auto),
        "deny" => Ok(Approval::Deny),
        other => Err(format!("--approve: {other} is not manual, auto or deny")),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|e| format!("{text}: {e}"))?;
    Duration::try_from_secs_f64(seconds).map_err(|e| format!("{text}: {e}"))
}
