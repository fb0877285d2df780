//! One encrypted session as JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use llm_auth_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::crypto::aead::{Aad, NONCE_LEN, Nonce};
use crate::key::{Header, Key, failed, random};

/// The version of the format.
const VERSION: u32 = 1;

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Envelope {
    v: u32,
    #[serde(flatten)]
    pub(crate) header: Header,
    nonce: String,
    content: String,
    /// Of all the rest. It tells damage by accident from a wrong key.
    sum: String,
}

impl Envelope {
    /// Encrypts a session for one place.
    pub(crate) fn seal(key: &Key, place: &str, content: &[u8]) -> Result<Self> {
        let nonce = random::<NONCE_LEN>()?;
        // Encrypted in place; its room is exact, so that it does not grow and leave a copy.
        let mut bytes = Zeroizing::new(Vec::with_capacity(content.len() + 16));
        bytes.extend_from_slice(content);
        let sealed = key.cipher.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(associated(place)),
            &mut *bytes,
        );
        sealed.map_err(|_unspecified| failed("encrypt a session"))?;
        let mut envelope = Self {
            v: VERSION,
            header: key.header.clone(),
            nonce: BASE64.encode(nonce),
            content: BASE64.encode(&*bytes),
            sum: String::new(),
        };
        envelope.sum = envelope.computed_sum();
        Ok(envelope)
    }

    /// Reads an envelope that is as it was written.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`] if it is not; [`ErrorKind::Store`] if a later version wrote it.
    pub(crate) fn of(form: &Map<String, Value>) -> Result<Self> {
        match form.get("v").and_then(Value::as_u64) {
            Some(version) if version > u64::from(VERSION) => {
                return Err(Error::new(
                    ErrorKind::Store,
                    format!("its format has version {version}: update llm-auth"),
                ));
            }
            _ => {}
        }
        // The error of the parser may quote what it read.
        let envelope = Self::deserialize(Value::Object(form.clone()))
            .map_err(|_quotes| corrupt("it is not complete"))?;
        match envelope.sum == envelope.computed_sum() {
            true => Ok(envelope),
            false => Err(corrupt("its checksum is another one")),
        }
    }

    /// Decrypts the session with its key.
    pub(crate) fn open(&self, key: &Key, place: &str) -> Result<Zeroizing<Vec<u8>>> {
        let decoded = |text: &str| {
            BASE64
                .decode(text)
                .map_err(|_unreadable| corrupt("it is not base64"))
        };
        let nonce = Nonce::try_assume_unique_for_key(&decoded(&self.nonce)?)
            .map_err(|_unspecified| corrupt("its nonce is not valid"))?;
        let mut bytes = Zeroizing::new(decoded(&self.content)?);
        let opened = key
            .cipher
            .open_in_place(nonce, Aad::from(associated(place)), &mut bytes)
            .map_err(|_unspecified| corrupt("it was changed, or belongs to another account"))?
            .len();
        bytes.truncate(opened);
        Ok(bytes)
    }

    pub(crate) fn into_form(self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(form)) => form,
            // Strings and numbers always are JSON.
            _ => Map::new(),
        }
    }

    fn computed_sum(&self) -> String {
        let header = serde_json::to_string(&self.header).unwrap_or_default();
        let all = format!("{}\n{header}\n{}\n{}", self.v, self.nonce, self.content);
        BASE64.encode(&Sha256::digest(all.as_bytes())[..8])
    }
}

/// What the content is bound to.
fn associated(place: &str) -> Vec<u8> {
    format!("llm-auth session v{VERSION}\n{place}").into_bytes()
}

fn corrupt(why: &str) -> Error {
    Error::new(ErrorKind::Corrupt, why)
}
