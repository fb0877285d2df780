//! What stands between a client and an API, each as a process of its own.

mod nginx;
mod ours;

use std::fs;
use std::net::SocketAddr;
use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};

use crate::Result;
use crate::scratch::Scratch;
use crate::upstream::{self, Upstream};

pub use nginx::is_there as nginx_is_there;

/// Which way a request takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    Bare,
    Ours,
    Nginx,
}

impl Way {
    /// Without nginx if it is not installed, which the report says.
    pub fn all() -> Vec<Self> {
        let all = [Self::Bare, Self::Ours, Self::Nginx];
        let is_there = |way: &Self| *way != Self::Nginx || nginx_is_there();
        all.into_iter().filter(is_there).collect()
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Bare => "floor: the upstream itself",
            Self::Ours => "**llm-auth** `serve qwen`",
            Self::Nginx => "nginx, 1 worker",
        }
    }

    /// For a report without it.
    pub const NO_NGINX: &str =
        "nginx was not there (`apt install nginx-light`), so there is nothing to compare with.";

    pub fn open(self, upstream: &Upstream) -> Result<Opened> {
        match self {
            Self::Bare => Ok(Opened {
                address: upstream.address,
                base_path: "/v1",
                key: upstream::token(),
                process: None,
            }),
            Self::Ours => ours::start(upstream),
            Self::Nginx => nginx::start(upstream),
        }
    }
}

/// A way that is ready for requests.
#[derive(Debug)]
pub struct Opened {
    pub address: SocketAddr,
    pub base_path: &'static str,
    /// What the client proves itself by.
    pub key: String,
    process: Option<Process>,
}

/// The process of a proxy, and its files.
#[derive(Debug)]
struct Process {
    child: Child,
    _files: Scratch,
}

impl Opened {
    /// Bytes of the resident sets of its processes.
    pub fn resident(&self) -> Result<u64> {
        let mut bytes = 0;
        for pid in self.pids()? {
            let text = fs::read_to_string(format!("/proc/{pid}/statm"))?;
            let pages: u64 = text.split(' ').nth(1).ok_or("no resident set")?.parse()?;
            bytes += pages * rustix::param::page_size() as u64;
        }
        Ok(bytes)
    }

    /// The seconds that its processes have had a processor for.
    pub fn processor_seconds(&self) -> Result<f64> {
        let mut ticks = 0;
        for pid in self.pids()? {
            let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
            // After the name, which may hold anything.
            let fields = text.rsplit_once(") ").ok_or("no name")?.1;
            // Of user and of system time, fields 14 and 15 of all.
            for field in fields.split(' ').skip(11).take(2) {
                ticks += field.parse::<u64>()?;
            }
        }
        Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
    }

    fn pids(&self) -> Result<Vec<u32>> {
        let Some(process) = &self.process else {
            return Ok(Vec::new());
        };
        let first = process.child.id();
        let children = fs::read_to_string(format!("/proc/{first}/task/{first}/children"))?;
        let children = children.split_whitespace().map(str::parse);
        Ok([Ok(first)]
            .into_iter()
            .chain(children)
            .collect::<std::result::Result<_, _>>()?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already. nginx ends its worker; `serve` would wait for open requests, and a
        // second signal ends them.
        for _ in 0..2 {
            let _gone = kill_process(Pid::from_child(&self.child), Signal::TERM);
        }
        let _reaped = self.child.wait();
    }
}
