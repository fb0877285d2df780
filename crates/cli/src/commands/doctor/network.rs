//! The proxy and the certificates.

use llm_auth_core::HttpClient;

use super::check::{Check, Status};
use crate::providers::{TrustArgs, reader};
use crate::system::certificates::{self, CertificateVariable};
use crate::system::env::{self, CA_FILE, Proxy};

pub(super) fn checks() -> Vec<Check> {
    let mut checks = vec![proxy()];
    checks.extend(ca());
    checks.extend(certificates::variables().iter().map(system_ca));
    checks
}

fn proxy() -> Check {
    let found = Proxy::find().and_then(|proxy| {
        env::with_proxy(HttpClient::builder())?;
        Ok(proxy)
    });
    match found {
        Err(failure) => Check::failed("proxy", &failure),
        Ok(None) => Check::new("proxy", Status::Ok, "not set").fact("proxy", None::<String>),
        Ok(Some(proxy)) => {
            let (variable, shown) = (proxy.variable, proxy.shown());
            let mut message = format!("{shown} (set by {variable}); loopback bypasses it");
            if !proxy.except.is_empty() {
                message.push_str(", as do the hosts in NO_PROXY");
            }
            let check = match reader::doubt(&TrustArgs::default()) {
                Ok(Some(why)) => Check::new(
                    "proxy",
                    Status::Warn,
                    format!("{message}; it could read the requests, because {why}"),
                )
                .advice(
                    "to refresh stored sessions through it, trust it with --trust-endpoint, or \
                     list it under \"trusted_endpoints\" in your settings",
                ),
                _ => Check::new("proxy", Status::Ok, message),
            };
            check
                .fact("proxy", shown)
                .fact("variable", variable)
                .fact("except", proxy.except)
        }
    }
}

/// `None` where only the system's certificates are trusted.
fn ca() -> Option<Check> {
    let named = env::path(CA_FILE);
    let file = match &named {
        Ok(file) => file.clone()?,
        Err(failure) => return Some(Check::failed("ca", failure).fact("variable", CA_FILE)),
    };
    let check = match env::with_ca(HttpClient::builder()) {
        Ok(_usable) => {
            let message = format!("the certificates of {} are trusted too", file.display());
            Check::new("ca", Status::Ok, message)
        }
        Err(failure) => Check::failed("ca", &failure),
    };
    Some(check.fact("variable", CA_FILE))
}

/// What replaces the system's own certificates.
fn system_ca(set: &CertificateVariable) -> Check {
    let (variable, shown) = (set.name, set.shown());
    let check = match set.trouble() {
        None => Check::new(
            "system_ca",
            Status::Ok,
            format!("{shown} replaces the system's certificates (set by {variable})"),
        ),
        Some(why) => Check::new("system_ca", Status::Fail, format!("{variable} {why}")).advice(
            format!("correct {variable}, or unset it to use the package ca-certificates"),
        ),
    };
    check.fact("variable", variable).fact("place", shown)
}
