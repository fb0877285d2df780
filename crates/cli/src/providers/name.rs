//! The providers that can be signed in to, by name.

use std::sync::LazyLock;

use clap::ValueEnum;
use clap::builder::PossibleValue;
use llm_auth_core::provider::{Flow, OAuthConfig};
use llm_auth_core::{EndpointRole, FileTokenStore, FlowKind};

use super::args::ProviderArgs;
use super::table::{self, Own, Row};
use crate::session::resolve::Accounts;
use crate::system::env::Variables;

/// A provider that can be signed in to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProviderName(&'static Row);

impl PartialEq for ProviderName {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for ProviderName {}

impl ValueEnum for ProviderName {
    fn value_variants<'a>() -> &'a [Self] {
        static ALL: LazyLock<Vec<ProviderName>> =
            LazyLock::new(|| table::ALL.into_iter().map(ProviderName).collect());
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.name).aliases(self.0.alias))
    }
}

impl ProviderName {
    pub(crate) const QWEN: Self = Self(&table::QWEN);
    pub(crate) const MINIMAX: Self = Self(&table::MINIMAX);
    pub(crate) const GEMINI: Self = Self(&table::GEMINI);

    /// The name as it is typed and stored.
    pub(crate) fn name(self) -> &'static str {
        self.0.name
    }

    /// The name as a user knows it.
    pub(crate) fn title(self) -> &'static str {
        self.0.title
    }

    /// The provider of that name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::value_variants()
            .iter()
            .copied()
            .find(|provider| provider.name() == name)
    }

    /// Its accounts in this store.
    pub(crate) fn accounts(self, store: &FileTokenStore) -> Accounts<'_> {
        Accounts::new(self.name(), self.title(), store)
    }

    /// What a sign-in is good for today; a sign-in prints it before it begins.
    pub(crate) fn availability(self) -> &'static str {
        self.0.availability
    }

    /// Until when copies of its tokens stay valid after a sign-out that revokes nothing.
    pub(crate) fn tokens_end(self) -> String {
        let ended_by = self.0.ended_by;
        ended_by.map_or_else(|| "they expire".into(), |what| format!("you {what}"))
    }

    /// Whether its sign-in needs a browser on this computer.
    pub(crate) fn signs_in_by_browser(self) -> bool {
        let flows = self.config(&ProviderArgs::default()).flows;
        flows.first().map(Flow::kind) == Some(FlowKind::Code)
    }

    /// The endpoint that a sign-in requests first.
    pub(super) fn start_of_sign_in(self, args: &ProviderArgs) -> EndpointRole {
        let flows = self.config(args).flows;
        let first = flows.first().map(Flow::kind);
        match args.flow.or(first) {
            Some(FlowKind::Code) => EndpointRole::Authorization,
            _ => EndpointRole::DeviceAuthorization,
        }
    }

    /// Whether a refresh spends the refresh token, so that two programs cannot share a session.
    pub(crate) fn rotates_refresh_tokens(self) -> bool {
        self.config(&ProviderArgs::default()).rotates_refresh_tokens
    }

    /// Whether any variable of its own is set.
    pub(crate) fn has_variables(self) -> bool {
        let begin = Variables::of(self.name()).name("");
        std::env::vars_os()
            .any(|(name, value)| !value.is_empty() && name.to_string_lossy().starts_with(&begin))
    }

    /// The provider's own configuration, independent of the environment.
    pub(super) fn config(self, args: &ProviderArgs) -> OAuthConfig {
        (self.0.spec)(args, Own::default()).config()
    }

    pub(super) fn row(self) -> &'static Row {
        self.0
    }
}
