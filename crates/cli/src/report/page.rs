//! The page that explains a failure in more words than its advice.

use llm_auth_core::{Error, ErrorKind};

use super::advice::is_about_protection;
use crate::error::{Failure, server_fault};
use crate::session::stores;

const PAGE: &str = concat!(
    env!("CARGO_PKG_REPOSITORY"),
    "/blob/main/docs/troubleshooting.md"
);

/// The address of the section on a failure; `None` if its advice is all that can be done, such as
/// the command that signs in. `is_first` if the command is the first sign-in to a server of the
/// user's own.
pub(super) fn of(failure: &Failure, is_first: bool) -> Option<String> {
    let section = match failure {
        Failure::Session(error) => section(error)?,
        Failure::Config { .. } => BY_KIND,
        _ => return None,
    };
    let section = match section {
        BY_KIND if is_first => OWN_SERVER,
        section => section,
    };
    Some(format!("{PAGE}#{section}"))
}

const BY_KIND: &str = "by-error-kind";
const DATABASES: &str = "databases";
const OWN_SERVER: &str = "a-server-of-your-own";

fn section(error: &Error) -> Option<&'static str> {
    if error.is_about_proxy() || error.is_about_trust() {
        return Some("proxies-and-certificates");
    }
    if error.is_about_foreign_session() {
        return Some("the-token-file");
    }
    if error.is_about_other_server() {
        return Some("the-session-goes-to-another-server");
    }
    if server_fault(error).is_some() {
        return Some(DATABASES);
    }
    if is_about_protection(error) {
        return Some("keyring-and-keys");
    }
    let is_stored = matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Store);
    if is_stored && stores::engine().is_some() {
        return Some(DATABASES);
    }
    match error.kind() {
        ErrorKind::Denied
        | ErrorKind::Expired
        | ErrorKind::NotSignedIn
        | ErrorKind::RateLimited => None,
        ErrorKind::RefreshRejected => Some("sign-in-again"),
        ErrorKind::Transient => Some("the-network"),
        ErrorKind::LeaseLost | ErrorKind::StoreBusy => Some("the-lock"),
        ErrorKind::PolicyDenied => Some("client-scope-plan"),
        ErrorKind::Redirected | ErrorKind::Protocol => Some("a-provider-changed-its-endpoints"),
        ErrorKind::StateMismatch => Some("the-sign-in-was-not-approved"),
        ErrorKind::Corrupt | ErrorKind::Store => Some("the-token-file"),
        ErrorKind::Callback => Some("the-page-does-not-load"),
        ErrorKind::System => Some("proxies-and-certificates"),
        _ => Some(BY_KIND),
    }
}

#[cfg(test)]
mod tests {
    use llm_auth::encrypted::WrongKey;
    use llm_auth_core::store::{ServerError, ServerFault};

    use super::*;

    const TEXT: &str = include_str!("../../../../docs/troubleshooting.md");

    /// The sections of the page, as an address names them.
    fn sections() -> Vec<String> {
        let headings = TEXT.lines().filter_map(|line| line.strip_prefix("## "));
        let kept = |character: &char| character.is_alphanumeric() || " -".contains(*character);
        headings
            .map(|heading| heading.to_lowercase().chars().filter(kept).collect())
            .map(|heading: String| heading.replace(' ', "-"))
            .collect()
    }

    #[test]
    fn the_page_has_every_section_that_a_failure_names() {
        let sections = sections();
        for kind in [
            ErrorKind::Callback,
            ErrorKind::Config,
            ErrorKind::Corrupt,
            ErrorKind::PolicyDenied,
            ErrorKind::Protocol,
            ErrorKind::Redirected,
            ErrorKind::RefreshRejected,
            ErrorKind::StateMismatch,
            ErrorKind::Store,
            ErrorKind::LeaseLost,
            ErrorKind::StoreBusy,
            ErrorKind::System,
            ErrorKind::Transient,
        ] {
            for is_first in [false, true] {
                let address = of(&Failure::from(Error::new(kind, "x")), is_first).unwrap();
                let (_, section) = address.split_once('#').unwrap();
                assert!(sections.iter().any(|known| known == section), "{section}");
            }
        }
    }

    #[test]
    fn a_failure_of_a_server_or_of_a_key_leads_to_a_section_of_its_own() {
        let server = ServerError::new(ServerFault::Credentials, "x").into_error("y");
        let outer = Error::new(ErrorKind::Store, "x").with_source(server.clone());
        let key = Error::new(ErrorKind::Store, "x").with_source(WrongKey);
        for (error, expected) in [
            (server, "databases"),
            (outer, "databases"),
            (key, "keyring-and-keys"),
        ] {
            let address = of(&Failure::from(error), false).unwrap();
            let (_, section) = address.split_once('#').unwrap();
            assert_eq!(section, expected);
            assert!(sections().iter().any(|known| known == section), "{section}");
        }
    }

    #[test]
    fn a_failure_with_one_way_out_names_no_page() {
        for kind in [ErrorKind::NotSignedIn, ErrorKind::RateLimited] {
            assert_eq!(of(&Failure::from(Error::new(kind, "x")), false), None);
        }
    }
}
