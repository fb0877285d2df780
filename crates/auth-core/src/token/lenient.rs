//! Reading and writing sessions of other versions and programs: a member of an unknown type counts
//! as absent, and stays in the file.
//!
//! See decision 0040.

use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::{NEVER, OAuthToken, SessionMetadata, UnknownMembers};
use crate::clock::Timestamp;
use crate::json;

type Read<T> = fn(&Value) -> serde_json::Result<T>;

/// A leniently read type: an object with members that may be of any type.
trait Lenient: Clone + Sized {
    /// The message for input that is no such object. It quotes nothing.
    const WHAT: &'static str;

    /// The required members, each with a valid value.
    fn mandatory() -> Map<String, Value>;
    /// The derived deserializer.
    fn read(value: &Value) -> serde_json::Result<Self>;
    /// The derived serializer.
    fn write<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error>;
    fn extra(&mut self) -> &mut UnknownMembers;
    /// Whether the value under this name means "absent".
    fn is_blank(&self, name: &str) -> bool;
}

impl Lenient for OAuthToken {
    const WHAT: &'static str = "a session";

    fn mandatory() -> Map<String, Value> {
        let members = [("access", Value::from("")), ("expires", Value::from(0))];
        let members = members.map(|(name, value)| (name.to_owned(), value));
        members.into_iter().collect()
    }

    fn read(value: &Value) -> serde_json::Result<Self> {
        Self::deserialize(value)
    }

    fn write<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, to)
    }

    fn extra(&mut self) -> &mut UnknownMembers {
        &mut self.extra
    }

    fn is_blank(&self, name: &str) -> bool {
        name == "refresh" && self.refresh.is_none()
    }
}

impl Lenient for SessionMetadata {
    const WHAT: &'static str = "notes about a session";

    fn mandatory() -> Map<String, Value> {
        Map::new()
    }

    fn read(value: &Value) -> serde_json::Result<Self> {
        Self::deserialize(value)
    }

    fn write<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, to)
    }

    fn extra(&mut self) -> &mut UnknownMembers {
        &mut self.extra
    }

    fn is_blank(&self, _name: &str) -> bool {
        false
    }
}

impl<'de> Deserialize<'de> for OAuthToken {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Members(Self::read))
    }
}

impl Serialize for OAuthToken {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        write(self, &self.extra, to)
    }
}

impl<'de> Deserialize<'de> for SessionMetadata {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Members(Self::read))
    }
}

impl Serialize for SessionMetadata {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        write(self, &self.extra, to)
    }
}

/// Visits an object, so that the parser adds the position to an error.
struct Members<T>(Read<T>);

impl<'de, T: Lenient> Visitor<'de> for Members<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::WHAT)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<T, A::Error> {
        let mut members = Wiped(Value::Null);
        let mut map = Map::new();
        while let Some((name, value)) = from.next_entry()? {
            map.insert(name, value);
        }
        members.0 = Value::Object(map);
        // The parser's own words may quote a secret.
        let failed = |_quoting| A::Error::custom(format_args!("no {}", T::WHAT));
        match (self.0)(&members.0) {
            Ok(read) => Ok(read),
            Err(_quoting) => {
                let strange = set_aside::<T>(&mut members.0, self.0);
                let mut read = (self.0)(&members.0).map_err(failed)?;
                read.extra().0.extend(strange);
                Ok(read)
            }
        }
    }
}

/// Takes out the members of an unknown type.
fn set_aside<T: Lenient>(members: &mut Value, read: Read<T>) -> Map<String, Value> {
    let mandatory = T::mandatory();
    let mut strange = Map::new();
    let Value::Object(members) = members else {
        return strange;
    };
    let is_strange = |name: &String, value: &Value| {
        let mut alone = mandatory.clone();
        alone.insert(name.clone(), value.clone());
        let alone = Wiped(Value::Object(alone));
        !mandatory.contains_key(name) && read(&alone.0).is_err()
    };
    let names: Vec<String> = members
        .iter()
        .filter(|(name, value)| is_strange(name, value))
        .map(|(name, _)| name.clone())
        .collect();
    for name in names {
        if let Some(value) = members.remove(&name) {
            strange.insert(name, value);
        }
    }
    strange
}

/// Each name once: a known member replaces one that was unknown when it was read.
fn write<T: Lenient, S: Serializer>(
    what: &T,
    extra: &UnknownMembers,
    to: S,
) -> Result<S::Ok, S::Error> {
    if extra.0.is_empty() {
        return what.write(to);
    }
    let mut known = what.clone();
    *known.extra() = UnknownMembers::default();
    let written = known.write(serde_json::value::Serializer);
    let mut written = Wiped(written.map_err(S::Error::custom)?);
    let Value::Object(members) = &mut written.0 else {
        return what.write(to);
    };
    if !extra.0.keys().any(|name| members.contains_key(name)) {
        return what.write(to);
    }
    for (name, value) in &extra.0 {
        if !members.contains_key(name) || what.is_blank(name) {
            members.insert(name.clone(), value.clone());
        }
    }
    written.0.serialize(to)
}

/// The expiry: [`millis`], or never.
pub(super) fn expiry<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    millis(from).map(|at| (at != NEVER).then_some(at))
}

/// Unix milliseconds as a whole number, with a fraction, or as a string of digits.
fn millis<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    let value = Value::deserialize(from)?;
    let millis = match &value {
        Value::Number(number) => of_number(number),
        Value::String(text) => match text.trim() {
            digits if digits.starts_with(|c: char| c.is_ascii_digit() || c == '-') => digits
                .parse::<serde_json::Number>()
                .ok()
                .and_then(|number| of_number(&number)),
            _ => None,
        },
        _ => None,
    };
    millis
        .map(Timestamp::from_unix_millis)
        .ok_or_else(|| D::Error::custom("no instant in milliseconds"))
}

fn of_number(number: &serde_json::Number) -> Option<i64> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "what is out of bounds becomes the bound"
    )]
    let rounded = |number: f64| number as i64;
    number.as_i64().or_else(|| number.as_f64().map(rounded))
}

/// JSON whose texts are wiped on drop, since tokens may be among them.
struct Wiped(Value);

impl Drop for Wiped {
    fn drop(&mut self) {
        json::wipe(&mut self.0);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: &Value) -> OAuthToken {
        serde_json::from_str(&value.to_string()).unwrap()
    }

    #[test]
    fn a_member_of_another_type_is_absent_and_comes_back_as_it_was() {
        for (name, value) in [
            ("refresh", json!(5)),
            ("refresh", json!({"token": "made-up"})),
            ("resourceUrl", json!(["portal.example", null])),
            ("notification_message", json!(true)),
            ("scope", json!(["openid", "email"])),
            ("llm_auth", json!("text")),
            ("llm_auth", json!([1, 2])),
            ("llm_auth", json!(null)),
        ] {
            let mut file = json!({"access": "a", "refresh": "r", "expires": 1});
            file[name] = value.clone();
            let token = read(&file);
            assert_eq!(token.access.expose(), "a");
            assert_eq!(token.refresh.is_none(), name == "refresh");
            assert!(token.resource_url.is_none() && token.metadata == SessionMetadata::default());
            let written = serde_json::to_string(&token).unwrap();
            assert_eq!(
                written.matches(&format!("\"{name}\"")).count(),
                1,
                "{written}"
            );
            assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), file);
        }
    }

    #[test]
    fn a_note_of_another_shape_is_absent_and_comes_back_as_it_was() {
        for (name, value) in [
            ("intent", json!("begun")),
            ("refused", json!({"refresh_fingerprint": 1, "later": true})),
            ("context", json!(["cn"])),
            ("context", json!({"region": 5})),
            ("clock_offset_ms", json!("ten")),
            ("client_secret", json!(0)),
            ("signed_in_at", json!({"at": 1})),
            ("provider", json!(["qwen"])),
        ] {
            let mut file = json!({"access": "a", "refresh": "r", "expires": 1,
                "llm_auth": {"identity": "a@example.com", "later": {"x": 1}}});
            file["llm_auth"][name] = value.clone();
            let token = read(&file);
            assert_eq!(token.metadata.identity.as_deref(), Some("a@example.com"));
            assert!(
                token.metadata.in_progress.is_none() && token.metadata.provider_data.is_empty()
            );
            assert_eq!(serde_json::to_value(&token).unwrap(), file);
        }
    }

    #[test]
    fn what_is_known_by_now_is_written_once_and_goes_before_what_was_strange() {
        let mut token = read(&json!({"access": "a", "refresh": 5, "expires": 1,
            "resourceUrl": 7, "llm_auth": {"provider": 1}}));
        token.refresh = Some("r".into());
        token.resource_url = Some("portal.example".into());
        token.metadata.provider = Some("qwen".into());
        let written = serde_json::to_string(&token).unwrap();
        for name in ["refresh", "resourceUrl", "provider"] {
            assert_eq!(
                written.matches(&format!("\"{name}\"")).count(),
                1,
                "{written}"
            );
        }
        let again = read(&serde_json::from_str(&written).unwrap());
        assert_eq!(again.refresh, token.refresh);
        assert_eq!(again.metadata.provider.as_deref(), Some("qwen"));
        assert!(again.extra.0.is_empty());
    }

    #[test]
    fn the_expiry_may_have_a_fraction_or_be_a_string_of_digits() {
        for (expires, wanted) in [
            (json!(1000), 1000),
            (json!(1000.75), 1000),
            (json!(4.1024448e12), 4_102_444_800_000),
            (json!("1000"), 1000),
            (json!(" 1000.5 "), 1000),
            (json!(-5), -5),
            (json!(u64::MAX), i64::MAX),
            (json!(1e300), i64::MAX),
        ] {
            let token = read(&json!({"access": "a", "expires": expires}));
            assert_eq!(
                token.expires_at.unwrap().as_unix_millis(),
                wanted,
                "{expires}"
            );
        }
    }

    #[test]
    fn without_an_access_token_or_an_expiry_it_is_no_session_and_nothing_is_quoted() {
        for file in [
            json!({"access": "made-up"}),
            json!({"access": ["made-up"], "expires": 1}),
            json!({"access": "a", "expires": "made-up"}),
            json!({"access": "a", "expires": "tomorrow", "refresh": 5}),
            json!({"access": "a", "expires": [1]}),
            json!({"access": null, "expires": 1}),
            json!(["made-up"]),
        ] {
            let error = serde_json::from_str::<OAuthToken>(&file.to_string()).unwrap_err();
            assert!(
                error.line() == 1 && !error.to_string().contains("made-up"),
                "{error}"
            );
        }
    }
}
