//! `llm-auth exec --proxy`: a program with a key of its own for a proxy that ends with it.

use std::io;
use std::pin::pin;
use std::process::Command;

use llm_auth_proxy::{Listener, Proxy};
use tokio::process::Child;

use super::{ExecArgs, cannot_run};
use crate::commands::served::Served;
use crate::error::Failure;
use crate::session::runtime;
use crate::system::core_dumps;
use crate::system::env::without_secrets;
use crate::system::signals::Passed;

/// Runs the program; this process passes its signals on, serves it, and ends as it does.
pub(super) fn run(args: &ExecArgs) -> Result<(), Failure> {
    let Some(url) = &args.api_base_env else {
        return Err(Failure::Usage(
            "--proxy requires --api-base-env NAME, where the program finds the proxy".into(),
        ));
    };
    // A session that cannot be used is an error now, not one of the program later.
    args.wanted.get()?;
    let wanted = &args.wanted;
    let (provider, selector) = (wanted.session.provider, &wanted.session.selector);
    let served = Served::new(provider, selector, &wanted.provider_args, wanted.timeout)?;
    let managers = [served.manager.clone()];
    runtime::run_to_the_end(&managers, async {
        let listener = Listener::loopback(0).await?;
        let key = args.key.key()?;
        let mut command = args.program()?;
        without_secrets(&mut command);
        for name in &args.env {
            command.env(name, key.secret().expose());
        }
        command.env(url, listener.base_url(provider.name()));
        let proxy = Proxy::new().session(served.session).key(key);
        // Before the program is there, so that no signal is lost.
        let mut signals = Passed::listen();
        let mut child = start(command).map_err(|source| cannot_run(args, &source))?;
        let mut serving = pin!(proxy.serve(listener, std::future::pending()));
        loop {
            tokio::select! {
                status = child.wait() => return ended(status),
                failed = &mut serving => return Ok(failed?),
                signal = signals.next() => signal.send_to(&child),
            }
        }
    })
}

/// Starts the program with the limit for core dumps that this process began with.
fn start(command: Command) -> io::Result<Child> {
    core_dumps::restore();
    let child = tokio::process::Command::from(command).spawn();
    core_dumps::no_core_dumps();
    child
}

/// Ends as the program did: with its exit code, or with 128 and the number of its signal.
fn ended(status: io::Result<std::process::ExitStatus>) -> Result<(), Failure> {
    let status = status.map_err(|error| Failure::Command {
        code: 1,
        message: Some(format!("cannot wait for the program: {error}")),
    })?;
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
