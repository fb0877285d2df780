//! Which faults there are, and how many rounds each gets.

use nix::libc;

use crate::injector::{self, Aim};
use crate::round::{Check, Round};
use crate::{
    clocks, disks, few_descriptors, forks, kills, lock_holders, logins_and_logouts, other_writers,
    responses, runtimes, session_files, signals, storms,
};

/// One fault, or one way to make it.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) fault: &'static str,
    pub(crate) what: &'static str,
    pub(crate) rounds: Amount,
    pub(crate) run: fn(&mut Round) -> Check,
}

/// How much of a section is run: shortly, and for long.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Amount {
    /// So many rounds.
    Rounds(u64, u64),
    /// Rounds until so many processes were killed.
    Kills(u64, u64),
    /// So many calls at random, and each.
    Calls(u64, Aim),
}

use Amount::{Calls, Kills, Rounds};

/// Those that fill the computer by themselves come first, and run alone.
pub(crate) const ALONE: usize = 3;

#[rustfmt::skip]
pub(crate) const SECTIONS: &[Section] = &[
    section("F1", "50 processes, one expired session", Rounds(1, 12), storms::one_session),
    section("F2", "many processes, several accounts", Rounds(1, 12), storms::many_accounts),
    section("F16", "30 processes rejected by the API at once", Rounds(1, 8), storms::refused_by_the_api),
    section("F3", "SIGKILL, 3 at once, grace at the provider", Kills(30, 3000), kills::with_grace),
    section("F3", "SIGKILL, 3 at once, no grace", Kills(12, 600), kills::without_grace),
    section("F4", "SIGTERM, SIGINT, SIGHUP at any moment", Rounds(8, 300), signals::at_any_moment),
    section("F4", "the same with the response on its way", Rounds(4, 60), signals::response_on_its_way),
    section("F5", "response lost after the rotation", Rounds(2, 20), responses::incomplete::lost),
    section("F6", "the same with grace at the provider", Rounds(4, 40), responses::incomplete::lost_in_grace),
    section("F7", "reset, short body, bad chunk", Rounds(4, 40), responses::incomplete::broken),
    section("F8", "500, 502, 503, 429, Retry-After", Rounds(6, 60), responses::odd::unavailable),
    section("F9", "HTML with 200, 302, 307", Rounds(3, 30), responses::odd::captive),
    section("F10", "5 MB, endless, gzip, deep, with little memory", Rounds(4, 40), responses::odd::swollen),
    section("F11", "hangs, one octet at a time", Rounds(2, 12), responses::odd::slow),
    section("F12", "a Go program without our lock refreshes in between", Rounds(2, 40), other_writers::renews_in_between),
    section("F13", "rejected for good", Rounds(2, 20), other_writers::refused_for_good),
    section("F14", "no refresh token in the response", Rounds(2, 10), responses::odd::omitted),
    section("F15", "expires_in makes no sense", Rounds(4, 40), responses::odd::odd_expiry),
    section("F16", "one forced refresh per rejection", Rounds(2, 20), clocks::forced),
    section("F17", "clock +1 h, -1 h, +10 y, -10 y by faketime", Rounds(2, 12), clocks::faked),
    section("F17", "the same jumps, played on file and Date", Rounds(2, 40), clocks::jumping),
    section("F17", "the provider's clock is wrong", Rounds(2, 12), clocks::provider_shifted),
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
    section("F23", "umask, wide modes, a directory for all users", Rounds(4, 20), session_files::modes),
    section("F24", "one file corrupt, others not", Rounds(6, 60), session_files::corrupt),
    section("F24", "BOM, CRLF, unknown members", Rounds(2, 20), session_files::odd_but_whole),
    section("F25", "logout during a refresh", Rounds(2, 30), logins_and_logouts::logout_during_renewal),
    section("F25", "login during a refresh", Rounds(4, 30), logins_and_logouts::login_during_renewal),
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
