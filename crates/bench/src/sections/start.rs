//! A whole process that prints a stored, valid token; hyperfine (a Debian package) measures.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::scratch::Scratch;
use crate::stats::number;
use crate::table::Table;
use crate::tokens::{self, Expiry};
use crate::{Result, command, program};

const RUNS: &str = "300";

pub fn measure() -> Result<String> {
    let scratch = Scratch::new()?;
    let (ours, yup) = (scratch.path("ours.json"), scratch.path("yup.json"));
    tokens::write(&ours, &tokens::our_file(1, Expiry::Valid))?;
    tokens::write(&yup, &tokens::yup_file(2, Expiry::Valid))?;
    let lines = [
        (
            "floor: read, parse, compare",
            format!("{} {}", program("floor_token")?.display(), ours.display()),
        ),
        (
            "**llm-auth** `token qwen`",
            format!(
                "{} token qwen --store {}",
                command()?.display(),
                ours.display()
            ),
        ),
        (
            "yup-oauth2, disk storage",
            format!(
                "{} {} http://127.0.0.1:9/token",
                program("yup_token")?.display(),
                yup.display()
            ),
        ),
    ];
    for (name, line) in &lines {
        let mut words = line.split(' ');
        let said = Command::new(words.next().unwrap_or_default())
            .args(words)
            .output()?;
        if !said.stdout.starts_with(b"first") {
            return Err(format!("{name} printed no token").into());
        }
    }
    let export = scratch.path("times.json");
    let status = Command::new("hyperfine")
        .args([
            "-N",
            "--warmup",
            "30",
            "--runs",
            RUNS,
            "--style",
            "none",
            "--export-json",
        ])
        .arg(&export)
        .args(lines.iter().map(|(_, line)| line))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(|error| format!("hyperfine (a Debian package) is not there: {error}"))?;
    if !status.success() {
        return Err("hyperfine failed".into());
    }
    let times: Value = serde_json::from_slice(&fs::read(&export)?)?;
    let figure = |at: usize, name: &str| {
        let value = times.pointer(&format!("/results/{at}/{name}"));
        value.and_then(Value::as_f64).unwrap_or(f64::NAN) * 1e3
    };
    let mut table = Table::new(
        "Cold start: print a stored, valid token",
        &["", "median ms", "smallest", "largest", "÷ floor"],
    );
    for (at, (name, _)) in lines.iter().enumerate() {
        let names = ["median", "min", "max"];
        let mut row = vec![(*name).to_owned()];
        row.extend(names.iter().map(|name| number(figure(at, name))));
        row.push(format!("{:.2}", figure(at, "median") / figure(0, "median")));
        table.row(row);
    }
    table.note(&format!(
        "`hyperfine -N`, {RUNS} runs each, one after another, after 30 to warm up."
    ));
    Ok(table.markdown())
}
