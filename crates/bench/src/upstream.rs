//! The API that the proxies stand before, seen from the bench; it is a process of its own
//! (`bin/upstream.rs`).

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::{Value, json};

use crate::tokens::{self, Expiry};
use crate::{Result, program};

pub const FIRST: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"Hello\"}}]}\n\n";
pub const LAST: &str = "data: [DONE]\n\n";

/// The token that it accepts.
pub fn token() -> String {
    tokens::access("first")
}

/// A session whose API it is.
pub fn session(address: &str) -> Value {
    let mut session = tokens::our_file(1, Expiry::Valid);
    session["resourceUrl"] = format!("http://{address}/v1").into();
    session
}

/// A chat completion of about 600 bytes.
pub fn completion() -> String {
    let completion = json!({
        "id": "chatcmpl-made-up",
        "object": "chat.completion",
        "created": 1_764_000_000,
        "model": "qwen3-coder-plus",
        "choices": [{
            "index": 0,
            "message": { "role": "assistant", "content": "made up ".repeat(36) },
            "finish_reason": "stop",
        }],
        "usage": { "prompt_tokens": 210, "completion_tokens": 72, "total_tokens": 282 },
    });
    format!("{completion:<600}")
}

/// A request for one, of about 1 KiB.
pub fn chat() -> String {
    let chat = json!({
        "model": "qwen3-coder-plus",
        "messages": [
            { "role": "system", "content": "You are a program that is made up." },
            { "role": "user", "content": "made up ".repeat(100) },
        ],
        "stream": false,
    });
    format!("{chat:<1024}")
}

#[derive(Debug)]
pub struct Upstream {
    pub address: SocketAddr,
    child: Child,
    say: ChildStdin,
}

impl Upstream {
    pub fn start() -> Result<Self> {
        let mut child = Command::new(program("upstream")?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let say = child.stdin.take().ok_or("no standard input")?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no standard output")?).read_line(&mut line)?;
        let address = line.trim().strip_prefix("http://").ok_or("no base URL")?;
        Ok(Self {
            address: address.parse()?,
            child,
            say,
        })
    }

    /// Lets the open streams end.
    pub fn release(&mut self) -> Result<()> {
        Ok(writeln!(self.say, "release")?)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        // It may be gone already.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
