//! Token families: what was granted, what is spent, what is revoked.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use crate::random;
use crate::settings::{Rotation, Settings};

/// The end of every refresh token and device code: a client that does not form-encode it fails.
pub(super) const MUST_BE_ESCAPED: &str = "+/=&%";

#[derive(Debug)]
pub(crate) struct Grants {
    format: TokenFormat,
    families: BTreeMap<u64, Family>,
    access: HashMap<String, Access>,
    refresh: HashMap<String, Refresh>,
}

/// The prefixes of the tokens of a provider.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenFormat {
    pub(crate) access: &'static str,
    pub(crate) refresh: &'static str,
}

/// All tokens of one login.
#[derive(Clone, Debug)]
pub(crate) struct Family {
    pub(crate) client_id: String,
    pub(crate) scope: String,
    pub(crate) revoked: bool,
}

#[derive(Debug)]
struct Access {
    family: u64,
    expires: Instant,
}

#[derive(Debug)]
struct Refresh {
    family: u64,
    spent: Option<Spent>,
}

#[derive(Debug)]
struct Spent {
    at: Instant,
    successor: String,
}

/// Tokens to put into a response.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub(crate) family: u64,
    pub(crate) access: String,
    pub(crate) refresh: Option<String>,
    pub(crate) scope: String,
    pub(crate) lifetime: Duration,
}

impl Issued {
    /// `expires_in`: whole seconds, at least one.
    pub(crate) fn expires_in(&self) -> u64 {
        let seconds = self.lifetime.as_secs() + u64::from(self.lifetime.subsec_nanos() > 0);
        seconds.max(1)
    }
}

/// The outcome of presenting a refresh token.
#[derive(Debug)]
pub(crate) enum RefreshOutcome {
    Fresh(Issued),
    InGrace(Issued),
    Reused { revoked_family: bool },
    Revoked,
    OtherClient,
    Unknown,
}

impl Grants {
    pub(crate) fn new(format: TokenFormat) -> Self {
        Self {
            format,
            families: BTreeMap::new(),
            access: HashMap::new(),
            refresh: HashMap::new(),
        }
    }

    pub(crate) fn open(
        &mut self,
        client_id: &str,
        scope: &str,
        with_refresh: bool,
        settings: &Settings,
    ) -> Issued {
        let family = self.families.last_key_value().map_or(1, |(id, _)| id + 1);
        self.families.insert(
            family,
            Family {
                client_id: client_id.to_owned(),
                scope: scope.to_owned(),
                revoked: false,
            },
        );
        let refresh = with_refresh.then(|| self.new_refresh(family));
        self.issue(family, refresh, settings)
    }

    pub(crate) fn refresh(
        &mut self,
        token: &str,
        client_id: &str,
        settings: &Settings,
    ) -> RefreshOutcome {
        let Some(found) = self.refresh.get(token) else {
            return RefreshOutcome::Unknown;
        };
        let id = found.family;
        match self.families.get(&id) {
            Some(family) if family.client_id != client_id => return RefreshOutcome::OtherClient,
            Some(family) if !family.revoked => {}
            Some(_) | None => return self.dead(found),
        }
        if let Some(spent) = &found.spent {
            let successor = spent.successor.clone();
            let unused = self
                .refresh
                .get(&successor)
                .is_some_and(|next| next.spent.is_none());
            if unused && spent.at.elapsed() < settings.grace {
                return RefreshOutcome::InGrace(self.issue(id, Some(successor), settings));
            }
            let revoked_family = settings.reuse_revokes_family && self.revoke(id);
            return RefreshOutcome::Reused { revoked_family };
        }
        RefreshOutcome::Fresh(match settings.rotation {
            Rotation::Omit => self.issue(id, None, settings),
            Rotation::Keep => self.issue(id, Some(token.to_owned()), settings),
            Rotation::Rotate => {
                let successor = self.new_refresh(id);
                if let Some(old) = self.refresh.get_mut(token) {
                    old.spent = Some(Spent {
                        at: Instant::now(),
                        successor: successor.clone(),
                    });
                }
                self.issue(id, Some(successor), settings)
            }
        })
    }

    /// A spent token of a dead family is still reuse.
    fn dead(&self, found: &Refresh) -> RefreshOutcome {
        match found.spent {
            Some(_) => RefreshOutcome::Reused {
                revoked_family: false,
            },
            None => RefreshOutcome::Revoked,
        }
    }

    /// The family behind a live access token.
    pub(crate) fn live(&self, access: &str) -> Option<&Family> {
        let found = self.access.get(access)?;
        let family = self.families.get(&found.family)?;
        (!family.revoked && Instant::now() < found.expires).then_some(family)
    }

    /// How long a live access token has left.
    pub(crate) fn time_left(&self, access: &str) -> Duration {
        let found = self.access.get(access);
        found.map_or(Duration::ZERO, |found| {
            found.expires.saturating_duration_since(Instant::now())
        })
    }

    /// The family of an access or refresh token, dead or alive.
    pub(crate) fn family_of(&self, token: &str) -> Option<(u64, &Family)> {
        let access = self.access.get(token).map(|found| found.family);
        let id = access.or_else(|| self.refresh.get(token).map(|found| found.family))?;
        self.families.get(&id).map(|family| (id, family))
    }

    /// Kills a family; `false` if it was dead already.
    pub(crate) fn revoke(&mut self, family: u64) -> bool {
        match self.families.get_mut(&family) {
            Some(family) if !family.revoked => {
                family.revoked = true;
                true
            }
            Some(_) | None => false,
        }
    }

    /// Kills all families; returns how many were alive.
    pub(crate) fn revoke_all(&mut self) -> u64 {
        let ids: Vec<u64> = self.families.keys().copied().collect();
        ids.into_iter().map(|id| u64::from(self.revoke(id))).sum()
    }

    pub(crate) fn expire_access(&mut self) {
        let now = Instant::now();
        for access in self.access.values_mut() {
            access.expires = access.expires.min(now);
        }
    }

    pub(crate) fn live_families(&self) -> Vec<(u64, &Family)> {
        let now = Instant::now();
        let access = self.access.values().filter(|found| now < found.expires);
        let refresh = self.refresh.values().filter(|found| found.spent.is_none());
        let usable: BTreeSet<u64> = access
            .map(|found| found.family)
            .chain(refresh.map(|found| found.family))
            .collect();
        let usable = usable.into_iter();
        usable
            .filter_map(|id| Some((id, self.families.get(&id)?)))
            .filter(|(_, family)| !family.revoked)
            .collect()
    }

    pub(crate) fn live_access(&self, family: Option<u64>) -> Vec<String> {
        let wanted = |found: &Access| family.is_none_or(|id| id == found.family);
        let mut tokens: Vec<String> = self
            .access
            .iter()
            .filter(|(token, found)| wanted(found) && self.live(token).is_some())
            .map(|(token, _)| token.clone())
            .collect();
        tokens.sort();
        tokens
    }

    pub(crate) fn live_refresh(&self, family: Option<u64>) -> Vec<String> {
        let alive = |id: u64| self.families.get(&id).is_some_and(|f| !f.revoked);
        let wanted = |found: &Refresh| family.is_none_or(|id| id == found.family);
        let mut tokens: Vec<String> = self
            .refresh
            .iter()
            .filter(|(_, found)| found.spent.is_none() && alive(found.family) && wanted(found))
            .map(|(token, _)| token.clone())
            .collect();
        tokens.sort();
        tokens
    }

    fn issue(&mut self, family: u64, refresh: Option<String>, settings: &Settings) -> Issued {
        let now = Instant::now();
        let lifetime = settings.access_lifetime;
        let a_year = Duration::from_secs(365 * 86_400);
        let expires = now.checked_add(lifetime).unwrap_or(now + a_year);
        if self.access.len() > 10_000 {
            self.access.retain(|_, found| found.expires > now);
        }
        let hex = random::hex(16);
        let access = format!("{}{hex}", self.format.access);
        self.access
            .insert(access.clone(), Access { family, expires });
        let scope = self.families.get(&family).map(|f| f.scope.clone());
        Issued {
            family,
            access,
            refresh,
            scope: scope.unwrap_or_default(),
            lifetime,
        }
    }

    fn new_refresh(&mut self, family: u64) -> String {
        let hex = random::hex(16);
        let token = format!("{}{hex}{MUST_BE_ESCAPED}", self.format.refresh);
        let spent = None;
        self.refresh
            .insert(token.clone(), Refresh { family, spent });
        token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT: TokenFormat = TokenFormat {
        access: "access-",
        refresh: "refresh-",
    };

    fn opened(settings: &Settings) -> (Grants, String) {
        let mut grants = Grants::new(FORMAT);
        let issued = grants.open("client", "scope", true, settings);
        (grants, issued.refresh.unwrap())
    }

    fn settings() -> Settings {
        Settings::default()
    }

    #[test]
    fn reuse_of_a_spent_token_kills_the_whole_family() {
        let settings = settings();
        let (mut grants, first) = opened(&settings);
        let RefreshOutcome::Fresh(second) = grants.refresh(&first, "client", &settings) else {
            panic!("not refreshed");
        };
        assert!(grants.live(&second.access).is_some());
        let reused = grants.refresh(&first, "client", &settings);
        assert!(matches!(
            reused,
            RefreshOutcome::Reused {
                revoked_family: true
            }
        ));
        assert!(grants.live(&second.access).is_none());
        let successor = second.refresh.unwrap();
        assert!(matches!(
            grants.refresh(&successor, "client", &settings),
            RefreshOutcome::Revoked
        ));
        assert!(grants.live_families().is_empty());
    }

    #[test]
    fn within_the_grace_window_a_spent_token_gets_the_same_successor() {
        let mut settings = settings();
        settings.grace = Duration::from_secs(600);
        let (mut grants, first) = opened(&settings);
        let RefreshOutcome::Fresh(one) = grants.refresh(&first, "client", &settings) else {
            panic!("not refreshed");
        };
        let RefreshOutcome::InGrace(two) = grants.refresh(&first, "client", &settings) else {
            panic!("no grace");
        };
        assert_eq!(one.refresh, two.refresh);
        assert!(matches!(
            grants.refresh(&one.refresh.unwrap(), "client", &settings),
            RefreshOutcome::Fresh(_)
        ));
        // The successor was used: another holder of the first one is not its owner.
        assert!(matches!(
            grants.refresh(&first, "client", &settings),
            RefreshOutcome::Reused { .. }
        ));
    }

    #[test]
    fn a_kept_or_omitted_refresh_token_stays_valid() {
        for rotation in [Rotation::Keep, Rotation::Omit] {
            let mut settings = settings();
            settings.rotation = rotation;
            let (mut grants, first) = opened(&settings);
            for _ in 0..3 {
                let RefreshOutcome::Fresh(next) = grants.refresh(&first, "client", &settings)
                else {
                    panic!("not refreshed");
                };
                let expected = (rotation == Rotation::Keep).then(|| first.clone());
                assert_eq!(next.refresh, expected);
            }
        }
    }

    #[test]
    fn a_refresh_token_works_only_for_its_client() {
        let settings = settings();
        let (mut grants, first) = opened(&settings);
        assert!(matches!(
            grants.refresh(&first, "other", &settings),
            RefreshOutcome::OtherClient
        ));
    }

    #[test]
    fn expires_in_is_at_least_one_whole_second() {
        let mut settings = settings();
        for (lifetime, seconds) in [(0, 1), (200, 1), (1000, 1), (1001, 2), (3_600_000, 3600)] {
            settings.access_lifetime = Duration::from_millis(lifetime);
            let mut grants = Grants::new(FORMAT);
            let issued = grants.open("client", "", false, &settings);
            assert_eq!(issued.expires_in(), seconds);
        }
    }
}
