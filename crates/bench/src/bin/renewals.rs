//! Refreshes and saves for ever, to be killed: `refreshes ours|yup <address> <file>`.

use std::path::Path;

use llm_auth_bench::Result;
use llm_auth_bench::peers::{SCOPE, ours, yup};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [who, address, file] = arguments.as_slice() else {
        return Err("renewals ours|yup <address> <file>".into());
    };
    match who.as_str() {
        "ours" => {
            let manager = ours::on_disk(address, Path::new(file))?.0;
            let mut token = manager.token().await?;
            for round in 0_u64.. {
                token = manager.invalidate(&token).await?;
                announce(round);
            }
        }
        _ => {
            let authenticator = yup::on_disk(address, Path::new(file)).await?.0;
            for round in 0_u64.. {
                authenticator.force_refreshed_token(&[SCOPE]).await?;
                announce(round);
            }
        }
    }
    Ok(())
}

fn announce(round: u64) {
    if round == 0 {
        println!("begun");
    }
}
