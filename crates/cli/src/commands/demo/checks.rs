//! What the demo claims, and whether it held.

use serde_json::json;

use super::output::Output;
use crate::error::Failure;
use crate::ui::streams::{self, VERSION};

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
        output.print("\n== What this proved, as the simulated vendors counted it")?;
        for (what, holds) in &self.checks {
            output.print(&format!("  {} {what}", if *holds { "ok" } else { "NO" }))?;
        }
        let broken = self.checks.iter().filter(|(_, holds)| !holds).count();
        if output.json {
            let checks = self.checks.iter();
            let checks: Vec<_> = checks
                .map(|(what, holds)| json!({"claim": what, "holds": holds}))
                .collect();
            streams::json(&json!({
                "v": VERSION,
                "event": "demo",
                "ok": broken == 0,
                "claims": checks,
            }))?;
        }
        if broken > 0 {
            let all = self.checks.len();
            return Err(Failure::Demo(format!(
                "{broken} of {all} claims did not hold"
            )));
        }
        output.print("\nThe same with a real vendor: llm-auth login; llm-auth token VENDOR")
    }
}
