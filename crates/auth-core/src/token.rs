//! A session as it is stored and handed out.

mod lenient;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::clock::{self, TOLERANCE_MS, Timestamp};
use crate::error::{Error, ErrorKind, Result};
use crate::json;
use crate::sanitize::{clean, is_header_value};
use crate::secret::Secret;
use crate::secure_url::SecureUrl;
use crate::session::SessionKey;

/// What is said of an access token that cannot be sent.
pub(crate) const NO_BEARER: &str = "the access token holds a character that no HTTP header may have (a line break, a control character): sign in again";

/// One signed-in account: its access token and what it takes to keep it.
///
/// The JSON form is that of gochat's token file (`access`, `refresh`, `expires` in Unix
/// milliseconds, `resourceUrl`, `notification_message`), so a Go program and this crate can
/// share one file. A missing refresh token is the empty string there. Only `access` and
/// `expires` must be there; `expires` may have a fraction or be a string of digits. Members that
/// this version does not know, or that have another type than it knows, stay in
/// [`extra`](Self::extra) and are written back.
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
    /// When the access token expires.
    #[serde(rename = "expires", deserialize_with = "lenient::millis")]
    pub expires_at: Timestamp,
    /// The API host that the vendor named for this token (Qwen, MiniMax), as it was sent.
    #[serde(
        default,
        rename = "resourceUrl",
        skip_serializing_if = "Option::is_none"
    )]
    pub resource_url: Option<String>,
    /// A message of the vendor for the person (MiniMax).
    #[serde(
        default,
        rename = "notification_message",
        skip_serializing_if = "Option::is_none"
    )]
    pub notification: Option<String>,
    /// The scope that was granted, where the server said so (RFC 6749 section 5.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// What llm-auth itself remembers about the session.
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

/// What is remembered beside the tokens: whose they are, and how the last refresh went.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
#[serde(default, remote = "Self")]
pub struct SessionMetadata {
    /// The provider that the session belongs to. A token file of one vendor is never sent to
    /// another (RFC 6749 section 10.4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The account name under which the session is stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Who it is, as the vendor says (an e-mail address), where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// The origin of the token endpoint that issued the session; host and port alone where an older
    /// version wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// What the provider needs to refresh this session: its region, its client id.
    #[serde(rename = "context", skip_serializing_if = "BTreeMap::is_empty")]
    pub provider_data: BTreeMap<String, String>,
    /// The secret of the OAuth client that the refresh token is bound to, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<Secret>,
    /// How far the server's clock was ahead of ours at the last answer, in milliseconds; absent
    /// if less than half a minute. The expiry is by the server's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_offset_ms: Option<i64>,
    /// When the person signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_in_at: Option<Timestamp>,
    /// When it was last refreshed.
    #[serde(rename = "renewed_at", skip_serializing_if = "Option::is_none")]
    pub refreshed_at: Option<Timestamp>,
    /// Why the last refresh failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<Box<RefreshRecord>>,
    /// A refresh that has begun and is not known to have ended.
    #[serde(rename = "intent", skip_serializing_if = "Option::is_none")]
    pub in_progress: Option<Box<RefreshRecord>>,
    /// The rejection of a refresh token.
    #[serde(rename = "refused", skip_serializing_if = "Option::is_none")]
    pub rejected: Option<Box<RefreshRecord>>,
    /// Members that this version does not know.
    #[serde(flatten)]
    pub extra: UnknownMembers,
}

/// JSON members that this version does not know: kept, written back, never shown, wiped on drop,
/// since nobody knows whether they are secret.
#[derive(Clone, Default, Deserialize, PartialEq, Serialize)]
#[serde(transparent)]
pub struct UnknownMembers(pub Map<String, Value>);

/// A remark about one refresh token, known by its fingerprint: it says nothing of any other.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RefreshRecord {
    /// [`Secret::fingerprint`] of the refresh token that is meant.
    pub refresh_fingerprint: String,
    /// When the remark was made.
    pub at: Timestamp,
    /// What the server said, cleaned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Until when the server asked for no further request (`Retry-After`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// [`Secret::fingerprint`] of the access token, if an API has rejected that as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_fingerprint: Option<String>,
    /// Whether the server has not rejected the refresh token but spent it: its response had a 2xx
    /// status and could not be read. Only [`AuthManager::refresh`](crate::AuthManager::refresh),
    /// which a user demands, sends the token once more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unread: bool,
}

impl RefreshRecord {
    pub(crate) fn new(refresh_fingerprint: String, at: Timestamp) -> Self {
        Self {
            refresh_fingerprint,
            at,
            reason: None,
            until: None,
            access_fingerprint: None,
            unread: false,
        }
    }
}

impl OAuthToken {
    /// A token with nothing but an access token and its expiry; the other members are public.
    #[must_use]
    pub fn new(access: Secret, expires_at: Timestamp) -> Self {
        Self {
            access,
            refresh: None,
            expires_at,
            resource_url: None,
            notification: None,
            scope: None,
            metadata: SessionMetadata::default(),
            extra: UnknownMembers::default(),
        }
    }

    /// The stored form, as it stands in a token file: JSON in a buffer of its size, wiped on drop.
    ///
    /// A serializer that writes into a buffer that grows leaves copies of the tokens in memory.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`] if the session cannot be written as JSON.
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
    /// [`ErrorKind::Corrupt`] naming the line and column, and nothing of the content.
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

    /// Whether the access token is still good `margin` from `now`, which is by our clock.
    #[must_use]
    #[inline]
    pub fn is_valid_for(&self, margin: Duration, now: Timestamp) -> bool {
        !self.access.is_empty() && self.server_time(now).after(margin) < self.expires_at
    }

    /// How long the access token is good from `now`, which is by our clock.
    #[must_use]
    #[inline]
    pub fn expires_in(&self, now: Timestamp) -> Duration {
        self.expires_at.since(self.server_time(now))
    }

    /// An instant of our clock by the server's.
    #[inline]
    fn server_time(&self, ours: Timestamp) -> Timestamp {
        ours.shifted(self.metadata.clock_offset_ms.unwrap_or(0))
    }

    /// Whether no refresh is due at `now` if a caller wants `margin`.
    ///
    /// A token that lives shorter than twice the margin would else be refreshed at every call:
    /// for it, half the life that it was given counts.
    #[must_use]
    #[inline]
    pub fn is_fresh_for(&self, margin: Duration, now: Timestamp) -> bool {
        // The path of every request, so in whole milliseconds.
        let margin = clock::millis(margin);
        let margin = self
            .obtained_at()
            .map_or(margin, |at| margin.min(self.millis_left(at).max(0) / 2));
        !self.access.is_empty() && self.millis_left(now) > margin && !self.is_doubtful(now)
    }

    /// How long the access token is good from `now`, which is by our clock; below zero if it has
    /// expired.
    #[inline]
    fn millis_left(&self, now: Timestamp) -> i64 {
        let server_time = self.server_time(now).as_unix_millis();
        self.expires_at.as_unix_millis().saturating_sub(server_time)
    }

    /// Whether the access token is good for `minimum`, or, where the vendor's tokens never
    /// live that long, for half the life that it was given.
    #[must_use]
    pub fn lasts(&self, minimum: Duration, now: Timestamp) -> bool {
        (match self.lifetime() {
            Some(life) if life <= minimum => self.is_valid_for(life / 2, now),
            _ => self.is_valid_for(minimum, now),
        }) && !self.is_doubtful(now)
    }

    /// The life that the access token was given, where we know when we got it.
    #[inline]
    fn lifetime(&self) -> Option<Duration> {
        Some(self.expires_in(self.obtained_at()?))
    }

    #[inline]
    fn obtained_at(&self) -> Option<Timestamp> {
        self.metadata.refreshed_at.or(self.metadata.signed_in_at)
    }

    /// Whether the expiry that is noted cannot be relied on although it lies ahead, and a refresh
    /// can bring another: an API has rejected the access token, or our clock was ahead when the
    /// token was obtained and has been set right since.
    #[inline]
    pub(crate) fn is_doubtful(&self, now: Timestamp) -> bool {
        let clock_was_ahead = self
            .obtained_at()
            .is_some_and(|at| at > now.shifted(TOLERANCE_MS));
        clock_was_ahead && self.refresh.is_some()
            || self.metadata.rejected.is_some() && self.is_access_rejected()
    }

    /// The access token, fit for an `Authorization` header.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`] if it holds a line break or another character that no header may
    /// have: a file was changed by hand, or written by another program.
    pub fn bearer(&self) -> Result<&Secret> {
        if is_header_value(self.access.expose()) {
            Ok(&self.access)
        } else {
            Err(Error::new(ErrorKind::Corrupt, NO_BEARER))
        }
    }

    /// The refresh token.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotSignedIn`] if the session has none.
    pub fn refresh_token(&self) -> Result<&Secret> {
        self.refresh.as_ref().ok_or_else(|| {
            Error::new(
                ErrorKind::NotSignedIn,
                "the access token is over, and the session has no refresh token",
            )
        })
    }

    /// Takes over what the answer to a refresh left out.
    ///
    /// The one place that merges: a refresh token, an API host, a scope or a message that the
    /// answer does not name stays as it was (RFC 6749 section 6: "the authorization server MAY
    /// issue a new refresh token").
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
        for (name, value) in &old.provider_data {
            metadata
                .provider_data
                .entry(name.clone())
                .or_insert_with(|| value.clone());
        }
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
    /// [`Recipients`](crate::Recipients) sends it nowhere else.
    #[must_use]
    pub fn issued_by(mut self, token_endpoint: &SecureUrl) -> Self {
        self.metadata.server = Some(token_endpoint.base());
        self
    }

    /// A remark about the refresh token that this session holds now.
    pub(crate) fn mark(&self, at: Timestamp, reason: Option<String>) -> Option<Box<RefreshRecord>> {
        let refresh = self.refresh.as_ref()?;
        let mut mark = RefreshRecord::new(refresh.fingerprint(), at);
        mark.reason = reason;
        Some(Box::new(mark))
    }

    /// Whether this is the same session in the same generation, whatever is noted beside.
    pub(crate) fn has_same_tokens(&self, other: &Self) -> bool {
        self.access == other.access && self.refresh == other.refresh
    }

    /// Checks that it is the session of this provider and account, as far as it says. A credential
    /// goes only to the server that it is from (RFC 6749 section 10.4), and to no other account.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] that names `place`, where it is stored, and whose it is.
    pub fn check_owner(&self, key: &SessionKey, place: impl FnOnce() -> String) -> Result<()> {
        let metadata = &self.metadata;
        let owners = [
            (&metadata.provider, key.provider(), ""),
            (&metadata.account, key.account(), "the account "),
        ];
        let other = owners.into_iter().find_map(|(noted, ours, what)| {
            let noted = noted.as_deref().filter(|noted| *noted != ours)?;
            Some(format!("{what}{}", clean(noted, 80, &[])))
        });
        match other {
            None => Ok(()),
            Some(other) => Err(Error::new(
                ErrorKind::Config,
                format!(
                    "{} holds a session of {other}; use a file of its own for each session",
                    place()
                ),
            )
            .with_foreign_session()
            .with_session(key)),
        }
    }

    /// How long from `now` the server asked for no refresh of this session; `None` if it did not.
    #[must_use]
    pub fn asked_to_wait(&self, now: Timestamp) -> Option<Duration> {
        let failure = self.metadata.last_failure.as_deref();
        let failure = failure.filter(|mark| self.is_marked(Some(mark)))?;
        // A mark from a clock that was ahead is not believed.
        let wait = failure.until?.since(now);
        (!wait.is_zero() && failure.at <= now.shifted(TOLERANCE_MS)).then_some(wait)
    }

    /// Whether the refresh token is marked for a response that could not be read, not for one that
    /// rejects it.
    pub(crate) fn is_unread(&self) -> bool {
        self.metadata
            .rejected
            .as_deref()
            .is_some_and(|mark| mark.unread)
    }

    /// Whether the server has rejected the refresh token and an API the access token, so that
    /// nothing of the session is of use.
    #[must_use]
    pub fn is_access_rejected(&self) -> bool {
        let rejection = self.metadata.rejected.as_deref();
        let Some(access) = rejection.and_then(|mark| mark.access_fingerprint.as_deref()) else {
            return false;
        };
        self.is_marked(rejection) && access == self.access.fingerprint()
    }

    /// Whether the server has refused the refresh token that this session holds now.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.is_marked(self.metadata.rejected.as_deref())
    }

    /// Whether a refresh with this very refresh token began and is not known to have ended,
    /// so that the token may be spent.
    #[must_use]
    pub fn may_be_spent(&self) -> bool {
        self.is_marked(self.metadata.in_progress.as_deref())
    }

    fn is_marked(&self, mark: Option<&RefreshRecord>) -> bool {
        match (mark, &self.refresh) {
            (Some(mark), Some(refresh)) => mark.refresh_fingerprint == refresh.fingerprint(),
            _ => false,
        }
    }
}

impl Drop for UnknownMembers {
    fn drop(&mut self) {
        self.0.values_mut().for_each(json::wipe);
    }
}

impl fmt::Debug for UnknownMembers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl SessionMetadata {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn read_optional<'de, D: Deserializer<'de>>(
    from: D,
) -> std::result::Result<Option<Secret>, D::Error> {
    Ok(Option::<Secret>::deserialize(from)?.filter(|secret| !secret.is_empty()))
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
    use super::*;
    use crate::grant::TokenResponse;

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
    fn an_answer_that_leaves_things_out_keeps_the_old_ones() {
        let mut old = read(FULL);
        old.scope = Some("openid".into());
        old.extra.0.insert("newer".into(), Value::Bool(true));
        old.metadata
            .provider_data
            .insert("region".into(), "cn".into());
        old.metadata.in_progress = old.mark(Timestamp::default(), None);
        let new = OAuthToken::new("b".into(), Timestamp::from_unix_millis(7)).inheriting(&old);
        assert_eq!(new.access.expose(), "b");
        assert_eq!(new.refresh.as_ref().unwrap().expose(), "r");
        assert_eq!(new.expires_at.as_unix_millis(), 7);
        assert_eq!(new.resource_url.as_deref(), Some("portal.qwen.ai"));
        assert_eq!(new.scope.as_deref(), Some("openid"));
        assert_eq!(new.metadata.provider_data["region"], "cn");
        assert_eq!(new.extra.0["newer"], Value::Bool(true));
        assert!(
            new.metadata.in_progress.is_none(),
            "a mark is about the old token"
        );
    }

    #[test]
    fn an_answer_that_names_things_wins() {
        let mut new = OAuthToken::new("b".into(), Timestamp::default());
        new.refresh = Some("s".into());
        new.resource_url = Some("other.example".into());
        let new = new.inheriting(&read(FULL));
        assert_eq!(new.refresh.unwrap().expose(), "s");
        assert_eq!(new.resource_url.as_deref(), Some("other.example"));
    }

    #[test]
    fn validity_ends_at_the_very_millisecond() {
        let token = OAuthToken::new("a".into(), Timestamp::from_unix_millis(61_000));
        let margin = Duration::from_secs(60);
        assert!(token.is_valid_for(margin, Timestamp::from_unix_millis(999)));
        assert!(!token.is_valid_for(margin, Timestamp::from_unix_millis(1_000)));
    }

    #[test]
    fn a_clock_that_is_wrong_by_hours_or_years_is_reckoned_with() {
        let true_now = Timestamp::from_unix_millis(1_800_000_000_000);
        for wrong_by_hours in [1, -1, 87_600, -87_600] {
            let ours = true_now.shifted(wrong_by_hours * 3_600_000);
            let mut answer = TokenResponse {
                access: "a".into(),
                refresh: None,
                expires_in: Duration::from_secs(600),
                expires_at: None,
                server_time: Some(true_now),
                scope: None,
                resource_url: None,
                notification: None,
            };
            let relative = answer.clone().into_token(ours);
            assert_eq!(
                relative.expires_at,
                true_now.after(Duration::from_secs(600))
            );
            answer.expires_at = Some(relative.expires_at);
            for token in [relative, answer.into_token(ours)] {
                assert!(token.is_valid_for(Duration::from_secs(599), ours));
                assert!(!token.is_valid_for(Duration::from_secs(600), ours));
                let ahead = -wrong_by_hours * 3_600_000;
                assert_eq!(token.metadata.clock_offset_ms, Some(ahead));
            }
        }
    }

    #[test]
    fn a_mark_is_about_one_refresh_token_only() {
        let mut token = read(FULL);
        token.metadata.rejected = token.mark(Timestamp::default(), None);
        assert!(token.is_refused());
        token.refresh = Some("another".into());
        assert!(!token.is_refused());
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
