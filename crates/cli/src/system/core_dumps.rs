//! What the operating system must not do with this process: write its memory, tokens and all, to
//! a file when it crashes, or let other processes of the same user look into it.
//!
//! See decision 0032 and decision 0052.

use std::ffi::OsStr;

#[cfg(unix)]
pub(crate) use unix::{no_core_dumps, restore};

/// From here on no other process of this user can read the memory or the environment of this one
/// or trace it. A program that takes its place (`exec`) starts with the defaults.
///
/// Files that are named by a descriptor of this process (`--client-file <(...)`) are read before.
pub(crate) fn not_dumpable() {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _never_refused = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

/// The same, at once, if no argument or variable names a file that is a descriptor of this process.
pub(crate) fn not_dumpable_unless_descriptors_are_read() {
    let arguments = std::env::args_os().skip(1);
    let values = std::env::vars_os().filter_map(|(name, value)| {
        let ours = name.as_encoded_bytes().starts_with(b"LLM_AUTH_");
        ours.then_some(value)
    });
    if !arguments.chain(values).any(|text| names_descriptor(&text)) {
        not_dumpable();
    }
}

/// Whether a text, or what stands behind its last `=`, may name a descriptor (`/dev/fd/63`, `--file=/proc/self/fd/3`).
fn names_descriptor(text: &OsStr) -> bool {
    let text = text.as_encoded_bytes();
    let value = text.split(|byte| *byte == b'=').next_back();
    [text, value.unwrap_or_default()]
        .iter()
        .any(|path| path.starts_with(b"/dev/") || path.starts_with(b"/proc/"))
}

#[cfg(not(unix))]
pub(crate) fn no_core_dumps() {}

#[cfg(not(unix))]
pub(crate) fn restore() {}

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

    /// The limit as it was, for a program that takes the place of this one or that it starts.
    pub(crate) fn restore() {
        if let Some(before) = BEFORE.get() {
            let _never_refused = setrlimit(Resource::Core, *before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_is_known_by_its_path() {
        for text in [
            "/dev/fd/63",
            "/dev/stdin",
            "--file=/dev/fd/3",
            "/proc/self/fd/3",
        ] {
            assert!(names_descriptor(OsStr::new(text)), "{text}");
        }
        for text in [
            "",
            "token",
            "client_secret.json",
            "/home/dev/file",
            "/device/x",
        ] {
            assert!(!names_descriptor(OsStr::new(text)), "{text}");
        }
    }
}
