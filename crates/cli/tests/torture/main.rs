//! Torture: real processes of `llm-auth` against strict providers and every fault we can make,
//! checked from both sides, the token file and what the server saw.
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
//! F41 runs programs that use the library (`careless_programs.rs`): this same binary, started with
//! `--careless NAME`, whose runtime, task, thread or `main` ends in mid-refresh.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for the terminal; what panics here is a broken test"
)]

#[cfg(target_os = "linux")]
#[allow(dead_code, reason = "shared with the other tests")]
#[path = "../support/mod.rs"]
mod support;

#[cfg(target_os = "linux")]
mod arguments;
#[cfg(target_os = "linux")]
mod careless_programs;
#[cfg(target_os = "linux")]
mod checks;
#[cfg(target_os = "linux")]
mod clocks;
#[cfg(target_os = "linux")]
mod disks;
#[cfg(target_os = "linux")]
mod few_descriptors;
#[cfg(target_os = "linux")]
mod forks;
#[cfg(target_os = "linux")]
#[cfg_attr(
    not(target_arch = "x86_64"),
    allow(dead_code, reason = "the tracer reads it")
)]
mod injector;
#[cfg(target_os = "linux")]
mod kills;
#[cfg(target_os = "linux")]
mod ledger;
#[cfg(target_os = "linux")]
mod lock_holders;
#[cfg(target_os = "linux")]
mod logins_and_logouts;
#[cfg(target_os = "linux")]
mod mounts;
#[cfg(target_os = "linux")]
mod other_writers;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod ptrace_attach;
#[cfg(target_os = "linux")]
mod random;
#[cfg(target_os = "linux")]
mod raw_http;
#[cfg(target_os = "linux")]
mod recording_proxy;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod responses;
#[cfg(target_os = "linux")]
mod round;
#[cfg(target_os = "linux")]
mod runner;
#[cfg(target_os = "linux")]
mod runtimes;
#[cfg(target_os = "linux")]
mod sections;
#[cfg(target_os = "linux")]
mod session;
#[cfg(target_os = "linux")]
mod session_files;
#[cfg(target_os = "linux")]
mod signals;
#[cfg(target_os = "linux")]
mod storms;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod syscalls;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod tracer;
#[cfg(all(target_os = "linux", not(target_arch = "x86_64")))]
mod tracer_unsupported;
#[cfg(target_os = "linux")]
mod world;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    if let Some(end) = careless_programs::asked() {
        return end;
    }
    support::inherited_signals::let_children_receive_signals();
    runner::run()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("torture: SKIPPED, it needs the processes and file systems of Linux");
}
