//! Opening a page in the person's browser: a convenience that may fail.

use llm_auth_core::Endpoint;

/// Asks for it in a thread of its own, because a launcher may hang; `failed` is called there if
/// none takes the page.
///
/// Only `https` and loopback pages: a server named it. No shell is involved.
pub(crate) fn open(url: &str, failed: impl FnOnce() + Send + 'static) {
    let bare = url.split('#').next().unwrap_or_default();
    if Endpoint::new(bare).is_err() {
        return failed();
    }
    let url = url.to_owned();
    std::thread::spawn(move || {
        if webbrowser::open(&url).is_err() {
            failed();
        }
    });
}
