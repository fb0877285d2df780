//! The strict reading of form-encoded parameters.

use std::collections::BTreeMap;

/// Parameter names that may be repeated in an error; any other could be half a secret.
const KNOWN: [&str; 19] = [
    "access_type",
    "audience",
    "client_id",
    "client_secret",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "device_code",
    "grant_type",
    "prompt",
    "redirect_uri",
    "refresh_token",
    "response_type",
    "scope",
    "state",
    "token",
    "user_code",
    "client",
];

/// Decoded parameters, each name once.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Form {
    pairs: Vec<(String, String)>,
}

impl Form {
    pub(crate) fn parse(text: &[u8]) -> Result<Self, String> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in text.split(|b| *b == b'&').filter(|pair| !pair.is_empty()) {
            let at = pair.iter().position(|b| *b == b'=');
            let (name, value) = at.map_or((pair, &b""[..]), |i| (&pair[..i], &pair[i + 1..]));
            if value.contains(&b'=') {
                return Err("a value holds a raw `=`: it was not form-encoded".to_owned());
            }
            let (name, value) = (decode(name)?, decode(value)?);
            if pairs.iter().any(|(seen, _)| *seen == name) {
                let shown = if KNOWN.contains(&&*name) {
                    &name
                } else {
                    "(name withheld)"
                };
                return Err(format!("parameter {shown} is given twice"));
            }
            pairs.push((name, value));
        }
        Ok(Self { pairs })
    }

    /// The members of a JSON object of strings.
    pub(crate) fn of_json(text: &[u8]) -> Result<Self, String> {
        let members: BTreeMap<String, String> = serde_json::from_slice(text)
            .map_err(|_quotes_it| "the body is no JSON object of strings".to_owned())?;
        Ok(Self {
            pairs: members.into_iter().collect(),
        })
    }

    /// The same parameters with one more.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.pairs.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A parameter; one without a value counts as omitted (RFC 6749 section 3.1).
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.pairs.iter().find(|(seen, _)| seen == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    pub(crate) fn into_pairs(self) -> Vec<(String, String)> {
        self.pairs
    }

    pub(crate) fn has_scope(&self, scope: &str) -> bool {
        let all = self.get("scope").unwrap_or_default();
        all.split(' ').any(|one| one == scope)
    }
}

fn decode(text: &[u8]) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = [rest.next(), rest.next()].map(|d| d.and_then(hex_digit));
                let [Some(high), Some(low)] = digits else {
                    return Err("a `%` is not followed by two hexadecimal digits".to_owned());
                };
                bytes.push(high * 16 + low);
            }
            0x21..=0x7e => bytes.push(*byte),
            _ => return Err("the form holds a byte that must be percent-encoded".to_owned()),
        }
    }
    String::from_utf8(bytes).map_err(|e| format!("a parameter is not UTF-8: {}", e.utf8_error()))
}

fn hex_digit(byte: &u8) -> Option<u8> {
    let digit = char::from(*byte).to_digit(16)?;
    u8::try_from(digit).ok()
}

/// Percent-encodes everything that is not unreserved (RFC 3986).
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_encode_a_space_are_read() {
        let form = Form::parse(b"scope=a+b%20c&x=1").unwrap();
        assert_eq!(form.get("scope"), Some("a b c"));
        assert!(form.has_scope("b"));
    }

    #[test]
    fn a_parameter_given_twice_is_refused_without_its_value() {
        let error = Form::parse(b"token=one&token=two").unwrap_err();
        assert_eq!(error, "parameter token is given twice");
        let error = Form::parse(b"s3cret=1&s3cret=2").unwrap_err();
        assert!(!error.contains("s3cret"));
    }

    #[test]
    fn a_token_that_was_not_escaped_is_refused() {
        for body in ["t=abc+/=&%", "a=b=", "a=b%zz", "a=b c", "a=\u{e9}"] {
            assert!(Form::parse(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn what_is_encoded_comes_back() {
        let body = format!("t={}", encode("+/=&% \u{e9}"));
        assert_eq!(
            Form::parse(body.as_bytes()).unwrap().get("t"),
            Some("+/=&% \u{e9}")
        );
    }

    #[test]
    fn a_parameter_without_a_value_counts_as_omitted() {
        assert_eq!(Form::parse(b"a=&b").unwrap().get("a"), None);
    }
}
