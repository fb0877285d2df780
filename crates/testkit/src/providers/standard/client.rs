//! Which clients the provider accepts.

use super::config::StandardProvider;
use crate::http::{Call, Rejected};
use crate::oauth::{Client, public_client};
use crate::state::State;

impl StandardProvider {
    pub(super) fn knows(&self, id: &str, state: &State) -> bool {
        id == self.client_id || state.more_clients.contains(id)
    }

    /// The id of an authenticated or public client.
    pub(super) fn client(&self, call: &Call<'_>, state: &State) -> Result<String, Box<Rejected>> {
        let Some(secret) = self.client_secret.clone() else {
            // A client that is only there to be issued another one redeems nothing.
            let is_first = |id: &str| self.issues().is_some_and(|(first, _)| first == id);
            let knows = |id: &str| self.knows(id, state) && !is_first(id);
            let id = public_client(call.form, knows)?;
            return Ok(id.to_owned());
        };
        let client = Client {
            id: self.client_id.clone(),
            secret,
        };
        let id = client.authenticate(&state.more_clients, call.request, call.form)?;
        Ok(id.to_owned())
    }
}
