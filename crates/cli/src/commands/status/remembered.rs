//! The servers of the user's own that no session is stored for.

use serde::Serialize;

use crate::providers::ProviderName;
use crate::providers::servers::description;
use crate::session::command_line::command_line;
use crate::session::selector::SessionSelector;
use crate::session::stores::SessionStore;
use crate::text::shown;
use crate::ui::symbols::arrow;

/// A server that is remembered, and not signed in to.
#[derive(Serialize)]
pub(super) struct Remembered {
    #[serde(rename = "vendor")]
    name: &'static str,
    issuer: Option<String>,
    api_base: Option<String>,
    mcp: bool,
    #[serde(skip)]
    what: String,
}

impl Remembered {
    /// Those of this name, or all.
    pub(super) fn all(wanted: Option<ProviderName>, store: &SessionStore) -> Vec<Self> {
        let is_meant = |name: &ProviderName| wanted.is_none_or(|wanted| wanted == *name);
        let names = ProviderName::all().iter().copied().filter(is_meant);
        let without_session = names.filter(|name| {
            let stored = name.accounts(store).stored();
            // What cannot be listed is a row of its own.
            stored.is_ok_and(|keys| keys.is_empty())
        });
        let remembered = without_session.filter_map(|name| {
            let server = name.server()?;
            // Some MCP servers have a key in it.
            let api = server.endpoints.api_base.as_ref();
            let api = api.and_then(|api| api.as_str().split('?').next().map(shown));
            Some(Self {
                name: name.name(),
                issuer: server.issuer.as_deref().map(shown),
                api_base: api,
                mcp: server.is_mcp,
                what: description(server),
            })
        });
        remembered.collect()
    }

    pub(super) fn lines(&self) -> [String; 3] {
        [
            self.name.to_owned(),
            format!("  {:<13} {}", "not signed in", self.what),
            format!(
                "  {} sign in with `{}`",
                arrow(),
                command_line("login", Some(self.name), &SessionSelector::default(), &[])
            ),
        ]
    }
}
