//! The table that is printed at the end.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::faults::{Kind, Tokens};
use crate::judge::{Finding, Verdict};
use crate::ledger::Excuse;

/// What came of all rounds with one fault.
#[derive(Debug, Default)]
pub(crate) struct Score {
    rounds: u64,
    hits: u64,
    refreshes: usize,
    excused: BTreeMap<Excuse, u64>,
    lost: u64,
    broken: u64,
    took: Duration,
}

/// Of one engine.
#[derive(Debug, Default)]
pub(crate) struct Scores(BTreeMap<(Kind, Tokens), Score>);

impl Scores {
    pub(crate) fn add(
        &mut self,
        of: (Kind, Tokens),
        outcome: &Result<Verdict, Finding>,
        took: Duration,
    ) {
        let score = self.0.entry(of).or_default();
        score.rounds += 1;
        score.took += took;
        match outcome {
            Ok(verdict) => {
                score.hits += u64::from(verdict.is_hit);
                score.refreshes += verdict.refreshes;
                for (excuse, count) in &verdict.excused {
                    *score.excused.entry(*excuse).or_default() += count;
                }
            }
            Err(finding) if finding.is_loss => score.lost += 1,
            Err(_) => score.broken += 1,
        }
    }

    /// Rounds with a loss, and with another broken promise.
    pub(crate) fn bad(&self) -> (u64, u64) {
        let sum = |of: fn(&Score) -> u64| self.0.values().map(of).sum();
        (sum(|score| score.lost), sum(|score| score.broken))
    }

    /// One row for each fault, and one for all.
    pub(crate) fn print(&self) {
        println!(
            "\n| fault | access tokens | rounds | at its message | refreshes | N5: not delivered | \
             N5: killed | N5: paused | N5: cut off | lost | broken | s |"
        );
        println!(
            "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
        );
        let mut all = Score::default();
        for ((kind, tokens), score) in &self.0 {
            row(kind.words(), tokens.words(), score);
            all.include(score);
        }
        row("all", "", &all);
    }
}

impl Score {
    fn include(&mut self, other: &Self) {
        self.rounds += other.rounds;
        self.hits += other.hits;
        self.refreshes += other.refreshes;
        self.lost += other.lost;
        self.broken += other.broken;
        self.took += other.took;
        for (excuse, count) in &other.excused {
            *self.excused.entry(*excuse).or_default() += count;
        }
    }
}

fn row(fault: &str, tokens: &str, score: &Score) {
    let excused = |excuse| score.excused.get(&excuse).copied().unwrap_or_default();
    println!(
        "| {fault} | {tokens} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {:.0} |",
        score.rounds,
        score.hits,
        score.refreshes,
        excused(Excuse::Undelivered),
        excused(Excuse::Killed),
        excused(Excuse::Paused),
        excused(Excuse::CutOff),
        score.lost,
        score.broken,
        score.took.as_secs_f32()
    );
}
