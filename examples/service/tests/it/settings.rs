//! Settings that are not right, and a database whose TLS is not.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use crate::client::Browser;
use crate::instance::{Instance, process};
use crate::world::provider;

/// Files that are right, for a database at this URL.
fn files(directory: &Path, url: &str) {
    let write = |name: &str, text: &str| std::fs::write(directory.join(name), text).unwrap();
    write("database-url", url);
    write("key", "bWFkZS11cCBrZXksIHdoaWNoIHByb3RlY3RzIG5vdCE=");
    write("provider.json", &provider("http://127.0.0.1:9"));
}

/// What the process prints that starts with these variables, and fails.
fn refused(files: &Path, variables: &[(&str, &str)]) -> String {
    let mut child = process(files, variables);
    let mut printed = child.stderr.take().unwrap();
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let mut log = String::new();
        drop(printed.read_to_string(&mut log));
        drop(send.send(log));
    });
    let Ok(log) = receive.recv_timeout(Duration::from_secs(30)) else {
        child.kill().unwrap();
        panic!("the service has started: {variables:?}");
    };
    assert_eq!(child.wait().unwrap().code(), Some(1), "{variables:?}");
    log
}

#[test]
fn a_setting_that_cannot_be_used_is_named() {
    let directory = tempfile::tempdir().unwrap();
    files(directory.path(), "postgres://ann@127.0.0.1:1/d");
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let empty = write("empty.json", "{}");
    let two_readings = write("url", "postgres://ann:p@made-up@127.0.0.1:1/d");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (name, value, said) in [
        ("MODEL", "", "MODEL is empty"),
        ("PUBLIC_URL", "nonsense", "PUBLIC_URL cannot be used"),
        ("LISTEN", &taken, "LISTEN=127.0.0.1:"),
        ("PROVIDER_FILE", &empty, "add its member `"),
        ("DATABASE_URL_FILE", &two_readings, "DATABASE_URL_FILE"),
        ("DATABASE_CA_FILE", &empty, "DATABASE_CA_FILE"),
    ] {
        let log = refused(directory.path(), &[(name, value)]);
        assert!(log.contains(said), "{name}: {log}");
        assert!(!log.contains("made-up"), "{name}: {log}");
    }
}

#[tokio::test]
async fn a_database_whose_tls_fails_is_logged_with_the_cause_and_the_variable() {
    // A server that refuses TLS.
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for connection in server.incoming() {
            let mut connection = connection.unwrap();
            let mut request = [0; 8];
            drop(connection.read_exact(&mut request));
            drop(connection.write_all(b"N"));
        }
    });
    let directory = tempfile::tempdir().unwrap();
    let url = format!("postgres://ann@127.0.0.1:{port}/d?sslmode=require");
    files(directory.path(), &url);
    let mut instance = Instance::start(directory.path());
    let ready = format!("{}/health/ready", instance.admin);
    assert_eq!(Browser::new().visit(&ready).await.status, 503);
    instance.signal(rustix::process::Signal::TERM);
    let (_, log) = instance.finish();
    for said in [
        "server does not support TLS",
        "DATABASE_CA_FILE",
        "sslmode=disable",
    ] {
        assert!(log.contains(said), "{said}: {log}");
    }
}
