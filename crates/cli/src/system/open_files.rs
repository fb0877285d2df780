//! How many files and connections this process may have open.

/// Raises the soft limit to the hard one. A soft limit is for programs that cannot count higher
/// (`select`), and the usual 1024 are too few for a proxy. Call it only where no other program is
/// started, which would get it too.
pub(crate) fn allow_most() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        /// macOS refuses more (`OPEN_MAX` of sys/syslimits.h).
        const MOST_OF_MACOS: u64 = 10_240;
        let before = getrlimit(Resource::Nofile);
        let most = match (cfg!(target_os = "macos"), before.maximum) {
            (true, maximum) => Some(maximum.unwrap_or(MOST_OF_MACOS).min(MOST_OF_MACOS)),
            (false, maximum) => maximum,
        };
        let is_more = match (before.current, most) {
            (Some(current), Some(most)) => current < most,
            (current, None) => current.is_some(),
            (None, Some(_)) => false,
        };
        let limit = Rlimit {
            current: most,
            ..before
        };
        if is_more && let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::debug!("cannot raise the limit of open files: {error}");
        }
    }
}
