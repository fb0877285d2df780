//! The benchmark against other crates: it builds the release command and `crates/bench`, a
//! workspace with its own lock file, and runs it. All requests go to loopback; only the first build
//! needs the registry.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use crate::run::cargo;

const MANIFEST: &str = "crates/bench/Cargo.toml";
const PROGRAMS: [(&str, &str); 4] = [
    ("hyperfine", "section `start`: apt install hyperfine"),
    (
        "nginx",
        "sections `proxy` and `streams`, to compare with: apt install nginx-light",
    ),
    (
        "redis-server",
        "section `stores`, row of Redis: apt install redis-server",
    ),
    (
        "postgres",
        "section `stores`, row of Postgres: apt install postgresql",
    ),
];

/// Runs the sections that are named, or all of them.
pub(crate) fn run() -> Result<(), String> {
    for (program, need) in PROGRAMS {
        // Debian installs servers where not every user's `PATH` leads.
        let mut places = vec![PathBuf::from(program), Path::new("/usr/sbin").join(program)];
        let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
        let versions = versions.flatten().map(|version| version.path());
        places.extend(versions.map(|version| version.join("bin").join(program)));
        let is_there = |place: &PathBuf| {
            let mut line = Command::new(place);
            line.arg("--version")
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            line.status().is_ok()
        };
        if !places.iter().any(is_there) {
            eprintln!("{program} is not there; {need}");
        }
    }
    let root = env::current_dir().map_err(|error| error.to_string())?;
    let given = env::var_os("CARGO_TARGET_DIR").map(|directory| root.join(directory));
    let target = given.clone().unwrap_or_else(|| root.join("target"));
    let benches = given.unwrap_or_else(|| root.join("target/bench"));
    let (target, benches) = (text(target)?, text(benches)?);
    let command = format!("{target}/release/llm-auth");
    cargo(
        &[
            "build",
            "-q",
            "--release",
            "-p",
            "llm-auth-cli",
            "--target-dir",
            &target,
        ],
        &[],
    )?;
    let built = [
        "--release",
        "--manifest-path",
        MANIFEST,
        "--target-dir",
        &benches,
    ];
    // All of its programs: the bench starts the others.
    cargo(&[&["build", "-q"], &built[..]].concat(), &[])?;
    let sections: Vec<String> = env::args().skip(2).filter(|word| word != "--").collect();
    let sections: Vec<&str> = sections.iter().map(String::as_str).collect();
    let line = [&["run", "-q"], &built[..], &["--"], &sections[..]].concat();
    cargo(&line, &[("LLM_AUTH_BENCH_COMMAND", &command)])
}

fn text(path: PathBuf) -> Result<String, String> {
    path.into_os_string()
        .into_string()
        .map_err(|path| format!("{} is not UTF-8", path.display()))
}
