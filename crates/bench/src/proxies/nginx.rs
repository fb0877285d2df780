//! nginx (a Debian package), which checks a key and sets a token.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{Opened, Process};
use crate::Result;
use crate::scratch::Scratch;
use crate::upstream::{self, Upstream};

/// As long as a key of ours.
const KEY: &str = "made-up-key-of-nginx-xxxxxxxxxxxxxxxxxxxxxx";
const PATIENCE: Duration = Duration::from_secs(10);

/// The program: Debian installs it where not every user's `PATH` leads.
fn program() -> Option<&'static str> {
    let is_there = |name: &&str| {
        let mut line = Command::new(name);
        let line = line.arg("-v").stdout(Stdio::null()).stderr(Stdio::null());
        line.status().is_ok()
    };
    ["nginx", "/usr/sbin/nginx"].into_iter().find(is_there)
}

pub fn is_there() -> bool {
    program().is_some()
}

pub(super) fn start(upstream: &Upstream) -> Result<Opened> {
    let files = Scratch::new()?;
    // Free until now, as far as anything can be known of a port.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let settings = files.path("nginx.conf");
    fs::write(&settings, settings_for(upstream.address, address))?;
    let child = Command::new(program().ok_or("nginx is not there")?)
        .arg("-p")
        .arg(files.directory())
        .arg("-c")
        .arg(&settings)
        .args(["-e", "stderr"])
        .spawn()?;
    let process = Process {
        child,
        _files: files,
    };
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        if begun.elapsed() > PATIENCE {
            return Err("nginx did not start".into());
        }
        sleep(Duration::from_millis(10));
    }
    Ok(Opened {
        address,
        base_path: "/qwen",
        key: KEY.to_owned(),
        process: Some(process),
    })
}

fn settings_for(upstream: SocketAddr, address: SocketAddr) -> String {
    let token = upstream::token();
    format!(
        r#"
daemon off;
worker_processes 1;
worker_rlimit_nofile 8192;
pid nginx.pid;
error_log stderr error;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    map_hash_bucket_size 256;
    keepalive_requests 1000000000;
    map $http_authorization $is_client {{ default 0; "Bearer {KEY}" 1; }}
    upstream api {{
        server {upstream};
        keepalive 64;
        keepalive_requests 1000000000;
    }}
    server {{
        listen {address} backlog=4096;
        location /qwen/ {{
            if ($is_client = 0) {{ return 401; }}
            proxy_pass http://api/v1/;
            proxy_http_version 1.1;
            proxy_buffering off;
            proxy_set_header Connection "";
            proxy_set_header Accept-Encoding identity;
            proxy_set_header X-DashScope-AuthType qwen-oauth;
            proxy_set_header X-DashScope-CacheControl enable;
            proxy_set_header Authorization "Bearer {token}";
        }}
    }}
}}
"#
    )
}
