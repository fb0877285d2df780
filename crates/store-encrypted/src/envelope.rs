//! One encrypted session as JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use llm_auth_core::{Error, ErrorKind, Result};
use llm_auth_sealing::Sealed;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::key::{Header, Key};

/// The version of the form; the content has one of its own.
const VERSION: u64 = 1;

#[derive(Deserialize, Serialize)]
struct Form {
    v: u64,
    #[serde(flatten)]
    header: Header,
    content: String,
}

pub(crate) struct Envelope {
    pub(crate) header: Header,
    sealed: Sealed,
}

impl Envelope {
    /// Encrypts a session for one place.
    pub(crate) fn seal(key: &Key, place: &str, content: &[u8]) -> Result<Self> {
        Ok(Self {
            header: key.header.clone(),
            sealed: Sealed::seal(Some(&key.keys), &binding(place), content)?,
        })
    }

    /// Reads an envelope that is as it was written.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`] if it is not; [`ErrorKind::Store`] if a later version wrote it.
    pub(crate) fn of(form: &Map<String, Value>) -> Result<Self> {
        match form.get("v").and_then(Value::as_u64) {
            Some(VERSION) => {}
            Some(version) if version > VERSION => {
                return Err(Error::new(
                    ErrorKind::Store,
                    format!("its format has version {version}: update llm-auth"),
                ));
            }
            _ => return Err(corrupt("its version is not valid")),
        }
        // The error of the parser may quote what it read.
        let form = Form::deserialize(Value::Object(form.clone()))
            .map_err(|_quotes| corrupt("it is not complete"))?;
        let bytes = BASE64
            .decode(&form.content)
            .map_err(|_unreadable| corrupt("it is not base64"))?;
        // The id of the key has all of the header, which a checksum protects in this way.
        let sealed = Sealed {
            key: Some(form.header.key_id()),
            bytes: bytes.into(),
        };
        sealed.check("it")?;
        Ok(Self {
            header: form.header,
            sealed,
        })
    }

    /// Decrypts the session with its key.
    pub(crate) fn open(&self, key: &Key, place: &str) -> Result<Zeroizing<Vec<u8>>> {
        self.sealed.open(Some(&key.keys), &binding(place), "it")
    }

    pub(crate) fn into_form(self) -> Map<String, Value> {
        let form = Form {
            v: VERSION,
            header: self.header,
            content: BASE64.encode(&*self.sealed.bytes),
        };
        match serde_json::to_value(form) {
            Ok(Value::Object(form)) => form,
            // Strings and numbers always are JSON.
            _ => Map::new(),
        }
    }
}

/// What the content is bound to.
fn binding(place: &str) -> [&str; 2] {
    ["llm-auth-store-encrypted", place]
}

fn corrupt(why: &str) -> Error {
    Error::new(ErrorKind::Corrupt, why)
}
