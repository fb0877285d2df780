//! Many callers find the token expired, and the server refreshes it.

use std::time::Duration;

use super::who::{LATENCY, Response, Who, storm};
use crate::Result;
use crate::peer::Ended;
use crate::server::Server;
use crate::stats::{median, millis, spread};
use crate::table::Table;

const CALLERS: [usize; 3] = [1, 100, 10_000];
const RUNS: usize = 5;
const CUTOFF: Duration = Duration::from_secs(20);

pub fn measure() -> Result<String> {
    let mut server = Server::start(LATENCY)?;
    let mut table = Table::new(
        "Storm: callers at once on an expired token, server latency 50 ms",
        &[
            "",
            "N=1",
            "N=100",
            "N=10,000",
            "last of 10,000 ÷ latency",
            "last of 10,000 ÷ llm-auth",
            "N=100, rotation with family revocation",
        ],
    );
    // Interleaved: one run of every peer, then the next.
    let mut runs = vec![vec![(Vec::new(), Vec::new(), 0); CALLERS.len()]; Who::ALL.len()];
    for _ in 0..RUNS {
        for (who, cells) in Who::ALL.iter().zip(&mut runs) {
            for (callers, (requests, last, without)) in CALLERS.iter().zip(cells) {
                let storm = storm(*who, &mut server, Response::Granted, *callers, CUTOFF)?;
                requests.push(storm.requests as f64);
                last.push(millis(storm.last));
                *without += callers - storm.count(Ended::Token);
            }
        }
    }
    let ours = median(runs[0][2].1.clone());
    for (who, cells) in Who::ALL.iter().zip(runs) {
        let mut row = vec![who.name().to_owned()];
        let slowest = median(cells[2].1.clone());
        for (requests, last, without) in cells {
            let failed = if without == 0 {
                String::new()
            } else {
                format!("; {without} callers in {RUNS} runs without a token")
            };
            row.push(format!(
                "{} req, {} ms{failed}",
                spread(&requests),
                spread(&last)
            ));
        }
        row.push(format!("{:.2}", slowest / millis(LATENCY)));
        row.push(format!("{:.2}", slowest / ours));
        row.push(match who {
            Who::Gcp | Who::Azure => "– ⁴".into(),
            _ => {
                let storm = storm(*who, &mut server, Response::Rotated, 100, CUTOFF)?;
                format!("{} req: {}", storm.requests, storm.endings())
            }
        });
        table.row(row);
    }
    table.note(&format!(
        "Requests that the server counted, and ms until the last caller had its token: median \
         [smallest..largest] of {RUNS} runs. Client on two worker threads, the server a process of its \
         own on the same cores; HTTP/1.1 without TLS; sessions in memory, except in the second row. The HTTP client has made one \
         call before (google-cloud-auth makes a new one for each)."
    ));
    table.note(NOTES);
    Ok(table.markdown())
}

pub(super) const NOTES: &str = "¹ A `TokenStorage` of one token behind a `tokio::sync::Mutex`: its built-in memory storage cannot be filled from outside. ² The first token, since no \
     expired one can be handed to it; it renews 4 minutes ahead in the background, so its callers seldom meet \
     an expired one. ³ Transport in memory: no sockets and no server process, so its times are not \
     comparable, its counts are. ⁴ No refresh token: a service account or a client secret.";
