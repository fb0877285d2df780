//! The authorization endpoint of the code flow, from a valid request to the redirect.

use crate::http::{Call, Callback, Rejected, Response};
use crate::oauth::{AuthorizationRequest, Code, Consent, Decision};
use crate::pages;
use crate::random;
use crate::settings::Approval;
use crate::state::State;

/// Where the user decides.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConsentPage<'a> {
    pub(super) title: &'a str,
    pub(super) path: &'a str,
    /// A client that is issued another one by the approval, and how the ids of those begin.
    pub(super) issues: Option<(&'a str, &'a str)>,
}

impl ConsentPage<'_> {
    /// Shows a valid request, or redirects if it is decided.
    pub(super) fn show(self, request: AuthorizationRequest, state: &mut State) -> Response {
        let same = |consent: &Consent| !consent.redirected && consent.request == request;
        // The page reloads itself; that is not another request.
        let at = state.consents.iter().position(same).unwrap_or_else(|| {
            state.consents.push(Consent::new(request));
            state.consents.len() - 1
        });
        let decision = match state.settings.approval {
            Approval::Manual => Decision::Open,
            Approval::Deny => Decision::Denied,
            Approval::Auto | Approval::AutoAfter(_) | Approval::AutoAfterPolls(_) => {
                Decision::Approved
            }
        };
        let consent = &mut state.consents[at];
        if consent.decision == Decision::Open {
            consent.decision = decision;
        }
        self.proceed(at, state)
    }

    /// Takes the decision of the page's form.
    pub(super) fn decide(self, call: &Call<'_>, state: &mut State) -> Response {
        let form = call.form;
        let of_form = |c: &Consent| Some(c.id.as_str()) == form.get("id") && !c.redirected;
        let Some(at) = state.consents.iter().position(of_form) else {
            let text = "This request is not open any more.";
            return pages::message(404, "Nothing to decide", text);
        };
        let consent = &mut state.consents[at];
        if form.get("csrf") != Some(&consent.csrf) {
            let text = "The form did not come from this page.";
            return pages::message(403, "Refused", text);
        }
        consent.decision = match form.get("decision") {
            Some("approve") => Decision::Approved,
            _ => Decision::Denied,
        };
        self.proceed(at, state)
    }

    fn proceed(self, at: usize, state: &mut State) -> Response {
        let consent = &mut state.consents[at];
        let request = consent.request.clone();
        let issuer = state.settings.issuer.clone();
        let mut response = match consent.decision {
            Decision::Open => return pages::consent(self.title, self.path, consent),
            Decision::Denied => Response::callback(
                &request.redirect_uri,
                &[("error", "access_denied"), ("state", &request.state)],
            ),
            Decision::Approved => {
                let issued = self.issued(&request.client_id);
                let mut granted = request.clone();
                if let Some(id) = &issued {
                    granted.client_id.clone_from(id);
                    state.more_clients.insert(id.clone());
                }
                let code = Code::new(granted, state.settings.code_lifetime);
                let mut parameters = vec![
                    ("state", request.state.as_str()),
                    ("code", &code.value),
                    ("scope", &request.scope),
                ];
                parameters.extend(issued.as_deref().map(|id| ("client_id", id)));
                let response = Response::callback(&request.redirect_uri, &parameters);
                state.codes.push(code);
                response
            }
        };
        state.consents[at].redirected = true;
        if let (Some(Callback { parameters, .. }), Some(issuer)) = (&mut response.callback, issuer)
        {
            parameters.push(("iss".to_owned(), issuer));
        }
        response
    }
}

impl ConsentPage<'_> {
    /// The client that is issued to a sign-in of this one, if any.
    fn issued(self, client_id: &str) -> Option<String> {
        let (first, prefix) = self.issues?;
        (client_id == first).then(|| format!("{prefix}{}", random::hex(8)))
    }
}

/// Rejects an authorization request with a page.
pub(super) fn reject<T>(status: u16, code: &str, why: &str) -> Result<T, Box<Rejected>> {
    Err(Rejected::new(why, pages::error(status, code, why)))
}
