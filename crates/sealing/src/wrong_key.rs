//! The error that means: the sessions are intact, and the key is not theirs.

use std::fmt;

/// The key does not belong to the session, or is not given: the source of an
/// [`Error`](llm_auth_core::Error) that says so. The session is intact.
///
/// # Examples
///
/// ```
/// use std::error::Error as _;
///
/// use llm_auth_sealing::{Sealed, SealingKeys, WrongKey};
///
/// let sealed = Sealed::seal(Some(&SealingKeys::new("k", &[1; 32])?), &["place"], b"made-up")?;
/// let other = SealingKeys::new("k", &[2; 32])?;
/// let error = sealed.open(Some(&other), &["place"], "the session").unwrap_err();
/// assert!(error.source().is_some_and(|source| source.is::<WrongKey>()));
/// # Ok::<(), llm_auth_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct WrongKey;

impl fmt::Display for WrongKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is not the one that they were encrypted with")
    }
}

impl std::error::Error for WrongKey {}
