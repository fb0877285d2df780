//! The cost of building one vendor crate, and of starting the command, next to the alternatives, in
//! one run, so that the ratios are meaningful. Needs the registry and hyperfine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Programs that do one HTTPS-capable thing with a vendor crate or with the usual choice.
const BUILDS: [(&str, &str, &str); 3] = [
    (
        "llm-auth-qwen",
        "llm-auth-qwen = { path = \"{root}/crates/qwen\" }",
        "use llm_auth_qwen::{AuthManager, FileTokenStore, QwenProvider};
        let manager = AuthManager::builder(QwenProvider::new()).store(FileTokenStore::file(\"t.json\")).build();
        println!(\"{}\", manager.token().await.is_ok());",
    ),
    (
        "reqwest on ring, one POST",
        "reqwest = { version = \"0.13\", default-features = false, features = [\"form\", \"rustls-no-provider\"] }\nrustls = { version = \"0.23\", default-features = false, features = [\"ring\", \"std\", \"tls12\"] }\nserde = { version = \"1\", features = [\"derive\"] }\nserde_json = \"1\"\nsha2 = \"0.11\"\nbase64 = \"0.23\"\ngetrandom = \"0.4\"\nasync-trait = \"0.1\"\nthiserror = \"2\"",
        "rustls::crypto::ring::default_provider().install_default().unwrap();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let answer = http.post(\"https://example.com\").form(&[(\"a\", \"b\")]).send().await.unwrap().bytes().await.unwrap();
        println!(\"{:?}\", serde_json::from_slice::<serde_json::Value>(&answer).is_ok());",
    ),
    (
        "oauth2 + reqwest",
        "oauth2 = { version = \"5\", default-features = false, features = [\"reqwest\", \"rustls-tls\"] }\nreqwest = { version = \"0.12\", default-features = false, features = [\"rustls-tls\"] }",
        "use oauth2::basic::BasicClient;
        use oauth2::{ClientId, RefreshToken, TokenUrl};
        let client = BasicClient::new(ClientId::new(\"id\".into())).set_token_uri(TokenUrl::new(\"https://example.com\".into()).unwrap());
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let token = RefreshToken::new(\"made-up\".into());
        println!(\"{}\", client.exchange_refresh_token(&token).request_async(&http).await.is_ok());",
    ),
];

const FLOOR: &str = "use serde::Deserialize;
#[derive(Deserialize)]
struct Token { access: String, expires: u64 }
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let token: Token = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    assert!(u128::from(token.expires) > now.as_millis());
    println!(\"{}\", token.access);
}";

const SESSION: &str = r#"{"access":"made-up-access-token","refresh":"made-up-refresh-token","expires":4102444800000}"#;

pub(crate) fn run() -> Result<(), String> {
    let root = std::env::current_dir().map_err(|error| error.to_string())?;
    let scratch = std::env::temp_dir().join(format!("llm-auth-measure-{}", std::process::id()));
    fs::create_dir_all(&scratch).map_err(|error| error.to_string())?;
    let measured = builds(&root, &scratch).and_then(|()| start(&root, &scratch));
    let swept = fs::remove_dir_all(&scratch).map_err(|error| error.to_string());
    measured.and(swept)
}

fn builds(root: &Path, scratch: &Path) -> Result<(), String> {
    println!("| program | crates in the tree | clean `--release` build | stripped size |");
    println!("| --- | --- | --- | --- |");
    for (at, (name, dependency, body)) in BUILDS.iter().enumerate() {
        let dependency = dependency.replace("{root}", &root.display().to_string());
        let dependencies = format!(
            "{dependency}\ntokio = {{ version = \"1\", features = [\"macros\", \"rt-multi-thread\"] }}"
        );
        let main = format!("#[tokio::main]\nasync fn main() {{\n{body}\n}}");
        let directory = project(scratch, &format!("build{at}"), &dependencies, &main)?;
        cargo(&directory, &["fetch", "-q"])?;
        let tree = cargo(&directory, &["tree", "-e", "normal", "--prefix", "none"])?;
        let mut crates: Vec<_> = tree
            .lines()
            .map(|line| {
                line.trim_end_matches(" (*)")
                    .trim_end_matches(" (proc-macro)")
            })
            .collect();
        crates.sort_unstable();
        crates.dedup();
        let begun = Instant::now();
        cargo(&directory, &["build", "-q", "--release"])?;
        let seconds = begun.elapsed().as_secs_f32();
        let binary = directory.join("target/release/program");
        let size = fs::metadata(&binary)
            .map_err(|error| error.to_string())?
            .len();
        println!(
            "| {name} | {} | {seconds:.1} s | {:.2} MB |",
            crates.len(),
            size as f64 / 1e6
        );
    }
    Ok(())
}

fn start(root: &Path, scratch: &Path) -> Result<(), String> {
    let dependencies = "serde = { version = \"1\", features = [\"derive\"] }\nserde_json = \"1\"";
    let floor = project(scratch, "floor", dependencies, FLOOR)?;
    cargo(&floor, &["build", "-q", "--release"])?;
    cargo(
        root,
        &["build", "--locked", "-q", "--release", "-p", "llm-auth-cli"],
    )?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let session = scratch.join("session.json");
    fs::write(&session, SESSION).map_err(|error| error.to_string())?;
    let floor = format!(
        "{} {}",
        floor.join("target/release/program").display(),
        session.display()
    );
    let ours = format!(
        "{} token qwen --store {}",
        target.join("release/llm-auth").display(),
        session.display()
    );
    println!();
    let status = Command::new("hyperfine")
        .args(["-N", "--warmup", "50", "--runs", "1000", "--style", "basic"])
        .args([
            "-n",
            "bare Rust program",
            &floor,
            "-n",
            "llm-auth token qwen",
            &ours,
        ])
        .status()
        .map_err(|error| format!("hyperfine (a Debian package) is not there: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err("hyperfine failed".into())
    }
}

fn project(scratch: &Path, name: &str, dependencies: &str, main: &str) -> Result<PathBuf, String> {
    let directory = scratch.join(name);
    let manifest = format!(
        "[package]\nname = \"program\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n\
         [dependencies]\n{dependencies}\n[profile.release]\nstrip = true\n"
    );
    fs::create_dir_all(directory.join("src"))
        .and_then(|()| fs::write(directory.join("Cargo.toml"), manifest))
        .and_then(|()| fs::write(directory.join("src/main.rs"), main))
        .map_err(|error| format!("cannot make {}: {error}", directory.display()))?;
    Ok(directory)
}

fn cargo(directory: &Path, arguments: &[&str]) -> Result<String, String> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(directory)
        .stderr(Stdio::inherit());
    if directory.starts_with(std::env::temp_dir()) {
        command.env_remove("CARGO_TARGET_DIR");
    }
    let output = command.output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!(
            "cargo {} failed in {}",
            arguments.join(" "),
            directory.display()
        ));
    }
    String::from_utf8(output.stdout).map_err(|error| error.to_string())
}
