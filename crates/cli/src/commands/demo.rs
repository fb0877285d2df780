//! `llm-auth demo`: the main job with nothing but this binary.

mod approver;
mod checks;
mod http;
mod output;
mod provider;

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use llm_auth_core::{Clock as _, ManualClock, SystemClock, Timestamp};
use llm_auth_testkit::Testkit;
use tokio::task::JoinSet;

use self::approver::Approver;
use self::checks::Checks;
use self::output::Output;
use self::provider::{DemoProvider, STAGES};
use crate::error::Failure;
use crate::session::runtime;

/// How long the person at a terminal has for looking at the page.
const PAUSE: Duration = Duration::from_secs(4);
const TWO_HOURS: Duration = Duration::from_secs(7200);
const TASKS: usize = 20;

#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    /// Approve each sign-in at once, even at a terminal.
    #[arg(long)]
    yes: bool,

    /// Print the results as a JSON object; the narration goes to standard error.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The simulated vendors, a clock that both sides go by, and a directory for the sessions.
struct Demo {
    kit: Arc<Testkit>,
    clock: Arc<ManualClock>,
    began: Timestamp,
    directory: tempfile::TempDir,
    approver: Approver,
    output: Output,
}

pub(crate) fn run(args: &DemoArgs) -> Result<(), Failure> {
    let pause = if args.yes || !std::io::stdout().is_terminal() {
        Duration::ZERO
    } else {
        PAUSE
    };
    let output = Output { json: args.json };
    let demo = Demo::build(pause, output).map_err(|error| Failure::Config {
        message: format!("cannot set up the demo: {error}"),
        advice: "it needs a loopback port and a directory for temporary files".into(),
    })?;
    let interrupted = || "interrupted; nothing of the demo is left".to_owned();
    runtime::run(Vec::new, demo.play(), interrupted)
}

impl Demo {
    fn build(pause: Duration, output: Output) -> std::io::Result<Self> {
        let kit = Testkit::builder()
            .interval(Duration::from_millis(500))
            .start_blocking()?;
        let kit = Arc::new(kit);
        let began = SystemClock.now();
        Ok(Self {
            approver: Approver::new(Arc::clone(&kit), pause, output),
            output,
            kit,
            clock: Arc::new(ManualClock::new(began)),
            began,
            directory: tempfile::tempdir()?,
        })
    }

    async fn play(&self) -> Result<(), Failure> {
        let mut checks = Checks::default();
        self.output
            .print("The main job of llm-auth with simulated vendors: their own servers, on this")?;
        self.output
            .print("computer, as strict as the real ones. Your real sessions are not touched.")?;
        let providers = self.providers()?;
        self.sign_in(&providers, &mut checks).await?;
        self.call_all("Each API is called with its token", &providers, &mut checks)
            .await?;
        self.expire_and_renew(&providers, &mut checks).await?;
        self.ask_from_many_tasks(&providers[0], &mut checks).await?;
        drop(providers);
        let providers = self.providers()?;
        self.restart(&providers, &mut checks).await?;
        self.sign_out(&providers, &mut checks).await?;
        self.judge(&mut checks);
        checks.conclude(self.output)
    }

    fn providers(&self) -> Result<Vec<DemoProvider>, Failure> {
        let provider =
            |stage| DemoProvider::new(stage, &self.kit, &self.clock, self.directory.path());
        STAGES.iter().map(provider).collect()
    }

    async fn sign_in(
        &self,
        providers: &[DemoProvider],
        checks: &mut Checks,
    ) -> Result<(), Failure> {
        for provider in providers {
            let title = provider.stage.name.title();
            self.output.print(&format!(
                "\n== Sign in to {title} ({})",
                provider.stage.flow
            ))?;
            let token = provider
                .manager
                .login(&self.approver.at(provider.stage))
                .await?;
            self.output.print(&format!(
                "Signed in; stored in {}.",
                provider.file().display()
            ))?;
            let seen = provider.seen(&self.kit);
            checks.check(
                format!("{title}: signed in with the {}", provider.stage.flow),
                seen.logins_ok == 1 && token.refresh.is_some(),
            );
        }
        let private = providers.iter().all(|provider| provider.is_private());
        checks.check("token files are for their owner alone".into(), private);
        Ok(())
    }

    async fn call_all(
        &self,
        title: &str,
        providers: &[DemoProvider],
        checks: &mut Checks,
    ) -> Result<(), Failure> {
        self.output.print(&format!("\n== {title}"))?;
        let mut accepted = 0;
        for provider in providers {
            let token = provider.manager.token().await?;
            let (status, said) = provider.call(&token).await?;
            self.output.print(&format!(
                "{:<8} {status} {said}",
                provider.stage.name.name()
            ))?;
            accepted += usize::from(provider.accepts(status, &said));
        }
        checks.check(
            format!("{}: {accepted} of {} accepted", title, providers.len()),
            accepted == providers.len(),
        );
        Ok(())
    }

    async fn expire_and_renew(
        &self,
        providers: &[DemoProvider],
        checks: &mut Checks,
    ) -> Result<(), Failure> {
        self.output
            .print("\n== Two hours pass (the clocks of both sides are set forward)")?;
        self.let_two_hours_pass();
        let mut refused = 0;
        for provider in providers {
            let Some(old) = provider.manager.load().await? else {
                continue;
            };
            let (status, said) = provider.call(&old).await?;
            self.output.print(&format!(
                "{:<8} {status} {said}",
                provider.stage.name.name()
            ))?;
            refused += usize::from(!provider.accepts(status, &said));
        }
        checks.check(
            format!(
                "the old tokens are refused after two hours: {refused} of {}",
                providers.len()
            ),
            refused == providers.len(),
        );
        self.call_all("Asked again, the manager renews first", providers, checks)
            .await?;
        let once = providers
            .iter()
            .all(|provider| provider.seen(&self.kit).refreshes == 1);
        checks.check(
            "each session was renewed once, without the person".into(),
            once,
        );
        Ok(())
    }

    async fn ask_from_many_tasks(
        &self,
        provider: &DemoProvider,
        checks: &mut Checks,
    ) -> Result<(), Failure> {
        self.output
            .print(&format!("\n== Two hours later, {TASKS} tasks ask at once"))?;
        self.let_two_hours_pass();
        let before = provider.seen(&self.kit).refreshes;
        let mut tasks = JoinSet::new();
        for _ in 0..TASKS {
            let manager = provider.manager.clone();
            tasks.spawn(async move { manager.token().await });
        }
        let mut tokens = Vec::new();
        for outcome in tasks.join_all().await {
            tokens.push(outcome?);
        }
        let same = tokens
            .windows(2)
            .all(|pair| pair[0].access == pair[1].access);
        let refreshes = provider.seen(&self.kit).refreshes - before;
        let (got, distinct) = (
            tokens.len(),
            if same {
                "the same token"
            } else {
                "several tokens"
            },
        );
        let plural = if refreshes == 1 { "" } else { "s" };
        self.output.print(&format!(
            "{got} tasks got {distinct}; the vendor saw {refreshes} renewal{plural}."
        ))?;
        checks.check(
            format!("{TASKS} tasks at once on an expired session: {refreshes} renewal, {distinct}"),
            same && refreshes == 1 && got == TASKS,
        );
        Ok(())
    }

    async fn restart(
        &self,
        providers: &[DemoProvider],
        checks: &mut Checks,
    ) -> Result<(), Failure> {
        let asked = self.sign_ins_asked();
        self.call_all(
            "After a restart, the sessions are read from disk",
            providers,
            checks,
        )
        .await?;
        checks.check(
            "after the restart no provider asked for a sign-in".into(),
            self.sign_ins_asked() == asked,
        );
        Ok(())
    }

    async fn sign_out(
        &self,
        providers: &[DemoProvider],
        checks: &mut Checks,
    ) -> Result<(), Failure> {
        self.output.print("\n== Sign out")?;
        for provider in providers {
            let logout = provider.manager.logout().await?;
            let revoked = matches!(
                logout.revocation,
                Some(Ok(llm_auth_core::Revocation::Confirmed))
            );
            let told = if revoked {
                "the vendor confirmed"
            } else {
                "the vendor has no way to be told"
            };
            self.output.print(&format!(
                "{:<8} forgotten; {told}",
                provider.stage.name.name()
            ))?;
        }
        let gone = providers.iter().all(|provider| !provider.file().exists());
        checks.check("signed out: no session is left on disk".into(), gone);
        Ok(())
    }

    /// What the vendors say of all this.
    fn judge(&self, checks: &mut Checks) {
        let kits = [self.kit.qwen(), self.kit.minimax(), self.kit.gemini()];
        let faultless = kits.iter().all(|kit| {
            let seen = kit.counters();
            seen.reuse == 0 && seen.too_fast == 0 && seen.violations.is_empty()
        });
        checks.check(
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
