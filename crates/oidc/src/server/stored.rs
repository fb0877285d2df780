//! How a server is written and read back, by this version and by later ones.

use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::provider::{Endpoints, LoopbackRedirect};

// A skip of serde gets a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
pub(super) fn is_false(flag: &bool) -> bool {
    !flag
}

pub(super) fn endpoints<'de, D: Deserializer<'de>>(from: D) -> Result<Endpoints, D::Error> {
    const KNOWN: [&str; 6] = [
        "token",
        "authorization",
        "device_authorization",
        "revocation",
        "userinfo",
        "api_base",
    ];
    known(from, &KNOWN)
}

pub(super) fn redirect<'de, D: Deserializer<'de>>(from: D) -> Result<LoopbackRedirect, D::Error> {
    known(from, &["path", "host", "ports"])
}

/// The members that this version knows: a later one may have written more.
fn known<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    from: D,
    names: &[&str],
) -> Result<T, D::Error> {
    let mut members = BTreeMap::<String, Value>::deserialize(from)?;
    members.retain(|name, _| names.contains(&name.as_str()));
    let members = serde_json::to_value(members).map_err(D::Error::custom)?;
    serde_json::from_value(members).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use crate::Server;

    #[test]
    fn what_a_later_version_wrote_locks_no_server_out_and_is_written_back() {
        let written = r#"{
            "name": "company", "later": 1,
            "endpoints": {"token": "https://auth.example/token", "later": "https://auth.example/x"},
            "redirect": {"path": "/callback", "ports": [8020], "later": true},
            "client": {"id": "made-up-client", "later": "made-up"}
        }"#;
        let server: Server = serde_json::from_str(written).unwrap();
        assert_eq!(server.redirect.ports, [8020]);
        let again = serde_json::to_value(&server).unwrap();
        assert_eq!(
            (&again["later"], &again["client"]["later"]),
            (&1.into(), &"made-up".into())
        );
    }
}
