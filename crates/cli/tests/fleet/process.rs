//! A host as the fleet sees it: a process that can be killed and paused.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::host::Orders;
use crate::ledger::HostLife;

/// No turn may take longer, whatever happens to the host.
const FOREVER: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) orders: Orders,
    child: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

/// What a host printed of a session.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) host: usize,
    pub(crate) session: usize,
    pub(crate) what: Printed,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Printed {
    /// The fingerprint of an access token.
    Token(String),
    /// Only a new sign-in helps.
    Over(String),
    /// Another error.
    Error(String),
}

/// How a turn of a host ended.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) lines: Vec<Line>,
    pub(crate) end: End,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    Done,
    /// The process has ended.
    Dead,
    /// It does not end.
    Stuck,
}

impl Host {
    pub(crate) async fn start(orders: Orders) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(orders.words())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut host = Self {
            input: child.stdin.take().unwrap(),
            lines: BufReader::new(child.stdout.take().unwrap()).lines(),
            orders,
            child,
        };
        let ready = host.lines.next_line().await.unwrap();
        assert_eq!(ready.as_deref(), Some("ready"));
        host
    }

    pub(crate) fn life(&self) -> HostLife {
        HostLife {
            host: self.orders.host,
            life: self.orders.life,
        }
    }

    /// Wants all sessions, at a time so many seconds ahead.
    pub(crate) async fn go(&mut self, turn: u64, ahead: i64) {
        let line = format!("go {turn} {ahead}\n");
        // It may have been killed: then its output has ended.
        let _sent = self.input.write_all(line.as_bytes()).await;
    }

    /// What it printed in this turn.
    pub(crate) async fn finish(&mut self, turn: u64) -> Turn {
        let mut lines = Vec::new();
        let end = match timeout(FOREVER, self.read(turn, &mut lines)).await {
            Ok(end) => end,
            Err(_elapsed) => End::Stuck,
        };
        Turn { lines, end }
    }

    async fn read(&mut self, turn: u64, lines: &mut Vec<Line>) -> End {
        let turn = turn.to_string();
        while let Ok(Some(text)) = self.lines.next_line().await {
            let words: Vec<&str> = text.splitn(4, ' ').collect();
            let line = match words[..] {
                ["done", of] if of == turn => return End::Done,
                [what, of, session, text] if of == turn => Line {
                    host: self.orders.host,
                    session: session.parse().unwrap(),
                    what: match what {
                        "token" => Printed::Token(text.to_owned()),
                        "over" => Printed::Over(text.to_owned()),
                        _ => Printed::Error(text.to_owned()),
                    },
                },
                _ => continue,
            };
            lines.push(line);
        }
        End::Dead
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(id) = id.and_then(Pid::from_raw) {
            let _gone = kill_process(id, signal);
        }
    }

    /// It is dead when this returns, and its connections are closed.
    pub(crate) async fn kill(&mut self) {
        let _dead = self.child.kill().await;
    }

    /// Another process in its place.
    pub(crate) async fn again(&mut self) {
        let mut orders = self.orders.clone();
        orders.life += 1;
        *self = Self::start(orders).await;
    }
}
