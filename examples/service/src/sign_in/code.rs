//! The code flow: the browser goes to the vendor, and comes back to the callback.

use std::time::Duration;

use axum::Form;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use llm_auth_core::provider::CodeSignIn;
use serde::Deserialize;

use super::{Begin, end, row};
use crate::app::App;
use crate::browser::{Browser, random};
use crate::pages::{self, Problem};
use crate::records::Begun;

/// How long the user may take at the vendor's page.
const LIFETIME: Duration = Duration::from_secs(600);

pub(crate) async fn begin(
    State(app): State<App>,
    browser: Browser,
    Form(form): Form<Begin>,
) -> Result<Response, Problem> {
    if !browser.sent(&form.csrf) {
        return Err(Problem::FORM);
    }
    let sign_in = app.provider.begin_code_sign_in(&app.callback()?).await?;
    let row = row(sign_in.state().expose());
    let sealed = app.keys.seal(&row, &sign_in.to_secret())?;
    let begun = Begun {
        id: &row,
        browser: browser.id(),
        // The name of the session in the store says nothing about a person.
        account: &random()?,
        sealed: &sealed,
        lifetime: LIFETIME,
        pause: Duration::ZERO,
    };
    app.database.begin(&random()?, &begun).await?;
    Ok(pages::redirect(&app, &browser, sign_in.url()))
}

#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    state: String,
}

/// The vendor's response. The row of its `state` is taken, if this browser has one: another
/// browser's row stays as it is, and the same response does nothing a second time.
pub(crate) async fn callback(
    State(app): State<App>,
    browser: Browser,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = query.unwrap_or_default();
    let named = read(&query).ok_or(Problem::SIGN_IN)?;
    let row = row(&named.state);
    let taken = app.database.take(&row, browser.id()).await?;
    let kept = taken.ok_or(Problem::SIGN_IN)?;
    let opened = app.keys.open(&row, &kept.sealed).ok_or(Problem::SIGN_IN)?;
    let sign_in = CodeSignIn::from_secret(&opened)?;
    let callback = app.callback()?;
    let finished = app.provider.finish_code_sign_in(sign_in, &callback, &query);
    let browser = end(&app, browser, &kept, finished.await?).await?;
    Ok(pages::redirect(&app, &browser, "/"))
}

/// `None` for a query that names it twice.
fn read(query: &str) -> Option<Named> {
    let uri = format!("/?{query}").parse().ok()?;
    let read = axum::extract::Query::<Named>::try_from_uri(&uri);
    read.ok().map(|axum::extract::Query(named)| named)
}
