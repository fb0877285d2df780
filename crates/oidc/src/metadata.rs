//! What a server says of itself (RFC 8414, OpenID Connect Discovery 1.0).

use crate::provider::{Endpoints, JsonObject, Response};
use crate::{Error, ErrorKind, Result, SecureUrl, printable};

/// The metadata of an authorization server, of which the issuer was checked.
///
/// # Examples
///
/// ```
/// use llm_auth_oidc::provider::Response;
/// use llm_auth_oidc::{Metadata, SecureUrl};
///
/// let at = SecureUrl::known("https://auth.example/.well-known/oauth-authorization-server");
/// let body = r#"{"issuer": "https://auth.example", "token_endpoint": "https://auth.example/token"}"#;
/// let response = Response::for_test(&at, 200, body);
/// let metadata = Metadata::read(&response, "https://auth.example")?;
/// assert_eq!(metadata.endpoints.token.as_str(), "https://auth.example/token");
/// # Ok::<(), llm_auth_oidc::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Metadata {
    /// The issuer identifier, as it was asked for.
    pub issuer: String,
    /// The endpoints of the sign-in. There is none for the API.
    pub endpoints: Endpoints,
    /// Where a client can register itself (RFC 7591).
    pub registration: Option<SecureUrl>,
    /// Where the keys for ID tokens are.
    pub keys: Option<SecureUrl>,
    /// The scopes that the server lists.
    pub scopes: Vec<String>,
    /// The PKCE methods; `None` if the server lists none.
    pub challenge_methods: Option<Vec<String>>,
    /// How clients authenticate; `None` if the server does not list it, which means
    /// `client_secret_basic` (RFC 8414 section 2).
    pub auth_methods: Option<Vec<String>>,
    /// Whether each redirect carries `iss` (RFC 9207 section 3).
    pub returns_issuer: bool,
    /// Whether a client id may be the URL of a document (client id metadata documents).
    pub takes_client_documents: bool,
}

impl Metadata {
    /// Reads a response of a well-known URL.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] if it is no metadata, if it names another issuer than `issuer`, letter
    /// for letter (RFC 8414 section 3.3), if an endpoint is not fit for a credential, or if the server
    /// lists the PKCE methods without `S256`.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_oidc::provider::Response;
    /// use llm_auth_oidc::{Metadata, SecureUrl};
    ///
    /// let at = SecureUrl::known("https://auth.example/.well-known/openid-configuration");
    /// let body = r#"{"issuer": "https://auth.example/", "token_endpoint": "https://auth.example/t"}"#;
    /// let error = Metadata::read(&Response::for_test(&at, 200, body), "https://auth.example");
    /// assert!(error.unwrap_err().to_string().contains("https://auth.example/"));
    /// ```
    pub fn read(response: &Response, issuer: &str) -> Result<Self> {
        let host = response.host();
        let Ok(fields) = response.json() else {
            return Err(no_metadata(&host, "it is no JSON object"));
        };
        let Some(named) = fields.text("issuer") else {
            return Err(no_metadata(&host, "it names no `issuer`"));
        };
        if named != issuer {
            return Err(Error::new(
                ErrorKind::Protocol,
                format!(
                    "the metadata of {host} belongs to the issuer {}, and not to {}: name the issuer \
                     exactly as the server does",
                    printable(named),
                    printable(issuer)
                ),
            ));
        }
        let Some(token) = fields.endpoint("token_endpoint")? else {
            return Err(no_metadata(&host, "it names no `token_endpoint`"));
        };
        let mut endpoints = Endpoints::new(token);
        endpoints.authorization = fields.endpoint("authorization_endpoint")?;
        endpoints.device_authorization = fields.endpoint("device_authorization_endpoint")?;
        endpoints.revocation = fields.endpoint("revocation_endpoint")?;
        endpoints.userinfo = fields.endpoint("userinfo_endpoint")?;
        let challenge_methods = owned(&fields, "code_challenge_methods_supported");
        if challenge_methods
            .as_ref()
            .is_some_and(|listed| !listed.iter().any(|name| name == "S256"))
        {
            return Err(Error::new(
                ErrorKind::Protocol,
                format!("{host} does not support PKCE with S256, which protects the sign-in"),
            ));
        }
        Ok(Self {
            issuer: issuer.to_owned(),
            endpoints,
            registration: fields.endpoint("registration_endpoint")?,
            keys: fields.endpoint("jwks_uri")?,
            scopes: owned(&fields, "scopes_supported").unwrap_or_default(),
            challenge_methods,
            auth_methods: owned(&fields, "token_endpoint_auth_methods_supported"),
            returns_issuer: fields.is_true("authorization_response_iss_parameter_supported"),
            takes_client_documents: fields.is_true("client_id_metadata_document_supported"),
        })
    }
}

fn owned(fields: &JsonObject, name: &str) -> Option<Vec<String>> {
    let texts = fields.texts(name)?;
    Some(texts.into_iter().map(str::to_owned).collect())
}

fn no_metadata(host: &str, why: &str) -> Error {
    let message = format!("{host} did not return the metadata of an authorization server: {why}");
    Error::new(ErrorKind::Protocol, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(members: &str) -> Result<Metadata> {
        let at = SecureUrl::known("https://a.example/.well-known/oauth-authorization-server");
        let body = format!(
            r#"{{"issuer":"https://a.example","token_endpoint":"https://a.example/t"{members}}}"#
        );
        Metadata::read(&Response::for_test(&at, 200, &body), "https://a.example")
    }

    #[test]
    fn an_endpoint_that_must_not_get_a_credential_spoils_the_metadata() {
        for members in [
            r#","authorization_endpoint":"http://a.example/authorize""#,
            r#","device_authorization_endpoint":"https://127.0.0.1/device""#,
            r#","revocation_endpoint":"http://localhost:4000/revoke""#,
            r#","userinfo_endpoint":"https://user@a.example/me""#,
            r#","registration_endpoint":"javascript:alert(1)""#,
        ] {
            let error = read(members).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Protocol, "{members}");
            assert!(error.to_string().contains("_endpoint`"), "{error}");
        }
        // Another host of the same company is common.
        let other = read(r#","userinfo_endpoint":"https://api.example/me""#).unwrap();
        assert_eq!(other.endpoints.userinfo.unwrap().host(), "api.example");
    }

    #[test]
    fn a_server_that_lists_the_pkce_methods_has_s256_among_them() {
        assert!(read(r#","code_challenge_methods_supported":["plain"]"#).is_err());
        assert!(read(r#","code_challenge_methods_supported":[]"#).is_err());
        assert!(read(r#","code_challenge_methods_supported":["plain","S256"]"#).is_ok());
        assert_eq!(read("").unwrap().challenge_methods, None);
    }

    #[test]
    fn the_issuer_is_compared_letter_for_letter() {
        let at = SecureUrl::known("https://a.example/x");
        for named in [
            "https://a.example/",
            "https://A.example",
            "https://a.example:443",
            "",
        ] {
            let body = format!(r#"{{"issuer":"{named}","token_endpoint":"https://a.example/t"}}"#);
            let error = Metadata::read(&Response::for_test(&at, 200, &body), "https://a.example");
            assert_eq!(error.unwrap_err().kind(), ErrorKind::Protocol, "{named}");
        }
    }

    #[test]
    fn what_is_no_metadata_is_a_clear_error() {
        let at = SecureUrl::known("https://a.example/x");
        for body in ["<html>Sign in</html>", "[]", "{}", r#"{"issuer":5}"#, ""] {
            let read = Metadata::read(&Response::for_test(&at, 200, body), "https://a.example");
            assert_eq!(read.unwrap_err().kind(), ErrorKind::Protocol, "{body}");
        }
    }
}
