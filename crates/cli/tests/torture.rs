//! Torture: real processes of `llm-auth` against strict vendors and every fault we can make,
//! judged from both sides, the token file and what the server saw.
//!
//! `cargo test -p llm-auth-cli --test torture -- [--long] [--seed N] [--only F3]`. Everything that
//! is chosen follows from the seed; only the computer's own pace does not.
//!
//! F42 traces a refresh with `ptrace` (`injector.rs`, `tracer.rs`): a long run lets each of its file
//! calls fail, once and from there on, with each of six error numbers, refuses threads and memory,
//! and kills at each stop of each call; a short run takes some at random. *Impossible* in the
//! table are losses that no program can prevent: after the response came every write or every
//! sync failed, or was killed. Where `ptrace` is not permitted, these sections are skipped by name,
//! which is a failure with `CI=true`.
//!
//! F41 runs programs that use the library (`careless.rs`): this very binary, started with
//! `--careless NAME`, whose runtime, task, thread or `main` ends in mid-refresh.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for the terminal; what panics here is a broken test"
)]

#[cfg(target_os = "linux")]
#[path = "torture/answers.rs"]
mod answers;
#[cfg(target_os = "linux")]
#[path = "torture/arguments.rs"]
mod arguments;
#[cfg(target_os = "linux")]
#[path = "torture/attach.rs"]
mod attach;
#[cfg(target_os = "linux")]
#[path = "torture/careless.rs"]
mod careless;
#[cfg(target_os = "linux")]
#[path = "torture/checks.rs"]
mod checks;
#[cfg(target_os = "linux")]
#[path = "torture/clocks.rs"]
mod clocks;
#[cfg(target_os = "linux")]
#[path = "torture/disks.rs"]
mod disks;
#[cfg(target_os = "linux")]
#[path = "torture/files.rs"]
mod files;
#[cfg(target_os = "linux")]
#[path = "torture/forks.rs"]
mod forks;
#[cfg(target_os = "linux")]
#[path = "suite/hearing.rs"]
mod hearing;
#[cfg(target_os = "linux")]
#[path = "torture/holders.rs"]
mod holders;
#[cfg(target_os = "linux")]
#[path = "torture/injector.rs"]
#[cfg_attr(
    not(target_arch = "x86_64"),
    allow(dead_code, reason = "the tracer reads it")
)]
mod injector;
#[cfg(target_os = "linux")]
#[path = "torture/kills.rs"]
mod kills;
#[cfg(target_os = "linux")]
#[path = "torture/mounts.rs"]
mod mounts;
#[cfg(target_os = "linux")]
#[path = "torture/people.rs"]
mod people;
#[cfg(target_os = "linux")]
#[path = "torture/plan.rs"]
mod plan;
#[cfg(target_os = "linux")]
#[path = "torture/process.rs"]
mod process;
#[cfg(target_os = "linux")]
#[path = "torture/random.rs"]
mod random;
#[cfg(target_os = "linux")]
#[path = "torture/round.rs"]
mod round;
#[cfg(target_os = "linux")]
#[path = "torture/runtimes.rs"]
mod runtimes;
#[cfg(target_os = "linux")]
#[path = "torture/session.rs"]
mod session;
#[cfg(target_os = "linux")]
#[path = "torture/signals.rs"]
mod signals;
#[cfg(target_os = "linux")]
#[path = "torture/starved.rs"]
mod starved;
#[cfg(target_os = "linux")]
#[path = "torture/storms.rs"]
mod storms;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[path = "torture/syscalls.rs"]
mod syscalls;
#[cfg(target_os = "linux")]
#[path = "torture/table.rs"]
mod table;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[path = "torture/tracer.rs"]
mod tracer;
#[cfg(all(target_os = "linux", not(target_arch = "x86_64")))]
#[path = "torture/tracer_elsewhere.rs"]
mod tracer;
#[cfg(target_os = "linux")]
#[path = "torture/wire.rs"]
mod wire;
#[cfg(target_os = "linux")]
#[path = "torture/world.rs"]
mod world;
#[cfg(target_os = "linux")]
#[path = "torture/writers.rs"]
mod writers;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    if let Some(end) = careless::asked() {
        return end;
    }
    hearing::let_children_hear();
    plan::run()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("torture: SKIPPED, it needs the processes and file systems of Linux");
}
