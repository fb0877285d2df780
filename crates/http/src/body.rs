//! A body whose beginning was read.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;

/// How much of a body is read to learn what it says: 16 KiB.
pub(crate) const LONGEST: usize = 16 * 1024;

/// The body of a response, whole: the frames that were read already, then the others as they come.
pub struct WholeBody<B: Body> {
    read: VecDeque<Frame<B::Data>>,
    failure: Option<B::Error>,
    /// There is nothing after what was read.
    is_read: bool,
    rest: B,
}

/// Nothing of the content.
impl<B: Body> fmt::Debug for WholeBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut body = f.debug_struct("WholeBody");
        body.field("read", &self.read.len()).finish_non_exhaustive()
    }
}

impl<B: Body> WholeBody<B> {
    /// A body of which nothing was read.
    pub(crate) fn untouched(body: B) -> Self {
        Self {
            read: VecDeque::new(),
            failure: None,
            is_read: false,
            rest: body,
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> WholeBody<B> {
    /// Reads a body until its end, its failure, or more than [`LONGEST`] bytes, and returns what it
    /// begins with.
    pub(crate) async fn begin(body: B) -> (Self, Vec<u8>) {
        let mut whole = Self::untouched(body);
        let mut text = Vec::new();
        while text.len() <= LONGEST {
            match whole.rest.frame().await {
                Some(Ok(frame)) => {
                    text.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
                    whole.read.push_back(frame);
                }
                ended => {
                    whole.failure = ended.and_then(Result::err);
                    whole.is_read = true;
                    break;
                }
            }
        }
        (whole, text)
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for WholeBody<B>
where
    B::Error: Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if let Some(frame) = self.read.pop_front() {
            return Poll::Ready(Some(Ok(frame)));
        }
        if self.is_read {
            return Poll::Ready(self.failure.take().map(Err));
        }
        Pin::new(&mut self.rest).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        let ends = self.is_read || self.rest.is_end_stream();
        ends && self.read.is_empty() && self.failure.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let data = self.read.iter().filter_map(Frame::data_ref);
        let read = data.map(|data| data.len() as u64).sum::<u64>();
        let rest = match (self.is_read, &self.failure) {
            (true, None) => SizeHint::with_exact(0),
            // How much is missing is not known.
            (true, Some(_)) => SizeHint::default(),
            (false, _) => self.rest.size_hint(),
        };
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(read));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(read));
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    /// What a server sends, frame by frame; a number is a failure.
    struct Script(VecDeque<Result<Frame<Bytes>, u8>>);

    impl Body for Script {
        type Data = Bytes;
        type Error = u8;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, u8>>> {
            Poll::Ready(self.0.pop_front())
        }
    }

    fn data(text: &'static str) -> Result<Frame<Bytes>, u8> {
        Ok(Frame::data(Bytes::from_static(text.as_bytes())))
    }

    /// The body after its beginning was read, as its caller reads it.
    async fn read(script: impl IntoIterator<Item = Result<Frame<Bytes>, u8>>) -> String {
        let (mut body, _) = WholeBody::begin(Script(script.into_iter().collect())).await;
        let mut read = String::new();
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) if frame.is_trailers() => read.push_str("[trailers]"),
                Ok(frame) => read.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap()),
                Err(failure) => read.push_str(&format!("[{failure}]")),
            }
        }
        assert!(body.is_end_stream() || body.rest.0.is_empty());
        read
    }

    #[tokio::test]
    async fn frames_trailers_and_a_failure_come_in_their_order_and_once() {
        const LONG: &str = match std::str::from_utf8(&[b'x'; LONGEST + 1]) {
            Ok(text) => text,
            Err(_) => "",
        };
        let trailers = || Ok(Frame::trailers(HeaderMap::new()));
        assert_eq!(read([]).await, "");
        assert_eq!(
            read([data("a"), data("b"), trailers()]).await,
            "ab[trailers]"
        );
        assert_eq!(read([data("a"), Err(7)]).await, "a[7]");
        let long = [data("a"), data(LONG), data("b"), trailers()];
        assert_eq!(read(long).await, format!("a{LONG}b[trailers]"));
        let cut_off = [data(LONG), data("b"), Err(7)];
        assert_eq!(read(cut_off).await, format!("{LONG}b[7]"));
    }

    #[tokio::test]
    async fn the_length_is_that_of_the_whole_body() {
        let (body, text) = WholeBody::begin(Script([data("a"), data("b")].into())).await;
        assert_eq!(text, b"ab");
        assert_eq!(body.size_hint().exact(), Some(2));
        let (body, _) = WholeBody::begin(Script([data("a"), Err(7)].into())).await;
        assert_eq!(
            (body.size_hint().lower(), body.size_hint().upper()),
            (1, None)
        );
        assert!(!body.is_end_stream());
    }
}
