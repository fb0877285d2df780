//! What the rows of one vendor have in common, found out once for all of them.

use std::cell::OnceCell;

use clap::ValueEnum as _;
use llm_auth_core::{FileTokenStore, OAuthToken, SessionKey};

use crate::accounts;
use crate::vendor::{Provider, ProviderArgs, Vendor};

/// All vendors; nothing is looked up before it is asked for.
pub(super) struct Vendors<'a> {
    store: &'a FileTokenStore,
    known: Vec<Known>,
}

struct Known {
    vendor: Vendor,
    current: OnceCell<Option<SessionKey>>,
    provider: OnceCell<Option<Provider>>,
}

impl<'a> Vendors<'a> {
    pub(super) fn new(store: &'a FileTokenStore) -> Self {
        let known = Vendor::value_variants().iter().map(|vendor| Known {
            vendor: *vendor,
            current: OnceCell::new(),
            provider: OnceCell::new(),
        });
        Self {
            store,
            known: known.collect(),
        }
    }

    /// Whether it is the one that is meant where no account is named.
    pub(super) fn is_current(&self, key: &SessionKey) -> bool {
        self.named(key.provider()).is_some_and(|known| {
            let current = || accounts::current(known.vendor, self.store).ok();
            known.current.get_or_init(current).as_ref() == Some(key)
        })
    }

    /// The API base as the vendor's provider has it; none if the environment makes no provider,
    /// which `token` and `login` complain about.
    pub(super) fn api_base(&self, vendor: &str, token: &OAuthToken) -> Option<String> {
        let known = self.named(vendor)?;
        let provider = || {
            let args = ProviderArgs::default();
            known.vendor.provider(&args, None, None).ok()
        };
        known
            .provider
            .get_or_init(provider)
            .as_ref()?
            .api_base(token)
    }

    fn named(&self, name: &str) -> Option<&Known> {
        self.known.iter().find(|known| known.vendor.name() == name)
    }
}
