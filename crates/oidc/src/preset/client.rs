//! The client of a preset.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// The client of a preset.
///
/// # Examples
///
/// ```
/// use llm_auth_oidc::PresetClient;
///
/// assert_eq!(PresetClient::default(), PresetClient::Own);
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum PresetClient {
    /// Each user or company registers one.
    #[default]
    Own,
    /// One that the server's maker has published for all programs.
    Id(String),
}

/// `{"id": "..."}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Published {
    id: String,
}

impl<'de> Deserialize<'de> for PresetClient {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ClientVisitor)
    }
}

/// It names what is wrong, which no derived implementation for a word or an object does.
struct ClientVisitor;

impl<'de> Visitor<'de> for ClientVisitor {
    type Value = PresetClient;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"own\" or {\"id\": \"...\"}")
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Self::Value, E> {
        match word {
            "own" => Ok(PresetClient::Own),
            other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
        let client = Published::deserialize(MapAccessDeserializer::new(members))?;
        Ok(PresetClient::Id(client.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_a_word_or_an_id_and_an_error_names_what_is_neither() {
        let read = |text: &str| serde_json::from_str::<PresetClient>(text);
        assert_eq!(read(r#""own""#).unwrap(), PresetClient::Own);
        let published = PresetClient::Id("made-up".into());
        assert_eq!(read(r#"{"id":"made-up"}"#).unwrap(), published);
        for (text, why) in [
            (r#"{"id":"made-up","secret":"s"}"#, "unknown field `secret`"),
            (r#"{}"#, "missing field `id`"),
            (r#""other""#, "expected \"own\" or"),
            ("7", "expected \"own\" or"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
