//! Which servers get the tokens of a session, recorded in it.

use super::Server;
use crate::provider::Recipients;
use crate::{Error, ErrorKind, OAuthToken, Result, SecureUrl};

/// Where a session records which servers get its tokens: a file that says otherwise later must not lead
/// them elsewhere.
pub(super) const RECIPIENTS: &str = "recipients";

/// What tokens are requested for, which is no place that they go to.
const TARGETS: [&str; 3] = ["resource", "audience", "mcp"];

impl Server {
    /// Checks that a session was issued at the token endpoint of this server, and that its tokens still
    /// go where they did then: a file that says otherwise must not lead them elsewhere.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) naming the hosts.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_oidc::provider::Endpoints;
    /// use llm_auth_oidc::{OAuthToken, SecureUrl, Server};
    ///
    /// let token = SecureUrl::known("https://auth.example/token");
    /// let session = OAuthToken::new("made-up".into(), None).issued_by(&token);
    /// assert!(Server::new("company", Endpoints::new(token)).check_issued(&session).is_ok());
    /// let other = Endpoints::new(SecureUrl::known("https://other.example/token"));
    /// assert!(Server::new("company", other).check_issued(&session).is_err());
    /// ```
    pub fn check_issued(&self, session: &OAuthToken) -> Result<()> {
        let token = &self.endpoints.token;
        let recipients = Recipients::of_provider([token.clone()]);
        recipients.permit(session, token)?;
        self.check_recorded_recipients(session)
    }

    pub(super) fn check_recorded_recipients(&self, session: &OAuthToken) -> Result<()> {
        self.check_recorded(session, |recorded| self.is_covered_by(recorded))
    }

    /// Whether credentials go only to servers that those of `before` go to, and tokens are for the same
    /// API: then a session that was made with `before` can be used with this one.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_oidc::provider::Endpoints;
    /// use llm_auth_oidc::{SecureUrl, Server};
    ///
    /// let endpoints = Endpoints::new(SecureUrl::known("https://auth.example/token"));
    /// let before = Server::new("company", endpoints);
    /// let mut server = before.clone();
    /// server.endpoints.userinfo = Some(SecureUrl::known("https://auth.example/me"));
    /// assert!(server.goes_where(&before));
    /// server.endpoints.userinfo = Some(SecureUrl::known("https://other.example/me"));
    /// assert!(!server.goes_where(&before));
    /// ```
    #[must_use]
    pub fn goes_where(&self, before: &Self) -> bool {
        self.is_covered_by(&before.recipients())
    }

    /// Whether each recipient is one that was recorded and got as much, and the tokens are for the same.
    fn is_covered_by(&self, recorded: &str) -> bool {
        self.is_for(recorded) && self.goes_to(recorded)
    }

    /// Whether tokens are requested for the same API.
    fn is_for(&self, recorded: &str) -> bool {
        TARGETS.into_iter().all(|role| {
            let mut before = entries(recorded).filter(|(known, _)| *known == role);
            let now = self.recipient_list().find(|(known, _)| *known == role);
            before.next().map(|(_, text)| text) == now.as_ref().map(|(_, text)| text.as_str())
        })
    }

    /// Whether each recipient is one that was recorded and got as much.
    fn goes_to(&self, recorded: &str) -> bool {
        self.recipient_list().all(|(role, url)| {
            let former: &[&str] = match role {
                _ if TARGETS.contains(&role) => return true,
                "token" => &["token"],
                // It gets refresh tokens.
                "revocation" => &["token", "revocation"],
                "userinfo" => &["token", "revocation", "userinfo"],
                _ => &["api"],
            };
            entries(recorded).any(|(known, at)| at == url && former.contains(&known))
        })
    }

    pub(super) fn recipients(&self) -> String {
        let named = self.recipient_list();
        let named = named.map(|(role, url)| format!("{role} {url}"));
        named.collect::<Vec<_>>().join(", ")
    }

    /// The origins of the endpoints that get tokens, the API, one audience of which is at a path, and what
    /// tokens are requested for.
    fn recipient_list(&self) -> impl Iterator<Item = (&'static str, String)> {
        let endpoints = &self.endpoints;
        let recipients = [
            ("token", Some(endpoints.token.base())),
            (
                "revocation",
                endpoints.revocation.as_ref().map(SecureUrl::base),
            ),
            ("userinfo", endpoints.userinfo.as_ref().map(SecureUrl::base)),
            ("api", endpoints.api_base.as_ref().map(ToString::to_string)),
            ("resource", self.resource.as_deref().map(one_entry)),
            ("audience", self.audience.as_deref().map(one_entry)),
            ("mcp", self.is_mcp.then(|| "server".to_owned())),
        ];
        let recipients = recipients.into_iter();
        recipients.filter_map(|(role, url)| Some((role, url?)))
    }

    /// Checks that a session goes to no other servers than when it was made, whatever its tokens are
    /// for: then it can be revoked.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) naming the hosts.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_oidc::provider::Endpoints;
    /// use llm_auth_oidc::{OAuthToken, SecureUrl, Server};
    ///
    /// let token = SecureUrl::known("https://auth.example/token");
    /// let session = OAuthToken::new("made-up".into(), None).issued_by(&token);
    /// let mut server = Server::new("company", Endpoints::new(token));
    /// server.resource = Some("https://api.example".into());
    /// assert!(server.check_hosts(&session).is_ok());
    /// ```
    pub fn check_hosts(&self, session: &OAuthToken) -> Result<()> {
        let token = &self.endpoints.token;
        Recipients::of_provider([token.clone()]).permit(session, token)?;
        self.check_recorded_hosts(session)
    }

    pub(super) fn check_recorded_hosts(&self, session: &OAuthToken) -> Result<()> {
        self.check_recorded(session, |recorded| self.goes_to(recorded))
    }

    fn check_recorded(
        &self,
        session: &OAuthToken,
        is_good: impl FnOnce(&str) -> bool,
    ) -> Result<()> {
        let recorded = session.metadata.provider_data.get(RECIPIENTS);
        if recorded.is_none_or(is_good) {
            return Ok(());
        }
        // The API may have a key in its query.
        let named = self.recipient_list();
        let named = named.map(|(role, url)| {
            let url = url.split('?').next().unwrap_or_default();
            format!("{role} {url}")
        });
        let named: Vec<_> = named.collect();
        Err(Error::new(
            ErrorKind::Config,
            format!(
                "the session was made for other servers than {} names ({}): nothing was sent; sign in \
                 again, correct the file of the server, or start this program again if that has just \
                 been done",
                self.name,
                named.join(", ")
            ),
        ))
    }
}

/// The entries of a recorded list.
fn entries(recorded: &str) -> impl Iterator<Item = (&str, &str)> {
    let entries = recorded.split(", ");
    entries.filter_map(|entry| entry.split_once(' '))
}

/// A text that a list of entries can hold.
fn one_entry(text: &str) -> String {
    text.replace(',', "%2C")
}
