//! An error as a user reads it.

use std::error::Error as StdError;
use std::fmt;

use super::Error;
use crate::sanitize::clean;

/// Texts of libraries that mean only that there is a cause.
const NOISE: [&str; 2] = ["client error (", "error sending request"];

/// The longest text of one cause, and the longest chain.
const LENGTH: usize = 300;
const DEPTH: usize = 8;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        if let Some(session) = &self.inner.session {
            text = format!("{session}: ");
        }
        text.push_str(&self.inner.message);
        if f.alternate() {
            add_causes(&mut text, self.source());
        }
        f.write_str(&text)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#} [{:?}", self.inner.kind)?;
        if let Some(status) = self.inner.status {
            write!(f, ", status {status}")?;
        }
        if let Some(wait) = self.inner.retry_after {
            write!(f, ", retry after {} s", wait.as_secs_f64().ceil())?;
        }
        f.write_str("]")
    }
}

/// Adds each cause whose text is not in the message yet.
fn add_causes(text: &mut String, first: Option<&(dyn StdError + 'static)>) {
    let mut next = first;
    for _ in 0..DEPTH {
        let Some(cause) = next else { break };
        next = cause.source();
        let words = words(cause);
        let is_noise = words.is_empty() || NOISE.iter().any(|noise| words.starts_with(noise));
        if !is_noise && !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
    }
}

/// The text of a cause, without what it may quote: a program's own store or provider may have
/// passed on the text of a parser or an HTTP client.
fn words(cause: &(dyn StdError + 'static)) -> String {
    if let Some(parser) = cause.downcast_ref::<serde_json::Error>()
        && !parser.is_io()
    {
        return format!(
            "invalid JSON (line {}, column {})",
            parser.line(),
            parser.column()
        );
    }
    let text = cause.to_string();
    let text = match cause.downcast_ref::<reqwest::Error>() {
        Some(_) => text.split(" for url (").next().unwrap_or_default(),
        None => &text,
    };
    clean(text, LENGTH, &[])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::error::ErrorKind;
    use crate::session::SessionKey;

    #[derive(Debug)]
    struct Cause(&'static str, Option<Box<Self>>);

    impl fmt::Display for Cause {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl StdError for Cause {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            self.1.as_deref().map(|cause| cause as _)
        }
    }

    fn error() -> Error {
        Error::new(ErrorKind::Store, "cannot write the token file")
            .with_session(&SessionKey::new("qwen", "work"))
    }

    #[test]
    fn what_main_prints_names_session_causes_and_kind_on_one_line() {
        let disk = Cause("disk\n\u{1b}[31m full", None);
        let causes = Cause("error sending request", Some(Box::new(disk)));
        let error = error().with_source(causes);
        assert_eq!(
            format!("Error: {error:?}"),
            "Error: qwen (work): cannot write the token file: disk [31m full [Store]"
        );
        assert_eq!(format!("{error:#?}"), format!("{error:?}"));
    }

    #[test]
    fn what_main_prints_of_a_server_has_its_status_and_its_wish() {
        let error = Error::new(ErrorKind::RateLimited, "example.com refused the refresh")
            .with_status(429)
            .with_retry_after(Some(Duration::from_millis(29_500)));
        assert_eq!(
            format!("{error:?}"),
            "example.com refused the refresh [RateLimited, status 429, retry after 30 s]"
        );
    }

    #[test]
    fn a_cause_that_repeats_its_cause_is_said_once() {
        let causes = Cause(
            "open /x: disk full",
            Some(Box::new(Cause("disk full", None))),
        );
        assert_eq!(
            format!("{:#}", error().with_source(causes)),
            "qwen (work): cannot write the token file: open /x: disk full"
        );
    }

    #[test]
    fn what_a_parser_quotes_is_not_shown() {
        let quoting = serde_json::from_str::<u32>(r#""made-up-token""#).unwrap_err();
        assert!(quoting.to_string().contains("made-up-token"));
        for shown in
            [
                format!("{:?}", error().with_source(quoting)),
                format!(
                    "{:#}",
                    error().with_source(error().with_source(
                        serde_json::from_str::<u32>(r#""made-up-token""#).unwrap_err(),
                    ))
                ),
            ]
        {
            assert!(!shown.contains("made-up"), "{shown}");
            assert!(shown.contains("line 1"), "{shown}");
        }
    }

    #[test]
    fn an_address_with_a_token_in_it_is_not_shown() {
        let url = "https://example.com/?token=made-up-token".parse().unwrap();
        let failed = reqwest::Proxy::all("::").unwrap_err().with_url(url);
        assert!(failed.to_string().contains("made-up"), "{failed}");
        let shown = format!("{:?}", error().with_source(failed));
        assert!(!shown.contains("made-up"), "{shown}");
    }

    #[test]
    fn a_chain_or_a_text_without_end_is_cut() {
        let long: &'static str = "x".repeat(10_000).leak();
        let endless = (0..100).fold(Cause(long, None), |inner, at| {
            Cause(format!("cause {at}").leak(), Some(Box::new(inner)))
        });
        let shown = format!("{:?}", error().with_source(endless));
        assert_eq!(shown.matches("cause ").count(), DEPTH);
        let shown = format!("{:?}", error().with_source(Cause(long, None)));
        assert!(shown.len() < 400, "{}", shown.len());
    }
}
