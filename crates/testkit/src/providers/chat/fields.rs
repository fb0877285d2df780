//! The fields of a chat request, and what is wrong with them.

use std::fmt;

use serde_json::{Map, Value};

use crate::http::Call;

/// Why a request is rejected. Fields are written as `messages[0].role`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Invalid {
    NotJson,
    Missing(String),
    WrongType {
        field: String,
        expected: &'static str,
    },
}

impl Invalid {
    pub(super) fn field(&self) -> Option<&str> {
        match self {
            Self::NotJson => None,
            Self::Missing(field) | Self::WrongType { field, .. } => Some(field),
        }
    }

    fn wrong_type(field: &str, expected: &'static str) -> Self {
        let field = field.to_owned();
        Self::WrongType { field, expected }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson => f.write_str("the body is not a JSON object"),
            Self::Missing(field) => write!(f, "{field} is missing"),
            Self::WrongType { field, expected } => write!(f, "{field} is not {expected}"),
        }
    }
}

/// The body of a request.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub(super) fn of(call: &Call<'_>) -> Result<Self, Invalid> {
        match serde_json::from_slice(&call.request.body) {
            Ok(body) => Ok(Self(body)),
            Err(_) => Err(Invalid::NotJson),
        }
    }

    /// A field; `null` counts as missing.
    pub(super) fn get(&self, name: &str) -> Result<&Value, Invalid> {
        let found = self.0.get(name).filter(|value| !value.is_null());
        found.ok_or_else(|| Invalid::Missing(name.to_owned()))
    }

    pub(super) fn string(&self, name: &str) -> Result<&str, Invalid> {
        let text = self.get(name)?.as_str();
        text.ok_or_else(|| Invalid::wrong_type(name, "a string"))
    }

    pub(super) fn positive(&self, name: &str) -> Result<u64, Invalid> {
        let number = self.get(name)?.as_u64().filter(|number| *number > 0);
        number.ok_or_else(|| Invalid::wrong_type(name, "a positive integer"))
    }

    /// An optional boolean; `false` if it is missing.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Invalid> {
        let value = self.get(name).unwrap_or(&Value::Bool(false));
        let flag = value.as_bool();
        flag.ok_or_else(|| Invalid::wrong_type(name, "a boolean"))
    }

    /// A list that is not empty.
    pub(super) fn list(&self, name: &str) -> Result<&[Value], Invalid> {
        let list = self.get(name)?.as_array();
        match list.ok_or_else(|| Invalid::wrong_type(name, "an array"))? {
            list if list.is_empty() => Err(Invalid::Missing(name.to_owned())),
            list => Ok(list),
        }
    }
}

/// What the messages of a request hold.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Conversation {
    /// The last text of the user.
    pub(super) text: String,
    /// The words of all messages.
    pub(super) words: usize,
}

impl Conversation {
    /// One text of the user.
    pub(super) fn of_text(text: &str) -> Self {
        Self {
            words: words(text),
            text: text.to_owned(),
        }
    }

    /// Reads the list of a field; the text of each message is in its field `content`.
    pub(super) fn read(
        field: &str,
        messages: &[Value],
        content: &str,
        is_message: impl Fn(&Value) -> bool,
    ) -> Result<Self, Invalid> {
        let mut conversation = Self::default();
        for (at, message) in messages.iter().enumerate() {
            if !message.is_object() {
                return Err(Invalid::wrong_type(&format!("{field}[{at}]"), "an object"));
            }
            if !is_message(message) {
                continue;
            }
            let texts = match &message[content] {
                // A message may consist of tool calls alone.
                Value::Null if message["role"] == "assistant" => Vec::new(),
                Value::Null => return Err(Invalid::Missing(format!("{field}[{at}].{content}"))),
                found => texts(found).ok_or_else(|| {
                    let field = format!("{field}[{at}].{content}");
                    Invalid::wrong_type(&field, "text or a list of parts")
                })?,
            };
            conversation.words += texts.iter().map(|text| words(text)).sum::<usize>();
            // Google's API takes a message without a role for one of the user.
            let of_user = matches!(message["role"].as_str(), None | Some("user"));
            if let (true, Some(last)) = (of_user, texts.last()) {
                (*last).clone_into(&mut conversation.text);
            }
        }
        Ok(conversation)
    }

    /// [`Conversation::read`] for messages that all need a role.
    pub(super) fn with_roles(field: &str, messages: &[Value]) -> Result<Self, Invalid> {
        let without_role = messages.iter().position(|message| {
            message.is_object() && message["role"].as_str().is_none_or(str::is_empty)
        });
        match without_role {
            Some(at) => Err(Invalid::Missing(format!("{field}[{at}].role"))),
            None => Self::read(field, messages, "content", |_| true),
        }
    }
}

/// The texts of a message: a string, or those of a list of parts.
fn texts(content: &Value) -> Option<Vec<&str>> {
    match content {
        Value::String(text) => Some(vec![text]),
        Value::Array(parts) => Some(parts.iter().filter_map(|p| p["text"].as_str()).collect()),
        _ => None,
    }
}

pub(super) fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_last_text_of_the_user_counts_whatever_follows_it() {
        let messages = json!([
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "one two"},
            {"role": "user", "content": [
                {"type": "image"}, {"type": "text", "text": "three"}, {"text": "four"},
            ]},
            {"role": "assistant", "content": null},
            {"role": "user", "content": [{"type": "tool_result"}]},
            {"role": "assistant", "content": "five"},
        ]);
        let read = Conversation::with_roles("messages", messages.as_array().unwrap());
        let expected = Conversation {
            text: "four".to_owned(),
            words: 7,
        };
        assert_eq!(read, Ok(expected));
    }

    #[test]
    fn an_invalid_message_is_named_with_its_place() {
        let text = json!({"role": "user", "content": "x"});
        for (bad, words) in [
            (json!(1), "messages[1] is not an object"),
            (json!({"content": "x"}), "messages[1].role is missing"),
            (json!({"role": "user"}), "messages[1].content is missing"),
            (
                json!({"role": "user", "content": 1}),
                "messages[1].content is not text or a list of parts",
            ),
        ] {
            let error = Conversation::with_roles("messages", &[text.clone(), bad]);
            assert_eq!(error.unwrap_err().to_string(), words);
        }
    }
}
