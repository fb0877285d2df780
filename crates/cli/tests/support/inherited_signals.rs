//! Signals that are ignored when the tests begin, as `nohup` and a shell's `&` leave them.

use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};

/// Lets processes that are started from here on receive them: a program that is executed inherits
/// ignored signals, but no handler.
pub(crate) fn let_children_receive_signals() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap();
    let _in_it = runtime.enter();
    for number in [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM] {
        // A signal that is not ignored goes on ending the tests.
        if is_ignored(number) {
            let _stays_beyond_this = signal(SignalKind::from_raw(number.as_raw())).unwrap();
        }
    }
}

/// Only Linux reports this.
fn is_ignored(number: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.unwrap_or_default() >> (number.as_raw() - 1) & 1 == 1
}
