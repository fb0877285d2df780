//! The program, as a shell starts it.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_llm-auth-testkit");

#[tokio::test]
async fn the_program_says_where_it_is_and_ends_with_its_input() {
    let mut child = Command::new(PROGRAM)
        .args([
            "--approve",
            "auto",
            "--interval=0.05",
            "--until-stdin-closes",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut url = String::new();
    out.read_line(&mut url).unwrap();
    let url = url.trim().to_owned();
    assert!(url.starts_with("http://127.0.0.1:"));
    let client = crate::client::http().build().unwrap();
    let state = client.get(format!("{url}/testkit/state"));
    let state: Value = state.send().await.unwrap().json().await.unwrap();
    assert_eq!(state["base_url"], url);
    drop(child.stdin.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let help = String::from_utf8(output.stderr).unwrap();
    assert!(help.contains(&format!("export LLM_AUTH_GEMINI_BASE_URL='{url}'")));
}

#[test]
fn the_program_starts_as_the_readme_says() {
    const README: &str = include_str!("../../../../README.md");
    let start = README.split("cargo run -p llm-auth-testkit -- ").nth(1);
    let flags = start.unwrap().lines().next().unwrap();
    let mut child = Command::new(PROGRAM)
        .args(flags.split_whitespace())
        // The port of the README may be in use here; the last one counts.
        .args(["--port=0", "--until-stdin-closes"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut url = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut url).unwrap();
    assert!(url.starts_with("http://127.0.0.1:"), "{flags}");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_flag_that_is_not_understood_is_an_error_with_the_usage() {
    for flags in [&["--prot", "1"][..], &["--port"], &["--approve", "maybe"]] {
        let output = Command::new(PROGRAM).args(flags).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{flags:?}");
        assert!(String::from_utf8(output.stderr).unwrap().contains("Usage:"));
        assert!(output.stdout.is_empty());
    }
}
