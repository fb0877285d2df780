//! A caller is dropped in the middle of a refresh; then a new process would load the file.

use std::path::Path;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::{sleep, timeout};

use crate::Result;
use crate::peer::{Ended, Peer};
use crate::peers::{ours, yup};
use crate::scratch::Scratch;
use crate::server::Server;
use crate::table::Table;
use crate::tokens::{self, Expiry};

const TRIALS: u64 = 100;
const DROP_AFTER: Duration = Duration::from_millis(20);
const LATENCY: Duration = Duration::from_millis(50);

#[derive(Default)]
struct Seen {
    dropped: u64,
    survived: u64,
    destroyed: u64,
}

pub fn measure() -> Result<String> {
    let mut server = Server::start(LATENCY)?;
    server.rotate(true)?;
    let scratch = Scratch::new()?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let mut table = Table::new(
        "Callers dropped after 20 ms of a 50 ms refresh, rotating server",
        &[
            "",
            "dropped in time",
            "next call survived",
            "session lost",
            "of these: file destroyed",
        ],
    );
    for ours in [true, false] {
        let mut seen = Seen::default();
        for trial in 0..TRIALS {
            let file = scratch.path(&format!("{ours}-{trial}.json"));
            let family = trial + u64::from(ours) * 10_000;
            runtime.block_on(async {
                if ours {
                    tokens::write(&file, &tokens::our_file(family, Expiry::Expired))?;
                    drop_one(ours::on_disk(&server.base_url, &file)?, &file, &mut seen).await;
                    survives(ours::on_disk(&server.base_url, &file), &mut seen).await;
                } else {
                    tokens::write(&file, &tokens::yup_file(family, Expiry::Expired))?;
                    drop_one(
                        yup::on_disk(&server.token_url(), &file).await?,
                        &file,
                        &mut seen,
                    )
                    .await;
                    survives(yup::on_disk(&server.token_url(), &file).await, &mut seen).await;
                }
                Result::Ok(())
            })?;
        }
        table.row([
            if ours {
                "**llm-auth**"
            } else {
                "yup-oauth2 disk storage"
            }
            .into(),
            seen.dropped.to_string(),
            seen.survived.to_string(),
            (TRIALS - seen.survived).to_string(),
            seen.destroyed.to_string(),
        ]);
    }
    table.note(&format!(
        "{TRIALS} trials each, one after another, each with a session of its own. 100 ms after the \
         drop, a new object loads the file and makes one call. google-cloud-auth goes on in a \
         background task too, but keeps no file and no rotated refresh token, so there is nothing to load; \
         gcp_auth and azure_identity have no refresh token."
    ));
    Ok(table.markdown())
}

async fn drop_one(peer: impl Peer, file: &Path, seen: &mut Seen) {
    seen.dropped += u64::from(timeout(DROP_AFTER, peer.token()).await.is_err());
    sleep(Duration::from_millis(100)).await;
    seen.destroyed += u64::from(tokens::stored_refresh(file).is_none());
}

async fn survives(loaded: Result<impl Peer>, seen: &mut Seen) {
    if let Ok(peer) = loaded {
        seen.survived += u64::from(peer.token().await == Ended::Token);
    }
}
