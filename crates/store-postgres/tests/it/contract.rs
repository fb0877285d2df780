//! What every store must do, over the server and through a pooler.

use std::sync::Arc;

use llm_auth_core::TokenStore;
use llm_auth_store_postgres::SealingKeys;
use llm_auth_testkit::{Failures, StoreContract};

use crate::cluster::{self, Place};
use crate::pooler::Pooler;

fn contract(by: Place, direct: Place, is_encrypted: bool) -> StoreContract {
    let copies = direct.clone();
    StoreContract::of(move || {
        let mut builder = by.builder();
        if is_encrypted {
            builder = builder.sealed_with(SealingKeys::new("made-up", &[7; 32])?);
        }
        Ok(Arc::new(builder.build()?) as Arc<dyn TokenStore>)
    })
    .sessions(100)
    .corrupting(move |key| {
        direct.sql(&format!(
            "UPDATE {{}}.sessions SET sealed = 'made up' WHERE account = '{}'",
            key.account()
        ));
    })
    .copies(move |key| {
        let count = copies.sql(&format!(
            "SELECT count(*) FROM {{}}.damaged WHERE sealed = 'made up' AND account = '{}'",
            key.account()
        ));
        count[0].parse().unwrap()
    })
}

#[tokio::test]
async fn the_store_keeps_the_contract_of_stores() -> Result<(), Failures> {
    let Some(place) = cluster::shared() else {
        return Ok(());
    };
    contract(place.clone(), place, false).check().await
}

#[tokio::test]
async fn an_encrypted_store_keeps_it_through_a_pooler_in_transaction_mode() -> Result<(), Failures>
{
    let Some(place) = cluster::shared() else {
        return Ok(());
    };
    let Some(pooler) = Pooler::start(place.port) else {
        return Ok(());
    };
    contract(place.at(pooler.port), place, true).check().await
}
