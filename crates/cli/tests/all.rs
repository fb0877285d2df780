//! The command as a real process against the simulated vendors on real sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may panic, its helpers too"
)]

#[path = "suite/accounts.rs"]
mod accounts;
#[cfg(unix)]
#[path = "suite/advice.rs"]
mod advice;
#[cfg(unix)]
#[path = "suite/browsers.rs"]
mod browsers;
#[path = "suite/common.rs"]
mod common;
#[cfg(feature = "demo")]
#[path = "suite/demo.rs"]
mod demo;
#[path = "suite/doctor.rs"]
mod doctor;
#[path = "suite/environment.rs"]
mod environment;
#[cfg(unix)]
#[path = "suite/exec.rs"]
mod exec;
#[path = "suite/exit_codes.rs"]
mod exit_codes;
#[cfg(unix)]
#[path = "suite/files.rs"]
mod files;
#[cfg(unix)]
#[path = "suite/golden.rs"]
mod golden;
#[cfg(unix)]
#[path = "suite/hearing.rs"]
mod hearing;
#[path = "suite/hostile_env.rs"]
mod hostile_env;
#[path = "suite/hostile_files.rs"]
mod hostile_files;
#[path = "suite/import.rs"]
mod import;
#[path = "suite/login.rs"]
mod login;
#[path = "suite/odd_answers.rs"]
mod odd_answers;
#[path = "suite/one_response.rs"]
mod one_response;
#[path = "suite/people.rs"]
mod people;
#[path = "suite/places.rs"]
mod places;
#[path = "suite/proxy.rs"]
mod proxy;
#[path = "suite/secrets.rs"]
mod secrets;
#[path = "suite/sharing.rs"]
mod sharing;
#[cfg(unix)]
#[path = "suite/shell.rs"]
mod shell;
#[cfg(unix)]
#[path = "suite/signals.rs"]
mod signals;
#[path = "suite/status_and_logout.rs"]
mod status_and_logout;
#[path = "suite/stores.rs"]
mod stores;
#[path = "suite/token.rs"]
mod token;
#[cfg(target_os = "linux")]
#[path = "suite/trust.rs"]
mod trust;
#[path = "suite/wire_cases.rs"]
mod wire_cases;
