//! The cookie of a browser, and the token in forms that only pages for this browser have.

use axum::extract::FromRequestParts;
use axum::http::header::{COOKIE, HeaderMap, HeaderValue};
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cookie::{Cookie, SameSite};
use llm_auth_core::Secret;
use sha2::{Digest as _, Sha256};

use crate::app::App;
use crate::config::Failure;

/// One browser, by its cookie: 32 random bytes, of which the database has a hash.
pub(crate) struct Browser {
    secret: Secret,
    id: [u8; 32],
    /// The cookie is not set yet.
    is_new: bool,
    /// Since the first sign-in that has begun here.
    user: Option<String>,
}

impl Browser {
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self {
            is_new: true,
            ..Self::of(random()?.into())
        })
    }

    fn of(secret: Secret) -> Self {
        let id = hash("browser", secret.expose());
        Self {
            secret,
            id,
            is_new: false,
            user: None,
        }
    }

    pub(crate) fn id(&self) -> &[u8] {
        &self.id
    }

    pub(crate) fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Whether a session is one of this browser's user.
    pub(crate) async fn owns(&self, app: &App, account: &str) -> Result<bool, Failure> {
        match &self.user {
            Some(user) => app.database.owns(user, account).await,
            None => Ok(false),
        }
    }

    /// For the forms of this browser's pages.
    pub(crate) fn csrf(&self) -> String {
        URL_SAFE_NO_PAD.encode(hash("form", self.secret.expose()))
    }

    /// Whether a form came from one of this browser's pages. A browser without a cookie has none.
    pub(crate) fn sent(&self, csrf: &str) -> bool {
        // Secrets are compared in constant time.
        !self.is_new && Secret::from(csrf) == Secret::from(self.csrf())
    }

    pub(crate) fn is_new(&self) -> bool {
        self.is_new
    }

    /// `Lax`, because the vendor's page redirects to the callback: with `Strict` that request would
    /// have no cookie. Requests of other sites that change something are POSTs, and have none.
    pub(crate) fn set_cookie(&self, app: &App) -> Option<HeaderValue> {
        let cookie = Cookie::build((app.cookie_name(), self.secret.expose()))
            .http_only(true)
            .same_site(SameSite::Lax)
            .secure(app.is_https())
            .path("/")
            .max_age(cookie::time::Duration::days(30));
        HeaderValue::from_str(&cookie.to_string()).ok()
    }
}

impl FromRequestParts<App> for Browser {
    type Rejection = crate::pages::Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        let Some(secret) = sent_cookie(&parts.headers, app.cookie_name()) else {
            return Ok(Self::new()?);
        };
        let mut browser = Self::of(secret);
        browser.user = app.database.user(&browser.id).await?;
        Ok(browser)
    }
}

/// The cookie, if it looks like one of ours.
fn sent_cookie(headers: &HeaderMap, name: &str) -> Option<Secret> {
    let lines = headers.get_all(COOKIE).into_iter();
    let texts = lines.filter_map(|line| line.to_str().ok());
    let mut cookies = texts.flat_map(Cookie::split_parse).filter_map(Result::ok);
    let cookie = cookies.find(|cookie| cookie.name() == name)?;
    (cookie.value().len() == 43).then(|| Secret::from(cookie.value()))
}

/// 32 random bytes as 43 characters.
pub(crate) fn random() -> Result<String, Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_source| "the system has no random numbers")?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// What stands for a secret where it must not be readable.
pub(crate) fn hash(purpose: &str, secret: &str) -> [u8; 32] {
    Sha256::new_with_prefix(purpose)
        .chain_update([0])
        .chain_update(secret)
        .finalize()
        .into()
}
