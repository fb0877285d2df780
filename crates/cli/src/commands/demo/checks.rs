//! The checks of the demo, and whether they hold.

use super::output::Output;
use crate::error::Failure;
use crate::ui::events::{Claim, Event};

#[derive(Debug, Default)]
pub(super) struct Checks {
    checks: Vec<(String, bool)>,
}

impl Checks {
    pub(super) fn check(&mut self, what: String, holds: bool) {
        self.checks.push((what, holds));
    }

    /// Tells the claims; a failure if one does not hold.
    pub(super) fn conclude(self, output: Output) -> Result<(), Failure> {
        output.print("\n== Results, as counted by the simulated providers")?;
        for (what, holds) in &self.checks {
            output.print(&format!("  {} {what}", if *holds { "ok" } else { "NO" }))?;
        }
        let broken = self.checks.iter().filter(|(_, holds)| !holds).count();
        if output.json {
            let claims = self.checks.iter().map(|(claim, holds)| Claim {
                claim,
                holds: *holds,
            });
            Event::Demo {
                ok: broken == 0,
                claims: claims.collect(),
            }
            .print()?;
        }
        if broken > 0 {
            let all = self.checks.len();
            return Err(Failure::Demo(format!("{broken} of {all} checks failed")));
        }
        output.print("\nThe same with a real provider: llm-auth login; llm-auth token PROVIDER")
    }
}
