//! Runs a scenario in a process of its own and searches what is left of it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::ops::Range;
use std::process::{Command, Stdio};

use super::image::{Hit, hits};
use super::made_up::{self, KEPT, WARM_UP};

const SCENARIO: &str = "LLM_AUTH_TEST_SCENARIO";
const PLACE: &str = "LLM_AUTH_TEST_PLACE";

/// Runs a scenario, and returns what its memory still holds of the secrets with these numbers.
/// The one that is kept on purpose must be found, or the search is worth nothing.
///
/// `test` is the test of this program that calls [`child`].
pub(crate) fn left_by(test: &str, scenario: &str, place: &str, secrets: Range<u64>) -> Vec<Hit> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(SCENARIO, scenario)
        .env(PLACE, place)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut go_on = child.stdin.take().unwrap();
    go_on.write_all(b"\n").unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let is_done = lines.any(|line| line.unwrap().ends_with("scenario done 0"));
    let found = is_done.then(|| {
        let id = child.id();
        (hits(id, secrets), hits(id, KEPT..KEPT + 1))
    });
    drop(go_on);
    assert!(lines.all(|line| line.is_ok()));
    assert!(child.wait().unwrap().success(), "{scenario}");
    let Some((left, kept)) = found else {
        panic!("{scenario} does not end");
    };
    assert!(
        !kept.is_empty(),
        "{scenario}: the search finds nothing at all"
    );
    left
}

/// The searched process; in any other does nothing. The scenario gets its name, its place and what
/// to add to its secrets' numbers.
pub(crate) fn child(run: impl Fn(&str, &str, u64)) {
    let (Ok(scenario), Ok(place)) = (std::env::var(SCENARIO), std::env::var(PLACE)) else {
        return;
    };
    let kept = made_up::text(KEPT);
    for shift in [WARM_UP, 0] {
        made_up::shift(shift);
        run(&scenario, &place, shift);
        println!("\nscenario done {shift}");
        let _go_on_or_end = std::io::stdin().read(&mut [0]);
    }
    drop(kept);
}
