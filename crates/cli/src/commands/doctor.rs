//! `llm-auth doctor`: what prevents a sign-in or a refresh.

mod args;
mod check;
mod endpoints;
mod network;
mod report;
mod sessions;
mod store;
mod variables;

use serde::Serialize;

pub(crate) use self::args::DoctorArgs;
use self::check::{Check, Status};
use crate::error::Failure;
use crate::providers::{ProviderName, servers};
use crate::session::runtime;
use crate::system::location::Location;
use crate::ui::browser::opening::Opening;
use crate::ui::streams::{self, VERSION};

#[derive(Serialize)]
struct Report {
    v: u32,
    ok: bool,
    checks: Vec<Check>,
}

pub(crate) fn run(args: &DoctorArgs) -> Result<(), Failure> {
    let providers: Vec<ProviderName> = match args.provider {
        Some(provider) => vec![provider],
        None => in_use(args),
    };
    let mut checks = vec![location(&Location::detect())];
    checks.extend(variables::checks());
    checks.extend(network::checks());
    checks.extend(store::checks(&args.selector, args.provider));
    checks.extend(servers());
    let asked = async { Ok(endpoints::checks(args, &providers).await) };
    let interrupted = || "interrupted; nothing was changed".to_owned();
    checks.extend(runtime::run(Vec::new, asked, interrupted)?);
    let failed = checks
        .iter()
        .filter(|check| check.status == Status::Fail)
        .count();
    if args.json {
        streams::json(&Report {
            v: VERSION,
            ok: failed == 0,
            checks,
        })?;
    } else {
        report::print(&checks)?;
    }
    match failed {
        0 => Ok(()),
        _ => Err(Failure::Checks(failed)),
    }
}

/// The providers with a session or a variable; all that this command signs in to if there is none.
fn in_use(args: &DoctorArgs) -> Vec<ProviderName> {
    let all = ProviderName::all();
    let is_used = |provider: &&ProviderName| {
        sessions::any(&args.selector, **provider) || provider.has_variables()
    };
    let used: Vec<_> = all.iter().filter(is_used).copied().collect();
    if !used.is_empty() {
        return used;
    }
    let can_sign_in = |provider: &&ProviderName| provider.check_hand_out().is_ok();
    all.iter().filter(can_sign_in).copied().collect()
}

/// The servers that are remembered and cannot be used.
fn servers() -> impl Iterator<Item = Check> {
    let broken = servers::names().into_iter();
    let broken = broken.filter_map(|name| Some((servers::load(&name).err()?, name)));
    broken.map(|(why, name)| {
        let failure = Failure::Config {
            message: format!("{name}: {why}"),
            advice:
                "correct or delete that file, then sign in again with `llm-auth login oidc` or \
                     `mcp`"
                    .into(),
        };
        Check::failed("server", &failure)
    })
}

/// Where a sign-in would happen, and what that means for it.
fn location(location: &Location) -> Check {
    let way = match Opening::at(location, None) {
        Opening::Open => "a sign-in opens a browser",
        Opening::Show(_) => "a sign-in shows the page to open and accepts a pasted response",
    };
    Check::new("place", Status::Ok, format!("{}: {way}", location.words()))
        .fact("ssh", location.ssh.is_some())
        .fact("wsl", location.wsl)
        .fact("container", location.container)
        .fact("display", location.display)
}
