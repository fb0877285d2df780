//! The body of a response.

use bytes::Bytes;

use super::event_stream::EventStream;

#[derive(Clone, Debug)]
pub(crate) enum Body {
    Whole(Bytes),
    Events(Box<EventStream>),
}

impl Body {
    /// Everything that is sent, also of a stream.
    pub(crate) fn bytes(&self) -> Bytes {
        match self {
            Self::Whole(bytes) => bytes.clone(),
            Self::Events(events) => events.bytes(),
        }
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(whole: T) -> Self {
        Self::Whole(whole.into())
    }
}
