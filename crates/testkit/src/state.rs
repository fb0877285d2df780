//! Everything a vendor remembers.

use std::collections::HashSet;

use crate::counters::Counters;
use crate::faults::fault::Script;
use crate::http::request::Form;
use crate::oauth::authorization_code::{Code, Consent};
use crate::oauth::device_code::{Decision, DeviceGrant};
use crate::oauth::tokens::{Grants, Renewal};
use crate::provider::{Endpoint, Vendor};
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
    /// Clients that were given offline access before: they get no second refresh token unasked.
    pub(crate) consented: HashSet<String>,
    /// Client ids accepted besides the vendor's own.
    pub(crate) more_clients: HashSet<String>,
    /// The latest `state` seen, for `{STATE}` in scripted answers.
    pub(crate) last_state: String,
}

impl State {
    pub(crate) fn new(vendor: Vendor, settings: Settings) -> Self {
        Self {
            settings,
            counters: Counters::default(),
            script: Script::default(),
            grants: Grants::new(vendor),
            devices: Vec::new(),
            consents: Vec::new(),
            codes: Vec::new(),
            consented: HashSet::new(),
            more_clients: HashSet::new(),
            last_state: String::new(),
        }
    }

    /// Counts a request at the door; `true` if it is a poll that came too soon.
    pub(crate) fn arrives(&mut self, endpoint: Endpoint, form: &Form) -> bool {
        if let Some(state) = form.get("state") {
            state.clone_into(&mut self.last_state);
        }
        let counters = &mut self.counters;
        match endpoint {
            Endpoint::DeviceAuthorization => counters.device_requests += 1,
            Endpoint::Authorization => counters.authorizations += 1,
            Endpoint::Exchange => counters.exchanges += 1,
            Endpoint::Refresh => counters.refreshes += 1,
            Endpoint::Revocation => counters.revocations += 1,
            Endpoint::UserInfo => counters.userinfo += 1,
            Endpoint::TokenInfo => counters.tokeninfo += 1,
            Endpoint::Token | Endpoint::Chat => {}
            Endpoint::Poll => {
                counters.polls += 1;
                let too_fast = self.device(form).is_some_and(DeviceGrant::arrives);
                if too_fast {
                    self.counters.too_fast += 1;
                    self.violation(endpoint, "came sooner than the interval allows");
                }
                return too_fast;
            }
        }
        false
    }

    pub(crate) fn violation(&mut self, endpoint: Endpoint, words: &str) {
        self.counters
            .violation(format!("{}: {words}", endpoint.words()));
    }

    /// The device flow that a poll names, by device code or user code.
    pub(crate) fn device(&mut self, form: &Form) -> Option<&mut DeviceGrant> {
        let device_code = form.get("device_code");
        let user_code = form.get("user_code");
        let mut devices = self.devices.iter_mut().rev();
        devices.find(|grant| match (device_code, user_code) {
            (Some(code), _) => grant.device_code == code,
            (None, Some(code)) => grant.user_code == code,
            (None, None) => false,
        })
    }

    pub(crate) fn device_by_user_code(&mut self, user_code: &str) -> Option<&mut DeviceGrant> {
        let mut devices = self.devices.iter_mut().rev();
        devices.find(|grant| grant.user_code.eq_ignore_ascii_case(user_code))
    }

    pub(crate) fn add_device(&mut self, grant: DeviceGrant) -> &DeviceGrant {
        if self.devices.len() >= 10_000 {
            self.devices.drain(..5_000);
        }
        let at = self.devices.len();
        self.devices.push(grant);
        &self.devices[at]
    }

    /// The user codes (for Google: the names of consent requests) that wait for a person.
    pub(crate) fn pending(&self) -> Vec<String> {
        // A vendor that decides by itself waits for nobody.
        if !matches!(self.settings.approval, Approval::Manual) {
            return Vec::new();
        }
        let devices = self.devices.iter().filter(|d| d.waits_for_a_person());
        let consents = self.consents.iter().filter(|c| !c.answered);
        let open = consents.filter(|c| c.decision == Decision::Open);
        devices
            .map(|grant| grant.user_code.clone())
            .chain(open.map(|consent| consent.id.clone()))
            .collect()
    }

    /// Decides one pending login, or all; says how many it decided.
    pub(crate) fn decide(&mut self, user_code: Option<&str>, decision: Decision) -> usize {
        let wanted = |code: &str| user_code.is_none_or(|want| want.eq_ignore_ascii_case(code));
        let mut decided = 0;
        for grant in &mut self.devices {
            if grant.waits_for_a_person() && wanted(&grant.user_code) {
                grant.decide(decision);
                decided += 1;
            }
        }
        for consent in &mut self.consents {
            if consent.decision == Decision::Open && !consent.answered && wanted(&consent.id) {
                consent.decision = decision;
                decided += 1;
            }
        }
        decided
    }

    /// Refreshes, and counts what happened.
    pub(crate) fn renew(&mut self, token: &str, client_id: &str) -> Renewal {
        let renewal = self.grants.renew(token, client_id, &self.settings);
        let counters = &mut self.counters;
        match &renewal {
            Renewal::Fresh(_) => counters.refresh_ok += 1,
            Renewal::InGrace(_) => {
                counters.refresh_ok += 1;
                counters.refresh_in_grace += 1;
            }
            Renewal::Reused { revoked_family } => {
                counters.reuse += 1;
                counters.families_revoked += u64::from(*revoked_family);
                self.violation(Endpoint::Refresh, "the refresh token was spent before");
            }
            Renewal::OtherClient => {
                self.violation(
                    Endpoint::Refresh,
                    "the refresh token belongs to another client",
                );
            }
            Renewal::Unknown => {
                self.violation(Endpoint::Refresh, "the refresh token was never issued here");
            }
            // Not the client's fault: the control API, a revocation, or a sibling's reuse did it.
            Renewal::Revoked => {}
        }
        renewal
    }

    pub(crate) fn revoke_all(&mut self) -> u64 {
        let revoked = self.grants.revoke_all();
        self.counters.families_revoked += revoked;
        revoked
    }
}
