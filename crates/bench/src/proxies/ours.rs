//! `llm-auth serve`, as users run it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{Opened, Process};
use crate::scratch::Scratch;
use crate::upstream::{self, Upstream};
use crate::{Result, command, tokens};

pub(super) fn start(upstream: &Upstream) -> Result<Opened> {
    let files = Scratch::new()?;
    let file = files.path("ours.json");
    let api = upstream.address.to_string();
    tokens::write(&file, &upstream::session(&api))?;
    let mut child = Command::new(command()?)
        .args([
            "serve",
            "qwen",
            "--json",
            "--trust-endpoint",
            &format!("http://{api}"),
        ])
        .arg("--store")
        .arg(&file)
        .env("HOME", files.directory())
        .stdout(Stdio::piped())
        .spawn()?;
    let printed = child.stdout.take().ok_or("no standard output")?;
    let process = Some(Process {
        child,
        _files: files,
    });
    let mut line = String::new();
    BufReader::new(printed).read_line(&mut line)?;
    let started: Value = serde_json::from_str(&line)?;
    let text = |pointer| started.pointer(pointer).and_then(Value::as_str);
    let base = text("/sessions/0/base_url").and_then(|url| url.strip_prefix("http://"));
    let address = base.and_then(|base| base.strip_suffix("/qwen"));
    Ok(Opened {
        address: address.ok_or("`llm-auth serve` did not start")?.parse()?,
        base_path: "/qwen",
        key: text("/key").ok_or("no key")?.to_owned(),
        process,
    })
}
