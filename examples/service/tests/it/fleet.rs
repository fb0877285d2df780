//! 200 users of two instances, which are killed and ended at random.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use rustix::process::Signal;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::client::Browser;
use crate::instance::Instance;
use crate::world::{World, ready};

const USERS: usize = 200;

/// A user with one session.
struct User {
    browser: Browser,
    account: String,
    csrf: String,
}

impl User {
    async fn sign_in(begin: &Instance, end: &Instance) -> Self {
        let mut browser = Browser::new();
        browser.sign_in(begin, end).await;
        let page = browser.get(end, "/").await;
        Self {
            account: page.after("data-account=\"").unwrap().to_owned(),
            csrf: page.csrf(),
            browser,
        }
    }
}

/// What became of a message, by account: `None` if the instance was gone.
type Statuses = BTreeMap<String, Vec<Option<u16>>>;

/// The users, and what they do at once.
struct Fleet {
    world: World,
    users: Vec<User>,
}

impl Fleet {
    async fn start() -> Option<Self> {
        let world = World::start().await?;
        let [one, other] = &world.instances;
        let sign_ins = (0..USERS).map(|number| {
            let (begin, end) = match number % 2 {
                0 => (one, other),
                _ => (other, one),
            };
            User::sign_in(begin, end)
        });
        let users = stream::iter(sign_ins).buffer_unordered(32).collect().await;
        Some(Self { world, users })
    }

    /// Each user sends a message to each of these instances, all at once; `after` so many responses
    /// the first instance gets the signal.
    async fn chat(&self, at: &[usize], strike: Option<(usize, Signal)>) -> Statuses {
        let places = Arc::new(Semaphore::new(64));
        let mut messages = JoinSet::new();
        for user in &self.users {
            for &number in at {
                let mut browser = Browser::like(&user.browser);
                let pages = self.world.instances[number].pages.clone();
                let (csrf, account) = (user.csrf.clone(), user.account.clone());
                let places = Arc::clone(&places);
                messages.spawn(async move {
                    let _place = places.acquire().await.unwrap();
                    let form = format!("csrf={csrf}&account={account}&message=hello");
                    let sent = browser.try_post(&pages, "/chat", &form).await;
                    (account, sent.ok().map(|page| page.status))
                });
            }
        }
        let mut statuses = Statuses::new();
        let mut count = 0;
        while let Some(sent) = messages.join_next().await {
            let (account, status) = sent.unwrap();
            statuses.entry(account).or_default().push(status);
            count += 1;
            if let Some((after, signal)) = strike
                && count == after
            {
                self.world.instances[at[0]].signal(signal);
            }
        }
        statuses
    }

    /// Puts a new process in the place of one that has got a signal.
    async fn restart(&mut self, number: usize) -> bool {
        let fresh = Instance::start(self.world.files());
        ready(&fresh).await;
        let mut old = std::mem::replace(&mut self.world.instances[number], fresh);
        old.finish().0
    }

    /// The sessions that a process is about to refresh, and the end of their leases, as if the time
    /// of a dead holder were over.
    async fn end_leases(&self) -> BTreeSet<String> {
        let sql = "UPDATE llm_auth.sessions SET lease_until = now() - interval '1 second'
            WHERE lease_until > now() RETURNING account";
        self.world.postgres.sql(sql).await.into_iter().collect()
    }

    /// Ends the leases that one holder has had for a second, again and again: those of a process that
    /// has died, whose time would be over after half a minute.
    async fn end_old_leases(&self) {
        let mut seconds = tokio::time::interval(Duration::from_secs(1));
        let mut before = BTreeSet::new();
        let lease = "account || ' ' || encode(holder, 'hex')";
        loop {
            seconds.tick().await;
            let sql = format!("SELECT {lease} FROM llm_auth.sessions WHERE lease_until > now()");
            let held = BTreeSet::from_iter(self.world.postgres.sql(&sql).await);
            let old: Vec<String> = held
                .intersection(&before)
                .map(|old| format!("'{old}'"))
                .collect();
            if !old.is_empty() {
                let sql = format!(
                    "UPDATE llm_auth.sessions SET lease_until = now() - interval '1 second'
                     WHERE {lease} IN ({})",
                    old.join(", ")
                );
                self.world.postgres.sql(&sql).await;
            }
            before = held;
        }
    }

    fn counts(&self) -> Counts {
        let server = self.world.kit.standard();
        let counters = server.counters();
        // A spent refresh token breaks the vendor's rules; nothing else may.
        let spent = "refresh: the refresh token was spent before";
        let violations = server.violations();
        assert!(
            violations.iter().all(|words| words == spent),
            "{violations:?}"
        );
        assert_eq!(violations.len() as u64, counters.reuse);
        Counts {
            granted: counters.refresh_ok - counters.refresh_in_grace,
            again: counters.refresh_in_grace,
            reuse: counters.reuse,
        }
    }
}

/// Refreshes at the vendor.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Counts {
    /// Refresh tokens that were spent.
    granted: u64,
    /// Those that were sent once more, and forgiven.
    again: u64,
    /// Those that were sent once more, and not forgiven: the session is over.
    reuse: u64,
}

fn random(below: usize) -> usize {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).unwrap();
    usize::from_le_bytes(bytes) % below
}

fn all_passed(statuses: &Statuses) -> bool {
    statuses
        .values()
        .flatten()
        .all(|status| *status == Some(200))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_session_is_refreshed_once_per_expiry_while_instances_die_and_restart() {
    let Some(mut fleet) = Fleet::start().await else {
        return;
    };
    two_instances_share_an_expiry(&mut fleet).await;
    an_instance_ends_in_order(&mut fleet).await;
    an_instance_is_killed_while_the_other_works(&mut fleet).await;
    for grace in [true, false] {
        an_instance_is_killed(&mut fleet, grace).await;
    }
}

async fn two_instances_share_an_expiry(fleet: &mut Fleet) {
    assert_eq!(fleet.counts().granted, 0);
    fleet.world.kit.standard().expire_access_tokens();
    let statuses = fleet.chat(&[0, 1], None).await;
    assert!(all_passed(&statuses), "{statuses:?}");
    let expected = Counts {
        granted: USERS as u64,
        again: 0,
        reuse: 0,
    };
    assert_eq!(fleet.counts(), expected);
}

/// SIGTERM at a random moment: refreshes that have begun are stored, and nothing is lost.
async fn an_instance_ends_in_order(fleet: &mut Fleet) {
    let before = fleet.counts();
    let (victim, after) = (random(2), 1 + random(USERS));
    println!("SIGTERM to instance {victim} after {after} responses");
    fleet.world.kit.standard().expire_access_tokens();
    fleet
        .chat(&[victim, 1 - victim], Some((after, Signal::TERM)))
        .await;
    assert!(fleet.restart(victim).await, "it has not ended in order");
    assert_eq!(fleet.end_leases().await, BTreeSet::new());
    let statuses = fleet.chat(&[0, 1], None).await;
    assert!(all_passed(&statuses), "{statuses:?}");
    let expected = Counts {
        granted: before.granted + USERS as u64,
        ..before
    };
    assert_eq!(fleet.counts(), expected);
}

/// SIGKILL at a random moment, with both at the same sessions. The vendor forgives a second use, so
/// nothing is lost, and the users of the other instance do not notice.
async fn an_instance_is_killed_while_the_other_works(fleet: &mut Fleet) {
    let server = fleet.world.kit.standard();
    server.set_grace(Duration::from_secs(3600));
    let before = fleet.counts();
    let (victim, after) = (random(2), 1 + random(USERS));
    println!("SIGKILL to instance {victim} after {after} responses of both");
    server.expire_access_tokens();
    let (both, strike) = ([victim, 1 - victim], Some((after, Signal::KILL)));
    let statuses = tokio::select! {
        statuses = fleet.chat(&both, strike) => statuses,
        () = fleet.end_old_leases() => unreachable!("it does not end"),
    };
    // Each has sent a message to both.
    let passed = |sent: &Vec<Option<u16>>| sent.contains(&Some(200));
    assert!(statuses.values().all(passed), "{statuses:?}");
    fleet.restart(victim).await;
    let statuses = fleet.chat(&[0, 1], None).await;
    assert!(all_passed(&statuses), "{statuses:?}");
    let counts = fleet.counts();
    println!("{counts:?}");
    assert_eq!(counts.granted, before.granted + USERS as u64);
    assert_eq!(counts.reuse, before.reuse);
}

/// SIGKILL at a random moment. Of the sessions whose refresh was in progress in that process, a
/// vendor with a grace time forgives a second use; a strict one ends the session, and no client can
/// prevent that: the successor died with the process. No other session may be touched.
async fn an_instance_is_killed(fleet: &mut Fleet, grace: bool) {
    let server = fleet.world.kit.standard();
    server.set_grace(Duration::from_secs(if grace { 3600 } else { 0 }));
    let before = fleet.counts();
    let (victim, after) = (random(2), 1 + random(USERS));
    fleet.world.kit.standard().expire_access_tokens();
    // The other one begins afterwards: until then every lease is one of the process that died.
    let at_once = fleet.chat(&[victim], Some((after, Signal::KILL))).await;
    fleet.restart(victim).await;
    let in_progress = fleet.end_leases().await;
    let failed = at_once
        .values()
        .flatten()
        .filter(|status| status.is_none())
        .count();
    println!(
        "SIGKILL to instance {victim} after {after} responses: {failed} requests failed, {} \
         refreshes were in progress",
        in_progress.len()
    );
    let statuses = fleet.chat(&[0, 1], None).await;
    let lost = statuses
        .iter()
        .filter(|(_, sent)| sent.iter().any(|one| *one != Some(200)));
    let lost: BTreeSet<String> = lost.map(|(account, _)| account.clone()).collect();
    let counts = fleet.counts();
    println!("{counts:?}, {} sessions lost", lost.len());
    // Once per expiry, for each of the 200.
    assert_eq!(counts.granted, before.granted + USERS as u64);
    let twice = (counts.again - before.again) + (counts.reuse - before.reuse);
    assert!(
        twice <= in_progress.len() as u64,
        "{twice}: {in_progress:?}"
    );
    assert!(lost.is_subset(&in_progress), "{lost:?}: {in_progress:?}");
    match grace {
        true => assert!(lost.is_empty() && counts.reuse == before.reuse, "{lost:?}"),
        false => assert_eq!(lost.len() as u64, counts.reuse - before.reuse),
    }
}
