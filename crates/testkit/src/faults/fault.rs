//! Scripted faults: what goes wrong, when, and how often.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

/// Something that goes wrong with the next request of an operation.
///
/// *Before* means that the provider never processes the request; *after* means that it does (a
/// refresh token is spent, a code is used up) and the response is lost or altered.
///
/// ```
/// use llm_auth_testkit::Fault;
///
/// let unavailable = Fault::response(503, "busy").header("Retry-After", "1").times(2);
/// let response_lost_after_rotation = Fault::drop_connection().after();
/// let odd_interval = Fault::patch(serde_json::json!({"interval": 0, "expires_in": "5"}));
/// # drop((unavailable, response_lost_after_rotation, odd_interval));
/// ```
#[derive(Clone, Debug, Deserialize)]
pub struct Fault {
    #[serde(flatten)]
    pub(crate) kind: Kind,
    #[serde(default)]
    pub(crate) stage: Option<Stage>,
    #[serde(default = "once")]
    pub(crate) times: u32,
    #[serde(default)]
    pub(crate) skip: u32,
}

fn once() -> u32 {
    1
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    Before,
    After,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Kind {
    #[serde(rename = "answer")]
    Response {
        status: u16,
        #[serde(default)]
        headers: BTreeMap<String, String>,
        #[serde(default)]
        body: String,
    },
    Drop,
    Reset,
    Delay {
        milliseconds: u64,
    },
    Hang,
    Truncated,
    GarbageChunks,
    SlowBody {
        milliseconds: u64,
    },
    Endless,
    Html,
    Huge,
    Gzip,
    Patch {
        patch: Value,
    },
    HoldStream {
        pieces: usize,
    },
    CutStream {
        pieces: usize,
    },
    StreamError {
        pieces: usize,
    },
}

impl Fault {
    /// A fixed response instead of the provider's.
    ///
    /// The body may contain `{STATE}` (the `state` of this request, or of the latest one that had
    /// one), `{NOW_MS}`, `{NOW_MS+n}` and `{NOW_MS-n}` (Unix time in milliseconds). The content
    /// type is guessed from the body unless [`Fault::header`] sets it.
    #[must_use]
    pub fn response(status: u16, body: impl Into<String>) -> Self {
        Self::of(Kind::Response {
            status,
            headers: BTreeMap::new(),
            body: body.into(),
        })
    }

    /// Adds a header to a fixed response; without effect on other faults.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        if let Kind::Response { headers, .. } = &mut self.kind {
            headers.insert(name.into(), value.into());
        }
        self
    }

    /// The connection is closed without a response.
    #[must_use]
    pub fn drop_connection() -> Self {
        Self::of(Kind::Drop)
    }

    /// The connection is reset without a response.
    #[must_use]
    pub fn reset() -> Self {
        Self::of(Kind::Reset)
    }

    /// The provider waits, then does as always.
    #[must_use]
    pub fn delay(time: Duration) -> Self {
        Self::of(Kind::Delay {
            milliseconds: millis(time),
        })
    }

    /// No response ever comes, and the connection stays open.
    #[must_use]
    pub fn hang() -> Self {
        Self::of(Kind::Hang)
    }

    /// Half of the response, less than its `Content-Length`, then the end of the connection.
    #[must_use]
    pub fn truncated_body() -> Self {
        Self::of(Kind::Truncated)
    }

    /// A chunked response with an invalid chunk.
    #[must_use]
    pub fn garbage_chunks() -> Self {
        Self::of(Kind::GarbageChunks)
    }

    /// The response comes one byte per `interval`.
    #[must_use]
    pub fn slow_body(interval: Duration) -> Self {
        Self::of(Kind::SlowBody {
            milliseconds: millis(interval),
        })
    }

    /// A JSON response that never ends.
    #[must_use]
    pub fn endless_body() -> Self {
        Self::of(Kind::Endless)
    }

    /// A page of a web application firewall, with status 200.
    #[must_use]
    pub fn html() -> Self {
        Self::of(Kind::Html)
    }

    /// A JSON response of five megabytes.
    #[must_use]
    pub fn huge_body() -> Self {
        Self::of(Kind::Huge)
    }

    /// The response claims to be compressed and is not.
    #[must_use]
    pub fn false_gzip() -> Self {
        Self::of(Kind::Gzip)
    }

    /// A JSON merge patch (RFC 7396) on the provider's response: `null` removes a field.
    ///
    /// On a redirect back to the client it patches the query. A string that is wholly a
    /// `{NOW_MS+n}` becomes a number, `{STATE}` in a string is filled in. A fault of this kind
    /// waits for a response that it can change.
    #[must_use]
    pub fn patch(patch: Value) -> Self {
        Self::of(Kind::Patch { patch })
    }

    /// A streamed reply stops after this many pieces of its text until
    /// [`ProviderKit::release_streams`](crate::ProviderKit::release_streams).
    ///
    /// The counter [`streams_held`](crate::Counters::streams_held) shows that it has stopped. Like
    /// the other two faults of streams it waits for a streamed reply.
    #[must_use]
    pub fn hold_stream(pieces: usize) -> Self {
        Self::of(Kind::HoldStream { pieces })
    }

    /// The connection of a streamed reply is closed after this many pieces of its text.
    #[must_use]
    pub fn cut_stream(pieces: usize) -> Self {
        Self::of(Kind::CutStream { pieces })
    }

    /// A streamed reply ends after this many pieces of its text with an error, in the form of the
    /// API.
    #[must_use]
    pub fn stream_error(pieces: usize) -> Self {
        Self::of(Kind::StreamError { pieces })
    }

    /// The request is not processed. The default of all faults that need no real response.
    #[must_use]
    pub fn before(mut self) -> Self {
        self.stage = Some(Stage::Before);
        self
    }

    /// The request is processed first. The default of `truncated_body`, `slow_body`,
    /// `false_gzip`, `patch` and the faults of streams.
    #[must_use]
    pub fn after(mut self) -> Self {
        self.stage = Some(Stage::After);
        self
    }

    /// Applies to this many requests instead of one.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// Lets this many requests pass first.
    #[must_use]
    pub fn skip(mut self, requests: u32) -> Self {
        self.skip = requests;
        self
    }

    pub(crate) fn stage(&self) -> Stage {
        match (&self.kind, self.stage) {
            (kind, _) if kind.alters_response() => Stage::After,
            (_, Some(stage)) => stage,
            (Kind::Truncated | Kind::SlowBody { .. } | Kind::Gzip, None) => Stage::After,
            (_, None) => Stage::Before,
        }
    }

    fn of(kind: Kind) -> Self {
        Self {
            kind,
            stage: None,
            times: 1,
            skip: 0,
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_can_be_written_in_json() {
        let fault: Fault = serde_json::from_value(serde_json::json!({
            "kind": "answer", "status": 503, "headers": {"Retry-After": "1"}, "stage": "after",
        }))
        .unwrap();
        assert_eq!((fault.stage(), fault.times), (Stage::After, 1));
    }
}
