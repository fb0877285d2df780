//! Words in a command that a user can paste into a shell.

/// Fit for a POSIX shell.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./@:+=,".contains(c);
    // At the beginning, some shells expand these.
    let is_plain = !text.starts_with(['=', '~']) && text.chars().all(plain);
    if !text.is_empty() && is_plain {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_to_copy_is_quoted_for_the_shell() {
        assert_eq!(quoted("a/b.json"), "a/b.json");
        assert_eq!(quoted("=x"), "'=x'");
        assert_eq!(quoted("it's $(x)"), r"'it'\''s $(x)'");
    }
}
