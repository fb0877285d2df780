//! What is shown of a URL.

use llm_auth_core::store::check_server_url;

/// The parameters that are shown: none of them holds a secret.
const SHOWN: [&str; 4] = ["accept", "connect_timeout", "hostaddr", "sslmode"];

/// The URL without its password and the parameters that may be one.
///
/// Of one that the stores refuse, because its password may end in several places, the scheme alone.
pub(crate) fn without_password(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    if check_server_url(url).is_err() {
        return format!("{scheme}://…");
    }
    let (user, rest) = match rest.rsplit_once('@') {
        Some((user, rest)) => (user.split(':').next().unwrap_or_default(), rest),
        None => ("", rest),
    };
    let at = if user.is_empty() { "" } else { "@" };
    let rest = rest.split('#').next().unwrap_or_default();
    let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let shown = parameters.split('&').filter(|parameter| {
        let name = parameter.split('=').next().unwrap_or_default();
        SHOWN.contains(&name)
    });
    let shown: Vec<&str> = shown.collect();
    let mark = if shown.is_empty() { "" } else { "?" };
    format!("{scheme}://{user}{at}{place}{mark}{}", shown.join("&"))
}
