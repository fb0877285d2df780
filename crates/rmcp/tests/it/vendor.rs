//! The authorization server of a test: it rotates refresh tokens, and takes each once.

use std::sync::{Mutex, MutexGuard};

/// The tokens of one session, each with a number that goes up.
#[derive(Debug)]
pub(crate) struct Vendor(Mutex<State>);

#[derive(Debug)]
struct State {
    current: usize,
    /// The access token that the API takes; `None` if it takes none.
    accepted: Option<usize>,
    refreshes: usize,
    /// The status of each refresh, if it is to fail.
    fails: Option<u16>,
    refuses_for_ever: bool,
}

impl Default for Vendor {
    fn default() -> Self {
        Self(Mutex::new(State {
            current: 1,
            accepted: Some(1),
            refreshes: 0,
            fails: None,
            refuses_for_ever: false,
        }))
    }
}

impl Vendor {
    /// The API refuses the current access token from now on.
    pub(crate) fn revoke_access(&self) {
        self.state().accepted = None;
    }

    /// The API refuses fresh access tokens too.
    pub(crate) fn refuse_for_ever(&self) {
        let mut state = self.state();
        state.accepted = None;
        state.refuses_for_ever = true;
    }

    /// The API takes the current access token again.
    pub(crate) fn relent(&self) {
        let mut state = self.state();
        state.accepted = Some(state.current);
        state.refuses_for_ever = false;
    }

    pub(crate) fn fail(&self, status: u16) {
        self.state().fails = Some(status);
    }

    /// The requests for a refresh, with a good refresh token or not.
    pub(crate) fn refreshes(&self) -> usize {
        self.state().refreshes
    }

    pub(crate) fn accepts(&self, authorization: &str) -> bool {
        let accepted = self.state().accepted;
        accepted.is_some_and(|n| authorization == format!("Bearer made-up-access-{n}"))
    }

    /// The response to a form of the token endpoint.
    pub(crate) fn token(&self, form: &str) -> (u16, String) {
        let mut state = self.state();
        state.refreshes += 1;
        if let Some(status) = state.fails {
            let code = match status {
                400 => "invalid_grant",
                _ => "temporarily_unavailable",
            };
            return (status, format!(r#"{{"error": "{code}"}}"#));
        }
        let sent = format!("refresh_token=made-up-refresh-{}", state.current);
        if !form.split('&').any(|pair| pair == sent) {
            return (400, r#"{"error": "invalid_grant"}"#.to_owned());
        }
        state.current += 1;
        if !state.refuses_for_ever {
            state.accepted = Some(state.current);
        }
        let n = state.current;
        let body = format!(
            r#"{{"access_token": "made-up-access-{n}", "refresh_token": "made-up-refresh-{n}", "token_type": "Bearer", "expires_in": 3600}}"#
        );
        (200, body)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}
