//! The requests, as parameters. This module sends nothing.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::config::{ClientAuth, ClientCredentials, DeviceFlow, OAuthConfig};
use crate::device::DeviceAuthorization;
use crate::grant::Operation;
use crate::http::Form;
use crate::pkce::Pkce;
use crate::secret::Secret;

/// How a provider's request differs from the RFC's.
///
/// # Examples
///
/// ```
/// use llm_auth_core::provider::RequestRules;
///
/// let mut rules = RequestRules::default();
/// rules.add.insert("resource".into(), "https://api.example".into());
/// rules.omit.push("scope".into());
/// ```
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[non_exhaustive]
#[serde(default, deny_unknown_fields)]
pub struct RequestRules {
    /// Further parameters, or other values of the standard's.
    pub add: BTreeMap<String, String>,
    /// Parameters of the standard that are not sent.
    pub omit: Vec<String>,
    /// Parameters that have another name, by the standard's name.
    pub rename: BTreeMap<String, String>,
}

impl RequestRules {
    fn apply(&self, mut form: Form) -> Form {
        for (name, value) in &self.add {
            form = form.text(name.clone(), value);
        }
        for name in &self.omit {
            form = form.without(name);
        }
        for (name, to) in &self.rename {
            form = form.renamed(name, to.clone());
        }
        form
    }
}

/// The grant of RFC 8628 section 3.4.
pub(super) const DEVICE_CODE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// RFC 8628 section 3.1, with PKCE (RFC 7636 section 4.3) and `state` if the provider wants them. A
/// client with a secret authenticates as at the token endpoint.
pub(super) fn device_authorization(
    config: &OAuthConfig,
    flow: &DeviceFlow,
    client: Option<&ClientCredentials>,
    pkce: &Pkce,
    state: &Secret,
) -> Form {
    let mut form = with_scope(with_client(Form::new(), config, client), config);
    if flow.pkce {
        form = with_challenge(form, pkce);
    }
    if flow.echoes_state {
        form = form.secret("state", state);
    }
    adjusted(form, config, Operation::DeviceAuthorization)
}

/// RFC 8628 section 3.4. A device code that is the user code is sent as such (MiniMax).
pub(super) fn poll(
    config: &OAuthConfig,
    flow: &DeviceFlow,
    client: Option<&ClientCredentials>,
    device: &DeviceAuthorization,
    pkce: &Pkce,
) -> Form {
    let code = match device.device_code.expose() == device.user_code {
        true => "user_code",
        false => "device_code",
    };
    let form = with_client(
        Form::new().text("grant_type", &flow.grant_type),
        config,
        client,
    );
    let mut form = form.secret(code, &device.device_code);
    if flow.pkce {
        form = form.secret("code_verifier", pkce.verifier());
    }
    adjusted(form, config, Operation::Poll)
}

/// RFC 6749 section 4.1.1, RFC 7636 section 4.3, OpenID Connect Core section 3.1.2.1. Its only
/// secrets are `state` or the path of the redirect URI, and `nonce`.
#[cfg(feature = "loopback")]
pub(super) fn authorization(
    config: &OAuthConfig,
    client: Option<&ClientCredentials>,
    redirect_uri: &str,
    state: &Secret,
    nonce: Option<&Secret>,
    pkce: &Pkce,
) -> Form {
    let form = Form::new().text("response_type", "code");
    let form = match client {
        Some(client) => form.text("client_id", &client.id),
        None => form,
    };
    let form = with_scope(form.text("redirect_uri", redirect_uri), config);
    let mut form = with_challenge(form.secret("state", state), pkce);
    if let Some(nonce) = nonce {
        form = form.secret("nonce", nonce);
    }
    adjusted(form, config, Operation::Authorization)
}

/// RFC 6749 section 4.1.3, RFC 7636 section 4.5.
#[cfg(feature = "loopback")]
pub(super) fn exchange(
    config: &OAuthConfig,
    client: Option<&ClientCredentials>,
    redirect_uri: &str,
    code: &Secret,
    pkce: &Pkce,
) -> Form {
    let form = with_client(
        Form::new().text("grant_type", "authorization_code"),
        config,
        client,
    )
    .text("redirect_uri", redirect_uri)
    .secret("code", code)
    .secret("code_verifier", pkce.verifier());
    adjusted(form, config, Operation::Exchange)
}

/// RFC 6749 section 6.
pub(super) fn refresh(
    config: &OAuthConfig,
    client: Option<&ClientCredentials>,
    refresh: &Secret,
) -> Form {
    let form = Form::new().text("grant_type", "refresh_token");
    let form = with_client(form, config, client).secret("refresh_token", refresh);
    adjusted(form, config, Operation::Refresh)
}

/// RFC 7009 section 2.1.
pub(super) fn revocation(
    config: &OAuthConfig,
    client: Option<&ClientCredentials>,
    hint: &str,
    credential: &Secret,
) -> Form {
    let form = Form::new().secret("token", credential);
    let form = with_client(form.text("token_type_hint", hint), config, client);
    adjusted(form, config, Operation::Revocation)
}

fn adjusted(form: Form, config: &OAuthConfig, operation: Operation) -> Form {
    match config.requests.get(&operation) {
        Some(rules) => rules.apply(form),
        None => form,
    }
}

/// RFC 6749 section 2.3.1.
fn with_client(form: Form, config: &OAuthConfig, client: Option<&ClientCredentials>) -> Form {
    let Some(ClientCredentials { id, secret }) = client else {
        return form;
    };
    match (secret, config.client_auth) {
        (None, _) => form.text("client_id", id),
        (Some(secret), ClientAuth::Post) => {
            form.text("client_id", id).secret("client_secret", secret)
        }
        (Some(secret), ClientAuth::Basic) => form.client_basic(id, secret),
    }
}

fn with_scope(form: Form, config: &OAuthConfig) -> Form {
    match config.scope.is_empty() {
        true => form,
        false => form.text("scope", &config.scope),
    }
}

fn with_challenge(form: Form, pkce: &Pkce) -> Form {
    form.text("code_challenge", pkce.challenge())
        .text("code_challenge_method", Pkce::METHOD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secure_url::SecureUrl;

    #[test]
    fn rules_add_leave_out_and_rename_parameters_of_one_operation() {
        let token = SecureUrl::known("https://vendor.example/token");
        let mut config = OAuthConfig::new("vendor", token);
        let rules = config.rules(Operation::Refresh);
        rules.add.insert("audience".into(), "made-up".into());
        rules.omit.push("grant_type".into());
        rules.rename.insert("refresh_token".into(), "token".into());
        let client = ClientCredentials::new("app", None);
        let secret = Secret::from("made-up-token");
        let form = refresh(&config, Some(&client), &secret);
        let expected = Form::new()
            .text("client_id", "app")
            .secret("token", &secret)
            .text("audience", "made-up");
        let pairs = |form: &Form| serde_json::to_value(form).unwrap();
        assert_eq!(pairs(&form), pairs(&expected));
        let form = revocation(&config, None, "refresh_token", &secret);
        assert_eq!(pairs(&form)["token_type_hint"], "refresh_token");
    }
}
