//! How an MCP server names the server that signs its users in (RFC 9728).

use crate::challenge::Challenge;
use crate::provider::{JsonObject, Response};
use crate::{Error, ErrorKind, HttpClient, Result, SecureUrl, printable};

/// The metadata of a protected resource, whose `resource` was checked against the server's URL.
///
/// # Examples
///
/// ```
/// use llm_auth_mcp::provider::Response;
/// use llm_auth_mcp::{Resource, SecureUrl};
///
/// let server = SecureUrl::known("https://api.example/mcp");
/// let at = SecureUrl::known("https://api.example/.well-known/oauth-protected-resource/mcp");
/// let body = r#"{"resource": "https://api.example/mcp", "authorization_servers": ["https://a.example"]}"#;
/// let resource = Resource::read(&Response::for_test(&at, 200, body), &server)?.unwrap();
/// assert_eq!(resource.authorization_servers, ["https://a.example"]);
/// # Ok::<(), llm_auth_mcp::Error>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Resource {
    /// The resource, as its metadata spells it: requests for tokens repeat it letter for letter.
    pub resource: String,
    /// The issuers of its tokens; at least one.
    pub authorization_servers: Vec<String>,
    /// The scopes that it lists.
    pub scopes: Vec<String>,
}

impl Resource {
    /// Reads the metadata of the server at `url`; `None` if the response is no such document, such as
    /// a page or another JSON object.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] if it is the metadata of another server, or wants tokens in another
    /// place than the `Authorization` header.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_mcp::provider::Response;
    /// use llm_auth_mcp::{Resource, SecureUrl};
    ///
    /// let server = SecureUrl::known("https://api.example/mcp");
    /// let body = r#"{"resource": "https://other.example/mcp", "authorization_servers": ["https://a.example"]}"#;
    /// let error = Resource::read(&Response::for_test(&server, 200, body), &server).unwrap_err();
    /// assert!(error.to_string().contains("other.example"));
    /// ```
    pub fn read(response: &Response, url: &SecureUrl) -> Result<Option<Self>> {
        let Some(fields) = response.json().ok().filter(|_| response.is_success()) else {
            return Ok(None);
        };
        let Some(resource) = fields.text("resource") else {
            return Ok(None);
        };
        if !covers(resource, url) {
            return Err(Error::new(
                ErrorKind::Protocol,
                format!(
                    "{} says that it belongs to the resource {}, which is not the server at {}: no \
                     token was requested",
                    response.host(),
                    printable(resource),
                    url.host()
                ),
            ));
        }
        let methods = fields.texts("bearer_methods_supported");
        if methods.is_some_and(|listed| !listed.contains(&"header")) {
            return Err(Error::new(
                ErrorKind::Protocol,
                format!(
                    "{} takes no token in the `Authorization` header",
                    url.host()
                ),
            ));
        }
        let servers = listed(&fields, "authorization_servers");
        match servers.is_empty() {
            true => Ok(None),
            false => Ok(Some(Self {
                resource: resource.to_owned(),
                authorization_servers: servers,
                scopes: listed(&fields, "scopes_supported"),
            })),
        }
    }
}

fn listed(fields: &JsonObject, name: &str) -> Vec<String> {
    let texts = fields.texts(name).unwrap_or_default();
    let texts = texts.into_iter().filter(|text| !text.is_empty());
    texts.map(str::to_owned).collect()
}

/// Whether the resource is this server, or one that this server is below: the same origin, and the
/// beginning of its path up to a slash. Servers publish both; the query is not compared.
fn covers(resource: &str, url: &SecureUrl) -> bool {
    let Ok(named) = SecureUrl::new(resource) else {
        return false;
    };
    if named.base() != url.base() {
        return false;
    }
    let path = |url: &SecureUrl| {
        let rest = &url.as_str()[url.base().len()..];
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        path.trim_end_matches('/').to_owned()
    };
    let (named, whole) = (path(&named), path(url));
    let rest = whole.strip_prefix(&named);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A URL that a server names as what it calls so.
pub(crate) fn named_by(server: &SecureUrl, what: &str, url: &str) -> Result<SecureUrl> {
    let rejected = |why: &str| {
        let host = server.host();
        let message = format!("{host} names {what} that cannot be used: {why}");
        Error::new(ErrorKind::Protocol, message)
    };
    let named = SecureUrl::new(url).map_err(|error| rejected(&error.to_string()))?;
    match server.may_name(&named) {
        true => Ok(named),
        false => Err(rejected(&format!(
            "{} is on this computer or on a private network",
            named.host()
        ))),
    }
}

/// The URLs of the metadata of a server (RFC 9728 section 3.1): with its path, then without.
pub(crate) fn well_known(url: &SecureUrl) -> Result<Vec<SecureUrl>> {
    const PLACE: &str = "/.well-known/oauth-protected-resource";
    let base = url.base();
    let rest = &url.as_str()[base.len()..];
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, format!("?{query}")),
        None => (rest, String::new()),
    };
    let path = path.trim_end_matches('/');
    let mut urls = vec![format!("{base}{PLACE}{path}{query}")];
    if !path.is_empty() || !query.is_empty() {
        urls.push(format!("{base}{PLACE}"));
    }
    urls.iter().map(|url| SecureUrl::new(url)).collect()
}

/// Asks for the metadata: where the challenge says, otherwise at the well-known URLs.
pub(crate) async fn find(
    http: &HttpClient,
    url: &SecureUrl,
    challenge: &Challenge,
) -> Result<Option<Resource>> {
    let named = challenge.parameter("resource_metadata");
    let places = match named {
        None => well_known(url)?,
        Some(place) => {
            vec![named_by(url, "metadata", place)?]
        }
    };
    for place in places {
        match http.get(&place).await {
            Ok(response) if response.status() >= 500 || response.status() == 429 => {
                return Err(Error::new(
                    ErrorKind::Transient,
                    format!("{} failed with status {}", place.host(), response.status()),
                ));
            }
            Ok(response) => {
                if let Some(resource) = Resource::read(&response, url)? {
                    return Ok(Some(resource));
                }
            }
            // A web server may redirect each path that it does not know to a page.
            Err(error) if matches!(error.status(), Some(300..400)) => {}
            Err(error) => return Err(error),
        }
    }
    match named {
        None => Ok(None),
        Some(_) => Err(Error::new(
            ErrorKind::Protocol,
            format!(
                "{} names metadata that is none: its sign-in cannot be found",
                url.host()
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_the_server_or_a_path_above_it_at_the_same_origin() {
        let url = SecureUrl::known("https://api.example/a/mcp?project=1");
        for resource in [
            "https://api.example/a/mcp",
            "https://api.example/a/mcp/",
            "https://api.example/a/mcp?project=1",
            "https://api.example/a",
            "https://api.example",
            "https://API.example/",
        ] {
            assert!(covers(resource, &url), "{resource}");
        }
        for resource in [
            "https://api.example/a/m",
            "https://api.example/a/mcp/below",
            "https://api.example/b",
            "https://api.example:8443/a/mcp",
            "http://api.example/a/mcp",
            "https://api.example.evil.example/a/mcp",
            "urn:resource",
            "",
        ] {
            assert!(!covers(resource, &url), "{resource}");
        }
    }

    #[test]
    fn the_metadata_are_looked_for_below_the_path_and_then_at_the_root() {
        let urls = |url: &str| {
            let urls = well_known(&SecureUrl::known(url)).unwrap();
            urls.iter()
                .map(|url| url.as_str().to_owned())
                .collect::<Vec<_>>()
        };
        let place = "https://a.example/.well-known/oauth-protected-resource";
        assert_eq!(urls("https://a.example"), [place]);
        assert_eq!(
            urls("https://a.example/mcp/"),
            [format!("{place}/mcp"), place.into()]
        );
        let with_query = [format!("{place}/mcp?login"), place.into()];
        assert_eq!(urls("https://a.example/mcp?login"), with_query);
    }
}
