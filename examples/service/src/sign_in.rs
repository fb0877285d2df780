//! What both ways to sign in share.

pub(crate) mod code;
pub(crate) mod device;

use llm_auth_core::OAuthToken;
use serde::Deserialize;

use crate::app::App;
use crate::browser::{Browser, hash};
use crate::pages::Problem;
use crate::records::Kept;

/// A form that only begins something.
#[derive(Deserialize)]
pub(crate) struct Begin {
    csrf: String,
}

/// The row of a sign-in, in place of the secret that names it.
fn row(secret: &str) -> [u8; 32] {
    hash("sign-in", secret)
}

/// Stores the session of a user who has signed in, and returns the browser with the cookie that it is
/// to have.
async fn end(
    app: &App,
    browser: Browser,
    kept: &Kept,
    session: OAuthToken,
) -> Result<Browser, Problem> {
    let renewed = Browser::new()?;
    let database = &app.database;
    // First the list: a session that is in no list could not be ended.
    let is_renewed = database.signed_in(browser.id(), renewed.id(), kept).await?;
    app.sessions
        .insert(&app.key(&kept.account), session)
        .await?;
    metrics::counter!("service_sign_ins_total").increment(1);
    Ok(if is_renewed { renewed } else { browser })
}
