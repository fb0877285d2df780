//! A session behind a proxy, and the key of its client; `serve` and `exec --proxy` have both.

use std::time::Duration;

use clap::Args;
use llm_auth_core::{
    AuthManager, AuthProvider as _, DEFAULT_EARLY_REFRESH_WINDOW, OAuthToken, SessionKey,
};
use llm_auth_proxy::{ClientKey, Proxy, ProxySession};

use crate::error::Failure;
use crate::providers::{Provider, ProviderArgs, ProviderName, Stored, careful_client, ignored_api};
use crate::report::{advice_without_api, login_command};
use crate::session::command_line::command_line;
use crate::session::selector::SessionSelector;
use crate::time;

/// What limits a proxy and its key.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ProxyLimits {
    /// End the key of the proxy after this time.
    #[arg(long, value_name = "SECONDS", value_parser = lifetime, allow_negative_numbers = true)]
    expires: Option<Duration>,

    /// End the key of the proxy after this number of requests.
    #[arg(long, value_name = "COUNT", value_parser = requests, allow_negative_numbers = true)]
    max_requests: Option<u64>,

    /// Allow only this path of the API and those below it, such as /chat/completions: /models allows
    /// /models/x and not /modelsx. Repeatable.
    #[arg(long, value_name = "PREFIX")]
    allow_path: Vec<String>,

    /// The limit for the API to begin its response through the proxy, which then may take any time
    /// [default: 900].
    #[arg(long, value_name = "SECONDS", value_parser = time::seconds, allow_negative_numbers = true)]
    response_timeout: Option<Duration>,
}

/// Seconds after which a key ends: none is made that could never be used.
fn lifetime(text: &str) -> Result<Duration, String> {
    match time::seconds(text)? {
        Duration::ZERO => Err("a key that ends at once cannot be used".to_owned()),
        lifetime => Ok(lifetime),
    }
}

fn requests(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(0) => Err("a key for no request cannot be used".to_owned()),
        Ok(count) => Ok(count),
        Err(_) => Err("not a number of requests".to_owned()),
    }
}

impl ProxyLimits {
    pub(crate) fn is_empty(&self) -> bool {
        let has_no_times = self.expires.is_none() && self.response_timeout.is_none();
        has_no_times && self.max_requests.is_none() && self.allow_path.is_empty()
    }

    /// A proxy with these limits.
    pub(crate) fn proxy(&self) -> Proxy {
        match self.response_timeout {
            Some(limit) => Proxy::new().response_limit(limit),
            None => Proxy::new(),
        }
    }

    /// A new key with these limits.
    pub(crate) fn key(&self) -> Result<ClientKey, Failure> {
        let mut key = ClientKey::random()?;
        if let Some(time) = self.expires {
            key = key.expires_in(time);
        }
        if let Some(count) = self.max_requests {
            key = key.max_requests(count);
        }
        for prefix in &self.allow_path {
            if prefix.trim_matches('/').is_empty() {
                let why = "--allow-path requires a path, such as /chat/completions";
                return Err(Failure::Usage(why.into()));
            }
            key = key.allow_path(prefix);
        }
        Ok(key)
    }
}

/// A session that is stored, and that a proxy can serve.
pub(crate) struct Served {
    pub(crate) key: SessionKey,
    /// The name of the session in the paths of the proxy.
    pub(crate) path: String,
    pub(crate) manager: AuthManager,
    pub(crate) session: ProxySession,
}

impl Served {
    /// The session that the flags mean.
    pub(crate) fn new(
        provider: ProviderName,
        path: String,
        selector: &SessionSelector,
        args: &ProviderArgs,
        timeout: Option<Duration>,
    ) -> Result<Self, Failure> {
        provider.check_hand_out()?;
        let stored = Stored::read(provider, selector, args, timeout)?;
        let sign_in = login_command(Some(provider), selector, args);
        let Ok(session) = stored.session() else {
            return Err(Failure::NotUsable {
                message: format!("{}: not signed in", stored.key),
                advice: format!("sign in with `{sign_in}`"),
            });
        };
        let configured = stored.configured(args)?;
        check_api(provider, &configured, &stored.key, session, selector)?;
        let manager = stored
            .manager(configured)
            // A proxy lives for long, so that a refresh in the background has its time.
            .early_refresh_window(DEFAULT_EARLY_REFRESH_WINDOW)
            .build();
        let session = ProxySession::new(path.clone(), manager.clone(), sign_in)
            .http(careful_client(&args.trust, timeout)?);
        Ok(Self {
            key: stored.key,
            path,
            manager,
            session,
        })
    }
}

/// Refuses a session without an API that its token may go to.
fn check_api(
    provider: ProviderName,
    configured: &Provider,
    key: &SessionKey,
    stored: &OAuthToken,
    selector: &SessionSelector,
) -> Result<(), Failure> {
    if configured.api(stored)?.base.is_some() {
        return Ok(());
    }
    Err(match ignored_api(provider, configured, stored) {
        Some(why) => Failure::Config {
            message: format!("{key}: {why}"),
            advice: format!(
                "use the token itself, with `{}`",
                command_line("token", Some(provider.name()), selector, &[])
            ),
        },
        None => Failure::Config {
            message: format!("{key}: the API of this session is unknown"),
            advice: advice_without_api(provider, key, selector),
        },
    })
}
