//! Runs the rounds, several fleets at once: most of a round is waiting for a lease to end.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::task::JoinSet;

use crate::arguments::Arguments;
use crate::database::Engine;
use crate::faults::Plan;
use crate::random::Random;
use crate::report::Scores;
use crate::world::{HOSTS, SESSIONS, World};

/// How many fleets there are at once, at most, and how many rounds each has at least.
const FLEETS: u64 = 12;
const ROUNDS: u64 = 2;

#[derive(Debug)]
struct Work {
    asked: Arc<Arguments>,
    engine: Engine,
    begun: AtomicU64,
    scores: Mutex<Scores>,
}

pub(crate) async fn run() -> ExitCode {
    let asked = match Arguments::read() {
        Ok(Some(asked)) => Arc::new(asked),
        Ok(None) => return ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("fleet: {why}");
            return ExitCode::from(2);
        }
    };
    let mut is_good = true;
    for engine in &asked.engines {
        is_good &= run_engine(*engine, &asked).await;
    }
    if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Whether no promise was broken.
async fn run_engine(engine: Engine, asked: &Arc<Arguments>) -> bool {
    let begun = Instant::now();
    let (name, rounds, seed) = (engine.name(), asked.rounds, asked.seed);
    println!("fleet: {rounds} rounds on {name} with the seed {seed}");
    let work = Arc::new(Work {
        asked: Arc::clone(asked),
        engine,
        begun: AtomicU64::new(0),
        scores: Mutex::default(),
    });
    let mut fleets = JoinSet::new();
    for _ in 0..FLEETS.min(rounds.div_ceil(ROUNDS)) {
        let work = Arc::clone(&work);
        fleets.spawn(async move { work.fleet().await });
    }
    while let Some(ended) = fleets.join_next().await {
        ended.unwrap();
    }
    let scores = work.scores.lock().unwrap();
    scores.print();
    let (lost, broken) = scores.bad();
    println!(
        "\nfleet: {name}: {lost} lost beyond N5, {broken} broken promises, {:.0} s, seed {seed}\n",
        begun.elapsed().as_secs_f32()
    );
    lost + broken == 0
}

impl Work {
    /// Runs rounds for as long as there are any.
    async fn fleet(&self) {
        let mut world = None;
        while let Some(index) = self.next() {
            if world.is_none() {
                world = World::new(self.engine).await;
            }
            let Some(current) = &mut world else {
                // It has printed that it is skipped.
                return;
            };
            if self.round(current, index).await {
                // What is broken there must not be counted twice.
                world = None;
            }
        }
    }

    fn next(&self) -> Option<u64> {
        let index = self.begun.fetch_add(1, Ordering::SeqCst);
        let is_left = index < self.asked.rounds;
        is_left.then(|| self.asked.round.unwrap_or(index))
    }

    /// Whether a promise was broken.
    async fn round(&self, world: &mut World, index: u64) -> bool {
        let mut random = Random::new(self.asked.seed, self.engine.name(), index);
        let plan = Plan::chosen(&mut random, self.engine, SESSIONS as u64, HOSTS as u64);
        let begun = Instant::now();
        let outcome = world.round(&plan).await;
        let mut scores = self.scores.lock().unwrap();
        scores.add((plan.kind, plan.tokens), &outcome, begun.elapsed());
        let Err(finding) = outcome else {
            return false;
        };
        eprintln!(
            "{} in round {index} on {} ({:?}): {}\n  again with: --engine {} --seed {} --round {index}",
            if finding.is_loss { "LOST" } else { "BROKEN" },
            self.engine.name(),
            plan,
            finding.why,
            self.engine.name(),
            self.asked.seed,
        );
        true
    }
}
