//! What the demo claims, and whether it held.

use serde_json::json;

use super::output::Narrator;
use crate::error::Failure;
use crate::ui::streams::{self, VERSION};

#[derive(Debug, Default)]
pub(super) struct Proof {
    claims: Vec<(String, bool)>,
}

impl Proof {
    pub(super) fn claim(&mut self, what: String, holds: bool) {
        self.claims.push((what, holds));
    }

    /// Tells the claims; a failure if one does not hold.
    pub(super) fn conclude(self, narrator: Narrator) -> Result<(), Failure> {
        narrator.tell("\n== What this proved, as the simulated vendors counted it")?;
        for (what, holds) in &self.claims {
            narrator.tell(&format!("  {} {what}", if *holds { "ok" } else { "NO" }))?;
        }
        let broken = self.claims.iter().filter(|(_, holds)| !holds).count();
        if narrator.json {
            let claims = self.claims.iter();
            let claims: Vec<_> = claims
                .map(|(what, holds)| json!({"claim": what, "holds": holds}))
                .collect();
            streams::json(&json!({
                "v": VERSION,
                "event": "demo",
                "ok": broken == 0,
                "claims": claims,
            }))?;
        }
        if broken > 0 {
            let all = self.claims.len();
            return Err(Failure::Demo(format!(
                "{broken} of {all} claims did not hold"
            )));
        }
        narrator.tell("\nThe same with a real vendor: llm-auth login; llm-auth token VENDOR")
    }
}
