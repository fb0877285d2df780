//! The start page: the sessions of the browser's user, and how to get and end one.

use axum::Form;
use axum::extract::State;
use axum::response::Response;
use llm_auth_core::{
    Clock as _, DEFAULT_EXPIRY_MARGIN, Error, ErrorKind, OAuthToken, Revocation, SystemClock,
    Timestamp,
};
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

/// A session that cannot be read does not hide the others. What is wrong with the database is no
/// property of one session.
async fn listed(app: &App, account: String) -> Result<Listed, Failure> {
    let key = app.key(&account);
    let loaded = match app.sessions.get(&key) {
        Ok(manager) => manager.load().await,
        Err(error) => Err(error),
    };
    let is_general =
        |error: &Error| error.is_transient() || matches!(error.kind(), ErrorKind::Store);
    let (identity, (is_signed_in, status)) = match loaded {
        Ok(None) => (None, (false, "signed out".to_owned())),
        Ok(Some(session)) => {
            let status = status(&session, SystemClock.now());
            (session.metadata.identity.clone(), status)
        }
        Err(error) if is_general(&error) => return Err(error.into()),
        Err(error) => {
            tracing::warn!(%error, "a session cannot be shown");
            let status = "cannot be read; sign out here and sign in again";
            (None, (false, status.to_owned()))
        }
    };
    Ok(Listed {
        account,
        identity,
        status,
        is_signed_in,
    })
}

/// Whether a session is of use, and what its user should know.
fn status(session: &OAuthToken, now: Timestamp) -> (bool, String) {
    const OVER: &str = "has ended; sign in again";
    let is_fresh = session.is_fresh_for(DEFAULT_EXPIRY_MARGIN, now);
    let until = session.expires_at;
    match (
        is_fresh,
        session.refresh.is_some() && !session.is_rejected(),
    ) {
        (true, true) => (
            true,
            match until {
                Some(at) => format!("signed in; the access token is good until {at}"),
                None => "signed in".to_owned(),
            },
        ),
        (true, false) => (
            true,
            match until {
                Some(at) => format!("signed in until {at}; then sign in again"),
                None => "signed in".to_owned(),
            },
        ),
        (false, true) => (
            true,
            "signed in; the next message refreshes the access token".to_owned(),
        ),
        (false, false) => (false, OVER.to_owned()),
    }
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
    let ended = app.sessions.logout(&app.key(&form.account)).await?;
    app.database.forget(&form.account).await?;
    let title = app.provider.config().title();
    let text = match ended.revocation {
        None | Some(Ok(Revocation::Confirmed)) => return Ok(pages::redirect(&app, &browser, "/")),
        Some(Ok(_)) => format!(
            "You are signed out here. {title} does not support revocation: copies of the tokens \
             stay valid until they expire."
        ),
        Some(Err(error)) => {
            tracing::warn!(%error, "a revocation was not confirmed");
            format!(
                "You are signed out here, but {title} did not confirm it. End the session in your \
                 account at {title}, too."
            )
        }
    };
    Ok(pages::notice(&app, &browser, &text))
}
