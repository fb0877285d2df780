//! The token that an API refused, on standard input.

use std::io::{self, IsTerminal as _, Read as _};

use llm_auth_core::Secret;

use crate::error::Failure;

/// The longest token; what is longer is no token.
const LONGEST: u64 = 1024 * 1024;

/// Reads the token; white space around it does not count. The flag names standard input, since other
/// users see what stands on a command line.
pub(super) fn read(from: &str) -> Result<Secret, Failure> {
    if from != "-" {
        // It is not repeated: it may be the token.
        return Err(Failure::Usage(
            "--refused takes only `-`: write the token to standard input".into(),
        ));
    }
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Err(Failure::Usage(
            "--refused - reads the token from standard input, which is a terminal".into(),
        ));
    }
    let mut text = String::new();
    let read = stdin.lock().take(LONGEST).read_to_string(&mut text);
    let token = Secret::from(text.trim());
    // The buffer is wiped as a secret.
    drop(Secret::from(text));
    match read {
        Ok(_) if token.expose().is_empty() => Err(Failure::Usage(
            "--refused - found no token on standard input".into(),
        )),
        Ok(_) => Ok(token),
        Err(error) => Err(Failure::Usage(format!(
            "--refused - cannot read standard input: {error}"
        ))),
    }
}
