//! `llm-auth doctor`: what stands in the way of a sign-in or a refresh.

mod endpoints;
mod network;
mod report;
mod store;
mod variables;

use std::time::Duration;

use clap::{Args, ValueEnum as _};
use llm_auth_core::printable;
use serde::Serialize;
use serde_json::{Map, Value};

use super::PlaceArgs;
use crate::exit::Failure;
use crate::output::{self, VERSION};
use crate::place::{Opening, Place};
use crate::signals;
use crate::time;
use crate::vendor::{ProviderArgs, Vendor};

/// How long an endpoint may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    /// Only this vendor.
    #[arg(value_enum, ignore_case = true)]
    vendor: Option<Vendor>,

    #[command(flatten)]
    place: PlaceArgs,

    #[command(flatten)]
    provider: ProviderArgs,

    /// Send nothing.
    #[arg(long)]
    offline: bool,

    /// How long an endpoint may take to answer [default: 10].
    #[arg(long, value_name = "SECONDS", value_parser = time::seconds)]
    timeout: Option<Duration>,

    /// Write one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    id: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    vendor: Option<String>,
    status: Status,
    message: String,
    advice: Option<String>,
    #[serde(flatten)]
    facts: Map<String, Value>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Fail,
    Note,
    Ok,
    Warn,
}

#[derive(Serialize)]
struct Report {
    v: u32,
    ok: bool,
    checks: Vec<Check>,
}

pub(crate) fn run(args: &DoctorArgs) -> Result<(), Failure> {
    let vendors: Vec<Vendor> = match args.vendor {
        Some(vendor) => vec![vendor],
        None => Vendor::value_variants().to_vec(),
    };
    let mut checks = vec![place(&Place::detect())];
    checks.extend(variables::checks());
    checks.extend(network::checks());
    checks.extend(store::checks(&args.place, args.vendor));
    let asked = async { Ok(endpoints::checks(args, &vendors).await) };
    let interrupted = || "interrupted; nothing was changed".to_owned();
    checks.extend(signals::run(Vec::new, asked, interrupted)?);
    let failed = checks
        .iter()
        .filter(|check| check.status == Status::Fail)
        .count();
    if args.json {
        output::json(&Report {
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

/// Where a sign-in would happen, and what that means for it.
fn place(place: &Place) -> Check {
    let way = match place.opening(None) {
        Opening::Open => "a sign-in opens a browser",
        Opening::Show(_) => "a sign-in shows the page to open and takes a pasted answer",
    };
    Check::new("place", Status::Ok, format!("{}: {way}", place.words()))
        .fact("ssh", place.ssh.is_some())
        .fact("wsl", place.wsl)
        .fact("container", place.container)
        .fact("display", place.display)
}

impl Check {
    fn new(id: &'static str, status: Status, message: impl Into<String>) -> Self {
        Self {
            id,
            vendor: None,
            status,
            message: message.into(),
            advice: None,
            facts: Map::new(),
        }
    }

    /// Something that could not even be looked at.
    fn failed(id: &'static str, failure: &Failure) -> Self {
        let check = Self::new(id, Status::Fail, failure.message());
        match failure {
            Failure::Config { advice, .. } => check.advice(advice.clone()),
            _ => check,
        }
    }

    fn of(self, vendor: Vendor) -> Self {
        self.at(vendor.name())
    }

    fn at(mut self, vendor: &str) -> Self {
        // A message of its own may name the vendor first, which is said of every check.
        if let Some(rest) = self.message.strip_prefix(&format!("{vendor}: ")) {
            self.message = rest.to_owned();
        }
        self.vendor = Some(printable(vendor)).filter(|name| !name.is_empty());
        self
    }

    fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    fn fact(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }
}
