//! What the model replies.

use super::fields::{Conversation, words};
use crate::provider::Provider;

/// The error of a stream that a fault ends.
pub(super) const FAILURE: &str = "The simulated model is overloaded.";

/// Where a reply comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    pub(super) provider: Provider,
    /// Unix time in seconds.
    pub(super) created: i64,
    /// In how many pieces the text comes if it is streamed.
    pub(super) pieces: usize,
}

/// The reply to a conversation.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) text: String,
    pub(super) input_tokens: usize,
    pub(super) output_tokens: usize,
}

impl Reply {
    pub(super) fn to(conversation: &Conversation, from: Source) -> Self {
        let text = format!(
            "The simulated {} heard: {}",
            from.provider, conversation.text
        );
        Self {
            input_tokens: conversation.words,
            output_tokens: words(&text),
            text,
        }
    }

    /// The text in that many pieces, or one for each character if there are fewer.
    pub(super) fn pieces(&self, count: usize) -> Vec<String> {
        let characters: Vec<char> = self.text.chars().collect();
        let count = count.clamp(1, characters.len().max(1));
        let (size, longer) = (characters.len() / count, characters.len() % count);
        let mut rest = &characters[..];
        (0..count)
            .map(|at| {
                let (piece, after) = rest.split_at(size + usize::from(at < longer));
                rest = after;
                piece.iter().collect()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_of_equal_length_and_join_to_the_text() {
        let reply = Reply {
            text: "sieben: \u{e4}\u{1f600}".to_owned(),
            input_tokens: 0,
            output_tokens: 0,
        };
        for (count, expected) in [(0, 1), (1, 1), (3, 3), (10, 10), (99, 10)] {
            let pieces = reply.pieces(count);
            assert_eq!(pieces.len(), expected);
            assert_eq!(pieces.concat(), reply.text);
            let lengths = pieces.iter().map(|piece| piece.chars().count());
            let (least, most) = (lengths.clone().min(), lengths.max());
            assert!(most.unwrap() - least.unwrap() <= 1, "{pieces:?}");
        }
    }
}
