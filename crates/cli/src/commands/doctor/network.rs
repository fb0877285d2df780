//! The way out: proxy and certificates.

use super::{Check, Status};
use crate::environment::{self, CA_FILE, Proxy};
use crate::vendor::http_client;

pub(super) fn checks() -> Vec<Check> {
    let mut checks = vec![proxy()];
    if let Some(file) = environment::path(CA_FILE) {
        let message = format!("the certificates of {} are trusted too", file.display());
        checks.push(Check::new("ca", Status::Ok, message).fact("variable", CA_FILE));
    }
    // One client has them all, so one check finds what is wrong with any of them.
    if let Err(failure) = http_client(None) {
        checks.push(Check::failed("network", &failure));
    }
    checks
}

fn proxy() -> Check {
    match Proxy::find() {
        Err(failure) => Check::failed("proxy", &failure),
        Ok(None) => Check::new("proxy", Status::Ok, "none is set").fact("proxy", None::<String>),
        Ok(Some(proxy)) => {
            let (variable, shown) = (proxy.variable, proxy.shown());
            let mut message = format!("{shown} (by {variable}); loopback never goes through it");
            if !proxy.except.is_empty() {
                message.push_str(", nor what NO_PROXY names");
            }
            Check::new("proxy", Status::Ok, message)
                .fact("proxy", shown)
                .fact("variable", variable)
                .fact("except", proxy.except)
        }
    }
}
