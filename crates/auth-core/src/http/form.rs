//! The body of a request to a credential endpoint.

use std::fmt;

use crate::secret::Secret;

/// Form parameters, escaped when they are sent (RFC 6749 appendix B).
///
/// Values given as [`Secret`] are hidden from `Debug` and taken out of whatever the server
/// says in return.
///
/// # Examples
///
/// ```
/// use llm_auth_core::{Form, Secret};
///
/// let form = Form::new()
///     .text("grant_type", "refresh_token")
///     .secret("refresh_token", &Secret::from("made-up"));
/// assert!(!format!("{form:?}").contains("made-up"));
/// ```
#[derive(Clone, Default)]
pub struct Form {
    pairs: Vec<(&'static str, Value)>,
    hidden: Vec<Secret>,
}

#[derive(Clone)]
enum Value {
    Text(String),
    Secret(Secret),
}

impl Form {
    /// A form without parameters.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a parameter; one that is there already is replaced, since no parameter may stand
    /// twice (RFC 6749 section 3.2).
    #[must_use]
    pub fn text(self, name: &'static str, value: impl Into<String>) -> Self {
        self.set(name, Value::Text(value.into()))
    }

    /// Sets a parameter that must not be seen.
    #[must_use]
    pub fn secret(self, name: &'static str, value: &Secret) -> Self {
        self.set(name, Value::Secret(value.clone()))
    }

    /// Names a secret that is not sent, and that the server may know and repeat: it is not shown
    /// either.
    #[must_use]
    pub fn hiding(mut self, secret: &Secret) -> Self {
        self.hidden.push(secret.clone());
        self
    }

    fn set(mut self, name: &'static str, value: Value) -> Self {
        self.pairs.retain(|(known, _)| *known != name);
        self.pairs.push((name, value));
        self
    }

    pub(super) fn pairs(&self) -> Vec<(&str, &str)> {
        self.pairs
            .iter()
            .map(|(name, value)| {
                let value = match value {
                    Value::Text(text) => text.as_str(),
                    Value::Secret(secret) => secret.expose(),
                };
                (*name, value)
            })
            .collect()
    }

    pub(super) fn secrets(&self) -> Vec<Secret> {
        self.pairs
            .iter()
            .filter_map(|(_, value)| match value {
                Value::Text(_) => None,
                Value::Secret(secret) => Some(secret.clone()),
            })
            .chain(self.hidden.iter().cloned())
            .collect()
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_map();
        for (name, value) in &self.pairs {
            match value {
                Value::Text(text) => out.entry(name, text),
                Value::Secret(secret) => out.entry(name, secret),
            };
        }
        out.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_parameter_stands_twice() {
        let form = Form::new().text("scope", "a").text("scope", "b");
        assert_eq!(form.pairs(), [("scope", "b")]);
    }
}
