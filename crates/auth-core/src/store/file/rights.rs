//! Who may read what: 0600 for files, 0700 for folders, where the system knows modes.

#[cfg(unix)]
pub(super) use unix::{
    check_owner, check_shared_folder, make_folder, never_wait, private_file, tighten_file,
    tighten_folder,
};

#[cfg(not(unix))]
pub(super) use other::{
    check_owner, check_shared_folder, make_folder, never_wait, private_file, tighten_file,
    tighten_folder,
};

#[cfg(unix)]
mod unix {
    use std::fs::{DirBuilder, File, OpenOptions, Permissions};
    use std::io::{self, ErrorKind};
    use std::os::unix::fs::{
        DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
    };
    use std::path::Path;

    use rustix::process::geteuid;

    const OTHERS: u32 = 0o077;
    const STICKY: u32 = 0o1000;

    /// A file that is born with mode 0600, and no link in its place.
    pub(in super::super) fn private_file(options: &mut OpenOptions) {
        options
            .mode(0o600)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    }

    /// A pipe or a device in the place of a file shall not hold us up.
    pub(in super::super) fn never_wait(options: &mut OpenOptions) {
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }

    pub(in super::super) fn make_folder(path: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)
    }

    /// A folder of our own: 0700, whatever it was.
    pub(in super::super) fn tighten_folder(path: &Path) -> io::Result<()> {
        let metadata = path.metadata()?;
        if metadata.mode() & (OTHERS | STICKY) == 0 {
            return Ok(());
        }
        if metadata.mode() & STICKY != 0 {
            return Err(io::Error::new(
                ErrorKind::PermissionDenied,
                "it is a folder that users share; name one for llm-auth alone",
            ));
        }
        std::fs::set_permissions(path, Permissions::from_mode(0o700))
    }

    /// A folder that is not ours to change: nobody else may replace files in it.
    pub(in super::super) fn check_shared_folder(path: &Path) -> io::Result<()> {
        let mode = path.metadata()?.mode();
        if mode & 0o002 != 0 && mode & STICKY == 0 {
            return Err(io::Error::new(
                ErrorKind::PermissionDenied,
                "everybody may replace files in it; take that right away with `chmod o-w`",
            ));
        }
        Ok(())
    }

    /// A file that was found must be ours, or the administrator's.
    pub(in super::super) fn check_owner(file: &File) -> io::Result<()> {
        let (owner, me) = (file.metadata()?.uid(), geteuid());
        if owner != me.as_raw() && owner != 0 && !me.is_root() {
            return Err(io::Error::new(
                ErrorKind::PermissionDenied,
                "it belongs to another user",
            ));
        }
        Ok(())
    }

    /// A token file is for us alone, whatever its mode was.
    pub(in super::super) fn tighten_file(file: &File) {
        let open = |mode: u32| mode & OTHERS != 0;
        if file.metadata().is_ok_and(|metadata| open(metadata.mode()))
            && let Err(error) = file.set_permissions(Permissions::from_mode(0o600))
        {
            tracing::warn!(%error, "a token file can be read by others, and its mode cannot be changed");
        }
    }
}

#[cfg(not(unix))]
mod other {
    use std::fs::{File, OpenOptions};
    use std::io;
    use std::path::Path;

    pub(in super::super) fn private_file(_options: &mut OpenOptions) {}

    pub(in super::super) fn make_folder(path: &Path) -> io::Result<()> {
        std::fs::create_dir_all(path)
    }

    pub(in super::super) fn tighten_folder(_path: &Path) -> io::Result<()> {
        Ok(())
    }

    pub(in super::super) fn check_shared_folder(_path: &Path) -> io::Result<()> {
        Ok(())
    }

    pub(in super::super) fn never_wait(_options: &mut OpenOptions) {}

    pub(in super::super) fn check_owner(_file: &File) -> io::Result<()> {
        Ok(())
    }

    pub(in super::super) fn tighten_file(_file: &File) {}
}
