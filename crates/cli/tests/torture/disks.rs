//! F19, F20, F21: a store that cannot take the successor is found out before the spend.

use std::fs::{File, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use crate::mounts::{Mount, tool};
use crate::process::Done;
use crate::round::{Check, Round, Stop, ensure, ensure_kept};
use crate::session::Session;
use crate::world::{ACCOUNT, World};

const PAGE: u64 = 4096;

/// Signed in on a small disk of its own, expired.
struct Disk {
    // Unmounted before the directory around it is removed.
    _mount: Mount,
    root: PathBuf,
    world: World,
    before: Session,
}

fn disk(round: &Round, options: &str) -> Check<Disk> {
    let mut world = World::new(round.provider())?;
    let root = world.directory.path().join("disk");
    let mount = Mount::memory(&root, options)?;
    world.home = root.join("home");
    world.give_session(ACCOUNT)?;
    world.expire(ACCOUNT)?;
    let before = world.session(ACCOUNT)?;
    Ok(Disk {
        _mount: mount,
        root,
        world,
        before,
    })
}

/// F19: nothing free, or a few pages, so that it fails at one step or the next.
pub(crate) fn full(round: &mut Round) -> Check {
    let disk = disk(round, "size=64k,mode=700")?;
    let filler = disk.root.join("filler");
    let pages = round.index / 2 % 8;
    leave_free(&filler, pages * PAGE)?;
    let world = &disk.world;
    let done = world.run(&world.token(ACCOUNT, &[]))?;
    let how = if done.code == Some(0) {
        world.check_response(&done, ACCOUNT)?;
        "enough was free".to_owned()
    } else {
        failed_in_time(world, &disk.before, &done, "No space left on device")?;
        ensure!(done.err.contains("free "), "it does not say what to free");
        if world.session(ACCOUNT)?.notes_an_intent() {
            round.note("of them with a note of intent left in the file");
        }
        "exit 1, nothing spent".to_owned()
    };
    ensure!(done.code == Some(0) || pages < 8, "64 KiB are not enough");
    std::fs::remove_file(&filler)?;
    world.check_next_call(ACCOUNT)?;
    world.check_no_reuse()?;
    round.outcome(how);
    Ok(())
}

/// F19: space enough, but no file can be made.
pub(crate) fn no_inode(round: &mut Round) -> Check {
    let disk = disk(round, "size=1m,nr_inodes=32,mode=700")?;
    let mut fillers = Vec::new();
    while fillers.len() < 64 {
        let filler = disk.root.join(format!("filler-{}", fillers.len()));
        if File::create_new(&filler).is_err() {
            break;
        }
        fillers.push(filler);
    }
    let world = &disk.world;
    let done = world.run(&world.token(ACCOUNT, &[]))?;
    failed_in_time(world, &disk.before, &done, "No space left on device")?;
    ensure!(done.err.contains("free "), "it does not say what to free");
    // One for the lock file, one for the successor.
    for filler in &fillers[..2] {
        std::fs::remove_file(filler)?;
    }
    world.check_next_call(ACCOUNT)?;
    world.check_no_reuse()?;
    round.outcome("exit 1, nothing spent");
    Ok(())
}

/// F19: the system ends the process at the octet that is too much, or does not write it.
pub(crate) fn file_size_limit(round: &mut Round) -> Check {
    let world = World::with_expired_session(round.provider())?;
    let before = world.session(ACCOUNT)?;
    let sizes = [0, 1, 100, 400, 1000, 4096, 16_384, 65_536];
    let size = *round.random.one_of(&sizes);
    let deadly = round.random.happens(50);
    let trap = if deadly { "" } else { "trap '' XFSZ; " };
    let script = format!("{trap}ulimit -c 0; exec prlimit --fsize={size} \"$@\"");
    let launcher = ["bash", "-c", &script, "torture"];
    let words = world.token(ACCOUNT, &[]);
    let done = world.run_command(&mut world.launched_by(&launcher, &words))?;
    let how = match (done.code, done.signal) {
        (Some(0), _) => {
            world.check_response(&done, ACCOUNT)?;
            "large enough"
        }
        (None, Some(25)) if deadly => {
            untouched(&world, &before)?;
            "died of SIGXFSZ, nothing spent"
        }
        _ => {
            failed_in_time(&world, &before, &done, "File too large")?;
            "exit 1, nothing spent"
        }
    };
    world.check_next_call(ACCOUNT)?;
    world.check_no_reuse()?;
    round.outcome(how);
    Ok(())
}

/// F20: nothing can be written at all.
pub(crate) fn read_only(round: &mut Round) -> Check {
    let world = World::with_expired_session(round.provider())?;
    let before = world.session(ACCOUNT)?;
    let words = world.token(ACCOUNT, &[]);
    let done = if geteuid().is_root() {
        let _mount = Mount::read_only(&world.home)?;
        world.run(&words)?
    } else {
        let directory = world.file(ACCOUNT).with_file_name("");
        std::fs::set_permissions(&directory, Permissions::from_mode(0o500))?;
        let done = world.run(&words);
        std::fs::set_permissions(&directory, Permissions::from_mode(0o700))?;
        done?
    };
    let why = if geteuid().is_root() {
        "Read-only file system"
    } else {
        "Permission denied"
    };
    failed_in_time(&world, &before, &done, why)?;
    world.check_next_call(ACCOUNT)?;
    world.check_no_reuse()?;
    round.outcome("exit 1, nothing spent");
    Ok(())
}

/// F20: the one file cannot be replaced.
pub(crate) fn immutable(round: &mut Round) -> Check {
    let world = World::with_expired_session(round.provider())?;
    let before = world.session(ACCOUNT)?;
    let frozen = Frozen::new(&world.file(ACCOUNT))?;
    let done = world.run(&world.token(ACCOUNT, &[]))?;
    failed_in_time(&world, &before, &done, "forbids to replace it")?;
    drop(frozen);
    world.check_next_call(ACCOUNT)?;
    world.check_no_reuse()?;
    round.outcome("exit 1, nothing spent");
    Ok(())
}

/// F21: a file that is a mount point, as containers have it.
pub(crate) fn mounted_file(round: &mut Round) -> Check {
    let world = World::with_expired_session(round.provider())?;
    let before = world.session(ACCOUNT)?;
    let file = world.file(ACCOUNT);
    let mount = Mount::bind(&file, &file)?;
    let done = world.run(&world.token(ACCOUNT, &[]))?;
    failed_in_time(&world, &before, &done, "mounted on its own")?;
    drop(mount);
    world.check_next_call(ACCOUNT)?;
    world.check_no_reuse()?;
    round.outcome("exit 1, nothing spent");
    Ok(())
}

/// Exit 1 and a reason, before anything was sent.
fn failed_in_time(world: &World, before: &Session, done: &Done, why: &str) -> Check {
    ensure!(done.code == Some(1), "{}", world.describe(done));
    ensure!(done.out.is_empty(), "N1: something on standard output");
    ensure!(
        done.err.contains(why),
        "no {why:?} in: {}",
        world.describe(done)
    );
    ensure!(
        done.err.contains("\n  → "),
        "no advice in: {}",
        world.describe(done)
    );
    untouched(world, before)
}

fn untouched(world: &World, before: &Session) -> Check {
    ensure_kept!(
        world.refreshes() == 0,
        "the refresh token was spent although the successor cannot be stored"
    );
    let stored = world.session(ACCOUNT)?;
    ensure_kept!(stored.has_same_tokens(before), "N2: the file was changed");
    Ok(())
}

/// Fills the disk but for so many octets.
fn leave_free(filler: &Path, free: u64) -> Check {
    let mut options = OpenOptions::new();
    let mut file = options
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(filler)?;
    let page = [1; PAGE as usize];
    while file.write_all(&page).is_ok() {}
    let size = file.metadata()?.len();
    file.set_len(size.saturating_sub(free))?;
    Ok(())
}

/// A file that no user may change, root included.
struct Frozen(PathBuf);

impl Frozen {
    fn new(file: &Path) -> Check<Self> {
        tool("chattr", &["+i", &file.to_string_lossy()])?;
        Ok(Self(file.to_owned()))
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        if let Err(Stop::Skipped(why)) = tool("chattr", &["-i", &self.0.to_string_lossy()]) {
            eprintln!("torture: {why}: {} stays immutable", self.0.display());
        }
    }
}
