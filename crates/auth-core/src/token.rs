//! A session as it is stored and handed out. This module does not read or write files.

mod lenient;
mod metadata;
mod provider_data;
mod records;
mod validity;

pub use self::metadata::{RefreshRecord, SessionMetadata, UnknownMembers};
pub use self::provider_data::ProviderData;
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::json;
use crate::sanitize::printable;
use crate::sanitize::{clean, is_bearer_token};
use crate::secret::Secret;
use crate::secure_url::SecureUrl;
use crate::session::SessionKey;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The message for an access token that cannot be sent.
pub(crate) const NO_BEARER: &str = "the access token contains a character that is not allowed in \
                                    an HTTP header (a space, a line break, a control character): \
                                    sign in again";

/// One signed-in account: its access token and everything that is needed to refresh it.
///
/// The JSON form is that of gochat's token file (`access`, `refresh`, `expires` in Unix
/// milliseconds, `resourceUrl`, `notification_message`), so a Go program and this crate can share
/// one file. A missing refresh token is the empty string there. Only `access` and `expires` are
/// required; `expires` may have a fraction or be a string of digits. Members that this version does
/// not know, or whose type it does not know, stay in [`extra`](Self::extra) and are written back.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use llm_auth_core::OAuthToken;
///
/// let file = r#"{"access":"made-up","refresh":"","expires":1000,"other":true}"#;
/// let token: OAuthToken = serde_json::from_str(file)?;
/// assert!(token.refresh.is_none());
/// assert_eq!(serde_json::to_string(&token)?, file);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
// See decision 0002.
pub struct OAuthToken {
    /// The access token.
    pub access: Secret,
    /// The refresh token, if the vendor gave one.
    #[serde(
        default,
        deserialize_with = "read_optional",
        serialize_with = "write_optional"
    )]
    pub refresh: Option<Secret>,
    /// When the access token expires; `None` if it never does, as an API key. That is stored as the
    /// last second of the year 9999, so that a Go program takes it for valid.
    #[serde(
        rename = "expires",
        deserialize_with = "lenient::expiry",
        serialize_with = "write_expiry"
    )]
    pub expires_at: Option<Timestamp>,
    /// The API host that the vendor named for this token (Qwen, MiniMax), as it was sent.
    #[serde(
        default,
        rename = "resourceUrl",
        skip_serializing_if = "Option::is_none"
    )]
    pub resource_url: Option<String>,
    /// A message from the vendor for the user (MiniMax).
    #[serde(
        default,
        rename = "notification_message",
        skip_serializing_if = "Option::is_none"
    )]
    pub notification: Option<String>,
    /// The granted scope, if the server named it (RFC 6749 section 5.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// What llm-auth records about the session.
    #[serde(
        default,
        rename = "llm_auth",
        skip_serializing_if = "SessionMetadata::is_empty"
    )]
    pub metadata: SessionMetadata,
    /// Members of the stored form that this version does not know.
    #[serde(flatten)]
    pub extra: UnknownMembers,
}

impl OAuthToken {
    /// A token with only an access token and its expiry (`None`: it never expires); the other members
    /// are public.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{OAuthToken, Timestamp};
    ///
    /// let mut token = OAuthToken::new("made-up-access".into(), Timestamp::from_unix_millis(1_000));
    /// token.refresh = Some("made-up-refresh".into());
    ///
    /// let api_key = OAuthToken::new("made-up-key".into(), None);
    /// assert_eq!(api_key.expires_at, None);
    /// ```
    #[must_use]
    pub fn new(access: Secret, expires_at: impl Into<Option<Timestamp>>) -> Self {
        Self {
            access,
            refresh: None,
            expires_at: expires_at.into(),
            resource_url: None,
            notification: None,
            scope: None,
            metadata: SessionMetadata::default(),
            extra: UnknownMembers::default(),
        }
    }

    /// The stored form, as in a token file: JSON in a buffer of its exact size, wiped on drop.
    ///
    /// A serializer with a growing buffer leaves copies of the tokens in memory.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`] if the session cannot be written as JSON.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{OAuthToken, Timestamp};
    ///
    /// let token = OAuthToken::new("made-up".into(), Timestamp::from_unix_millis(1_000));
    /// let json = token.to_json()?;
    /// assert_eq!(OAuthToken::from_json(json.expose().as_bytes())?, token);
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn to_json(&self) -> Result<Secret> {
        let failed = || Error::new(ErrorKind::Store, "cannot write the session as JSON");
        let mut json = json::to_vec(self).map_err(|source| failed().with_source(source))?;
        String::from_utf8(std::mem::take(&mut *json))
            .map(Secret::from)
            .map_err(|_never| failed())
    }

    /// A session from its stored form.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`] with the line and column, and nothing of the content.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{ErrorKind, OAuthToken};
    ///
    /// let token = OAuthToken::from_json(br#"{"access": "made-up", "expires": 1000}"#)?;
    /// assert_eq!(token.access.expose(), "made-up");
    /// let error = OAuthToken::from_json(b"{}").unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Corrupt);
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn from_json(stored: &[u8]) -> Result<Self> {
        json::parse(stored).map_err(|source| {
            // The parser's own message may quote a token.
            let (line, column) = (source.line(), source.column());
            Error::new(
                ErrorKind::Corrupt,
                format!("cannot read the stored session (line {line}, column {column})"),
            )
        })
    }

    /// The access token, fit for an `Authorization` header.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`] if it holds a space, a line break or another character that no such
    /// header may hold: another program or a user changed the file.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::OAuthToken;
    ///
    /// let token = OAuthToken::new("made-up".into(), None);
    /// assert_eq!(token.bearer()?.expose(), "made-up");
    /// assert!(OAuthToken::new("made-up\n".into(), None).bearer().is_err());
    /// # Ok::<(), llm_auth_core::Error>(())
    /// ```
    pub fn bearer(&self) -> Result<&Secret> {
        if is_bearer_token(self.access.expose()) {
            Ok(&self.access)
        } else {
            Err(Error::new(ErrorKind::Corrupt, NO_BEARER))
        }
    }

    /// The refresh token.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotSignedIn`] if the session has none; [`ErrorKind::Store`] if the session is a
    /// [copy](SessionMetadata::copied_from).
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{ErrorKind, OAuthToken};
    ///
    /// let api_key = OAuthToken::new("made-up".into(), None);
    /// assert_eq!(api_key.refresh_token().unwrap_err().kind(), ErrorKind::NotSignedIn);
    /// ```
    pub fn refresh_token(&self) -> Result<&Secret> {
        let Some(refresh) = &self.refresh else {
            return Err(Error::new(
                ErrorKind::NotSignedIn,
                "the session has no refresh token, so it cannot be refreshed",
            ));
        };
        match &self.metadata.copied_from {
            None => Ok(refresh),
            Some(place) => Err(Error::new(
                ErrorKind::Store,
                format!(
                    "this session is a copy of the one in {}, which a move that did not end has left: \
                     both have the same refresh token, so only the original is refreshed",
                    printable(place)
                ),
            )
            .with_copy()),
        }
    }

    /// Takes over everything that a refresh response omits.
    ///
    /// The one place that merges: a refresh token, an API host, a scope or a message that the
    /// response omits stays as it was (RFC 6749 section 6: "the authorization server MAY issue a
    /// new refresh token").
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::OAuthToken;
    ///
    /// let mut old = OAuthToken::new("made-up-1".into(), None);
    /// old.refresh = Some("made-up-refresh".into());
    /// // The response to a refresh, without a new refresh token.
    /// let new = OAuthToken::new("made-up-2".into(), None).inheriting(&old);
    /// assert_eq!(new.access.expose(), "made-up-2");
    /// assert_eq!(new.refresh, old.refresh);
    /// ```
    #[must_use]
    pub fn inheriting(mut self, previous: &Self) -> Self {
        fn keep<T: Clone>(new: &mut Option<T>, old: &Option<T>) {
            if new.is_none() {
                new.clone_from(old);
            }
        }
        keep(&mut self.refresh, &previous.refresh);
        keep(&mut self.resource_url, &previous.resource_url);
        keep(&mut self.notification, &previous.notification);
        keep(&mut self.scope, &previous.scope);
        let (metadata, old) = (&mut self.metadata, &previous.metadata);
        keep(&mut metadata.provider, &old.provider);
        keep(&mut metadata.identity, &old.identity);
        keep(&mut metadata.server, &old.server);
        keep(&mut metadata.client_secret, &old.client_secret);
        keep(&mut metadata.signed_in_at, &old.signed_in_at);
        keep(&mut metadata.refreshed_at, &old.refreshed_at);
        metadata.provider_data.add(old.provider_data.iter());
        for (ours, theirs) in [
            (&mut metadata.extra, &old.extra),
            (&mut self.extra, &previous.extra),
        ] {
            for (name, value) in &theirs.0 {
                ours.0.entry(name).or_insert_with(|| value.clone());
            }
        }
        self
    }

    /// Records the origin (scheme, host and port) of the token endpoint that issued the session:
    /// [`Recipients`](crate::provider::Recipients) sends it to no other server.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{OAuthToken, SecureUrl};
    ///
    /// let endpoint = SecureUrl::known("https://auth.example/oauth/token");
    /// let token = OAuthToken::new("made-up".into(), None).issued_by(&endpoint);
    /// assert_eq!(token.metadata.server.as_deref(), Some("https://auth.example"));
    /// ```
    #[must_use]
    pub fn issued_by(mut self, token_endpoint: &SecureUrl) -> Self {
        self.metadata.server = Some(token_endpoint.base());
        self
    }

    /// Whether both have the same tokens, regardless of the records.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{OAuthToken, Timestamp};
    ///
    /// let token = OAuthToken::new("made-up".into(), None);
    /// let mut other = token.clone();
    /// other.metadata.refreshed_at = Some(Timestamp::from_unix_millis(0));
    /// assert!(token.has_same_tokens(&other));
    /// ```
    #[must_use]
    pub fn has_same_tokens(&self, other: &Self) -> bool {
        self.access == other.access && self.refresh == other.refresh
    }

    /// Checks that it is the session of this provider and account, if it names them. A credential
    /// goes only to the server that issued it (RFC 6749 section 10.4), and to no other account.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] that names the location (`location`) and the owner.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_core::{OAuthToken, SessionKey};
    ///
    /// let mut token = OAuthToken::new("made-up".into(), None);
    /// token.metadata.account = Some("work".into());
    /// let location = || "session.json".to_owned();
    /// assert!(token.check_owner(&SessionKey::new("qwen", "work"), location).is_ok());
    /// assert!(token.check_owner(&SessionKey::new("qwen", "home"), location).is_err());
    /// ```
    pub fn check_owner(&self, key: &SessionKey, location: impl FnOnce() -> String) -> Result<()> {
        let metadata = &self.metadata;
        let owners = [
            (&metadata.provider, key.provider(), ""),
            (&metadata.account, key.account(), "the account "),
        ];
        let other = owners.into_iter().find_map(|(recorded, ours, what)| {
            let recorded = recorded.as_deref().filter(|recorded| *recorded != ours)?;
            Some(format!("{what}{}", clean(recorded, 80, &[])))
        });
        match other {
            None => Ok(()),
            Some(other) => Err(Error::new(
                ErrorKind::Config,
                format!(
                    "{} contains a session of {other}; use a separate file for each session",
                    location()
                ),
            )
            .with_foreign_session()
            .with_session(key)),
        }
    }
}

fn read_optional<'de, D: Deserializer<'de>>(
    from: D,
) -> std::result::Result<Option<Secret>, D::Error> {
    Ok(Option::<Secret>::deserialize(from)?.filter(|secret| !secret.is_empty()))
}

/// How `expires` is stored for a token that never expires: 9999-12-31T23:59:59Z.
const NEVER: Timestamp = Timestamp::from_unix_millis(253_402_300_799_000);

#[expect(clippy::ref_option, reason = "the form that serde calls")]
fn write_expiry<S: Serializer>(
    expires_at: &Option<Timestamp>,
    to: S,
) -> std::result::Result<S::Ok, S::Error> {
    expires_at.unwrap_or(NEVER).serialize(to)
}

#[expect(clippy::ref_option, reason = "the form that serde calls")]
fn write_optional<S: Serializer>(
    secret: &Option<Secret>,
    to: S,
) -> std::result::Result<S::Ok, S::Error> {
    to.serialize_str(secret.as_ref().map_or("", Secret::expose))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const FULL: &str = r#"{"access":"a","refresh":"r","expires":4102444800000,"resourceUrl":"portal.qwen.ai","notification_message":"hello"}"#;

    fn read(json: &str) -> OAuthToken {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn the_file_of_the_go_original_survives_a_round_trip() {
        for file in [
            FULL,
            r#"{"access":"qw/+=&%20<x>","refresh":"","expires":1000}"#,
        ] {
            assert_eq!(serde_json::to_string(&read(file)).unwrap(), file);
        }
    }

    #[test]
    fn unknown_members_survive_a_round_trip_at_both_levels() {
        let file = r#"{"access":"a","refresh":"r","expires":1,"llm_auth":{"provider":"qwen","later":[1]},"newer":{"x":1}}"#;
        assert_eq!(serde_json::to_string(&read(file)).unwrap(), file);
    }

    #[test]
    fn the_stored_form_can_be_read_back_and_an_unreadable_one_is_not_quoted() {
        let token = read(
            r#"{"access":"made\/up\u0026","refresh":"r","expires":1,"later":{"x":["\u002f"]}}"#,
        );
        assert_eq!(token.access.expose(), "made/up&");
        let stored = token.to_json().unwrap();
        assert_eq!(
            OAuthToken::from_json(stored.expose().as_bytes()).unwrap(),
            token
        );
        for stored in [
            r#"{"access":"made-up","expires":"#,
            r#"{"access":"made-up","expires":"made-up"}"#,
            r#"{"access":["made-up"]}"#,
        ] {
            let error = OAuthToken::from_json(stored.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert!(!format!("{error:?}").contains("made-up"), "{error:?}");
        }
    }

    #[test]
    fn a_response_that_leaves_things_out_keeps_the_old_ones() {
        let mut old = read(FULL);
        old.scope = Some("openid".into());
        old.extra.0.insert("newer".into(), Value::Bool(true));
        old.metadata.provider_data.insert("region", "cn");
        old.metadata.in_progress = old.record(Timestamp::default(), None);
        let new = OAuthToken::new("b".into(), Timestamp::from_unix_millis(7)).inheriting(&old);
        assert_eq!(new.access.expose(), "b");
        assert_eq!(new.refresh.as_ref().unwrap().expose(), "r");
        assert_eq!(new.expires_at, Some(Timestamp::from_unix_millis(7)));
        assert_eq!(new.resource_url.as_deref(), Some("portal.qwen.ai"));
        assert_eq!(new.scope.as_deref(), Some("openid"));
        assert_eq!(&new.metadata.provider_data["region"], "cn");
        assert_eq!(new.extra.0["newer"], Value::Bool(true));
        assert!(
            new.metadata.in_progress.is_none(),
            "a record is about the old token"
        );
    }

    #[test]
    fn a_token_that_never_expires_is_stored_as_the_end_of_the_year_9999() {
        let token = OAuthToken::new("made-up".into(), None);
        let file = r#"{"access":"made-up","refresh":"","expires":253402300799000}"#;
        assert_eq!(serde_json::to_string(&token).unwrap(), file);
        assert_eq!(read(file), token);
        let margin = std::time::Duration::from_secs(3600);
        assert!(token.is_fresh_for(margin, Timestamp::from_unix_millis(i64::MAX)));
    }

    #[test]
    fn a_response_that_names_things_wins() {
        let mut new = OAuthToken::new("b".into(), Timestamp::default());
        new.refresh = Some("s".into());
        new.resource_url = Some("other.example".into());
        let new = new.inheriting(&read(FULL));
        assert_eq!(new.refresh.unwrap().expose(), "s");
        assert_eq!(new.resource_url.as_deref(), Some("other.example"));
    }

    #[test]
    fn a_mark_is_about_one_refresh_token_only() {
        let mut token = read(FULL);
        token.metadata.rejected = token.record(Timestamp::default(), None);
        assert!(token.is_rejected());
        token.refresh = Some("another".into());
        assert!(!token.is_rejected());
    }

    #[test]
    fn debug_shows_no_token() {
        let token = read(
            r#"{"access":"made-up-1","refresh":"made-up-2","expires":1,"id_token":"made-up-3"}"#,
        );
        let shown = format!("{token:?}");
        assert!(!shown.contains("made-up"), "{shown}");
    }
}
