//! Log lines on standard error, with `-v` or `LLM_AUTH_LOG`.

use std::io;

use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets, filter_fn};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::error::Failure;
use crate::system::env;
use crate::ui::streams::say;

/// The variable with the log directives.
pub(crate) const VARIABLE: &str = "LLM_AUTH_LOG";

/// Sends the events of our own crates to standard error.
///
/// Only ours, whichever the directives name: our log lines hold no secret; those of the HTTP and
/// TLS libraries might.
pub(crate) fn start(verbose: u8) -> Result<(), Failure> {
    let directives = match (env::text(VARIABLE)?, verbose) {
        (Some(directives), _) => directives,
        (None, 0) => return Ok(()),
        (None, 1) => "debug".to_owned(),
        (None, _) => "trace".to_owned(),
    };
    for directive in directives.split(',').map(str::trim) {
        let (target, level) = match directive.split_once('=') {
            Some((target, _)) => (target, None),
            None => (directive, Some(directive)),
        };
        let is_level = level.is_some_and(|level| level.parse::<LevelFilter>().is_ok());
        if is_level || target.starts_with("llm_auth") || directive.is_empty() {
            continue;
        }
        if level.is_some() {
            return Err(env::not_valid(
                VARIABLE,
                "it contains a word that is neither a level (error, warn, info, debug, trace, off) \
                 nor a crate of this program (llm_auth, llm_auth_core, ...)",
            ));
        }
        say(&format!(
            "llm-auth: {VARIABLE} names {target}, which is not a crate of this program (llm_auth, \
             llm_auth_core, ...): that part has no effect"
        ));
    }
    let wanted: Targets = directives.parse().map_err(|error| {
        env::not_valid(
            VARIABLE,
            &format!("it contains no valid log directives ({error})"),
        )
    })?;
    let ours = filter_fn(|event| event.target().starts_with("llm_auth"));
    let lines = fmt::layer()
        .with_ansi(false)
        .log_internal_errors(false)
        .with_writer(|| Lines)
        .with_filter(ours);
    // It fails only if tracing was set up before, which it was not.
    let _set_up_before = tracing_subscriber::registry()
        .with(wanted)
        .with(lines)
        .try_init();
    Ok(())
}

/// Where the lines go: past the one that changes.
struct Lines;

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for line in String::from_utf8_lossy(bytes).lines() {
            say(line);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
