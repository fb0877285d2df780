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

    /// Linux asks no limit where the core goes to a program, but for this one, by which that
    /// program is known (core(5), `fs/coredump.c`); too small for a file it is too.
    #[cfg(target_os = "linux")]
    const NONE: [u64; 2] = [1, 0];
    #[cfg(not(target_os = "linux"))]
    const NONE: [u64; 1] = [0];

    /// From here on no memory is written to a file or handed to a program.
    pub(crate) fn no_core_dumps() {
        let before = *BEFORE.get_or_init(|| getrlimit(Resource::Core));
        // The first that the limit above it allows.
        let _set = NONE.iter().any(|none| {
            let limit = Rlimit {
                current: Some(*none),
                ..before
            };
            setrlimit(Resource::Core, limit).is_ok()
        });
    }

    /// The limit as it was, for a program that takes the place of this one.
    pub(crate) fn restore() {
        if let Some(before) = BEFORE.get() {
            let _never_refused = setrlimit(Resource::Core, *before);
        }
    }
}
