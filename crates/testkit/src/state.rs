//! The state of a provider.

use std::collections::HashSet;
use std::time::Duration;

use crate::counters::Counters;
use crate::faults::Script;
use crate::http::Form;
use crate::oauth::{
    AuthorizationRequest, Code, Consent, Decision, DeviceGrant, Grants, Issued, Poll, Redemption,
    RefreshOutcome, TokenFormat,
};
use crate::provider::Operation;
use crate::settings::{Approval, Settings};

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) settings: Settings,
    pub(crate) counters: Counters,
    pub(crate) script: Script,
    pub(crate) grants: Grants,
    pub(crate) devices: Vec<DeviceGrant>,
    pub(crate) consents: Vec<Consent>,
    pub(crate) codes: Vec<Code>,
    /// Clients that were given offline access before: they get another refresh token only with new
    /// consent.
    pub(crate) consented: HashSet<String>,
    /// Client ids accepted besides the provider's own.
    pub(crate) more_clients: HashSet<String>,
    /// Streamed replies that a fault holds now.
    pub(crate) streams_held: u64,
    /// The latest `state` seen, for `{STATE}` in scripted responses.
    pub(crate) last_state: String,
}

impl State {
    pub(crate) fn new(format: TokenFormat, settings: Settings) -> Self {
        Self {
            settings,
            counters: Counters::default(),
            script: Script::default(),
            grants: Grants::new(format),
            devices: Vec::new(),
            consents: Vec::new(),
            codes: Vec::new(),
            consented: HashSet::new(),
            more_clients: HashSet::new(),
            streams_held: 0,
            last_state: String::new(),
        }
    }

    /// Counts a request on arrival; `true` if it is a poll that came too soon.
    pub(crate) fn arrives(&mut self, operation: Operation, form: &Form) -> bool {
        if let Some(state) = form.get("state") {
            state.clone_into(&mut self.last_state);
        }
        let counters = &mut self.counters;
        match operation {
            Operation::DeviceAuthorization => counters.device_requests += 1,
            Operation::Authorization => counters.authorizations += 1,
            Operation::Exchange => counters.exchanges += 1,
            Operation::Refresh => counters.refreshes += 1,
            Operation::Revocation => counters.revocations += 1,
            Operation::UserInfo => counters.userinfo += 1,
            Operation::TokenInfo => counters.tokeninfo += 1,
            Operation::Token | Operation::Chat => {}
            Operation::Poll => {
                counters.polls += 1;
                let too_fast = self.device(form).is_some_and(DeviceGrant::arrives);
                if too_fast {
                    self.counters.too_fast += 1;
                    self.violation(operation, "came sooner than the interval allows");
                }
                return too_fast;
            }
        }
        false
    }

    pub(crate) fn violation(&mut self, operation: Operation, words: &str) {
        self.counters
            .violation(format!("{}: {words}", operation.description()));
    }

    /// Starts a device flow.
    pub(crate) fn open_device(
        &mut self,
        client_id: &str,
        scope: &str,
        challenge: Option<String>,
    ) -> &DeviceGrant {
        if self.devices.len() >= 10_000 {
            self.devices.drain(..5_000);
        }
        let grant = DeviceGrant::new(client_id, scope, challenge, &self.settings);
        let at = self.devices.len();
        self.devices.push(grant);
        &self.devices[at]
    }

    /// The device flow that a poll names, by device code or user code.
    fn device(&mut self, form: &Form) -> Option<&mut DeviceGrant> {
        let device_code = form.get("device_code");
        let user_code = form.get("user_code");
        let mut devices = self.devices.iter_mut().rev();
        devices.find(|grant| match (device_code, user_code) {
            (Some(code), _) => grant.device_code == code,
            (None, Some(code)) => grant.user_code == code,
            (None, None) => false,
        })
    }

    /// The interval that the polls of a device flow must keep now.
    pub(crate) fn required_interval(&mut self, form: &Form) -> Duration {
        let device = self.device(form);
        device.map_or(Duration::ZERO, |grant| grant.required())
    }

    /// The outcome of a poll; `None` if its code was never issued here.
    pub(crate) fn poll(&mut self, form: &Form, client_id: &str, too_fast: bool) -> Option<Poll> {
        let settings = self.settings.clone();
        let verifier = form.get("code_verifier");
        let grant = self.device(form)?;
        Some(grant.poll(client_id, verifier, too_fast, &settings))
    }

    pub(crate) fn device_by_user_code(&mut self, user_code: &str) -> Option<&mut DeviceGrant> {
        let mut devices = self.devices.iter_mut().rev();
        devices.find(|grant| grant.user_code.eq_ignore_ascii_case(user_code))
    }

    /// Where the browser was sent with a code.
    pub(crate) fn redirect_of(&self, value: &str) -> Option<String> {
        let code = self.codes.iter().find(|code| code.value == value)?;
        Some(code.request.redirect_uri.clone())
    }

    /// Exchanges an authorization code; `None` if it was never issued here.
    pub(crate) fn redeem(&mut self, form: &Form, client_id: &str) -> Option<Redemption> {
        let value = form.get("code")?;
        let code = self.codes.iter().find(|code| code.value == value)?;
        let (redirect_uri, verifier) = (form.get("redirect_uri"), form.get("code_verifier"));
        let redemption = code.redeem(client_id, redirect_uri, verifier);
        if let Redemption::UsedBefore { family } = redemption {
            // RFC 6749 section 4.1.2: using a code twice revokes the tokens issued for it.
            self.revoke(family);
        }
        Some(redemption)
    }

    /// Completes a login of the code flow that [`State::redeem`] granted.
    pub(crate) fn exchange(&mut self, form: &Form, request: &AuthorizationRequest) -> Issued {
        let first = request.offline && self.consented.insert(request.client_id.clone());
        let with_refresh = request.offline && (request.consent || first);
        let issued = self.sign_in(&request.client_id, &request.scope, with_refresh);
        let value = form.get("code");
        if let Some(code) = self.codes.iter_mut().find(|c| Some(&*c.value) == value) {
            code.family = Some(issued.family);
        }
        issued
    }

    /// Completes a login.
    pub(crate) fn sign_in(&mut self, client_id: &str, scope: &str, with_refresh: bool) -> Issued {
        self.counters.logins_ok += 1;
        let settings = &self.settings;
        self.grants.open(client_id, scope, with_refresh, settings)
    }

    /// The user codes (for Google: the names of consent requests) that wait for the user.
    pub(crate) fn pending(&self) -> Vec<String> {
        // A provider that decides by itself waits for no user.
        if !matches!(self.settings.approval, Approval::Manual) {
            return Vec::new();
        }
        let devices = self.devices.iter().filter(|d| d.is_pending());
        let consents = self.consents.iter().filter(|c| !c.redirected);
        let open = consents.filter(|c| c.decision == Decision::Open);
        devices
            .map(|grant| grant.user_code.clone())
            .chain(open.map(|consent| consent.id.clone()))
            .collect()
    }

    /// Decides one pending login, or all; returns how many it decided.
    pub(crate) fn decide(&mut self, user_code: Option<&str>, decision: Decision) -> usize {
        let wanted = |code: &str| user_code.is_none_or(|want| want.eq_ignore_ascii_case(code));
        let mut decided = 0;
        for grant in &mut self.devices {
            if grant.is_pending() && wanted(&grant.user_code) {
                grant.decide(decision);
                decided += 1;
            }
        }
        for consent in &mut self.consents {
            if consent.decision == Decision::Open && !consent.redirected && wanted(&consent.id) {
                consent.decision = decision;
                decided += 1;
            }
        }
        decided
    }

    /// Refreshes, and counts what happened.
    pub(crate) fn refresh(&mut self, token: &str, client_id: &str) -> RefreshOutcome {
        let outcome = self.grants.refresh(token, client_id, &self.settings);
        let counters = &mut self.counters;
        match &outcome {
            RefreshOutcome::Fresh(_) => counters.refresh_ok += 1,
            RefreshOutcome::InGrace(_) => {
                counters.refresh_ok += 1;
                counters.refresh_in_grace += 1;
            }
            RefreshOutcome::Reused { revoked_family } => {
                counters.reuse += 1;
                counters.families_revoked += u64::from(*revoked_family);
                self.violation(Operation::Refresh, "the refresh token was spent before");
            }
            RefreshOutcome::OtherClient => {
                self.violation(
                    Operation::Refresh,
                    "the refresh token belongs to another client",
                );
            }
            RefreshOutcome::Unknown => {
                self.violation(
                    Operation::Refresh,
                    "the refresh token was never issued here",
                );
            }
            // Not the client's fault: the control API, a revocation, or a sibling's reuse did it.
            RefreshOutcome::Revoked => {}
        }
        outcome
    }

    /// Revokes a family; `false` if it was revoked already.
    pub(crate) fn revoke(&mut self, family: u64) -> bool {
        let revoked = self.grants.revoke(family);
        self.counters.families_revoked += u64::from(revoked);
        revoked
    }

    /// Revokes the family of a client's token, or returns why not (RFC 7009 section 2.1).
    pub(crate) fn revoke_token(
        &mut self,
        token: &str,
        client_id: &str,
    ) -> Result<(), &'static str> {
        match self.grants.family_of(token) {
            Some((_, family)) if family.client_id != client_id => {
                Err("the token is another client's")
            }
            Some((family, _)) => {
                self.revoke(family);
                Ok(())
            }
            // An unknown token counts as revoked (RFC 7009 section 2.2).
            None => Ok(()),
        }
    }

    pub(crate) fn revoke_all(&mut self) -> u64 {
        let revoked = self.grants.revoke_all();
        self.counters.families_revoked += revoked;
        revoked
    }
}
