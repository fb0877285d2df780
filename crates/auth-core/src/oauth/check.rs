//! What a configuration must be before a sign-in begins.

use super::config::{ClientCredentials, Flow, OAuthConfig};
use super::protocol::check_api_header;
use crate::error::{Error, ErrorKind, Result};
use crate::grant::{ErrorResponse, Operation};
use crate::sanitize::{is_printable_ascii, printable};

impl OAuthConfig {
    /// Checks what does not depend on the provider's responses. Every sign-in begins with this; call
    /// it where a configuration is read, so that its mistakes are reported there.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the client has an id or a secret that no client has
    /// ([`ClientCredentials::check`]), a redirect URI has no valid path, a rule for the requests
    /// changes what protects the sign-in, an issuer is required and none is named, an error code is
    /// given a meaning that the RFCs do not have, or a header cannot be sent.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::SecureUrl;
    /// use llm_auth_core::provider::{Client, OAuthConfig};
    ///
    /// let server = SecureUrl::known("https://auth.example/token");
    /// let mut config = OAuthConfig::new("example", server);
    /// config.client = Client::known("my-app");
    /// assert!(config.check().is_ok());
    /// config.client = Client::known("");
    /// assert!(config.check().is_err());
    /// ```
    pub fn check(&self) -> Result<()> {
        self.client
            .credentials()
            .map_or(Ok(()), ClientCredentials::check)?;
        for flow in &self.flows {
            if let Flow::Code(flow) = flow {
                flow.redirect.check()?;
            }
        }
        check_rules(self)?;
        for (code, meaning) in &self.error_codes {
            if !ErrorResponse::new(meaning, None).has_meaning() {
                return Err(config_error(format!(
                    "the error code {:?} of {} stands for {:?}, which is none of the RFCs: name one \
                     such as \"invalid_grant\"",
                    printable(code),
                    self.title(),
                    printable(meaning)
                )));
            }
        }
        self.api_headers
            .iter()
            .try_for_each(|(name, value)| check_api_header(name, value))
    }
}

impl ClientCredentials {
    /// Checks that the id and the secret are such as clients have: neither is empty, and both consist
    /// of printable ASCII (RFC 6749 appendices A.1 and A.2). What an unset variable or an editor left
    /// is rejected here, and not by a page of the server.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`]; the message contains no secret.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::ClientCredentials;
    ///
    /// assert!(ClientCredentials::new("my app", None).check().is_ok());
    /// assert!(ClientCredentials::new(" ", None).check().is_err());
    /// assert!(ClientCredentials::new("my-app\n", None).check().is_err());
    /// ```
    pub fn check(&self) -> Result<()> {
        let secret = self.secret.as_ref().map(|secret| secret.expose());
        for (what, text) in [("id", Some(self.id.as_str())), ("secret", secret)] {
            let Some(text) = text else {
                continue;
            };
            if text.trim().is_empty() {
                return Err(config_error(format!("the client {what} is empty: set it")));
            }
            if !is_printable_ascii(text) {
                return Err(config_error(format!(
                    "the client {what} has a character that is not printable ASCII, which no client \
                     {what} has: correct it"
                )));
            }
        }
        Ok(())
    }
}

/// Checks that no rule weakens the code flow: the parameters that protect it, and without which no
/// response counts, are sent as the RFCs have them.
fn check_rules(config: &OAuthConfig) -> Result<()> {
    const KEPT: [(Operation, &[&str]); 2] = [
        (
            Operation::Authorization,
            &["state", "nonce", "code_challenge", "code_challenge_method"],
        ),
        (Operation::Exchange, &["code", "code_verifier"]),
    ];
    let flow = config.code_flow();
    if flow.is_some_and(|flow| flow.requires_issuer && flow.issuer.is_none()) {
        return Err(config_error(format!(
            "the configuration of {} requires an issuer and names none: name it",
            config.title()
        )));
    }
    for (operation, kept) in KEPT {
        let Some(rules) = config.requests.get(&operation) else {
            continue;
        };
        let changed = |name: &&&str| {
            rules.add.contains_key(**name)
                || rules.omit.iter().any(|omitted| omitted == **name)
                || rules.rename.contains_key(**name)
                || rules.rename.values().any(|to| to == **name)
        };
        if let Some(name) = kept.iter().find(changed) {
            return Err(config_error(format!(
                "the configuration of {} changes `{name}`, which protects the sign-in: remove that \
                 rule",
                config.title()
            )));
        }
    }
    Ok(())
}

fn config_error(message: String) -> Error {
    Error::new(ErrorKind::Config, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_printable_ascii_and_an_error_shows_no_secret() {
        let check = |id: &str, secret: Option<&str>| {
            ClientCredentials::new(id, secret.map(Into::into)).check()
        };
        assert!(check("we:ird id+%&=\"~", Some("a secret with spaces")).is_ok());
        for id in ["", " ", "\t", "a\nb", "a\u{1b}[31m", "ü", "a\u{200b}"] {
            assert_eq!(
                check(id, None).unwrap_err().kind(),
                ErrorKind::Config,
                "{id:?}"
            );
        }
        for secret in ["", "  ", "made-up\n", "made-up\0"] {
            let error = check("a", Some(secret)).unwrap_err().to_string();
            assert!(
                error.contains("client secret") && !error.contains("made-up"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_configuration_that_cannot_work_is_found_before_a_sign_in() {
        use crate::provider::{Client, CodeFlow};
        use crate::secure_url::SecureUrl;

        let config = || OAuthConfig::new("example", SecureUrl::known("https://auth.example/token"));
        let broken: [fn(&mut OAuthConfig); 5] = [
            |config| config.client = Client::known("\u{1b}"),
            |config| config.flows = vec![Flow::Code(CodeFlow::new("callback"))],
            |config| {
                let rules = config.rules(Operation::Authorization);
                rules.add.insert("state".into(), "made-up".into());
            },
            |config| {
                let code = ("dead".to_owned(), "invalid_grnat".to_owned());
                config.error_codes.extend([code]);
            },
            |config| {
                let header = ("Authorization".to_owned(), "x".to_owned());
                config.api_headers.extend([header]);
            },
        ];
        assert!(config().check().is_ok());
        for (at, broken) in broken.into_iter().enumerate() {
            let mut config = config();
            broken(&mut config);
            assert_eq!(
                config.check().unwrap_err().kind(),
                ErrorKind::Config,
                "{at}"
            );
        }
    }
}
