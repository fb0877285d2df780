//! Which faults there are, how many rounds each gets, and running them.

use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use llm_auth_testkit::Provider;
use nix::libc;

use crate::arguments::Arguments;
use crate::injector::{self, Aim};
use crate::process::start;
use crate::random::Random;
use crate::report;
use crate::round::{Check, Round, Stop, Tally};
use crate::world::{ACCOUNT, World};
use crate::{
    clocks, disks, few_descriptors, forks, kills, lock_holders, logins_and_logouts, other_writers,
    responses, runtimes, session_files, signals, storms,
};

/// One fault, or one way to make it.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) fault: &'static str,
    pub(crate) what: &'static str,
    rounds: Amount,
    run: fn(&mut Round) -> Check,
}

/// How much of a section is run: shortly, and for long.
#[derive(Clone, Copy, Debug)]
enum Amount {
    /// So many rounds.
    Rounds(u64, u64),
    /// Rounds until so many processes were killed.
    Kills(u64, u64),
    /// So many calls at random, and each.
    Calls(u64, Aim),
}

use Amount::{Calls, Kills, Rounds};

/// Those that fill the computer by themselves come first, and run alone.
const ALONE: usize = 3;

#[rustfmt::skip]
const SECTIONS: &[Section] = &[
    section("F1", "50 processes, one expired session", Rounds(1, 12), storms::one_session),
    section("F2", "many processes, several accounts", Rounds(1, 12), storms::many_accounts),
    section("F16", "30 processes refused by the API at once", Rounds(1, 8), storms::refused_by_the_api),
    section("F3", "SIGKILL, 3 at once, grace at the vendor", Kills(30, 3000), kills::with_grace),
    section("F3", "SIGKILL, 3 at once, no grace", Kills(12, 600), kills::without_grace),
    section("F4", "SIGTERM, SIGINT, SIGHUP at any moment", Rounds(8, 300), signals::at_any_moment),
    section("F4", "the same with the answer on its way", Rounds(4, 60), signals::answer_on_its_way),
    section("F5", "answer lost after the rotation", Rounds(2, 20), responses::incomplete::lost),
    section("F6", "the same with grace at the vendor", Rounds(4, 40), responses::incomplete::lost_in_grace),
    section("F7", "reset, short body, bad chunk", Rounds(4, 40), responses::incomplete::broken),
    section("F8", "500, 502, 503, 429, Retry-After", Rounds(6, 60), responses::odd::unavailable),
    section("F9", "HTML with 200, 302, 307", Rounds(3, 30), responses::odd::captive),
    section("F10", "5 MB, endless, gzip, deep, with little memory", Rounds(4, 40), responses::odd::swollen),
    section("F11", "hangs, one octet at a time", Rounds(2, 12), responses::odd::slow),
    section("F12", "a Go program without our lock renews in between", Rounds(2, 40), other_writers::renews_in_between),
    section("F13", "refused for good", Rounds(2, 20), other_writers::refused_for_good),
    section("F14", "no refresh token in the answer", Rounds(2, 10), responses::odd::omitted),
    section("F15", "expires_in makes no sense", Rounds(4, 40), responses::odd::odd_expiry),
    section("F16", "one forced renewal per refusal", Rounds(2, 20), clocks::forced),
    section("F17", "clock +1 h, -1 h, +10 y, -10 y by faketime", Rounds(2, 12), clocks::faked),
    section("F17", "the same jumps, played on file and Date", Rounds(2, 40), clocks::jumping),
    section("F17", "the vendor's clock is wrong", Rounds(2, 12), clocks::vendor_shifted),
    section("F18", "lock holder stopped, then continued", Rounds(2, 20), lock_holders::stopped),
    section("F18", "stopped beyond its own time limit", Rounds(1, 8), lock_holders::overslept),
    section("F19", "disk full (tmpfs)", Rounds(6, 60), disks::full),
    section("F19", "no inode left (tmpfs)", Rounds(2, 10), disks::no_inode),
    section("F19", "RLIMIT_FSIZE, SIGXFSZ deadly or ignored", Rounds(4, 40), disks::file_size_limit),
    section("F20", "read-only directory", Rounds(2, 10), disks::read_only),
    section("F20", "immutable file", Rounds(1, 6), disks::immutable),
    section("F21", "bind-mounted token file", Rounds(2, 10), disks::mounted_file),
    section("F21", "token file is a symbolic link", Rounds(2, 10), session_files::link),
    section("F22", "lock holder killed", Rounds(2, 40), lock_holders::dead),
    section("F22", "lock file left behind, any content", Rounds(2, 20), lock_holders::left_behind),
    section("F23", "umask, wide modes, a directory for everybody", Rounds(4, 20), session_files::modes),
    section("F24", "one file corrupt, others not", Rounds(6, 60), session_files::corrupt),
    section("F24", "BOM, CRLF, unknown members", Rounds(2, 20), session_files::odd_but_whole),
    section("F25", "logout during a renewal", Rounds(2, 30), logins_and_logouts::logout_during_renewal),
    section("F25", "login during a renewal", Rounds(4, 30), logins_and_logouts::login_during_renewal),
    section("F25", "two logins at once", Rounds(2, 20), logins_and_logouts::two_logins),
    section("F41", "the README's program returns with a refresh under way", Rounds(8, 200), runtimes::returns),
    section("F41", "the same with the manager in a static", Rounds(4, 40), runtimes::in_a_static),
    section("F41", "the same, ended by process::exit", Rounds(4, 40), runtimes::exits),
    section("F41", "a runtime's only thread blocks in mid-refresh", Rounds(2, 20), runtimes::blocks),
    section("F41", "one runtime per call, with a deadline", Rounds(2, 20), runtimes::deadline),
    section("F41", "two runtimes, the refreshing one dropped", Rounds(2, 20), runtimes::two_runtimes),
    section("F41", "the last handle dropped in mid-refresh", Rounds(2, 20), runtimes::drops),
    section("F41", "the thread that asked panics", Rounds(2, 20), runtimes::panics),
    section("F41", "an executor without tokio", Rounds(2, 20), runtimes::plain),
    section("F41", "block_on(token()) on a runtime's only thread", Rounds(1, 10), runtimes::nests),
    section("F41", "a child started in mid-refresh lives on", Rounds(2, 20), runtimes::child),
    section("F41", "a child forked in mid-refresh, not yet at its exec", Rounds(1, 10), forks::in_mid_refresh),
    section("F42", "a file call fails once: EIO", Calls(4, Aim::Files), injector::file_once::<{ libc::EIO }>),
    section("F42", "a file call fails once: ENOSPC", Calls(4, Aim::Files), injector::file_once::<{ libc::ENOSPC }>),
    section("F42", "a file call fails once: EDQUOT", Calls(4, Aim::Files), injector::file_once::<{ libc::EDQUOT }>),
    section("F42", "a file call fails once: EMFILE", Calls(4, Aim::Files), injector::file_once::<{ libc::EMFILE }>),
    section("F42", "a file call fails once: EACCES", Calls(4, Aim::Files), injector::file_once::<{ libc::EACCES }>),
    section("F42", "a file call fails once: EROFS", Calls(4, Aim::Files), injector::file_once::<{ libc::EROFS }>),
    // No system interrupts for ever, and the standard library repeats what was interrupted.
    section("F42", "a file call fails once: EINTR", Calls(4, Aim::Files), injector::file_once::<{ libc::EINTR }>),
    section("F42", "every file call fails from there on: EIO", Calls(8, Aim::Files), injector::file_lasting::<{ libc::EIO }>),
    section("F42", "every file call fails from there on: ENOSPC", Calls(8, Aim::Files), injector::file_lasting::<{ libc::ENOSPC }>),
    section("F42", "every file call fails from there on: EDQUOT", Calls(8, Aim::Files), injector::file_lasting::<{ libc::EDQUOT }>),
    section("F42", "every file call fails from there on: EMFILE", Calls(8, Aim::Files), injector::file_lasting::<{ libc::EMFILE }>),
    section("F42", "every file call fails from there on: EACCES", Calls(8, Aim::Files), injector::file_lasting::<{ libc::EACCES }>),
    section("F42", "every file call fails from there on: EROFS", Calls(8, Aim::Files), injector::file_lasting::<{ libc::EROFS }>),
    section("F42", "SIGKILL at a stop of a system call", Calls(20, Aim::Stops), injector::killed),
    section("F42", "the same after the server had rotated", Calls(12, Aim::LateStops), injector::killed_late),
    section("F42", "a thread cannot be started: EAGAIN once", Calls(2, Aim::Threads), injector::thread_once),
    section("F42", "no thread can be started from there on: EAGAIN", Calls(3, Aim::Threads), injector::thread_lasting),
    section("F42", "the same with a server that takes 11 s", Rounds(0, 4), injector::thread_lasting_slowly),
    section("F42", "6 to 20 file descriptors", Rounds(5, 15), few_descriptors::descriptors),
    section("F42", "no memory from there on: ENOMEM (only shown)", Calls(2, Aim::Memory), injector::memory),
];

const fn section(
    fault: &'static str,
    what: &'static str,
    rounds: Amount,
    run: fn(&mut Round) -> Check,
) -> Section {
    Section {
        fault,
        what,
        rounds,
        run,
    }
}

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
        "torture: three renewals at once take {} ms",
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
