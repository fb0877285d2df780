//! The variable `BROWSER`: programs and their arguments, which may be quoted as in a shell.

/// The programs with their arguments, each as it is written. One that is a file as it stands, with
/// its blanks and separators, needs no quotes.
pub(super) fn programs(wanted: &str, is_file: impl Fn(&str) -> bool) -> Vec<String> {
    if is_file(wanted.trim()) {
        return vec![wanted.trim().to_owned()];
    }
    let separator = if cfg!(windows) { ';' } else { ':' };
    let mut programs = vec![String::new()];
    let mut quoting = Quoting::default();
    for letter in wanted.chars() {
        let is_plain = quoting.next(letter) == Role::Plain;
        if is_plain && letter == separator {
            programs.push(String::new());
        } else if let Some(program) = programs.last_mut() {
            program.push(letter);
        }
    }
    let programs = programs.iter().map(|program| program.trim().to_owned());
    programs.filter(|program| !program.is_empty()).collect()
}

/// The words of one of them, without their quotes.
pub(super) fn words(program: &str, is_file: impl Fn(&str) -> bool) -> Vec<String> {
    if is_file(program) {
        return vec![program.to_owned()];
    }
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoting = Quoting::default();
    for letter in program.chars() {
        match quoting.next(letter) {
            Role::Plain if letter.is_ascii_whitespace() => words.extend(word.take()),
            Role::Plain | Role::Quoted => word.get_or_insert_default().push(letter),
            // Quotes around nothing are a word too.
            Role::Quote => {
                word.get_or_insert_default();
            }
        }
    }
    words.extend(word);
    words
}

/// What a letter is.
#[derive(Debug, Eq, PartialEq)]
enum Role {
    Plain,
    Quote,
    Quoted,
}

#[derive(Debug, Default)]
struct Quoting {
    open: Option<char>,
    is_escaped: bool,
}

impl Quoting {
    fn next(&mut self, letter: char) -> Role {
        if std::mem::take(&mut self.is_escaped) {
            return Role::Quoted;
        }
        match (self.open, letter) {
            // In paths of Windows it separates directories.
            (None | Some('"'), '\\') if !cfg!(windows) => {
                self.is_escaped = true;
                Role::Quote
            }
            (Some(open), _) if letter == open => {
                self.open = None;
                Role::Quote
            }
            (Some(_), _) => Role::Quoted,
            (None, '"' | '\'') => {
                self.open = Some(letter);
                Role::Quote
            }
            (None, _) => Role::Plain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(not(windows))]
    fn quotes_hold_blanks_and_separators_together() {
        for (text, expected) in [
            ("firefox", &["firefox"][..]),
            ("'/opt/My Browser/run' %s", &["/opt/My Browser/run", "%s"]),
            ("\"/opt/My Browser/run\"", &["/opt/My Browser/run"]),
            (r"/opt/My\ Browser/run -x", &["/opt/My Browser/run", "-x"]),
            ("a 'b c'd \"e'f\" ''", &["a", "b cd", "e'f", ""]),
            ("  a   b ", &["a", "b"]),
        ] {
            assert_eq!(words(text, |_| false), expected, "{text}");
        }
        assert_eq!(programs("a b:c:: d ", |_| false), ["a b", "c", "d"]);
        assert_eq!(programs("'a:b' c:d", |_| false), ["'a:b' c", "d"]);
    }

    #[test]
    fn a_file_needs_no_quotes() {
        let file = "/opt/My Browser: new/run";
        assert_eq!(programs(file, |path| path == file), [file]);
        assert_eq!(words(file, |path| path == file), [file]);
    }
}
