//! The words of the field, in comments, documents, help and messages.

use std::path::Path;

use super::{Findings, sources};

/// Words that would stop a reader of this field, and their replacements. A word with a blank in it
/// stands for itself.
const WORDS: [(&str, &str); 33] = [
    ("whoever", "name what acts: the caller, another process"),
    ("somebody", "the user, another user"),
    ("somebody's", "another user's"),
    ("anybody", "any process, any user"),
    ("nobody", "no process, no account"),
    ("everybody", "all users, all processes"),
    ("folder", "directory"),
    ("folders", "directories"),
    ("afresh", "again"),
    ("anew", "again"),
    ("upon", "on"),
    ("shall", "must"),
    ("where there is", "if"),
    ("where there are", "if"),
    ("where it is", "if"),
    ("where one is", "if"),
    ("where none is", "if"),
    ("is told", "receives, is notified"),
    ("is said", "is printed"),
    ("are told", "receive"),
    ("else it", "otherwise it"),
    ("of its own accord", "unasked"),
    ("this very", "this"),
    ("that very", "the same"),
    ("by now", "already, now"),
    ("to be had", "available"),
    ("worth a word", "worth a warning"),
    ("stands in the way", "prevents"),
    ("taken over", "imported"),
    ("renewal", "refresh"),
    ("mend", "correct, restore"),
    ("broke off", "was interrupted"),
    ("breaks off", "is incomplete"),
];

pub(super) fn check(root: &Path) -> Result<Findings, String> {
    let mut findings = Findings::new();
    for file in sources::with_extension(root, &["rs", "md", "toml"])? {
        if file.ends_with("tidy/words.rs") {
            continue;
        }
        let text = sources::read(&file)?;
        for (at, line) in text.lines().enumerate() {
            for (word, instead) in found(line) {
                findings.push(format!(
                    "{}:{}: \"{word}\"; write {instead}",
                    file.display(),
                    at + 1
                ));
            }
        }
    }
    Ok(findings)
}

fn found(line: &str) -> Vec<(&'static str, &'static str)> {
    let line = line.to_lowercase();
    let is_word = |character: char| character.is_alphanumeric() || character == '\'';
    let holds = |word: &str| {
        line.match_indices(word).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let after = line[at + word.len()..].chars().next();
            !before.is_some_and(is_word) && !after.is_some_and(is_word)
        })
    };
    let words = WORDS.iter().filter(|(word, _)| holds(word));
    words.copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_are_found_in_any_case_and_in_names_too() {
        assert_eq!(found("/// Whoever asks.").len(), 1);
        assert_eq!(found("fn nobody_is_signed_in() {").len(), 1);
        assert_eq!(found("the shallow folders of a folderol").len(), 1);
        assert!(found("every response says so").is_empty());
    }
}
