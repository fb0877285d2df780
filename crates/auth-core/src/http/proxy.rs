//! What is said of a proxy, and what it says.

use reqwest::Url;

/// Host and port of a proxy, never what stands before them.
pub(super) fn proxy_host(url: &str) -> String {
    let url = url.trim();
    let parsed = match url.contains("://") {
        true => Url::parse(url),
        false => Url::parse(&format!("http://{url}")),
    };
    let parsed = parsed.ok();
    let host = parsed
        .as_ref()
        .and_then(Url::host_str)
        .unwrap_or("(of no known host)");
    match parsed.as_ref().and_then(Url::port_or_known_default) {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Whether the proxy refused the tunnel with 407, which the library says in words alone.
pub(super) fn wants_a_password(error: &reqwest::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        if next.to_string().contains("proxy authorization required") {
            return true;
        }
        cause = next.source();
    }
    false
}
