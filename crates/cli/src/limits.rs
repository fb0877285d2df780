//! What the operating system must not do with this process: write its memory, tokens and all, to
//! a file when it crashes.

#[cfg(unix)]
pub(crate) use unix::{no_core_dumps, restore};

#[cfg(not(unix))]
pub(crate) fn no_core_dumps() {}

#[cfg(unix)]
mod unix {
    use std::sync::OnceLock;

    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    static BEFORE: OnceLock<Rlimit> = OnceLock::new();

    /// From here on no memory is written to a file.
    pub(crate) fn no_core_dumps() {
        let before = BEFORE.get_or_init(|| getrlimit(Resource::Core));
        let none = Rlimit {
            current: Some(0),
            ..*before
        };
        let _never_refused = setrlimit(Resource::Core, none);
    }

    /// The limit as it was, for a program that takes the place of this one.
    pub(crate) fn restore() {
        if let Some(before) = BEFORE.get() {
            let _never_refused = setrlimit(Resource::Core, *before);
        }
    }
}
