//! A Secret Service as KeePassXC is one: it finds nothing in a database that is locked.

use std::collections::HashMap;

use zbus::blocking::Connection;
use zbus::blocking::connection::Builder;
use zbus::fdo;
use zbus::zvariant::{OwnedObjectPath, OwnedValue, Value};

const SERVICE: &str = "/org/freedesktop/secrets";
const DATABASE: &str = "/org/freedesktop/secrets/collection/made_up";

/// Owns the name of the service on a bus until it is dropped. Without a database, it has no
/// collection.
pub(super) fn serve(bus: &str, has_database: bool) -> Connection {
    let service = Service {
        collections: has_database.then(|| path(DATABASE)).into_iter().collect(),
    };
    let builder = Builder::address(bus).unwrap();
    let builder = builder.serve_at(SERVICE, service).unwrap();
    let builder = builder.serve_at(DATABASE, Database).unwrap();
    let builder = builder.name("org.freedesktop.secrets").unwrap();
    builder.build().unwrap()
}

fn path(path: &'static str) -> OwnedObjectPath {
    OwnedObjectPath::try_from(path).unwrap()
}

struct Service {
    collections: Vec<OwnedObjectPath>,
}

#[zbus::interface(name = "org.freedesktop.Secret.Service")]
impl Service {
    #[expect(clippy::unused_self, reason = "the interface")]
    fn open_session(
        &self,
        algorithm: &str,
        _input: Value<'_>,
    ) -> fdo::Result<(OwnedValue, OwnedObjectPath)> {
        // No secret is ever sent, so any public key will do.
        let output = match algorithm {
            "plain" => Value::from(""),
            _ => Value::from(vec![2_u8]),
        };
        let session = path("/org/freedesktop/secrets/session/made_up");
        Ok((OwnedValue::try_from(output).unwrap(), session))
    }

    #[expect(clippy::unused_self, reason = "the interface")]
    fn search_items(
        &self,
        _attributes: HashMap<String, String>,
    ) -> (Vec<OwnedObjectPath>, Vec<OwnedObjectPath>) {
        (Vec::new(), Vec::new())
    }

    fn read_alias(&self, _name: &str) -> OwnedObjectPath {
        let first = self.collections.first().cloned();
        first.unwrap_or_else(|| path("/"))
    }

    #[zbus(property)]
    fn collections(&self) -> Vec<OwnedObjectPath> {
        self.collections.clone()
    }
}

struct Database;

#[zbus::interface(name = "org.freedesktop.Secret.Collection")]
impl Database {
    #[zbus(property)]
    #[expect(clippy::unused_self, reason = "the interface")]
    fn locked(&self) -> bool {
        true
    }

    #[zbus(property)]
    #[expect(clippy::unused_self, reason = "the interface")]
    fn items(&self) -> Vec<OwnedObjectPath> {
        Vec::new()
    }
}
