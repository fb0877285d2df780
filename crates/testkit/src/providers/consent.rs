//! Google's authorization endpoint: from the client's request to the redirect back.

use hyper::Method;

use crate::http::response::{Answer, Callback, Judged, Refused};
use crate::oauth::authorization_code::{Asked, Code, Consent, is_loopback_redirect};
use crate::oauth::device_code::Decision;
use crate::oauth::pkce;
use crate::pages::document::{self as page, Tongue};
use crate::providers::gemini::known_client;
use crate::server::dispatch::Call;
use crate::settings::Approval;
use crate::state::State;

pub(crate) fn authorize(call: &Call<'_>, state: &mut State) -> Judged {
    if call.request.method == Method::POST {
        return Ok(decide(call, state));
    }
    let asked = read(call, state)?;
    let same = |consent: &Consent| !consent.answered && consent.asked == asked;
    // The page reloads itself; that is not another request.
    let at = state.consents.iter().position(same).unwrap_or_else(|| {
        state.consents.push(Consent::new(asked));
        state.consents.len() - 1
    });
    let decision = match state.settings.approval {
        Approval::Manual => Decision::Open,
        Approval::Deny => Decision::Denied,
        Approval::Auto | Approval::AutoAfter(_) | Approval::AutoAfterPolls(_) => Decision::Approved,
    };
    let consent = &mut state.consents[at];
    if consent.decision == Decision::Open {
        consent.decision = decision;
    }
    Ok(next(Tongue::of(call.request), at, state))
}

/// The person pressed a button.
fn decide(call: &Call<'_>, state: &mut State) -> Answer {
    let (form, tongue) = (call.form, Tongue::of(call.request));
    let of_form = |c: &Consent| Some(c.id.as_str()) == form.get("id") && !c.answered;
    let Some(at) = state.consents.iter().position(of_form) else {
        return page::message(
            tongue,
            404,
            "Nothing to decide",
            "This request is not open any more.",
        );
    };
    let consent = &mut state.consents[at];
    if form.get("csrf") != Some(&consent.csrf) {
        return page::message(
            tongue,
            403,
            "Refused",
            "The form did not come from this page.",
        );
    }
    consent.decision = match form.get("decision") {
        Some("approve") => Decision::Approved,
        _ => Decision::Denied,
    };
    next(tongue, at, state)
}

fn next(tongue: Tongue, at: usize, state: &mut State) -> Answer {
    let consent = &mut state.consents[at];
    let asked = consent.asked.clone();
    let issuer = state.settings.issuer.clone();
    let mut answer = match consent.decision {
        Decision::Open => return page::consent(tongue, consent),
        Decision::Denied => Answer::callback(
            &asked.redirect_uri,
            &[("error", "access_denied"), ("state", &asked.state)],
        ),
        Decision::Approved => {
            let code = Code::new(asked.clone(), state.settings.code_lifetime);
            let parameters = [
                ("state", asked.state.as_str()),
                ("code", &code.value),
                ("scope", &asked.scope),
            ];
            let answer = Answer::callback(&asked.redirect_uri, &parameters);
            state.codes.push(code);
            answer
        }
    };
    state.consents[at].answered = true;
    if let (Some(Callback { parameters, .. }), Some(issuer)) = (&mut answer.callback, issuer) {
        parameters.push(("iss".to_owned(), issuer));
    }
    answer
}

/// Judges the request. A refusal is a page: nobody is redirected on a bad request.
fn read(call: &Call<'_>, state: &State) -> Result<Asked, Box<Refused>> {
    let form = call.form;
    let Some(client_id) = form.get("client_id") else {
        return refuse(400, "invalid_request", "client_id is required");
    };
    if !known_client(call, state, client_id) {
        return refuse(401, "invalid_client", "The OAuth client was not found.");
    }
    let redirect_uri = form.get("redirect_uri").unwrap_or_default();
    if redirect_uri.starts_with("urn:ietf:wg:oauth:2.0:oob") {
        return refuse(400, "invalid_request", "The out-of-band flow is blocked.");
    }
    if !is_loopback_redirect(redirect_uri) {
        let why = "redirect_uri is not a loopback address of an installed client";
        return refuse(400, "redirect_uri_mismatch", why);
    }
    if form.get("response_type") != Some("code") {
        return refuse(
            400,
            "unsupported_response_type",
            "response_type must be code",
        );
    }
    let scope = form.get("scope").unwrap_or_default();
    let known = |one: &str| {
        matches!(one, "openid" | "email" | "profile")
            || one.starts_with("https://www.googleapis.com/auth/")
    };
    if scope.is_empty() || !scope.split(' ').all(known) {
        return refuse(400, "invalid_scope", "scope is missing or unknown");
    }
    let Some(client_state) = form.get("state") else {
        return refuse(400, "invalid_request", "state is required here");
    };
    let challenge = match pkce::challenge(form) {
        Ok(challenge) => challenge,
        Err(why) => return refuse(400, "invalid_request", why),
    };
    let prompt = form.get("prompt").unwrap_or_default();
    Ok(Asked {
        client_id: client_id.to_owned(),
        redirect_uri: redirect_uri.to_owned(),
        scope: scope.to_owned(),
        state: client_state.to_owned(),
        challenge,
        offline: form.get("access_type") == Some("offline"),
        consent: prompt.split(' ').any(|one| one == "consent"),
    })
}

fn refuse<T>(status: u16, code: &str, why: &str) -> Result<T, Box<Refused>> {
    let page = page::message(
        Tongue::English,
        status,
        &format!("Error {status}: {code}"),
        why,
    );
    Err(Refused::new(why, page))
}
