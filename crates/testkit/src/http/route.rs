//! What a path is for: its methods, its parameters, and the operation it counts as.

use hyper::Method;

use super::api::Api;
use super::form::Form;
use super::request::{Malformed, Request};
use crate::provider::Operation;

/// What a path of a provider is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Route {
    DeviceAuthorization,
    Token,
    /// A token endpoint that takes a JSON object and exchanges codes only.
    Keys,
    Revocation,
    /// A revocation that may also carry its token in the query.
    RevocationByQuery,
    ApprovalPage,
    TokenInfo,
    UserInfo,
    /// A public document.
    Document,
    Api(Api),
    /// Messages of MCP.
    Mcp,
    /// The registration of a client.
    Registration,
    /// A former path; it only redirects to this one.
    Moved(&'static str),
}

impl Route {
    pub(crate) fn methods(self) -> &'static [Method] {
        const GET: &[Method] = &[Method::GET];
        const POST: &[Method] = &[Method::POST];
        const BOTH: &[Method] = &[Method::GET, Method::POST];
        const ALL: &[Method] = &[Method::GET, Method::POST, Method::DELETE];
        match self {
            Self::ApprovalPage | Self::TokenInfo => BOTH,
            Self::UserInfo | Self::Document => GET,
            Self::Api(api) => api.methods(),
            Self::Mcp => ALL,
            Self::DeviceAuthorization
            | Self::Token
            | Self::Keys
            | Self::Revocation
            | Self::RevocationByQuery
            | Self::Registration
            | Self::Moved(_) => POST,
        }
    }

    /// The parameters, read strictly from where they belong.
    pub(crate) fn form(self, request: &Request) -> Result<Form, Malformed> {
        let query = || Form::parse(request.query.as_bytes()).map_err(Malformed::Request);
        let credentials_in_url = !request.query.is_empty() && request.method == Method::POST;
        match self {
            Self::DeviceAuthorization | Self::Token | Self::Keys if credentials_in_url => Err(
                Malformed::Request("parameters in the URL of a credential request".to_owned()),
            ),
            Self::RevocationByQuery if credentials_in_url => query(),
            Self::Keys => request.strict_json(),
            Self::DeviceAuthorization
            | Self::Token
            | Self::Revocation
            | Self::RevocationByQuery => request.strict_form(),
            Self::ApprovalPage if request.method == Method::POST => request.strict_form(),
            Self::TokenInfo if request.method == Method::POST && !request.body.is_empty() => {
                request.strict_form()
            }
            Self::ApprovalPage | Self::TokenInfo => query(),
            Self::UserInfo | Self::Api(_) => query().and_then(|form| {
                // RFC 6750 section 2.3 advises against it.
                match form.get("access_token") {
                    Some(_) => Err(Malformed::Request(
                        "an access token in the URL of an API call".to_owned(),
                    )),
                    None => Ok(form),
                }
            }),
            Self::Document | Self::Mcp | Self::Registration | Self::Moved(_) => Ok(Form::default()),
        }
    }

    pub(crate) fn operation(self, request: &Request) -> Operation {
        match self {
            Self::DeviceAuthorization => Operation::DeviceAuthorization,
            Self::Token => token_operation(&request.body),
            Self::Keys => Operation::Exchange,
            Self::Revocation | Self::RevocationByQuery => Operation::Revocation,
            Self::ApprovalPage => Operation::Authorization,
            Self::TokenInfo => Operation::TokenInfo,
            Self::UserInfo => Operation::UserInfo,
            Self::Api(_) | Self::Mcp => Operation::Chat,
            Self::Document | Self::Registration | Self::Moved(_) => Operation::Token,
        }
    }
}

/// By the grant type, also in a form that cannot be read otherwise.
fn token_operation(body: &[u8]) -> Operation {
    let holds = |text: &str| body.windows(text.len()).any(|part| part == text.as_bytes());
    if holds("grant_type=refresh_token") {
        Operation::Refresh
    } else if holds("grant_type=authorization_code") {
        Operation::Exchange
    } else if holds("grant_type=urn") {
        Operation::Poll
    } else {
        Operation::Token
    }
}
