//! One session as `status` shows it.

use std::time::Duration;

use llm_auth_core::store::RefreshRecord;
use llm_auth_core::{Error, OAuthToken, SessionKey, Timestamp};
use serde::Serialize;

use super::providers::Providers;
use crate::error::chain;
use crate::providers::{ProviderArgs, ProviderName};
use crate::report::{advice_for_unreadable, login_command};
use crate::session::resolve::IMPORTED_FROM;
use crate::session::selector::SessionSelector;
use crate::session::state::state_of;
use crate::session::stores::{self, SessionStore};
use crate::text::shown;
use crate::time::{length, rfc3339};
use crate::ui::symbols::arrow;

/// One session as it is stored. Nothing in it is secret.
#[derive(Default, Serialize)]
pub(super) struct Row {
    #[serde(rename = "vendor")]
    pub(super) provider: Option<String>,
    pub(super) account: String,
    store: String,
    /// `file`, `keyring` or `encrypted`.
    kind: &'static str,
    pub(super) state: &'static str,
    expires_at: Option<String>,
    expires_at_ms: Option<i64>,
    expires_in_seconds: Option<i64>,
    #[serde(skip)]
    never_expires: bool,
    scope: Option<String>,
    api_base: Option<String>,
    /// Why the endpoints of the environment are not for this session.
    pub(super) endpoints_refused: Option<String>,
    /// The API that the session names and that must not have its access token.
    api_ignored: Option<String>,
    identity: Option<String>,
    signed_in_at: Option<String>,
    #[serde(rename = "renewed_at")]
    refreshed_at: Option<String>,
    last_failure: Option<Failed>,
    clock_offset_seconds: Option<i64>,
    /// For how long the provider asked for no refresh.
    waits_seconds: Option<u64>,
    renewable: bool,
    may_be_spent: bool,
    refused: bool,
    /// The one that is meant where no account is named.
    current: bool,
    /// The program whose session this was.
    imported_from: Option<String>,
    pub(super) advice: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Why the last refresh failed.
#[derive(Serialize)]
struct Failed {
    at: Option<String>,
    reason: Option<String>,
}

impl Row {
    /// `None` where nothing is stored; a file that cannot be read is a row too, as an error.
    pub(super) fn of(
        selector: &SessionSelector,
        store: &SessionStore,
        providers: &Providers<'_>,
        key: &SessionKey,
        now: Timestamp,
    ) -> Option<Self> {
        let provider = Some(key.provider()).filter(|name| !name.is_empty());
        let row = Self {
            provider: provider.map(shown),
            account: shown(key.account()),
            current: selector.store.is_none() && providers.is_current(key),
            store: store.place(key),
            kind: stores::kind(selector),
            ..Self::default()
        };
        match store.read(key) {
            Ok(None) => None,
            Ok(Some(token)) => Some(row.filled(selector, providers, key, &token, now)),
            Err(error) => Some(row.unreadable(&error, selector)),
        }
    }

    /// For all that might be in a directory that cannot be listed.
    pub(super) fn of_unreadable_provider(provider: &str, error: &Error) -> Self {
        Self {
            provider: Some(shown(provider)),
            ..Self::default().unreadable(error, &SessionSelector::default())
        }
    }

    fn filled(
        self,
        selector: &SessionSelector,
        providers: &Providers<'_>,
        key: &SessionKey,
        token: &OAuthToken,
        now: Timestamp,
    ) -> Self {
        let metadata = &token.metadata;
        let owner = metadata.provider.as_deref().map(shown);
        let provider = owner.clone().or_else(|| self.provider.clone());
        let foreign = !key.provider().is_empty()
            && owner
                .as_deref()
                .is_some_and(|owner| owner != key.provider());
        let other_account = metadata
            .account
            .as_deref()
            .filter(|account| !key.account().is_empty() && *account != key.account());
        let has_access = !token.access.is_empty();
        let by_server = now.shifted(metadata.clock_offset_ms.unwrap_or(0));
        let expires_at = token.expires_at.filter(|_| has_access);
        let expires_in = expires_at.map(|at| {
            let left = at
                .as_unix_millis()
                .saturating_sub(by_server.as_unix_millis());
            left / 1000
        });
        let api = provider
            .as_deref()
            .map(|provider| providers.api(provider, token))
            .unwrap_or_default();
        Self {
            state: state_of(token, now),
            expires_at: expires_at.and_then(rfc3339),
            expires_at_ms: expires_at.map(Timestamp::as_unix_millis),
            expires_in_seconds: expires_in,
            never_expires: has_access && token.expires_at.is_none(),
            scope: token.scope.as_deref().map(shown),
            api_base: api.base,
            endpoints_refused: api.refused,
            api_ignored: api.ignored,
            identity: metadata.identity.as_deref().map(shown),
            signed_in_at: metadata.signed_in_at.and_then(rfc3339),
            refreshed_at: metadata.refreshed_at.and_then(rfc3339),
            last_failure: reason_of(token).map(|mark| Failed {
                at: rfc3339(mark.at),
                reason: mark.reason.as_deref().map(shown),
            }),
            clock_offset_seconds: metadata.clock_offset_ms.map(|millis| millis / 1000),
            waits_seconds: token.asked_to_wait(now).map(|wait| wait.as_secs().max(1)),
            renewable: token.refresh_token().is_ok() && !token.is_rejected(),
            may_be_spent: token.may_be_spent(),
            refused: token.is_rejected(),
            imported_from: metadata.provider_data.get(IMPORTED_FROM).map(shown),
            advice: advice(selector, key, token, now),
            error: match other_account {
                Some(account) => Some(format!(
                    "the stored session belongs to the account {}",
                    shown(account)
                )),
                None => foreign.then(|| {
                    format!(
                        "the stored session belongs to {}",
                        owner.unwrap_or_default()
                    )
                }),
            },
            provider,
            ..self
        }
    }

    fn unreadable(self, error: &Error, selector: &SessionSelector) -> Self {
        Self {
            state: "unreadable",
            error: Some(chain(error)),
            advice: Some(advice_for_unreadable(error, selector).into()),
            ..self
        }
    }

    /// Why no command uses it, although it can be read.
    pub(super) fn why_unusable(&self) -> Option<&str> {
        let is_elsewhere = self.error.as_ref().filter(|_| self.state != "unreadable");
        self.endpoints_refused
            .as_ref()
            .or(is_elsewhere)
            .map(String::as_str)
    }

    /// The row for a user.
    pub(super) fn lines(&self) -> Vec<String> {
        let provider = self
            .provider
            .as_deref()
            .unwrap_or("(provider not recorded)");
        let mut head = provider.to_owned();
        if !self.account.is_empty() {
            head.push_str(&format!("  {}", self.account));
        }
        if self.current {
            head.push_str("  (current)");
        }
        if let Some(identity) = &self.identity {
            head.push_str(&format!("  {identity}"));
        }
        let mut lines = vec![head];
        let mut say = |name: &str, text: &str| lines.push(format!("  {name:<13} {text}"));
        match &self.error {
            Some(error) if self.state == "unreadable" => say(self.state, error),
            Some(error) => say("warning", error),
            None => say(self.state, &self.expiry()),
        }
        if let Some(at) = &self.signed_in_at {
            let from = self.imported_from.as_ref();
            let from = from.map(|name| format!(", imported from {name}"));
            say("signed in", &format!("{at}{}", from.unwrap_or_default()));
        }
        if let Some(at) = &self.refreshed_at {
            say("refreshed", at);
        }
        if let Some(failed) = &self.last_failure {
            let at = failed.at.as_deref().unwrap_or("at an unknown time");
            let reason = failed.reason.as_deref().unwrap_or("no reason recorded");
            say("last refresh", &format!("failed, {at}: {reason}"));
        }
        if self.may_be_spent {
            say(
                "warning",
                "a refresh was interrupted: its refresh token may already be consumed",
            );
        }
        if let Some(seconds) = self.clock_offset_seconds {
            let apart = length(Duration::from_secs(seconds.unsigned_abs()));
            let way = if seconds < 0 { "ahead of" } else { "behind" };
            let text = format!("the clock of this computer is {apart} {way} the provider's");
            say("clock", &text);
        }
        if let Some(base) = &self.api_base {
            // Some MCP servers have a key in it.
            say("API", base.split('?').next().unwrap_or_default());
        }
        for careful in [&self.endpoints_refused, &self.api_ignored]
            .into_iter()
            .flatten()
        {
            say("warning", careful);
        }
        match self.kind {
            "keyring" => say("stored in", &format!("the keyring, by {}", self.store)),
            "encrypted" => say("stored in", &format!("{} (encrypted)", self.store)),
            _ => say("stored in", &self.store),
        }
        if let Some(advice) = &self.advice {
            lines.push(format!("  {} {advice}", arrow()));
        }
        lines
    }

    /// How long the access token lives, and what comes then.
    fn expiry(&self) -> String {
        if self.never_expires {
            return "the access token does not expire".to_owned();
        }
        let Some(seconds) = self.expires_in_seconds else {
            return "no access token yet; the next `token` obtains one".to_owned();
        };
        let at = self.expires_at.as_deref().unwrap_or("an out-of-range date");
        let time = length(Duration::from_secs(seconds.unsigned_abs()));
        let when = match (self.state, seconds >= 0) {
            ("valid", _) => format!("for {time}, until {at}"),
            (_, true) => format!("the access token expires in {time}, at {at}"),
            (_, false) => format!("the access token expired {time} ago, at {at}"),
        };
        let then = match (self.refused, self.renewable) {
            (true, _) => "the provider rejected its refresh token",
            (_, true) if self.state == "valid" => "then refreshed on demand",
            (_, true) if self.waits_seconds.is_some() => {
                "the provider asked to wait; `--force-refresh` ignores this"
            }
            (_, true) => "the next `token` refreshes it",
            _ => "it cannot be refreshed",
        };
        format!("{when}; {then}")
    }
}

/// Why the last refresh failed: the refusal that ended it goes before what passes.
fn reason_of(token: &OAuthToken) -> Option<&RefreshRecord> {
    let refused = token
        .metadata
        .rejected
        .as_deref()
        .filter(|_| token.is_rejected());
    refused.or(token.metadata.last_failure.as_deref())
}

/// What the user should do, if anything.
fn advice(
    selector: &SessionSelector,
    key: &SessionKey,
    token: &OAuthToken,
    now: Timestamp,
) -> Option<String> {
    if token.metadata.copied_from.is_some() {
        return Some("run the same `llm-auth migrate` again, which ends the move".to_owned());
    }
    let is_over = ["expired", "refused"].contains(&state_of(token, now));
    if !is_over && !token.is_rejected() {
        return None;
    }
    let noted = token.metadata.provider.as_deref();
    let provider = ProviderName::from_name(noted.unwrap_or_else(|| key.provider()))?;
    let account = Some(key.account().to_owned()).filter(|name| !name.is_empty());
    let session = SessionSelector {
        account: account.filter(|_| selector.store.is_none()),
        store: selector.store.clone(),
    };
    Some(format!(
        "sign in again with `{}`",
        login_command(Some(provider), &session, &ProviderArgs::default())
    ))
}
