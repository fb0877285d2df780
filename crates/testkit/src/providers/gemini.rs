//! Google's authorization server: the token endpoint and what belongs to it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

pub(crate) use crate::providers::consent::authorize;

use crate::http::request::encode;
use crate::http::response::{Answer, Judged, Refused};
use crate::kit::Kit;
use crate::oauth::pkce;
use crate::oauth::tokens::{Issued, Renewal};
use crate::server::dispatch::Call;
use crate::state::State;

/// A client file of the kind `installed`, as the console hands it out.
pub(crate) fn client_file(kit: &Kit) -> String {
    let base = &kit.base_url;
    let file = json!({"installed": {
        "client_id": kit.google_client_id,
        "project_id": "testkit-project",
        "auth_uri": format!("{base}/o/oauth2/v2/auth"),
        "token_uri": format!("{base}/token"),
        "revoke_uri": format!("{base}/revoke"),
        "client_secret": kit.google_client_secret,
        "redirect_uris": ["http://127.0.0.1"],
    }});
    format!("{file:#}\n")
}

pub(crate) fn known_client(call: &Call<'_>, state: &State, id: &str) -> bool {
    id == call.kit.google_client_id || state.more_clients.contains(id)
}

pub(crate) fn token(call: &Call<'_>, state: &mut State) -> Judged {
    let client = client(call, state)?;
    match call.form.get("grant_type") {
        Some("authorization_code") => exchange(call, &client, state),
        Some("refresh_token") => refresh(call, &client, state),
        Some(_) => refuse(400, "unsupported_grant_type", "Invalid grant_type"),
        None => refuse(
            400,
            "invalid_request",
            "Required parameter is missing: grant_type",
        ),
    }
}

fn exchange(call: &Call<'_>, client: &str, state: &mut State) -> Judged {
    let form = call.form;
    let Some(value) = form.get("code") else {
        return refuse(
            400,
            "invalid_request",
            "Required parameter is missing: code",
        );
    };
    let Some(at) = state.codes.iter().position(|code| code.value == value) else {
        return refuse(400, "invalid_grant", "Malformed auth code.");
    };
    let code = &state.codes[at];
    if let Some(family) = code.family {
        // RFC 6749 section 4.1.2: a code used twice costs what came of it.
        state.counters.families_revoked += u64::from(state.grants.revoke(family));
        let answer = Answer::oauth_error(400, "invalid_grant", "Bad Request");
        return Err(Refused::new("the code was used before", answer));
    }
    if code.asked.client_id != client {
        return refuse(400, "invalid_grant", "the code is another client's");
    }
    if code.expired() {
        return Ok(Answer::oauth_error(400, "invalid_grant", "Bad Request"));
    }
    if form.get("redirect_uri") != Some(&code.asked.redirect_uri) {
        return refuse(400, "redirect_uri_mismatch", "redirect_uri differs");
    }
    if let Err(why) = pkce::verify(form.get("code_verifier"), &code.asked.challenge) {
        return refuse(400, "invalid_grant", why);
    }
    let asked = code.asked.clone();
    let first = asked.offline && state.consented.insert(client.to_owned());
    let with_refresh = asked.offline && (asked.consent || first);
    let rules = state.settings.clone();
    let issued = state
        .grants
        .open(client, &asked.scope, with_refresh, &rules);
    state.codes[at].family = Some(issued.family);
    state.counters.logins_ok += 1;
    let mut body = tokens(&issued);
    if form_has_openid(&asked.scope) {
        body["id_token"] = json!(id_token(client));
    }
    Ok(Answer::json(200, &body))
}

fn refresh(call: &Call<'_>, client: &str, state: &mut State) -> Judged {
    let Some(token) = call.form.get("refresh_token") else {
        return refuse(
            400,
            "invalid_request",
            "Required parameter is missing: refresh_token",
        );
    };
    let error = |status, code, text| Ok(Answer::oauth_error(status, code, text));
    match state.renew(token, client) {
        Renewal::Fresh(issued) | Renewal::InGrace(issued) => {
            Ok(Answer::json(200, &tokens(&issued)))
        }
        Renewal::Reused { .. } | Renewal::Revoked => {
            error(400, "invalid_grant", "Token has been expired or revoked.")
        }
        Renewal::OtherClient => error(401, "unauthorized_client", "Unauthorized"),
        Renewal::Unknown => error(400, "invalid_grant", "Bad Request"),
    }
}

/// RFC 7009 as Google does it: no client is asked for.
pub(crate) fn revoke(call: &Call<'_>, state: &mut State) -> Judged {
    let Some(token) = call.form.get("token") else {
        return refuse(
            400,
            "invalid_request",
            "Required parameter is missing: token",
        );
    };
    let found = state.grants.family_of(token).map(|(id, _)| id);
    if found.is_some_and(|family| state.grants.revoke(family)) {
        state.counters.families_revoked += 1;
        return Ok(Answer::json(200, &json!({})));
    }
    let text = "Token expired or revoked";
    Ok(Answer::oauth_error(400, "invalid_token", text))
}

pub(crate) fn token_info(call: &Call<'_>, state: &State) -> Answer {
    let token = call
        .request
        .bearer()
        .or_else(|| call.form.get("access_token"));
    let live = token.and_then(|token| Some((token, state.grants.live(token)?)));
    let Some((token, family)) = live else {
        return Answer::oauth_error(400, "invalid_token", "Invalid Value");
    };
    let left = state.grants.time_left(token).as_secs();
    let now = call.kit.clock.now_ms() / 1000;
    let body = json!({
        "azp": family.client_id,
        "aud": family.client_id,
        "scope": family.scope,
        "exp": now.saturating_add(i64::try_from(left).unwrap_or(i64::MAX)).to_string(),
        "expires_in": left.to_string(),
        "access_type": "offline",
    });
    Answer::json(200, &body)
}

pub(crate) fn user_info(call: &Call<'_>, state: &State) -> Answer {
    let token = call.request.bearer();
    let Some(family) = token.and_then(|token| state.grants.live(token)) else {
        return api_error(401, "UNAUTHENTICATED", "Invalid Credentials");
    };
    let scopes: Vec<&str> = family.scope.split(' ').collect();
    let identity = |scope: &&str| {
        matches!(*scope, "openid" | "email" | "profile")
            || scope.contains("/auth/userinfo.email")
            || scope.contains("/auth/userinfo.profile")
    };
    if !scopes.iter().any(identity) {
        return api_error(403, "PERMISSION_DENIED", "Insufficient scopes.");
    }
    let body = json!({
        "id": "100000000000000000001",
        "email": "person@testkit.example",
        "verified_email": true,
        "name": "Testkit Person",
    });
    Answer::json(200, &body)
}

/// An error body of Google's APIs.
pub(crate) fn api_error(status: u16, name: &str, message: &str) -> Answer {
    let body = json!({"error": {"code": status, "message": message, "status": name}});
    Answer::json(status, &body)
}

fn tokens(issued: &Issued) -> Value {
    let mut body = json!({
        "access_token": issued.access,
        "token_type": "Bearer",
        "expires_in": issued.expires_in(),
        "scope": issued.scope,
    });
    if let Some(refresh) = &issued.refresh {
        body["refresh_token"] = json!(refresh);
    }
    body
}

fn form_has_openid(scope: &str) -> bool {
    scope.split(' ').any(|one| one == "openid")
}

/// An ID token that is none: its signature is a word.
fn id_token(client: &str) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let head = part(json!({"alg": "none", "typ": "JWT"}));
    let body = part(json!({
        "iss": "https://accounts.google.com",
        "aud": client,
        "sub": "100000000000000000001",
        "email": "person@testkit.example",
    }));
    format!("{head}.{body}.testkit")
}

/// Client authentication: in the body or by `Basic`, never both (RFC 6749 section 2.3).
fn client(call: &Call<'_>, state: &State) -> Result<String, Box<Refused>> {
    let basic = basic(call);
    let form_secret = call.form.get("client_secret");
    if basic.is_some() && form_secret.is_some() {
        let why = "the client authenticates in two ways at once";
        return refuse(400, "invalid_request", why);
    }
    let (id, secret) = match basic {
        Some((id, secret)) => (Some(id), Some(secret)),
        None => (
            call.form.get("client_id").map(encode),
            form_secret.map(encode),
        ),
    };
    let Some(id) = id else {
        let why = "Could not determine client ID from request.";
        return refuse(400, "invalid_request", why);
    };
    let known = std::iter::once(&call.kit.google_client_id).chain(&state.more_clients);
    let Some(id) = known.into_iter().find(|known| encode(known) == id) else {
        return refuse(401, "invalid_client", "The OAuth client was not found.");
    };
    match secret {
        None => refuse(400, "invalid_request", "client_secret is missing."),
        Some(secret) if secret == encode(&call.kit.google_client_secret) => Ok(id.clone()),
        Some(_) => refuse(401, "invalid_client", "Unauthorized"),
    }
}

/// Name and secret of a `Basic` header, still form-encoded.
fn basic(call: &Call<'_>) -> Option<(String, String)> {
    let (scheme, value) = call.request.header("authorization")?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

fn refuse<T>(status: u16, code: &str, why: &str) -> Result<T, Box<Refused>> {
    Err(Refused::new(why, Answer::oauth_error(status, code, why)))
}
