//! What a server must be before a sign-in begins.

use super::Server;
use crate::{Error, ErrorKind, ProviderSpec as _, Result, printable};

impl Server {
    /// Checks what flags, a preset or a file say of this server, before anything is sent.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] as [`OAuthConfig::check`](crate::provider::OAuthConfig::check), and if the
    /// scope is none (RFC 6749 section 3.3), the resource is no absolute URI or has a fragment (RFC 8707
    /// section 2), or the audience is empty.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_oidc::provider::Endpoints;
    /// use llm_auth_oidc::{SecureUrl, Server};
    ///
    /// let mut server = Server::new("company", Endpoints::new(SecureUrl::new("https://a.example/t")?));
    /// assert!(server.check().is_ok());
    /// server.resource = Some("/api".into());
    /// assert!(server.check().is_err());
    /// # Ok::<(), llm_auth_oidc::Error>(())
    /// ```
    pub fn check(&self) -> Result<()> {
        self.config().check()?;
        check_scope(&self.scope)?;
        self.resource.as_deref().map_or(Ok(()), check_resource)?;
        self.audience.as_deref().map_or(Ok(()), check_audience)
    }
}

/// `scope` of RFC 6749 appendix A.4.
pub(crate) fn check_scope(scope: &str) -> Result<()> {
    let is_allowed = |c: char| c == ' ' || c.is_ascii_graphic() && !['"', '\\'].contains(&c);
    match scope.chars().all(is_allowed) {
        true => Ok(()),
        false => Err(wrong(format!(
            "the scope {:?} has a character that no scope has: name scopes, separated by spaces",
            printable(scope)
        ))),
    }
}

/// The resource may be anything that has a scheme, such as `api://...`.
pub(crate) fn check_resource(resource: &str) -> Result<()> {
    let scheme = resource.split_once(':').map_or("", |(scheme, _)| scheme);
    let has_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let is_uri = resource.chars().all(|c| c.is_ascii_graphic()) && !resource.contains('#');
    match has_scheme && is_uri {
        true => Ok(()),
        false => Err(wrong(format!(
            "the resource {:?} is no absolute URI without a fragment (RFC 8707): write it as the \
             server does",
            printable(resource)
        ))),
    }
}

pub(crate) fn check_audience(audience: &str) -> Result<()> {
    match !audience.trim().is_empty() && printable(audience) == audience {
        true => Ok(()),
        false => Err(wrong(format!(
            "the audience {:?} is empty or has characters that cannot be seen: write it as the server \
             does",
            printable(audience)
        ))),
    }
}

fn wrong(message: String) -> Error {
    Error::new(ErrorKind::Config, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_resources_and_audiences_are_as_the_standards_have_them() {
        for scope in [
            "",
            "openid email",
            "https://x.example/.default offline_access",
            "a:b/c",
        ] {
            assert!(check_scope(scope).is_ok(), "{scope}");
        }
        for scope in ["a\nb", "a \"b\"", "a\\b", "\u{fc}", "a\tb"] {
            assert!(check_scope(scope).is_err(), "{scope}");
        }
        for resource in [
            "https://api.example/v1?x=1",
            "api://made-up",
            "urn:example:api",
        ] {
            assert!(check_resource(resource).is_ok(), "{resource}");
        }
        for resource in [
            "",
            "/api",
            "api.example/v1",
            "https://a.example/#x",
            "https://a b",
            ":x",
        ] {
            assert!(check_resource(resource).is_err(), "{resource}");
        }
        for (audience, is_good) in [
            ("agent-backend", true),
            ("", false),
            (" ", false),
            ("a\nb", false),
        ] {
            assert_eq!(check_audience(audience).is_ok(), is_good, "{audience:?}");
        }
    }
}
