//! What another process can see: counters, live families, pending codes.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::shared::Shared;

pub(super) fn state(shared: &Shared) -> Value {
    let mut all = json!({
        "base_url": shared.base_url,
        "unknown_paths": shared.unknown_paths(),
    });
    for kit in shared.providers() {
        let counters = kit.counters();
        let state = kit.lock();
        let families: Vec<Value> = state
            .grants
            .live_families()
            .into_iter()
            .map(|(id, family)| {
                json!({
                    "family": id,
                    "client_id": family.client_id,
                    "scope": family.scope,
                    "access": fingerprints(&state.grants.live_access(Some(id))),
                    "refresh": fingerprints(&state.grants.live_refresh(Some(id))),
                })
            })
            .collect();
        all[kit.provider().name()] = json!({
            "counters": counters,
            "families": families,
            "pending": state.pending(),
            "faults_left": state.script.len(),
        });
    }
    all
}

/// Enough to distinguish tokens, too little to use one.
fn fingerprints(tokens: &[String]) -> Vec<String> {
    let fingerprint = |token: &String| {
        let digest = Sha256::digest(token);
        let short = digest.iter().take(6);
        short.map(|byte| format!("{byte:02x}")).collect()
    };
    tokens.iter().map(fingerprint).collect()
}
