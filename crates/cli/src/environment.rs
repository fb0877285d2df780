//! The environment variables, which only the command reads.

use std::ffi::OsString;
use std::path::PathBuf;

use llm_auth_core::{Endpoint, Error, HttpClientBuilder, printable};

use crate::exit::{Failure, chain};
use crate::files;

/// A variable's text; empty counts as not set.
pub(crate) fn text(name: &str) -> Result<Option<String>, Failure> {
    match std::env::var_os(name).map(OsString::into_string) {
        None => Ok(None),
        Some(Ok(text)) if text.is_empty() => Ok(None),
        Some(Ok(text)) => Ok(Some(text)),
        Some(Err(_not_utf8)) => Err(Failure::Usage(format!(
            "the environment variable {name} is not valid UTF-8"
        ))),
    }
}

/// A variable's text as a path, which need not be UTF-8; empty counts as not set.
pub(crate) fn path(name: &str) -> Result<Option<PathBuf>, Failure> {
    let path = std::env::var_os(name).filter(|path| !path.is_empty());
    let path = path.map(PathBuf::from);
    match path.as_deref().and_then(files::scheme_of) {
        Some(scheme) => Err(not_valid(name, &files::no_path(&scheme))),
        None => Ok(path),
    }
}

/// What is said of a variable whose value cannot be used. The value is not repeated: it may be
/// a secret in the wrong place.
pub(crate) fn not_valid(name: &str, why: &str) -> Failure {
    Failure::Config {
        message: format!("the environment variable {name} cannot be used: {why}"),
        advice: format!("correct {name}, or unset it"),
    }
}

/// The variables of one vendor: `LLM_AUTH_QWEN_...`.
#[derive(Debug)]
pub(crate) struct Variables {
    prefix: String,
}

impl Variables {
    pub(crate) fn of(vendor: &str) -> Self {
        Self {
            prefix: format!("LLM_AUTH_{}", vendor.to_ascii_uppercase()),
        }
    }

    pub(crate) fn name(&self, last: &str) -> String {
        format!("{}_{last}", self.prefix)
    }

    pub(crate) fn text(&self, last: &str) -> Result<Option<String>, Failure> {
        text(&self.name(last))
    }

    /// Replaces what is at its default by the variable's text.
    pub(crate) fn replace(&self, last: &str, place: &mut String) -> Result<(), Failure> {
        if let Some(text) = self.text(last)? {
            *place = text;
        }
        Ok(())
    }

    /// The endpoint that a variable names.
    pub(crate) fn endpoint(&self, last: &str) -> Result<Option<Endpoint>, Failure> {
        let Some(url) = self.text(last)? else {
            return Ok(None);
        };
        self.checked(last, Endpoint::new(&url)).map(Some)
    }

    /// Replaces an endpoint by the one that a variable names.
    pub(crate) fn replace_endpoint(&self, last: &str, place: &mut Endpoint) -> Result<(), Failure> {
        if let Some(endpoint) = self.endpoint(last)? {
            *place = endpoint;
        }
        Ok(())
    }

    /// Moves endpoints to the variable `..._BASE_URL`.
    pub(crate) fn rebase<T>(
        &self,
        endpoints: T,
        with_base: impl FnOnce(&T, &str) -> Result<T, Error>,
    ) -> Result<T, Failure> {
        match self.text("BASE_URL")? {
            Some(base) => self.checked("BASE_URL", with_base(&endpoints, &base)),
            None => Ok(endpoints),
        }
    }

    fn checked<T>(&self, last: &str, read: Result<T, Error>) -> Result<T, Failure> {
        read.map_err(|error| not_valid(&self.name(last), &chain(&error)))
    }
}

/// Proxy and additional CA certificates for every request. Loopback is never proxied.
pub(crate) fn network(http: HttpClientBuilder) -> Result<HttpClientBuilder, Failure> {
    with_ca(with_proxy(http)?)
}

/// The proxy that the environment names.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) variable: &'static str,
    url: String,
    /// The hosts that go without it, in the syntax of `NO_PROXY`.
    pub(crate) except: String,
}

impl Proxy {
    pub(crate) fn find() -> Result<Option<Self>, Failure> {
        let names = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
        let Some((variable, url)) = first_of(&names)? else {
            return Ok(None);
        };
        let except = first_of(&["no_proxy", "NO_PROXY"])?;
        Ok(Some(Self {
            variable,
            url,
            except: except.map(|(_, hosts)| hosts).unwrap_or_default(),
        }))
    }

    /// The URL without user and password, also where it is not written as it should be.
    pub(crate) fn shown(&self) -> String {
        let (scheme, rest) = self.url.split_once("://").unwrap_or(("http", &self.url));
        let host = rest.rsplit('@').next().unwrap_or_default();
        let end = host.find(['/', '?', '#']).unwrap_or(host.len());
        printable(&format!("{scheme}://{}", &host[..end]))
    }
}

/// The proxy of the environment for everything but loopback.
pub(crate) fn with_proxy(http: HttpClientBuilder) -> Result<HttpClientBuilder, Failure> {
    let Some(proxy) = Proxy::find()? else {
        return Ok(http);
    };
    let http = http.proxy(proxy.url, proxy.except);
    match http.clone().build() {
        Ok(_usable) => Ok(http),
        Err(error) => Err(not_valid(proxy.variable, &chain(&error))),
    }
}

/// The variable that names certificates to trust beside those of the system.
pub(crate) const CA_FILE: &str = "LLM_AUTH_CA_FILE";

/// Bundles of all certificates there are have about 250 kB.
const LARGEST_CA_FILE: u64 = 16 * 1024 * 1024;

/// The certificates of the environment beside those of the system.
pub(crate) fn with_ca(http: HttpClientBuilder) -> Result<HttpClientBuilder, Failure> {
    let Some(file) = path(CA_FILE)? else {
        return Ok(http);
    };
    let pem = llm_auth_core::files::read(&file, LARGEST_CA_FILE)
        .map_err(|error| not_valid(CA_FILE, &format!("cannot read {}: {error}", file.display())))?;
    let http = http.ca_certificates(pem.to_vec());
    match http.clone().build() {
        Ok(_usable) => Ok(http),
        Err(error) => Err(not_valid(CA_FILE, &chain(&error))),
    }
}

fn first_of(names: &[&'static str]) -> Result<Option<(&'static str, String)>, Failure> {
    for name in names {
        if let Some(text) = text(name)? {
            return Ok(Some((name, text)));
        }
    }
    Ok(None)
}
