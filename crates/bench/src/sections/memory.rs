//! What one more live session costs in memory.

use std::process::Command;
use std::time::Duration;

use crate::server::Server;
use crate::stats::{median, spread};
use crate::table::Table;
use crate::{Result, program};

const RUNS: usize = 3;
const SESSIONS: &str = "10000";

pub fn measure() -> Result<String> {
    let server = Server::start(Duration::ZERO)?;
    let mut table = Table::new(
        "Memory per live session",
        &["", "bytes per session", "÷ naive map"],
    );
    let lines = [
        ("naive", "floor: `HashMap<String, {4 fields}>`"),
        ("ours", "**llm-auth**, shared HTTP client and memory store"),
        (
            "ours-unshared",
            "**llm-auth**, shared HTTP client, no store entry ¹",
        ),
        ("yup", "yup-oauth2, one shared plain-HTTP client"),
    ];
    let mut naive = f64::NAN;
    for (who, name) in lines {
        let runs = (0..RUNS)
            .map(|_| bytes(who, &server))
            .collect::<Result<Vec<_>>>()?;
        let middle = median(runs.clone());
        if who == "naive" {
            naive = middle;
        }
        table.row([
            name.to_owned(),
            spread(&runs),
            format!("{:.2}", middle / naive),
        ]);
    }
    table.note(&format!(
        "Growth of the resident set over {SESSIONS} sessions with a token of 220 characters and a refresh \
         token of 64, divided by their number; one process per figure, median of {RUNS}. \
         google-cloud-auth is left out: it makes an HTTP client for each first token (about 2 ms each)."
    ));
    table.note("¹ The store is emptied again after each load: what the manager itself holds.");
    Ok(table.markdown())
}

fn bytes(who: &str, server: &Server) -> Result<f64> {
    let output = Command::new(program("sessions")?)
        .args([who, SESSIONS, &server.base_url])
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}
