//! `llm-auth token`.

use std::time::Duration;

use clap::Args;
use llm_auth_core::{
    AuthManager, Clock as _, DEFAULT_EXPIRY_MARGIN, Error, ErrorKind, FileTokenStore, OAuthToken,
    SessionKey, SystemClock,
};
use serde_json::{Map, json};

use super::SessionArgs;
use crate::exit::{Failure, login_command};
use crate::output::{self, VERSION};
use crate::time::rfc3339;
use crate::vendor::{Provider, ProviderArgs, reader, trust};
use crate::{accounts, signals, store, text, time};

#[derive(Args, Debug)]
pub(crate) struct TokenArgs {
    #[command(flatten)]
    pub(crate) wanted: Wanted,

    /// Write one JSON object with the token, its expiry, and what an API call needs.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What is wanted of a token, by `token` and `exec` alike.
#[derive(Args, Debug)]
pub(crate) struct Wanted {
    #[command(flatten)]
    pub(crate) session: SessionArgs,

    #[command(flatten)]
    pub(crate) provider: ProviderArgs,

    /// How long the token must still be good [default: 60].
    #[arg(long, value_name = "SECONDS", value_parser = time::seconds)]
    min_validity: Option<Duration>,

    /// Refresh it now: the API refused the stored one.
    #[arg(long)]
    force_refresh: bool,

    /// The longest time for one request to the vendor, and for another process's refresh [default:
    /// 20 and 60].
    #[arg(long, value_name = "SECONDS", value_parser = time::seconds)]
    timeout: Option<Duration>,
}

pub(crate) fn run(args: &TokenArgs) -> Result<(), Failure> {
    let (key, token) = args.wanted.get()?;
    answer(args, &key, &token)
}

impl Wanted {
    /// The session, refreshed and stored if need be.
    pub(crate) fn get(&self) -> Result<(SessionKey, OAuthToken), Failure> {
        self.session.vendor.check_flags(&self.provider)?;
        let mut store = store::open(&self.session.place)?;
        let key = accounts::meant(&self.session, &store)?;
        if let Some(timeout) = self.timeout {
            store = store.lock_wait(timeout);
        }
        let vendor = self.session.vendor;
        let stored = store.read(&key).map_err(|error| error.with_session(&key))?;
        if let Some(session) = &stored {
            session.check_owner(&key, || store.path(&key).display().to_string())?;
            trust::check_session(vendor, &self.provider, &key, session)?;
        }
        if !self.force_refresh
            && good_enough(stored.as_ref(), &key, self.min_validity)?
            && let Some(token) = stored.clone()
        {
            tracing::debug!(%key, "what is stored is good enough; nothing is sent");
            self.check(&key, &token)?;
            self.say_if_short(&token);
            return fit_to_send(key, token);
        }
        let provider = vendor.provider_for_stored(&self.provider, self.timeout)?;
        if let Some(session) = &stored {
            reader::check_refresh(&provider, &self.provider.trust, &key, session)?;
        }
        let manager = provider
            .manager()
            .store(store.clone())
            .account(key.account())
            .call_limit(signals::call_limit(self.timeout))
            .build();
        let renewed_before = refreshed_at(&store, &key);
        let interrupted = || {
            if refreshed_at(&store, &key) == renewed_before {
                "interrupted; nothing was changed".to_owned()
            } else {
                let file = store.path(&key);
                format!(
                    "interrupted; the renewed session is stored in {}",
                    file.display()
                )
            }
        };
        let token = signals::run(|| vec![manager.clone()], self.obtain(&manager), interrupted)?;
        self.check(&key, &token)?;
        if time::has_expired(&token) {
            output::say(&format!("llm-auth: {}", time::expired_on_arrival(&token)));
        } else {
            self.say_if_short(&token);
        }
        fit_to_send(key, token)
    }

    /// A token of a damaged or strange file is not handed to a terminal, a program or a header.
    fn check(&self, key: &SessionKey, token: &OAuthToken) -> Result<(), Failure> {
        let Some(why) = text::not_a_token(token.access.expose()) else {
            return Ok(());
        };
        Err(Failure::Config {
            message: format!("{key}: the access token that is stored {why}"),
            advice: format!("sign in again with `{}`", login_command(&self.session)),
        })
    }

    /// A vendor may give no token that lives as long as is wanted.
    fn say_if_short(&self, token: &OAuthToken) {
        let now = SystemClock.now();
        if let Some(minimum) = self.min_validity
            && !token.is_valid_for(minimum, now)
        {
            output::say(&format!(
                "llm-auth: {}'s tokens do not live for {}; this one is good for {}",
                self.session.vendor.title(),
                time::length(minimum),
                time::length(token.expires_in(now))
            ));
        }
    }

    async fn obtain(&self, manager: &AuthManager) -> Result<OAuthToken, Failure> {
        let token = if self.force_refresh {
            manager.refresh().await?
        } else if let Some(minimum) = self.min_validity {
            manager.token_valid_for(minimum).await?
        } else {
            manager.token().await?
        };
        Ok((*token).clone())
    }
}

/// The token, if a header may hold it: what a file holds may be anything.
fn fit_to_send(key: SessionKey, token: OAuthToken) -> Result<(SessionKey, OAuthToken), Failure> {
    match token.bearer() {
        Ok(_fit) => Ok((key, token)),
        Err(error) => Err(error.with_session(&key).into()),
    }
}

/// The stored session, if nothing needs to be done: no runtime, no HTTP client, no TLS.
fn good_enough(
    stored: Option<&OAuthToken>,
    key: &SessionKey,
    minimum: Option<Duration>,
) -> Result<bool, Failure> {
    let stored = stored.ok_or_else(|| {
        Error::new(ErrorKind::NotSignedIn, "nobody is signed in").with_session(key)
    })?;
    let now = SystemClock.now();
    Ok(match minimum {
        None => stored.is_fresh_for(DEFAULT_EXPIRY_MARGIN, now),
        Some(minimum) => stored.lasts(minimum, now),
    })
}

fn answer(args: &TokenArgs, key: &SessionKey, token: &OAuthToken) -> Result<(), Failure> {
    if !args.json {
        return output::answer(token.access.expose());
    }
    let Wanted {
        session, provider, ..
    } = &args.wanted;
    let provider: Provider = session.vendor.offline_provider(provider)?;
    if let Some(ignored) = provider.ignored_api(token) {
        output::say(&format!("llm-auth: {ignored}"));
    }
    let headers: Map<String, serde_json::Value> = provider
        .api_headers(token)?
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    output::json(&json!({
        "v": VERSION,
        "vendor": key.provider(),
        "account": key.account(),
        "access_token": token.access.expose(),
        "token_type": "Bearer",
        "expires_at": rfc3339(token.expires_at),
        "expires_at_ms": token.expires_at.as_unix_millis(),
        "scope": token.scope.as_deref().map(output::shown),
        "api_base": provider.api_base(token),
        "headers": headers,
    }))
}

fn refreshed_at(store: &FileTokenStore, key: &SessionKey) -> Option<i64> {
    let at = store.read(key).ok().flatten()?.metadata.refreshed_at?;
    Some(at.as_unix_millis())
}
