//! The remains of tokens in the memory of a process that has used them.
//!
//! Each scenario runs in its own process: this program, with one test chosen and a variable that
//! names the scenario. The scenario derives its secrets by a rule that this side knows too, so that
//! only the library can have put them into the memory. When it is done it prints so and waits; then
//! this side searches all its writable memory.

mod image;
mod made_up;
mod scenarios;
mod search;

use self::made_up::{WARM_UP, text};

fn left_by(scenario: &str, place: &str, secrets: std::ops::Range<u64>) -> Vec<image::Hit> {
    search::left_by("memory::the_child", scenario, place, secrets)
}

#[test]
fn the_child() {
    search::child(scenarios::run);
}

#[test]
fn a_stored_form_leaves_nothing() {
    assert_eq!(left_by("stored form", "", 0..4), []);
}

#[test]
fn a_file_store_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session.json");
    assert_eq!(left_by("file store", file.to_str().unwrap(), 0..4), []);
}

#[test]
fn a_file_with_escapes_and_foreign_members_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session.json");
    // Escaped as Go and PHP do it, each token in the middle of a string with an escape.
    for (shift, end) in [(0, ""), (WARM_UP, ".warm-up")] {
        let secret = |number| text(number + shift);
        let json = format!(
            r#"{{"access":"a\/{}\u0026","refresh":"r\u003d{}\/","expires":4102444800000,"id_token":"\/{}","more":{{"list":["x","{}\u0026"]}}}}"#,
            secret(0),
            secret(1),
            secret(2),
            secret(3)
        );
        std::fs::write(format!("{}{end}", file.display()), json).unwrap();
    }
    assert_eq!(left_by("read file", file.to_str().unwrap(), 0..4), []);
}

#[test]
fn a_manager_that_signed_in_refreshed_and_signed_out_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session.json");
    assert_eq!(left_by("manager", file.to_str().unwrap(), 0..20), []);
}
