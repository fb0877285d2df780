//! A client that registers itself (RFC 7591).

use std::time::Duration;

use serde::Serialize;

use crate::provider::{ClientAuth, JsonObject};
use crate::server::ServerClient;
use crate::{
    ClientCredentials, Error, ErrorKind, HttpClient, Result, Secret, SecureUrl, printable,
};

/// A program that registers itself as a native public client (RFC 7591 section 2, OpenID Connect
/// Registration section 2).
///
/// # Examples
///
/// ```
/// use llm_auth_oidc::Registration;
///
/// let mut registration = Registration::new("my-app", "http://127.0.0.1:7777/callback");
/// registration.scope = Some("openid models".into());
/// assert_eq!(registration.token_endpoint_auth_method, "none");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Registration {
    /// The name that the server shows to users.
    pub client_name: String,
    /// The redirect URIs, with their port.
    pub redirect_uris: Vec<String>,
    /// `native`.
    pub application_type: String,
    /// `none`: a program on a user's computer keeps no secret.
    pub token_endpoint_auth_method: String,
    /// The grants that it uses: that of the code, and refresh.
    pub grant_types: Vec<String>,
    /// `code`.
    pub response_types: Vec<String>,
    /// The scopes that it asks for, if they are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

impl Registration {
    /// A native public client that signs in with a code.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_oidc::Registration;
    ///
    /// let registration = Registration::new("my-app", "http://127.0.0.1:7777/callback");
    /// assert_eq!(registration.application_type, "native");
    /// ```
    #[must_use]
    pub fn new(client_name: impl Into<String>, redirect_uri: impl Into<String>) -> Self {
        Self {
            client_name: client_name.into(),
            redirect_uris: vec![redirect_uri.into()],
            application_type: "native".into(),
            token_endpoint_auth_method: "none".into(),
            grant_types: vec!["authorization_code".into(), "refresh_token".into()],
            response_types: vec!["code".into()],
            scope: None,
        }
    }

    /// The same for a client that can also use the device flow.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_oidc::Registration;
    ///
    /// let registration = Registration::new("my-app", "http://127.0.0.1:7777/callback").with_device();
    /// assert_eq!(registration.grant_types.len(), 3);
    /// ```
    #[must_use]
    pub fn with_device(mut self) -> Self {
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        self.grant_types.push(grant.into());
        self
    }
}

/// Registers a client, with an initial access token if the server wants one. The response counts, not
/// what was asked for: the client has a secret if the server issued one all the same.
///
/// # Errors
///
/// [`ErrorKind::Protocol`] if the server does not return a client; [`ErrorKind::Config`] if it rejects
/// the registration; [`ErrorKind::Transient`] if it cannot be reached or fails.
///
/// # Examples
///
/// ```no_run
/// # async fn run(metadata: llm_auth_oidc::Metadata) -> llm_auth_oidc::Result<()> {
/// use llm_auth_oidc::{HttpClient, Registration, register};
///
/// // Sends a request.
/// let registration = Registration::new("my-app", "http://127.0.0.1:7777/callback");
/// if let Some(endpoint) = &metadata.registration {
///     let registered = register(&HttpClient::default(), endpoint, &registration, None).await?;
///     println!("{}", registered.id);
/// }
/// # Ok(())
/// # }
/// ```
pub async fn register(
    http: &HttpClient,
    endpoint: &SecureUrl,
    registration: &Registration,
    initial_access_token: Option<&Secret>,
) -> Result<ServerClient> {
    let document = serde_json::to_vec(registration).map_err(|source| {
        Error::new(ErrorKind::System, "cannot write a registration as JSON").with_source(source)
    })?;
    let response = http
        .post_json(endpoint, document, &[], initial_access_token)
        .await?;
    let fields = response.json().ok();
    match (response.is_success(), fields) {
        (true, Some(fields)) => read(
            &fields,
            &registration.token_endpoint_auth_method,
            &response.host(),
        ),
        (true, None) => Err(Error::new(
            ErrorKind::Protocol,
            format!(
                "{} did not return a client to its registration",
                response.host()
            ),
        )),
        (false, fields) => Err(rejected(
            response.status(),
            &response.host(),
            fields.as_ref(),
        )),
    }
}

/// The longest id and the longest secret of a client, in bytes: both are stored, and sent in each
/// request.
const LONGEST: usize = 16 * 1024;

fn read(fields: &JsonObject, asked: &str, host: &str) -> Result<ServerClient> {
    let Some(id) = fields.text("client_id") else {
        return Err(Error::new(
            ErrorKind::Protocol,
            format!("{host} registered a client without a `client_id`"),
        ));
    };
    let secret = fields.text("client_secret");
    if id.len().max(secret.map_or(0, str::len)) > LONGEST {
        return Err(Error::new(
            ErrorKind::Protocol,
            format!(
                "{host} registered a client with an id or a secret of more than {LONGEST} bytes"
            ),
        ));
    }
    let mut client = ServerClient::new(id);
    client.is_registered = true;
    client.secret = secret.map(Secret::from);
    let credentials = ClientCredentials::new(id, client.secret.clone());
    credentials.check().map_err(|source| {
        let message = format!("{host} registered a client that cannot be used");
        Error::new(ErrorKind::Protocol, message).with_source(source)
    })?;
    // The response counts, not what was asked for. A secret without a word on its use is for the way
    // that was asked for, and if that had no secret, for the default (RFC 7591 section 2).
    let silent = (asked == "client_secret_post").then_some(asked);
    client.auth = match fields.text("token_endpoint_auth_method").or(silent) {
        Some("client_secret_post" | "none") => ClientAuth::Post,
        _ => ClientAuth::Basic,
    };
    let expires = fields.number("client_secret_expires_at").ok().flatten();
    let expires = expires.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    // 0 means never (RFC 7591 section 3.2.1).
    let expires = expires
        .map(|since| since.as_secs())
        .filter(|seconds| *seconds > 0);
    client.secret_expires_at = expires;
    Ok(client)
}

fn rejected(status: u16, host: &str, fields: Option<&JsonObject>) -> Error {
    let kind = match status {
        429 | 500.. => ErrorKind::Transient,
        _ => ErrorKind::Config,
    };
    let code = fields.and_then(|fields| fields.shown("error", 80));
    let words = fields.and_then(|fields| fields.shown("error_description", 200));
    let reason = match (code, words) {
        (Some(code), Some(words)) => format!(": {code} ({words})"),
        (Some(code), None) => format!(": {code}"),
        (None, _) => String::new(),
    };
    let advice = match status {
        _ if kind == ErrorKind::Transient => "try again later",
        401 | 403 => {
            "name the initial access token that it requires, or register a client yourself"
        }
        _ => "register a client yourself and name its id",
    };
    let message = format!(
        "{} rejected the registration of a client with status {status}{reason}: {advice}",
        printable(host)
    );
    Error::new(kind, message).with_status(status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Response;

    fn fields(body: &str) -> JsonObject {
        let at = SecureUrl::known("https://a.example/register");
        Response::for_test(&at, 201, body).json().unwrap()
    }

    #[test]
    fn a_client_that_is_too_long_or_no_client_is_rejected() {
        let long = "x".repeat(LONGEST + 1);
        for body in [
            r#"{"client_id":"a\u001b[31m"}"#.to_owned(),
            r#"{"client_id":" "}"#.to_owned(),
            format!(r#"{{"client_id":"{long}"}}"#),
            format!(r#"{{"client_id":"c","client_secret":"{long}"}}"#),
        ] {
            let error = read(&fields(&body), "none", "a.example").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Protocol);
        }
    }

    #[test]
    fn a_secret_is_used_as_the_response_has_it_and_otherwise_as_was_asked() {
        for (asked, members, auth) in [
            ("none", "", ClientAuth::Basic),
            ("client_secret_basic", "", ClientAuth::Basic),
            ("client_secret_post", "", ClientAuth::Post),
            (
                "client_secret_post",
                r#","token_endpoint_auth_method":"client_secret_basic""#,
                ClientAuth::Basic,
            ),
            (
                "client_secret_basic",
                r#","token_endpoint_auth_method":"client_secret_post""#,
                ClientAuth::Post,
            ),
            (
                "none",
                r#","token_endpoint_auth_method":"none""#,
                ClientAuth::Post,
            ),
        ] {
            let body = format!(r#"{{"client_id":"c","client_secret":"made-up"{members}}}"#);
            let registered = read(&fields(&body), asked, "a.example").unwrap();
            assert_eq!(registered.auth, auth, "{asked} {members}");
            assert_eq!(registered.secret, Some("made-up".into()));
        }
    }

    #[test]
    fn a_secret_that_never_expires_has_no_end() {
        for (expiry, end) in [
            ("0", None),
            ("null", None),
            ("1800000000", Some(1_800_000_000)),
        ] {
            let body = format!(r#"{{"client_id":"c","client_secret_expires_at":{expiry}}}"#);
            assert_eq!(
                read(&fields(&body), "none", "a.example")
                    .unwrap()
                    .secret_expires_at,
                end
            );
        }
    }

    #[test]
    fn a_rejection_says_why_and_a_failure_is_no_rejection() {
        let words = fields(r#"{"error":"invalid_client_metadata","error_description":"no"}"#);
        let error = rejected(400, "a.example", Some(&words));
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(
            error.to_string().contains("invalid_client_metadata (no)"),
            "{error}"
        );
        assert_eq!(
            rejected(503, "a.example", None).kind(),
            ErrorKind::Transient
        );
        let nothing = read(&fields(r#"{"client_id":""}"#), "none", "a.example");
        assert_eq!(nothing.unwrap_err().kind(), ErrorKind::Protocol);
    }
}
