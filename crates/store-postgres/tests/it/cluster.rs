//! A server of Postgres of its own, on a free port.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, OnceLock};

use tempfile::TempDir;

use super::support::{Watchdog, command, free_port, program, skip, test_name, user};

#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) port: u16,
    pg_ctl: PathBuf,
    directory: TempDir,
    watchdog: Option<Watchdog>,
}

/// A schema of one test in a cluster.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) port: u16,
    pub(crate) schema: String,
}

/// The certificate of all servers here, for `localhost`, and its key.
static CERTIFICATE: LazyLock<(String, String)> = LazyLock::new(|| {
    let params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
});

/// What clients trust.
pub(crate) static CA: LazyLock<String> = LazyLock::new(|| CERTIFICATE.0.clone());

/// The server that tests share which do not stop it; `None` if it is not installed.
pub(crate) fn shared() -> Option<Place> {
    static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
    let cluster = SHARED.get_or_init(Cluster::new);
    if cluster.is_none() {
        skip(&test_name(), "Postgres is not installed (postgresql)");
    }
    Some(cluster.as_ref()?.place())
}

/// A server of the calling test alone; `None` if it is not installed.
pub(crate) fn own() -> Option<Cluster> {
    own_for(&test_name())
}

/// The same for a test of that name.
pub(crate) fn own_for(test: &str) -> Option<Cluster> {
    let cluster = Cluster::new();
    if cluster.is_none() {
        skip(test, "Postgres is not installed (postgresql)");
    }
    cluster
}

impl Cluster {
    fn new() -> Option<Self> {
        let (initdb, pg_ctl) = (program("initdb")?, program("pg_ctl")?);
        let directory = tempfile::tempdir().unwrap();
        if let Some((user, group)) = user() {
            chown(directory.path(), Some(user), Some(group)).unwrap();
        }
        let mut make = command(initdb);
        make.args([
            "-A",
            "trust",
            "-U",
            "postgres",
            "--no-sync",
            "-E",
            "UTF8",
            "--locale=C",
        ]);
        make.arg("-D").arg(directory.path().join("data"));
        let made = make.output().unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        for (name, text) in [
            ("server.crt", &CERTIFICATE.0),
            ("server.key", &CERTIFICATE.1),
        ] {
            let path = directory.path().join("data").join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            if let Some((user, group)) = user() {
                chown(&path, Some(user), Some(group)).unwrap();
            }
        }
        let mut cluster = Self {
            port: 0,
            pg_ctl,
            directory,
            watchdog: None,
        };
        // Another program may have taken the port that was free.
        let started = (0..5).any(|_| {
            cluster.port = free_port();
            cluster.try_start()
        });
        assert!(started, "{}", cluster.log());
        Some(cluster)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    fn try_start(&mut self) -> bool {
        let (data, log) = (
            self.directory.path().join("data"),
            self.directory.path().join("log"),
        );
        let mut start = command(&self.pg_ctl);
        start.arg("-D").arg(&data).arg("-l").arg(&log);
        // Only Linux has `syncfs`, and a server elsewhere does not know the value.
        let sync = match cfg!(target_os = "linux") {
            true => "-c recovery_init_sync_method=syncfs",
            false => "",
        };
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' \
             -c wal_writer_delay=10s -c autovacuum=off -c ssl=on -c max_connections=300 \
             {sync}",
            self.port
        );
        start
            .args(["-o", &options, "-w", "start"])
            .stdin(Stdio::null());
        // The server inherits them, and would keep a pipe open.
        start.stdout(Stdio::null()).stderr(Stdio::null());
        let started = start.status().unwrap().success();
        if started && self.watchdog.is_none() {
            let (pg_ctl, data) = (self.pg_ctl.display(), data.display());
            let script = format!("read line; exec '{pg_ctl}' -D '{data}' stop -m immediate");
            self.watchdog = Some(Watchdog::new(&script));
        }
        started
    }

    /// As after a crash of the server.
    pub(crate) fn crash(&mut self) {
        let data = self.directory.path().join("data");
        let mut stop = command(&self.pg_ctl);
        stop.arg("-D").arg(data).args(["stop", "-m", "immediate"]);
        let stopped = stop.output().unwrap();
        assert!(
            stopped.status.success(),
            "{}",
            String::from_utf8_lossy(&stopped.stderr)
        );
    }

    /// Its first process is killed, and it starts again once the others have noticed.
    pub(crate) fn kill_and_start(&mut self) {
        let data = self.directory.path().join("data");
        let first = std::fs::read_to_string(data.join("postmaster.pid")).unwrap();
        let id = first.lines().next().and_then(|line| line.parse().ok());
        let id = id.and_then(rustix::process::Pid::from_raw).unwrap();
        rustix::process::kill_process(id, rustix::process::Signal::KILL).unwrap();
        // They hold the memory that the next server needs.
        while !self.try_start() {}
    }

    /// A standby, without which nothing is confirmed from now on.
    pub(crate) fn standby(&self) -> Self {
        let directory = tempfile::tempdir().unwrap();
        if let Some((user, group)) = user() {
            chown(directory.path(), Some(user), Some(group)).unwrap();
        }
        let mut copy = command(program("pg_basebackup").unwrap());
        copy.args(["-R", "-X", "stream", "-c", "fast", "--no-sync"]);
        copy.args(["-h", "127.0.0.1", "-U", "postgres", "-p"]);
        copy.arg(self.port.to_string());
        copy.arg("-D").arg(directory.path().join("data"));
        let copied = copy.output().unwrap();
        assert!(
            copied.status.success(),
            "{}",
            String::from_utf8_lossy(&copied.stderr)
        );
        let mut standby = Self {
            port: 0,
            pg_ctl: self.pg_ctl.clone(),
            directory,
            watchdog: None,
        };
        let started = (0..5).any(|_| {
            standby.port = free_port();
            standby.try_start()
        });
        assert!(started, "{}", standby.log());
        let place = self.place();
        place.sql("ALTER SYSTEM SET synchronous_standby_names = '*'");
        place.sql("SELECT pg_reload_conf()");
        let waits = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        while place.sql(waits) != ["1"] {}
        standby
    }

    /// The standby becomes the primary.
    pub(crate) fn promote(&self) {
        let mut promote = command(&self.pg_ctl);
        let data = self.directory.path().join("data");
        promote.arg("-D").arg(data).args(["-w", "promote"]);
        let promoted = promote.output().unwrap();
        assert!(promoted.status.success(), "{}", self.log());
    }

    pub(crate) fn start(&mut self) {
        assert!(self.try_start(), "{}", self.log());
    }

    /// A schema that no other test uses.
    pub(crate) fn place(&self) -> Place {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Place {
            port: self.port,
            schema: format!("test_{number}"),
        }
    }
}

impl Place {
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }
}
