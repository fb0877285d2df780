//! The CA certificates of this system, and the variables that put others in their place.

use std::ffi::OsString;
use std::fs::Metadata;
use std::path::{Path, PathBuf};

use llm_auth_core::{Error, ErrorKind, printable};

use crate::error::{Failure, chain};
use crate::system::env::{self, CA_FILE};

/// The largest file of certificates that is read.
const LARGEST: u64 = 16 * 1024 * 1024;

/// What the TLS library reads in place of the system's own certificates, on systems that keep
/// them in files.
const VARIABLES: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// Whether this system keeps its certificates in files.
const IN_FILES: bool = cfg!(all(
    unix,
    not(any(target_vendor = "apple", target_os = "android"))
));

/// A variable that names certificates.
#[derive(Debug)]
pub(crate) struct CertificateVariable {
    pub(crate) name: &'static str,
    value: OsString,
}

/// Those that are set. An empty or a blank one counts as not set beside one that names something;
/// alone it counts, for the TLS library takes it for a name and then has no certificates at all.
pub(crate) fn variables() -> Vec<CertificateVariable> {
    let known = VARIABLES.iter().filter(|_| IN_FILES);
    let set = known.filter_map(|name| {
        let value = std::env::var_os(name)?;
        Some(CertificateVariable { name, value })
    });
    let (blank, named): (Vec<_>, Vec<_>) = set.partition(CertificateVariable::is_blank);
    if named.is_empty() { blank } else { named }
}

/// The variables that say whose certificates count, beside or in place of the system's. A blank one
/// of the TLS library's may be the name of a file; an empty one names none.
pub(crate) fn variables_set() -> Vec<String> {
    let own = env::text(CA_FILE);
    let own = (!matches!(own, Ok(None))).then_some(CA_FILE);
    let set = |name: &&&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let others = VARIABLES.iter().filter(|_| IN_FILES).filter(set).copied();
    own.into_iter().chain(others).map(str::to_owned).collect()
}

impl CertificateVariable {
    pub(crate) fn shown(&self) -> String {
        printable(&self.value.to_string_lossy())
    }

    fn is_blank(&self) -> bool {
        self.value
            .to_str()
            .is_some_and(|text| text.trim().is_empty())
    }

    /// Why nothing can be read there, if that is so.
    pub(crate) fn trouble(&self) -> Option<String> {
        if self.is_blank() {
            return Some(
                "is empty, and the TLS library uses the empty value as a file name".into(),
            );
        }
        self.places().iter().find_map(|place| {
            let text = place.display().to_string();
            let shown = printable(text.trim());
            match std::fs::metadata(place) {
                Err(_nothing) if text.trim().len() < text.len() => Some(format!(
                    "names {shown} with leading or trailing white space, which the TLS library \
                     treats as part of the name"
                )),
                Err(error) => Some(format!("names {shown}, which cannot be read: {error}")),
                Ok(found) => (self.misfit(&found)).map(|why| format!("names {shown}, which {why}")),
            }
        })
    }

    fn is_directory(&self) -> bool {
        self.name == "SSL_CERT_DIR"
    }

    fn places(&self) -> Vec<PathBuf> {
        if self.is_directory() {
            std::env::split_paths(&self.value).collect()
        } else {
            vec![Path::new(&self.value).to_owned()]
        }
    }

    /// What is there, if it is of another kind than it should be, so that reading it might never
    /// end.
    fn misfit(&self, found: &Metadata) -> Option<&'static str> {
        Some(match (self.is_directory(), found) {
            (true, found) if found.is_dir() => return None,
            (true, _) => "is not a directory",
            (false, found) if found.is_dir() => "is a directory",
            (false, found) if !found.is_file() => "is not a regular file",
            (false, found) if found.len() > LARGEST => "is larger than 16 MiB",
            (false, _) => return None,
        })
    }
}

/// Refuses what the TLS library could read for ever: a pipe, a device, a file without end. To be
/// asked before a client is built, and so before any lock is held. What is not there, or holds no
/// certificate, is an error of the library.
pub(crate) fn check() -> Result<(), Failure> {
    for variable in variables() {
        let misfit = variable.places().into_iter().find_map(|place| {
            let found = std::fs::metadata(&place).ok()?;
            let shown = printable(&place.display().to_string());
            let why = variable.misfit(&found)?;
            Some(format!("{}={shown} {why}", variable.name))
        });
        if let Some(message) = misfit {
            let name = variable.name;
            return Err(Failure::Config {
                message,
                advice: format!("correct {name}, or unset it to use the package ca-certificates"),
            });
        }
    }
    Ok(())
}

/// The failure that an error means if it is about the certificates of this computer: no retry
/// mends it.
pub(crate) fn explained(error: &Error) -> Option<Failure> {
    // Decision 0036.
    let advice = advice(error)?;
    let message = chain(error) + &words(error).unwrap_or_default();
    Some(Failure::Config { message, advice })
}

/// Whether it is not the network but what this computer trusts that is the cause: no
/// certificate at all, or others than the system's own.
fn is_broken(error: &Error) -> bool {
    error.is_about_trust() && (error.kind() == ErrorKind::System || !variables().is_empty())
}

/// What follows the message of such an error: the variables that are set.
pub(crate) fn words(error: &Error) -> Option<String> {
    let set = variables();
    if !is_broken(error) || set.is_empty() {
        return None;
    }
    let named: Vec<_> = set
        .iter()
        .map(|variable| {
            let why = variable.trouble().map(|why| format!(", which {why}"));
            format!(
                "{}={}{}",
                variable.name,
                variable.shown().trim(),
                why.unwrap_or_default()
            )
        })
        .collect();
    Some(format!(" (certificates set by {})", named.join("; ")))
}

/// What to do about it.
pub(crate) fn advice(error: &Error) -> Option<String> {
    if !is_broken(error) {
        return None;
    }
    let set = variables();
    let names: Vec<_> = set.iter().map(|variable| variable.name).collect();
    let it = if set.len() > 1 { "them" } else { "it" };
    Some(if set.is_empty() {
        "install the package ca-certificates, which installs them in /etc/ssl/certs, or set \
         SSL_CERT_FILE to a file of certificates"
            .into()
    } else {
        format!(
            "correct {}, or unset {it} to use the package ca-certificates (/etc/ssl/certs); to \
             trust a company's certificate authority as well, set {CA_FILE} to its certificates",
            names.join(" and ")
        )
    })
}
