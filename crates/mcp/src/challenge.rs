//! What a `WWW-Authenticate` header says (RFC 9110 section 11.6.1, RFC 6750 section 3).

/// One challenge of a server.
///
/// # Examples
///
/// ```
/// use llm_auth_mcp::Challenge;
///
/// let header = r#"Basic realm="x", Bearer scope="read, write", resource_metadata="https://api.example/m""#;
/// let challenges = Challenge::read(header);
/// assert_eq!(challenges[1].scheme, "bearer");
/// assert_eq!(challenges[1].parameter("scope"), Some("read, write"));
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Challenge {
    /// The scheme, in lower case.
    pub scheme: String,
    /// The parameters, with names in lower case. A `token68` is none.
    pub parameters: Vec<(String, String)>,
}

impl Challenge {
    /// Reads the value of one header, which may hold several challenges. What is no challenge in it is
    /// left out.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_mcp::Challenge;
    ///
    /// assert_eq!(Challenge::read("Negotiate YII=, Bearer").len(), 2);
    /// assert!(Challenge::read("").is_empty());
    /// ```
    #[must_use]
    pub fn read(header: &str) -> Vec<Self> {
        let mut challenges: Vec<Self> = Vec::new();
        for part in parts(header) {
            let (word, rest) = part.split_once([' ', '\t']).unwrap_or((&part, ""));
            let is_parameter = word.contains('=') || rest.trim_start().starts_with('=');
            let rest = match is_parameter {
                true => &part,
                false if word.chars().all(is_token) => {
                    challenges.push(Self {
                        scheme: word.to_ascii_lowercase(),
                        parameters: Vec::new(),
                    });
                    rest
                }
                false => continue,
            };
            if let (Some(challenge), Some(parameter)) = (challenges.last_mut(), parameter(rest)) {
                challenge.parameters.push(parameter);
            }
        }
        challenges
    }

    /// The first parameter of that name, if it is not empty.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_auth_mcp::Challenge;
    ///
    /// let challenge = &Challenge::read(r#"Bearer Error="invalid_token""#)[0];
    /// assert_eq!(challenge.parameter("error"), Some("invalid_token"));
    /// ```
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| known == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }
}

/// The parts between commas that are outside quoted strings.
fn parts(header: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let (mut is_quoted, mut is_escaped) = (false, false);
    for c in header.chars() {
        if c == ',' && !is_quoted {
            parts.push(String::new());
            continue;
        }
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    let parts = parts.into_iter().map(|part| part.trim().to_owned());
    parts.filter(|part| !part.is_empty()).collect()
}

/// A name and its value, a token or a quoted string.
fn parameter(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    if name.is_empty() || !name.chars().all(is_token) || value.starts_with('=') {
        return None;
    }
    let value = match value.strip_prefix('"') {
        None => value.to_owned(),
        Some(quoted) => unquoted(quoted),
    };
    Some((name.to_ascii_lowercase(), value))
}

/// The text up to the closing quote, without the escapes.
fn unquoted(quoted: &str) -> String {
    let mut text = String::new();
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => text.extend(chars.next()),
            c => text.push(c),
        }
    }
    text
}

/// RFC 9110 section 5.6.2.
pub(crate) fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &str) -> String {
        let challenges = Challenge::read(header);
        let shown = challenges.iter().map(|challenge| {
            let parameters = challenge.parameters.iter();
            let parameters: Vec<_> = parameters
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            format!("{}({})", challenge.scheme, parameters.join(";"))
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn challenges_are_told_apart_from_their_parameters() {
        for (header, shown) in [
            ("Bearer", "bearer()"),
            ("bearer realm=x", "bearer(realm=x)"),
            (
                r#"Bearer realm="a, b" , scope = "c d""#,
                "bearer(realm=a, b;scope=c d)",
            ),
            (
                r#"Basic realm="x", Bearer error="invalid_token""#,
                "basic(realm=x) bearer(error=invalid_token)",
            ),
            (
                r#"Bearer realm="a \"quoted\" \\ b""#,
                r#"bearer(realm=a "quoted" \ b)"#,
            ),
            (
                "Negotiate YIIabc==, Bearer scope=x",
                "negotiate() bearer(scope=x)",
            ),
            (
                r#",, Bearer resource_metadata="https://a.example/m?x=1,2""#,
                "bearer(resource_metadata=https://a.example/m?x=1,2)",
            ),
            (
                r#"Bearer realm="never closed, scope=x"#,
                "bearer(realm=never closed, scope=x)",
            ),
            ("", ""),
            ("=", ""),
            (r#""quoted""#, ""),
        ] {
            assert_eq!(read(header), shown, "{header}");
        }
    }
}
