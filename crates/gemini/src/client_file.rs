//! The user's own OAuth client.

use llm_auth_core::{Error, ErrorKind, Result, Secret};
use serde::Deserialize;

/// An OAuth client of type "Desktop app", made in the Google Cloud console.
///
/// This crate ships none: using the client of Google's own Gemini CLI in another program
/// breaks Google's terms, and accounts were suspended for it (google-gemini/gemini-cli
/// `docs/resources/tos-privacy.md`, issue 25648).
///
/// The secret of a desktop client is not confidential (RFC 8252 section 8.5), but Google requires
/// it in every token request.
///
/// # Examples
///
/// ```
/// use llm_auth_gemini::OAuthClient;
///
/// let client = OAuthClient::new("made-up.apps.googleusercontent.com", Some("made-up".into()));
/// assert!(!format!("{client:?}").contains(r#""made-up""#));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OAuthClient {
    id: String,
    secret: Option<Secret>,
    project_id: Option<String>,
}

#[derive(Deserialize)]
struct ClientFile {
    installed: Option<Installed>,
    web: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Installed {
    client_id: String,
    client_secret: Option<Secret>,
    project_id: Option<String>,
}

/// Whether a text is fit for a form and a header, as an id, a secret and a project are.
pub(crate) fn is_plain(text: &str) -> bool {
    text.len() <= 256 && text.chars().all(|c| c.is_ascii_graphic())
}

impl Installed {
    /// Whether its members are fit for a form and a header.
    fn is_plain(&self) -> bool {
        is_plain(self.client_id.trim())
            && self.project_id.as_deref().is_none_or(is_plain)
            && self
                .client_secret
                .as_ref()
                .is_none_or(|secret| is_plain(secret.expose()))
    }
}

impl OAuthClient {
    /// A client from its id and secret.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_gemini::OAuthClient;
    ///
    /// let client = OAuthClient::new("made-up.apps.googleusercontent.com", None);
    /// assert_eq!(client.project_id(), None);
    /// ```
    pub fn new(id: impl Into<String>, secret: Option<Secret>) -> Self {
        Self {
            id: id.into(),
            secret,
            project_id: None,
        }
    }

    /// A client from Google's `client_secret.json`, the "installed" form.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if it is another kind of file, with its own message for a client of
    /// type "Web application".
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> Result<(), llm_auth_gemini::Error> {
    /// use llm_auth_gemini::OAuthClient;
    ///
    /// let file = br#"{"installed":{"client_id":"made-up.apps.googleusercontent.com",
    ///     "client_secret":"made-up","project_id":"my-project"}}"#;
    /// let client = OAuthClient::from_json(file)?;
    /// assert_eq!(client.project_id(), Some("my-project"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_json(file: &[u8]) -> Result<Self> {
        let wrong = |why: &str| {
            Error::new(
                ErrorKind::Config,
                format!(
                    "{why}; download the JSON file of an OAuth client of type \"Desktop app\" from the Google Cloud console"
                ),
            )
        };
        let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
        // The parser's message could quote the secret.
        let parsed: ClientFile = serde_json::from_slice(file)
            .map_err(|_quoted| wrong("the client file is not Google's client_secret.json"))?;
        if parsed
            .installed
            .as_ref()
            .is_some_and(|found| !found.is_plain())
        {
            return Err(wrong(
                "the client file contains an id, a secret or a project with characters or of a \
                 length that Google does not use",
            ));
        }
        match (parsed.installed, parsed.web) {
            (Some(installed), _) if !installed.client_id.trim().is_empty() => Ok(Self {
                id: installed.client_id.trim().to_owned(),
                secret: installed.client_secret.filter(|secret| !secret.is_empty()),
                project_id: installed.project_id.filter(|project| !project.is_empty()),
            }),
            (None, Some(_)) => Err(wrong(
                "the client file is that of a web application, which cannot sign in from a terminal",
            )),
            _ => Err(wrong("the client file contains no installed client")),
        }
    }

    /// The client id.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_gemini::OAuthClient;
    ///
    /// let client = OAuthClient::new("made-up.apps.googleusercontent.com", None);
    /// assert_eq!(client.id(), "made-up.apps.googleusercontent.com");
    /// ```
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The client secret.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_gemini::OAuthClient;
    ///
    /// let client = OAuthClient::new("made-up.apps.googleusercontent.com", Some("made-up".into()));
    /// assert_eq!(client.secret().unwrap().expose(), "made-up");
    /// ```
    #[must_use]
    pub fn secret(&self) -> Option<&Secret> {
        self.secret.as_ref()
    }

    /// The Google Cloud project that the client belongs to, if the file names it.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_gemini::OAuthClient;
    ///
    /// let file = br#"{"installed": {"client_id": "made-up", "project_id": "my-project"}}"#;
    /// assert_eq!(OAuthClient::from_json(file)?.project_id(), Some("my-project"));
    /// # Ok::<(), llm_auth_gemini::Error>(())
    /// ```
    #[must_use]
    pub fn project_id(&self) -> Option<&str> {
        self.project_id.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_installed_form_is_a_client_file() {
        for (file, hint) in [
            (
                r#"{"web":{"client_id":"a","client_secret":"made-up"}}"#,
                "web application",
            ),
            (r#"{"type":"service_account"}"#, "no installed client"),
            (r#"{"installed":{"client_id":""}}"#, "no installed client"),
            (r#"{"installed":{"client_id":"a\nb"}}"#, "characters"),
            (
                r#"{"installed":{"client_id":"a","client_secret":"made-up\r\n"}}"#,
                "characters",
            ),
            (
                r#"{"installed":{"client_id":"a","project_id":"made-up\u200b"}}"#,
                "characters",
            ),
            (r#"{"installed":"made-up"}"#, "not Google's"),
            ("made-up", "not Google's"),
            ("", "not Google's"),
        ] {
            let error = OAuthClient::from_json(file.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(hint), "{error}");
            assert!(!format!("{error:?}").contains("made-up"), "{error:?}");
        }
    }

    #[test]
    fn a_byte_order_mark_before_a_client_file_does_not_matter() {
        let file = "\u{feff}{\"installed\":{\"client_id\":\"my-id\"}}";
        let client = OAuthClient::from_json(file.as_bytes()).unwrap();
        assert_eq!(client.id(), "my-id");
    }

    #[test]
    fn debug_hides_the_secret() {
        let client = OAuthClient::new("id", Some("made-up".into()));
        assert!(!format!("{client:?}").contains("made-up"));
    }
}
