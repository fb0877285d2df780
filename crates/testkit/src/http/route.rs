//! Which path belongs to whom.

use hyper::Method;

use crate::http::request::{Complaint, Form, Request};
use crate::provider::{Endpoint, Vendor};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Door {
    pub(crate) vendor: Vendor,
    pub(crate) action: Action,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Action {
    Device,
    Token,
    Revoke,
    Page,
    TokenInfo,
    UserInfo,
    Chat,
    Models,
    /// MiniMax's former paths.
    Moved(&'static str),
}

pub(crate) fn find(path: &str) -> Option<Door> {
    use Vendor::{Gemini, MiniMax, Qwen};
    let (vendor, action) = match path {
        "/api/v1/oauth2/device/code" => (Qwen, Action::Device),
        "/api/v1/oauth2/token" => (Qwen, Action::Token),
        "/authorize" => (Qwen, Action::Page),
        "/v1/chat/completions" => (Qwen, Action::Chat),
        "/oauth/code" => (MiniMax, Action::Moved("/oauth2/device/code")),
        "/oauth/token" => (MiniMax, Action::Moved("/oauth2/token")),
        "/oauth2/device/code" => (MiniMax, Action::Device),
        "/oauth2/token" => (MiniMax, Action::Token),
        "/oauth2/revoke" => (MiniMax, Action::Revoke),
        "/oauth-authorize" => (MiniMax, Action::Page),
        "/anthropic/v1/messages" => (MiniMax, Action::Chat),
        "/o/oauth2/v2/auth" => (Gemini, Action::Page),
        "/token" => (Gemini, Action::Token),
        "/revoke" => (Gemini, Action::Revoke),
        "/tokeninfo" => (Gemini, Action::TokenInfo),
        "/oauth2/v2/userinfo" => (Gemini, Action::UserInfo),
        "/v1/models" => (Gemini, Action::Models),
        _ => {
            let model = path.strip_prefix("/v1beta/models/")?;
            let model = model.strip_suffix(":generateContent")?;
            if model.is_empty() || model.contains('/') {
                return None;
            }
            (Gemini, Action::Chat)
        }
    };
    Some(Door { vendor, action })
}

impl Door {
    pub(crate) fn methods(self) -> &'static [Method] {
        const GET: &[Method] = &[Method::GET];
        const POST: &[Method] = &[Method::POST];
        const BOTH: &[Method] = &[Method::GET, Method::POST];
        match self.action {
            Action::Page | Action::TokenInfo => BOTH,
            Action::UserInfo | Action::Models => GET,
            Action::Device | Action::Token | Action::Revoke | Action::Chat | Action::Moved(_) => {
                POST
            }
        }
    }

    /// The parameters, read strictly from where they belong.
    pub(crate) fn form(self, request: &Request) -> Result<Form, Complaint> {
        let query = || Form::parse(request.query.as_bytes()).map_err(Complaint::Malformed);
        let credentials_in_url = !request.query.is_empty() && request.method == Method::POST;
        match self.action {
            Action::Device | Action::Token if credentials_in_url => Err(Complaint::Malformed(
                "parameters in the URL of a credential request".to_owned(),
            )),
            // Google's own library revokes with the token in the query.
            Action::Revoke if self.vendor == Vendor::Gemini && credentials_in_url => query(),
            Action::Device | Action::Token | Action::Revoke => request.strict_form(),
            Action::Page if request.method == Method::POST => request.strict_form(),
            Action::TokenInfo if request.method == Method::POST && !request.body.is_empty() => {
                request.strict_form()
            }
            Action::Page | Action::TokenInfo => query(),
            Action::UserInfo | Action::Models | Action::Chat => query().and_then(|form| {
                // RFC 6750 section 2.3 is the one way nobody should use.
                match form.get("access_token") {
                    Some(_) => Err(Complaint::Malformed(
                        "an access token in the URL of an API call".to_owned(),
                    )),
                    None => Ok(form),
                }
            }),
            Action::Moved(_) => Ok(Form::default()),
        }
    }

    pub(crate) fn endpoint(self, request: &Request) -> Endpoint {
        match self.action {
            Action::Device => Endpoint::DeviceAuthorization,
            Action::Token => token_endpoint(&request.body),
            Action::Revoke => Endpoint::Revocation,
            Action::Page => Endpoint::Authorization,
            Action::TokenInfo => Endpoint::TokenInfo,
            Action::UserInfo => Endpoint::UserInfo,
            Action::Chat | Action::Models => Endpoint::Chat,
            Action::Moved(_) => Endpoint::Token,
        }
    }
}

/// By the grant type, also in a form that is otherwise beyond reading.
fn token_endpoint(body: &[u8]) -> Endpoint {
    let holds = |text: &str| body.windows(text.len()).any(|part| part == text.as_bytes());
    if holds("grant_type=refresh_token") {
        Endpoint::Refresh
    } else if holds("grant_type=authorization_code") {
        Endpoint::Exchange
    } else if holds("grant_type=urn") {
        Endpoint::Poll
    } else {
        Endpoint::Token
    }
}
