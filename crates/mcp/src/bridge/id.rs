//! The ids of requests.

use std::fmt;

use serde_json::Value;
use serde_json::value::RawValue;

/// The id of a request, in JSON; ids of the same value are equal.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Id(String);

impl Id {
    pub(super) fn of(value: &RawValue) -> Option<Self> {
        match serde_json::from_str(value.get()).ok()? {
            Value::String(text) => Some(Self(Value::String(text).to_string())),
            Value::Number(number) => {
                // Another program may write 1 for 1.0.
                let text = number.to_string();
                Some(Self(text.strip_suffix(".0").unwrap_or(&text).to_owned()))
            }
            _ => None,
        }
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        Self::of(serde_json::from_str(text).ok()?)
    }

    /// An id of the bridge's own requests, which no agent has.
    pub(super) fn own(name: &str) -> Self {
        Self(Value::from(name).to_string())
    }

    pub(super) fn as_json(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_compared_by_value() {
        let id = |text: &str| Id::read(text).unwrap();
        assert_eq!(id("1.0"), id("1"));
        assert_eq!(id(r#""\u0061""#), id(r#""a""#));
        assert_ne!(id(r#""1""#), id("1"));
        for text in ["true", "[]", "{}", "null", ""] {
            assert_eq!(Id::read(text), None, "{text}");
        }
    }
}
