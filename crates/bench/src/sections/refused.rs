//! Many callers find the token expired, and the server refuses or is down.

use std::time::Duration;

use super::storm::NOTES;
use super::who::{LATENCY, Response, Who, storm};
use crate::Result;
use crate::server::Server;
use crate::stats::{millis, number};
use crate::table::Table;

const CALLERS: usize = 100;
const CUTOFF: Duration = Duration::from_secs(10);

pub fn measure() -> Result<String> {
    let mut server = Server::start(LATENCY)?;
    let mut table = Table::new(
        "Storm of 100 callers, and no refresh",
        &["", "400 invalid_grant", "last, ms", "503", "last, ms"],
    );
    for who in Who::ALL {
        let mut row = vec![who.name().to_owned()];
        for answer in [Response::Refused, Response::Down] {
            let storm = storm(who, &mut server, answer, CALLERS, CUTOFF)?;
            row.push(format!("{} req: {}", storm.requests, storm.endings()));
            row.push(if storm.unfinished > 0 {
                format!("> {}", number(millis(CUTOFF)))
            } else {
                number(millis(storm.last))
            });
        }
        table.row(row);
    }
    table.note(&format!(
        "One run each. Callers that wait longer than {} s are dropped; the requests are those until then. \
         `Sent to a login` by yup-oauth2 means that the call itself starts the interactive sign-in. \
         gcp_auth and azure_identity have one kind of error for both.",
        CUTOFF.as_secs()
    ));
    table.note(NOTES);
    Ok(table.markdown())
}
