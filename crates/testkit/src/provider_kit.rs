//! One provider as a test sees it.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::counters::Counters;
use crate::faults::Fault;
use crate::oauth::Decision;
use crate::provider::{Operation, Provider};
use crate::providers::SimulatedProvider;
use crate::settings::{Approval, ExpiryUnit, RejectionForm, Rotation};
use crate::state::State;

/// One simulated provider: how it behaves, what it received, what goes wrong next.
pub struct ProviderKit {
    simulated: Box<dyn SimulatedProvider>,
    base_url: String,
    state: Mutex<State>,
    changed: Notify,
    release: watch::Sender<()>,
}

impl fmt::Debug for ProviderKit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderKit")
            .field("simulated", &self.simulated)
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

impl ProviderKit {
    pub(crate) fn new(simulated: Box<dyn SimulatedProvider>, base_url: &str) -> Self {
        let state = State::new(simulated.token_format(), simulated.settings(base_url));
        Self {
            simulated,
            base_url: base_url.to_owned(),
            state: Mutex::new(state),
            changed: Notify::new(),
            release: watch::Sender::new(()),
        }
    }

    pub(crate) fn simulated(&self) -> &dyn SimulatedProvider {
        &*self.simulated
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn wake_waiters(&self) {
        self.changed.notify_waiters();
    }

    /// Sees the next release of the streams.
    pub(crate) fn released(&self) -> watch::Receiver<()> {
        self.release.subscribe()
    }

    /// Which provider this is.
    #[must_use]
    pub fn provider(&self) -> Provider {
        self.simulated.provider()
    }

    /// `http://127.0.0.1:PORT`, the same for all providers.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The URL of an API call that accepts only a live access token.
    #[must_use]
    pub fn chat_url(&self) -> String {
        format!("{}{}", self.base_url, self.simulated.chat_path())
    }

    /// What the provider received so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let state = self.lock();
        let families = state.grants.live_families().len();
        let mut counters = state.counters.clone();
        counters.families_live = u64::try_from(families).unwrap_or(u64::MAX);
        counters.streams_held = state.streams_held;
        counters
    }

    /// Everything a strict provider would reject, in words and without secrets.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.lock().counters.violations.clone()
    }

    /// Sets all counters to zero. Grants, settings and faults stay.
    pub fn reset_counters(&self) {
        self.lock().counters = Counters::default();
    }

    /// Waits until the counters satisfy `wanted`; checks after each request. There is no timeout.
    pub async fn wait_for(&self, wanted: impl Fn(&Counters) -> bool) -> Counters {
        loop {
            let mut notified = std::pin::pin!(self.changed.notified());
            notified.as_mut().enable();
            let counters = self.counters();
            if wanted(&counters) {
                return counters;
            }
            notified.await;
        }
    }

    /// Scripts a fault for the next request of `operation`. Faults apply in the order of scripting.
    pub fn fault(&self, operation: Operation, fault: Fault) {
        self.lock().script.push(operation, fault);
    }

    /// Removes all scripted faults.
    pub fn clear_faults(&self) {
        self.lock().script.clear();
    }

    /// How many scripted faults still wait for a request.
    #[must_use]
    pub fn faults_left(&self) -> usize {
        self.lock().script.len()
    }

    /// Releases the streams of [`Fault::hold_stream`] that have begun, whether or not they have
    /// stopped already.
    pub fn release_streams(&self) {
        self.release.send_replace(());
    }

    /// User codes (for Google: names of consent requests) that wait for the user.
    #[must_use]
    pub fn pending_user_codes(&self) -> Vec<String> {
        self.lock().pending()
    }

    /// Approves a login as the user would; `false` if no such code is pending.
    pub fn approve(&self, user_code: &str) -> bool {
        self.lock().decide(Some(user_code), Decision::Approved) > 0
    }

    /// Denies a login as the user would; `false` if no such code is pending.
    pub fn deny(&self, user_code: &str) -> bool {
        self.lock().decide(Some(user_code), Decision::Denied) > 0
    }

    /// Approves all pending logins and returns how many there were.
    pub fn approve_all(&self) -> usize {
        self.lock().decide(None, Decision::Approved)
    }

    /// All access tokens die at once; refresh tokens stay.
    pub fn expire_access_tokens(&self) {
        self.lock().grants.expire_access();
    }

    /// All device codes expire at once, whatever lifetime was announced.
    pub fn expire_device_codes(&self) {
        for device in &mut self.lock().devices {
            device.lifetime = Duration::ZERO;
        }
    }

    /// All families are revoked: their access and refresh tokens die.
    pub fn revoke_families(&self) {
        self.lock().revoke_all();
    }

    /// Whether the API would accept this access token now.
    #[must_use]
    pub fn is_live_access(&self, token: &str) -> bool {
        self.lock().grants.live(token).is_some()
    }

    /// Access tokens that the API accepts now, sorted.
    #[must_use]
    pub fn live_access_tokens(&self) -> Vec<String> {
        self.lock().grants.live_access(None)
    }

    /// Refresh tokens that would be accepted now, sorted.
    #[must_use]
    pub fn live_refresh_tokens(&self) -> Vec<String> {
        self.lock().grants.live_refresh(None)
    }

    /// Who approves logins. Default: [`Approval::Manual`].
    pub fn set_approval(&self, approval: Approval) {
        self.lock().settings.approval = approval;
    }

    /// The polling interval announced to new device flows. Default: 2 s.
    pub fn set_interval(&self, interval: Duration) {
        self.lock().settings.interval = interval;
    }

    /// What each `slow_down` adds to the required interval. Default: 5 s (RFC 8628 section 3.5).
    pub fn set_slow_down_step(&self, step: Duration) {
        self.lock().settings.slow_down_step = step;
    }

    /// How long new device or authorization codes live. Default: Qwen 1800 s, Google 60 s,
    /// others 600 s.
    pub fn set_code_lifetime(&self, lifetime: Duration) {
        self.lock().settings.code_lifetime = lifetime;
    }

    /// How long new access tokens live. Default: 3600 s. Responses hold whole seconds, at least 1.
    pub fn set_access_lifetime(&self, lifetime: Duration) {
        self.lock().settings.access_lifetime = lifetime;
    }

    /// What a refresh does to the refresh token. Default: rotate; for Google: omit.
    pub fn set_rotation(&self, rotation: Rotation) {
        self.lock().settings.rotation = rotation;
    }

    /// How long a spent refresh token gets its successor again, as long as that is unused itself.
    /// Default: zero.
    pub fn set_grace(&self, window: Duration) {
        self.lock().settings.grace = window;
    }

    /// Whether a spent refresh token, presented again, kills its family. Default: yes.
    pub fn set_reuse_revokes_family(&self, revokes: bool) {
        self.lock().settings.reuse_revokes_family = revokes;
    }

    /// The `resource_url` of Qwen's and MiniMax's token responses; `None` leaves it out. Default:
    /// the API of this server.
    pub fn set_resource_url(&self, url: Option<String>) {
        self.lock().settings.resource_url = url;
    }

    /// The `iss` of the code flow's redirect; `None` leaves it out. Default: for Google
    /// `https://accounts.google.com`, for others none.
    pub fn set_issuer(&self, issuer: Option<String>) {
        self.lock().settings.issuer = issuer;
    }

    /// The unit of MiniMax's `expired_in` in token responses. Default: Unix milliseconds.
    pub fn set_expiry_unit(&self, unit: ExpiryUnit) {
        self.lock().settings.expiry_unit = unit;
    }

    /// How MiniMax rejects a dead refresh token. Default: an OAuth error body.
    pub fn set_rejection_form(&self, form: RejectionForm) {
        self.lock().settings.rejection_form = form;
    }

    /// In how many pieces a streamed reply comes; fewer if it has fewer characters. Default: 3.
    pub fn set_reply_pieces(&self, pieces: usize) {
        self.lock().settings.reply_pieces = pieces;
    }

    /// Accepts a client id besides the provider's own. For MiniMax it has the portal's dialect; if
    /// the provider's client has a secret, it has the same one.
    pub fn allow_client(&self, client_id: impl Into<String>) {
        self.lock().more_clients.insert(client_id.into());
    }
}
