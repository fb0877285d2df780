//! The decision whether a sign-in opens a browser.

use super::choice::are_text_browsers;
use crate::system::location::Location;

/// Whether a browser is opened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Opening {
    /// It is.
    Open,
    /// It is not, for a reason worth saying if there is one.
    Show(Option<&'static str>),
}

impl Opening {
    /// Whether to open a browser: as the flags wish, else where one can be seen. A `BROWSER`
    /// reaches the user also from afar (editors set it in their remote terminals).
    pub(crate) fn at(location: &Location, wish: Option<bool>) -> Self {
        match wish {
            Some(true) => return Self::Open,
            Some(false) => return Self::Show(None),
            None => {}
        }
        // Decision 0025.
        if let Some(wanted) = &location.browser {
            return if are_text_browsers(wanted) {
                Self::Show(Some(
                    "BROWSER names a text browser, which cannot display the sign-in page: open it \
                     in another browser.",
                ))
            } else {
                Self::Open
            };
        }
        if location.ssh.is_some() {
            return Self::Show(Some(
                "You are connected over SSH, so no browser is opened here: use the browser on your \
                 own computer.",
            ));
        }
        if location.container && !location.display {
            return Self::Show(Some(
                "This is a container without a display, so no browser is opened: use the browser \
                 on your own computer.",
            ));
        }
        if !location.display {
            return Self::Show(Some(
                "This computer has no display, so no browser is opened: use a browser on any \
                 computer.",
            ));
        }
        if location.terminal {
            Self::Open
        } else {
            Self::Show(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::location::examples::{desk, over_ssh};

    fn shows(opening: &Opening, word: &str) -> bool {
        matches!(opening, Opening::Show(Some(why)) if why.contains(word))
    }

    #[test]
    fn a_browser_is_opened_where_one_can_be_seen_and_else_it_is_said_why_not() {
        assert_eq!(Opening::at(&desk(), None), Opening::Open);
        assert!(shows(&Opening::at(&over_ssh(), None), "SSH"));
        let mut location = desk();
        location.display = false;
        assert!(shows(&Opening::at(&location, None), "no display"));
        location.container = true;
        assert!(shows(&Opening::at(&location, None), "container"));
    }

    #[test]
    fn flags_go_before_the_place_and_the_place_before_nothing() {
        assert_eq!(Opening::at(&desk(), Some(false)), Opening::Show(None));
        assert_eq!(Opening::at(&over_ssh(), Some(true)), Opening::Open);
    }

    #[test]
    fn the_variable_browser_is_respected_from_afar_too() {
        let mut location = over_ssh();
        location.browser = Some("/opt/editor/bin/open-on-client".into());
        assert_eq!(Opening::at(&location, None), Opening::Open);
        assert_eq!(Opening::at(&location, Some(false)), Opening::Show(None));
        location.browser = Some("/usr/bin/w3m -o x".into());
        assert!(shows(&Opening::at(&location, None), "text browser"));
    }
}
