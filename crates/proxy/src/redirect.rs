//! Where an API sends a client on: a client may take its key along, so that is this proxy again, or
//! nowhere.

use hyper::StatusCode;
use hyper::header::{HeaderValue, LOCATION};
use hyper::http::response::Parts;
use llm_auth_core::SecureUrl;

use crate::failure::Failure;
use crate::route::Base;

/// Rewrites the location of a redirect within the API to the path of the session.
///
/// # Errors
///
/// If it leads out of the API.
pub(crate) fn keep_here(
    parts: &mut Parts,
    target: &SecureUrl,
    base: &Base,
    name: &str,
) -> Result<(), Failure> {
    let Some(location) = parts.headers.get(LOCATION) else {
        return Ok(());
    };
    if !parts.status.is_redirection() {
        return Ok(());
    }
    let location = location.to_str().unwrap_or_default();
    // The client keeps a fragment to itself.
    let (reference, fragment) = match location.find('#') {
        Some(at) => location.split_at(at),
        None => (location, ""),
    };
    let there = target.join(reference).ok().filter(|_| !location.is_empty());
    let here = there.as_ref().and_then(|there| base.rest(there));
    let here = here.map(|rest| HeaderValue::try_from(format!("/{name}{rest}{fragment}")));
    if let Some(Ok(here)) = here {
        parts.headers.insert(LOCATION, here);
        return Ok(());
    }
    let elsewhere = there.map_or_else(|| "another place".to_owned(), |there| there.host());
    let message = format!(
        "{} redirects the request to {elsewhere}, outside its API, and that is withheld, since a \
         client could send its key there: correct the path",
        target.host()
    );
    Err(Failure::new(StatusCode::BAD_GATEWAY, "redirect", message))
}

#[cfg(test)]
mod tests {
    use hyper::Response;

    use super::*;

    const BASE: &str = "https://api.example/v1";

    fn kept(status: u16, location: &str) -> Result<String, Failure> {
        let target = SecureUrl::known("https://api.example/v1/chat/completions?x=1");
        let response = Response::builder().status(status);
        let response = response.header(LOCATION, location).body(()).unwrap();
        let mut parts = response.into_parts().0;
        keep_here(&mut parts, &target, &Base::new(BASE)?, "qwen")?;
        Ok(parts.headers[LOCATION].to_str().unwrap().to_owned())
    }

    #[test]
    fn a_redirect_within_the_api_leads_to_the_proxy_again() {
        for (location, here) in [
            ("https://api.example/v1/models?a=b", "/qwen/models?a=b"),
            ("/v1/models", "/qwen/models"),
            ("other", "/qwen/chat/other"),
            ("?y=2", "/qwen/chat/completions?y=2"),
            ("//API.example:443/v1", "/qwen"),
            ("/v1/models/", "/qwen/models/"),
            ("/v1/models?next=/", "/qwen/models?next=/"),
            ("/v1/models#part", "/qwen/models#part"),
        ] {
            assert_eq!(kept(307, location).unwrap(), here, "{location}");
        }
    }

    #[test]
    fn a_redirect_out_of_the_api_is_withheld() {
        for location in [
            "https://evil.example/v1/models",
            "//evil.example/v1",
            "/v2/models",
            "/v1x",
            "../..",
            "http://api.example/v1/models",
            "https://api.example:8443/v1/models",
            "https://user@api.example/v1/models",
            "mailto:a@api.example",
        ] {
            assert_eq!(
                kept(302, location).unwrap_err().code,
                "redirect",
                "{location}"
            );
        }
    }

    #[test]
    fn what_no_client_follows_is_unchanged() {
        let there = "https://files.example/x";
        assert_eq!(kept(201, there).unwrap(), there);
    }
}
