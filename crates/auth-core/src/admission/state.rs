//! The counts behind a gate, without locks, clocks or waiting.

use std::collections::HashMap;
use std::time::Duration;

use super::host::Host;
use super::verdict::Verdict;
use crate::clock::Timestamp;

/// How many refreshes are in progress at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) total: u32,
    pub(crate) provider: u32,
    pub(crate) host: u32,
}

/// Where a refresh goes: a provider, and the server of its token endpoint.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Lane {
    pub(crate) provider: u32,
    pub(super) host: u32,
}

/// Whether a refresh may begin.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Room {
    /// So many may.
    For(u32),
    /// None for this long: the server is in trouble, or asked to wait.
    After(Duration),
}

#[derive(Debug)]
pub(super) struct State {
    limits: Limits,
    running: u32,
    providers: Vec<u32>,
    hosts: Vec<Host>,
    names: HashMap<Box<str>, u32>,
    pub(super) is_closed: bool,
}

impl State {
    pub(super) fn new(limits: Limits, providers: usize) -> Self {
        Self {
            limits,
            running: 0,
            providers: vec![0; providers],
            hosts: Vec::new(),
            names: HashMap::new(),
            is_closed: false,
        }
    }

    pub(super) fn lane(&mut self, provider: u32, host: &str) -> Lane {
        if let Some(host) = self.names.get(host) {
            return Lane {
                provider,
                host: *host,
            };
        }
        let number = u32::try_from(self.hosts.len()).unwrap_or(u32::MAX);
        self.hosts.push(Host::new(self.limits.host));
        self.names.insert(host.into(), number);
        Lane {
            provider,
            host: number,
        }
    }

    pub(super) fn running(&self) -> u32 {
        self.running
    }

    /// Whether a refresh may begin; `forced` if a user demands it, in spite of a hold.
    pub(super) fn room(&self, lane: Lane, forced: bool, now: Timestamp) -> Room {
        let host = self.host(lane);
        let held = host.map_or(Duration::ZERO, |host| host.held_for(now));
        if !held.is_zero() && !forced {
            return Room::After(held);
        }
        let of_host = host.map_or(0, |host| host.allowed().saturating_sub(host.running));
        let of_provider = self.limits.provider.saturating_sub(self.provider(lane));
        let of_all = self.limits.total.saturating_sub(self.running);
        Room::For(of_host.min(of_provider).min(of_all))
    }

    /// How many refreshes may be in progress at this server.
    pub(super) fn capacity(&self, lane: Lane, now: Timestamp) -> Room {
        let Some(host) = self.host(lane) else {
            return Room::For(0);
        };
        let held = host.held_for(now);
        if !held.is_zero() {
            return Room::After(held);
        }
        Room::For(host.allowed())
    }

    /// Counts a refresh that begins, and returns the epoch of its server.
    pub(super) fn enter(&mut self, lane: Lane) -> u32 {
        self.running += 1;
        if let Some(running) = self.providers.get_mut(lane.provider as usize) {
            *running += 1;
        }
        self.hosts.get_mut(lane.host as usize).map_or(0, |host| {
            host.running += 1;
            host.epoch()
        })
    }

    /// Counts a refresh that has ended.
    pub(super) fn leave(&mut self, lane: Lane) {
        self.running = self.running.saturating_sub(1);
        if let Some(running) = self.providers.get_mut(lane.provider as usize) {
            *running = running.saturating_sub(1);
        }
        if let Some(host) = self.hosts.get_mut(lane.host as usize) {
            host.running = host.running.saturating_sub(1);
        }
    }

    /// Counts no refresh any more: those of another process end there.
    pub(super) fn none_runs(&mut self) {
        self.running = 0;
        self.providers.fill(0);
        for host in &mut self.hosts {
            host.running = 0;
        }
    }

    pub(super) fn report(
        &mut self,
        lane: Lane,
        verdict: Verdict,
        began: u32,
        failed_before: Option<Timestamp>,
        now: Timestamp,
        fraction: f64,
    ) {
        let limit = self.limits.host;
        if let Some(host) = self.hosts.get_mut(lane.host as usize) {
            host.report(verdict, began, failed_before, limit, now, fraction);
        }
    }

    fn host(&self, lane: Lane) -> Option<&Host> {
        self.hosts.get(lane.host as usize)
    }

    fn provider(&self, lane: Lane) -> u32 {
        let running = self.providers.get(lane.provider as usize);
        running.copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_millis(1_000_000);

    fn state() -> State {
        let limits = Limits {
            total: 4,
            provider: 3,
            host: 2,
        };
        State::new(limits, 2)
    }

    #[test]
    fn refreshes_are_bounded_for_a_server_for_a_provider_and_together() {
        let mut state = state();
        let (first, second) = (state.lane(0, "one.example"), state.lane(0, "two.example"));
        let other = state.lane(1, "three.example");
        assert_eq!(state.room(first, false, NOW), Room::For(2));
        state.enter(first);
        state.enter(first);
        assert_eq!(state.room(first, false, NOW), Room::For(0), "its server");
        assert_eq!(state.room(second, false, NOW), Room::For(1));
        state.enter(second);
        assert_eq!(state.room(second, false, NOW), Room::For(0), "its provider");
        assert_eq!(state.room(other, false, NOW), Room::For(1));
        state.enter(other);
        assert_eq!(state.room(other, false, NOW), Room::For(0), "together");
        state.leave(first);
        assert_eq!(state.room(other, false, NOW), Room::For(1));
        assert_eq!(state.room(first, false, NOW), Room::For(1));
    }

    #[test]
    fn two_providers_at_one_server_share_what_is_known_of_it() {
        let mut state = state();
        let (first, second) = (state.lane(0, "one.example"), state.lane(1, "one.example"));
        let wait = Some(Duration::from_secs(60));
        let fails = Verdict::Fails { wait };
        state.report(first, fails, 0, None, NOW, 0.5);
        let held = Room::After(Duration::from_secs(60));
        assert_eq!(state.room(second, false, NOW), held);
        assert_eq!(state.room(second, true, NOW), Room::For(1), "demanded");
    }
}
