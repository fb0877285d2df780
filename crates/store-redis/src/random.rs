//! Random numbers of the system.

use std::fmt::Write as _;

use llm_auth_core::{Error, ErrorKind, Result};

/// 128 random bits as text: no two leases and no two revisions have the same.
pub(crate) fn id() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|source| {
        Error::new(ErrorKind::System, "the system has no random numbers").with_source(source)
    })?;
    let mut id = String::with_capacity(32);
    for byte in bytes {
        let _never_fails = write!(id, "{byte:02x}");
    }
    Ok(id)
}

/// For a pause; without randomness, some pause too.
pub(crate) fn byte() -> u8 {
    let mut byte = [127];
    let _the_same = getrandom::fill(&mut byte);
    byte[0]
}
