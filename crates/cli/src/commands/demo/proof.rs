//! What the demo claims, and whether it held.

use crate::exit::Failure;
use crate::output::answer;

#[derive(Debug, Default)]
pub(super) struct Proof {
    claims: Vec<(String, bool)>,
}

impl Proof {
    pub(super) fn claim(&mut self, what: String, holds: bool) {
        self.claims.push((what, holds));
    }

    /// Prints the claims; a failure if one does not hold.
    pub(super) fn conclude(self) -> Result<(), Failure> {
        answer("\n== What this proved, as the simulated vendors counted it")?;
        for (what, holds) in &self.claims {
            answer(&format!("  {} {what}", if *holds { "ok" } else { "NO" }))?;
        }
        let broken = self.claims.iter().filter(|(_, holds)| !holds).count();
        if broken > 0 {
            let all = self.claims.len();
            return Err(Failure::Demo(format!(
                "{broken} of {all} claims did not hold"
            )));
        }
        answer("\nThe same with a real vendor: llm-auth login qwen; llm-auth token qwen")
    }
}
