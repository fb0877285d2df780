//! Many sessions in one process: what they cost, how they are found, and how late they are refreshed.

use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::server::Server;
use crate::stats::number;
use crate::table::Table;
use crate::{Result, program};

/// How many sessions there are: `--sessions=1000000` for more.
static SESSIONS: AtomicU64 = AtomicU64::new(100_000);

pub fn set_count(count: u64) {
    SESSIONS.store(count, Ordering::Relaxed);
}

pub fn measure() -> Result<String> {
    let count = SESSIONS.load(Ordering::Relaxed).to_string();
    let server = Server::start(Duration::ZERO)?;
    let naive = run(&["naive", &count, &server.base_url])?;
    let floor = run(&["map", &count, &server.base_url])?;
    let ours = run(&["live", &count, &server.base_url])?;
    let mut table = Table::new(
        &format!("{count} live sessions in one process"),
        &[
            "",
            "bytes per session",
            "÷ naive map",
            "µs to load one",
            "ns by key, T=1",
            "T=8",
            "T=64",
        ],
    );
    let bytes = |line: &[f64]| line.first().copied().unwrap_or(f64::NAN);
    table.row(
        [
            "floor: `HashMap<String, {4 fields}>`".to_owned(),
            number(bytes(&naive)),
            "1".to_owned(),
        ]
        .into_iter()
        .chain(std::iter::repeat_n(String::new(), 4)),
    );
    for (name, line) in [
        (
            "floor: 64 × `RwLock<HashMap<SessionKey, Arc<OAuthToken>>>`, `get` + clone",
            &floor,
        ),
        ("**llm-auth** `Sessions`: `get(key)` + `token()`", &ours),
    ] {
        let mut row = vec![
            name.to_owned(),
            number(bytes(line)),
            number(bytes(line) / bytes(&naive)),
        ];
        row.extend(line.iter().skip(1).map(|value| number(*value)));
        table.row(row);
    }
    table.note(
        "One process for each line. Growth of the resident set over all sessions, which come from a store \
         that keeps nothing in memory; tokens of 220 and 64 characters. T: tasks on two threads, wall time \
         over all calls, accounts in a random order.",
    );
    let late = run(&["spread", &count, &server.base_url])?;
    let mut second = Table::new(
        &format!("{count} sessions that fall due within a minute"),
        &[
            "late: median, ms",
            "p99, ms",
            "last, ms",
            "refreshes / s",
            "refreshes / s of one core",
        ],
    );
    second.row(late.iter().map(|value| number(*value)));
    second.note(
        "An hour compressed to a minute, without jitter, with a memory store and the token endpoint in a \
         process of its own on the same cores. Late: from the moment at which a session is due to the call of \
         the provider. The processor time is that of our process.",
    );
    Ok(format!("{}\n{}", table.markdown(), second.markdown()))
}

/// The numbers that the program prints.
fn run(arguments: &[&str]) -> Result<Vec<f64>> {
    let output = Command::new(program("sessions")?)
        .args(arguments)
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let text = String::from_utf8(output.stdout)?;
    let numbers = text.split_whitespace().map(str::parse);
    Ok(numbers.collect::<std::result::Result<_, _>>()?)
}
