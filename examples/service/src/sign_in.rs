//! What both ways to sign in share.

pub(crate) mod code;
pub(crate) mod device;

use llm_auth_core::OAuthToken;
use serde::Deserialize;

use crate::app::App;
use crate::browser::{Browser, hash, random};
use crate::config::Failure;
use crate::pages::Problem;

/// A form that only begins something.
#[derive(Deserialize)]
pub(crate) struct Begin {
    csrf: String,
}

/// The row of a sign-in, in place of the secret that names it.
fn row(secret: &str) -> [u8; 32] {
    hash("sign-in", secret)
}

/// The user of this browser, new with its first sign-in.
async fn user(app: &App, browser: &Browser) -> Result<String, Failure> {
    match app.database.user(browser.id()).await? {
        Some(user) => Ok(user),
        None => random(),
    }
}

/// Stores the session of a user who has signed in, and returns the browser with its new cookie.
async fn end(
    app: &App,
    browser: &Browser,
    account: &str,
    session: OAuthToken,
) -> Result<Browser, Problem> {
    let renewed = Browser::new()?;
    let database = &app.database;
    // First the list: a session that is in no list could not be ended.
    database
        .signed_in(browser.id(), renewed.id(), account)
        .await?;
    app.sessions.insert(&app.key(account), session).await?;
    metrics::counter!("service_sign_ins_total").increment(1);
    Ok(renewed)
}
