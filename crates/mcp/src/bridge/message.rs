//! JSON-RPC messages, as far as a bridge has to understand them: everything else passes as it came.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::id::Id;

/// One message, in one line of JSON.
#[derive(Clone, Debug)]
pub(super) struct Message {
    text: Arc<str>,
    kind: Kind,
    /// The protocol version in `_meta`, which makes it one of 2026-07-28 or later: none before.
    version: Option<String>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Request { id: Id, method: String },
    Notification { method: String },
    Response { id: Option<Id> },
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

/// The parameters that a bridge reads.
#[derive(Default, Deserialize)]
pub(super) struct Params<'a> {
    #[serde(borrow, rename = "_meta")]
    pub(super) meta: Option<&'a RawValue>,
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    uri: Option<&'a RawValue>,
    #[serde(borrow, rename = "requestId")]
    request: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) arguments: Option<&'a RawValue>,
}

impl Params<'_> {
    pub(super) fn name(&self) -> Option<String> {
        text_of(self.name?)
    }

    pub(super) fn uri(&self) -> Option<String> {
        text_of(self.uri?)
    }

    /// The request that a `notifications/cancelled` is about.
    pub(super) fn request(&self) -> Option<Id> {
        Id::of(self.request?)
    }
}

impl Message {
    /// The messages of a line or a body: several if it is a batch of revision 2025-03-26.
    ///
    /// # Errors
    ///
    /// If it is not JSON in UTF-8, or not a JSON-RPC message.
    pub(super) fn all(bytes: &[u8]) -> Result<Vec<Self>, NotAMessage> {
        let text = std::str::from_utf8(bytes).map_err(|_position| NotAMessage)?;
        let text = text.trim_start_matches('\u{feff}').trim();
        if !text.starts_with('[') {
            return Ok(vec![Self::one(text)?]);
        }
        let batch: Vec<&RawValue> = serde_json::from_str(text).map_err(|_quotes_it| NotAMessage)?;
        batch.iter().map(|one| Self::one(one.get())).collect()
    }

    fn one(text: &str) -> Result<Self, NotAMessage> {
        let envelope: Envelope<'_> =
            serde_json::from_str(text).map_err(|_quotes_it| NotAMessage)?;
        let id = match envelope.id {
            Some(id) => Some(Id::of(id).ok_or(NotAMessage)?),
            None => None,
        };
        let kind = match (envelope.method, id) {
            (Some(method), Some(id)) => Kind::Request {
                id,
                method: method.into_owned(),
            },
            (Some(method), None) => Kind::Notification {
                method: method.into_owned(),
            },
            (None, id) => Kind::Response { id },
        };
        let params = envelope.params.map(params_of).unwrap_or_default();
        Ok(Self {
            text: one_line(text).into(),
            version: params.meta.and_then(version_of),
            kind,
        })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn kind(&self) -> &Kind {
        &self.kind
    }

    pub(super) fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    pub(super) fn method(&self) -> Option<&str> {
        match &self.kind {
            Kind::Request { method, .. } | Kind::Notification { method } => Some(method),
            Kind::Response { .. } => None,
        }
    }

    /// The parameters; empty if there are none by name.
    pub(super) fn params(&self) -> Params<'_> {
        let envelope: Result<Envelope<'_>, _> = serde_json::from_str(&self.text);
        let params = envelope.ok().and_then(|envelope| envelope.params);
        params.map(params_of).unwrap_or_default()
    }
}

fn params_of(params: &RawValue) -> Params<'_> {
    serde_json::from_str(params.get()).unwrap_or_default()
}

fn version_of(meta: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Meta<'a> {
        #[serde(borrow, rename = "io.modelcontextprotocol/protocolVersion")]
        version: Option<&'a RawValue>,
    }
    let meta: Meta<'_> = serde_json::from_str(meta.get()).ok()?;
    text_of(meta.version?)
}

fn text_of(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

/// JSON allows line ends between its tokens only, so a blank in their place changes nothing.
fn one_line(text: &str) -> Cow<'_, str> {
    if text.contains(['\r', '\n']) {
        text.replace(['\r', '\n'], " ").into()
    } else {
        text.into()
    }
}

/// The text is no JSON-RPC message. It is not quoted: it may hold anything.
#[derive(Debug)]
pub(super) struct NotAMessage;

#[cfg(test)]
mod tests {
    use super::*;

    const VERSION: &str = "io.modelcontextprotocol/protocolVersion";

    fn one(text: &str) -> Message {
        Message::all(text.as_bytes()).unwrap().remove(0)
    }

    #[test]
    fn a_message_keeps_its_numbers_and_its_order_and_loses_its_line_ends() {
        let text = "{\"z\":1.10e2,\r\n\"id\":12345678901234567890123,\n\"method\":\"a\\nb\"}";
        let message = one(text);
        assert_eq!(
            message.text(),
            "{\"z\":1.10e2,  \"id\":12345678901234567890123, \"method\":\"a\\nb\"}"
        );
        assert_eq!(message.method(), Some("a\nb"));
    }

    #[test]
    fn a_message_is_modern_by_its_own_meta_alone() {
        let modern =
            format!(r#"{{"id":1,"method":"x","params":{{"_meta":{{"{VERSION}":"2026-07-28"}}}}}}"#);
        assert_eq!(one(&modern).version(), Some("2026-07-28"));
        for text in [
            r#"{"id":1,"method":"x"}"#,
            r#"{"id":1,"method":"x","params":[1]}"#,
            r#"{"id":1,"method":"x","params":{"_meta":7}}"#,
            r#"{"id":1,"method":"x","params":{"_meta":{"progressToken":1}}}"#,
        ] {
            assert_eq!(one(text).version(), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_message_is_refused_and_a_batch_is_taken_apart() {
        for text in [
            "",
            "7",
            "{",
            "nonsense",
            r#"{"id":true,"method":"x"}"#,
            r#"[{"id":[]}]"#,
        ] {
            assert!(Message::all(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Message::all(b"{\"id\":\"\xff\"}").is_err());
        let batch = br#"[{"id":1,"method":"a"},{"method":"b"},{"id":2,"result":null}]"#;
        assert_eq!(Message::all(batch).unwrap().len(), 3);
    }
}
