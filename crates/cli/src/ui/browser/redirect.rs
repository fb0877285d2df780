//! A file of this user alone that leads a browser to a page. A launcher gets the name of the file:
//! every user of this computer can read its arguments, and a user who has the page of a sign-in can
//! finish it.
//!
//! See decision 0048.

#[cfg(not(unix))]
pub(crate) use self::none::RedirectFile;
#[cfg(unix)]
pub(crate) use self::unix::RedirectFile;

#[cfg(unix)]
mod unix {
    use std::env;
    use std::fs::{self, File, OpenOptions, Permissions};
    use std::io::{self, Write as _};
    use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
    use std::path::{Path, PathBuf};

    use rustix::fs::{FlockOperation, flock};
    use rustix::process::geteuid;

    const PREFIX: &str = "llm-auth-sign-in-";
    const FILE: &str = "sign-in.html";

    /// A few lines, in all that is known.
    const LARGEST_USER_DIRS: u64 = 64 * 1024;

    /// It is removed when this is dropped.
    #[derive(Debug)]
    pub(crate) struct RedirectFile {
        directory: PathBuf,
        /// Locked as long as it is in use, so that what a killed process left is known.
        _file: File,
    }

    impl RedirectFile {
        /// Writes it where any browser can read it. Browsers in a sandbox see
        /// neither hidden directories nor `/tmp`, and some of them the downloads alone.
        pub(crate) fn new(page: &str) -> io::Result<Self> {
            let mut failed = None;
            for place in places() {
                match Self::in_directory(&place, page) {
                    Ok(file) => return Ok(file),
                    Err(error) => failed = Some(error),
                }
            }
            Err(failed.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
        }

        fn in_directory(place: &Path, page: &str) -> io::Result<Self> {
            let directory = tempfile::Builder::new()
                .prefix(PREFIX)
                .permissions(Permissions::from_mode(0o700))
                .tempdir_in(place)?
                .keep();
            let written = written(&directory.join(FILE), page);
            match written {
                Ok(file) => Ok(Self {
                    directory,
                    _file: file,
                }),
                Err(error) => {
                    remove(&directory);
                    Err(error)
                }
            }
        }

        /// Its address.
        pub(crate) fn url(&self) -> String {
            let path = self.directory.join(FILE);
            let mut url = "file://".to_owned();
            for byte in path.as_os_str().as_encoded_bytes() {
                let is_plain = byte.is_ascii_alphanumeric() || b"/-_.~".contains(byte);
                if is_plain {
                    url.push(char::from(*byte));
                } else {
                    url.push_str(&format!("%{byte:02X}"));
                }
            }
            url
        }

        /// Removes those that killed processes left.
        pub(crate) fn remove_left_behind() {
            for place in places() {
                let entries = fs::read_dir(place).into_iter().flatten().flatten();
                for entry in entries {
                    let is_named_so = entry
                        .file_name()
                        .to_str()
                        .is_some_and(|name| name.starts_with(PREFIX));
                    if is_named_so && is_left_behind(&entry.path()) {
                        remove(&entry.path());
                    }
                }
            }
        }
    }

    impl Drop for RedirectFile {
        fn drop(&mut self) {
            remove(&self.directory);
        }
    }

    fn written(path: &Path, page: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        file.write_all(super::html(page).as_bytes())?;
        Ok(file)
    }

    /// A directory of ours whose file no process has.
    fn is_left_behind(directory: &Path) -> bool {
        let is_ours = |path: &Path, is_kind: fn(&fs::Metadata) -> bool| {
            path.symlink_metadata()
                .is_ok_and(|found| is_kind(&found) && found.uid() == geteuid().as_raw())
        };
        let file = directory.join(FILE);
        if !is_ours(directory, fs::Metadata::is_dir) {
            return false;
        }
        if !file.exists() {
            // Between the directory and its file a process lives a moment; then both are there.
            return is_old(directory);
        }
        is_ours(&file, fs::Metadata::is_file)
            && File::open(&file)
                .is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok())
    }

    fn is_old(directory: &Path) -> bool {
        let changed = directory.metadata().and_then(|found| found.modified()).ok();
        let age = changed.and_then(|changed| changed.elapsed().ok());
        age.is_some_and(|age| age.as_secs() > 60)
    }

    /// Nothing but what was made here.
    fn remove(directory: &Path) {
        // It may not have come to the file.
        let _not_there = fs::remove_file(directory.join(FILE));
        let removed = fs::remove_dir(directory);
        if let Err(error) = removed {
            tracing::debug!(%error, directory = %directory.display(), "the file that redirects a browser to the page remains");
        }
    }

    /// A project may have planted anything there.
    fn user_dirs(path: &Path) -> Option<String> {
        let text = llm_auth_core::files::read(path, LARGEST_USER_DIRS).ok()?;
        Some(std::str::from_utf8(&text).ok()?.to_owned())
    }

    /// The directory for downloads, that of this login, then the one for temporary files.
    fn places() -> Vec<PathBuf> {
        let home = env::var_os("HOME").map(PathBuf::from);
        let config = env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
        let config = config.or_else(|| home.as_ref().map(|home| home.join(".config")));
        let named = config
            .and_then(|config| user_dirs(&config.join("user-dirs.dirs")))
            .zip(home.as_ref())
            .and_then(|(text, home)| super::downloads(&text, home));
        let usual = home.map(|home| home.join("Downloads"));
        let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let temporary = Some(env::temp_dir());
        let mut places = Vec::new();
        for place in [named, usual, runtime, temporary].into_iter().flatten() {
            if place.is_absolute() && place.is_dir() && !places.contains(&place) {
                places.push(place);
            }
        }
        places
    }
}

#[cfg(not(unix))]
mod none {
    use std::io;

    /// Other users cannot read the arguments of a program here, so there is no such file.
    #[derive(Debug)]
    pub(crate) struct RedirectFile(std::convert::Infallible);

    impl RedirectFile {
        pub(crate) fn new(_page: &str) -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(crate) fn url(&self) -> String {
            match self.0 {}
        }

        pub(crate) fn remove_left_behind() {}
    }
}

/// The directory for downloads that the user's settings name (`user-dirs.dirs`, xdg-user-dirs(1)).
#[cfg(unix)]
fn downloads(settings: &str, home: &std::path::Path) -> Option<std::path::PathBuf> {
    let lines = settings.lines().map(str::trim);
    let mut named = lines.filter_map(|line| line.strip_prefix("XDG_DOWNLOAD_DIR="));
    let path = named.next()?.trim_matches('"');
    let path = match path.strip_prefix("$HOME/") {
        Some(rest) => home.join(rest),
        None => path.into(),
    };
    // The home directory itself means that there is none.
    (path != home).then_some(path)
}

#[cfg(unix)]
fn html(page: &str) -> String {
    let mut escaped = String::with_capacity(page.len() + 64);
    for letter in page.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(letter),
        }
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>llm-auth</title>\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta http-equiv=\"refresh\" content=\"0; url={escaped}\">\n\
         <p><a href=\"{escaped}\">Continue to the sign-in</a></p>\n</html>\n"
    )
}

#[cfg(all(test, unix))]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn nothing_of_the_address_leaves_its_quotes() {
        let html = html("https://vendor.example/?a=b&c=\"><script>'");
        assert!(
            html.contains("url=https://vendor.example/?a=b&amp;c=&quot;&gt;&lt;script&gt;&#39;\"")
        );
        assert!(!html.contains("<script>"));
    }

    #[test]
    fn the_directory_for_downloads_is_the_one_of_the_settings() {
        let home = Path::new("/home/mia");
        let directory = |line: &str| downloads(line, home);
        assert_eq!(
            directory("# x\nXDG_DOWNLOAD_DIR=\"$HOME/Herunterladen\"\n").as_deref(),
            Some(Path::new("/home/mia/Herunterladen"))
        );
        assert_eq!(
            directory("XDG_DOWNLOAD_DIR=\"/data/dl\"").as_deref(),
            Some(Path::new("/data/dl"))
        );
        assert_eq!(directory("XDG_DOWNLOAD_DIR=\"$HOME/\""), None);
        assert_eq!(directory("XDG_MUSIC_DIR=\"$HOME/x\""), None);
    }
}
