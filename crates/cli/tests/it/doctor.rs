//! `llm-auth doctor`: it names what stands in the way and touches no credential.

mod endpoints;
mod local;
mod proxy;

use serde_json::Value;

use crate::support::done::Done;

/// The checks of a report with this id.
fn checks(done: &Done, id: &str) -> Vec<Value> {
    let report = done.json();
    assert_eq!(report["v"], 1);
    let all = report["checks"].as_array().unwrap();
    for check in all {
        assert!(
            check["id"].is_string() && check["message"].is_string(),
            "{check}"
        );
        assert!(["ok", "note", "warn", "fail"].contains(&check["status"].as_str().unwrap()));
    }
    all.iter()
        .filter(|check| check["id"] == id)
        .cloned()
        .collect()
}

fn endpoint(done: &Done, provider: &str, name: &str) -> Value {
    let mut found = checks(done, "endpoint");
    found.retain(|check| check["vendor"] == provider && check["name"] == name);
    assert_eq!(found.len(), 1, "{done:?}");
    found.remove(0)
}
