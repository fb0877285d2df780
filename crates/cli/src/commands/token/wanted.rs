//! A token that is good for what a caller wants: stored, refreshed, or checked at the API.

use std::time::Duration;

use clap::Args;
use llm_auth_core::{
    ApiStatus, AuthManager, Clock as _, DEFAULT_EXPIRY_MARGIN, ErrorKind, OAuthToken, Secret,
    SessionKey, SystemClock,
};

use super::verdicts::{Verdict, Verdicts};
use crate::args::SessionArgs;
use crate::error::Failure;
use crate::providers::{ProviderArgs, Stored};
use crate::report::login_command;
use crate::session::runtime;
use crate::session::stores::SessionStore;
use crate::text;
use crate::time;
use crate::ui::streams;

/// What is wanted of a token, by `token` and `exec` alike.
#[derive(Args, Clone, Debug)]
pub(crate) struct Wanted {
    #[command(flatten)]
    pub(crate) session: SessionArgs,

    #[command(flatten)]
    pub(crate) provider_args: ProviderArgs,

    /// How long the token must remain valid [default: 60].
    #[arg(long, value_name = "SECONDS", value_parser = time::seconds, allow_negative_numbers = true)]
    min_validity: Option<Duration>,

    /// Refresh the token now, because the API rejected the stored one. A caller that knows the
    /// rejected token names it with `token --refused -` instead.
    #[arg(long)]
    force_refresh: bool,

    /// Ask the API whether it accepts the token, and refresh the token if it does not, for a program
    /// that does not pass a rejected token back. The response counts for 3 seconds, for all
    /// processes.
    #[arg(long, conflicts_with = "force_refresh")]
    verify: bool,

    /// The limit for each request to the provider, and for the refresh of another process
    /// [default: 20 and 60].
    #[arg(long, value_name = "SECONDS", value_parser = time::seconds, allow_negative_numbers = true)]
    pub(crate) timeout: Option<Duration>,

    /// Whether the same is wanted again and again, so that nothing is printed about it.
    #[arg(skip)]
    is_kept: bool,
}

impl Wanted {
    /// The same for a caller that wants it again and again.
    pub(crate) fn kept(&self, min_validity: Duration) -> Result<Self, Failure> {
        if self.force_refresh {
            return Err(Failure::Usage(
                "--force-refresh is for one call: --verify replaces a token that the API refuses"
                    .into(),
            ));
        }
        let mut kept = self.clone();
        kept.is_kept = true;
        kept.min_validity.get_or_insert(min_validity);
        Ok(kept)
    }

    /// An API key that was deleted, say.
    fn refused_for_good(&self, key: &SessionKey) -> Failure {
        let provider = Some(self.session.provider);
        let login = login_command(provider, &self.session.selector, &self.provider_args);
        Failure::NotUsable {
            message: format!("{key}: the API refuses the access token, which cannot be refreshed"),
            advice: format!("sign in again with `{login}`"),
        }
    }

    fn say(&self, text: &str) {
        match self.is_kept {
            true => tracing::debug!("{text}"),
            false => streams::say(&format!("llm-auth: {text}")),
        }
    }

    /// The session, refreshed and stored if need be.
    ///
    /// A `refused` token is refreshed if it is still the stored one.
    pub(crate) fn get(
        &self,
        refused: Option<&Secret>,
    ) -> Result<(SessionKey, OAuthToken), Failure> {
        let SessionArgs { provider, selector } = &self.session;
        provider.check_hand_out()?;
        let stored = Stored::read(*provider, selector, &self.provider_args, self.timeout)?;
        let session = stored.session()?;
        let is_refused = refused == Some(&session.access);
        if !self.force_refresh
            && !is_refused
            && self.is_good_enough(session)
            && (!self.verify || Verdicts::of(stored.key.provider()).are_settled(&session.access))
        {
            tracing::debug!(key = %stored.key, "the stored token is valid; nothing is sent");
            return self.handed_out(stored.key.clone(), session.clone());
        }
        let configured = stored.configured(&self.provider_args)?;
        let manager = stored.manager(configured).build();
        let (store, key) = (&stored.store, &stored.key);
        let renewed_before = refreshed_at(store, key);
        let interrupted = || {
            if refreshed_at(store, key) == renewed_before {
                "interrupted; nothing was changed".to_owned()
            } else {
                format!(
                    "interrupted; the refreshed session is stored in {}",
                    store.place(key)
                )
            }
        };
        let token = runtime::run(
            || vec![manager.clone()],
            self.obtain(&manager, is_refused.then_some(session)),
            interrupted,
        )?;
        self.handed_out(key.clone(), token)
    }

    /// The token, if a header may hold it: what a file holds may be anything.
    fn handed_out(
        &self,
        key: SessionKey,
        token: OAuthToken,
    ) -> Result<(SessionKey, OAuthToken), Failure> {
        self.check(&key, &token)?;
        if time::has_expired(&token) {
            self.say(&time::expired_on_arrival(&token));
        } else {
            self.say_if_short(&token);
        }
        match token.bearer() {
            Ok(_fit) => Ok((key, token)),
            Err(error) => Err(error.with_session(&key).into()),
        }
    }

    /// Whether nothing needs to be done: no runtime, no HTTP client, no TLS.
    fn is_good_enough(&self, stored: &OAuthToken) -> bool {
        let now = SystemClock.now();
        match self.min_validity {
            None => stored.is_fresh_for(DEFAULT_EXPIRY_MARGIN, now),
            Some(minimum) => stored.lasts(minimum, now),
        }
    }

    /// A token of a damaged or strange file is not handed to a terminal, a program or a header.
    fn check(&self, key: &SessionKey, token: &OAuthToken) -> Result<(), Failure> {
        let Some(why) = text::not_a_token(token.access.expose()) else {
            return Ok(());
        };
        Err(Failure::Config {
            message: format!("{key}: the stored access token {why}"),
            advice: format!(
                "sign in again with `{}`",
                login_command(
                    Some(self.session.provider),
                    &self.session.selector,
                    &self.provider_args
                )
            ),
        })
    }

    /// A provider may give no token that lives as long as is wanted.
    fn say_if_short(&self, token: &OAuthToken) {
        let now = SystemClock.now();
        if let Some(minimum) = self.min_validity
            && !token.is_valid_for(minimum, now)
        {
            self.say(&format!(
                "{} does not issue tokens valid for {}; this one is valid for {}",
                self.session.provider.title(),
                time::length(minimum),
                time::length(token.expires_in(now))
            ));
        }
    }

    async fn obtain(
        &self,
        manager: &AuthManager,
        refused: Option<&OAuthToken>,
    ) -> Result<OAuthToken, Failure> {
        let token = if self.force_refresh {
            manager.refresh().await?
        } else if let Some(refused) = refused {
            manager.invalidate(refused).await?
        } else if let Some(minimum) = self.min_validity {
            manager.token_valid_for(minimum).await?
        } else {
            manager.token().await?
        };
        match self.verify {
            true => self.verified(manager, &token).await,
            false => Ok((*token).clone()),
        }
    }

    /// The token, or its successor if the API refuses it.
    async fn verified(
        &self,
        manager: &AuthManager,
        token: &OAuthToken,
    ) -> Result<OAuthToken, Failure> {
        if self
            .judged(manager, token, Verdict::Refused)
            .await?
            .is_settled()
        {
            return Ok(token.clone());
        }
        if token.refresh.is_none() {
            return Err(self.refused_for_good(manager.key()));
        }
        let fresh = manager.invalidate(token).await?;
        let refused = Verdict::RefusedFresh;
        if self.judged(manager, &fresh, refused).await? == refused {
            self.say("the API refuses even a fresh access token");
        }
        Ok((*fresh).clone())
    }

    /// What the API says of a token, once for all processes; `refused` if it refuses it.
    async fn judged(
        &self,
        manager: &AuthManager,
        token: &OAuthToken,
        refused: Verdict,
    ) -> Result<Verdict, Failure> {
        let verdicts = Verdicts::of(manager.key().provider());
        // A server may return the same access token after a refresh. That it was refused before says
        // nothing of the refresh, and would have the next call refresh once more.
        let known = || {
            let verdict = verdicts.recent(&token.access);
            verdict.filter(|verdict| verdict.is_settled() || *verdict == refused)
        };
        if let Some(verdict) = known() {
            return Ok(verdict);
        }
        let _turn = verdicts.turn().await;
        // The process that had its turn before may have asked about this token.
        if let Some(verdict) = known() {
            return Ok(verdict);
        }
        let verdict = match self.asked(manager, token).await? {
            Verdict::Refused => refused,
            verdict => verdict,
        };
        verdicts.remember(&token.access, verdict);
        Ok(verdict)
    }

    /// What the API says of a token now. A blip must not take a token away that may be good.
    async fn asked(&self, manager: &AuthManager, token: &OAuthToken) -> Result<Verdict, Failure> {
        match manager.provider().check_access(token).await {
            Ok(Some(ApiStatus::RefreshNeeded)) => return Ok(Verdict::Refused),
            Ok(Some(ApiStatus::Transient)) => {
                self.say("the API is not available, so the token was not verified");
            }
            Ok(Some(_accepted)) => return Ok(Verdict::Accepted),
            Ok(None) => {
                let title = self.session.provider.title();
                self.say(&format!(
                    "there is no request that verifies a token of {title}"
                ));
            }
            Err(error) if error.kind() == ErrorKind::Config => {
                return Err(error.with_session(manager.key()).into());
            }
            Err(error) => self.say(&format!("the token was not verified: {error}")),
        }
        Ok(Verdict::Unknown)
    }
}

fn refreshed_at(store: &SessionStore, key: &SessionKey) -> Option<i64> {
    let at = store.read(key).ok().flatten()?.metadata.refreshed_at?;
    Some(at.as_unix_millis())
}
