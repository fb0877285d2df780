//! What several tests need.

use std::env;
use std::path::PathBuf;

/// A test that cannot run here prints its name; with `CI` set it fails.
pub(crate) fn skip(why: &str) {
    assert!(env::var_os("CI").is_none(), "{why}");
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    eprintln!("SKIPPED: {why}: {test}");
}

/// A program of Postgres, which may be outside of `PATH`.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let mut places: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    places.sort();
    // The newest version first.
    places.reverse();
    places.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    let mut paths = places.into_iter().map(|place| place.join(name));
    paths.find(|path| path.is_file())
}

/// A user that Postgres accepts to run as, with its group; `None` if the tests are not root's.
pub(crate) fn user() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let found = users.lines().find_map(|line| {
        let mut fields = line.strip_prefix("postgres:")?.split(':').skip(1);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    });
    Some(found.unwrap_or((65_534, 65_534)))
}
