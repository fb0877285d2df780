//! Many processes share one expired session in one file; the server rotates refresh tokens and
//! revokes the family when a spent one comes back.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::scratch::Scratch;
use crate::server::Server;
use crate::stats::{millis, spread};
use crate::table::Table;
use crate::tokens::{self, Expiry};
use crate::{Result, command, program};

const REPEATS: u64 = 3;
const LATENCY: Duration = Duration::from_millis(50);

pub fn measure() -> Result<String> {
    let mut server = Server::start(LATENCY)?;
    server.rotate(true)?;
    let mut table = Table::new(
        "Processes on one expired session, rotation with family revocation",
        &[
            "",
            "processes",
            "requests",
            "got a token",
            "did not",
            "last, ms",
            "the next refresh, one new process",
        ],
    );
    for (ours, processes) in [(true, 16), (true, 50), (false, 16), (false, 50)] {
        let (mut requests, mut good, mut last, mut next) = (Vec::new(), 0, Vec::new(), 0);
        for repeat in 0..REPEATS {
            let scratch = Scratch::new()?;
            let file = scratch.path("session.json");
            let family = repeat + 10 * processes + u64::from(ours) * 10_000;
            let session = match ours {
                true => tokens::our_file(family, Expiry::Expired),
                false => tokens::yup_file(family, Expiry::Expired),
            };
            tokens::write(&file, &session)?;
            server.reset()?;
            let begun = Instant::now();
            let children = (0..processes)
                .map(|_| Ok(caller(ours, &file, &scratch, &server)?.spawn()?))
                .collect::<Result<Vec<_>>>()?;
            for child in children {
                good += u64::from(got_a_token(&child.wait_with_output()?));
            }
            last.push(millis(begun.elapsed()));
            requests.push(server.requests()? as f64);
            let whole = tokens::expire(&file);
            let output = caller(ours, &file, &scratch, &server)?.output()?;
            next += u64::from(whole && got_a_token(&output));
        }
        table.row([
            if ours {
                "**llm-auth** `token`"
            } else {
                "yup-oauth2 disk storage"
            }
            .into(),
            processes.to_string(),
            spread(&requests),
            format!("{good} of {}", processes * REPEATS),
            (processes * REPEATS - good).to_string(),
            spread(&last),
            format!("works {next} of {REPEATS} times"),
        ]);
    }
    table.note(&format!(
        "{REPEATS} repeats. Ours is the command of the release build; yup-oauth2 is a small program of its own with its \
         default HTTPS client. The other peers keep no token file. Server latency {} ms.",
        LATENCY.as_millis()
    ));
    Ok(table.markdown())
}

fn caller(ours: bool, file: &Path, scratch: &Scratch, server: &Server) -> Result<Command> {
    let mut caller = if ours {
        let mut caller = Command::new(command()?);
        caller.args(["token", "qwen", "--store"]).arg(file);
        // The session records no server.
        caller.arg("--trust-endpoint").arg(&server.base_url);
        caller.env("LLM_AUTH_QWEN_BASE_URL", &server.base_url);
        caller
    } else {
        let mut caller = Command::new(program("yup_token")?);
        caller.arg(file).arg(server.token_url());
        caller
    };
    caller
        .env("HOME", scratch.directory())
        .env("NO_PROXY", "127.0.0.1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    Ok(caller)
}

fn got_a_token(output: &Output) -> bool {
    output.status.success() && output.stdout.starts_with(b"renewed")
}
