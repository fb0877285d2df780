//! The page where a user consents to an authorization request.

use super::document::{decision_form, document};
use crate::http::Response;
use crate::oauth::Consent;

/// The page reloads itself, so that a decision made elsewhere also redirects the browser.
pub(crate) fn consent(title: &str, path: &str, consent: &Consent) -> Response {
    let request = &consent.request;
    let facts = [
        ("Client", request.client_id.as_str()),
        ("Sends you back to", &request.redirect_uri),
        ("Scope", &request.scope),
        ("Request", &consent.id),
    ];
    let hidden = [("id", consent.id.as_str()), ("csrf", &consent.csrf)];
    let body = decision_form(path, &facts, &hidden);
    // The form redirects to the client's port, which is not known beforehand.
    document(200, title, &body, "http:").header("Refresh", "3")
}
