//! `llm-auth exec --proxy`: a program with a key of its own for a proxy that ends with it.

use std::ffi::OsString;
use std::io;
use std::pin::pin;
use std::process::{Command, ExitStatus};

use llm_auth_core::Api;
use llm_auth_proxy::Listener;
use tokio::process::Child;

use crate::commands::served::{ProxyLimits, Served};
use crate::commands::token::Wanted;
use crate::commands::tools::Variables;
use crate::error::Failure;
use crate::session::runtime;
use crate::system::core_dumps;
use crate::system::signals::Passed;

/// Runs the program; this process passes its signals on and serves it. The inner error is that the
/// program cannot be run.
pub(super) fn run(
    mut command: Command,
    wanted: &Wanted,
    variables: &Variables,
    limits: &ProxyLimits,
) -> Result<io::Result<ExitStatus>, Failure> {
    // A session that cannot be used is an error now, not one of the program later.
    wanted.get(None)?;
    let (provider, selector) = (wanted.session.provider, &wanted.session.selector);
    let path = provider.name().to_owned();
    let served = Served::new(
        provider,
        path,
        selector,
        &wanted.provider_args,
        wanted.timeout,
    )?;
    let managers = [served.manager.clone()];
    runtime::run_to_the_end(&managers, async {
        let listener = Listener::loopback(0).await?;
        let key = limits.key()?;
        // The proxy adds the headers of the API.
        let mut api = Api::default();
        api.base = Some(listener.base_url(provider.name()));
        command.envs(variables.values(&api, key.secret().expose())?);
        for name in ["NO_PROXY", "no_proxy"] {
            command.env(name, without_proxy(std::env::var_os(name)));
        }
        let proxy = limits.proxy().session(served.session).key(key);
        // Before the program is there, so that no signal is lost.
        let mut signals = Passed::listen();
        let mut child = match start(command) {
            Ok(child) => child,
            Err(source) => return Ok(Err(source)),
        };
        let mut serving = pin!(proxy.serve(listener, std::future::pending()));
        loop {
            tokio::select! {
                status = child.wait() => return status.map(Ok).map_err(lost),
                Err(failed) = &mut serving => return Err(failed.into()),
                signal = signals.next() => signal.send_to(&child),
            }
        }
    })
}

/// The hosts that the program reaches without its HTTP proxy, and this computer: that proxy would get
/// the key and the requests in clear, and could not reach this one.
fn without_proxy(set: Option<OsString>) -> OsString {
    let mut hosts = set.filter(|set| !set.is_empty()).unwrap_or_default();
    if hosts == "*" {
        return hosts;
    }
    if !hosts.is_empty() {
        hosts.push(",");
    }
    hosts.push("127.0.0.1,localhost,::1");
    hosts
}

fn lost(error: io::Error) -> Failure {
    Failure::Command {
        code: 1,
        message: Some(format!("cannot wait for the program: {error}")),
    }
}

/// Starts the program with the limit for core dumps that this process began with.
fn start(command: Command) -> io::Result<Child> {
    core_dumps::restore();
    let child = tokio::process::Command::from(command).spawn();
    core_dumps::no_core_dumps();
    child
}

/// Ends as the program did: with its exit code, or with 128 and the number of its signal.
pub(super) fn ended(status: ExitStatus) -> Result<(), Failure> {
    let code = match status.code() {
        Some(0) => return Ok(()),
        Some(code) => u8::try_from(code).unwrap_or(1),
        #[cfg(unix)]
        None => {
            use std::os::unix::process::ExitStatusExt as _;
            let number = status.signal().and_then(|number| u8::try_from(number).ok());
            number.map_or(1, |number| 128_u8.saturating_add(number))
        }
        #[cfg(not(unix))]
        None => 1,
    };
    Err(Failure::Command {
        code,
        message: None,
    })
}
