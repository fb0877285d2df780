//! The headers of one access token.

use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};
use llm_auth_core::{AuthManager, Error, ErrorKind, OAuthToken, Result};

use crate::bearer::Bearer;
use crate::origin::{Origin, api};
use crate::request::HttpRequest;

/// What is put on each request to the API of a session; made once for a token.
pub(crate) struct Credential {
    pub(crate) origin: Origin,
    bearer: HeaderValue,
    /// What the vendor wants besides.
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Credential {
    pub(crate) fn new(manager: &AuthManager, token: &OAuthToken) -> Result<Self> {
        let (origin, headers) = api(manager, token)?;
        let headers = headers.iter().map(read).collect::<Result<_>>()?;
        let bearer = Bearer::try_from(token)?.into();
        Ok(Self {
            origin,
            bearer,
            headers,
        })
    }

    /// Puts the headers on a request to the API, and on no other. They replace a credential that the
    /// request has already. Of the vendor's headers it gets those that are missing.
    pub(crate) fn put_on(&self, request: &mut impl HttpRequest) -> Result<()> {
        self.origin.check(request.target())?;
        let headers = request.headers_mut();
        for (name, value) in &self.headers {
            if !headers.contains_key(name) {
                headers.insert(name.clone(), value.clone());
            }
        }
        headers.insert(AUTHORIZATION, self.bearer.clone());
        Ok(())
    }
}

fn read((name, value): &(String, String)) -> Result<(HeaderName, HeaderValue)> {
    let read = HeaderName::try_from(name).ok().zip(value.parse().ok());
    read.ok_or_else(|| {
        let message = "a header that the API needs cannot be sent: correct its name or its value";
        Error::new(ErrorKind::Config, message)
    })
}
