//! What the rows of one provider have in common, looked up once for all of them.

use std::cell::OnceCell;

use llm_auth_core::{OAuthToken, SessionKey};

use crate::providers::TrustArgs;
use crate::providers::{ProviderArgs, ProviderName, api_base, ignored_api};
use crate::providers::{servers, trust};
use crate::session::stores::SessionStore;

/// All providers; nothing is looked up before it is asked for.
pub(super) struct Providers<'a> {
    store: &'a SessionStore,
    trust: &'a TrustArgs,
    known: Vec<Known>,
}

/// Where the access token of a session may go.
#[derive(Default)]
pub(super) struct Api {
    pub(super) base: Option<String>,
    /// Why the endpoints of the environment are not for this session.
    pub(super) refused: Option<String>,
    /// The API that the session names and that must not have its access token.
    pub(super) ignored: Option<String>,
}

struct Known {
    name: ProviderName,
    current: OnceCell<Option<SessionKey>>,
}

impl<'a> Providers<'a> {
    pub(super) fn new(store: &'a SessionStore, trust: &'a TrustArgs) -> Self {
        let known = ProviderName::all().iter().map(|name| Known {
            name: *name,
            current: OnceCell::new(),
        });
        Self {
            store,
            trust,
            known: known.collect(),
        }
    }

    /// Whether it is the one that is meant where no account is named.
    pub(super) fn is_current(&self, key: &SessionKey) -> bool {
        self.find(key.provider()).is_some_and(|known| {
            let current = || known.name.accounts(self.store).current().ok();
            known.current.get_or_init(current).as_ref() == Some(key)
        })
    }

    /// Where the access token may go, as the provider is configured; nothing if the environment
    /// makes no provider, which `token` and `login` report.
    pub(super) fn api(&self, name: &str, token: &OAuthToken) -> Api {
        let Some(known) = self.find(name) else {
            let unknown = || {
                format!(
                    "{name} is neither a provider of this version nor a server that is remembered"
                )
            };
            let why = servers::load(name).map_or_else(|why| why, |_none| unknown());
            return Api {
                refused: Some(why),
                ..Api::default()
            };
        };
        let args = ProviderArgs {
            trust: self.trust.clone(),
            ..ProviderArgs::default()
        };
        let Ok(configured) = known.name.configure_offline(&args, Some(token)) else {
            return Api::default();
        };
        Api {
            base: api_base(&configured, token),
            refused: trust::refused(known.name, &args, &configured, token),
            ignored: ignored_api(known.name, &configured, token),
        }
    }

    fn find(&self, name: &str) -> Option<&Known> {
        self.known.iter().find(|known| known.name.name() == name)
    }
}
