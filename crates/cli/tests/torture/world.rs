//! One vendor, one home folder, and the checks of N1 to N8 on both of them.

use std::collections::BTreeSet;
use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use llm_auth_testkit::{Approval, Counters, Testkit, Vendor, VendorKit};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Done, Running, start};
use crate::round::{Check, Stop, ensure, ensure_kept};
use crate::wire::{Ledger, Pair, Wire, body_of, pair_in, post};

pub(crate) const ACCOUNT: &str = "default";

pub(crate) const QWEN_CLIENT: &str = "f0304373b74a44d2b584a3fb70ca9e56";
const MINIMAX_CLIENT: &str = "78257093-7e40-4613-99e0-527b14b39113";
const INTERVAL: Duration = Duration::from_millis(20);
/// The challenge and the verifier of RFC 7636, appendix B.
const PKCE: (&str, &str) = (
    "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
);

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) kit: Testkit,
    pub(crate) vendor: Vendor,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) home: PathBuf,
    secrets: Mutex<BTreeSet<String>>,
    // Removed last.
    pub(crate) folder: TempDir,
}

/// A session as its file holds it, whole.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) access: String,
    pub(crate) refresh: String,
    pub(crate) json: Value,
}

impl World {
    /// A vendor that rotates and revokes, approves at once, and nobody signed in.
    pub(crate) fn new(vendor: Vendor) -> Check<Self> {
        let folder = tempfile::Builder::new().prefix("torture-").tempdir()?;
        let kit = Testkit::builder()
            .approval(Approval::Auto)
            .interval(INTERVAL);
        Ok(Self {
            kit: kit.start_blocking()?,
            vendor,
            ledger: Arc::default(),
            home: folder.path().join("home"),
            secrets: Mutex::default(),
            folder,
        })
    }

    /// Signed in, and the access token is past its expiry.
    pub(crate) fn with_expired_session(vendor: Vendor) -> Check<Self> {
        let world = Self::new(vendor)?;
        world.give_session(ACCOUNT)?;
        world.expire(ACCOUNT)?;
        Ok(world)
    }

    pub(crate) fn server(&self) -> &VendorKit {
        self.kit.vendor(self.vendor)
    }

    pub(crate) fn wire(&self) -> Check<Wire> {
        Wire::new(self.kit.base_url(), &self.ledger)
    }

    /// A command that knows nothing of this computer but the home folder and the vendor.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        self.command_at(self.kit.base_url(), words)
    }

    /// The same, with the vendor at the far end of a wire.
    pub(crate) fn command_via(&self, wire: &Wire, words: &[&str]) -> Command {
        self.command_at(wire.base(), words)
    }

    fn command_at(&self, base: &str, words: &[&str]) -> Command {
        self.launcher(env!("CARGO_BIN_EXE_llm-auth"), base, words)
    }

    /// Another program that runs the command, with the command's environment.
    pub(crate) fn launched_by(&self, launcher: &[&str], words: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_llm-auth");
        let all = [&launcher[1..], &[program], words].concat();
        let mut command = self.launcher(launcher[0], self.kit.base_url(), &all);
        command.env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
        command
    }

    fn launcher(&self, program: &str, base: &str, words: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(words)
            .env_clear()
            .env("HOME", self.folder.path())
            .env("LLM_AUTH_HOME", &self.home)
            .env("LLM_AUTH_QWEN_BASE_URL", base)
            .env("LLM_AUTH_MINIMAX_BASE_URL", base)
            // A crash would leave secrets on the disk, and time.
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// `token VENDOR --account ACCOUNT` and more words.
    pub(crate) fn token<'a>(&self, account: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let words = ["token", self.vendor.name(), "--account", account];
        [&words[..], more].concat()
    }

    pub(crate) fn start(&self, words: &[&str]) -> Running {
        start(&mut self.command(words))
    }

    pub(crate) fn run(&self, words: &[&str]) -> Check<Done> {
        self.finish(self.start(words))
    }

    pub(crate) fn run_command(&self, command: &mut Command) -> Check<Done> {
        self.finish(start(command))
    }

    /// Waits for the end, and checks that nothing secret was told (N7).
    pub(crate) fn finish(&self, running: Running) -> Check<Done> {
        let done = running.finish()?;
        self.learn();
        for secret in self.secrets.lock().unwrap().iter() {
            ensure!(!done.err.contains(secret), "N7: a secret on standard error");
        }
        ensure!(
            !done.err.contains("panicked"),
            "a panic: {}",
            self.clean(&done.err)
        );
        Ok(done)
    }

    /// A session from the vendor's own doors, written as the command writes it: the command
    /// polls no faster than twice a second.
    pub(crate) fn give_session(&self, account: &str) -> Check<Session> {
        let notes = match self.vendor {
            Vendor::Qwen => json!({"provider": "qwen"}),
            _ => json!({
                "provider": "minimax",
                "context": {"client_id": MINIMAX_CLIENT, "dialect": "openclaw", "region": "global"},
            }),
        };
        let pair = self.grant()?;
        let json = json!({
            "access": pair.access,
            "refresh": pair.refresh,
            "expires": 4_102_444_800_000_i64,
            "llm_auth": notes,
        });
        let file = self.file(account);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(file.with_file_name(""))?;
        let mut options = OpenOptions::new();
        let options = options.create_new(true).write(true).mode(0o600);
        options
            .open(&file)?
            .write_all(json.to_string().as_bytes())?;
        self.ledger.add(pair);
        self.session(account)
    }

    /// What a device sign-in that is approved at once comes to.
    fn grant(&self) -> Check<Pair> {
        let server = self.server();
        server.set_interval(Duration::ZERO);
        let (doors, client, code, grant_type) = match self.vendor {
            Vendor::Qwen => (
                ["/api/v1/oauth2/device/code", "/api/v1/oauth2/token"],
                QWEN_CLIENT,
                "device_code",
                "urn:ietf:params:oauth:grant-type:device_code",
            ),
            _ => (
                ["/oauth2/device/code", "/oauth2/token"],
                MINIMAX_CLIENT,
                "user_code",
                "urn:ietf:params:oauth:grant-type:user_code",
            ),
        };
        let (challenge, verifier) = PKCE;
        let form = [
            ("client_id", client),
            ("response_type", "code"),
            ("scope", "openid profile email model.completion"),
            ("state", "torture-torture-torture"),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256"),
        ];
        let answer = post(self.kit.base_url(), doors[0], &form)?;
        server.set_interval(INTERVAL);
        let device = body_of(&answer)[code].as_str().map(str::to_owned);
        let form = [
            ("grant_type", grant_type),
            ("client_id", client),
            (code, &device.unwrap_or_default()),
            ("code_verifier", verifier),
        ];
        let answer = post(self.kit.base_url(), doors[1], &form)?;
        pair_in(&answer).ok_or_else(|| Stop::Broken("the vendor gave no session".into()))
    }

    /// Through the command.
    pub(crate) fn sign_in(&self, account: &str) -> Check<Session> {
        let words = ["login", self.vendor.name(), "--no-browser"];
        let done = self.run(&[&words[..], &["--account", account]].concat())?;
        ensure!(done.code == Some(0), "login: {}", self.tell(&done));
        let session = self.session(account)?;
        self.ledger.add(session.pair());
        Ok(session)
    }

    /// The stored access token is past its expiry, here and at the vendor.
    pub(crate) fn expire(&self, account: &str) -> Check {
        let mut session = self.session(account)?;
        session.json["expires"] = 1000.into();
        std::fs::write(self.file(account), session.json.to_string())?;
        self.server().expire_access_tokens();
        Ok(())
    }

    pub(crate) fn file(&self, account: &str) -> PathBuf {
        let folder = self.home.join("sessions").join(self.vendor.name());
        folder.join(format!("{account}.json"))
    }

    pub(crate) fn lock_file(&self, account: &str) -> PathBuf {
        self.file(account).with_extension("json.lock")
    }

    /// What the file holds: it must be there, whole, and a session (N2).
    pub(crate) fn session(&self, account: &str) -> Check<Session> {
        Session::read(&self.file(account))
    }

    /// Whether the vendor would renew with this refresh token.
    pub(crate) fn is_live(&self, refresh: &str) -> bool {
        let live = self.server().live_refresh_tokens();
        live.iter().any(|token| token == refresh)
    }

    /// The file holds a pair that the vendor gave out together.
    pub(crate) fn check_generation(&self, session: &Session) -> Check {
        let known = self.ledger.holds(&session.access, &session.refresh);
        ensure_kept!(known, "N2: the file mixes generations");
        Ok(())
    }

    /// The file holds a refresh token that the vendor takes.
    pub(crate) fn check_kept(&self, account: &str) -> Check<Session> {
        let session = self.session(account)?;
        ensure_kept!(
            self.is_live(&session.refresh),
            "the refresh token in the file is dead at the vendor"
        );
        Ok(session)
    }

    /// What was printed is at most as new as what the file holds (N1).
    pub(crate) fn check_printed(&self, done: &Done, account: &str) -> Check {
        let Some(token) = done.token() else {
            return Ok(());
        };
        let session = self.session(account)?;
        let printed = self.ledger.refresh_of(token);
        let printed = printed.and_then(|refresh| self.ledger.generation(&refresh));
        let stored = self.ledger.generation(&session.refresh);
        ensure_kept!(
            printed.is_some() && stored.is_some() && printed <= stored,
            "N1: a token was printed that the file does not hold"
        );
        Ok(())
    }

    /// Only the owner can read and write (N7).
    pub(crate) fn check_modes(&self) -> Check {
        for path in walk(&self.home)? {
            // A temporary file may be renamed away at any moment.
            let Ok(metadata) = path.symlink_metadata() else {
                continue;
            };
            let mode = metadata.permissions().mode() & 0o777;
            let wanted = if metadata.is_dir() { 0o700 } else { 0o600 };
            ensure!(
                metadata.is_symlink() || mode == wanted,
                "N7: {} has mode {mode:o}",
                name_of(&path)
            );
        }
        Ok(())
    }

    /// Nothing lies about but sessions and their locks.
    pub(crate) fn check_tidy(&self) -> Check {
        for path in walk(&self.home)? {
            let name = name_of(&path);
            let known = path.is_dir() || name.ends_with(".json") || name.ends_with(".json.lock");
            ensure!(known && !name.starts_with('.'), "{name} was left behind");
        }
        Ok(())
    }

    /// The next call works without a person, and both sides agree afterwards.
    pub(crate) fn check_next_call(&self, account: &str) -> Check<Session> {
        self.server().clear_faults();
        let done = self.run(&self.token(account, &[]))?;
        ensure_kept!(
            done.code == Some(0),
            "the next call failed: {}",
            self.tell(&done)
        );
        self.check_answer(&done, account)
    }

    /// A call that ended well: its token is the stored one, and both are alive.
    pub(crate) fn check_answer(&self, done: &Done, account: &str) -> Check<Session> {
        ensure!(done.code == Some(0), "{}", self.tell(done));
        let session = self.check_kept(account)?;
        ensure_kept!(
            done.token() == Some(session.access.as_str()),
            "N1: printed and stored differ"
        );
        ensure_kept!(
            self.server().is_live_access(&session.access),
            "the vendor does not accept the token that was printed"
        );
        self.check_modes()?;
        self.check_tidy()?;
        Ok(session)
    }

    /// Nobody used a spent refresh token, and no family died (N3).
    pub(crate) fn check_no_reuse(&self) -> Check {
        let seen = self.server().counters();
        ensure_kept!(
            (seen.reuse, seen.families_revoked) == (0, 0),
            "N3: {} times reused, {} families revoked",
            seen.reuse,
            seen.families_revoked
        );
        Ok(())
    }

    /// How many renewals the vendor was asked for.
    pub(crate) fn refreshes(&self) -> u64 {
        self.server().counters().refreshes
    }

    /// Waits until the vendor has seen this.
    pub(crate) fn wait_for_server(&self, name: &str, seen: impl Fn(&Counters) -> bool) -> Check {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()?;
        let limit = Duration::from_secs(60);
        let came = runtime
            .block_on(async { tokio::time::timeout(limit, self.server().wait_for(seen)).await });
        ensure!(came.is_ok(), "{name} never came");
        Ok(())
    }

    /// A process for a message, without secrets.
    pub(crate) fn tell(&self, done: &Done) -> String {
        self.learn();
        format!(
            "{} after {:?}, {} octets on standard output, standard error: {}",
            done.end(),
            done.took,
            done.out.len(),
            self.clean(&done.err)
        )
    }

    fn clean(&self, text: &str) -> String {
        let mut text = text.trim().to_owned();
        for secret in self.secrets.lock().unwrap().iter() {
            text = text.replace(secret, "[secret]");
        }
        text
    }

    /// Gets to know every token there is.
    fn learn(&self) {
        let mut secrets = self.secrets.lock().unwrap();
        secrets.extend(self.server().live_access_tokens());
        secrets.extend(self.server().live_refresh_tokens());
        for pair in self.ledger.pairs() {
            secrets.extend([pair.access, pair.refresh]);
        }
    }
}

impl Session {
    pub(crate) fn read(file: &Path) -> Check<Self> {
        let bytes = std::fs::read(file).map_err(|error| {
            Stop::Lost(format!(
                "N2: the token file cannot be read: {}",
                error.kind()
            ))
        })?;
        Self::parse(&bytes)
    }

    pub(crate) fn parse(bytes: &[u8]) -> Check<Self> {
        let torn = |what: &str| Stop::Lost(format!("N2: the token file {what}"));
        let json: Value =
            serde_json::from_slice(bytes).map_err(|_quotes_it| torn("is no whole JSON"))?;
        let member = |name: &str| {
            let text = json[name].as_str().filter(|text| !text.is_empty());
            text.map(str::to_owned).ok_or_else(|| torn("lacks a token"))
        };
        ensure!(json["expires"].is_i64(), "the token file lacks the expiry");
        Ok(Self {
            access: member("access")?,
            refresh: member("refresh")?,
            json,
        })
    }

    pub(crate) fn pair(&self) -> Pair {
        Pair {
            access: self.access.clone(),
            refresh: self.refresh.clone(),
        }
    }

    pub(crate) fn has_same_tokens(&self, other: &Self) -> bool {
        (&self.access, &self.refresh) == (&other.access, &other.refresh)
    }

    /// Whether a renewal that began is not known to have ended.
    pub(crate) fn notes_an_intent(&self) -> bool {
        self.json["llm_auth"]["intent"].is_object()
    }

    pub(crate) fn is_marked_refused(&self) -> bool {
        self.json["llm_auth"]["refused"].is_object()
    }
}

pub(crate) fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// A folder and everything in it.
pub(crate) fn walk(folder: &Path) -> Check<Vec<PathBuf>> {
    let mut all = vec![folder.to_owned()];
    let mut at = 0;
    while at < all.len() {
        if all[at].is_dir() && !all[at].is_symlink() {
            for entry in std::fs::read_dir(&all[at])? {
                all.push(entry?.path());
            }
        }
        at += 1;
    }
    Ok(all)
}
