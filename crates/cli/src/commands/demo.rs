//! `llm-auth demo`: the main job with nothing but this binary.

mod http;
mod person;
mod proof;
mod stand;

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use llm_auth_core::{Clock as _, ManualClock, SystemClock, Timestamp};
use llm_auth_testkit::Testkit;
use tokio::task::JoinSet;

use self::person::Person;
use self::proof::Proof;
use self::stand::{Stand, VENDORS};
use crate::exit::Failure;
use crate::output;
use crate::signals;

/// How long the person at a terminal has for looking at the page.
const PAUSE: Duration = Duration::from_secs(4);
const TWO_HOURS: Duration = Duration::from_secs(7200);
const TASKS: usize = 20;

#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    /// Approve each sign-in at once, also on a terminal.
    #[arg(long)]
    yes: bool,

    /// Write what was proved as one JSON object; the story goes to standard error.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where the story is told.
#[derive(Clone, Copy, Debug)]
struct Narrator {
    json: bool,
}

impl Narrator {
    fn tell(self, line: &str) -> Result<(), Failure> {
        if self.json {
            output::say(line);
            return Ok(());
        }
        output::answer(line)
    }
}

/// The simulated vendors, a clock that both sides go by, and a folder of their own.
struct Stage {
    kit: Arc<Testkit>,
    clock: Arc<ManualClock>,
    began: Timestamp,
    folder: tempfile::TempDir,
    person: Person,
    narrator: Narrator,
}

pub(crate) fn run(args: &DemoArgs) -> Result<(), Failure> {
    let pause = if args.yes || !std::io::stdout().is_terminal() {
        Duration::ZERO
    } else {
        PAUSE
    };
    let narrator = Narrator { json: args.json };
    let stage = Stage::build(pause, narrator).map_err(|error| Failure::Config {
        message: format!("cannot set up the demo: {error}"),
        advice: "it needs a loopback port and a folder for temporary files".into(),
    })?;
    let interrupted = || "interrupted; nothing of the demo is left".to_owned();
    signals::run(Vec::new, stage.play(), interrupted)
}

impl Stage {
    fn build(pause: Duration, narrator: Narrator) -> std::io::Result<Self> {
        let kit = Testkit::builder()
            .interval(Duration::from_millis(500))
            .start_blocking()?;
        let kit = Arc::new(kit);
        let began = SystemClock.now();
        Ok(Self {
            person: Person::new(Arc::clone(&kit), pause, narrator),
            narrator,
            kit,
            clock: Arc::new(ManualClock::new(began)),
            began,
            folder: tempfile::tempdir()?,
        })
    }

    async fn play(&self) -> Result<(), Failure> {
        let mut proof = Proof::default();
        self.narrator
            .tell("The main job of llm-auth with simulated vendors: their own servers, on this")?;
        self.narrator
            .tell("computer, as strict as the real ones. Your real sessions are not touched.")?;
        let stands = self.stands()?;
        self.sign_in(&stands, &mut proof).await?;
        self.call_all("Each API is called with its token", &stands, &mut proof)
            .await?;
        self.expire_and_renew(&stands, &mut proof).await?;
        self.ask_from_many_tasks(&stands[0], &mut proof).await?;
        drop(stands);
        let stands = self.stands()?;
        self.restart(&stands, &mut proof).await?;
        self.sign_out(&stands, &mut proof).await?;
        self.judge(&mut proof);
        proof.conclude(self.narrator)
    }

    fn stands(&self) -> Result<Vec<Stand>, Failure> {
        let stand = |vendor| Stand::new(vendor, &self.kit, &self.clock, self.folder.path());
        VENDORS.into_iter().map(stand).collect()
    }

    async fn sign_in(&self, stands: &[Stand], proof: &mut Proof) -> Result<(), Failure> {
        for stand in stands {
            let title = stand.vendor.title();
            self.narrator
                .tell(&format!("\n== Sign in to {title} ({})", stand.flow()))?;
            let token = stand.manager.login(&self.person.at(stand.vendor)).await?;
            self.narrator
                .tell(&format!("Signed in; stored in {}.", stand.file().display()))?;
            let seen = stand.seen(&self.kit);
            proof.claim(
                format!("{title}: signed in with the {}", stand.flow()),
                seen.logins_ok == 1 && token.refresh.is_some(),
            );
        }
        let private = stands.iter().all(|stand| stand.is_private());
        proof.claim("token files are for their owner alone".into(), private);
        Ok(())
    }

    async fn call_all(
        &self,
        title: &str,
        stands: &[Stand],
        proof: &mut Proof,
    ) -> Result<(), Failure> {
        self.narrator.tell(&format!("\n== {title}"))?;
        let mut accepted = 0;
        for stand in stands {
            let token = stand.manager.token().await?;
            let (status, said) = stand.call(&token)?;
            self.narrator
                .tell(&format!("{:<8} {status} {said}", stand.vendor.name()))?;
            accepted += usize::from(stand.accepts(status, &said));
        }
        proof.claim(
            format!("{}: {accepted} of {} accepted", title, stands.len()),
            accepted == stands.len(),
        );
        Ok(())
    }

    async fn expire_and_renew(&self, stands: &[Stand], proof: &mut Proof) -> Result<(), Failure> {
        self.narrator
            .tell("\n== Two hours pass (the clocks of both sides are set forward)")?;
        self.let_two_hours_pass();
        let mut refused = 0;
        for stand in stands {
            let Some(old) = stand.manager.load().await? else {
                continue;
            };
            let (status, said) = stand.call(&old)?;
            self.narrator
                .tell(&format!("{:<8} {status} {said}", stand.vendor.name()))?;
            refused += usize::from(!stand.accepts(status, &said));
        }
        proof.claim(
            format!(
                "the old tokens are refused after two hours: {refused} of {}",
                stands.len()
            ),
            refused == stands.len(),
        );
        self.call_all("Asked again, the manager renews first", stands, proof)
            .await?;
        let once = stands
            .iter()
            .all(|stand| stand.seen(&self.kit).refreshes == 1);
        proof.claim(
            "each session was renewed once, without the person".into(),
            once,
        );
        Ok(())
    }

    async fn ask_from_many_tasks(&self, stand: &Stand, proof: &mut Proof) -> Result<(), Failure> {
        self.narrator
            .tell(&format!("\n== Two hours later, {TASKS} tasks ask at once"))?;
        self.let_two_hours_pass();
        let before = stand.seen(&self.kit).refreshes;
        let mut tasks = JoinSet::new();
        for _ in 0..TASKS {
            let manager = stand.manager.clone();
            tasks.spawn(async move { manager.token().await });
        }
        let mut tokens = Vec::new();
        for outcome in tasks.join_all().await {
            tokens.push(outcome?);
        }
        let same = tokens
            .windows(2)
            .all(|pair| pair[0].access == pair[1].access);
        let refreshes = stand.seen(&self.kit).refreshes - before;
        let (got, distinct) = (
            tokens.len(),
            if same {
                "the same token"
            } else {
                "several tokens"
            },
        );
        let plural = if refreshes == 1 { "" } else { "s" };
        self.narrator.tell(&format!(
            "{got} tasks got {distinct}; the vendor saw {refreshes} renewal{plural}."
        ))?;
        proof.claim(
            format!("{TASKS} tasks at once on an expired session: {refreshes} renewal, {distinct}"),
            same && refreshes == 1 && got == TASKS,
        );
        Ok(())
    }

    async fn restart(&self, stands: &[Stand], proof: &mut Proof) -> Result<(), Failure> {
        let asked = self.sign_ins_asked();
        self.call_all(
            "After a restart, the sessions are read from disk",
            stands,
            proof,
        )
        .await?;
        proof.claim(
            "after the restart nobody was asked to sign in".into(),
            self.sign_ins_asked() == asked,
        );
        Ok(())
    }

    async fn sign_out(&self, stands: &[Stand], proof: &mut Proof) -> Result<(), Failure> {
        self.narrator.tell("\n== Sign out")?;
        for stand in stands {
            let logout = stand.manager.logout().await?;
            let revoked = matches!(
                logout.revocation,
                Some(Ok(llm_auth_core::Revocation::Confirmed))
            );
            let told = if revoked {
                "the vendor confirmed"
            } else {
                "the vendor has no way to be told"
            };
            self.narrator
                .tell(&format!("{:<8} forgotten; {told}", stand.vendor.name()))?;
        }
        let gone = stands.iter().all(|stand| !stand.file().exists());
        proof.claim("signed out: no session is left on disk".into(), gone);
        Ok(())
    }

    /// What the vendors say of all this.
    fn judge(&self, proof: &mut Proof) {
        let kits = [self.kit.qwen(), self.kit.minimax(), self.kit.gemini()];
        let faultless = kits.iter().all(|kit| {
            let seen = kit.counters();
            seen.reuse == 0 && seen.too_fast == 0 && seen.violations.is_empty()
        });
        proof.claim(
            "no poll too early, no spent token sent again, nothing a strict vendor refuses".into(),
            faultless && self.kit.unknown_paths().is_empty(),
        );
    }

    /// Both sides' clocks move, and the vendors' access tokens die.
    fn let_two_hours_pass(&self) {
        self.clock.advance(TWO_HOURS);
        let passed = self.clock.now().since(self.began).as_secs();
        self.kit
            .set_date_offset(i64::try_from(passed).unwrap_or(i64::MAX));
        self.kit.expire_everything();
    }

    fn sign_ins_asked(&self) -> u64 {
        let kits = [self.kit.qwen(), self.kit.minimax(), self.kit.gemini()];
        kits.iter()
            .map(|kit| kit.counters().device_requests + kit.counters().authorizations)
            .sum()
    }
}
