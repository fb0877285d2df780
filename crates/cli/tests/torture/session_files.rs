//! F21, F23, F24: token files as users and other programs leave them.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use serde_json::{Value, json};

use crate::round::{Check, Round, ensure, ensure_kept};
use crate::session::Session;
use crate::world::{ACCOUNT, World};

/// F21: what a link points to is replaced, and the link stays.
pub(crate) fn link(round: &mut Round) -> Check {
    let world = World::with_expired_session(round.provider())?;
    let file = world.file(ACCOUNT);
    let real = world.directory.path().join("elsewhere");
    std::fs::create_dir(&real)?;
    let target = real.join("session.json");
    std::fs::rename(&file, &target)?;
    if round.random.happens(50) {
        symlink(&target, &file)?;
    } else {
        symlink("../../../elsewhere/session.json", &file)?;
    }
    let before = world.session(ACCOUNT)?;
    let done = world.run(&world.token(ACCOUNT, &[]))?;
    let stored = world.check_response(&done, ACCOUNT)?;
    ensure!(stored.refresh != before.refresh, "it was not renewed");
    ensure_kept!(file.is_symlink(), "the link was replaced");
    ensure_kept!(
        Session::read(&target)?.has_same_tokens(&stored),
        "the target was not replaced"
    );
    let mode = target.metadata()?.permissions().mode() & 0o777;
    ensure!(mode == 0o600, "the target has mode {mode:o}");
    let beside = std::fs::read_dir(&real)?.count();
    ensure!(beside <= 2, "something was left beside the target");
    world.check_no_reuse()?;
    round.outcome("link kept, target renewed");
    Ok(())
}

/// F23: for the owner alone, whatever it was before.
pub(crate) fn modes(round: &mut Round) -> Check {
    let how = match round.index % 4 {
        0 => umask(round, "000")?,
        1 => umask(round, "077")?,
        2 => wide(round)?,
        _ => for_all_users(round)?,
    };
    round.outcome(how);
    Ok(())
}

fn umask(round: &Round, umask: &str) -> Check<String> {
    let world = World::new(round.provider())?;
    let script = format!("umask {umask}; exec \"$@\"");
    let launcher = ["bash", "-c", &script, "torture"];
    let login = ["login", world.provider.name(), "--no-browser"];
    let done = world.run_command(&mut world.launched_by(&launcher, &login))?;
    ensure!(done.code == Some(0), "{}", world.describe(&done));
    world.check_modes()?;
    world.expire(ACCOUNT)?;
    let token = world.token(ACCOUNT, &[]);
    let done = world.run_command(&mut world.launched_by(&launcher, &token))?;
    world.check_response(&done, ACCOUNT)?;
    Ok(format!("umask {umask}: 0600, 0700"))
}

fn wide(round: &Round) -> Check<String> {
    let world = World::with_expired_session(round.provider())?;
    let file = world.file(ACCOUNT);
    std::fs::set_permissions(&file, Permissions::from_mode(0o644))?;
    for directory in [file.with_file_name(""), world.home.join("sessions")] {
        std::fs::set_permissions(directory, Permissions::from_mode(0o777))?;
    }
    let done = world.run(&world.token(ACCOUNT, &[]))?;
    world.check_response(&done, ACCOUNT)?;
    Ok("0644, 0777: tightened".into())
}

/// If all users may replace files, no refresh token is spent.
fn for_all_users(round: &Round) -> Check<String> {
    let world = World::with_expired_session(round.provider())?;
    let directory = world.directory.path().join("all-users");
    std::fs::create_dir(&directory)?;
    let file = directory.join("session.json");
    std::fs::copy(world.file(ACCOUNT), &file)?;
    std::fs::set_permissions(&directory, Permissions::from_mode(0o777))?;
    let place = file.to_string_lossy().into_owned();
    let words = ["token", world.provider.name(), "--store", &place];
    let done = world.run(&words)?;
    ensure!(done.code == Some(1), "{}", world.describe(&done));
    ensure_kept!(world.refreshes() == 0, "the refresh token was spent");
    std::fs::set_permissions(&directory, Permissions::from_mode(0o755))?;
    let done = world.run(&words)?;
    ensure!(done.code == Some(0), "{}", world.describe(&done));
    ensure_kept!(
        world.is_live(&Session::read(&file)?.refresh),
        "the file is dead"
    );
    Ok("0777 shared: rejected in time".into())
}

/// F24: never overwritten, never a reason to fail elsewhere.
pub(crate) fn corrupt(round: &mut Round) -> Check {
    let world = World::new(round.provider())?;
    for account in ["broken", "fine"] {
        world.give_session(account)?;
    }
    world.expire("fine")?;
    let file = world.file("broken");
    let whole = std::fs::read(&file)?;
    let contents: [(&str, Vec<u8>); 9] = [
        ("empty", Vec::new()),
        ("half", whole[..whole.len() / 2].to_vec()),
        ("garbage", vec![0xff, 0xfe, 0, 1, b'{']),
        ("array", b"[]".to_vec()),
        ("null", b"null".to_vec()),
        (
            "wrong types",
            br#"{"access":1,"refresh":[],"expires":"x"}"#.to_vec(),
        ),
        ("twice", [&whole[..], &whole].concat()),
        ("blank", b" \r\n\t".to_vec()),
        ("10 MB", vec![b' '; 10 * 1024 * 1024]),
    ];
    let (name, content) = round.random.one_of(&contents);
    std::fs::write(&file, content)?;
    for more in [&[][..], &["--force-refresh"]] {
        let done = world.run(&world.token("broken", more))?;
        ensure!(done.code == Some(1), "{name}: {}", world.describe(&done));
        ensure!(
            done.err.contains("broken.json"),
            "{name}: the file is not named"
        );
        ensure_kept!(
            std::fs::read(&file)? == *content,
            "N4: {name}: it was overwritten"
        );
    }
    world.check_next_call("fine")?;
    let status = world.run(&["status", "--json"])?;
    let status: Value = serde_json::from_str(&status.out).unwrap_or_default();
    let states = [
        &status["sessions"][0]["state"],
        &status["sessions"][1]["state"],
    ];
    ensure!(
        states == ["unreadable", "valid"],
        "{name}: status says {states:?}"
    );
    let login = [
        "login",
        world.provider.name(),
        "--no-browser",
        "--account",
        "broken",
    ];
    let done = world.run(&login)?;
    ensure!(done.code == Some(0), "{name}: {}", world.describe(&done));
    let aside = std::fs::read_dir(file.with_file_name(""))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.to_string_lossy().contains(".corrupt-"));
    let kept = aside.is_some_and(|aside| std::fs::read(aside).is_ok_and(|kept| kept == *content));
    ensure_kept!(kept, "{name}: what was there is not kept aside");
    world.check_kept("broken")?;
    world.check_modes()?;
    world.check_no_reuse()?;
    round.outcome(format!("{name}: exit 1, kept aside"));
    Ok(())
}

/// F24: an unusual but whole file is read, and unknown members survive a refresh (N8).
pub(crate) fn odd_but_whole(round: &mut Round) -> Check {
    let world = World::with_expired_session(round.provider())?;
    let mut json = world.session(ACCOUNT)?.json;
    let newer = json!({"deep": [1, {"x": null}], "text": "ü\u{1F600}"});
    json["of_a_newer_version"] = newer.clone();
    json["llm_auth"]["of_a_newer_version"] = newer.clone();
    let text = serde_json::to_string_pretty(&json).unwrap();
    let text = text.replace('\n', "\r\n");
    let text = if round.random.happens(50) {
        format!("\u{feff}{text}")
    } else {
        text
    };
    std::fs::write(world.file(ACCOUNT), text)?;
    let done = world.run(&world.token(ACCOUNT, &[]))?;
    let stored = world.check_response(&done, ACCOUNT)?;
    let kept = [&stored.json, &stored.json["llm_auth"]];
    let kept = kept.iter().all(|part| part["of_a_newer_version"] == newer);
    ensure_kept!(kept, "N8: members of a newer version were dropped");
    world.check_no_reuse()?;
    round.outcome("exit 0, kept");
    Ok(())
}
