//! A proxy on a unix socket.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

use rustix::process::Signal;

use super::process::{Proxy, chat};
use crate::support::inherited_signals::let_children_receive_signals;
use crate::support::user::User;
use crate::support::wait::PATIENCE;

fn signed_in() -> (User, PathBuf, String) {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let path = user.directory.path().join("proxy.socket");
    let text = path.to_str().unwrap().to_owned();
    (user, path, text)
}

fn send(proxy: &Proxy, path: &PathBuf) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = chat("qwen", false).key(proxy.key()).text("localhost");
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

#[test]
fn a_socket_is_for_its_user_only_and_is_removed_in_the_end() {
    let_children_receive_signals();
    let (user, path, text) = signed_in();
    let proxy = Proxy::start(&user, &["qwen", "--socket", &text]);
    assert_eq!(proxy.started["socket"], text);
    let url = &proxy.started["sessions"][0]["base_url"];
    assert_eq!(*url, "http://localhost/qwen");
    let found = path.symlink_metadata().unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
    let response = send(&proxy, &path);
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    proxy.stop();
    assert!(!path.exists());
}

#[test]
fn two_proxies_do_not_share_a_socket_and_one_that_was_left_behind_is_replaced() {
    let (user, path, text) = signed_in();
    let first = Proxy::start(&user, &["qwen", "--socket", &text]);
    let why = Proxy::refused(&user, &["qwen", "--socket", &text]);
    assert!(why.contains("another proxy listens on the socket"), "{why}");
    let refused = user.run(&["serve", "qwen", "--socket", &text]);
    assert!(
        refused.err.contains("end that proxy, or name another"),
        "{refused:?}"
    );
    assert!(send(&first, &path).starts_with("HTTP/1.1 200"));
    first.signal(Signal::KILL);
    first.wait();
    assert!(path.exists());
    let second = Proxy::start(&user, &["qwen", "--socket", &text]);
    assert!(send(&second, &path).starts_with("HTTP/1.1 200"));
}

#[test]
fn the_advice_fits_what_is_wrong_with_the_path_of_a_socket() {
    let (user, path, text) = signed_in();
    let directory = user.directory.path();
    let missing = directory.join("missing/proxy.socket");
    let long = directory.join("x".repeat(120));
    std::fs::write(&path, "mine").unwrap();
    let below = path.join("proxy.socket");
    for (at, advice) in [
        (missing.to_str().unwrap(), "create that directory"),
        (below.to_str().unwrap(), "create that directory"),
        (long.to_str().unwrap(), "at most 100 bytes"),
        (&text, "move it away"),
    ] {
        let refused = user.run(&["serve", "qwen", "--socket", at]);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.err.contains(advice), "{advice}: {refused:?}");
        assert!(!refused.err.contains("not safe"), "{refused:?}");
    }
    // Nothing was begun.
    let names = std::fs::read_dir(directory).unwrap();
    let mut names = names.map(|entry| entry.unwrap().file_name());
    assert!(names.all(|name| !name.to_string_lossy().ends_with(".lock")));
}

#[test]
fn what_is_no_socket_is_not_removed_and_a_shared_directory_is_refused() {
    let (user, path, text) = signed_in();
    std::fs::write(&path, "mine").unwrap();
    let why = Proxy::refused(&user, &["qwen", "--socket", &text]);
    assert!(why.contains("is not a socket"), "{why}");
    assert_eq!(std::fs::read(&path).unwrap(), b"mine");
    assert!(!path.with_extension("socket.lock").exists());
    let shared = user.directory.path().join("shared");
    std::fs::create_dir(&shared).unwrap();
    let elsewhere = shared.join("proxy.socket");
    for (mode, why) in [(0o777, "is not safe"), (0o1777, "is for several users")] {
        std::fs::set_permissions(&shared, PermissionsExt::from_mode(mode)).unwrap();
        let refused = Proxy::refused(&user, &["qwen", "--socket", elsewhere.to_str().unwrap()]);
        assert!(refused.contains(why), "{refused}");
    }
    assert_eq!(std::fs::read_dir(&shared).unwrap().count(), 0);
    // One that another program listens on is not ours either, once it is gone.
    std::fs::remove_file(&path).unwrap();
    drop(UnixListener::bind(&path).unwrap());
    drop(Proxy::start(&user, &["qwen", "--socket", &text]));
}
