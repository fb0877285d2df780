//! Where a server describes itself, and the requests for it.

use crate::metadata::Metadata;
use crate::provider::Response;
use crate::{Error, ErrorKind, HttpClient, Result, SecureUrl};

/// The URLs at which an issuer may describe itself, in the order in which they are tried: that of RFC
/// 8414 section 3.1, and OpenID Connect's with the path of the issuer after it and before it.
///
/// # Errors
///
/// [`ErrorKind::Config`] if the issuer is no URL that is fit for a credential, or has a query.
///
/// # Examples
///
/// ```
/// use llm_auth_oidc::well_known;
///
/// let urls = well_known("https://auth.example/tenant1")?;
/// let urls: Vec<_> = urls.iter().map(|url| url.as_str()).collect();
/// assert_eq!(
///     urls,
///     [
///         "https://auth.example/.well-known/oauth-authorization-server/tenant1",
///         "https://auth.example/.well-known/openid-configuration/tenant1",
///         "https://auth.example/tenant1/.well-known/openid-configuration",
///     ]
/// );
/// # Ok::<(), llm_auth_oidc::Error>(())
/// ```
pub fn well_known(issuer: &str) -> Result<Vec<SecureUrl>> {
    const OAUTH: &str = "/.well-known/oauth-authorization-server";
    const OPENID: &str = "/.well-known/openid-configuration";
    let url = SecureUrl::new(issuer)?;
    if url.as_str().contains('?') {
        return Err(Error::new(
            ErrorKind::Config,
            format!(
                "the issuer at {} has a query, which no issuer has",
                url.host()
            ),
        ));
    }
    let base = url.base();
    let path = url.as_str()[base.len()..].trim_end_matches('/');
    let urls = match path {
        "" => vec![format!("{base}{OAUTH}"), format!("{base}{OPENID}")],
        path => vec![
            format!("{base}{OAUTH}{path}"),
            format!("{base}{OPENID}{path}"),
            format!("{base}{path}{OPENID}"),
        ],
    };
    urls.iter().map(|url| SecureUrl::new(url)).collect()
}

/// Asks an issuer for its metadata, and checks that they are its own.
///
/// # Errors
///
/// As [`well_known`] and [`Metadata::read`]; [`ErrorKind::Transient`] if the server cannot be reached,
/// or a web page comes in place of the document; [`ErrorKind::Protocol`] if it describes itself nowhere; [`ErrorKind::Redirected`] if it redirects,
/// which is not followed.
///
/// # Examples
///
/// ```no_run
/// use llm_auth_oidc::{HttpClient, discover};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> llm_auth_oidc::Result<()> {
/// // Sends requests.
/// let metadata = discover(&HttpClient::default(), "https://auth.example").await?;
/// println!("{}", metadata.endpoints.token);
/// # Ok(())
/// # }
/// ```
pub async fn discover(http: &HttpClient, issuer: &str) -> Result<Metadata> {
    discover_as(http, issuer, issuer).await
}

/// As [`discover`], for a server whose metadata names another issuer than the one that it is found
/// at. Let a user accept such a name for one server, and record it: the difference is also what an
/// attack looks like (RFC 8414 section 6.2).
///
/// # Errors
///
/// As [`discover`]; the metadata must name `named`, letter for letter.
///
/// # Examples
///
/// ```no_run
/// use llm_auth_oidc::{HttpClient, discover_as};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> llm_auth_oidc::Result<()> {
/// // Sends requests.
/// let (issuer, named) = ("https://cf.auth.example", "https://auth.example");
/// let metadata = discover_as(&HttpClient::default(), issuer, named).await?;
/// assert_eq!(metadata.issuer, named);
/// # Ok(())
/// # }
/// ```
pub async fn discover_as(http: &HttpClient, issuer: &str, named: &str) -> Result<Metadata> {
    match search(http, issuer, named).await? {
        Search::Found(metadata) => Ok(*metadata),
        // What is in between responds in its place.
        Search::Page(host) => Err(Error::new(
            ErrorKind::Transient,
            format!(
                "{host} returned a web page instead of its description: check the issuer; a firewall, a \
                 proxy or a network sign-in page may be in between"
            ),
        )),
        Search::Nothing => Err(Error::new(
            ErrorKind::Protocol,
            format!(
                "{issuer} does not describe itself (RFC 8414, OpenID Connect Discovery): check the \
                 issuer, or name its endpoints"
            ),
        )),
    }
}

/// As [`discover_as`], for a server that need not describe itself; `None` if it does not: there is
/// nothing, a page, or another document.
///
/// # Errors
///
/// As [`discover_as`] otherwise.
///
/// # Examples
///
/// ```no_run
/// use llm_auth_oidc::{HttpClient, find_metadata};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> llm_auth_oidc::Result<()> {
/// // Sends requests.
/// let issuer = "https://auth.example";
/// if find_metadata(&HttpClient::default(), issuer, issuer).await?.is_none() {
///     println!("name its endpoints");
/// }
/// # Ok(())
/// # }
/// ```
pub async fn find_metadata(
    http: &HttpClient,
    issuer: &str,
    named: &str,
) -> Result<Option<Metadata>> {
    Ok(match search(http, issuer, named).await? {
        Search::Found(metadata) => Some(*metadata),
        Search::Page(_) | Search::Nothing => None,
    })
}

/// What is at the URLs of an issuer.
enum Search {
    Found(Box<Metadata>),
    /// This host returned a web page as if that were the document.
    Page(String),
    Nothing,
}

async fn search(http: &HttpClient, issuer: &str, named: &str) -> Result<Search> {
    let mut failed = None;
    let mut nothing = Search::Nothing;
    for url in well_known(issuer)? {
        let tried = match http.get(&url).await {
            Ok(response) if response.is_success() && is_document(&response) => {
                Metadata::read(&response, named)
            }
            Ok(response) if response.status() >= 500 || response.status() == 429 => {
                Err(Error::new(
                    ErrorKind::Transient,
                    format!("{} failed with status {}", url.host(), response.status()),
                ))
            }
            Ok(response) => {
                if response.is_success() && response.is_web_page() {
                    nothing = Search::Page(response.host());
                }
                continue;
            }
            // A web server may redirect each path that it does not know to a page.
            Err(error) if error.status().is_some() && !error.is_timeout() => Err(error),
            // The others are at the same host.
            Err(error) => return Err(error),
        };
        match tried {
            Ok(metadata) => return Ok(Search::Found(Box::new(metadata))),
            // The first is the most specific.
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(nothing), Err)
}

/// Whether it is a document of a server, and not a page or an error.
fn is_document(response: &Response) -> bool {
    response.json().is_ok_and(|fields| fields.has("issuer"))
}
