//! The providers that can be signed in to, by name.

use std::sync::LazyLock;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use llm_auth::oidc::Server;
use llm_auth_core::provider::{Flow, OAuthConfig};
use llm_auth_core::{EndpointRole, FlowKind, OAuthToken};

use super::args::ProviderArgs;
use super::servers;
use super::table::{self, Dialect, Own, Row, Spec};
use crate::session::resolve::Accounts;
use crate::session::stores::SessionStore;
use crate::system::env::{API_BASE, Variables};

/// A provider that can be signed in to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProviderName(&'static Row);

impl PartialEq for ProviderName {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for ProviderName {}

impl ProviderName {
    pub(crate) const QWEN: Self = Self(&table::QWEN);
    pub(crate) const MINIMAX: Self = Self(&table::MINIMAX);
    pub(crate) const GEMINI: Self = Self(&table::GEMINI);

    /// All of them: the known ones, and the servers that are remembered.
    pub(crate) fn all() -> &'static [Self] {
        static ALL: LazyLock<Vec<ProviderName>> = LazyLock::new(|| {
            let known = table::ALL.into_iter().map(ProviderName);
            let names = servers::names().into_iter();
            let remembered = names.filter_map(|name| servers::load(&name).ok()?);
            known
                .chain(remembered.map(ProviderName::of_server))
                .collect()
        });
        &ALL
    }

    /// A server that is remembered.
    pub(crate) fn of_server(server: Server) -> Self {
        Self(Row::of_server(server))
    }

    /// The server, if it is one that is remembered.
    pub(crate) fn server(self) -> Option<&'static Server> {
        match &self.0.spec {
            Spec::Server(server) => Some(server),
            Spec::Known(_) => None,
        }
    }

    /// How the command line is read.
    pub(crate) fn parser() -> impl TypedValueParser<Value = Self> {
        PossibleValuesParser::new(Self::possible_values()).try_map(|name| Self::typed(&name))
    }

    /// What may be typed.
    pub(crate) fn possible_values() -> Vec<PossibleValue> {
        let known = table::ALL.into_iter();
        let known = known.map(|row| PossibleValue::new(row.name).aliases(row.alias));
        let remembered = servers::names().into_iter().map(PossibleValue::new);
        known.chain(remembered).collect()
    }

    /// The provider of a name or an alias, in any letter case; the reason why there is none.
    pub(crate) fn typed(name: &str) -> Result<Self, String> {
        let is_it = |row: &&Row| {
            let names = [Some(row.name), row.alias];
            names
                .into_iter()
                .flatten()
                .any(|known| known.eq_ignore_ascii_case(name))
        };
        if let Some(row) = table::ALL.into_iter().find(is_it) {
            return Ok(Self(row));
        }
        match servers::load(&name.to_ascii_lowercase())? {
            Some(server) => Ok(Self::of_server(server)),
            None => Err("there is no such provider".to_owned()),
        }
    }

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
        Self::all()
            .iter()
            .copied()
            .find(|provider| provider.name() == name)
    }

    /// Its accounts in this store.
    pub(crate) fn accounts(self, store: &SessionStore) -> Accounts<'_> {
        Accounts::new(self.name(), self.title(), store)
    }

    /// What its API speaks, if that is known: a gateway that a variable sets may speak anything.
    pub(crate) fn dialects(self) -> Option<&'static [Dialect]> {
        let has_gateway = self
            .variables()
            .text(API_BASE)
            .is_ok_and(|set| set.is_some());
        self.0.dialects.filter(|_| !has_gateway)
    }

    /// What a sign-in is good for today; a sign-in prints it before it begins.
    pub(crate) fn availability(self) -> &'static str {
        self.0.availability
    }

    /// Until when copies of its tokens stay valid after a sign-out that revokes nothing.
    pub(crate) fn tokens_end(self) -> String {
        let how_to_end = self.0.how_to_end;
        how_to_end.map_or_else(|| "they expire".into(), |what| format!("you {what}"))
    }

    /// The way to sign in: the one that is chosen, otherwise the provider's first.
    pub(crate) fn flow(self, args: &ProviderArgs) -> Option<FlowKind> {
        let first = || self.config(args).flows.first().map(Flow::kind);
        args.flow.or_else(first)
    }

    /// The endpoint that a sign-in requests first.
    pub(super) fn start_of_sign_in(self, args: &ProviderArgs) -> EndpointRole {
        match self.flow(args) {
            Some(FlowKind::Code) => EndpointRole::Authorization,
            _ => EndpointRole::DeviceAuthorization,
        }
    }

    /// Whether a refresh spends the refresh token, so that two programs cannot share a session.
    pub(crate) fn rotates_refresh_tokens(self) -> bool {
        self.config(&ProviderArgs::default()).rotates_refresh_tokens
    }

    /// Why its sessions are kept on this computer alone, if its terms demand that.
    pub(crate) fn local_only(self) -> Option<String> {
        self.config(&ProviderArgs::default()).local_only
    }

    /// The variables that say what it is made of. A server that the user named is all that its file
    /// says: a project's environment must not lead its client secret elsewhere.
    pub(crate) fn variables(self) -> Variables {
        match self.server() {
            None => Variables::of(self.name()),
            Some(_) => Variables::ignored(self.name()),
        }
    }

    /// Whether any variable of its own is set.
    pub(crate) fn has_variables(self) -> bool {
        if self.server().is_some() {
            return false;
        }
        let begin = Variables::of(self.name()).name("");
        std::env::vars_os()
            .any(|(name, value)| !value.is_empty() && name.to_string_lossy().starts_with(&begin))
    }

    /// The provider's own configuration, independent of the environment.
    pub(super) fn config(self, args: &ProviderArgs) -> OAuthConfig {
        self.0.spec(args, Own::default()).config()
    }

    /// The same for a session, which may be of another dialect than a new sign-in; a session that
    /// this version does not know is refused when it is used.
    pub(super) fn config_of(
        self,
        args: &ProviderArgs,
        session: Option<&OAuthToken>,
    ) -> OAuthConfig {
        let spec = self.0.spec(args, Own::default());
        let of_session = session.and_then(|session| spec.config_for(session).ok().flatten());
        of_session.unwrap_or_else(|| spec.config())
    }

    pub(super) fn row(self) -> &'static Row {
        self.0
    }
}
