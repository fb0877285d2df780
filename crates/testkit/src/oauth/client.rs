//! Client authentication (RFC 6749 section 2.3).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::http::{Form, Rejected, Request, encode, reject};

/// A client with a secret.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl Client {
    /// Authenticates a request: in the body or by `Basic`, never both. `others` are client ids
    /// that have the same secret. Returns the id.
    pub(crate) fn authenticate<'a>(
        &'a self,
        others: impl IntoIterator<Item = &'a String>,
        request: &Request,
        form: &Form,
    ) -> Result<&'a str, Box<Rejected>> {
        let basic = basic(request);
        let form_secret = form.get("client_secret");
        if basic.is_some() && form_secret.is_some() {
            let why = "the client authenticates in two ways at once";
            return reject(400, "invalid_request", why);
        }
        let (id, secret) = match basic {
            Some((id, secret)) => (Some(id), Some(secret)),
            None => (form.get("client_id").map(encode), form_secret.map(encode)),
        };
        let Some(id) = id else {
            let why = "Could not determine client ID from request.";
            return reject(400, "invalid_request", why);
        };
        let mut known = std::iter::once(&self.id).chain(others);
        let Some(id) = known.find(|known| encode(known) == id) else {
            return reject(401, "invalid_client", "The OAuth client was not found.");
        };
        match secret {
            None => reject(400, "invalid_request", "client_secret is missing."),
            Some(secret) if secret == encode(&self.secret) => Ok(id),
            Some(_) => reject(401, "invalid_client", "Unauthorized"),
        }
    }
}

/// The id of a client without a secret.
pub(crate) fn public_client(
    form: &Form,
    known: impl FnOnce(&str) -> bool,
) -> Result<&str, Box<Rejected>> {
    match form.get("client_id") {
        Some(id) if known(id) => Ok(id),
        Some(_) => reject(401, "invalid_client", "client_id is unknown"),
        None => reject(401, "invalid_client", "client_id is required"),
    }
}

/// Name and secret of a `Basic` header, still form-encoded.
fn basic(request: &Request) -> Option<(String, String)> {
    let (scheme, value) = request.header("authorization")?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}
