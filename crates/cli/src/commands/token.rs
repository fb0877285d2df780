//! `llm-auth token`.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::{Args, ValueEnum};
use llm_auth_core::{
    AuthManager, AuthProvider as _, Clock as _, DEFAULT_EXPIRY_MARGIN, Error, ErrorKind,
    FileTokenStore, OAuthToken, SessionKey, SystemClock, Timestamp,
};
use serde::Serialize;

use crate::args::SessionArgs;
use crate::error::Failure;
use crate::providers::{self, ProviderArgs, ignored_api, reader, trust};
use crate::report::login_command;
use crate::session::directories;
use crate::session::runtime;
use crate::text;
use crate::text::shown;
use crate::time;
use crate::time::rfc3339;
use crate::ui::streams::{self, VERSION};

#[derive(Args, Debug)]
pub(crate) struct TokenArgs {
    #[command(flatten)]
    pub(crate) wanted: Wanted,

    /// Print a JSON object with the token, its expiry, and what an API call needs.
    #[arg(long)]
    pub(crate) json: bool,

    /// How to print the token; `headers-json` is what `headersHelper` of Claude Code and
    /// `http_headers_helper` of codex take.
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        conflicts_with = "json",
        default_value = "text"
    )]
    format: Format,
}

/// What `token` prints.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Format {
    // The token alone.
    Text,
    // As `--json`.
    Json,
    // The headers of an API call, as one JSON object.
    HeadersJson,
}

impl TokenArgs {
    /// Whether the output is one JSON object, in place of which an error is one too.
    pub(crate) fn prints_json(&self) -> bool {
        self.json || self.format == Format::Json
    }
}

/// What is wanted of a token, by `token` and `exec` alike.
#[derive(Args, Debug)]
pub(crate) struct Wanted {
    #[command(flatten)]
    pub(crate) session: SessionArgs,

    #[command(flatten)]
    pub(crate) provider_args: ProviderArgs,

    /// How long the token must remain valid [default: 60].
    #[arg(long, value_name = "SECONDS", value_parser = time::seconds)]
    min_validity: Option<Duration>,

    /// Refresh the token now, because the API rejected the stored one.
    #[arg(long)]
    force_refresh: bool,

    /// The limit for each request to the provider, and for the refresh of another process
    /// [default: 20 and 60].
    #[arg(long, value_name = "SECONDS", value_parser = time::seconds)]
    pub(crate) timeout: Option<Duration>,
}

pub(crate) fn run(args: &TokenArgs) -> Result<(), Failure> {
    let (key, token) = args.wanted.get()?;
    answer(args, &key, &token)
}

impl Wanted {
    /// The session, refreshed and stored if need be.
    pub(crate) fn get(&self) -> Result<(SessionKey, OAuthToken), Failure> {
        let provider = self.session.provider;
        provider.check_flags(&self.provider_args)?;
        provider.check_hand_out()?;
        let mut store = directories::open(&self.session.selector)?;
        let key = self
            .session
            .provider
            .accounts(&store)
            .meant(&self.session.selector)?;
        if let Some(timeout) = self.timeout {
            store = store.lock_wait(timeout);
        }
        let provider = self.session.provider;
        let stored = store.read(&key).map_err(|error| error.with_session(&key))?;
        if let Some(session) = &stored {
            session.check_owner(&key, || store.path(&key).display().to_string())?;
            trust::check_session(provider, &self.provider_args, &key, session)?;
        }
        if !self.force_refresh
            && good_enough(stored.as_ref(), &key, self.min_validity)?
            && let Some(token) = stored.clone()
        {
            tracing::debug!(%key, "the stored token is valid; nothing is sent");
            self.check(&key, &token)?;
            self.say_if_short(&token);
            return fit_to_send(key, token);
        }
        let configured =
            provider.configure_for_stored(&self.provider_args, stored.as_ref(), self.timeout)?;
        if let Some(session) = &stored {
            reader::check_refresh(&configured, &self.provider_args.trust, &key, session)?;
        }
        let manager = providers::manager(configured)
            .store(store.clone())
            .account(key.account())
            .call_limit(runtime::call_limit(self.timeout))
            .build();
        let renewed_before = refreshed_at(&store, &key);
        let interrupted = || {
            if refreshed_at(&store, &key) == renewed_before {
                "interrupted; nothing was changed".to_owned()
            } else {
                let file = store.path(&key);
                format!(
                    "interrupted; the refreshed session is stored in {}",
                    file.display()
                )
            }
        };
        let token = runtime::run(|| vec![manager.clone()], self.obtain(&manager), interrupted)?;
        self.check(&key, &token)?;
        if time::has_expired(&token) {
            streams::say(&format!("llm-auth: {}", time::expired_on_arrival(&token)));
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
            streams::say(&format!(
                "llm-auth: {} does not issue tokens valid for {}; this one is valid for {}",
                self.session.provider.title(),
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
    let stored = stored
        .ok_or_else(|| Error::new(ErrorKind::NotSignedIn, "not signed in").with_session(key))?;
    let now = SystemClock.now();
    Ok(match minimum {
        None => stored.is_fresh_for(DEFAULT_EXPIRY_MARGIN, now),
        Some(minimum) => stored.lasts(minimum, now),
    })
}

fn answer(args: &TokenArgs, key: &SessionKey, token: &OAuthToken) -> Result<(), Failure> {
    if !args.prints_json() && args.format == Format::Text {
        return streams::answer(token.access.expose());
    }
    let Wanted {
        session,
        provider_args,
        ..
    } = &args.wanted;
    let configured = session
        .provider
        .configure_offline(provider_args, Some(token))?;
    if let Some(ignored) = ignored_api(session.provider, &configured, token) {
        streams::say(&format!("llm-auth: {ignored}"));
    }
    let api = configured.api(token)?;
    if args.format == Format::HeadersJson {
        let mut headers: BTreeMap<String, String> = api.headers.into_iter().collect();
        let bearer = format!("Bearer {}", token.access.expose());
        headers.insert("Authorization".into(), bearer);
        return streams::json(&headers);
    }
    streams::json(&Printed {
        v: VERSION,
        provider: key.provider(),
        account: key.account(),
        access_token: token.access.expose(),
        token_type: "Bearer",
        expires_at: token.expires_at.and_then(rfc3339),
        expires_at_ms: token.expires_at.map(Timestamp::as_unix_millis),
        scope: token.scope.as_deref().map(shown),
        api_base: api.base,
        headers: api.headers.into_iter().collect(),
    })
}

/// What `--json` prints.
#[derive(Serialize)]
struct Printed<'a> {
    v: u32,
    #[serde(rename = "vendor")]
    provider: &'a str,
    account: &'a str,
    access_token: &'a str,
    token_type: &'static str,
    expires_at: Option<String>,
    expires_at_ms: Option<i64>,
    scope: Option<String>,
    api_base: Option<String>,
    headers: BTreeMap<String, String>,
}

fn refreshed_at(store: &FileTokenStore, key: &SessionKey) -> Option<i64> {
    let at = store.read(key).ok().flatten()?.metadata.refreshed_at?;
    Some(at.as_unix_millis())
}
