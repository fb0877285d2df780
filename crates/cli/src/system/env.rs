//! The environment variables, which only the command reads, never the libraries.
//!
//! See decision 0012.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use llm_auth_core::http::ProxyUrl;
use llm_auth_core::{Error, HttpClientBuilder, SecureUrl, printable};

use crate::error::{Failure, chain};
use crate::system::files;
use crate::system::url::without_password;
use crate::text::not_a_word;

/// The end of the variable that sets the base URL of the API.
pub(crate) const API_BASE: &str = "API_BASE";

/// The longest value that is believed; a file of settings is no value.
const LONGEST: usize = 8192;

/// A variable without the white space around it, which files with carriage returns and careless
/// quoting leave there; empty counts as not set.
pub(crate) fn value(name: &str) -> Option<OsString> {
    let value = std::env::var_os(name)?;
    let value = match value.to_str().map(str::trim) {
        Some(text) if text.len() < value.len() => OsString::from(text),
        _ => value,
    };
    (!value.is_empty()).then_some(value)
}

/// A variable's text; empty counts as not set.
pub(crate) fn text(name: &str) -> Result<Option<String>, Failure> {
    match value(name).map(OsString::into_string) {
        None => Ok(None),
        Some(Ok(text)) => match oddity(&text) {
            Some(why) => Err(not_valid(name, why)),
            None => Ok(Some(text)),
        },
        Some(Err(_not_utf8)) => Err(Failure::Usage(format!(
            "the environment variable {name} is not valid UTF-8"
        ))),
    }
}

/// What is wrong with a text that a user meant as one plain value.
fn oddity(text: &str) -> Option<&'static str> {
    let in_quotes = |quote| text.starts_with(quote) || text.ends_with(quote);
    if text.len() > LONGEST {
        Some("it is too long")
    } else if text.contains(['\n', '\r']) {
        Some("it contains a line break")
    } else if printable(text) != text {
        Some("it contains control characters or invisible characters")
    } else if in_quotes('"') || in_quotes('\'') {
        Some("it is enclosed in quotes, which only a shell removes")
    } else {
        None
    }
}

/// The same for what stands in a header or a form: an id, a secret, a project.
pub(crate) fn word(name: &str) -> Result<Option<String>, Failure> {
    let Some(text) = text(name)? else {
        return Ok(None);
    };
    match not_a_word(&text) {
        Some(why) => Err(not_valid(name, &format!("it {why}"))),
        None => Ok(Some(text)),
    }
}

/// The same for an address, in which no blank stands.
fn url(name: &str) -> Result<Option<String>, Failure> {
    match text(name)? {
        Some(url) if url.contains(char::is_whitespace) => {
            Err(not_valid(name, "it contains white space"))
        }
        url => Ok(url),
    }
}

/// A variable's text as a path, which need not be UTF-8; empty counts as not set.
pub(crate) fn path(name: &str) -> Result<Option<PathBuf>, Failure> {
    let path = value(name).map(PathBuf::from);
    match path.as_deref().and_then(files::scheme_of) {
        Some(scheme) => Err(not_valid(name, &files::no_path(&scheme))),
        None => Ok(path),
    }
}

/// The path of one of our own variables, if it can be meant.
pub(crate) fn own_path(name: &str) -> Result<Option<PathBuf>, Failure> {
    let Some(path) = path(name)? else {
        return Ok(None);
    };
    let text = path.to_string_lossy();
    if text == "~" || text.starts_with("~/") {
        let why = "only a shell expands ~: write the full path";
        return Err(not_valid(name, why));
    }
    // What is not UTF-8 can be a path all the same.
    match path.to_str().and_then(oddity) {
        Some(why) => Err(not_valid(name, why)),
        None => Ok(Some(path)),
    }
}

/// The failure of a variable whose value cannot be used. The value is not repeated: it may be
/// a secret in the wrong place.
pub(crate) fn not_valid(name: &str, why: &str) -> Failure {
    Failure::Config {
        message: format!("the environment variable {name} cannot be used: {why}"),
        advice: format!("correct {name}, or unset it"),
    }
}

/// The variables of one provider: `LLM_AUTH_QWEN_...`.
#[derive(Debug)]
pub(crate) struct Variables {
    prefix: String,
    /// What is set counts as not set.
    are_ignored: bool,
}

impl Variables {
    pub(crate) fn of(provider: &str) -> Self {
        Self {
            prefix: format!("LLM_AUTH_{}", provider.to_ascii_uppercase()),
            are_ignored: false,
        }
    }

    /// None of them: what a provider is does not come from the environment.
    pub(crate) fn ignored(provider: &str) -> Self {
        Self {
            are_ignored: true,
            ..Self::of(provider)
        }
    }

    pub(crate) fn name(&self, last: &str) -> String {
        format!("{}_{last}", self.prefix)
    }

    pub(crate) fn text(&self, last: &str) -> Result<Option<String>, Failure> {
        match self.are_ignored {
            true => Ok(None),
            false => text(&self.name(last)),
        }
    }

    /// What stands in a header or a form.
    pub(crate) fn word(&self, last: &str) -> Result<Option<String>, Failure> {
        match self.are_ignored {
            true => Ok(None),
            false => word(&self.name(last)),
        }
    }

    /// The endpoint that a variable names.
    pub(crate) fn endpoint(&self, last: &str) -> Result<Option<SecureUrl>, Failure> {
        let url = match self.are_ignored {
            true => None,
            false => url(&self.name(last))?,
        };
        let Some(url) = url else {
            return Ok(None);
        };
        self.checked(last, SecureUrl::new(&url)).map(Some)
    }

    /// The error of a value that cannot be used, as one of its variable.
    pub(crate) fn checked<T>(&self, last: &str, read: Result<T, Error>) -> Result<T, Failure> {
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
    except_by: Option<&'static str>,
}

impl Proxy {
    pub(crate) fn find() -> Result<Option<Self>, Failure> {
        let names = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
        let Some((variable, url)) = first_of(&names)? else {
            return Ok(None);
        };
        let except = first_of(&["no_proxy", "NO_PROXY"])?;
        let (except_by, except) = except.unzip();
        Ok(Some(Self {
            variable,
            url,
            except: except.unwrap_or_default(),
            except_by,
        }))
    }

    /// What requests go through.
    pub(crate) fn url(&self) -> Result<ProxyUrl, Failure> {
        ProxyUrl::new(&self.url).map_err(|error| not_valid(self.variable, &chain(&error)))
    }

    /// The URL without user and password.
    pub(crate) fn shown(&self) -> String {
        match self.url() {
            Ok(url) => url.to_string(),
            Err(_wrong) => "(not a proxy URL)".to_owned(),
        }
    }
}

/// The proxy of the environment for everything but loopback.
pub(crate) fn with_proxy(http: HttpClientBuilder) -> Result<HttpClientBuilder, Failure> {
    let Some(proxy) = Proxy::find()? else {
        return Ok(http);
    };
    let usable = |http: HttpClientBuilder, variable| match http.clone().build() {
        Ok(_usable) => Ok(http),
        Err(error) => Err(not_valid(variable, &chain(&error))),
    };
    let alone = usable(http.proxy(proxy.url.as_str(), ""), proxy.variable)?;
    match proxy.except_by {
        Some(variable) => usable(alone.proxy(proxy.url, proxy.except), variable),
        None => Ok(alone),
    }
}

/// The variable that names the store of all sessions.
pub(crate) const STORE: &str = "LLM_AUTH_STORE";

/// The variable that names certificates to trust beside those of the system.
pub(crate) const CA_FILE: &str = "LLM_AUTH_CA_FILE";

/// Bundles of all certificates there are have about 250 kB.
const LARGEST_CA_FILE: u64 = 16 * 1024 * 1024;

/// The certificates of the environment beside those of the system.
pub(crate) fn with_ca(http: HttpClientBuilder) -> Result<HttpClientBuilder, Failure> {
    let Some(file) = own_path(CA_FILE)? else {
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

/// Takes the secrets of OAuth clients and the password of a store out of the environment that a
/// program gets.
pub(crate) fn without_secrets(command: &mut Command) {
    for name in secrets(std::env::vars_os()) {
        command.env_remove(name);
    }
}

/// The variables that hold the secret of an OAuth client or the password of a database with all
/// sessions, which are none of the program's business.
fn secrets(variables: impl Iterator<Item = (OsString, OsString)>) -> Vec<OsString> {
    let is_secret = |(name, value): &(OsString, OsString)| {
        let name = name.to_string_lossy().to_ascii_uppercase();
        let is_of_client = name.starts_with("LLM_AUTH_") && name.ends_with("_CLIENT_SECRET");
        is_of_client || (name == STORE && !can_be_shown(value))
    };
    let secrets = variables.filter(is_secret);
    secrets.map(|(name, _)| name).collect()
}

/// Whether the whole name of a store is free of secrets. What is no name may be a URL with a slip in
/// it.
fn can_be_shown(store: &OsString) -> bool {
    let Some(name) = store.to_str() else {
        return false;
    };
    match name.contains("://") {
        true => without_password(name) == name,
        false => {
            let is_directory = name.starts_with("encrypted:") || name.starts_with('@');
            is_directory || ["files", "keyring", "encrypted"].contains(&name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_program_gets_the_secret_of_a_client_or_the_password_of_a_store() {
        let taken = |name: &str, value: &str| {
            let variables = std::iter::once((name.into(), value.into()));
            !secrets(variables).is_empty()
        };
        for secret in [
            "postgres://ann:made-up@db.example/d",
            " redis://:made-up@h",
            "\"redis://:made-up@h\"",
            "postgress://ann:made-up@h/d",
            "postgres:/ann:made-up@h/d",
            "postgres://ann@h/d?password=made-up",
        ] {
            assert!(taken("LLM_AUTH_STORE", secret), "{secret}");
        }
        for name in [
            "keyring",
            "encrypted:/d",
            "@/run/url",
            "redis://h/1",
            "postgres://ann@h/d",
        ] {
            assert!(!taken("LLM_AUTH_STORE", name), "{name}");
        }
        assert!(taken("LLM_AUTH_GEMINI_CLIENT_SECRET", "made-up"));
        assert!(!taken("LLM_AUTH_GEMINI_CLIENT_ID", "made-up"));
    }
}
