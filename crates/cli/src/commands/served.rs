//! A session behind a proxy, and the key of its client; `serve` and `exec --proxy` have both.

use std::time::Duration;

use clap::Args;
use llm_auth_core::{
    AuthManager, AuthProvider as _, DEFAULT_EARLY_REFRESH_WINDOW, OAuthToken, SessionKey,
};
use llm_auth_proxy::{ClientKey, ProxySession};

use crate::error::Failure;
use crate::providers::{
    self, Provider, ProviderArgs, ProviderName, careful_client, ignored_api, reader, trust,
};
use crate::report::login_command;
use crate::session::directories;
use crate::session::runtime;
use crate::session::selector::SessionSelector;
use crate::time;

/// What limits the key of a proxy.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct KeyArgs {
    /// End the key of the proxy after this time.
    #[arg(long, value_name = "SECONDS", value_parser = time::seconds)]
    expires: Option<Duration>,

    /// End the key of the proxy after this number of requests.
    #[arg(long, value_name = "COUNT")]
    max_requests: Option<u64>,

    /// Allow only paths of the API that begin with this one, such as /chat/completions. Repeatable.
    #[arg(long, value_name = "PREFIX")]
    allow_path: Vec<String>,
}

impl KeyArgs {
    pub(crate) fn is_empty(&self) -> bool {
        self.expires.is_none() && self.max_requests.is_none() && self.allow_path.is_empty()
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
    pub(crate) manager: AuthManager,
    pub(crate) session: ProxySession,
}

impl Served {
    /// The session that the flags mean, at the path of its provider's name.
    pub(crate) fn new(
        provider: ProviderName,
        selector: &SessionSelector,
        args: &ProviderArgs,
        timeout: Option<Duration>,
    ) -> Result<Self, Failure> {
        provider.check_flags(args)?;
        provider.check_hand_out()?;
        let mut store = directories::open(selector)?;
        let key = provider.accounts(&store).meant(selector)?;
        if let Some(timeout) = timeout {
            store = store.lock_wait(timeout);
        }
        let sign_in = login_command(Some(provider), selector, args);
        let stored = store.read(&key).map_err(|error| error.with_session(&key))?;
        let Some(stored) = stored else {
            return Err(Failure::NotUsable {
                message: format!("{key}: not signed in"),
                advice: format!("sign in with `{sign_in}`"),
            });
        };
        stored.check_owner(&key, || store.path(&key).display().to_string())?;
        trust::check_session(provider, args, &key, &stored)?;
        let configured = provider.configure_for_stored(args, Some(&stored), timeout)?;
        reader::check_refresh(&configured, &args.trust, &key, &stored)?;
        // The file of the server may be another one than when the session was made.
        let issued = provider
            .server()
            .map_or(Ok(()), |server| server.check_issued(&stored));
        issued.map_err(|error| error.with_session(&key))?;
        check_api(provider, &configured, &key, &stored)?;
        let manager = providers::manager(configured)
            // A proxy lives for long, so that a refresh in the background has its time.
            .early_refresh_window(DEFAULT_EARLY_REFRESH_WINDOW)
            .store(store)
            .account(key.account())
            .call_limit(runtime::call_limit(timeout))
            .build();
        let session = ProxySession::new(provider.name(), manager.clone(), sign_in)
            .http(careful_client(&args.trust, timeout)?);
        Ok(Self {
            key,
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
) -> Result<(), Failure> {
    if configured.api(stored)?.base.is_some() {
        return Ok(());
    }
    let why = ignored_api(provider, configured, stored)
        .unwrap_or_else(|| "the API of this session is unknown".to_owned());
    Err(Failure::Config {
        message: format!("{key}: {why}"),
        advice: format!(
            "use the token itself, with `llm-auth token {}`",
            provider.name()
        ),
    })
}
