//! What a figure means nothing without: the day, the compiler, the machine, the versions.

use std::fs;
use std::process::Command;

use crate::Result;

const LOCK_FILE: &str = include_str!("../Cargo.lock");
const NAMED: [&str; 12] = [
    "llm-auth-core",
    "yup-oauth2",
    "google-cloud-auth",
    "gcp_auth",
    "azure_identity",
    "azure_core",
    "arc-swap",
    "hyper",
    "redis",
    "reqwest",
    "tokio",
    "tokio-postgres",
];

pub fn heading() -> Result<String> {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split_once(": "));
    let model = model.map_or("unknown CPU", |(_, model)| model);
    let cores = std::thread::available_parallelism()?;
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?").to_owned();
    let versions: Vec<_> = NAMED
        .iter()
        .map(|name| format!("{name} {}", locked(name)))
        .collect();
    Ok(format!(
        "# `cargo xtask bench`, {}\n\n{model}, {cores} cores, Linux {}, {}; load average at the \
         start {load}.\n{}.\n",
        said("date", &["-u", "+%F %H:%M UTC"])?,
        said("uname", &["-r"])?,
        said("rustc", &["--version"])?,
        versions.join(", ")
    ))
}

/// The version in this crate's own lock file; with two, both.
fn locked(name: &str) -> String {
    let quoted = format!("name = \"{name}\"");
    let mut lines = LOCK_FILE.lines();
    let mut versions = Vec::new();
    while lines.any(|line| line == quoted) {
        let version = lines.next().and_then(|line| line.split('"').nth(1));
        versions.push(version.unwrap_or("?"));
    }
    versions.join(" and ")
}

fn said(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
