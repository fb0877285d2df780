//! kill -9 at random moments of a tight loop of refreshes.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::scratch::Scratch;
use crate::server::Server;
use crate::stats::number;
use crate::table::Table;
use crate::tokens::{self, Expiry};
use crate::{Result, program};

const KILLS: u64 = 60;

#[derive(Default)]
struct Seen {
    lost: u64,
    behind: u64,
    refreshes: u64,
    running: Duration,
}

pub fn measure() -> Result<String> {
    let mut server = Server::start(Duration::ZERO)?;
    server.rotate(true)?;
    let mut table = Table::new(
        "kill -9 in a tight loop of renewals and saves",
        &[
            "",
            "kills",
            "file lost (empty or cut)",
            "file whole, successor never stored",
            "renewals/s",
        ],
    );
    for who in ["ours", "yup"] {
        let mut seen = Seen::default();
        for kill in 0..KILLS {
            one_kill(who, kill, &mut server, &mut seen)?;
        }
        table.row([
            if who == "ours" {
                "**llm-auth**"
            } else {
                "yup-oauth2 disk storage"
            }
            .into(),
            KILLS.to_string(),
            seen.lost.to_string(),
            seen.behind.to_string(),
            number((seen.refreshes as f64 / seen.running.as_secs_f64()).round()),
        ]);
    }
    table.note(
        "A server without latency that rotates. The third figure is the kills between the server's \
         rotation and the end of the save: without a grace period at the server no client can keep \
         such a session, and its share grows with the time that a save takes (ours waits for \
         fsync of file and directory, yup-oauth2 for nothing). Ours leaves a note in the file that a renewal had begun.",
    );
    Ok(table.markdown())
}

fn one_kill(who: &str, kill: u64, server: &mut Server, seen: &mut Seen) -> Result<()> {
    let scratch = Scratch::new()?;
    let file = scratch.path("session.json");
    let family = kill + if who == "ours" { 10_000 } else { 0 };
    let session = match who {
        "ours" => tokens::our_file(family, Expiry::Valid),
        _ => tokens::yup_file(family, Expiry::Valid),
    };
    tokens::write(&file, &session)?;
    let address = if who == "ours" {
        server.base_url.clone()
    } else {
        server.token_url()
    };
    let mut child = Command::new(program("renewals")?)
        .args([who, &address])
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    // The first refresh is done when it says so.
    let mut line = String::new();
    if let Some(hear) = child.stdout.take() {
        BufReader::new(hear).read_line(&mut line)?;
    }
    if line.is_empty() {
        child.wait()?;
        return Err(format!("the loop of {who} did not begin").into());
    }
    server.reset()?;
    let begun = Instant::now();
    // Spread evenly over 20 ms, in no order.
    sleep(Duration::from_micros(
        5000 + kill * 7919 % KILLS * 20_000 / KILLS,
    ));
    child.kill()?;
    child.wait()?;
    seen.running += begun.elapsed();
    seen.refreshes += server.requests()?;
    match tokens::stored_refresh(&file) {
        None => seen.lost += 1,
        Some(refresh) => seen.behind += u64::from(!server.is_live(&refresh)?),
    }
    Ok(())
}
