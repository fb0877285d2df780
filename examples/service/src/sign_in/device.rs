//! The device flow: the user approves it on the vendor's page, anywhere. What is kept of it is in the
//! database, and the browser's page asks for each poll: so any process can go on with it.

use std::time::Duration;

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use llm_auth_core::provider::{DeviceAuthorization, Pkce, Poll};
use llm_auth_core::{Error, ErrorKind, Secret};
use serde::{Deserialize, Serialize};

use super::{Begin, end, row};
use crate::app::App;
use crate::browser::{Browser, random};
use crate::config::Failure;
use crate::pages::{self, Problem};
use crate::records::Begun;

/// RFC 8628 section 3.5.
const PAUSE: Duration = Duration::from_secs(5);

/// What is kept of a sign-in.
#[derive(Deserialize, Serialize)]
struct Device {
    device_code: Secret,
    user_code: String,
    page: String,
    complete_page: Option<String>,
    pause: Duration,
    verifier: Secret,
}

impl Device {
    fn of(device: &DeviceAuthorization, pkce: &Pkce) -> Result<Secret, Failure> {
        let kept = Self {
            device_code: device.device_code.clone(),
            user_code: device.user_code.clone(),
            page: device.verification_uri.clone(),
            complete_page: device.verification_uri_complete.clone(),
            pause: device.interval.unwrap_or(PAUSE),
            verifier: pkce.verifier().clone(),
        };
        Ok(serde_json::to_string(&kept)?.into())
    }

    fn read(kept: &Secret) -> Result<(DeviceAuthorization, Pkce), Problem> {
        let kept: Self =
            serde_json::from_str(kept.expose()).map_err(|_quoting| Problem::SIGN_IN)?;
        let mut device = DeviceAuthorization::new(kept.device_code, kept.user_code, kept.page);
        device.verification_uri_complete = kept.complete_page;
        device.interval = Some(kept.pause);
        Ok((device, Pkce::from_verifier(kept.verifier)?))
    }
}

pub(crate) async fn begin(
    State(app): State<App>,
    browser: Browser,
    Form(form): Form<Begin>,
) -> Result<Response, Problem> {
    if !browser.sent(&form.csrf) {
        return Err(Problem::FORM);
    }
    let (device, pkce) = app.provider.request_device_code().await?;
    // It names the sign-in in the address of its page, for this browser only.
    let name = random()?;
    let row = row(&name);
    let sealed = app.keys.seal(&row, &Device::of(&device, &pkce)?)?;
    let begun = Begun {
        id: &row,
        browser: browser.id(),
        // The name of the session in the store says nothing about a person.
        account: &random()?,
        sealed: &sealed,
        lifetime: device.expires_in.min(Duration::from_secs(3600)),
        pause: device.interval.unwrap_or(PAUSE),
    };
    app.database.begin(&random()?, &begun).await?;
    Ok(pages::redirect(
        &app,
        &browser,
        &format!("/sign-in/device/{name}"),
    ))
}

pub(crate) async fn page(
    State(app): State<App>,
    browser: Browser,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let row = row(&name);
    let database = &app.database;
    let found = database.poll_turn(&row, browser.id()).await?;
    let (kept, is_due) = found.ok_or(Problem::SIGN_IN)?;
    let opened = app.keys.open(&row, &kept.sealed).ok_or(Problem::SIGN_IN)?;
    let (device, pkce) = Device::read(&opened)?;
    if !is_due {
        return Ok(pages::device(&app, &browser, &device));
    }
    match app.provider.poll_for_token(&device, &pkce).await {
        Ok(Poll::Ready(response)) => {
            // The vendor gives the tokens once: the session is the user's even if the cookie has
            // ended during the poll, and is stored before anything else can fail.
            let session = app.provider.session(response);
            let browser = end(&app, browser, &kept, session).await?;
            database.end(&row).await?;
            Ok(pages::redirect(&app, &browser, "/"))
        }
        Ok(Poll::SlowDown(named)) => {
            database.slow_down(&row, named).await?;
            Ok(pages::device(&app, &browser, &device))
        }
        Ok(_) => Ok(pages::device(&app, &browser, &device)),
        // The next poll may succeed, unless the response had the tokens: they come once.
        Err(error) if error.is_transient() && !may_be_spent(&error) => {
            tracing::warn!(%error, "a poll has failed");
            database.back_off(&row, error.retry_after()).await?;
            Ok(pages::device(&app, &browser, &device))
        }
        Err(error) => {
            database.end(&row).await?;
            if error.is_transient() {
                tracing::warn!(%error, "a sign-in is over");
                return Err(SPENT);
            }
            Err(error.into())
        }
    }
}

/// Some servers send a refusal for a while with a 2xx status; another such response that cannot be
/// read may have been the one with the tokens.
fn may_be_spent(error: &Error) -> bool {
    error.followed_success() && error.kind() != ErrorKind::RateLimited
}

const SPENT: Problem = Problem::new(
    StatusCode::BAD_GATEWAY,
    "The vendor's response cannot be read. Start a new sign-in.",
);

/// A page whose address is not one of a sign-in.
pub(crate) const UNKNOWN: Problem = Problem::new(StatusCode::NOT_FOUND, "There is no such page.");
