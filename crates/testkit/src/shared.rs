//! What the server and its owner share.

use std::sync::{Mutex, PoisonError};

use crate::clock::Clock;
use crate::http::{Form, Request, Route};
use crate::oauth::Client;
use crate::provider::Provider;
use crate::provider_kit::ProviderKit;
use crate::providers::{Configuration, client_file, simulated};
use crate::settings::Change;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) base_url: String,
    pub(crate) clock: Clock,
    pub(crate) google_client: Client,
    pub(crate) unknown: Mutex<Vec<String>>,
    /// In the order of [`Provider::ALL`].
    providers: Vec<ProviderKit>,
}

impl Shared {
    pub(crate) fn new(base_url: String, configuration: Configuration, change: &Change) -> Self {
        let providers = Provider::ALL.map(|(provider, _)| {
            let kit = ProviderKit::new(simulated(provider, &configuration), &base_url);
            kit.lock().settings.apply(change);
            kit
        });
        Self {
            clock: Clock::default(),
            google_client: configuration.google_client,
            unknown: Mutex::default(),
            providers: providers.into(),
            base_url,
        }
    }

    pub(crate) fn provider(&self, provider: Provider) -> &ProviderKit {
        &self.providers[provider as usize]
    }

    pub(crate) fn providers(&self) -> &[ProviderKit] {
        &self.providers
    }

    /// The provider that has a path, and what the path is for. The paths of the standard provider,
    /// which a test may have configured, go before those of the others. If several providers have
    /// the path (`/v1/models` or `/token`, say), the one goes first that issued the token of the
    /// request, or that knows its client.
    pub(crate) fn route(&self, request: &Request) -> Option<(&ProviderKit, Route)> {
        let kits = self.providers.iter().rev();
        let found = kits.filter_map(|kit| Some((kit, kit.simulated().route(&request.path)?)));
        let mut found: Vec<_> = found.collect();
        // One provider's former path may be another's.
        found.sort_by_key(|(_, route)| matches!(route, Route::Moved(_)));
        let issuer = request.bearer().and_then(|token| {
            let mut issuers = found.iter();
            issuers.find(|(kit, _)| kit.lock().grants.family_of(token).is_some())
        });
        let of_client = || {
            let parameters = [&request.query.as_bytes(), &&request.body[..]];
            let mut forms = parameters
                .into_iter()
                .filter_map(|text| Form::parse(text).ok());
            let id = forms.find_map(|form| form.get("client_id").map(str::to_owned))?;
            let knows = |kit: &ProviderKit| {
                kit.simulated().has_client(&id) || kit.lock().more_clients.contains(&id)
            };
            found.iter().find(|(kit, _)| knows(kit))
        };
        let found_by = issuer.or_else(of_client).or_else(|| found.first());
        found_by.copied()
    }

    pub(crate) fn unknown_paths(&self) -> Vec<String> {
        let unknown = self.unknown.lock();
        unknown.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn client_file(&self) -> String {
        client_file(&self.base_url, &self.google_client)
    }

    pub(crate) fn env(&self) -> Vec<(&'static str, String)> {
        let kits = self.providers.iter();
        kits.flat_map(|kit| kit.simulated().env(&self.base_url))
            .collect()
    }
}
