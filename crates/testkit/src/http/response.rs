//! A response, before it becomes bytes.

use serde_json::Value;

use super::body::Body;
use super::event_stream::EventStream;
use super::form::encode;

#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Body,
    /// The redirect to the client, in parts so that a fault can patch them.
    pub(crate) callback: Option<Callback>,
}

#[derive(Clone, Debug)]
pub(crate) struct Callback {
    pub(crate) redirect_uri: String,
    pub(crate) parameters: Vec<(String, String)>,
}

impl Response {
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Body>) -> Self {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Self {
            status,
            headers: vec![
                header("Content-Type", content_type),
                header("Cache-Control", "no-store"),
            ],
            body: body.into(),
            callback: None,
        }
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json; charset=utf-8", body.to_string())
    }

    pub(crate) fn html(status: u16, body: String) -> Self {
        Self::new(status, "text/html; charset=utf-8", body)
    }

    pub(crate) fn events(events: EventStream) -> Self {
        Self::new(200, events.content_type(), Body::Events(Box::new(events)))
    }

    /// An error body of RFC 6749 section 5.2.
    pub(crate) fn oauth_error(status: u16, code: &str, description: &str) -> Self {
        let body = serde_json::json!({"error": code, "error_description": description});
        Self::json(status, &body)
    }

    pub(crate) fn callback(redirect_uri: &str, parameters: &[(&str, &str)]) -> Self {
        let mut response = Self::new(302, "text/plain; charset=utf-8", "");
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        response.callback = Some(Callback {
            redirect_uri: redirect_uri.to_owned(),
            parameters: parameters.iter().map(owned).collect(),
        });
        response
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers
            .retain(|(seen, _)| !seen.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// All headers, with `Location` if it is a redirect.
    pub(crate) fn all_headers(&self) -> Vec<(String, String)> {
        let location = self.callback.as_ref().map(Callback::location);
        let location = location.map(|location| ("Location".to_owned(), location));
        self.headers.iter().cloned().chain(location).collect()
    }
}

impl Callback {
    fn location(&self) -> String {
        let mut location = self.redirect_uri.clone();
        let mut separator = if location.contains('?') { '&' } else { '?' };
        for (name, value) in &self.parameters {
            location.push(separator);
            location.push_str(&format!("{}={}", encode(name), encode(value)));
            separator = '&';
        }
        location
    }
}

/// A handler's response, or a rejection that counts as a violation.
pub(crate) type HandlerResult = Result<Response, Box<Rejected>>;

#[derive(Debug)]
pub(crate) struct Rejected {
    /// In words, without secrets.
    pub(crate) violation: String,
    pub(crate) response: Response,
}

impl Rejected {
    pub(crate) fn new(violation: impl Into<String>, response: Response) -> Box<Self> {
        let violation = violation.into();
        Box::new(Self {
            violation,
            response,
        })
    }
}

/// Rejects a request with an error body of RFC 6749 section 5.2.
pub(crate) fn reject<T>(status: u16, code: &str, why: &str) -> Result<T, Box<Rejected>> {
    let response = Response::oauth_error(status, code, why);
    Err(Rejected::new(why, response))
}
