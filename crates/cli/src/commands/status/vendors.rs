//! What the rows of one vendor have in common, found out once for all of them.

use std::cell::OnceCell;

use clap::ValueEnum as _;
use llm_auth_core::{FileTokenStore, OAuthToken, SessionKey};

use crate::providers::TrustArgs;
use crate::providers::trust;
use crate::providers::{Provider, ProviderArgs, Vendor};

/// All vendors; nothing is looked up before it is asked for.
pub(super) struct Vendors<'a> {
    store: &'a FileTokenStore,
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
    vendor: Vendor,
    current: OnceCell<Option<SessionKey>>,
    provider: OnceCell<Option<Provider>>,
}

impl<'a> Vendors<'a> {
    pub(super) fn new(store: &'a FileTokenStore, trust: &'a TrustArgs) -> Self {
        let known = Vendor::value_variants().iter().map(|vendor| Known {
            vendor: *vendor,
            current: OnceCell::new(),
            provider: OnceCell::new(),
        });
        Self {
            store,
            trust,
            known: known.collect(),
        }
    }

    /// Whether it is the one that is meant where no account is named.
    pub(super) fn is_current(&self, key: &SessionKey) -> bool {
        self.named(key.provider()).is_some_and(|known| {
            let current = || known.vendor.accounts(self.store).current().ok();
            known.current.get_or_init(current).as_ref() == Some(key)
        })
    }

    /// Where the access token may go, as the vendor's provider has it; nothing if the environment
    /// makes no provider, which `token` and `login` report.
    pub(super) fn api(&self, vendor: &str, token: &OAuthToken) -> Api {
        let Some(known) = self.named(vendor) else {
            return Api::default();
        };
        let provider = || {
            let args = ProviderArgs {
                trust: self.trust.clone(),
                ..ProviderArgs::default()
            };
            known.vendor.offline_provider(&args).ok()
        };
        let Some(provider) = known.provider.get_or_init(provider) else {
            return Api::default();
        };
        Api {
            base: provider.api_base(token),
            refused: trust::refused(known.vendor, provider, token),
            ignored: provider.ignored_api(token),
        }
    }

    fn named(&self, name: &str) -> Option<&Known> {
        self.known.iter().find(|known| known.vendor.name() == name)
    }
}
