//! The keyring of the operating system.

use llm_auth::keyring::Keyring;

use crate::error::Failure;
use crate::system::env;

const BUS: &str = "DBUS_SESSION_BUS_ADDRESS";

/// The keyring of the system. A project's variables must not send sessions to another computer, nor
/// run a program in place of a bus.
pub(crate) fn system() -> Result<Keyring, Failure> {
    let bus = env::value(BUS).filter(|_| cfg!(all(unix, not(target_vendor = "apple"))));
    let is_local = |address: &str| {
        let mut parts = address.split(';');
        parts.all(|part| part.starts_with("unix:"))
    };
    match bus {
        Some(bus) if !bus.to_str().is_some_and(is_local) => Err(Failure::Config {
            message: format!("{BUS} names no local socket, so the keyring is not used"),
            advice: format!("unset {BUS}, or set it to the bus of this session (unix:path=...)"),
        }),
        _ => Ok(Keyring::of_system()),
    }
}
