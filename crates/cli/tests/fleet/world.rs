//! A fleet: its hosts, their database, their vendor, and the wires in between.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use llm_auth_core::{AuthProvider as _, Clock, LoginEvent, SystemClock, Timestamp};
use llm_auth_testkit::Testkit;
use rustix::process::Signal;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::database::{Database, Engine};
use crate::database_wire::{DatabaseWire, State};
use crate::faults::{Kind, Plan, Tokens};
use crate::host::Orders;
use crate::judge::{Finding, Verdict};
use crate::ledger::{Harm, HarmKind, Ledger, Pair};
use crate::process::{End, Host, Line};
use crate::trigger::Trigger;
use crate::vendor;
use crate::vendor_wire::VendorWire;

pub(crate) const HOSTS: usize = 3;
pub(crate) const SESSIONS: usize = 9;

/// How long a fault waits for its message.
const NO_MESSAGE: Duration = Duration::from_millis(400);

/// How often a sign-in is tried again.
const SIGN_INS: usize = 20;

/// How far the clocks go so that access tokens may be refreshed, or are over.
const DUE: i64 = 110;
const PAST: i64 = 300;

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) kit: Testkit,
    pub(crate) database: Database,
    pub(crate) ledger: Arc<Mutex<Ledger>>,
    pub(crate) hosts: Vec<Host>,
    trigger: Arc<Trigger>,
    wires: Vec<DatabaseWire>,
    vendor: VendorWire,
    /// How far ahead all clocks are, in seconds.
    ahead: i64,
    pub(crate) turn: AtomicU64,
}

/// The clock of the vendor and the hosts.
#[derive(Debug)]
struct Ahead(AtomicI64);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        let millis = 1000 * self.0.load(Ordering::SeqCst);
        Timestamp::from_unix_millis(SystemClock.now().as_unix_millis() + millis)
    }
}

impl World {
    /// `None` if the database is not installed.
    pub(crate) async fn new(engine: Engine) -> Option<Self> {
        let database = Database::start(engine).await?;
        let (kit, trigger) = (vendor::start(), Arc::new(Trigger::default()));
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let (seen, kept) = (Arc::clone(&trigger), Arc::clone(&ledger));
        let vendor = VendorWire::start(kit.base_url(), HOSTS, seen, kept).await;
        let mut world = Self {
            kit,
            database,
            ledger,
            hosts: Vec::new(),
            trigger,
            wires: Vec::new(),
            vendor,
            ahead: 0,
            turn: AtomicU64::new(0),
        };
        for host in 0..HOSTS {
            let port = Arc::clone(&world.database.port);
            let wire = DatabaseWire::start(host, port, Arc::clone(&world.trigger)).await;
            let orders = Orders {
                engine,
                port: wire.port,
                vendor: world.vendor.base.clone(),
                host,
                life: 0,
                sessions: SESSIONS,
            };
            world.wires.push(wire);
            world.hosts.push(Host::start(orders).await);
        }
        for session in 0..SESSIONS {
            world.sign_in(session).await;
        }
        Some(world)
    }

    /// A new session in place of the old one.
    pub(crate) async fn sign_in(&self, session: usize) {
        let clock = Arc::new(Ahead(AtomicI64::new(self.ahead)));
        let provider = vendor::provider(&self.vendor.base, "the fleet", clock);
        let prompt = |_: &LoginEvent<'_>| {};
        let mut signed_in = provider.authenticate(&prompt).await;
        for _ in 0..SIGN_INS {
            // The computer may be slow, and this is no part of what is tried.
            if signed_in.is_ok() {
                break;
            }
            signed_in = provider.authenticate(&prompt).await;
        }
        let token = signed_in.unwrap();
        self.ledger.lock().unwrap().began(Pair {
            access: token.access.expose().to_owned(),
            refresh: token.refresh.as_ref().unwrap().expose().to_owned(),
        });
        let account = vendor::account(session);
        while let Err(error) = self.database.put(&account, &token).await {
            eprintln!("fleet: {error}");
        }
    }

    /// All clocks go on.
    pub(crate) fn pass(&mut self, seconds: i64) {
        self.ahead += seconds;
        self.kit.set_date_offset(self.ahead);
    }

    /// One fault, while all hosts want all sessions; then a turn without one.
    pub(crate) async fn round(&mut self, plan: &Plan) -> Result<Verdict, Finding> {
        let before = self.ledger.lock().unwrap().refreshes();
        self.pass(match plan.tokens {
            Tokens::Over => PAST,
            Tokens::Good => DUE,
        });
        if plan.kind == Kind::FailOver {
            self.database.follow().await;
        }
        let hit = self.trigger.arm(plan.point, plan.others);
        let turn = self.begin().await;
        let (host, go_on) = match timeout(NO_MESSAGE, hit).await {
            Ok(Ok(hit)) => (hit.host, Some(hit.go_on)),
            _ => (plan.host, None),
        };
        self.trigger.disarm();
        sleep(plan.delay).await;
        let is_hit = go_on.is_some();
        self.strike(plan, host, go_on).await;
        let mut lines = Vec::new();
        for host in &mut self.hosts {
            lines.extend(finish(host, turn).await?);
        }
        if plan.kind == Kind::Kill {
            self.hosts[host].again().await;
        }
        self.check_stored(&lines).await?;
        self.pass(PAST);
        let mut verdict = self.calm().await?;
        verdict.is_hit = is_hit;
        verdict.refreshes = self.ledger.lock().unwrap().refreshes() - before;
        Ok(verdict)
    }

    pub(crate) async fn begin(&mut self) -> u64 {
        let turn = self.turn.fetch_add(1, Ordering::SeqCst);
        for host in &mut self.hosts {
            host.go(turn, self.ahead).await;
        }
        turn
    }

    /// Makes the fault, and what heals it. As long as access tokens are still good, other hosts must give
    /// one that is paused or cut off the time to come back, so that excuses nothing.
    async fn strike(&mut self, plan: &Plan, host: usize, go_on: Option<oneshot::Sender<()>>) {
        let from = Instant::now();
        let life = self.hosts[host].life();
        let cut = match plan.is_silent {
            true => State::Silent,
            false => State::Closed,
        };
        let go_on = || {
            // The message goes on when this is dropped, too.
            let _passes = go_on.map(|go_on| go_on.send(()));
        };
        let harm = |to, kind, until| Harm {
            to,
            kind,
            from,
            until,
        };
        match plan.kind {
            Kind::Kill => {
                self.hosts[host].kill().await;
                go_on();
                let kind = HarmKind::Killed;
                let harm = harm(life, kind, from + Duration::from_secs(86_400));
                self.ledger.lock().unwrap().harmed(harm);
            }
            Kind::Pause => {
                self.hosts[host].signal(Signal::STOP);
                go_on();
                sleep(plan.length).await;
                if plan.tokens == Tokens::Over {
                    let harm = harm(life, HarmKind::Paused, Instant::now());
                    self.ledger.lock().unwrap().harmed(harm);
                }
                self.hosts[host].signal(Signal::CONT);
            }
            Kind::BriefCut | Kind::LongCut => {
                self.wires[host].set(cut);
                go_on();
                sleep(plan.length).await;
                if plan.tokens == Tokens::Over {
                    let harm = harm(life, HarmKind::CutOff, Instant::now());
                    self.ledger.lock().unwrap().harmed(harm);
                }
                self.wires[host].set(State::Whole);
            }
            Kind::RequestLost | Kind::ResponseLost => {
                self.vendor.set(host, cut);
                go_on();
                sleep(plan.length).await;
                self.vendor.set(host, State::Whole);
            }
            Kind::Crash | Kind::DatabaseKilled => {
                let crash = self.database.crash(plan.kind == Kind::DatabaseKilled);
                tokio::join!(crash, async { go_on() });
                self.was_away(plan, from);
            }
            Kind::FailOver => {
                self.wires.iter().for_each(|wire| wire.set(cut));
                go_on();
                self.database.fail_over().await;
                self.was_away(plan, from);
                self.wires.iter().for_each(|wire| wire.set(State::Whole));
            }
        }
    }

    /// No host could reach the database from that time until now.
    fn was_away(&self, plan: &Plan, from: Instant) {
        if plan.tokens == Tokens::Good {
            return;
        }
        let mut ledger = self.ledger.lock().unwrap();
        for host in &self.hosts {
            ledger.harmed(Harm {
                to: host.life(),
                kind: HarmKind::CutOff,
                from,
                until: Instant::now(),
            });
        }
    }
}

/// What a host printed in a turn that ended as it should.
pub(crate) async fn finish(host: &mut Host, turn: u64) -> Result<Vec<Line>, Finding> {
    let ended = host.finish(turn).await;
    match ended.end {
        End::Stuck => Err(Finding::broken("a host does not end its turn (N6)")),
        End::Done | End::Dead => Ok(ended.lines),
    }
}
