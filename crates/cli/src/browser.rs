//! Opening a page in the person's browser: a convenience that may fail.

use std::io::IsTerminal as _;

use llm_auth_core::Endpoint;

/// Whether somebody sits at this computer and can see a browser.
pub(crate) fn is_likely() -> bool {
    std::io::stderr().is_terminal() && !is_remote() && has_display()
}

/// Opens a page without waiting for it; whether a launcher took it.
///
/// Only `https` and loopback pages: a server named it. No shell is involved.
pub(crate) fn open(url: &str) -> bool {
    Endpoint::new(url).is_ok() && open::that_detached(url).is_ok()
}

/// Whether the person sits at another computer.
pub(crate) fn is_remote() -> bool {
    is_set("SSH_CONNECTION") || is_set("SSH_TTY")
}

fn has_display() -> bool {
    cfg!(any(windows, target_os = "macos")) || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY")
}

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}
