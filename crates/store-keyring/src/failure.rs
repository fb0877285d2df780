//! Why a keyring could not be used.

use std::fmt;
use std::time::Duration;

use llm_auth_core::{Error, ErrorKind};

/// Why the keyring could not be used: the source of an [`Error`] of the kind
/// [`ErrorKind::Store`]. What is stored is intact.
///
/// # Examples
///
/// ```
/// use std::error::Error as _;
///
/// use llm_auth_core::Error;
/// use llm_auth_store_keyring::KeyringError;
///
/// fn advice(error: &Error) -> Option<&'static str> {
///     match error.source()?.downcast_ref::<KeyringError>()? {
///         KeyringError::Absent => Some("use another store"),
///         KeyringError::Locked => Some("unlock the keyring"),
///         _ => None,
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum KeyringError {
    /// This process has no keyring: no D-Bus session, no Secret Service in it, or no collection.
    Absent,
    /// It is locked, and its prompt was dismissed, cannot be shown, or was not answered in time.
    Locked,
    /// It did not respond in time, and may not be locked.
    NoResponse,
    /// It responded with another error.
    Failed,
}

impl KeyringError {
    /// The error of a store. `detail` is what the keyring says itself.
    pub(crate) fn into_error(self, wait: Duration, detail: &str) -> Error {
        let seconds = wait.as_secs_f32();
        let message = match self {
            Self::Absent => format!(
                "this process has no keyring ({detail}): start one in its session, or use another store"
            ),
            Self::Locked if detail.is_empty() => format!(
                "the keyring is locked, and was not unlocked within {seconds} s: unlock it, and try again"
            ),
            Self::Locked => "the keyring is locked: unlock it, and try again".to_owned(),
            Self::NoResponse => format!(
                "the keyring did not respond within {seconds} s: check whether it waits for a prompt, \
                 and try again"
            ),
            Self::Failed => {
                format!("the keyring reports an error ({detail}): check it, and try again")
            }
        };
        Error::new(ErrorKind::Store, message).with_source(self)
    }
}

impl fmt::Display for KeyringError {
    /// What the messages have in them too, so that a chain of causes does not repeat it after the advice.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "no keyring",
            Self::Locked => "the keyring is locked",
            Self::NoResponse => "the keyring did not respond",
            Self::Failed => "the keyring reports an error",
        })
    }
}

impl std::error::Error for KeyringError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_ends_with_its_advice_and_not_with_its_cause() {
        for why in [
            KeyringError::Absent,
            KeyringError::Locked,
            KeyringError::NoResponse,
            KeyringError::Failed,
        ] {
            for detail in ["", "made-up detail"] {
                let error = why.into_error(Duration::from_secs(30), detail);
                assert_eq!(format!("{error:#}"), error.to_string(), "{why:?}");
            }
        }
    }
}
