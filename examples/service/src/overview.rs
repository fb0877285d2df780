//! The start page: the sessions of the browser's user, and how to get and end one.

use axum::Form;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use crate::app::App;
use crate::browser::Browser;
use crate::config::Failure;
use crate::pages::{self, Listed, Problem};

pub(crate) async fn overview(
    State(app): State<App>,
    browser: Browser,
) -> Result<Response, Problem> {
    let accounts = match browser.user() {
        Some(user) => app.database.accounts(user).await?,
        None => Vec::new(),
    };
    let mut sessions = Vec::with_capacity(accounts.len());
    for account in accounts {
        sessions.push(listed(&app, account).await?);
    }
    Ok(pages::overview(&app, &browser, &sessions))
}

async fn listed(app: &App, account: String) -> Result<Listed, Failure> {
    let stored = app.sessions.get(&app.key(&account))?.load().await?;
    let status = match &stored {
        None => "signed out".to_owned(),
        Some(session) => match session.expires_at {
            Some(at) => format!("signed in; the access token is good until {at}"),
            None => "signed in".to_owned(),
        },
    };
    Ok(Listed {
        account,
        identity: stored
            .as_ref()
            .and_then(|session| session.metadata.identity.clone()),
        status,
        is_signed_in: stored.is_some(),
    })
}

#[derive(Deserialize)]
pub(crate) struct SignOut {
    csrf: String,
    account: String,
}

pub(crate) async fn sign_out(
    State(app): State<App>,
    browser: Browser,
    Form(form): Form<SignOut>,
) -> Result<Response, Problem> {
    if !browser.sent(&form.csrf) {
        return Err(Problem::FORM);
    }
    if !browser.owns(&app, &form.account).await? {
        return Err(Problem::SESSION);
    }
    app.clients.forget(&form.account);
    app.sessions.logout(&app.key(&form.account)).await?;
    app.database.forget(&form.account).await?;
    Ok(pages::redirect(&app, &browser, "/"))
}
