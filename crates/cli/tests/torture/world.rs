//! One provider, one home directory, and processes between them.

use std::collections::BTreeSet;
use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use llm_auth_testkit::{Approval, Counters, Provider, ProviderKit, Testkit};
use serde_json::json;
use tempfile::TempDir;

use crate::ledger::{Ledger, Pair};
use crate::process::{Done, Running, start};
use crate::raw_http::{body_of, pair_in, post};
use crate::recording_proxy::RecordingProxy;
use crate::round::{Check, Stop, ensure};
use crate::session::Session;
use crate::support::wait::seen_in_time;

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
    pub(crate) provider: Provider,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) home: PathBuf,
    secrets: Mutex<BTreeSet<String>>,
    // Removed last.
    pub(crate) directory: TempDir,
}

/// The words of a command that may send the session to this server: the files of the rounds record
/// none, or the one before a proxy.
fn trusting<'a>(words: &[&'a str], base: &'a str) -> Vec<&'a str> {
    let mut words = words.to_vec();
    let sends = [
        "doctor", "exec", "import", "login", "logout", "status", "token",
    ];
    if words.first().is_some_and(|word| sends.contains(word)) {
        words.splice(1..1, ["--trust-endpoint", base]);
    }
    words
}

impl World {
    /// A provider that rotates and revokes, approves at once, and no session.
    pub(crate) fn new(provider: Provider) -> Check<Self> {
        let directory = tempfile::Builder::new().prefix("torture-").tempdir()?;
        let kit = Testkit::builder()
            .approval(Approval::Auto)
            .interval(INTERVAL);
        Ok(Self {
            kit: kit.start_blocking()?,
            provider,
            ledger: Arc::default(),
            home: directory.path().join("home"),
            secrets: Mutex::default(),
            directory,
        })
    }

    /// Signed in, and the access token is past its expiry.
    pub(crate) fn with_expired_session(provider: Provider) -> Check<Self> {
        let world = Self::new(provider)?;
        world.give_session(ACCOUNT)?;
        world.expire(ACCOUNT)?;
        Ok(world)
    }

    pub(crate) fn server(&self) -> &ProviderKit {
        self.kit.provider(self.provider)
    }

    pub(crate) fn proxy(&self) -> Check<RecordingProxy> {
        RecordingProxy::new(self.kit.base_url(), &self.ledger)
    }

    /// A command that knows nothing of this computer but the home directory and the provider.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        self.command_at(self.kit.base_url(), words)
    }

    /// The same, with the provider at the far end of a proxy.
    pub(crate) fn command_via(&self, proxy: &RecordingProxy, words: &[&str]) -> Command {
        self.command_at(proxy.base(), words)
    }

    fn command_at(&self, base: &str, words: &[&str]) -> Command {
        self.launcher(env!("CARGO_BIN_EXE_llm-auth"), base, &trusting(words, base))
    }

    /// Another program that runs the command, with the command's environment.
    pub(crate) fn launched_by(&self, launcher: &[&str], words: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_llm-auth");
        let base = self.kit.base_url();
        let all = [&launcher[1..], &[program], &trusting(words, base)].concat();
        let mut command = self.launcher(launcher[0], base, &all);
        command.env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
        command
    }

    /// This same program as one that uses the library, on the file of the account; another
    /// program may run it.
    pub(crate) fn careless(&self, launcher: &[&str], name: &str, more: &[&str]) -> Command {
        let program = std::env::current_exe().unwrap();
        let (base, file) = (self.kit.base_url(), self.file(ACCOUNT));
        let (program, file) = (program.to_string_lossy(), file.to_string_lossy());
        let words = [crate::careless_programs::FLAG, name, base, &file];
        let all = [launcher, &[&program], &words, more].concat();
        let mut command = self.launcher(all[0], base, &all[1..]);
        command.env("PATH", "/usr/bin:/bin");
        command
    }

    fn launcher(&self, program: &str, base: &str, words: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(words)
            .env_clear()
            .env("HOME", self.directory.path())
            .env("LLM_AUTH_HOME", &self.home)
            .env("LLM_AUTH_QWEN_BASE_URL", base)
            .env("LLM_AUTH_MINIMAX_BASE_URL", base)
            // A crash would leave secrets on the disk, and time.
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// `token VENDOR --account ACCOUNT` and more words.
    pub(crate) fn token<'a>(&self, account: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let words = ["token", self.provider.name(), "--account", account];
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

    /// The same, if the caller checks the output later.
    pub(crate) fn run_unchecked(&self, command: &mut Command) -> Check<Done> {
        start(command).finish()
    }

    /// Waits for the end, and checks that nothing secret was printed (N7).
    pub(crate) fn finish(&self, running: Running) -> Check<Done> {
        let done = running.finish()?;
        self.check_output(&done)?;
        Ok(done)
    }

    /// No secret on standard error, and no panic.
    pub(crate) fn check_output(&self, done: &Done) -> Check {
        self.learn();
        for secret in self.secrets.lock().unwrap().iter() {
            ensure!(!done.err.contains(secret), "N7: a secret on standard error");
        }
        ensure!(
            !done.err.contains("panicked"),
            "a panic: {}",
            self.clean(&done.err)
        );
        Ok(())
    }

    /// A session from the provider's own endpoints, written as the command writes it: the command
    /// polls no faster than twice a second.
    pub(crate) fn give_session(&self, account: &str) -> Check<Session> {
        let metadata = match self.provider {
            Provider::Qwen => json!({"provider": "qwen"}),
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
            "llm_auth": metadata,
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
        let (paths, client, code, grant_type) = match self.provider {
            Provider::Qwen => (
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
        let response = post(self.kit.base_url(), paths[0], &form)?;
        server.set_interval(INTERVAL);
        let device = body_of(&response)[code].as_str().map(str::to_owned);
        let form = [
            ("grant_type", grant_type),
            ("client_id", client),
            (code, &device.unwrap_or_default()),
            ("code_verifier", verifier),
        ];
        let response = post(self.kit.base_url(), paths[1], &form)?;
        pair_in(&response).ok_or_else(|| Stop::Broken("the provider gave no session".into()))
    }

    /// Through the command.
    pub(crate) fn sign_in(&self, account: &str) -> Check<Session> {
        let words = ["login", self.provider.name(), "--no-browser"];
        let done = self.run(&[&words[..], &["--account", account]].concat())?;
        ensure!(done.code == Some(0), "login: {}", self.describe(&done));
        let session = self.session(account)?;
        self.ledger.add(session.pair());
        Ok(session)
    }

    /// The stored access token is past its expiry, here and at the provider.
    pub(crate) fn expire(&self, account: &str) -> Check {
        let mut session = self.session(account)?;
        session.json["expires"] = 1000.into();
        std::fs::write(self.file(account), session.json.to_string())?;
        self.server().expire_access_tokens();
        Ok(())
    }

    pub(crate) fn file(&self, account: &str) -> PathBuf {
        let directory = self.home.join("sessions").join(self.provider.name());
        directory.join(format!("{account}.json"))
    }

    pub(crate) fn lock_file(&self, account: &str) -> PathBuf {
        self.file(account).with_extension("json.lock")
    }

    /// What the file holds: it must be there, whole, and a session (N2).
    pub(crate) fn session(&self, account: &str) -> Check<Session> {
        Session::read(&self.file(account))
    }

    /// Whether the provider would accept this refresh token.
    pub(crate) fn is_live(&self, refresh: &str) -> bool {
        let live = self.server().live_refresh_tokens();
        live.iter().any(|token| token == refresh)
    }

    /// How many refreshes the provider was asked for.
    pub(crate) fn refreshes(&self) -> u64 {
        self.server().counters().refreshes
    }

    /// Waits until the provider has seen this.
    pub(crate) fn wait_for_server(&self, name: &str, seen: impl Fn(&Counters) -> bool) -> Check {
        let came = seen_in_time(self.server(), seen);
        ensure!(came.is_some(), "{name} never came");
        Ok(())
    }

    /// A process for a message, without secrets.
    pub(crate) fn describe(&self, done: &Done) -> String {
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
