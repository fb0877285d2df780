//! What opens the page of a sign-in, and what other users see of it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use llm_auth_testkit::Approval;

use crate::support::browser::{browse, with_browser};
use crate::support::done::Done;
use crate::support::user::User;

/// A program for `BROWSER` that hands its page to the reader of the pipe, and then hangs
/// until a process writes to the other.
struct Launcher {
    program: PathBuf,
    page: PathBuf,
    release: PathBuf,
}

impl Launcher {
    fn new(directory: &Path) -> Self {
        let [program, page, release] =
            ["browser", "page", "release"].map(|name| directory.join(name));
        for pipe in [&page, &release] {
            assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
        }
        let script = format!(
            "#!/bin/sh\nprintf '%s\\n' \"$@\" > '{}'\nread x < '{}'\n",
            page.display(),
            release.display()
        );
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        Self {
            program,
            page,
            release,
        }
    }
}

#[test]
fn the_browser_of_the_variable_gets_the_url_and_may_hang() {
    let user = User::new();
    let launcher = Launcher::new(user.directory.path());
    let child = user
        .command(&["login", "gemini"])
        .env("BROWSER", &launcher.program)
        .env("SSH_CONNECTION", "203.0.113.7 5000 192.0.2.4 22")
        .spawn()
        .unwrap();
    let page = fs::read_to_string(&launcher.page).unwrap();
    browse(page.trim_end());
    let done = Done::from(child.wait_with_output().unwrap());
    fs::write(&launcher.release, "\n").unwrap();
    assert_eq!(done.code, Some(0), "{done:?}");
    let shown = done.err.find(page.trim_end()).unwrap();
    assert!(
        shown < done.err.find("Opening it in your browser").unwrap(),
        "{done:?}"
    );
}

/// Someone at a desk, with a program in place of `xdg-open`.
fn at_a_desk(user: &User, launcher: &Launcher, args: &[&str]) -> Command {
    let bin = user.directory.path().join("bin");
    fs::create_dir_all(&bin).unwrap();
    let _there = fs::copy(&launcher.program, bin.join("xdg-open")).unwrap();
    let mut command = user.command(args);
    command
        .env_remove("SSH_CONNECTION")
        .env("DISPLAY", ":0")
        .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
        .env("TMPDIR", user.directory.path());
    command
}

/// Directories that lead a browser to a page.
fn redirects(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    let names = |entry: &fs::DirEntry| {
        let name = entry.file_name();
        name.to_str().unwrap().starts_with("llm-auth-sign-in-")
    };
    entries.filter(names).map(|entry| entry.path()).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn other_users_do_not_see_the_page_in_the_arguments_of_a_launcher() {
    for downloads in [None, Some("Downloads"), Some("Herunter geladen")] {
        let user = User::new();
        let home = user.directory.path();
        let mut place = home.to_owned();
        if let Some(name) = downloads {
            place = home.join(name);
            fs::create_dir(&place).unwrap();
            fs::create_dir(home.join(".config")).unwrap();
            let line = format!("XDG_DOWNLOAD_DIR=\"$HOME/{name}\"\n");
            fs::write(home.join(".config/user-dirs.dirs"), line).unwrap();
        }
        let launcher = Launcher::new(home);
        let args = ["login", "gemini", "--browser"];
        let child = at_a_desk(&user, &launcher, &args).spawn().unwrap();
        let argument = fs::read_to_string(&launcher.page).unwrap();
        let directory = redirects(&place).pop().unwrap();
        let file = directory.join("sign-in.html");
        let expected = format!("file://{}", file.display()).replace(' ', "%20");
        assert_eq!(argument.trim_end(), expected);
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&directory), mode(&file)), (0o700, 0o600));
        let html = fs::read_to_string(&file).unwrap();
        let page = html
            .split("url=")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap();
        browse(&page.replace("&amp;", "&"));
        let done = Done::from(child.wait_with_output().unwrap());
        fs::write(&launcher.release, "\n").unwrap();
        assert_eq!(done.code, Some(0), "{done:?}");
        assert!(redirects(&place).is_empty());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_next_sign_in_removes_the_files_of_a_killed_one_and_no_others() {
    let user = User::with(Approval::Manual);
    let home = user.directory.path();
    let launcher = Launcher::new(home);
    let args = ["login", "qwen", "--browser"];
    let mut killed = at_a_desk(&user, &launcher, &args).spawn().unwrap();
    fs::read_to_string(&launcher.page).unwrap();
    killed.kill().unwrap();
    killed.wait().unwrap();
    fs::write(&launcher.release, "\n").unwrap();
    let left = redirects(home);
    assert_eq!(left.len(), 1);
    // One that is in use stays, and so does what was not made by us.
    let theirs = home.join("llm-auth-sign-in-of-mine");
    fs::create_dir(&theirs).unwrap();
    fs::write(theirs.join("notes.txt"), "mine").unwrap();
    let mut living = at_a_desk(&user, &launcher, &args).spawn().unwrap();
    fs::read_to_string(&launcher.page).unwrap();
    assert!(!left[0].exists());
    let next = ["login", "qwen", "--no-browser", "--timeout", "0.2"];
    assert_eq!(
        at_a_desk(&user, &launcher, &next).status().unwrap().code(),
        Some(5)
    );
    assert_eq!(redirects(home).len(), 2);
    assert!(theirs.join("notes.txt").exists());
    living.kill().unwrap();
    living.wait().unwrap();
    fs::write(&launcher.release, "\n").unwrap();
}

#[test]
fn a_browser_in_a_directory_with_a_space_is_started_quoted_or_not() {
    for quoting in ["'{}'", "\"{}\" %s", "{}"] {
        let user = User::new();
        let directory = user.directory.path().join("My Browser");
        fs::create_dir(&directory).unwrap();
        let launcher = Launcher::new(&directory);
        let program = launcher.program.display().to_string();
        let child = user
            .command(&["login", "gemini"])
            .env("BROWSER", quoting.replace("{}", &program))
            .spawn()
            .unwrap();
        let page = fs::read_to_string(&launcher.page).unwrap();
        browse(page.trim_end());
        let done = Done::from(child.wait_with_output().unwrap());
        fs::write(&launcher.release, "\n").unwrap();
        assert_eq!(done.code, Some(0), "{done:?}");
    }
}

#[test]
fn a_browser_gets_no_secret_of_a_client_and_a_pipe_of_settings_holds_nothing_up() {
    let user = User::new();
    let launcher = Launcher::new(user.directory.path());
    let script = format!(
        "#!/bin/sh\n{{ printf '%s\\n' \"$1\"; env; }} > '{}'\n",
        launcher.page.display()
    );
    fs::write(&launcher.program, script).unwrap();
    let config = user.directory.path().join("config");
    fs::create_dir(&config).unwrap();
    let pipe = config.join("user-dirs.dirs");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let child = user
        .command(&["login", "gemini"])
        .env("BROWSER", &launcher.program)
        .env("XDG_CONFIG_HOME", &config)
        .env("LLM_AUTH_OTHER_CLIENT_SECRET", "GOCSPX-made-up-secret")
        .spawn()
        .unwrap();
    let got = fs::read_to_string(&launcher.page).unwrap();
    browse(got.lines().next().unwrap());
    let done = Done::from(child.wait_with_output().unwrap());
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(got.contains("BROWSER="), "{got}");
    assert!(
        !got.contains("CLIENT_SECRET") && !got.contains("GOCSPX"),
        "{got}"
    );
}

#[test]
fn the_flag_overrides_the_variable() {
    let user = User::new();
    let mark = user.directory.path().join("opened");
    let browser = format!("touch {}", mark.display());
    let done = with_browser(
        user.command(&["login", "gemini", "--json", "--no-browser"])
            .env("BROWSER", browser)
            .spawn()
            .unwrap(),
        |event| browse(event["url"].as_str().unwrap()),
    );
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(!done.err.contains("Opening it in your browser"), "{done:?}");
    assert!(!mark.exists());
}

#[test]
fn a_missing_browser_does_not_end_the_sign_in() {
    let user = User::new();
    let mut child = user
        .command(&["login", "gemini"])
        .env("BROWSER", "/nowhere/made-up-browser")
        .spawn()
        .unwrap();
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let mut printed = String::new();
    while !printed.contains("No browser could be opened") {
        assert!(err.read_line(&mut printed).unwrap() > 0, "{printed}");
    }
    browse(
        printed
            .lines()
            .find(|line| line.starts_with("http://"))
            .unwrap(),
    );
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_browser_that_does_not_open_has_a_reason() {
    let user = User::new();
    for (browser, why) in [
        ("curl -sL", "curl -sL cannot display the sign-in page"),
        (
            "/nowhere/made-up-browser",
            "cannot start /nowhere/made-up-browser: ",
        ),
        ("/bin/sh -c 'exit 1'", "/bin/sh ended with exit status: 1"),
    ] {
        let mut child = user
            .command(&["login", "gemini", "--browser"])
            .env("BROWSER", browser)
            .spawn()
            .unwrap();
        let mut err = BufReader::new(child.stderr.take().unwrap());
        let mut printed = String::new();
        while !printed.contains("open the page yourself") {
            assert!(err.read_line(&mut printed).unwrap() > 0, "{printed}");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let on_one_line = printed.replace('\n', " ");
        assert!(
            on_one_line.contains(&format!("(BROWSER is {browser}: {why}")),
            "{printed}"
        );
    }
}

#[test]
fn a_text_browser_is_not_started_on_the_terminal() {
    let user = User::with(Approval::AutoAfterPolls(1));
    let done = Done::from(
        user.command(&["login", "qwen"])
            .env("BROWSER", "w3m")
            .output()
            .unwrap(),
    );
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.err.contains("text browser"), "{done:?}");
}
