//! The check whether a request is the expected authorization response.
//!
//! See decision 0006.

use std::collections::{BTreeMap, VecDeque};

use reqwest::Url;

use super::pasted::{self, Pasted};
use super::request::Request;
use crate::error::{Error, ErrorKind};
use crate::grant::{ErrorResponse, Operation};
use crate::sanitize::clean;
use crate::secret::Secret;

/// The values that the response must carry.
#[derive(Clone, Debug)]
pub(super) struct CallbackValidator {
    host: String,
    path: String,
    state: Secret,
    rule: StateRule,
    issuer: Option<String>,
    requires_issuer: bool,
}

/// The check of the `iss` of a response (RFC 9207).
///
/// # Examples
///
/// ```
/// use llm_auth_core::provider::IssuerRule;
///
/// assert_eq!(IssuerRule::default(), IssuerRule::Unchecked);
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum IssuerRule<'a> {
    /// Any, or none.
    #[default]
    Unchecked,
    /// This one, or none.
    IfPresent(&'a str),
    /// This one.
    Required(&'a str),
}

/// Whether a response counts without `state`. One with another `state` never counts.
///
/// # Examples
///
/// ```
/// use llm_auth_core::provider::StateRule;
///
/// assert_eq!(StateRule::default(), StateRule::Required);
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum StateRule {
    /// It must carry `state` (RFC 6749 section 10.12).
    #[default]
    Required,
    /// It may come without, because the path of the redirect URI holds a secret that does the same.
    InPath,
}

/// A code, and what else the response holds.
#[derive(Clone, Debug)]
pub(super) struct Grant {
    pub(super) code: Secret,
    pub(super) parameters: BTreeMap<String, Secret>,
}

/// The kind of a request.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Not the response: it changes nothing.
    Ignored { status: u16, why: &'static str },
    /// The response, with a code.
    Code(Grant),
    /// The response, with an error.
    Refused(Error),
}

/// The kind of a pasted text.
#[derive(Debug)]
pub(super) enum PastedVerdict {
    /// The possible codes, the likeliest first; at least one.
    Codes(VecDeque<PastedCode>),
    Ignored(&'static str),
    Refused(Error),
}

#[derive(Clone, Debug)]
pub(super) struct PastedCode {
    pub(super) code: Secret,
    pub(super) parameters: BTreeMap<String, Secret>,
    /// It came without a `state`, so it may be any text.
    pub(super) is_alone: bool,
}

impl CallbackValidator {
    pub(super) fn new(
        authority: &str,
        path: &str,
        state: &Secret,
        rule: StateRule,
        issuer: IssuerRule<'_>,
    ) -> Self {
        let (issuer, requires_issuer) = match issuer {
            IssuerRule::Unchecked => (None, false),
            IssuerRule::IfPresent(issuer) => (Some(issuer.to_owned()), false),
            IssuerRule::Required(issuer) => (Some(issuer.to_owned()), true),
        };
        Self {
            host: authority.to_owned(),
            path: path.to_owned(),
            state: state.clone(),
            rule,
            issuer,
            requires_issuer,
        }
    }

    pub(super) fn validate(&self, request: &Request) -> Verdict {
        let (authority, path, query) = request.target();
        // Another name for this address means that a foreign page sends it (DNS rebinding). The
        // host of an absolute target takes precedence over the header (RFC 9112 section 3.2.2).
        let is_mine = request.hosts == [self.host.as_bytes()]
            && authority.is_none_or(|named| named == self.host);
        if !is_mine {
            return ignored(421, "a request with a different Host header");
        }
        if path != self.path {
            return ignored(404, "a request for a different path");
        }
        if request.method != "GET" {
            return ignored(405, "a request whose method is not GET");
        }
        self.validate_response(query)
    }

    /// The text that the user pasted: the final URL, which must belong to this sign-in, or the
    /// code.
    pub(super) fn validate_pasted(&self, text: &str) -> PastedVerdict {
        let mut codes = VecDeque::new();
        let mut ignored = None;
        for reading in pasted::readings(text) {
            let (verdict, is_alone) = self.validate_reading(reading.expose());
            match verdict {
                Verdict::Code(Grant { code, parameters }) => codes.push_back(PastedCode {
                    code,
                    parameters,
                    is_alone,
                }),
                Verdict::Refused(error) => return PastedVerdict::Refused(error),
                Verdict::Ignored { why, .. } => ignored = ignored.or(Some(why)),
            }
        }
        if codes.is_empty() {
            PastedVerdict::Ignored(ignored.unwrap_or("empty text"))
        } else {
            PastedVerdict::Codes(codes)
        }
    }

    /// Also returns whether it is the code alone.
    fn validate_reading(&self, text: &str) -> (Verdict, bool) {
        let verdict = match Pasted::read(text) {
            Pasted::Code(_) if self.requires_issuer => ignored(
                400,
                "a code without its address, which this server requires",
            ),
            Pasted::Code(code) => {
                let parameters = BTreeMap::new();
                return (Verdict::Code(Grant { code, parameters }), true);
            }
            Pasted::Response(query) => self.validate_pasted_response(&query),
            Pasted::Url(url) if self.is_mine(&url) => {
                self.validate_pasted_response(url.query().unwrap_or_default())
            }
            Pasted::Url(url) if url.query_pairs().any(|(name, _)| name == "redirect_uri") => {
                ignored(
                    400,
                    "the address of the page to open, not of the page that the browser ends on",
                )
            }
            Pasted::Url(_) => ignored(400, "a pasted URL that does not belong to this sign-in"),
            Pasted::Nothing => ignored(400, "pasted text that is neither the final URL nor a code"),
        };
        (verdict, false)
    }

    fn validate_pasted_response(&self, query: &str) -> Verdict {
        // Copied only in part: no server sent this.
        let response = Parameters::read(query);
        if let Some(response) = response {
            if response.code.is_none() && response.error.is_none() {
                return ignored(400, "a pasted URL without a code");
            }
            if self.requires_issuer && response.issuer.is_none() {
                return ignored(400, "a pasted URL without its end, `iss`");
            }
        }
        self.validate_parameters(query, |expected, named| {
            expected == named || !self.requires_issuer && is_miscopied(query, expected, named)
        })
    }

    /// Whether it is the redirect URI, with any text after it (RFC 8252 section 8.10).
    fn is_mine(&self, url: &Url) -> bool {
        let authority = match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            _ => return false,
        };
        url.scheme() == "http" && authority == self.host && url.path() == self.path
    }

    /// The parameters of a response that came in the right way.
    pub(super) fn validate_response(&self, query: &str) -> Verdict {
        self.validate_parameters(query, |expected, named| expected == named)
    }

    fn validate_parameters(
        &self,
        query: &str,
        is_issuer: impl FnOnce(&str, &str) -> bool,
    ) -> Verdict {
        let Some(response) = Parameters::read(query) else {
            return ignored(400, "a response with a duplicate parameter");
        };
        match &response.state {
            None if self.rule == StateRule::InPath => {}
            None => return ignored(400, "a response without state"),
            Some(state) if *state != self.state => {
                return ignored(400, "a response with a different state");
            }
            Some(_) => {}
        }
        if let (Some(expected), Some(named)) = (&self.issuer, &response.issuer)
            && !is_issuer(expected, named)
        {
            return ignored(400, "a response from a different issuer");
        }
        if self.requires_issuer && response.issuer.is_none() {
            return Verdict::Refused(Error::new(
                ErrorKind::Protocol,
                "the authorization server's response does not name its issuer (`iss`), although \
                 the server declares that it does: the code was not redeemed",
            ));
        }
        match (response.code, response.error) {
            (Some(_), Some(_)) => ignored(400, "a response with both a code and an error"),
            (Some(code), None) => Verdict::Code(Grant {
                code,
                parameters: response.others,
            }),
            (None, Some(error)) => Verdict::Refused(error),
            (None, None) => Verdict::Refused(Error::new(
                ErrorKind::Protocol,
                "the authorization server's response has neither a code nor an error",
            )),
        }
    }
}

/// Whether the issuer at the end of a pasted address is the expected one, cut off or with a
/// punctuation mark of the surrounding text. It counts no more than an address without `iss`.
fn is_miscopied(query: &str, expected: &str, named: &str) -> bool {
    let last = query.rsplit('&').next().unwrap_or_default();
    if !last.starts_with("iss=") {
        return false;
    }
    // The cut may split an escape.
    let whole = match named.rfind('%') {
        Some(at) if named.len() - at < 3 => &named[..at],
        _ => named,
    };
    let is_mark = |c: char| c.is_ascii_punctuation() && !"/:@-_%\\".contains(c);
    expected.starts_with(whole)
        || named
            .strip_prefix(expected)
            .is_some_and(|tail| tail.chars().all(is_mark))
}

fn ignored(status: u16, why: &'static str) -> Verdict {
    Verdict::Ignored { status, why }
}

/// The parameters of an authorization response (RFC 6749 section 4.1.2, RFC 9207).
#[derive(Debug, Default)]
struct Parameters {
    state: Option<Secret>,
    issuer: Option<String>,
    code: Option<Secret>,
    error: Option<Error>,
    /// All other parameters; of several of one name the last.
    others: BTreeMap<String, Secret>,
}

impl Parameters {
    /// `None` if one of them occurs twice.
    fn read(query: &str) -> Option<Self> {
        let url = Url::parse(&format!("http://127.0.0.1/?{query}")).ok()?;
        let mut found: [Option<String>; 5] = Default::default();
        let mut others = BTreeMap::new();
        for (name, value) in url.query_pairs() {
            let at = match name.as_ref() {
                "state" => 0,
                "iss" => 1,
                "code" => 2,
                "error" => 3,
                "error_description" => 4,
                other => {
                    others.insert(other.to_owned(), Secret::from(value.into_owned()));
                    continue;
                }
            };
            if found[at].replace(value.into_owned()).is_some() {
                return None;
            }
        }
        let [state, issuer, code, error, description] = found;
        Some(Self {
            state: state.map(Secret::from),
            issuer,
            code: code.filter(|code| !code.is_empty()).map(Secret::from),
            error: error.map(|code| refused(&code, description.as_deref())),
            others,
        })
    }
}

/// The server's words are untrusted text (RFC 6749 section 4.1.2.1).
fn refused(code: &str, description: Option<&str>) -> Error {
    let error_response = ErrorResponse::new(code, description);
    let mut message = format!(
        "the authorization server rejected the sign-in: {}",
        clean(error_response.raw_code(), 80, &[])
    );
    if let Some(words) = description
        .map(|text| clean(text, 200, &[]))
        .filter(|words| !words.is_empty())
    {
        message.push_str(&format!(" ({words})"));
    }
    Error::new(error_response.kind(Operation::Authorization), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validator(authority: &str, rule: StateRule) -> CallbackValidator {
        let state = Secret::from("made-up-state");
        CallbackValidator::new(
            authority,
            "/cb",
            &state,
            rule,
            IssuerRule::IfPresent("https://a.example/t"),
        )
    }

    #[test]
    fn with_a_secret_path_a_response_counts_without_state_and_never_with_another() {
        let counts = |rule, query| {
            let verdict = validator("localhost:1", rule).validate_response(query);
            matches!(verdict, Verdict::Code(_))
        };
        assert!(counts(StateRule::InPath, "code=made-up"));
        assert!(counts(
            StateRule::InPath,
            "code=made-up&state=made-up-state"
        ));
        assert!(!counts(StateRule::InPath, "code=made-up&state=other"));
        assert!(!counts(StateRule::Required, "code=made-up"));
    }

    #[test]
    fn a_required_issuer_is_missed_in_the_response_of_a_browser_and_waited_for_in_a_pasted_one() {
        let state = Secret::from("made-up-state");
        let issuer = IssuerRule::Required("https://a.example/t");
        let validator =
            CallbackValidator::new("127.0.0.1:1", "/cb", &state, StateRule::Required, issuer);
        let begin = "code=made-up-code-of-a-server&state=made-up-state";
        let whole = format!("{begin}&iss=https%3A%2F%2Fa.example%2Ft");
        let of_browser = |query: &str| validator.validate_response(query);
        assert!(matches!(of_browser(&whole), Verdict::Code(_)));
        let Verdict::Refused(error) = of_browser(begin) else {
            panic!("not refused");
        };
        assert!(error.to_string().contains("(`iss`)"), "{error}");
        // An error without `iss` is not shown: another server may have written it.
        let Verdict::Refused(error) =
            of_browser("error=access_denied&error_description=made-up-text&state=made-up-state")
        else {
            panic!("not refused");
        };
        assert!(!error.to_string().contains("made-up-text"), "{error}");
        let other = format!("{begin}&iss=https%3A%2F%2Fb.example");
        assert!(matches!(of_browser(&other), Verdict::Ignored { .. }));
        let pasted = |text: &str| {
            let verdict = validator.validate_pasted(text);
            matches!(verdict, PastedVerdict::Codes(_))
        };
        assert!(pasted(&format!("http://127.0.0.1:1/cb?{whole}")));
        for text in [
            "made-up-code-of-a-server".to_owned(),
            format!("http://127.0.0.1:1/cb?{begin}"),
            format!("http://127.0.0.1:1/cb?{begin}&iss=https%3A%2F%2Fa.exam"),
        ] {
            assert!(!pasted(&text), "{text}");
        }
    }

    #[test]
    fn other_parameters_of_the_response_are_kept() {
        let query = "code=made-up&state=made-up-state&client_id=app_1&scope=a+b";
        let verdict = validator("localhost:1", StateRule::Required).validate_response(query);
        let Verdict::Code(grant) = verdict else {
            panic!("no code: {verdict:?}");
        };
        let expected = [("client_id", "app_1"), ("scope", "a b")];
        let expected = expected.map(|(name, value)| (name.to_owned(), Secret::from(value)));
        assert_eq!(grant.parameters, BTreeMap::from(expected));
    }

    #[test]
    fn an_issuer_that_was_copied_in_part_or_with_a_mark_is_no_other_issuer() {
        let validator = validator("127.0.0.1:1", StateRule::Required);
        let counts = |end: &str| {
            let text = format!("http://127.0.0.1:1/cb?code=4/c&state=made-up-state&{end}");
            matches!(validator.validate_pasted(&text), PastedVerdict::Codes(_))
        };
        for end in [
            "iss=https%3A%2F%2Fa.example%2Ft",
            "iss=https%3A%2F%2Fa.exam",
            "iss=https%3A%2",
            "iss=https%3A%",
            "iss=",
            "iss=https://a.example/t.",
            "iss=https://a.example/t),",
            "iss=https://a.example/t'",
        ] {
            assert!(counts(end), "{end}");
        }
        for end in [
            "iss=https://b.example/t",
            "iss=https://a.example/t.evil.example",
            "iss=https://a.example/t/",
            "iss=https://a.example/t@",
            // Nothing was cut off here.
            "iss=https://a.exam&scope=x",
        ] {
            assert!(!counts(end), "{end}");
        }
        let query = "code=4/c&state=made-up-state&iss=https://a.exam";
        assert!(matches!(
            validator.validate_response(query),
            Verdict::Ignored { .. }
        ));
    }
}
