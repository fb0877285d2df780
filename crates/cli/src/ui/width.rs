//! Text by the columns that a terminal gives it.

/// How many columns of a terminal a text takes: a Chinese letter takes two, an accent of its own
/// none.
pub(crate) fn columns(text: &str) -> usize {
    console::measure_text_width(text)
}

/// A text with blanks behind it up to that width.
pub(crate) fn padded(text: &str, width: usize) -> String {
    let blanks = width.saturating_sub(columns(text));
    format!("{text}{:blanks$}", "")
}

/// Words on lines that are no longer than the width, unless a word is.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if columns(line) + 1 + columns(word) < width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
