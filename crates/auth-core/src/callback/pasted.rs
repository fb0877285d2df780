//! A text that a user pastes if the browser cannot reach this computer.
//!
//! See decision 0021 and decision 0044.

mod readings;

use reqwest::Url;

use self::readings::LOOPBACK;
pub(super) use self::readings::{begins_with_an_address, is_of_an_answer, readings};
use crate::secret::Secret;

/// Shorter than any known code, longer than a typing mistake.
const SHORTEST_CODE: usize = 16;

/// A pasted text by its form, without any check.
#[derive(Debug)]
pub(super) enum Pasted {
    /// The parameters of the response without the address before them.
    Response(String),
    /// The code alone. It carries no `state`; the code verifier binds it to this sign-in
    /// (RFC 7636 section 1).
    Code(Secret),
    Nothing,
    Url(Url),
}

impl Pasted {
    /// The form of one reading of a text; see [`readings`].
    pub(super) fn read(text: &str) -> Self {
        // A scope in the query may be a URL too, as at Google.
        let address = text.split(['?', '&', '=']).next().unwrap_or_default();
        if address.contains("://") {
            return Url::parse(text).map_or(Self::Nothing, Self::Url);
        }
        // Browsers hide the scheme of the address that they show.
        if LOOPBACK.iter().any(|host| address.starts_with(host)) {
            return Url::parse(&format!("http://{text}")).map_or(Self::Nothing, Self::Url);
        }
        if let Some(code) = text.strip_prefix("code=")
            && !code.contains(['&', '?'])
        {
            return Self::code(code);
        }
        let is_parameter = |part: &str| {
            let name = part.split_once('=').map(|(name, _)| name);
            matches!(name, Some("code" | "state" | "error"))
        };
        if text.split(['?', '&']).any(is_parameter) {
            let query = text.split_once('?').map_or(text, |(_, query)| query);
            return Self::Response(query.to_owned());
        }
        Self::code(text)
    }

    fn code(text: &str) -> Self {
        let is_code = text.len() >= SHORTEST_CODE
            && text.bytes().all(|byte| byte.is_ascii_graphic())
            && !text.contains(['"', '\'', '<', '>', '&', '?', '\\']);
        if is_code {
            Self::Code(decoded(text))
        } else {
            Self::Nothing
        }
    }
}

/// A code copied out of an address is still percent-encoded.
fn decoded(code: &str) -> Secret {
    if !code.contains('%') {
        return Secret::from(code);
    }
    // A plus sign of a bare code is one.
    let query = format!("http://127.0.0.1/?code={}", code.replace('+', "%2B"));
    let url = Url::parse(&query).ok();
    let value = url
        .as_ref()
        .and_then(|url| url.query_pairs().next())
        .map(|(_, value)| Secret::from(value.into_owned()));
    value.unwrap_or_else(|| Secret::from(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> String {
        let reading = readings(text).into_iter().next();
        match Pasted::read(reading.as_ref().map_or("", Secret::expose)) {
            Pasted::Response(query) => format!("response {query}"),
            Pasted::Code(code) => format!("code {}", code.expose()),
            Pasted::Nothing => "nothing".into(),
            Pasted::Url(url) => format!("url {url}"),
        }
    }

    #[test]
    fn the_final_url_is_known_in_every_form_that_people_copy() {
        let url = "url http://127.0.0.1:4711/cb?state=s&code=c";
        assert_eq!(form("http://127.0.0.1:4711/cb?state=s&code=c"), url);
        assert_eq!(form("  127.0.0.1:4711/cb?state=s&code=c\r\n"), url);
        assert_eq!(form("\"http://127.0.0.1:4711/cb?state=s&code=c\""), url);
        let at_name = "localhost:4711/cb?state=s&code=c";
        assert_eq!(form(at_name), format!("url http://{at_name}"));
        assert_eq!(form("?state=s&code=c"), "response state=s&code=c");
        assert_eq!(form("code=c&state=s"), "response code=c&state=s");
        assert_eq!(
            form("\x1b[200~http://127.0.0.1:4711/cb?state=s&code=c\x1b[201~\n"),
            url
        );
        let google = "state=s&code=c&scope=https://www.googleapis.com/auth/cloud-platform";
        assert_eq!(form(google), format!("response {google}"));
        let url = format!("127.0.0.1:4711/cb?{google}");
        assert_eq!(form(&url), format!("url http://{url}"));
        assert_eq!(form(&format!("/cb?{google}")), format!("response {google}"));
    }

    #[test]
    fn a_bare_code_is_taken_as_it_was_sent() {
        let code = "code 4/made-up-code_x+y";
        assert_eq!(form("4/made-up-code_x+y"), code);
        assert_eq!(form(" 4%2Fmade-up-code_x+y \n"), code);
        assert_eq!(form("code=4%2Fmade-up-code_x+y"), code);
    }

    #[test]
    fn what_is_typed_by_mistake_is_no_code() {
        for text in [
            "",
            "y",
            "yes",
            "quit",
            "two words of text",
            "systemctl",
            "made-up-secret",
            "http://",
            "<script>alert(1)",
        ] {
            assert_eq!(form(text), "nothing", "{text:?}");
        }
    }
}
