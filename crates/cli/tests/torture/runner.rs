//! Running the sections: which round is next, and what came of each.

use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use llm_auth_testkit::Provider;

use crate::arguments::Arguments;
use crate::injector;
use crate::process::start;
use crate::random::Random;
use crate::report;
use crate::round::{Check, Round, Stop, Tally};
use crate::sections::Amount::{Calls, Kills, Rounds};
use crate::sections::{ALONE, SECTIONS};
use crate::world::{ACCOUNT, World};

/// What came of one section.
#[derive(Debug, Default)]
pub(crate) struct Score {
    pub(crate) tally: Tally,
    pub(crate) lost: u64,
    pub(crate) broken: u64,
    pub(crate) skipped: Option<String>,
    /// How long its rounds took, added up.
    pub(crate) took: Duration,
    begun: u64,
}

/// The work that is left, handed out round by round.
#[derive(Debug)]
struct Work<'a> {
    asked: &'a Arguments,
    scores: Mutex<Vec<Score>>,
    pace: Duration,
}

pub(crate) fn run() -> ExitCode {
    let asked = match Arguments::read() {
        Ok(Some(asked)) => asked,
        Ok(None) => return ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("torture: {why}");
            return ExitCode::from(2);
        }
    };
    let begun = Instant::now();
    let run = if asked.long { "long" } else { "short" };
    println!("torture: a {run} run with the seed {}", asked.seed);
    let scores = (0..SECTIONS.len()).map(|_| Score::default()).collect();
    let pace = match measure_pace() {
        Ok(pace) => pace,
        Err(why) => {
            eprintln!("torture: nothing works: {why:?}");
            return ExitCode::FAILURE;
        }
    };
    println!(
        "torture: three refreshes at once take {} ms",
        pace.as_millis()
    );
    let work = Work {
        asked: &asked,
        scores: Mutex::new(scores),
        pace,
    };
    while work.next_round(0..ALONE) {}
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| while work.next_round(ALONE..SECTIONS.len()) {});
        }
    });
    let scores = work.scores.into_inner().unwrap();
    report::print(SECTIONS, &scores);
    let (lost, broken) = (
        scores.iter().map(|score| score.lost).sum::<u64>(),
        scores.iter().map(|score| score.broken).sum::<u64>(),
    );
    let kills: u64 = scores.iter().map(|score| score.tally.kills).sum();
    let allowed: u64 = scores.iter().map(|score| score.tally.allowed).sum();
    let impossible: u64 = scores.iter().map(|score| score.tally.impossible).sum();
    println!(
        "\ntorture: {lost} lost, {broken} broken promises, {kills} kills, {allowed} allowed losses (N5), \
         {impossible} losses that could not be prevented, {:.0} s, seed {}",
        begun.elapsed().as_secs_f32(),
        asked.seed
    );
    // A machine of the project's has all that is needed.
    let skipped = scores
        .iter()
        .filter(|score| score.skipped.is_some())
        .count();
    if skipped > 0 && std::env::var_os("CI").is_some() {
        println!("torture: {skipped} faults were skipped, which CI does not accept");
        return ExitCode::FAILURE;
    }
    if lost + broken == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

impl Work<'_> {
    /// Runs one more round of the first section that has one left.
    fn next_round(&self, sections: std::ops::Range<usize>) -> bool {
        let Some((at, index)) = self.claim(sections) else {
            return false;
        };
        let section = &SECTIONS[at];
        let mut round = Round {
            random: Random::new(self.asked.seed, section.what, index),
            index,
            long: self.asked.long,
            pace: self.pace,
            tally: Tally::default(),
        };
        let begun = Instant::now();
        let end = (section.run)(&mut round);
        let score = &mut self.scores.lock().unwrap()[at];
        score.took += begun.elapsed();
        score.tally.add(&round.tally);
        let (kind, why) = match end {
            Ok(()) => return true,
            Err(Stop::Skipped(why)) => {
                score.skipped = Some(why);
                return true;
            }
            Err(Stop::Lost(why)) => {
                score.lost += 1;
                ("LOST", why)
            }
            Err(Stop::Broken(why)) => {
                score.broken += 1;
                ("BROKEN", why)
            }
        };
        eprintln!(
            "{kind} in {} ({}), round {index}: {why}\n  again with: --seed {} --only {} --round {index}{}",
            section.fault,
            section.what,
            self.asked.seed,
            section.fault,
            if self.asked.long { " --long" } else { "" },
        );
        true
    }

    fn claim(&self, sections: std::ops::Range<usize>) -> Option<(usize, u64)> {
        let mut scores = self.scores.lock().unwrap();
        for at in sections {
            let (section, score) = (&SECTIONS[at], &mut scores[at]);
            let wanted = &self.asked.only;
            if !wanted.is_empty() && !wanted.iter().any(|fault| fault == section.fault) {
                continue;
            }
            if let Some(round) = self.asked.round {
                if score.begun == 0 {
                    score.begun = 1;
                    return Some((at, round));
                }
                continue;
            }
            let long = self.asked.long;
            let left = score.skipped.is_none()
                && match section.rounds {
                    Rounds(short, all) => score.begun < if long { all } else { short },
                    Kills(short, all) => {
                        let goal = if long { all } else { short };
                        score.tally.kills < goal && score.begun < goal
                    }
                    Calls(short, aim) => {
                        let all = injector::points(aim);
                        score.begun < if long { all } else { short.min(all) }
                    }
                };
            if left {
                let index = score.begun;
                if index == 0 {
                    println!("torture: {}, {}", section.fault, section.what);
                }
                score.begun += 1;
                return Some((at, index));
            }
        }
        None
    }
}

/// How long a refresh takes with two others beside it: the time to kill in.
fn measure_pace() -> Check<Duration> {
    let world = World::new(Provider::Qwen)?;
    world.give_session(ACCOUNT)?;
    let mut times = Vec::new();
    for _ in 0..3 {
        world.expire(ACCOUNT)?;
        let words = world.token(ACCOUNT, &[]);
        let running: Vec<_> = (0..3).map(|_| start(&mut world.command(&words))).collect();
        for one in running {
            times.push(world.finish(one)?.took);
        }
    }
    times.sort();
    Ok(times[times.len() / 2])
}
