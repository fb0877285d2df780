//! Redirects that stay at their origin.

use reqwest::redirect::{Attempt, Policy};

/// How many redirects are followed, as reqwest does.
const MOST: usize = 10;

/// A redirect policy for a client with a session: at most 10 redirects, and none to another origin,
/// whose response (3xx) is returned.
///
/// A client that has another policy, the default one of reqwest too, must not send a credential: if a
/// redirect to another origin is followed by one within that origin, reqwest (0.13.5) sends
/// `Authorization` there again. It never removes other headers, nor the body of a 307 or 308.
///
/// # Examples
///
/// ```no_run
/// use llm_auth_http::same_origin_redirects;
///
/// let client = reqwest::Client::builder().redirect(same_origin_redirects()).build()?;
/// # Ok::<(), reqwest::Error>(())
/// ```
#[must_use]
pub fn same_origin_redirects() -> Policy {
    Policy::custom(|attempt: Attempt<'_>| {
        let from = attempt.previous().last();
        if from.is_none_or(|from| from.origin() != attempt.url().origin()) {
            return attempt.stop();
        }
        if attempt.previous().len() > MOST {
            return attempt.error("too many redirects");
        }
        attempt.follow()
    })
}
