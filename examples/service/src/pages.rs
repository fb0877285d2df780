//! The pages. None holds a token, and none runs a script of another origin.

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderName, HeaderValue, LOCATION, SET_COOKIE};
use axum::response::{Html, IntoResponse, Response};
use llm_auth_core::provider::DeviceAuthorization;
use llm_auth_core::{Error, ErrorKind};
use maud::{DOCTYPE, Markup, html};

use crate::app::App;
use crate::browser::Browser;
use crate::config::Failure;

/// A session in the list of its user.
pub(crate) struct Listed {
    pub(crate) account: String,
    pub(crate) identity: Option<String>,
    /// In words.
    pub(crate) status: String,
    pub(crate) is_signed_in: bool,
}

/// A page with the cookie of its browser.
pub(crate) fn page(app: &App, browser: &Browser, content: &Markup) -> Response {
    let head = html! {
        meta charset="utf-8";
        meta name="viewport" content="width=device-width";
        title { "llm-auth example" }
        script src="/chat.js" defer {}
    };
    with_cookie(app, browser, Html(document(&head, content)).into_response())
}

fn document(head: &Markup, content: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head { (head) }
            body { (content) }
        }
    }
    .into_string()
}

/// A redirect after a form, or to the vendor, whose location holds `state`: no cache may keep it.
pub(crate) fn redirect(app: &App, browser: &Browser, to: &str) -> Response {
    let response = (StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response();
    with_cookie(app, browser, response)
}

fn with_cookie(app: &App, browser: &Browser, mut response: Response) -> Response {
    let cookie = browser.set_cookie(app).filter(|_| browser.is_new());
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

pub(crate) fn overview(app: &App, browser: &Browser, sessions: &[Listed]) -> Response {
    let csrf = browser.csrf();
    let title = app.provider.config().title();
    let form = |action: &str, text: &str| {
        html! {
            form method="post" action=(action) {
                input type="hidden" name="csrf" value=(csrf);
                button { (text) }
            }
        }
    };
    let content = html! {
        h1 { "Your sessions at " (title) }
        @if sessions.is_empty() { p { "You are not signed in." } }
        ul {
            @for session in sessions {
                li data-account=(session.account) {
                    (session.identity.as_deref().unwrap_or("A session")) ": " (session.status)
                    @if session.is_signed_in {
                        form.chat method="post" action="/chat" {
                            input type="hidden" name="csrf" value=(csrf);
                            input type="hidden" name="account" value=(session.account);
                            input name="message" aria-label="Message" required;
                            button { "Send" }
                        }
                        pre {}
                    }
                    form method="post" action="/sign-out" {
                        input type="hidden" name="csrf" value=(csrf);
                        input type="hidden" name="account" value=(session.account);
                        button { "Sign out" }
                    }
                }
            }
        }
        @if app.provider.config().code_flow().is_some() {
            (form("/sign-in/code", "Sign in in this browser"))
        }
        @if app.provider.config().device_flow().is_some() {
            (form("/sign-in/device", "Sign in with a code"))
        }
    };
    page(app, browser, &content)
}

pub(crate) fn notice(app: &App, browser: &Browser, text: &str) -> Response {
    page(
        app,
        browser,
        &html! { p { (text) } p { a href="/" { "Start page" } } },
    )
}

/// The page of a device sign-in, which loads itself again until the user has approved it.
pub(crate) fn device(app: &App, browser: &Browser, device: &DeviceAuthorization) -> Response {
    let pause = device
        .interval
        .map_or(5, |interval| interval.as_secs().clamp(1, 60));
    let content = html! {
        h1 { "Enter this code" }
        p { "Open " a href=(device.best_uri()) rel="noreferrer" target="_blank" { (device.verification_uri) }
            " and enter or compare the code " strong { (device.user_code) } "." }
        p { "This page goes on by itself." }
    };
    let mut response = page(app, browser, &content);
    let again = HeaderName::from_static("refresh");
    response
        .headers_mut()
        .insert(again, HeaderValue::from(pause));
    response
}

/// What a request ends with if it does not succeed.
pub(crate) struct Problem {
    status: StatusCode,
    text: &'static str,
}

impl Problem {
    pub(crate) const fn new(status: StatusCode, text: &'static str) -> Self {
        Self { status, text }
    }

    pub(crate) const FORM: Self = Self::new(
        StatusCode::FORBIDDEN,
        "This form is not from a page of this browser. Open the start page, and try again.",
    );

    pub(crate) const SIGN_IN: Self = Self::new(
        StatusCode::FORBIDDEN,
        "This sign-in was not begun in this browser, or is over. Start a new one.",
    );

    pub(crate) const SESSION: Self = Self::new(
        StatusCode::NOT_FOUND,
        "You have no such session. Open the start page.",
    );
}

impl From<Failure> for Problem {
    fn from(error: Failure) -> Self {
        match error.downcast::<Error>() {
            Ok(error) => Self::from(*error),
            Err(error) => {
                tracing::error!(%error, "a request has failed");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "The service has a problem. Try again in a moment.",
                )
            }
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        // The library's messages hold no secrets.
        tracing::warn!(%error, kind = ?error.kind(), "a request has failed");
        let (status, text) = match error.kind() {
            ErrorKind::StateMismatch => return Self::SIGN_IN,
            ErrorKind::Denied => (StatusCode::FORBIDDEN, "The sign-in was refused."),
            ErrorKind::Expired => (StatusCode::GONE, "The sign-in is over. Start a new one."),
            _ if error.needs_login() => (
                StatusCode::UNAUTHORIZED,
                "This session has ended. Sign in again.",
            ),
            _ if error.is_transient() => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The vendor or the database is away. Try again in a moment.",
            ),
            _ => (
                StatusCode::BAD_GATEWAY,
                "The vendor has a problem. Try again later.",
            ),
        };
        Self::new(status, text)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let head = html! { meta charset="utf-8"; title { "llm-auth example" } };
        let content = html! { p { (self.text) } p { a href="/" { "Start page" } } };
        let page = Html(document(&head, &content));
        (self.status, [(CACHE_CONTROL, "no-store")], page).into_response()
    }
}
