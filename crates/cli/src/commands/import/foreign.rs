//! A session of another program, and how its file is read.

use std::io;
use std::path::{Path, PathBuf};

use llm_auth::gemini::OAuthClient;
use llm_auth::minimax::Dialect;
use llm_auth_core::{OAuthToken, Secret, Timestamp, printable};
use serde_json::{Map, Value};

use super::args::ImportArgs;
use crate::error::Failure;
use crate::providers::{ProviderArgs, ProviderName, RegionName};
use crate::system::files;

/// What was found, in our terms.
#[derive(Debug)]
pub(super) struct Foreign {
    pub(super) file: PathBuf,
    pub(super) provider: ProviderName,
    /// The identity in the file, which is not verified.
    pub(super) identity: Option<String>,
    /// `None` where nothing could be used anyway.
    pub(super) token: Option<OAuthToken>,
    /// Whether a refresh makes the refresh token worthless.
    pub(super) rotates: bool,
    /// Why it cannot be taken over.
    pub(super) refusal: Option<String>,
    pub(super) region: Option<RegionName>,
    pub(super) dialect: Dialect,
    pub(super) client: Option<OAuthClient>,
}

impl Foreign {
    pub(super) fn new(file: &Path, provider: ProviderName) -> Self {
        Self {
            file: file.to_owned(),
            provider,
            identity: None,
            token: None,
            rotates: true,
            refusal: None,
            region: None,
            dialect: Dialect::default(),
            client: None,
        }
    }

    /// When the access token expires; `None` if there is none, or if it never does.
    pub(super) fn expiry(&self) -> Option<Timestamp> {
        let token = self.token.as_ref().filter(|token| !token.access.is_empty());
        token?.expires_at
    }

    pub(super) fn has_access_token(&self) -> bool {
        let token = self.token.as_ref();
        token.is_some_and(|token| !token.access.is_empty())
    }

    /// The provider that such a session belongs to.
    pub(super) fn provider_args(&self, args: &ImportArgs) -> ProviderArgs {
        ProviderArgs {
            region: self.region.or(args.provider_args.region),
            dialect: self.dialect,
            client: self.client.clone(),
            ..args.provider_args.clone()
        }
    }

    /// The rights of the file, if others than its owner can read it.
    #[cfg(unix)]
    pub(super) fn readable_by_others(&self) -> Option<u32> {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = self.file.metadata().ok()?.permissions().mode() & 0o777;
        (mode & 0o044 != 0).then_some(mode)
    }

    #[cfg(not(unix))]
    pub(super) fn readable_by_others(&self) -> Option<u32> {
        None
    }
}

/// A foreign file as JSON; errors name the file and the member, never what is in it.
#[derive(Debug)]
pub(super) struct Members {
    file: PathBuf,
    members: Map<String, Value>,
}

impl Members {
    /// `None` if there is no such file.
    pub(super) fn read(file: &Path) -> Result<Option<Self>, Failure> {
        let bytes = match llm_auth_core::files::read(file, files::LARGEST) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(cannot(file, &format!("cannot be read: {error}"))),
        };
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(members)) => Ok(Some(Self {
                file: file.to_owned(),
                members,
            })),
            // The parser's words would quote the file.
            Ok(_) | Err(_) => Err(cannot(file, "is no JSON object")),
        }
    }

    pub(super) fn inside(&self, name: &str) -> Option<Self> {
        Some(Self {
            file: self.file.clone(),
            members: self.members.get(name)?.as_object()?.clone(),
        })
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// A text that is not empty.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let text = self.members.get(name)?.as_str()?;
        (!text.is_empty()).then(|| text.to_owned())
    }

    pub(super) fn printable(&self, name: &str) -> Option<String> {
        self.text(name).map(|text| printable(&text))
    }

    pub(super) fn secret(&self, name: &str) -> Result<Secret, Failure> {
        self.text(name)
            .map(Secret::from)
            .ok_or_else(|| self.lacks(name))
    }

    /// An instant in Unix milliseconds.
    pub(super) fn millis(&self, name: &str) -> Result<Timestamp, Failure> {
        let value = self.members.get(name);
        let number = value.and_then(|value| value.as_i64().or_else(|| whole(value.as_f64()?)));
        number
            .map(Timestamp::from_unix_millis)
            .ok_or_else(|| self.lacks(name))
    }

    pub(super) fn lacks(&self, name: &str) -> Failure {
        cannot(
            &self.file,
            &format!("has no {name}, or not of the form that is known"),
        )
    }

    pub(super) fn into_value(self) -> Value {
        Value::Object(self.members)
    }
}

/// Milliseconds with a fraction, as JavaScript writes them.
fn whole(number: f64) -> Option<i64> {
    const LARGEST: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "it is within the bounds")]
    (number.abs() <= LARGEST).then_some(number as i64)
}

pub(super) fn cannot(file: &Path, why: &str) -> Failure {
    Failure::Config {
        message: format!("{} {why}", file.display()),
        advice: "look at the file, name another one with --file, or start a new session with \
                 `llm-auth login`"
            .into(),
    }
}
